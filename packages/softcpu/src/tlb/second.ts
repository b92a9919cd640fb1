/**
 * The second level of the TLB for data accesses: set-associative, tagged with address space and MMU mode, filled from
 * JavaScript and consulted by generated code (see `refill.ts`). What it holds survives switches of the address space, and
 * conflicts in the delta TLB.
 *
 * An entry is an i64 tag, the guest page and below it the tag of address space and mode, then an i32: the page in linear memory and
 * below it {@link Permission} bits. Sets are chosen by the guest page alone, so that one page is found in all address spaces.
 */
import { NO_TAG, PAGE_SIZE, SECOND_ENTRY_SIZE, SECOND_SETS, SECOND_WAYS } from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import { i32, i64 } from '../ir/expr.ts';
import type { I32, I64 } from '../ir/expr.ts';

const ENTRY_WORDS = SECOND_ENTRY_SIZE / 4;
const SET_WORDS = SECOND_WAYS * ENTRY_WORDS;
/** {@link Permission}: the translation is that of all address spaces. */
export const GLOBAL = 8;
/** Bits of the page number that the number of the set is folded of. */
export const SET_BITS: number = Math.log2(SECOND_SETS);

/** Offset of the set of a page, by its number: as {@link SecondTlb} finds it. */
export function secondSet(number: I64): I32 {
  const folded = i32.wrap_i64(i64.xor(number, i64.shr_u(i64.and(number, i64.const(0xf_ffff)), i64.const(SET_BITS))));
  return i32.mul(i32.and(folded, i32.const(SECOND_SETS - 1)), i32.const(SECOND_WAYS * SECOND_ENTRY_SIZE));
}

export class SecondTlb {
  readonly #first: number;
  #words: Int32Array;
  /** The way of a set that is replaced next. */
  #victim = 0;

  constructor(words: Int32Array, layout: Pick<Layout, 'second'>) {
    this.#words = words;
    this.#first = layout.second >>> 2;
    this.flush();
  }

  set words(words: Int32Array) {
    this.#words = words;
  }

  /** First word of the set of a page. */
  #set(vaLo: number): number {
    const page = vaLo >>> 12;
    return this.#first + ((page ^ (page >>> SET_BITS)) & (SECOND_SETS - 1)) * SET_WORDS;
  }

  /** Enters the page of a guest address, beside what was permitted there before; `page` must not be 0. */
  fill(vaLo: number, vaHi: number, tag: number, page: number, permissions: number): void {
    const words = this.#words;
    const set = this.#set(vaLo);
    const low = (vaLo & -PAGE_SIZE) | tag;
    let found = -1;
    for (let at = set; at < set + SET_WORDS; at += ENTRY_WORDS) {
      if (words[at] === low && words[at + 1] === vaHi) {
        found = at;
        break;
      }
      if (words[at] === NO_TAG) found = at;
    }
    if (found < 0) {
      this.#victim = (this.#victim + 1) % SECOND_WAYS;
      found = set + this.#victim * ENTRY_WORDS;
    }
    const old = words[found] === low && words[found + 1] === vaHi ? (words[found + 2] as number) : 0;
    words[found] = low;
    words[found + 1] = vaHi;
    words[found + 2] = page | permissions | ((old & -PAGE_SIZE) === (page | 0) ? old & (PAGE_SIZE - 1) : 0);
  }

  /** Forgets a guest page in all address spaces and modes, with any top byte of the address: that may be a tag. */
  flushPage(vaLo: number, vaHi: number): void {
    const words = this.#words;
    const set = this.#set(vaLo);
    for (let at = set; at < set + SET_WORDS; at += ENTRY_WORDS) {
      const differs = (((words[at] as number) ^ vaLo) & -PAGE_SIZE) | (((words[at + 1] as number) ^ vaHi) & 0xff_ffff);
      if (differs === 0) words[at] = words[at + 1] = NO_TAG;
    }
  }

  /** Forgets the translations of tags that are not live. */
  flushDead(isLive: (tag: number) => boolean): void {
    const words = this.#words;
    for (let at = this.#first; at < this.#first + SECOND_SETS * SET_WORDS; at += ENTRY_WORDS) {
      const low = words[at] as number;
      if (low !== NO_TAG && !isLive(low & (PAGE_SIZE - 1))) words[at] = words[at + 1] = NO_TAG;
    }
  }

  flush(): void {
    this.#words.fill(NO_TAG, this.#first, this.#first + SECOND_SETS * SET_WORDS);
  }
}
