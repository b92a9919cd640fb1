/** Finds the regions that the processor is in most of its time: looks now and then where a slice ended. */
import type { Slot } from './slots.ts';

/** One in so many slices is looked at: that takes as long as a hundredth of it. */
const EVERY = 16;
/** So many that are looked at are compared. */
const COMPARED = 32;
/** So many of them, in the same region, are often. */
const OFTEN = 8;

export class Samples {
  /** By region: slices that ended there lately. */
  readonly #samples = new Map<Slot, number>();
  #slices = 0;

  /** A slice ended. @returns whether to look where. */
  isDue(): boolean {
    this.#slices++;
    if (this.#slices % (COMPARED * EVERY) === 0) this.#samples.clear();
    return this.#slices % EVERY === 0;
  }

  /** It ended in the region of a slot. @returns whether they often do. */
  endsOften(slot: Slot): boolean {
    const samples = (this.#samples.get(slot) ?? 0) + 1;
    this.#samples.set(slot, samples);
    return samples >= OFTEN;
  }
}
