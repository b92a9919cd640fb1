/** A lock that all processors of one memory share, for accesses that WebAssembly cannot make in one step. */

/** How long a holder may take, in ms. One that takes longer is a thread that was ended. */
const PATIENCE = 100;

const FREE = 0;
const HELD = 1;
/** Held, and somebody waits, or did. */
const AWAITED = 2;

export class BusLock {
  readonly #word: Int32Array;

  /** @param shared - 4 zeros at `offset`, kept by all. */
  constructor(shared: ArrayBufferLike, offset: number) {
    this.#word = new Int32Array(shared, offset, 1);
  }

  /** From here on, until it lets go, no other processor holds it. What is done in between is short. @returns 0 */
  hold(): number {
    const word = this.#word;
    if (Atomics.compareExchange(word, 0, FREE, HELD) === FREE) return 0;
    while (Atomics.exchange(word, 0, AWAITED) !== FREE) if (Atomics.wait(word, 0, AWAITED, PATIENCE) === 'timed-out') break;
    return 0;
  }

  /** Lets go. @returns 0 */
  release(): number {
    if (Atomics.exchange(this.#word, 0, FREE) === AWAITED) Atomics.notify(this.#word, 0, 1);
    return 0;
  }
}
