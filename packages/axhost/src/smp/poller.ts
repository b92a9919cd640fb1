/**
 * Waiting for a word to change: at first by looking at it, as long as that paid off lately, then blocked. Waking a thread takes
 * tens of microseconds, more than CPUs that work together often wait for each other.
 */
import { runtime } from '../runtime.ts';

/** The longest and the first time of looking, in ms. */
const MAX_POLL = 0.1;
const FIRST_POLL = 0.0125;
/** Looks between two looks at the clock. */
const LOOKS = 32;

export class Poller {
  readonly #pays: boolean;
  #poll = 0;

  /** @param threads - how many wait like this one. With fewer processors, who looks keeps away whom it waits for. */
  constructor(threads: number) {
    this.#pays = threads <= (runtime.navigator?.hardwareConcurrency ?? 1);
  }

  /** Waits until `words[index]` is not `value`, at most `ms`. May return early. */
  wait(words: Int32Array, index: number, value: number, ms: number): void {
    const start = runtime.performance.now();
    const until = start + Math.min(ms, this.#poll);
    while (runtime.performance.now() < until) for (let i = 0; i < LOOKS; i++) if (Atomics.load(words, index) !== value) return;
    Atomics.wait(words, index, value, ms);
    if (!this.#pays) return;
    const waited = runtime.performance.now() - start;
    if (waited > 2 * MAX_POLL) this.#poll = 0;
    else if (waited > this.#poll) this.#poll = Math.min(MAX_POLL, Math.max(FIRST_POLL, 2 * this.#poll));
  }
}
