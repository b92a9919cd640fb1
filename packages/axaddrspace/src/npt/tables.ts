/** Tables in frames of physical memory, and their entries as pairs of 32-bit words, in any format. */
import { axError } from '@axvisor/axvisor_api/errors';
import { allocFrame, physMemory } from '@axvisor/axvisor_api/memory';
import type { Bits, EntryFormat } from './format.ts';

const PAGE = 4096;
/** Entries of a table that fills a frame. */
export const ENTRIES = 512;
/** 32-bit words of a table that fills a frame. */
export const TABLE_WORDS: number = 2 * ENTRIES;

/** An entry is named by the index of its lower word in physical memory, a table by that of its first entry. */
export abstract class Tables {
  /** Physical memory. */
  protected readonly words: Int32Array;
  // Copied from the format for the walk.
  protected readonly present: number;
  protected readonly block: number;
  /** A present entry is a leaf if its block bits, with these flipped, are not all zero. */
  protected readonly blockFlip: number;
  protected readonly frameShift: number;
  readonly #entry: EntryFormat;
  /** How much a unit of an entry's upper word adds to the frame number. */
  readonly #frameHiUnit: number;

  constructor(entry: EntryFormat) {
    this.words = physMemory().words;
    this.present = entry.present[0];
    this.block = entry.blockTest.mask[0];
    this.blockFlip = entry.blockTest.set ? 0 : this.block;
    this.frameShift = entry.frameShift;
    this.#entry = entry;
    this.#frameHiUnit = 2 ** (32 - entry.frameShift);
  }

  /** The address that the entry holds. */
  protected leafAddress(i: number): number {
    const { frameMaskHi } = this.#entry;
    return ((this.words[i]! >>> this.frameShift) + (this.words[i + 1]! & frameMaskHi) * this.#frameHiUnit) * PAGE;
  }

  /** Whether the entry points to a table. */
  protected isTable(i: number, level: number): boolean {
    const lo = this.words[i]!;
    return level > 0 && (lo & this.present) !== 0 && ((lo & this.block) ^ this.blockFlip) === 0;
  }

  /** The table that the entry points to. */
  protected child(i: number): number {
    return (this.words[i]! >>> this.frameShift) * TABLE_WORDS;
  }

  /** Writes the upper word first, because the lower one makes an entry valid. */
  protected writeEntry(i: number, hpa: number, [lo, hi]: Bits): void {
    const frame = hpa / PAGE;
    const frameHi = Math.floor(frame / this.#frameHiUnit);
    this.words[i + 1] = hi | frameHi;
    this.words[i] = lo | ((frame - frameHi * this.#frameHiUnit) << this.frameShift);
  }

  protected clearEntry(i: number): void {
    this.words[i] = 0;
    this.words[i + 1] = 0;
  }

  /** A table of zeros. @throws {AxError} NoMemory */
  protected newTable(): number {
    const frame = allocFrame();
    if (frame === undefined) throw axError('NoMemory', 'no free frame for a page table');
    const table = Number(frame) / 4;
    this.words.fill(0, table, table + TABLE_WORDS);
    return table;
  }

  /** Makes entry `i` point to `table`. */
  protected link(i: number, table: number): void {
    const [lo, hi] = this.#entry.table;
    this.writeEntry(i, table * 4, [lo, hi]);
  }

  protected isEmpty(table: number): boolean {
    const words = this.words;
    for (let i = table; i < table + TABLE_WORDS; i++) if (words[i] !== 0) return false;
    return true;
  }
}
