/** Values of 64 bits as pairs of words, the lower one first, as numbers and as bigints. */

/** The unsigned value of a pair of words as a number; exact below 2^53. */
export function toNumber(lo: number, hi: number): number {
  return (hi >>> 0) * 0x1_0000_0000 + (lo >>> 0);
}

/** One value as a pair of words, the lower one first, and as a whole: the quickest way from one to the other. */
const pair = new Int32Array(2);
const whole = new BigUint64Array(pair.buffer);

/** The unsigned value of a pair of words. */
export function toBigint(lo: number, hi: number): bigint {
  pair[0] = lo;
  pair[1] = hi;
  return whole[0]!;
}

export function lowWord(value: bigint): number {
  whole[0] = value;
  return pair[0]!;
}

export function highWord(value: bigint): number {
  whole[0] = value;
  return pair[1]!;
}
