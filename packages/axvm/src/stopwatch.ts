/** What the time of a CPU goes to: one part at a time, by the real clock of the runtime. Nothing that guests see depends on it. */
import type { TimeByPart } from '@axvisor/axvisor_api/vm';

/** The part of the runtime that is used; Node and browsers have it. */
const { performance } = globalThis as unknown as { readonly performance: { now(): number } };

export type Part = keyof TimeByPart;

/** One exit in so many is timed, on average: to look at the clock costs as much as a tenth of a short one. */
const SAMPLED = 16;

export class Stopwatch {
  readonly #milliseconds: Record<Part, number> = { guest: 0, exits: 0, idle: 0, host: 0 };
  #part: Part | undefined;
  #since = 0;
  /** Exits until the next that is timed. */
  #untimed = 0;
  #exitSince = 0;

  /** From now on the time is for `part`; `undefined` stops. */
  enter(part: Part | undefined): void {
    const now = performance.now();
    if (this.#part !== undefined) this.#milliseconds[this.#part] += now - this.#since;
    this.#part = part;
    this.#since = now;
  }

  /** Between this and {@link endExit} an exit is handled; both within the part `guest`. */
  beginExit(): void {
    if (this.#untimed === 0) this.#exitSince = performance.now();
  }

  endExit(): void {
    if (this.#untimed-- > 0) return;
    const exit = (performance.now() - this.#exitSince) * SAMPLED;
    this.#milliseconds.exits += exit;
    this.#milliseconds.guest -= exit;
    // At random: guests repeat their exits in patterns.
    this.#untimed = Math.floor(Math.random() * (2 * SAMPLED - 1));
  }

  /** The split between `guest` and `exits` is an estimate from a sample. */
  get seconds(): TimeByPart {
    this.enter(this.#part);
    const { guest, exits, idle, host } = this.#milliseconds;
    const handled = Math.min(exits, guest + exits);
    return { guest: (guest + exits - handled) / 1000, exits: handled / 1000, idle: idle / 1000, host: host / 1000 };
  }
}
