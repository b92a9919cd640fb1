/**
 * Notes of who writes to pages of memory that several processors share, so that none of them has to compare code with memory that
 * nobody else wrote to.
 */
import { PAGE_SIZE } from './layout.ts';

/** The last bit of a set of processors stands for all that have none of their own. */
const OTHERS = 31;
/** Bytes of a counter for each processor. */
const NOTES: number = 4 * (OTHERS + 1);
/** Where the requests are, 4 bytes for each processor. */
const REQUESTS: number = NOTES;
/** Bytes for other words that processors share. */
const SPARE = 4224;
/** Bytes before those for pages. */
const HEADER: number = REQUESTS + NOTES + SPARE;

/** Who was able to write to pages of linear memory, kept by all that do. */
export class PageWrites {
  /** Where in the shared memory there is a cache line of zeros that is not of these notes: the lock's, see `BusLock`. */
  static readonly spare: number = REQUESTS + NOTES;
  /** The rest of the room for others, 4160 bytes: the architecture's. */
  static readonly ofArchitecture: number = REQUESTS + NOTES + 64;
  /** By number of the processor: how often a page was noted for it. */
  readonly #notes: Int32Array;
  /** By number of the processor: how often it was asked to give up writing. */
  readonly #requests: Int32Array;
  /** By number of the page: the set of processors that may be able to write to it. */
  readonly #writers: Int32Array;
  /** By number of the page: how often a processor became able to write to it, or something else wrote. */
  readonly #events: Int32Array;

  /** @param shared - zeros, as many as {@link PageWrites.bytes} says. */
  constructor(shared: ArrayBufferLike) {
    const pages = (shared.byteLength - HEADER) / 8;
    this.#notes = new Int32Array(shared, 0, NOTES / 4);
    this.#requests = new Int32Array(shared, REQUESTS, NOTES / 4);
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
    Atomics.add(this.#events, number, 1);
    Atomics.add(this.#notes, place, 1);
  }

  /** A processor is able to write to no page any more, without another {@link opened}. */
  closed(processor: number): void {
    if (processor >= OTHERS) return;
    const bit = 1 << processor;
    const writers = this.#writers;
    for (let number = 0; number < writers.length; number++) if (((writers[number] as number) & bit) !== 0) Atomics.and(writers, number, ~bit);
  }

  /** Asks a set of processors to give up writing when it suits them: who else executes these pages looks at them at every fence. */
  askToClose(processors: number): void {
    for (let place = 0; place < OTHERS; place++) if ((processors & (1 << place)) !== 0) Atomics.add(this.#requests, place, 1);
  }

  /** A number that is another one after {@link askToClose}. */
  requests(processor: number): number {
    return Atomics.load(this.#requests, Math.min(processor, OTHERS));
  }

  /** Something that is no processor has written to a part of linear memory. */
  happened(place: number, length: number): void {
    for (let number = Math.floor(place / PAGE_SIZE); number * PAGE_SIZE < place + length; number++) Atomics.add(this.#events, number, 1);
    Atomics.add(this.#notes, OTHERS, 1);
  }

  /** The other processors that may be able to write to a page, as a set. */
  byOthers(number: number, processor: number): number {
    return Atomics.load(this.#writers, number) & (processor < OTHERS ? ~(1 << processor) : -1);
  }

  /** A number that is another one after {@link happened}, and where a processor became able to write. */
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
