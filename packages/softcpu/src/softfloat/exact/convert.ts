/** Conversions between formats and to and from integers, and rounding to an integral value (IEEE 754-2019, 5.4.2, 5.4.1, 5.9). */
import { flag } from '../env.ts';
import type { FloatEnv } from '../env.ts';
import { width } from '../format.ts';
import type { Format } from '../format.ts';
import { convertNan, propagate } from './nan.ts';
import { round, roundToInteger } from './round.ts';
import { encodeFinite, infinity, unpack, zero } from './value.ts';

/** Converts an encoding of `from` to `to`. */
export function convert(from: Format, to: Format, env: FloatEnv, a: bigint): bigint {
  const x = unpack(from, a);
  if (x.kind === 'nan') return convertNan(from, to, env, x);
  if (x.kind === 'infinity') return infinity(to, x.sign);
  if (x.kind === 'zero') return zero(to, x.sign);
  return round(to, env, x.sign, x.significand, x.exponent);
}

/** Converts an integer of any size; zero becomes +0. */
export function fromInteger(format: Format, env: FloatEnv, value: bigint): bigint {
  if (value === 0n) return zero(format, 0);
  return value < 0n ? round(format, env, 1, -value, 0) : round(format, env, 0, value, 0);
}

/** An integer type: its width in bits and whether it is signed. */
export interface IntegerType {
  readonly bits: number;
  readonly signed: boolean;
}

/**
 * Converts to an integer in the direction of `env`; what does not fit raises NV alone and is replaced by `env.integer`'s rule.
 * Returns the mathematical value, negative if the type is signed and the value is.
 */
export function toInteger(format: Format, env: FloatEnv, a: bigint, type: IntegerType): bigint {
  const x = unpack(format, a);
  const largest = (1n << BigInt(type.signed ? type.bits - 1 : type.bits)) - 1n;
  const smallest = type.signed ? -largest - 1n : 0n;
  const indefinite = type.signed ? smallest : largest;
  if (x.kind === 'nan') {
    env.flags |= flag.NV;
    return { largest, zero: 0n, indefinite }[env.integer.nan];
  }
  if (x.kind === 'zero') return 0n;
  if (x.kind === 'finite') {
    // Whatever reaches bit 128 is far outside of every integer type: no need to shift by the whole exponent.
    const magnitude = x.exponent > 128 ? 1n << 128n : roundToInteger(env, x.sign, x.significand, -x.exponent);
    const value = x.sign === 1 ? -magnitude : magnitude;
    if (value >= smallest && value <= largest) {
      if (x.exponent < 0 && magnitude << BigInt(-x.exponent) !== x.significand) env.flags |= flag.NX;
      return value;
    }
  }
  env.flags |= flag.NV;
  if (env.integer.overflow === 'indefinite') return indefinite;
  return x.sign === 1 ? smallest : largest;
}

/** Rounds to an integral value in the same format, keeping the sign of zero; NX is raised only if `signalInexact`. */
export function roundToIntegral(format: Format, env: FloatEnv, a: bigint, signalInexact: boolean): bigint {
  const x = unpack(format, a);
  if (x.kind === 'nan') return propagate(format, env, [x]);
  if (x.kind !== 'finite' || x.exponent >= 0) return BigInt.asUintN(width(format), a);
  const magnitude = roundToInteger(env, x.sign, x.significand, -x.exponent);
  if (signalInexact && magnitude << BigInt(-x.exponent) !== x.significand) env.flags |= flag.NX;
  return magnitude === 0n ? zero(format, x.sign) : encodeFinite(format, x.sign, magnitude, 0);
}
