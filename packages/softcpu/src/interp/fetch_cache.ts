/**
 * The cache of fetch translations: which map of records a virtual page has, and the records of instructions that lie in two pages. Generated code
 * looks entries up (`lookup.ts`); here they are filled and forgotten.
 */
import { ENGINE, FETCH_ENTRIES, FETCH_ENTRY_SIZE, FETCH_FOLD, FETCH_MODES, FETCH_PLACES, NO_TAG, PAGE_SIZE, STRADDLE_ENTRIES, STRADDLE_RECORD, TAG_SPACE_SHIFT, TARGETS, TARGET_SIZE } from './layout.ts';
import type { Layout } from './layout.ts';
import type { RecordStore } from './records.ts';
import { advance } from '../slow/advance.ts';

/** Classes of virtual pages whose entries gave way to others. */
const EVICTED = 4096;

const PAGE_SHIFT = 12;

/** Told when virtual addresses mean other code. */
export interface FetchObserver {
  /** Virtual addresses may mean other code than they did. */
  remapped(): void;
  /** The same, of one page in some fetch modes, a bit each. */
  remappedPage(vaLo: number, vaHi: number, modes: number): void;
}

export class FetchCache {
  observer: FetchObserver | undefined;
  readonly #layout: Layout;
  readonly #store: RecordStore;
  /** The entry of the page that may not be cached, and the offset that has a record. */
  #uncached = -1;
  #uncachedOffset = 0;
  /** By class of virtual pages: fetch modes, a bit each, in which they were looked up and may be known elsewhere, though not here. */
  readonly #evicted: Uint16Array = new Uint16Array(EVICTED);
  readonly #isLive: (tag: number) => boolean;
  #words: Int32Array;

  /** @param isLive - whether translations with a tag may still be used. */
  constructor(words: Int32Array, layout: Layout, store: RecordStore, isLive: (tag: number) => boolean) {
    this.#words = words;
    this.#layout = layout;
    this.#store = store;
    this.#isLive = isLive;
    this.flush();
  }

  set words(words: Int32Array) {
    this.#words = words;
  }

  /** Voids what tier 0 knows of targets. */
  #voidTargets(): void {
    const words = this.#words;
    const { engine, targets } = this.#layout;
    const word = (engine + ENGINE.targetsVoided) >>> 2;
    const next = ((words[word] as number) + PAGE_SIZE) | 0;
    if (next === 0) words.fill(0, targets >>> 2, (targets + TARGETS * TARGET_SIZE) >>> 2);
    // Not 0, which entries have that never were used.
    words[word] = next === 0 ? PAGE_SIZE : next;
  }

  /** No virtual page has this map any more. */
  unlink(map: number): void {
    this.#voidTargets();
    const words = this.#words;
    const first = this.#layout.fetchCache >>> 2;
    const end = first + FETCH_ENTRIES * (FETCH_ENTRY_SIZE / 4);
    for (let word = first; word < end; word += FETCH_ENTRY_SIZE / 4) {
      if (words[word + 2] === (map | 0)) words[word] = words[word + 1] = NO_TAG;
    }
  }

  /** Forgets which virtual pages the records are for. */
  flush(): void {
    const { fetchCache } = this.#layout;
    this.#words.fill(NO_TAG, fetchCache >>> 2, (fetchCache + FETCH_ENTRIES * FETCH_ENTRY_SIZE) >>> 2);
    this.#evicted.fill(0);
    this.#voidTargets();
    this.flushStraddle();
    this.observer?.remapped();
  }

  /** Forgets which records virtual pages have in address spaces whose tags are not live, and all jumps. */
  flushDead(): void {
    const words = this.#words;
    const { fetchCache, straddleCache } = this.#layout;
    const sweep = (first: number, entries: number): void => {
      for (let at = first >>> 2; at < (first + entries * FETCH_ENTRY_SIZE) >>> 2; at += FETCH_ENTRY_SIZE / 4) {
        const low = words[at] as number;
        if (low !== NO_TAG && !this.#isLive(low & (PAGE_SIZE - 1))) words[at] = words[at + 1] = NO_TAG;
      }
    };
    sweep(fetchCache, FETCH_ENTRIES);
    sweep(straddleCache, STRADDLE_ENTRIES);
    this.#voidTargets();
    this.observer?.remapped();
  }

  /** Forgets which records one virtual page has, in all address spaces. */
  flushPage(vaLo: number, vaHi: number): void {
    const words = this.#words;
    const number = vaLo >>> PAGE_SHIFT;
    let modes = this.#evicted[number & (EVICTED - 1)] as number;
    for (let place = 0; place < FETCH_PLACES; place++) {
      const word = this.#fetchEntry(vaLo, place << TAG_SPACE_SHIFT);
      const tag = words[word] as number;
      if (words[word + 1] !== vaHi || tag >>> PAGE_SHIFT !== number) continue;
      words[word] = words[word + 1] = NO_TAG;
      modes |= 1 << (tag & (FETCH_MODES - 1));
    }
    // An instruction may begin in the page before.
    for (const page of [number, number - 1]) {
      words[this.#straddleEntry(page)] = NO_TAG;
    }
    if (modes === 0) return;
    this.#voidTargets();
    this.observer?.remappedPage(vaLo, vaHi, modes);
  }

  /** Map of the page at a distance from a virtual page that has the given one in a fetch mode; 0 where none is known. */
  beside(map: number, mode: number, distance: number): number {
    const words = this.#words;
    const first = this.#layout.fetchCache >>> 2;
    const end = first + FETCH_ENTRIES * (FETCH_ENTRY_SIZE / 4);
    for (let word = first; word < end; word += FETCH_ENTRY_SIZE / 4) {
      const low = words[word] as number;
      if (words[word + 2] !== (map | 0) || low === NO_TAG || (low & (FETCH_MODES - 1)) !== mode) continue;
      const [lo, hi] = advance(low, words[word + 1] as number, distance);
      const entry = this.#fetchEntry(lo, low);
      if (words[entry] === lo && words[entry + 1] === hi) return (words[entry + 2] as number) >>> 0;
    }
    return 0;
  }

  /** Word index of the entry of an address in the fetch cache. */
  #fetchEntry(vaLo: number, tag: number): number {
    const place = (tag >>> TAG_SPACE_SHIFT) & (FETCH_PLACES - 1);
    const entry = (vaLo >>> PAGE_SHIFT) ^ (vaLo >>> FETCH_FOLD) ^ (place * (FETCH_ENTRIES / FETCH_PLACES));
    return (this.#layout.fetchCache + (entry & (FETCH_ENTRIES - 1)) * FETCH_ENTRY_SIZE) >>> 2;
  }

  /** Word index of the entry of a page in the straddle cache. */
  #straddleEntry(page: number): number {
    return (this.#layout.straddleCache + (page & (STRADDLE_ENTRIES - 1)) * FETCH_ENTRY_SIZE) >>> 2;
  }

  /** The same of instructions that lie in two pages. */
  flushStraddle(): void {
    const { straddleCache } = this.#layout;
    for (let i = 0; i < STRADDLE_ENTRIES; i++) this.#words[(straddleCache + i * FETCH_ENTRY_SIZE) >>> 2] = NO_TAG;
  }

  /** Enters the map of a virtual page into the fetch cache, for the fetch tag of an address space and mode. */
  fill(vaLo: number, vaHi: number, tag: number, map: number): void {
    const word = this.#fetchEntry(vaLo, tag);
    const old = this.#words[word] as number;
    const low = (vaLo & -PAGE_SIZE) | tag;
    if (old !== NO_TAG && (old !== low || this.#words[word + 1] !== vaHi) && this.#isLive(old & (PAGE_SIZE - 1))) {
      (this.#evicted[(old >>> PAGE_SHIFT) & (EVICTED - 1)] as number) |= 1 << (old & (FETCH_MODES - 1));
    }
    if (word === this.#uncached) this.#uncached = -1;
    this.#words[word] = low;
    this.#words[word + 1] = vaHi;
    this.#words[word + 2] = map;
  }

  /** Map of the page of an address, for a fetch tag; 0 if none is known, or it may not be cached. */
  find(vaLo: number, vaHi: number, tag: number): number {
    const words = this.#words;
    const word = this.#fetchEntry(vaLo, tag);
    if (words[word] !== ((vaLo & -PAGE_SIZE) | tag) || words[word + 1] !== vaHi || word === this.#uncached) return 0;
    return (words[word + 2] as number) >>> 0;
  }

  /** The page that may not be cached is none. */
  forgetUncached(): void {
    const words = this.#words;
    if (this.#uncached >= 0) words[this.#uncached] = words[this.#uncached + 1] = NO_TAG;
    this.#uncached = -1;
  }

  /** Enters a map for one instruction of a page that may not be cached: everything else is looked up, so that the decoder is asked at each step. */
  fillUncached(vaLo: number, vaHi: number, tag: number): void {
    const offset = vaLo & (PAGE_SIZE - 1);
    this.#store.mapUncached(this.#uncachedOffset, offset);
    this.#uncachedOffset = offset;
    this.fill(vaLo, vaHi, tag, this.#layout.uncachedMap);
    this.#uncached = this.#fetchEntry(vaLo, tag);
  }

  /**
   * Enters the straddling instruction at a virtual address.
   * @returns the first of two records to be written, those of the entry.
   */
  fillStraddle(vaLo: number, vaHi: number, tag: number): number {
    const page = vaLo >>> PAGE_SHIFT;
    const word = this.#straddleEntry(page);
    this.#words[word] = (vaLo & -PAGE_SIZE) | tag;
    this.#words[word + 1] = vaHi;
    this.#words[word + 2] = vaLo & (PAGE_SIZE - 1);
    return STRADDLE_RECORD + 2 * (page & (STRADDLE_ENTRIES - 1));
  }
}
