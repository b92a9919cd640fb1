/**
 * The cache of fetch translations: which records a virtual page has, and the records of instructions that lie in two pages. Generated code
 * looks entries up (`lookup.ts`); here they are filled and forgotten.
 */
import type { Isa } from '../isa.ts';
import { EVICTED, FETCH_ENTRIES, FETCH_ENTRY_SIZE, FETCH_FOLD, FETCH_MODES, FETCH_PLACES, Handler, NO_TAG, PAGE_SIZE, STRADDLE_PLACES, STRADDLE_RECORD, TAG_SPACE_SHIFT, recordPageStride, recordShift, recordsPerPage } from './layout.ts';
import type { Layout } from './layout.ts';
import { advance } from '../slow/advance.ts';

/** Entries by which a record page is known that are remembered. */
const KNOWN = 4;
/** In the place of the first of them: there were more. */
const MANY = -1;

const PAGE_SHIFT = 12;

/** Told when virtual addresses mean other code. */
export interface FetchObserver {
  /** Virtual addresses may mean other code than they did. */
  remapped(): void;
  /** The same, of one page in some fetch modes, a bit each. */
  remappedPage(vaLo: number, vaHi: number, modes: number): void;
}

/** Fills a record page with LOOKUP from record `first` on. */
export function guardRecords(words: Int32Array, isa: Isa, base: number, first: number): void {
  const { place } = isa.records;
  for (let at = first * place; at < recordPageStride(isa); at += place) words[(base + at) >>> 2] = Handler.lookup;
}

export class FetchCache {
  observer: FetchObserver | undefined;
  readonly #isa: Isa;
  readonly #layout: Layout;
  readonly #stride: number;
  readonly #isLive: (tag: number) => boolean;
  /** The last record that {@link alone} gave. */
  #alone: number;
  /** By number of the record page: word indices of the entries that lead to it, {@link KNOWN} each, or were given to others since; 0 if none, or {@link MANY}. */
  readonly #known: Int32Array;
  /** By entry of the straddle cache: the records of the two pages it was decoded from. */
  readonly #halves: Int32Array;
  #words: Int32Array;

  /** @param isLive - whether translations with a tag may still be used. */
  constructor(words: Int32Array, isa: Isa, layout: Layout, isLive: (tag: number) => boolean) {
    this.#words = words;
    this.#isa = isa;
    this.#layout = layout;
    this.#isLive = isLive;
    this.#stride = recordPageStride(isa);
    this.#known = new Int32Array(layout.poolPages * KNOWN);
    this.#halves = new Int32Array(2 * layout.straddleEntries);
    for (let i = 0; i < layout.straddleEntries; i++) words[(layout.straddleCache + i * FETCH_ENTRY_SIZE + STRADDLE_RECORD) >>> 2] = -1;
    guardRecords(words, isa, layout.uncachedPage, recordsPerPage(isa));
    this.#alone = layout.uncachedPage;
    this.flush();
  }

  set words(words: Int32Array) {
    this.#words = words;
  }

  /** No virtual page has these records any more, and nobody notices what is written to their page. */
  unlink(base: number): void {
    const words = this.#words;
    for (let i = 0; i < this.#halves.length; i++) if (this.#halves[i] === (base | 0)) words[this.#straddleWord(i >> 1)] = NO_TAG;
    this.#eachEntry(base, (word) => {
      words[word] = words[word + 1] = NO_TAG;
      return false;
    });
    const known = this.#knownOf(base);
    this.#known.fill(0, known, known + KNOWN);
  }

  /** Where {@link #known} has the entries of records. */
  #knownOf(base: number): number {
    return ((base - this.#layout.pool) / this.#stride) * KNOWN;
  }

  /** Calls a function with the word index of each entry that leads to records, until it answers true. */
  #eachEntry(base: number, visit: (word: number) => boolean): void {
    const words = this.#words;
    const known = this.#knownOf(base);
    const areMany = this.#known[known] === MANY;
    const first = this.#layout.fetchCache >>> 2;
    const count = areMany ? FETCH_ENTRIES : KNOWN;
    for (let i = 0; i < count; i++) {
      const word = areMany ? first + i * (FETCH_ENTRY_SIZE / 4) : (this.#known[known + i] as number);
      if (word !== 0 && words[word + 2] === (base | 0) && visit(word)) return;
    }
  }

  /** Remembers that an entry leads to records. */
  #remember(base: number, word: number): void {
    const known = this.#knownOf(base);
    if (this.#known[known] === MANY) return;
    for (let i = known; i < known + KNOWN; i++) {
      const other = this.#known[i] as number;
      if (other !== 0 && other !== word && this.#words[other + 2] === (base | 0)) continue;
      this.#known[i] = word;
      return;
    }
    this.#known[known] = MANY;
  }

  /** Forgets which virtual pages the records are for. */
  flush(): void {
    const { fetchCache, fetchEvicted } = this.#layout;
    this.#words.fill(NO_TAG, fetchCache >>> 2, (fetchCache + FETCH_ENTRIES * FETCH_ENTRY_SIZE) >>> 2);
    this.#words.fill(0, fetchEvicted >>> 2, (fetchEvicted >>> 2) + EVICTED / 2);
    this.flushStraddle();
    this.observer?.remapped();
  }

  /** Forgets which records virtual pages have in address spaces whose tags are not live, and all jumps. */
  flushDead(): void {
    const words = this.#words;
    const { fetchCache, straddleCache, straddleEntries } = this.#layout;
    const sweep = (first: number, entries: number): void => {
      for (let at = first >>> 2; at < (first + entries * FETCH_ENTRY_SIZE) >>> 2; at += FETCH_ENTRY_SIZE / 4) {
        const low = words[at] as number;
        if (low !== NO_TAG && !this.#isLive(low & (PAGE_SIZE - 1))) words[at] = words[at + 1] = NO_TAG;
      }
    };
    sweep(fetchCache, FETCH_ENTRIES);
    sweep(straddleCache, straddleEntries);
    this.observer?.remapped();
  }

  /** Forgets which records one virtual page has, in all address spaces. */
  flushPage(vaLo: number, vaHi: number): void {
    const words = this.#words;
    const number = vaLo >>> PAGE_SHIFT;
    let modes = this.#evicted(number);
    for (let place = 0; place < FETCH_PLACES; place++) {
      const word = this.#fetchEntry(vaLo, place << TAG_SPACE_SHIFT);
      const tag = words[word] as number;
      if (words[word + 1] !== vaHi || tag >>> PAGE_SHIFT !== number) continue;
      words[word] = words[word + 1] = NO_TAG;
      modes |= 1 << (tag & (FETCH_MODES - 1));
    }
    // An instruction may begin in the page before.
    for (const page of [number, number - 1]) {
      for (let place = 0; place < STRADDLE_PLACES; place++) words[this.#straddleWord(this.#straddleEntry(page, place << TAG_SPACE_SHIFT))] = NO_TAG;
    }
    if (modes !== 0) this.observer?.remappedPage(vaLo, vaHi, modes);
  }

  /** Fetch modes, a bit each, in which a page was looked up that may be known elsewhere, though not here. */
  #evicted(number: number): number {
    const halfword = number & (EVICTED - 1);
    return ((this.#words[(this.#layout.fetchEvicted >>> 2) + (halfword >>> 1)] as number) >>> ((halfword & 1) * FETCH_MODES)) & 0xffff;
  }

  /** Records of the page at a distance from a virtual page that has the given records in a fetch mode; 0 where none is known. */
  beside(records: number, mode: number, distance: number): number {
    const words = this.#words;
    let found = 0;
    this.#eachEntry(records, (word) => {
      const low = words[word] as number;
      if (low === NO_TAG || (low & (FETCH_MODES - 1)) !== mode) return false;
      const [lo, hi] = advance(low, words[word + 1] as number, distance);
      const entry = this.#fetchEntry(lo, low);
      if (words[entry] !== lo || words[entry + 1] !== hi) return false;
      found = (words[entry + 2] as number) >>> 0;
      return true;
    });
    return found;
  }

  /** Word index of the entry of an address in the fetch cache. */
  #fetchEntry(vaLo: number, tag: number): number {
    const place = (tag >>> TAG_SPACE_SHIFT) & (FETCH_PLACES - 1);
    const entry = (vaLo >>> PAGE_SHIFT) ^ (vaLo >>> FETCH_FOLD) ^ (place * (FETCH_ENTRIES / FETCH_PLACES));
    return (this.#layout.fetchCache + (entry & (FETCH_ENTRIES - 1)) * FETCH_ENTRY_SIZE) >>> 2;
  }

  /** Number of the entry of a page in the straddle cache, for a fetch tag. */
  #straddleEntry(page: number, tag: number): number {
    const { straddleEntries } = this.#layout;
    const place = (tag >>> TAG_SPACE_SHIFT) & (STRADDLE_PLACES - 1);
    return (page ^ (place * (straddleEntries / STRADDLE_PLACES))) & (straddleEntries - 1);
  }

  /** Word index of an entry of the straddle cache. */
  #straddleWord(entry: number): number {
    return (this.#layout.straddleCache + entry * FETCH_ENTRY_SIZE) >>> 2;
  }

  /** The same of instructions that lie in two pages. */
  flushStraddle(): void {
    for (let i = 0; i < this.#layout.straddleEntries; i++) this.#words[this.#straddleWord(i)] = NO_TAG;
  }

  /** Enters the records of a virtual page into the fetch cache, for the fetch tag of an address space and mode. */
  fill(vaLo: number, vaHi: number, tag: number, records: number): void {
    const word = this.#fetchEntry(vaLo, tag);
    const old = this.#words[word] as number;
    const low = (vaLo & -PAGE_SIZE) | tag;
    if (old !== NO_TAG && (old !== low || this.#words[word + 1] !== vaHi) && this.#isLive(old & (PAGE_SIZE - 1))) {
      const halfword = (old >>> PAGE_SHIFT) & (EVICTED - 1);
      (this.#words[(this.#layout.fetchEvicted >>> 2) + (halfword >>> 1)] as number) |= 1 << ((old & (FETCH_MODES - 1)) + (halfword & 1) * FETCH_MODES);
    }
    this.#words[word] = low;
    this.#words[word + 1] = vaHi;
    this.#words[word + 2] = records;
    this.#remember(records, word);
  }

  /**
   * The record for one instruction of a page that may not be cached, at an offset: the other records of its record page are
   * undecoded and belong to no page, and no virtual page has them, so that the instruction is asked for each time.
   */
  alone(offset: number): number {
    this.#words[this.#alone >>> 2] = Handler.undecoded;
    this.#alone = this.#layout.uncachedPage + (offset << recordShift(this.#isa));
    return this.#alone;
  }

  /**
   * Enters the straddling instruction at a virtual address, of pages that have the given records.
   * @returns the record to be written, in the instruction's slot of the entry's own record page.
   */
  fillStraddle(vaLo: number, vaHi: number, tag: number, first: number, second: number): number {
    const entry = this.#straddleEntry(vaLo >>> PAGE_SHIFT, tag);
    const word = this.#straddleWord(entry);
    const base = this.#layout.straddlePages + entry * this.#stride;
    const record = (vaLo & (PAGE_SIZE - 1)) << recordShift(this.#isa);
    const last = word + STRADDLE_RECORD / 4;
    const before = this.#words[last] as number;
    // Most of these pages are never touched.
    if (before < 0) guardRecords(this.#words, this.#isa, base, 0);
    else this.#words[(base + before) >>> 2] = Handler.lookup;
    this.#words[word] = (vaLo & -PAGE_SIZE) | tag;
    this.#words[word + 1] = vaHi;
    this.#words[word + 2] = base;
    this.#words[last] = record;
    this.#halves[2 * entry] = first;
    this.#halves[2 * entry + 1] = second;
    return base + record;
  }
}
