/** A sequence of steps that is undone when one of them throws. */
import { axError } from '@axvisor/axvisor_api/errors';

export class Transaction {
  readonly #undo: (() => void)[] = [];

  /**
   * Runs `f`. If it throws, what it did in steps is undone, the last first, and the error is passed on.
   *
   * @throws {AxError} BadState if undoing fails too, with the reasons as its cause
   */
  static run<T>(f: (transaction: Transaction) => T): T {
    const transaction = new Transaction();
    try {
      return f(transaction);
    } catch (e) {
      transaction.#rollBack(e);
      throw e;
    }
  }

  /** Does one thing, and remembers how to undo it. */
  step(act: () => void, undo: () => void): void {
    act();
    this.#undo.push(undo);
  }

  #rollBack(reason: unknown): void {
    const failures: unknown[] = [];
    for (const undo of this.#undo.reverse()) {
      try {
        undo();
      } catch (e) {
        failures.push(e);
      }
    }
    if (failures.length > 0)
      throw axError('BadState', 'a change of mappings failed and could not be undone', { cause: new AggregateError([reason, ...failures]) });
  }
}
