/**
 * The decode cache: for each physical page that code was fetched from, a page of records out of a bounded pool.
 *
 * Pages are known by their place in linear memory. A page with records is write-protected (its entries leave the write
 * TLB), so every store to it passes through {@link CodePages.written}, which empties the records it touches. Pages that are
 * written often give their records up and become ordinary data, until they are executed again. What other processors write is
 * the matter of {@link CodeCopies}.
 */
import type { Isa } from '../isa.ts';
import { CodeCopies } from './copies.ts';
import type { SharedCode } from './copies.ts';
import { FetchCache, guardRecords } from './fetch_cache.ts';
import type { FetchObserver } from './fetch_cache.ts';
import { MOST_STORES, PAGE_SIZE, recordPageStride, recordsPerPage } from './layout.ts';
import type { Layout } from './layout.ts';

/** What a store that comes here counts for: with more than {@link MOST_STORES}, the page gives its records up. */
const STORE = 4;

/** Record pages looked at for one that is not translated, before one that is has to go. */
const VICTIM_TRIES = 64;

const PAGE_SHIFT = 12;

/** Bytes of code by which it is known what of a page was decoded: a bit each, of {@link LINE_WORDS} words. */
const LINE = 64;
const LINE_WORDS = PAGE_SIZE / LINE / 32;

/** Told what becomes of the pages that have records; numbers of pages count from the beginning of linear memory. */
export interface CodeObserver extends FetchObserver {
  /** Records of the bytes from offset `from` to before `to` of a page were emptied. */
  written(page: number, from: number, to: number): void;
  /** A page got records, none of them decoded. */
  acquired(page: number): void;
  /** All records of a page were given up, perhaps because it is written too often. */
  released(page: number, written: boolean): void;
  /** Whether code was made from a page's records. */
  uses(page: number): boolean;
}

export class CodePages {
  readonly #isa: Isa;
  readonly #layout: Layout;
  /** Pages that may have records. */
  readonly #pages: number;
  readonly #records: number;
  readonly #stride: number;
  readonly #protect: (page: number) => void;
  /** Page number by number of the record page, -1 if free. */
  readonly #owner: Int32Array;
  /** How the bytes of pages are understood, and by number of the record page how they were. */
  #mode = 0;
  readonly #modes: Uint8Array;
  readonly #free: number[] = [];
  /** Which virtual pages the records are for. */
  readonly fetches: FetchCache;
  #observer: CodeObserver | undefined;
  /** Undefined: nobody else writes to memory. */
  readonly #copies: CodeCopies | undefined;
  /** By number of the record page: the lines of which records may be decoded. */
  readonly #lines: Int32Array;
  /** By number of the record page: it was wanted again since it was last passed over. */
  readonly #used: Uint8Array;
  /** The next record page to be taken back when none is free. */
  #hand = 0;
  #words: Int32Array;

  /**
   * @param protect - takes a page out of the write TLB.
   * @param isLive - whether fetch translations with a tag may still be used.
   * @param shared - `undefined`: nobody else writes to memory.
   */
  constructor(words: Int32Array, isa: Isa, layout: Layout, protect: (page: number) => void, isLive: (tag: number) => boolean, shared: SharedCode | undefined) {
    this.#words = words;
    this.#isa = isa;
    this.#layout = layout;
    this.#protect = protect;
    this.#pages = 2 ** (layout.windowBits - PAGE_SHIFT);
    this.#records = recordsPerPage(isa);
    this.#stride = recordPageStride(isa);
    this.#owner = new Int32Array(layout.poolPages).fill(-1);
    this.#copies = shared === undefined ? undefined : new CodeCopies(words, shared, this.#owner);
    this.#lines = new Int32Array(layout.poolPages * LINE_WORDS);
    this.#modes = new Uint8Array(layout.poolPages);
    this.#used = new Uint8Array(layout.poolPages);
    for (let i = layout.poolPages - 1; i >= 0; i--) this.#free.push(i);
    this.fetches = new FetchCache(words, isa, layout, isLive);
  }

  /**
   * Code is decoded otherwise from now on, as `mode` (0 … 255, initially 0) tells the decoder's owner: for instruction sets of which the same
   * bytes mean one or the other. The records of a page are for one mode at a time. What is being executed must be looked up again.
   */
  setMode(mode: number): void {
    if (mode === this.#mode) return;
    this.#mode = mode;
    this.fetches.flush();
  }

  /** Whether the records of a page, by its number, are for the mode in force. */
  isCurrentMode(number: number): boolean {
    return this.#modes[this.#indexOf(this.recordsOf(number))] === this.#mode;
  }

  set words(words: Int32Array) {
    this.#words = words;
    this.fetches.words = words;
    if (this.#copies !== undefined) this.#copies.words = words;
  }

  /** Whoever keeps code of its own made from the records. */
  set observer(observer: CodeObserver) {
    this.#observer = observer;
    this.fetches.observer = observer;
  }

  /** Whether others write the same memory. */
  get shared(): boolean {
    return this.#copies !== undefined;
  }

  /** Whether the page holding the byte at `place` has records. */
  has(place: number): boolean {
    return this.recordsOf(place >>> PAGE_SHIFT) !== 0;
  }

  /** Records of a page by its number, 0 if it has none. */
  recordsOf(number: number): number {
    // A processor that executes nothing is made for less memory than there is.
    return number < this.#pages ? (this.#words[(this.#layout.codePages >>> 2) + number] as number) >>> 0 : 0;
  }

  /** Notes the records of a page, 0 if it has none any more, where generated code looks. */
  #setRecords(number: number, records: number): void {
    this.#words[(this.#layout.codePages >>> 2) + number] = records;
    this.#count(number, 0);
  }

  /** What the stores to a page with records count for. */
  #countOf(number: number): number {
    const at = this.#layout.codeStores + number;
    return ((this.#words[at >>> 2] as number) >>> ((at & 3) * 8)) & 0xff;
  }

  #count(number: number, value: number): void {
    const at = this.#layout.codeStores + number;
    const shift = (at & 3) * 8;
    this.#words[at >>> 2] = ((this.#words[at >>> 2] as number) & ~(0xff << shift)) | (value << shift);
  }

  /** Records of the page at `page` in linear memory, allocated if need be. */
  acquire(page: number): number {
    const number = page >>> PAGE_SHIFT;
    const known = this.recordsOf(number);
    if (known !== 0 && this.#isCurrent(known)) {
      this.#used[this.#indexOf(known)] = 1;
      return known;
    }
    let index = this.#free.pop();
    if (index === undefined) {
      index = this.#victim();
      this.#release(index, false);
      this.#free.pop();
    }
    const base = this.#layout.pool + index * this.#stride;
    // Not before: most of the pool is never touched.
    guardRecords(this.#words, this.#isa, base, this.#records);
    this.#owner[index] = number;
    this.#modes[index] = this.#mode;
    this.#used[index] = 0;
    this.#setRecords(number, base);
    this.#protect(page);
    this.#copies?.make(index);
    this.#observer?.acquired(number);
    return base;
  }

  #indexOf(records: number): number {
    return Math.floor((records - this.#layout.pool) / this.#stride);
  }

  /** Whether the records were decoded in the mode in force from what the page holds since the last fence; if not, they are given up. */
  #isCurrent(records: number): boolean {
    const index = this.#indexOf(records);
    const isMode = this.#modes[index] === this.#mode;
    if (isMode && this.#copies?.isCurrent(index) !== false) return true;
    this.#release(index, isMode);
    return false;
  }

  /**
   * This processor is about to write to the page holding the byte at `place`, or to be able to: to be called before every entry into
   * the write TLB, and every store that is made without one.
   */
  opened(place: number): void {
    this.#copies?.opened(place >>> PAGE_SHIFT);
  }

  /** Whether others have asked since the last time that this processor give up writing: all of its write TLB has to go, then {@link closed}. */
  get isAskedToClose(): boolean {
    return this.#copies?.isAskedToClose === true;
  }

  /** The write TLB is empty. */
  closed(): void {
    this.#copies?.closed();
  }

  /** Where the instructions of the page whose records `ip` points into are read: its copy, or the page itself. */
  textOf(ip: number): number {
    if (this.#copies === undefined) return this.pageOf(ip);
    const index = this.#indexOf(ip);
    this.#copies.refresh(index, this.#changed);
    return this.#copies.place(index);
  }

  /** Instructions that are looked up from now on are those that memory holds now. */
  fence(): void {
    const stale = this.#copies?.fence();
    if (stale === undefined) return;
    if (stale === 'all') this.fetches.flush();
    else for (const index of stale) this.#release(index, true);
  }

  /** Records are being decoded of the page whose records begin at `base`: those of code from offset `from` to before `to`. */
  decoded(base: number, from: number, to: number): void {
    const first = this.#indexOf(base) * LINE_WORDS;
    for (let line = Math.floor(from / LINE); line * LINE < to; line++) (this.#lines[first + (line >> 5)] as number) |= 1 << line;
  }

  /** The page whose records `ip` points into, or -1 if they belong to none. */
  pageOf(ip: number): number {
    const number = this.#owner[this.#indexOf(ip)] ?? -1;
    return number < 0 ? -1 : number * PAGE_SIZE;
  }

  /** First record of the record page that `ip` points into. */
  baseOf(ip: number): number {
    return ip - ((ip - this.#layout.pool) % this.#stride);
  }

  /** The record page to be taken back: the next one in turn, but rather one that is not translated, and was not wanted again since its last turn. */
  #victim(): number {
    const { poolPages } = this.#layout;
    let index = this.#hand;
    // After a whole round the same page would be taken back every time, and two that are needed at once never be there together.
    const limit = Math.min(VICTIM_TRIES, Math.max(1, poolPages - 1));
    for (let tries = 0; tries < limit; tries++) {
      index = this.#hand;
      this.#hand = (this.#hand + 1) % poolPages;
      if (this.#observer?.uses(this.#owner[index] as number) === true) continue;
      if (this.#used[index] === 0) break;
      this.#used[index] = 0;
    }
    return index;
  }

  /**
   * Makes records undecoded, and nothing more: the instruction that is being executed may be one of them, and has yet to read
   * which registers it is about. The handler number is the first two bytes.
   */
  #forget(base: number, from: number, to: number): void {
    const words = this.#words;
    const step = this.#isa.records.place / 4;
    const end = (base >>> 2) + to * step;
    for (let word = (base >>> 2) + from * step; word < end; word += step) (words[word] as number) &= ~0xffff;
  }

  /** Gives the records of record page `index` up. */
  #release(index: number, written: boolean): void {
    const number = this.#owner[index] as number;
    if (number < 0) return;
    const base = this.#layout.pool + index * this.#stride;
    const recordsPerLine = LINE / this.#isa.unit;
    for (let line = 0; line < PAGE_SIZE / LINE; line++) {
      if ((((this.#lines[index * LINE_WORDS + (line >> 5)] as number) >>> line) & 1) !== 0) this.#forget(base, line * recordsPerLine, (line + 1) * recordsPerLine);
    }
    this.#lines.fill(0, index * LINE_WORDS, (index + 1) * LINE_WORDS);
    this.#owner[index] = -1;
    this.#setRecords(number, 0);
    this.#free.push(index);
    this.#observer?.released(number, written);
    this.fetches.unlink(base);
  }

  /**
   * Bytes from `place` on are being written, all in one page of linear memory: forgets the instructions they belong to.
   * No effect on a page without records.
   */
  written(place: number, length: number): void {
    const number = place >>> PAGE_SHIFT;
    const base = this.recordsOf(number);
    if (base === 0) return;
    this.#changed(number, place % PAGE_SIZE, length);
    const index = this.#indexOf(base);
    this.#copies?.written(index, this.#isa.coherentFetch === true);
    const stores = this.#countOf(number) + STORE;
    if (stores > MOST_STORES) this.#release(index, true);
    else this.#count(number, stores);
  }

  /** The instructions that bytes of a page with records belong to are others from now on. */
  readonly #changed = (number: number, offset: number, length: number): void => {
    const { unit, maxLength } = this.#isa;
    const from = Math.floor((offset - maxLength + unit) / unit);
    const to = Math.floor((offset + length - 1) / unit);
    const first = Math.max(0, from);
    this.#forget(this.recordsOf(number), first, to + 1);
    this.#observer?.written(number, first * unit, (to + 1) * unit);
    if (from < 0 || to > this.#records - maxLength / unit) this.fetches.flushStraddle();
  };

  /** Forgets all records. */
  clear(): void {
    for (let index = 0; index < this.#owner.length; index++) this.#release(index, false);
  }
}
