/** Values of 64 bits as pairs of words, the lower one first, as numbers and as bigints. */

/** The unsigned value of a pair of words as a number; exact below 2^53. */
export function toNumber(lo: number, hi: number): number {
  return (hi >>> 0) * 0x1_0000_0000 + (lo >>> 0);
}

/** A pair of words, and the same as one value: nothing but the result is allocated when values change their form here. */
const pair: Int32Array = new Int32Array(2);
const whole: BigUint64Array = new BigUint64Array(pair.buffer);

/** The unsigned value of a pair of words. */
export function toBigint(lo: number, hi: number): bigint {
  pair[0] = lo;
  pair[1] = hi;
  return whole[0] as bigint;
}

/** The low word of a value, signed. */
export function lowWord(value: bigint): number {
  whole[0] = value;
  return pair[0] as number;
}

/** The high word of a value, signed. */
export function highWord(value: bigint): number {
  whole[0] = value;
  return pair[1] as number;
}
