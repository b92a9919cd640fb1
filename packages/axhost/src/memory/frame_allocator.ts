/**
 * The frame allocator: a bitmap of 4 KiB frames with a summary above it.
 *
 * Single frames and short runs come from the bottom, long runs from the top, so that tables and lazily allocated pages do not
 * break up the space in which a guest's whole RAM is allocated. The state lies outside the frames: allocation touches no
 * physical memory.
 */
import { ensure } from '@axvisor/axvisor_api/errors';

/** Runs of this many frames (2 MiB) or more are taken from the top. */
const LONG_RUN = 512;
const ALL = -1;

/** Bits `from` to 31. */
const bitsFrom = (from: number): number => ALL << from;
/** Bits 0 to `to` inclusive. */
const bitsTo = (to: number): number => ALL >>> (31 - to);

/** Allocates frames by number, from 1 to `frames` - 1; frame 0 is never handed out. */
export class FrameAllocator {
  /** Frames that can be allocated at all. */
  readonly total: number;
  readonly #frames: number;
  /** One bit a frame, set when it is free. */
  readonly #free: Int32Array;
  /** One bit for each word of `#free`, set when the word is not zero. */
  readonly #summary: Int32Array;
  /** No word of the summary below this one has a bit set. */
  #hint = 0;
  #freeCount: number;

  constructor(frames: number) {
    this.#frames = frames;
    const words = Math.ceil(frames / 32);
    this.#free = new Int32Array(words).fill(ALL);
    this.#free[0] = ALL << 1;
    if (frames % 32 !== 0) this.#free[words - 1]! &= bitsTo((frames % 32) - 1);
    this.#summary = new Int32Array(Math.ceil(words / 32));
    for (let w = 0; w < words; w++) if (this.#free[w] !== 0) this.#summary[w >>> 5]! |= 1 << (w & 31);
    this.total = this.#freeCount = frames - 1;
  }

  get freeCount(): number {
    return this.#freeCount;
  }

  /** The lowest free frame, now allocated; 0 if there is none. */
  alloc(): number {
    const summary = this.#summary;
    for (let s = this.#hint; s < summary.length; s++) {
      const bits = summary[s]!;
      if (bits === 0) continue;
      this.#hint = s;
      const w = (s << 5) | (31 - Math.clz32(bits & -bits));
      const word = this.#free[w]!;
      const lowest = word & -word;
      if ((this.#free[w] = word ^ lowest) === 0) summary[s] = bits & (bits - 1);
      this.#freeCount--;
      return (w << 5) | (31 - Math.clz32(lowest));
    }
    this.#hint = summary.length;
    return 0;
  }

  /** The first of `count` consecutive frames, a multiple of `align` (a power of two), now allocated; 0 if there are none. */
  allocRun(count: number, align: number): number {
    if (count === 1 && align === 1) return this.alloc();
    if (count > this.#freeCount) return 0;
    const first = count >= LONG_RUN ? this.#highestRun(count, align) : this.#lowestRun(count, align);
    if (first !== 0) this.#mark(first, count, false);
    return first;
  }

  /**
   * Frees `count` frames from `first`.
   *
   * @throws {AxError} BadState if one of them is not allocated; then none is freed
   */
  free(first: number, count: number): void {
    ensure(first > 0 && first + count <= this.#frames, 'BadState', `frame ${first} (count ${count}) is not one that is handed out`);
    const free = this.#edge(first, first + count, false, true);
    ensure(free === -1, 'BadState', `frame ${free} is freed but not allocated`);
    this.#mark(first, count, true);
  }

  #lowestRun(count: number, align: number): number {
    // From the run's last used frame upward is free already, so each step continues behind it.
    for (let first = align; first + count <= this.#frames; ) {
      const used = this.#edge(first, first + count, true, false);
      if (used === -1) return first;
      first = Math.ceil((used + 1) / align) * align;
    }
    return 0;
  }

  #highestRun(count: number, align: number): number {
    for (let first = Math.floor((this.#frames - count) / align) * align; first > 0; ) {
      const used = this.#edge(first, first + count, false, false);
      if (used === -1) return first;
      first = Math.floor((used - count) / align) * align;
    }
    return 0;
  }

  /** The first (or last) frame in [start, end) that is free (or used); -1 if there is none. */
  #edge(start: number, end: number, last: boolean, free: boolean): number {
    const low = start >>> 5;
    const high = (end - 1) >>> 5;
    const invert = free ? 0 : ALL;
    const step = last ? -1 : 1;
    for (let w = last ? high : low; w >= low && w <= high; w += step) {
      let word = this.#free[w]! ^ invert;
      if (w === low) word &= bitsFrom(start & 31);
      if (w === high) word &= bitsTo((end - 1) & 31);
      if (word !== 0) return (w << 5) | (31 - Math.clz32(last ? word : word & -word));
    }
    return -1;
  }

  #mark(first: number, count: number, free: boolean): void {
    const end = first + count;
    for (let w = first >>> 5; w <= (end - 1) >>> 5; w++) {
      let mask = ALL;
      if (w === first >>> 5) mask &= bitsFrom(first & 31);
      if (w === (end - 1) >>> 5) mask &= bitsTo((end - 1) & 31);
      const word = (this.#free[w] = free ? this.#free[w]! | mask : this.#free[w]! & ~mask);
      const bit = 1 << (w & 31);
      if (word !== 0) this.#summary[w >>> 5]! |= bit;
      else this.#summary[w >>> 5]! &= ~bit;
    }
    if (free) this.#hint = Math.min(this.#hint, first >>> 10);
    this.#freeCount += free ? count : -count;
  }
}
