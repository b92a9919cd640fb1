/**
 * The decode cache: for each physical page that code was fetched from, a page of records out of a bounded pool.
 *
 * Pages are known by their place in linear memory. A page with records is write-protected (its entries leave the write
 * TLB), so every store to it passes through {@link CodePages.written}, which empties the records it touches. Pages that are
 * written often give their records up and become ordinary data, until they are executed again.
 *
 * Stores of other processors are not noticed. If there are any, instructions are decoded from a copy of each page, made when
 * its records were allocated, as an instruction cache would hold it; {@link CodePages.fence} compares copies with memory, of
 * pages that anybody was in a position to write to, or has them compared before their records are used again if there are many.
 */
import { RECORD_SIZE } from '../isa.ts';
import type { Isa } from '../isa.ts';
import { FetchCache, guardRecords } from './fetch_cache.ts';
import type { FetchObserver } from './fetch_cache.ts';
import { PAGE_SIZE, recordPageStride, recordsPerPage } from './layout.ts';
import type { Layout } from './layout.ts';
import type { PageWrites } from './page_writes.ts';

/** Stores to a page after which it gives its records up. */
const WRITE_LIMIT = 64;

/** Copies that a fence compares itself. */
const FEW = 48;

/** Comparisons after which those for whom they are made are asked to give up writing. */
const PATIENCE = 512;

/** Record pages looked at for one that is not translated, before one that is has to go. */
const VICTIM_TRIES = 64;

const PAGE_SHIFT = 12;

/** Bytes of the copies of all pages that can have records. */
export const copiesSize = (layout: Pick<Layout, 'poolPages'>): number => layout.poolPages * PAGE_SIZE;

/** What processors that write the same memory share. */
export interface SharedCode {
  /** Place of {@link copiesSize} bytes of this processor's for copies of pages. */
  readonly copies: number;
  readonly writes: PageWrites;
  /** Number of this processor. */
  readonly self: number;
}

/** Told what becomes of the pages that have records; numbers of pages count from the beginning of linear memory. */
export interface CodeObserver extends FetchObserver {
  /** Records of the bytes from offset `from` to before `to` of a page were emptied. */
  written(page: number, from: number, to: number): void;
  /** All records of a page were given up, perhaps because it is written too often. */
  released(page: number, written: boolean): void;
  /** Whether code was made from a page's records. */
  uses(page: number): boolean;
}

export class CodePages {
  readonly #isa: Isa;
  readonly #layout: Layout;
  readonly #records: number;
  readonly #stride: number;
  readonly #protect: (page: number) => void;
  /** Place of the records by number of the page, 0 if it has none. */
  readonly #recordsOf: Int32Array;
  /** Page number by number of the record page, -1 if free. */
  readonly #owner: Int32Array;
  readonly #writes: Uint8Array;
  /** How the bytes of pages are understood, and by number of the record page how they were. */
  #mode = 0;
  readonly #modes: Uint8Array;
  readonly #free: number[] = [];
  /** Which virtual pages the records are for. */
  readonly fetches: FetchCache;
  #observer: CodeObserver | undefined;
  /** First copy of the pages with records, 0 without copies. */
  readonly #copies: number;
  readonly #shared: SharedCode | undefined;
  /** Fences so far, and by number of the record page how many its copy has seen. */
  #fences = 0;
  readonly #seen: Float64Array;
  /** By number of the record page: this processor has written to the page, and fetches its own stores. */
  readonly #dirty: Uint8Array;
  /** By number of the record page: others may have been writing to the page while its copy was made or compared. */
  readonly #uncertain: Uint8Array;
  /** By number of the record page: {@link PageWrites.events} of its copy. */
  readonly #events: Int32Array;
  /** {@link PageWrites.notesOfOthers} when no page could differ. */
  #notes: number | undefined;
  /** {@link PageWrites.requests} that were granted. */
  #requests = 0;
  /** Comparisons since others were last asked to give up writing. */
  #comparisons = 0;
  /** The next record page to be taken back when none is free. */
  #hand = 0;
  #words: Int32Array;

  /**
   * @param protect - takes a page out of the write TLB.
   * @param isLive - whether fetch translations with a tag may still be used.
   * @param shared - `undefined`: nobody else writes to memory.
   */
  constructor(words: Int32Array, isa: Isa, layout: Layout, memoryBytes: number, protect: (page: number) => void, isLive: (tag: number) => boolean, shared: SharedCode | undefined) {
    this.#words = words;
    this.#isa = isa;
    this.#layout = layout;
    this.#protect = protect;
    this.#shared = shared;
    this.#copies = shared?.copies ?? 0;
    this.#seen = new Float64Array(layout.poolPages);
    this.#events = new Int32Array(layout.poolPages);
    this.#dirty = new Uint8Array(layout.poolPages);
    this.#uncertain = new Uint8Array(layout.poolPages);
    this.#records = recordsPerPage(isa);
    this.#stride = recordPageStride(isa);
    this.#recordsOf = new Int32Array(Math.ceil(memoryBytes / PAGE_SIZE));
    this.#owner = new Int32Array(layout.poolPages).fill(-1);
    this.#writes = new Uint8Array(layout.poolPages);
    this.#modes = new Uint8Array(layout.poolPages);
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
    return this.#modes[this.#indexOf((this.#recordsOf[number] as number) >>> 0)] === this.#mode;
  }

  set words(words: Int32Array) {
    this.#words = words;
    this.fetches.words = words;
  }

  /** Whoever keeps code of its own made from the records. */
  set observer(observer: CodeObserver) {
    this.#observer = observer;
    this.fetches.observer = observer;
  }

  /** Whether others write the same memory. */
  get shared(): boolean {
    return this.#shared !== undefined;
  }

  /** Whether the page holding the byte at `place` has records. */
  has(place: number): boolean {
    return this.#recordsOf[place >>> PAGE_SHIFT] !== 0;
  }

  /** Records of a page by its number, 0 if it has none. */
  recordsOf(number: number): number {
    return (this.#recordsOf[number] as number) >>> 0;
  }

  /** Records of the page at `page` in linear memory, allocated if need be. */
  acquire(page: number): number {
    const number = page >>> PAGE_SHIFT;
    const known = (this.#recordsOf[number] as number) >>> 0;
    if (known !== 0 && this.#isCurrent(known, page)) return known;
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
    this.#writes[index] = 0;
    this.#modes[index] = this.#mode;
    this.#dirty[index] = 0;
    this.#recordsOf[number] = base;
    this.#mark(number, 1);
    this.#protect(page);
    if (this.#shared !== undefined) {
      const { writes, self } = this.#shared;
      this.#events[index] = writes.events(number);
      this.#uncertain[index] = writes.byOthers(number, self) === 0 ? 0 : 1;
      if (this.#uncertain[index] === 1) this.#notes = undefined;
      this.#words.copyWithin(this.#copyOf(index) >>> 2, page >>> 2, (page + PAGE_SIZE) >>> 2);
      this.#seen[index] = this.#fences;
    }
    return base;
  }

  /** Notes whether a page has records, where generated code looks. */
  #mark(number: number, value: number): void {
    const at = this.#layout.codePages + number;
    const shift = (at & 3) * 8;
    this.#words[at >>> 2] = ((this.#words[at >>> 2] as number) & ~(0xff << shift)) | (value << shift);
  }

  #copyOf(index: number): number {
    return this.#copies + index * PAGE_SIZE;
  }

  #indexOf(records: number): number {
    return Math.floor((records - this.#layout.pool) / this.#stride);
  }

  /** Whether the records were decoded in the mode in force from what the page holds since the last fence; if not, they are given up. */
  #isCurrent(records: number, page: number): boolean {
    const index = this.#indexOf(records);
    if (this.#modes[index] !== this.#mode) {
      this.#release(index, false);
      return false;
    }
    const shared = this.#shared;
    if (shared === undefined || this.#seen[index] === this.#fences || !this.#mayDiffer(index, shared)) return true;
    return this.#compare(index, page, shared);
  }

  /** Whether a page holds what was decoded; if not, its records are given up. */
  #compare(index: number, page: number, { writes, self }: SharedCode): boolean {
    // Both before the comparison: who comes later is seen to by the next one.
    const events = writes.events(page >>> PAGE_SHIFT);
    const isOpen = writes.byOthers(page >>> PAGE_SHIFT, self) !== 0;
    const words = this.#words;
    const copy = this.#copyOf(index) >>> 2;
    for (let i = 0, at = page >>> 2; i < PAGE_SIZE / 4; i++) {
      if (words[copy + i] !== words[at + i]) {
        this.#release(index, true);
        return false;
      }
    }
    this.#seen[index] = this.#fences;
    this.#events[index] = events;
    this.#uncertain[index] = isOpen ? 1 : 0;
    return true;
  }

  /** Whether the page of a record page may have been written to since its copy was made. */
  #mayDiffer(index: number, { writes, self }: SharedCode): boolean {
    const number = this.#owner[index] as number;
    return number >= 0 && (this.#uncertain[index] === 1 || writes.events(number) !== this.#events[index] || writes.byOthers(number, self) !== 0);
  }

  /** The record pages that may differ, at most one more than {@link FEW}. Mostly nothing was noted since there were none. */
  #suspects(shared: SharedCode): readonly number[] {
    const found: number[] = [];
    const notes = shared.writes.notesOfOthers(shared.self);
    if (notes === this.#notes) return found;
    for (let index = 0; index < this.#owner.length && found.length <= FEW; index++) if (this.#mayDiffer(index, shared)) found.push(index);
    if (found.length === 0) this.#notes = notes;
    return found;
  }

  /**
   * This processor is about to write to the page holding the byte at `place`, or to be able to: to be called before every entry into
   * the write TLB, and every store that is made without one.
   */
  opened(place: number): void {
    this.#shared?.writes.opened(place >>> PAGE_SHIFT, this.#shared.self);
  }

  /** Whether others have asked since the last time that this processor give up writing: all of its write TLB has to go, then {@link closed}. */
  get isAskedToClose(): boolean {
    if (this.#shared === undefined) return false;
    const { writes, self } = this.#shared;
    const requests = writes.requests(self);
    if (requests === this.#requests) return false;
    this.#requests = requests;
    return true;
  }

  /** The write TLB is empty. */
  closed(): void {
    this.#shared?.writes.closed(this.#shared.self);
  }

  /** Where the instructions of the page whose records `ip` points into are read: its copy, or the page itself. */
  textOf(ip: number): number {
    if (this.#copies === 0) return this.pageOf(ip);
    const index = this.#indexOf(ip);
    if (this.#dirty[index] === 1) this.#refresh(index);
    return this.#copyOf(index);
  }

  /** Makes a copy anew; what others have changed, too, is forgotten. */
  #refresh(index: number): void {
    const words = this.#words;
    const number = this.#owner[index] as number;
    const copy = this.#copyOf(index) >>> 2;
    this.#dirty[index] = 0;
    for (let i = 0, at = (number * PAGE_SIZE) >>> 2; i < PAGE_SIZE / 4; i++) {
      const now = words[at + i] as number;
      if (words[copy + i] === now) continue;
      words[copy + i] = now;
      this.#changed(number, 4 * i, 4);
    }
  }

  /** Instructions that are looked up from now on are those that memory holds now. */
  fence(): void {
    const shared = this.#shared;
    if (shared === undefined) return;
    const suspects = this.#suspects(shared);
    if (suspects.length === 0) return;
    let writers = 0;
    for (const index of suspects) writers |= shared.writes.byOthers(this.#owner[index] as number, shared.self);
    if (suspects.length > FEW) {
      this.#fences++;
      this.fetches.flush();
    } else {
      let same = true;
      for (const index of suspects) same = this.#compare(index, (this.#owner[index] as number) * PAGE_SIZE, shared) && same;
      if (!same) this.fetches.flushStraddle();
    }
    if (writers === 0) return;
    this.#comparisons += suspects.length;
    if (this.#comparisons < PATIENCE) return;
    this.#comparisons = 0;
    shared.writes.askToClose(writers);
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

  /** The record page to be taken back: the next one in turn, but rather one that is not translated. */
  #victim(): number {
    const { poolPages } = this.#layout;
    let index = this.#hand;
    // After a whole round the same page would be taken back every time, and two that are needed at once never be there together.
    const limit = Math.min(VICTIM_TRIES, Math.max(1, poolPages - 1));
    for (let tries = 0; tries < limit; tries++) {
      index = this.#hand;
      this.#hand = (this.#hand + 1) % poolPages;
      if (this.#observer?.uses(this.#owner[index] as number) !== true) break;
    }
    return index;
  }

  /**
   * Makes records undecoded, and nothing more: the instruction that is being executed may be one of them, and has yet to read
   * which registers it is about. The handler number is the first two bytes.
   */
  #forget(base: number, from: number, to: number): void {
    const words = this.#words;
    const word = base >>> 2;
    for (let record = from; record < to; record++) (words[word + record * (RECORD_SIZE / 4)] as number) &= ~0xffff;
  }

  /** Gives the records of record page `index` up. */
  #release(index: number, written: boolean): void {
    const number = this.#owner[index] as number;
    if (number < 0) return;
    const base = this.#layout.pool + index * this.#stride;
    this.#forget(base, 0, this.#records);
    this.#owner[index] = -1;
    this.#recordsOf[number] = 0;
    this.#mark(number, 0);
    this.#free.push(index);
    this.#observer?.released(number, written);
    this.fetches.unlink(base);
  }

  /**
   * Bytes from `place` on are being written, all in one page of linear memory: forgets the instructions they belong to.
   * No effect on a page without records.
   */
  written(place: number, length: number): void {
    const base = this.#recordsOf[place >>> PAGE_SHIFT] as number;
    if (base === 0) return;
    this.#changed(place >>> PAGE_SHIFT, place % PAGE_SIZE, length);
    const index = ((base >>> 0) - this.#layout.pool) / this.#stride;
    if (this.#shared !== undefined) {
      // The copy stays as it is until the next fence, or until an instruction of the page is decoded that may be what is written.
      if (this.#isa.coherentFetch === true) this.#dirty[index] = 1;
      this.#events[index] = this.#shared.writes.events(place >>> PAGE_SHIFT) - 1;
      this.#notes = undefined;
    }
    const writes = (this.#writes[index] as number) + 1;
    this.#writes[index] = writes;
    if (writes > WRITE_LIMIT) this.#release(index, true);
  }

  /** The instructions that bytes of a page with records belong to are others from now on. */
  #changed(number: number, offset: number, length: number): void {
    const { unit, maxLength } = this.#isa;
    const from = Math.floor((offset - maxLength + unit) / unit);
    const to = Math.floor((offset + length - 1) / unit);
    const first = Math.max(0, from);
    this.#forget(this.#recordsOf[number] as number, first, to + 1);
    this.#observer?.written(number, first * unit, (to + 1) * unit);
    if (from < 0 || to > this.#records - maxLength / unit) this.fetches.flushStraddle();
  }

  /** Forgets all records. */
  clear(): void {
    for (let index = 0; index < this.#owner.length; index++) this.#release(index, false);
  }
}
