/**
 * The frame allocator: a bitmap of 4 KiB frames with a summary above it.
 *
 * Single frames and short runs come from the bottom, long runs from the top, so that tables and lazily allocated pages do not
 * break up the space in which a guest's whole RAM is allocated. The state lies outside the frames: allocation touches no
 * physical memory. It may be shared between threads; a lock that is held for microseconds keeps them apart.
 */
import { ensure } from '@axvisor/axvisor_api/errors';

/** Runs of this many frames (2 MiB) or more are taken from the top. */
const LONG_RUN = 512;
const ALL = -1;

/** Bits `from` to 31. */
const bitsFrom = (from: number): number => ALL << from;
/** Bits 0 to `to` inclusive. */
const bitsTo = (to: number): number => ALL >>> (31 - to);

/** The words that come before the bitmaps. */
const Word = { lock: 0, ready: 1, hint: 2, freeCount: 3, count: 4 } as const;

/** Bytes that the state of an allocator of `frames` frames takes. */
export function allocatorBytes(frames: number): number {
  const words = Math.ceil(frames / 32);
  return 4 * (Word.count + 2 * words + Math.ceil(words / 32));
}

/** Allocates frames by number, from 1 to `frames` - 1; frame 0 is never handed out. */
export class FrameAllocator {
  /** Frames that can be allocated at all. */
  readonly total: number;
  readonly #frames: number;
  readonly #words: Int32Array;
  /** One bit a frame, set when it is free. */
  readonly #free: Int32Array;
  /** One bit for each word of `#free`, set when the word is not zero. */
  readonly #summary: Int32Array;
  /** One bit a frame, set when it was handed out and came back: until then it holds what memory begins with, zeros. */
  readonly #used: Int32Array;

  /** @param state - {@link allocatorBytes} zeroed bytes, or those of another thread's allocator, which this one then shares. */
  constructor(frames: number, state: ArrayBufferLike = new ArrayBuffer(allocatorBytes(frames))) {
    this.#frames = frames;
    const words = Math.ceil(frames / 32);
    this.#words = new Int32Array(state);
    this.#free = this.#words.subarray(Word.count, Word.count + words);
    this.#summary = this.#words.subarray(Word.count + words, Word.count + words + Math.ceil(words / 32));
    this.#used = this.#words.subarray(Word.count + words + this.#summary.length);
    this.total = frames - 1;
    this.#locked(() => {
      if (this.#words[Word.ready] !== 0) return;
      this.#free.fill(ALL);
      this.#free[0] = ALL << 1;
      if (frames % 32 !== 0) this.#free[words - 1]! &= bitsTo((frames % 32) - 1);
      for (let w = 0; w < words; w++) if (this.#free[w] !== 0) this.#summary[w >>> 5]! |= 1 << (w & 31);
      this.#words[Word.freeCount] = this.total;
      this.#words[Word.ready] = 1;
    });
  }

  /** Runs `f` while no other thread is in here. */
  #locked<T>(f: () => T): T {
    const words = this.#words;
    while (Atomics.compareExchange(words, Word.lock, 0, 1) !== 0);
    try {
      return f();
    } finally {
      Atomics.store(words, Word.lock, 0);
    }
  }

  /** No word of the summary below this one has a bit set. */
  get #hint(): number {
    return this.#words[Word.hint] as number;
  }

  set #hint(word: number) {
    this.#words[Word.hint] = word;
  }

  get freeCount(): number {
    return Atomics.load(this.#words, Word.freeCount);
  }

  #count(change: number): void {
    this.#words[Word.freeCount]! += change;
  }

  /** The lowest free frame, now allocated; 0 if there is none. */
  alloc(): number {
    return this.#locked(() => this.#lowest());
  }

  #lowest(): number {
    const summary = this.#summary;
    for (let s = this.#hint; s < summary.length; s++) {
      const bits = summary[s]!;
      if (bits === 0) continue;
      this.#hint = s;
      const w = (s << 5) | (31 - Math.clz32(bits & -bits));
      const word = this.#free[w]!;
      const lowest = word & -word;
      if ((this.#free[w] = word ^ lowest) === 0) summary[s] = bits & (bits - 1);
      this.#count(-1);
      return (w << 5) | (31 - Math.clz32(lowest));
    }
    this.#hint = summary.length;
    return 0;
  }

  /** The first of `count` consecutive frames, a multiple of `align` (a power of two), now allocated; 0 if there are none. */
  allocRun(count: number, align: number): number {
    if (count === 1 && align === 1) return this.alloc();
    return this.#locked(() => {
      if (count > this.freeCount) return 0;
      const first = count >= LONG_RUN ? this.#highestRun(count, align) : this.#lowestRun(count, align);
      if (first !== 0) this.#mark(first, count, false);
      return first;
    });
  }

  /**
   * Frees `count` frames from `first`.
   *
   * @throws {AxError} BadState if one of them is not allocated; then none is freed
   */
  free(first: number, count: number): void {
    ensure(first > 0 && first + count <= this.#frames, 'BadState', `frame ${first} (count ${count}) is not one that is handed out`);
    this.#locked(() => {
      const free = this.#edge(first, first + count, false, true);
      ensure(free === -1, 'BadState', `frame ${free} is freed but not allocated`);
      this.#mark(first, count, true);
      for (let frame = first; frame < first + count; frame++) this.#used[frame >>> 5]! |= 1 << (frame & 31);
    });
  }

  /** Calls `f` with each run of frames from `first` on, of `count`, that were used before they were handed out this time. */
  forUsed(first: number, count: number, f: (first: number, count: number) => void): void {
    const end = first + count;
    const used = (frame: number): boolean => frame < end && ((this.#used[frame >>> 5]! >>> (frame & 31)) & 1) === 1;
    for (let frame = first; frame < end; frame++) {
      if (this.#used[frame >>> 5] === 0) frame |= 31;
      const start = frame;
      while (used(frame)) frame++;
      if (frame > start) f(start, frame - start);
    }
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
    this.#count(free ? count : -count);
  }
}
