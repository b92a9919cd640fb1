/**
 * The delta TLB of data accesses: one direct-mapped table of i64 per kind of access (read, write) and MMU mode.
 *
 * An entry is the difference between the place in linear memory and the guest page. The sum of entry and address is the
 * place, or, when the entry belongs to another page or is empty, has a bit set outside the window of 2^W bytes: one test
 * catches both, and misalignment with them. N = W - 11 index bits, one more than pages in the window: slot s empty holds
 * 2^W - (s << 12), so that the sum for any address that selects it has bit W set.
 *
 * Behind it is a second level, see `second.ts`. What must not be accessed directly (devices, unmapped and, for writes, clean or code pages) is never filled.
 */
import { LOCAL_LOGS, TLB_LOGS, tlbLogCapacity, tlbTableSize } from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import { MMU_MODES } from '../isa.ts';
import { Permission } from '../machine.ts';
import { emptyEntry } from './empty.ts';
import { SecondTlb } from './second.ts';

const PAGE_MASK = 0xfff;

/** What of a layout the tables are in. */
type TlbLayout = Pick<Layout, 'tlb' | 'windowBits' | 'tlbLogs' | 'tlbLogged' | 'tlbGlobal' | 'second' | 'writable'>;

export class Tlb {
  readonly #layout: TlbLayout;
  readonly #tableSize: number;
  readonly #logCapacity: number;
  readonly #window: number;
  readonly #second: SecondTlb;
  #words: Int32Array;

  /** Takes possession of the TLB region of `layout`, whose tables are empty ({@link emptyTables}). */
  constructor(words: Int32Array, layout: TlbLayout) {
    const { windowBits, tlbLogged } = layout;
    this.#words = words;
    this.#layout = layout;
    this.#window = 2 ** windowBits;
    this.#tableSize = tlbTableSize(windowBits);
    this.#logCapacity = tlbLogCapacity(windowBits);
    words.fill(0, tlbLogged >>> 2, (tlbLogged >>> 2) + TLB_LOGS);
    this.#second = new SecondTlb(words, layout);
  }

  /** The view of linear memory, again after it has grown. */
  set words(words: Int32Array) {
    this.#words = words;
    this.#second.words = words;
  }

  #clear(word: number, slot: number): void {
    const empty = emptyEntry(this.#window, slot);
    this.#words[word] = empty | 0;
    this.#words[word + 1] = Math.floor(empty / 0x1_0000_0000);
  }

  #slot(vaLo: number, vaHi: number): number {
    // Only a window of 4 GiB has a slot bit that comes from the high word.
    return ((vaLo >>> 12) + (vaHi & 1) * 0x10_0000) & (this.#tableSize / 8 - 1);
  }

  #isEmpty(word: number, slot: number): boolean {
    const empty = emptyEntry(this.#window, slot);
    return this.#words[word] === (empty | 0) && this.#words[word + 1] === Math.floor(empty / 0x1_0000_0000);
  }

  #word(table: number, slot: number): number {
    return (this.#layout.tlb + table * this.#tableSize + slot * 8) >>> 2;
  }

  /** Place of the byte that says whether the slot at a word holds a global translation. */
  #globalAt(word: number): number {
    return this.#layout.tlbGlobal + ((word - (this.#layout.tlb >>> 2)) >>> 1);
  }

  #isGlobal(word: number): boolean {
    const at = this.#globalAt(word);
    return (((this.#words[at >>> 2] as number) >>> ((at & 3) * 8)) & 0xff) !== 0;
  }

  #setGlobal(word: number, global: boolean): void {
    const at = this.#globalAt(word);
    const shift = (at & 3) * 8;
    this.#words[at >>> 2] = ((this.#words[at >>> 2] as number) & ~(0xff << shift)) | ((global ? 1 : 0) << shift);
  }

  /** Empties the slots of a log. */
  #flushLog(number: number): void {
    const words = this.#words;
    const { tlb, tlbLogs, tlbLogged } = this.#layout;
    const window = this.#window;
    const slots = this.#tableSize / 8 - 1;
    const log = (tlbLogs >>> 2) + number * this.#logCapacity;
    const end = log + (words[(tlbLogged >>> 2) + number] as number);
    for (let at = log; at < end; at++) {
      // As `#clear`, but every switch of address spaces does this to hundreds.
      const word = (words[at] as number) >>> 2;
      const empty = window - (((word - (tlb >>> 2)) >>> 1) & slots) * 4096;
      words[word] = empty | 0;
      words[word + 1] = empty < 0 ? -1 : empty > 0xffff_ffff ? 1 : 0;
    }
    words[(tlbLogged >>> 2) + number] = 0;
  }

  #flushTable(table: number): void {
    this.#flushLog(table);
    this.#flushLog(table + LOCAL_LOGS);
  }

  /** Notes that the slot at a word of a table is filled. */
  #note(table: number, word: number, global: boolean): void {
    const { tlbLogs, tlbLogged } = this.#layout;
    const log = global ? table : table + LOCAL_LOGS;
    const count = (tlbLogged >>> 2) + log;
    if (this.#words[count] === this.#logCapacity) this.#flushTable(table);
    const at = this.#words[count] as number;
    this.#words[(tlbLogs >>> 2) + log * this.#logCapacity + at] = word * 4;
    this.#words[count] = at + 1;
  }

  /** Notes that stores may find a page. */
  #setWritable(page: number): void {
    const flag = this.#layout.writable + (page >>> 12);
    (this.#words[flag >>> 2] as number) |= 1 << ((flag & 3) * 8);
  }

  /**
   * Lets accesses of MMU mode `mode` to the page of a guest address go to the page at `page` in linear memory (a multiple
   * of 4096 inside the window). `global`: of all address spaces.
   */
  fill(write: boolean, mode: number, vaLo: number, vaHi: number, page: number, global = false): void {
    const table = (write ? MMU_MODES : 0) + mode;
    if (write) this.#setWritable(page);
    const slot = this.#slot(vaLo, vaHi);
    const word = this.#word(table, slot);
    // A slot is in the log of what is not global if such a translation is in it.
    if (this.#isEmpty(word, slot) || (!global && this.#isGlobal(word))) this.#note(table, word, global);
    this.#setGlobal(word, global);
    const low = (vaLo & ~PAGE_MASK) >>> 0;
    this.#words[word] = (page - low) | 0;
    this.#words[word + 1] = -vaHi - (page < low ? 1 : 0);
  }

  /** Enters a page into the second level, for the tag of an address space and mode. */
  fillSecond(vaLo: number, vaHi: number, tag: number, page: number, permissions: number): void {
    if (page === 0) return; // means failure
    if ((permissions & Permission.write) !== 0) this.#setWritable(page);
    this.#second.fill(vaLo, vaHi, tag, page, permissions);
  }

  /** Forgets everything. */
  flush(): void {
    this.#second.flush();
    for (let mode = 0; mode < MMU_MODES; mode++) this.flushMode(mode);
  }

  /** Forgets everything, and which pages stores could find. */
  close(): void {
    this.flush();
    const { writable, windowBits } = this.#layout;
    this.#words.fill(0, writable >>> 2, (writable + 2 ** (windowBits - 12)) >>> 2);
  }

  /** The page of linear memory that accesses of MMU mode `mode` to the page of a guest address go to, -1 if they must ask. */
  find(write: boolean, mode: number, vaLo: number, vaHi: number): number {
    const word = this.#word((write ? MMU_MODES : 0) + mode, this.#slot(vaLo, vaHi));
    const low = ((this.#words[word] as number) >>> 0) + ((vaLo & ~PAGE_MASK) >>> 0);
    const high = ((this.#words[word + 1] as number) + vaHi + (low > 0xffff_ffff ? 1 : 0)) | 0;
    const page = low >>> 0;
    return high === 0 && page < this.#window ? page : -1;
  }

  /** Forgets what is not global of one mode, in these tables: the second level tells address spaces apart. */
  flushLocal(mode: number): void {
    this.#flushLog(LOCAL_LOGS + mode);
    this.#flushLog(LOCAL_LOGS + MMU_MODES + mode);
  }

  /** Forgets what is in the second level for tags that are not live. */
  flushDead(isLive: (tag: number) => boolean): void {
    this.#second.flushDead(isLive);
  }

  /** Empties the tables of one mode. */
  flushMode(mode: number): void {
    this.#flushTable(mode);
    this.#flushTable(MMU_MODES + mode);
  }

  /** Forgets one guest page in all modes. A cleared slot stays in the log; filling it again logs it twice, which is harmless. */
  flushPage(vaLo: number, vaHi: number): void {
    const slot = this.#slot(vaLo, vaHi);
    for (let table = 0; table < 2 * MMU_MODES; table++) this.#clear(this.#word(table, slot), slot);
    this.#second.flushPage(vaLo, vaHi);
  }

  /** Makes all writes to a page of linear memory take the slow path. */
  protect(page: number): void {
    // Most pages of code are never written to.
    const flag = this.#layout.writable + (page >>> 12);
    if ((((this.#words[flag >>> 2] as number) >>> ((flag & 3) * 8)) & 1) === 0) return;
    const words = this.#words;
    const { tlb, tlbLogs, tlbLogged } = this.#layout;
    const mask = (this.#window * 2 - 1) | 0; // with a window of 2^31 and more, all 32 bits
    const slots = this.#tableSize / 8 - 1;
    for (let number = MMU_MODES; number < TLB_LOGS; number++) {
      if (number === LOCAL_LOGS) number += MMU_MODES; // reads again
      const log = (tlbLogs >>> 2) + number * this.#logCapacity;
      const end = log + (words[(tlbLogged >>> 2) + number] as number);
      for (let at = log; at < end; at++) {
        const word = (words[at] as number) >>> 2;
        const slot = ((word - (tlb >>> 2)) >>> 1) & slots;
        // entry + guest page, modulo twice the window: the slot number holds those bits of the guest page.
        if ((((words[word] as number) + slot * 4096) & mask) === (page | 0)) this.#clear(word, slot);
      }
    }
  }
}
