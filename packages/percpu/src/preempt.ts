/** Disabling preemption: while a guard is held, the scheduler must leave the current CPU's task where it is. */
import { axError } from '@axvisor/axvisor_api/errors';

/** What a scheduler does about it; called for the outermost guard only. */
export interface PreemptionHook {
  disablePreempt(): void;
  enablePreempt(): void;
}

/** Held as long as preemption is disabled. @throws {AxError} BadState when disposed twice */
export interface PreemptionGuard extends Disposable {
  readonly held: boolean;
}

/** The nesting counter of one thread. */
export class Preemption {
  readonly #hook: PreemptionHook | undefined;
  #depth = 0;

  constructor(hook?: PreemptionHook) {
    this.#hook = hook;
  }

  /** Number of guards that are held. */
  get depth(): number {
    return this.#depth;
  }

  /** Whether nobody holds a guard. */
  get enabled(): boolean {
    return this.#depth === 0;
  }

  /** Disables preemption until the guard is disposed: `using _ = preemption.guard();` */
  guard(): PreemptionGuard {
    this.#disable();
    let held = true;
    return {
      get held() {
        return held;
      },
      [Symbol.dispose]: () => {
        if (!held) throw axError('BadState', 'the preemption guard is disposed already');
        held = false;
        this.#enable();
      },
    };
  }

  /** Runs `f` with preemption disabled. */
  run<R>(f: () => R): R {
    this.#disable();
    try {
      return f();
    } finally {
      this.#enable();
    }
  }

  #disable(): void {
    if (this.#depth === 0) this.#hook?.disablePreempt();
    this.#depth++;
  }

  #enable(): void {
    this.#depth--;
    if (this.#depth === 0) this.#hook?.enablePreempt();
  }
}
