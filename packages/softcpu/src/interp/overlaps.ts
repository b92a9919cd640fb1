/**
 * Instructions that overlap, where their records would too: a record that goes on in the places of the next units lies where that of an
 * instruction begins which is jumped to in the middle of it. One of the two is decoded at a time.
 */
import { LENGTH } from '../isa.ts';
import type { Isa } from '../isa.ts';
import { fieldOf } from './fields.ts';
import { Handler, PAGE_SIZE } from './layout.ts';

export class Overlaps {
  readonly #isa: Isa;
  /** Places behind its first that a record may go on in. */
  readonly #more: number;

  constructor(isa: Isa) {
    this.#isa = isa;
    this.#more = Math.ceil(isa.records.size / isa.records.place) - 1;
  }

  #isDecoded(words: Int32Array, record: number): boolean {
    return ((words[record >>> 2] as number) & 0xffff) !== Handler.undecoded;
  }

  /** A record that goes on in the place of the one at an offset of a page; 0: none. */
  #across(words: Int32Array, record: number, offset: number): number {
    const { unit, records } = this.#isa;
    for (let i = 1; i <= this.#more && offset >= i * unit; i++) {
      const before = record - i * records.place;
      if (this.#isDecoded(words, before) && fieldOf(this.#isa, words, before, LENGTH) > i * unit) return before;
    }
    return 0;
  }

  /** Makes undecoded what goes on in the place of a record, which is about to be written. What follows is overwritten as far as it is in the way. */
  clear(words: Int32Array, record: number, offset: number): void {
    for (let other = this.#across(words, record, offset); other !== 0; other = this.#across(words, record, offset)) (words[other >>> 2] as number) &= ~0xffff;
  }

  /** Bytes of the longest instruction that could be decoded at an offset of a page without another one being lost; 0: none could. */
  room(words: Int32Array, record: number, offset: number): number {
    const { unit, maxLength, records } = this.#isa;
    if (this.#across(words, record, offset) !== 0) return 0;
    for (let i = 1; i <= this.#more && offset + i * unit < PAGE_SIZE; i++) {
      if (this.#isDecoded(words, record + i * records.place)) return i * unit;
    }
    return maxLength;
  }
}
