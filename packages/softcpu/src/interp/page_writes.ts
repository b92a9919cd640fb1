/**
 * Notes of who writes to pages of memory that several processors share, so that none of them has to compare code with memory that
 * nobody else wrote to.
 */
import { PAGE_SIZE } from './layout.ts';

/** The last bit of a set of processors stands for all that have none of their own. */
const OTHERS = 31;
/** Bytes of a counter for each processor. */
const NOTES: number = 4 * (OTHERS + 1);
/** Bytes before those for pages: behind the counters there is room for other words that processors share. */
const HEADER: number = NOTES + 64;

/** Who was able to write to pages of linear memory, kept by all that do. */
export class PageWrites {
  /** Where in the shared memory there are 64 bytes of zeros that are not of these notes. */
  static readonly spare: number = NOTES;
  /** By number of the processor: how often a page was noted for it. */
  readonly #notes: Int32Array;
  /** By number of the page: the set of processors that were able to write to it at any time. */
  readonly #writers: Int32Array;
  /** By number of the page: how often something that is no processor wrote to it. */
  readonly #events: Int32Array;

  /** @param shared - zeros, as many as {@link PageWrites.bytes} says. */
  constructor(shared: ArrayBufferLike) {
    const pages = (shared.byteLength - HEADER) / 8;
    this.#notes = new Int32Array(shared, 0, NOTES / 4);
    this.#writers = new Int32Array(shared, HEADER, pages);
    this.#events = new Int32Array(shared, HEADER + 4 * pages, pages);
  }

  /** Bytes for a linear memory of so many bytes. */
  static bytes(memoryBytes: number): number {
    return HEADER + 8 * Math.ceil(memoryBytes / PAGE_SIZE);
  }

  /** A processor is about to write to a page, or to be able to. */
  opened(number: number, processor: number): void {
    const place = Math.min(processor, OTHERS);
    const bit = 1 << place;
    if (((this.#writers[number] as number) & bit) !== 0) return;
    Atomics.or(this.#writers, number, bit);
    Atomics.add(this.#notes, place, 1);
  }

  /** Something that is no processor has written to a part of linear memory. */
  happened(place: number, length: number): void {
    for (let number = Math.floor(place / PAGE_SIZE); number * PAGE_SIZE < place + length; number++) Atomics.add(this.#events, number, 1);
    Atomics.add(this.#notes, OTHERS, 1);
  }

  /** Whether other processors were able to write to a page. */
  byOthers(number: number, processor: number): boolean {
    return (Atomics.load(this.#writers, number) & (processor < OTHERS ? ~(1 << processor) : -1)) !== 0;
  }

  /** A number that is another one after {@link happened}. */
  events(number: number): number {
    return Atomics.load(this.#events, number);
  }

  /** A number that is another one after anything was noted for others. */
  notesOfOthers(processor: number): number {
    let sum = 0;
    for (let i = 0; i <= OTHERS; i++) if (i !== processor || i === OTHERS) sum = (sum + Atomics.load(this.#notes, i)) | 0;
    return sum;
  }
}
