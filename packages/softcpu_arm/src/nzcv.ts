/** The condition flags as JavaScript sees them, in the state block at a place of linear memory (see `state.ts`). */
import { FLAG_A, FLAG_B, FLAG_COND, FLAG_KIND, Flags } from './state.ts';

const pair = new Int32Array(4);
const numbers = new Float64Array(pair.buffer);

/** NZCV of low and high words of a result, and whether it carried. */
const pack = (lo: number, hi: number, carry: boolean, overflow: number): number =>
  (hi < 0 ? 8 : 0) | ((lo | hi) === 0 ? 4 : 0) | (carry ? 2 : 0) | (overflow < 0 ? 1 : 0);

function difference(aLo: number, aHi: number, bLo: number, bHi: number): number {
  const borrow = aLo >>> 0 < bLo >>> 0 ? 1 : 0;
  const hi = (aHi - bHi - borrow) | 0;
  const less = aHi === bHi ? borrow === 1 : aHi >>> 0 < bHi >>> 0;
  return pack((aLo - bLo) | 0, hi, !less, (aHi ^ bHi) & (aHi ^ hi));
}

function sum(aLo: number, aHi: number, bLo: number, bHi: number): number {
  const lo = (aLo + bLo) | 0;
  const carry = lo >>> 0 < aLo >>> 0 ? 1 : 0;
  const hi = (aHi + bHi + carry) | 0;
  const carries = (aHi >>> 0) + (bHi >>> 0) + carry > 0xffff_ffff;
  return pack(lo, hi, carries, (aHi ^ hi) & (bHi ^ hi));
}

function comparison(a: number, b: number): number {
  if (a < b) return 8;
  if (a === b) return 6;
  return a > b ? 2 : 3;
}

/** NZCV in the lowest bits; `base` is the index of the state block's first word in `words`. */
export function readNzcv(words: Int32Array, base: number): number {
  const kind = words[base + (FLAG_KIND >> 2)]!;
  const aLo = words[base + (FLAG_A >> 2)]!;
  const aHi = words[base + (FLAG_A >> 2) + 1]!;
  const bLo = words[base + (FLAG_B >> 2)]!;
  const bHi = words[base + (FLAG_B >> 2) + 1]!;
  if ((kind & Flags.conditional) !== 0 && words[base + (FLAG_COND >> 2)] === 0) return (kind >> Flags.nzcvShift) & 15;
  switch (kind & (Flags.conditional - 1)) {
    case Flags.sub64: return difference(aLo, aHi, bLo, bHi);
    // The lower half moved up: its carry and overflow are those of the whole.
    case Flags.sub32: return difference(0, aLo, 0, bLo);
    case Flags.add64: return sum(aLo, aHi, bLo, bHi);
    case Flags.add32: return sum(0, aLo, 0, bLo);
    case Flags.result: return pack(aLo, aHi, false, 0);
    case Flags.float:
      pair.set([aLo, aHi, bLo, bHi]);
      return comparison(numbers[0]!, numbers[1]!);
    default: return aLo >>> 28;
  }
}

/** Sets NZCV from the lowest bits of `nzcv`. */
export function writeNzcv(words: Int32Array, base: number, nzcv: number): void {
  words[base + (FLAG_KIND >> 2)] = 0;
  words[base + (FLAG_KIND >> 2) + 1] = 0;
  words[base + (FLAG_A >> 2)] = nzcv << 28;
  words[base + (FLAG_A >> 2) + 1] = 0;
}
