/**
 * Error-free transformations: the rounding error of a binary64 operation, itself a binary64 number
 * (Muller et al., Handbook of Floating-Point Arithmetic, 4.3 and 4.4). Valid while nothing overflows or underflows.
 */
import { fromWords, highWord, lowWord } from './bits.ts';

/** a + b - sum, exactly, where sum is a + b rounded to nearest (TwoSum of Møller and Knuth). */
export function sumError(a: number, b: number, sum: number): number {
  const bRounded = sum - a;
  const aRounded = sum - bRounded;
  return a - aRounded + (b - bRounded);
}

/** 2^27 + 1: splits a 53-digit significand into two of 26 (Veltkamp). */
const SPLITTER = 134217729;

/** a × b - product, exactly, where product is a × b rounded to nearest (Dekker). */
export function productError(a: number, b: number, product: number): number {
  const aScaled = SPLITTER * a;
  const aHigh = aScaled - (aScaled - a);
  const aLow = a - aHigh;
  const bScaled = SPLITTER * b;
  const bHigh = bScaled - (bScaled - b);
  const bLow = b - bHigh;
  return aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
}

/** `value` + `error` rounded to odd, where |error| is at most half a unit in the last place of `value`, which is nonzero if error is. */
export function toOdd(value: number, error: number): number {
  if (error === 0) return value;
  const hi = highWord(value);
  const lo = lowWord();
  if ((lo & 1) === 1) return value;
  const away = error > 0 === value > 0;
  // An even significand: away from zero the next is lo + 1, towards zero it is one less, borrowing if lo is 0.
  if (away) return fromWords(hi, lo | 1);
  return fromWords(lo === 0 ? hi - 1 : hi, lo - 1);
}
