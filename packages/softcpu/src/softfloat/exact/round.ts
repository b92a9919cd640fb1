/** Rounding of exact values (IEEE 754-2019, 4.3), with overflow and underflow (7.4, 7.5). */
import { flag, rounding } from '../env.ts';
import type { FloatEnv } from '../env.ts';
import { bias, minExponent, precision } from '../format.ts';
import type { Format } from '../format.ts';
import { encodeFinite, infinity, largestFinite } from './value.ts';

/** Number of digits of a positive integer in base 2. */
export function bitLength(value: bigint): number {
  const hex = value.toString(16);
  return hex.length * 4 - Math.clz32(Number.parseInt(hex[0] ?? '0', 16)) + 28;
}

/**
 * Rounds significand × 2^-drop to an integer in the direction of `env`; a negative or zero `drop` shifts left.
 * Raises no flag: the result was exact if and only if shifting it back gives `significand`.
 */
export function roundToInteger(env: FloatEnv, sign: number, significand: bigint, drop: number): bigint {
  if (drop <= 0) return significand << BigInt(-drop);
  const shift = BigInt(drop);
  const quotient = significand >> shift;
  const remainder = significand - (quotient << shift);
  if (remainder === 0n) return quotient;
  const half = 1n << (shift - 1n);
  const odd = (quotient & 1n) === 1n;
  switch (env.rounding) {
    case rounding.RNE:
      return remainder > half || (remainder === half && odd) ? quotient + 1n : quotient;
    case rounding.RTZ:
      return quotient;
    case rounding.RDN:
      return sign === 1 ? quotient + 1n : quotient;
    case rounding.RUP:
      return sign === 0 ? quotient + 1n : quotient;
    case rounding.RMM:
      return remainder >= half ? quotient + 1n : quotient;
    case rounding.ODD:
      return odd ? quotient : quotient + 1n;
  }
}

/** Delivers an overflow: infinity or the largest finite number, by direction and sign. */
function overflow(format: Format, env: FloatEnv, sign: number): bigint {
  env.flags |= flag.OF | flag.NX;
  const mode = env.rounding;
  const toInfinity = mode === rounding.RNE || mode === rounding.RMM || (mode === rounding.RUP && sign === 0) || (mode === rounding.RDN && sign === 1);
  return toInfinity ? infinity(format, sign) : largestFinite(format, sign);
}

/** Encodes (-1)^sign × significand × 2^exponent, rounded; `significand` is positive and exact. */
export function round(format: Format, env: FloatEnv, sign: number, significand: bigint, exponent: number): bigint {
  const p = precision(format);
  const emin = minExponent(format);
  const leading = exponent + bitLength(significand) - 1;
  const unit = Math.max(leading, emin) - (p - 1);
  const drop = unit - exponent;
  const rounded = roundToInteger(env, sign, significand, drop);
  if (rounded > 0n && unit + bitLength(rounded) - 1 > bias(format)) return overflow(format, env, sign);
  const inexact = drop > 0 && rounded << BigInt(drop) !== significand;
  if (inexact) {
    env.flags |= flag.NX;
    if (leading < emin && isTiny(format, env, sign, significand, exponent, leading)) env.flags |= flag.UF;
  }
  return encodeFinite(format, sign, rounded, unit);
}

/** True when a value below the smallest normal number is tiny: always before rounding, and after it unless that reaches 2^emin. */
function isTiny(format: Format, env: FloatEnv, sign: number, significand: bigint, exponent: number, leading: number): boolean {
  if (env.tininessBefore) return true;
  const unit = leading - (precision(format) - 1);
  const rounded = roundToInteger(env, sign, significand, unit - exponent);
  return unit + bitLength(rounded) - 1 < minExponent(format);
}
