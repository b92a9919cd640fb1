/** Conversions from and to binary64, and rounding to an integral value. */
import { fromWords, isNan64, isSpecial64, toBigInt } from './bits.ts';
import { flag } from './env.ts';
import type { FloatEnv } from './env.ts';
import * as exact from './exact/index.ts';
import { binary64 } from './format.ts';
import type { Format } from './format.ts';
import { integerError, integerNumber, numberToInt32, numberToInt64, roundNumber } from './integer.ts';
import { packNarrow } from './narrow_pack.ts';
import { pack64, putExact } from './pack64.ts';

/** Converts to binary16, bfloat16 or binary32; returns the encoding as int32. */
export function toFormat(format: Format, env: FloatEnv, hi: number, lo: number): number {
  if (isSpecial64(hi)) return Number(BigInt.asIntN(32, exact.convert(binary64, format, env, toBigInt(hi, lo))));
  return packNarrow(format, env, fromWords(hi, lo), 0, hi >>> 31);
}

function number(hi: number, lo: number): number {
  return isNan64(hi, lo) ? Number.NaN : fromWords(hi, lo);
}

/** Converts to a 32-bit integer, returned as int32 whether signed or not. */
export function toInt32(env: FloatEnv, hi: number, lo: number, signed: boolean): number {
  return numberToInt32(env, number(hi, lo), signed);
}

/** Converts to a 64-bit integer, left in env.hi and env.lo. */
export function toInt64(env: FloatEnv, hi: number, lo: number, signed: boolean): void {
  numberToInt64(env, number(hi, lo), signed);
}

/** Converts a 64-bit integer; a 32-bit one is given sign- or zero-extended. */
export function fromInt64(env: FloatEnv, hi: number, lo: number, signed: boolean): void {
  const value = integerNumber(hi, lo, signed);
  const error = integerError;
  if (error === 0) return putExact(env, value);
  pack64(env, value < 0 ? 1 : 0, Math.abs(value), value < 0 ? -error : error, 0);
}

/** Rounds to an integral value; NX is raised only if `signalInexact`. */
export function roundToIntegral(env: FloatEnv, hi: number, lo: number, signalInexact: boolean): void {
  if (isSpecial64(hi)) {
    const bits = exact.roundToIntegral(binary64, env, toBigInt(hi, lo), signalInexact);
    env.hi = Number(BigInt.asIntN(32, bits >> 32n));
    env.lo = Number(BigInt.asIntN(32, bits));
    return;
  }
  const value = fromWords(hi, lo);
  const rounded = roundNumber(env, value);
  if (signalInexact && rounded !== value) env.flags |= flag.NX;
  putExact(env, rounded);
}
