/**
 * The delta TLB of data accesses: one direct-mapped table of i64 per kind of access (read, write) and MMU mode.
 *
 * An entry is the difference between the place in linear memory and the guest page. The sum of entry and address is the
 * place, or, when the entry belongs to another page or is empty, has a bit set outside the window of 2^W bytes: one test
 * catches both, and misalignment with them. N = W - 11 index bits, one more than pages in the window: slot s empty holds
 * 2^W - (s << 12), so that the sum for any address that selects it has bit W set.
 *
 * What must not be accessed directly (devices, unmapped and, for writes, clean or code pages) is never filled.
 */
import { tlbTableSize } from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import { MMU_MODES } from '../isa.ts';

/** Slots that may be filled between two flushes; one more flushes everything. Bounds the cost of a flush to some 100 µs. */
const LOG_CAPACITY = 1 << 15;

const PAGE_MASK = 0xfff;

/** The tables of one kind of access, with a log of the slots filled. */
class Tables {
  readonly #base: number;
  readonly #tableSize: number;
  readonly #window: number;
  readonly #log: Int32Array = new Int32Array(LOG_CAPACITY);
  #logged = 0;
  /** By number of the slot, of all modes: nonzero if it holds a global translation. */
  readonly #global: Uint8Array;
  #words: Int32Array;

  constructor(words: Int32Array, base: number, windowBits: number) {
    this.#words = words;
    this.#base = base;
    this.#window = 2 ** windowBits;
    this.#tableSize = tlbTableSize(windowBits);
    const slots = this.#tableSize / 8;
    this.#global = new Uint8Array(slots * MMU_MODES);
    for (let slot = 0; slot < slots; slot++) this.#clear((base >>> 2) + slot * 2, slot);
    const first = base >>> 2;
    const length = this.#tableSize >>> 2;
    for (let mode = 1; mode < MMU_MODES; mode++) words.copyWithin(first + mode * length, first, first + length);
  }

  set words(words: Int32Array) {
    this.#words = words;
  }

  #clear(word: number, slot: number): void {
    const empty = this.#window - slot * 4096;
    this.#words[word] = empty | 0;
    this.#words[word + 1] = Math.floor(empty / 0x1_0000_0000);
  }

  #slot(vaLo: number, vaHi: number): number {
    // Only a window of 4 GiB has a slot bit that comes from the high word.
    return ((vaLo >>> 12) + (vaHi & 1) * 0x10_0000) & (this.#tableSize / 8 - 1);
  }

  #isEmpty(word: number, slot: number): boolean {
    const empty = this.#window - slot * 4096;
    return this.#words[word] === (empty | 0) && this.#words[word + 1] === Math.floor(empty / 0x1_0000_0000);
  }

  fill(mode: number, vaLo: number, vaHi: number, page: number, global: boolean): void {
    const slot = this.#slot(vaLo, vaHi);
    this.#global[mode * (this.#tableSize / 8) + slot] = global ? 1 : 0;
    const word = (this.#base + mode * this.#tableSize + slot * 8) >>> 2;
    if (this.#isEmpty(word, slot)) {
      if (this.#logged === LOG_CAPACITY) this.flush();
      this.#log[this.#logged++] = word;
    }
    const low = (vaLo & ~PAGE_MASK) >>> 0;
    this.#words[word] = (page - low) | 0;
    this.#words[word + 1] = -vaHi - (page < low ? 1 : 0);
  }

  /** The page of linear memory that accesses to a guest page go to, -1 if its slot is not the page's. */
  find(mode: number, vaLo: number, vaHi: number): number {
    const word = (this.#base + mode * this.#tableSize + this.#slot(vaLo, vaHi) * 8) >>> 2;
    const low = ((this.#words[word] as number) >>> 0) + ((vaLo & ~PAGE_MASK) >>> 0);
    const high = ((this.#words[word + 1] as number) + vaHi + (low > 0xffff_ffff ? 1 : 0)) | 0;
    const page = low >>> 0;
    return high === 0 && page < this.#window ? page : -1;
  }

  /** Slot number of a logged word. */
  #slotAt(word: number): number {
    return ((word - (this.#base >>> 2)) >>> 1) & (this.#tableSize / 8 - 1);
  }

  flush(): void {
    for (let i = 0; i < this.#logged; i++) {
      const word = this.#log[i] as number;
      this.#clear(word, this.#slotAt(word));
    }
    this.#logged = 0;
  }

  /** As {@link flush}, but for global translations. */
  flushLocal(): void {
    const first = this.#base >>> 2;
    let kept = 0;
    for (let i = 0; i < this.#logged; i++) {
      const word = this.#log[i] as number;
      if (this.#global[(word - first) >>> 1] !== 0) this.#log[kept++] = word;
      else this.#clear(word, this.#slotAt(word));
    }
    this.#logged = kept;
  }

  /** A cleared slot stays in the log; filling it again logs it twice, which is harmless. */
  flushPage(vaLo: number, vaHi: number): void {
    const slot = this.#slot(vaLo, vaHi);
    for (let mode = 0; mode < MMU_MODES; mode++) this.#clear((this.#base + mode * this.#tableSize + slot * 8) >>> 2, slot);
  }

  /** Empties every slot that points to the page at `page` in linear memory. */
  forget(page: number): void {
    const mask = (this.#window * 2 - 1) | 0; // with a window of 2^31 and more, all 32 bits
    for (let i = 0; i < this.#logged; i++) {
      const word = this.#log[i] as number;
      const slot = this.#slotAt(word);
      // entry + guest page, modulo twice the window: the slot number holds those bits of the guest page.
      if ((((this.#words[word] as number) + slot * 4096) & mask) === (page | 0)) this.#clear(word, slot);
    }
  }
}

export class Tlb {
  readonly #reads: Tables;
  readonly #writes: Tables;

  /** Takes possession of the TLB region of `layout` and empties it. */
  constructor(words: Int32Array, layout: Pick<Layout, 'tlb' | 'windowBits'>) {
    const { tlb, windowBits } = layout;
    this.#reads = new Tables(words, tlb, windowBits);
    this.#writes = new Tables(words, tlb + MMU_MODES * tlbTableSize(windowBits), windowBits);
  }

  /** The view of linear memory, again after it has grown. */
  set words(words: Int32Array) {
    this.#reads.words = words;
    this.#writes.words = words;
  }

  /**
   * Lets accesses of MMU mode `mode` to the page of a guest address go to the page at `page` in linear memory (a multiple
   * of 4096 inside the window). `global`: of all address spaces.
   */
  fill(write: boolean, mode: number, vaLo: number, vaHi: number, page: number, global = false): void {
    (write ? this.#writes : this.#reads).fill(mode, vaLo, vaHi, page, global);
  }

  flush(): void {
    this.#reads.flush();
    this.#writes.flush();
  }

  /** The page of linear memory that accesses of MMU mode `mode` to the page of a guest address go to, -1 if they must ask. */
  find(write: boolean, mode: number, vaLo: number, vaHi: number): number {
    return (write ? this.#writes : this.#reads).find(mode, vaLo, vaHi);
  }

  /** Forgets the translations of the current address space: all that are not global. */
  flushLocal(): void {
    this.#reads.flushLocal();
    this.#writes.flushLocal();
  }

  /** Forgets one guest page in all modes. */
  flushPage(vaLo: number, vaHi: number): void {
    this.#reads.flushPage(vaLo, vaHi);
    this.#writes.flushPage(vaLo, vaHi);
  }

  /** Makes all writes to a page of linear memory take the slow path. */
  protect(page: number): void {
    this.#writes.forget(page);
  }
}
