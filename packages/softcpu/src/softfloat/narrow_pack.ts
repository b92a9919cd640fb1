/** Encodings of at most 32 bits: decoding to numbers and the one rounding of their results. */
import { fromSingle, highWord, powerOfTwo } from './bits.ts';
import { toOdd } from './eft.ts';
import { flag, rounding } from './env.ts';
import type { FloatEnv } from './env.ts';
import { bfloat16, bias, binary32 } from './format.ts';
import type { Format } from './format.ts';
import { roundsUp } from './pack64.ts';

/** The encoding of the positive infinity: all exponent bits. */
export function infinityBits(format: Format): number {
  return ((1 << format.exponentBits) - 1) << format.fractionBits;
}

/** Mask of everything but the sign. */
export function magnitudeMask(format: Format): number {
  return (1 << (format.exponentBits + format.fractionBits)) - 1;
}

/** Sign bit of an encoding. */
export function signOf(format: Format, bits: number): number {
  return (bits >>> (format.exponentBits + format.fractionBits)) & 1;
}

/** An encoding with the given sign and magnitude, as int32. */
export function withSign(format: Format, sign: number, magnitude: number): number {
  return (sign << (format.exponentBits + format.fractionBits)) | magnitude;
}

/** True when the encoding is a NaN. */
export function isNan(format: Format, bits: number): boolean {
  return (bits & magnitudeMask(format)) > infinityBits(format);
}

/** True when the encoding is an infinity or a NaN. */
export function isSpecial(format: Format, bits: number): boolean {
  return (bits & magnitudeMask(format)) >= infinityBits(format);
}

/** True when the encoding is a signaling NaN. */
export function isSignaling(format: Format, bits: number): boolean {
  return isNan(format, bits) && ((bits >>> (format.fractionBits - 1)) & 1) === 0;
}

/** An encoding as the unsigned bigint that the exact functions take. */
export function toBig(format: Format, bits: number): bigint {
  return BigInt.asUintN(1 + format.exponentBits + format.fractionBits, BigInt(bits));
}

/** An encoding of at most 32 bits as int32. */
export function fromBig(bits: bigint): number {
  return Number(BigInt.asIntN(32, bits));
}

/** The number that an encoding which is not a NaN stands for. */
export function toNumber(format: Format, bits: number): number {
  if (format === binary32) return fromSingle(bits);
  if (format === bfloat16) return fromSingle(bits << 16);
  const magnitude = bits & magnitudeMask(format);
  if (magnitude === infinityBits(format)) return signOf(format, bits) === 1 ? -Infinity : Infinity;
  const leading = 1 << format.fractionBits;
  const field = magnitude >> format.fractionBits;
  const fraction = magnitude & (leading - 1);
  const significand = field === 0 ? fraction : fraction | leading;
  const value = significand * powerOfTwo(Math.max(field, 1) - bias(format) - format.fractionBits);
  return signOf(format, bits) === 1 ? -value : value;
}

/** `magnitude` × 2^-unit rounded to an integer, whose inexactness shows in {@link inexact}. */
function roundUnits(env: FloatEnv, sign: number, magnitude: number, unit: number): number {
  const units = magnitude * powerOfTwo(-unit);
  const whole = Math.floor(units);
  const fraction = units - whole;
  inexact = fraction !== 0;
  if (!inexact) return whole;
  return roundsUp(env, sign, fraction > 0.5, fraction === 0.5, whole % 2 === 1) ? whole + 1 : whole;
}

let inexact = false;

/**
 * The encoding of (value + error), rounded in the direction of `env`, as int32. `value` is finite, and the sign of `error` says on which
 * side of it the exact result lies, closer than any number with two digits more than the format. A zero gets the sign `zeroSign`.
 *
 * Rounding to odd in binary64 first is harmless, since that has more than two digits beyond every format of 32 bits.
 */
export function packNarrow(format: Format, env: FloatEnv, value: number, error: number, zeroSign: number): number {
  if (value === 0) return withSign(format, zeroSign, 0);
  const odd = toOdd(value, error);
  const high = highWord(odd);
  const sign = high >>> 31;
  const magnitude = Math.abs(odd);
  const { fractionBits } = format;
  const emin = 1 - bias(format);
  const exponent = ((high >>> 20) & 0x7ff) - 1023;
  const rounded = Math.max(exponent, emin);
  const units = roundUnits(env, sign, magnitude, rounded - fractionBits);
  // The leading digit of `units` adds one to the exponent field, and so does a carry out of it.
  const bits = (rounded - emin) * 2 ** fractionBits + units;
  const infinity = infinityBits(format);
  if (bits >= infinity) {
    env.flags |= flag.OF | flag.NX;
    return withSign(format, sign, overflowsToInfinity(env, sign) ? infinity : infinity - 1);
  }
  if (inexact) {
    env.flags |= flag.NX;
    if (exponent < emin && isTiny(format, env, sign, magnitude, exponent, emin)) env.flags |= flag.UF;
  }
  return withSign(format, sign, bits);
}

/** Tininess of a magnitude below 2^emin: after rounding only if rounding it as if it were normal does not reach 2^emin. */
function isTiny(format: Format, env: FloatEnv, sign: number, magnitude: number, exponent: number, emin: number): boolean {
  if (env.tininessBefore || exponent < emin - 1) return true;
  return roundUnits(env, sign, magnitude, exponent - format.fractionBits) < 2 ** (format.fractionBits + 1);
}

function overflowsToInfinity(env: FloatEnv, sign: number): boolean {
  const mode = env.rounding;
  return mode === rounding.RNE || mode === rounding.RMM || mode === (sign === 0 ? rounding.RUP : rounding.RDN);
}
