/**
 * Moving between encodings and JavaScript numbers.
 *
 * A JavaScript number is a binary64 datum whose NaN payload is not dependable, so NaNs never pass through here.
 * Int32 views of 64-bit values are taken low word first: every host of a JavaScript engine is little-endian.
 */

const double = new Float64Array(1);
const words = new Int32Array(double.buffer);
const single = new Float32Array(1);
const singleWord = new Int32Array(single.buffer);

/** The number with the binary64 encoding hi:lo. */
export function fromWords(hi: number, lo: number): number {
  words[0] = lo;
  words[1] = hi;
  return double[0] as number;
}

/** Upper word of the binary64 encoding of `value`. */
export function highWord(value: number): number {
  double[0] = value;
  return words[1] as number;
}

/** Lower word of the binary64 encoding of the number last given to {@link highWord}. */
export function lowWord(): number {
  return words[0] as number;
}

/** 2^exponent for an exponent of a normal binary64 number. */
export function powerOfTwo(exponent: number): number {
  return fromWords((exponent + 1023) << 20, 0);
}

/** The number with the given binary32 encoding. */
export function fromSingle(bits: number): number {
  singleWord[0] = bits;
  return single[0] as number;
}

/** True when the binary64 encoding with this upper word is an infinity or a NaN. */
export function isSpecial64(hi: number): boolean {
  return (hi & 0x7ff00000) === 0x7ff00000;
}

/** True when hi:lo encodes a binary64 NaN. */
export function isNan64(hi: number, lo: number): boolean {
  const magnitude = hi & 0x7fffffff;
  return magnitude > 0x7ff00000 || (magnitude === 0x7ff00000 && lo !== 0);
}

/** hi:lo as an unsigned bigint. */
export function toBigInt(hi: number, lo: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}
