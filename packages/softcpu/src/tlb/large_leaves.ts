/**
 * Which leaves of page tables above 4 KiB may be in the TLB in pieces: who forgets an address in one has to forget them all. Walks in generated code note
 * them where there is room (see `walk.ts`), JavaScript the others.
 *
 * In the state block there is an i64 for each of {@link LARGE_LEAVES} classes: the number of a block of 2 MiB or 1 GiB, above its {@link Kind}.
 */
import type { Block } from '../ir/emitter.ts';
import { i32, i64, select } from '../ir/expr.ts';
import type { I32, I64 } from '../ir/expr.ts';

const CLASS_BITS = 10;
const LARGE_LEAVES: number = 2 ** CLASS_BITS;
/** Bytes of the classes. */
export const LARGE_LEAVES_SIZE: number = 8 * LARGE_LEAVES;

/** In the low bits of what is noted; a class in which nothing is noted is 0. */
const Kind = { mib2: 1, gib: 2 } as const;
const KIND_BITS = 2;
const MIB2_BITS = 21;
const GIB_BITS = 30;

/** More than this many beside the classes are treated as "anywhere". */
const LIMIT = 4096;

/** Number of the 2^shift bytes that an address is in: below 2^43. */
const numberOf = (lo: number, hi: number, shift: number): number => (hi >>> 0) * 2 ** (32 - shift) + (lo >>> shift);

export class LargeLeaves {
  readonly #memory: { readonly words: Int32Array };
  readonly #first: number;
  /** What is noted of classes that had others already. */
  readonly #more = new Set<number>();
  #anywhere = false;

  /** @param at - byte offset in linear memory of {@link LARGE_LEAVES_SIZE} bytes, zeros at first. */
  constructor(memory: { readonly words: Int32Array }, at: number) {
    this.#memory = memory;
    this.#first = at >>> 2;
  }

  /** Word of the class of a number. */
  #class(number: number): number {
    return this.#first + 2 * ((number ^ Math.floor(number / LARGE_LEAVES)) & (LARGE_LEAVES - 1));
  }

  /** Notes the leaf of `size` bytes, above 4 KiB, that an address lies in. */
  add(lo: number, hi: number, size: number): void {
    if (size > 2 ** GIB_BITS) {
      this.#anywhere = true;
      return;
    }
    const isMib2 = size === 2 ** MIB2_BITS;
    const number = numberOf(lo, hi, isMib2 ? MIB2_BITS : GIB_BITS);
    const noted = number * 2 ** KIND_BITS + (isMib2 ? Kind.mib2 : Kind.gib);
    const { words } = this.#memory;
    const at = this.#class(number);
    const high = Math.floor(noted / 2 ** 32);
    if (words[at] === (noted | 0) && words[at + 1] === high) return;
    if (words[at] === 0) {
      words[at] = noted;
      words[at + 1] = high;
    } else if (this.#more.size === LIMIT) this.#anywhere = true;
    else this.#more.add(noted);
  }

  #has(number: number, kind: number): boolean {
    const noted = number * 2 ** KIND_BITS + kind;
    const { words } = this.#memory;
    const at = this.#class(number);
    return (words[at] === (noted | 0) && words[at + 1] === Math.floor(noted / 2 ** 32)) || this.#more.has(noted);
  }

  /** Whether an address may lie in a leaf that was noted. */
  has(lo: number, hi: number): boolean {
    return this.#anywhere || this.#has(numberOf(lo, hi, MIB2_BITS), Kind.mib2) || this.#has(numberOf(lo, hi, GIB_BITS), Kind.gib);
  }

  /** Nothing is in the TLB. */
  clear(): void {
    this.#memory.words.fill(0, this.#first, this.#first + LARGE_LEAVES_SIZE / 4);
    this.#more.clear();
    this.#anywhere = false;
  }
}

/**
 * As {@link LargeLeaves.add}, in generated code.
 *
 * @param at - byte offset of the classes in linear memory.
 * @param shift - of the size: one of other sizes than 2 MiB and 1 GiB is not noted.
 * @returns whether it is noted.
 */
export function noteLargeLeaf(b: Block, at: number, address: I64, shift: I32): I32 {
  const isMib2 = b.let(i32.eq(shift, i32.const(MIB2_BITS)));
  const number = b.let(i64.shr_u(address, i64.extend_i32_u(shift)));
  const folded = i32.wrap_i64(i64.xor(number, i64.shr_u(number, i64.const(CLASS_BITS))));
  const place = b.let(i32.shl(i32.and(folded, i32.const(LARGE_LEAVES - 1)), i32.const(3)));
  const kind = i64.extend_i32_u(select(isMib2, i32.const(Kind.mib2), i32.const(Kind.gib)));
  const noted = b.let(i64.or(i64.shl(number, i64.const(KIND_BITS)), kind));
  const known = b.let(b.read('i64.load', place, at));
  const isLegal = i32.or(isMib2, i32.eq(shift, i32.const(GIB_BITS)));
  const fits = b.let(i32.and(isLegal, i32.or(i64.eq(known, noted), i64.eqz(known))));
  b.if(fits, () => b.write('i64.store', place, noted, at));
  return fits;
}
