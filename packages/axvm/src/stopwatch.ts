/** What the time of a CPU goes to: one part at a time, by the real clock of the runtime. Nothing that guests see depends on it. */
import type { TimeByPart } from '@axvisor/axvisor_api/vm';

/** The part of the runtime that is used; Node and browsers have it. */
const { performance } = globalThis as unknown as { readonly performance: { now(): number } };

export type Part = keyof TimeByPart;

export class Stopwatch {
  readonly #milliseconds: Record<Part, number> = { guest: 0, exits: 0, idle: 0, host: 0 };
  #part: Part | undefined;
  #since = 0;

  /** From now on the time is for `part`; `undefined` stops. */
  enter(part: Part | undefined): void {
    const now = performance.now();
    if (this.#part !== undefined) this.#milliseconds[this.#part] += now - this.#since;
    this.#part = part;
    this.#since = now;
  }

  get seconds(): TimeByPart {
    this.enter(this.#part);
    const { guest, exits, idle, host } = this.#milliseconds;
    return { guest: guest / 1000, exits: exits / 1000, idle: idle / 1000, host: host / 1000 };
  }
}
