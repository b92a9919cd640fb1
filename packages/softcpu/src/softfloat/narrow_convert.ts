/** Conversions from and to binary32, binary16 and bfloat16, and rounding to an integral value. */
import { highWord, lowWord } from './bits.ts';
import { flag } from './env.ts';
import type { FloatEnv } from './env.ts';
import * as exact from './exact/index.ts';
import { binary64 } from './format.ts';
import type { Format } from './format.ts';
import { integerError, integerNumber, numberToInt32, numberToInt64, roundNumber } from './integer.ts';
import { fromBig, isNan, isSpecial, packNarrow, signOf, toBig, toNumber } from './narrow_pack.ts';

/** Converts to another format of at most 32 bits. */
export function toFormat(from: Format, to: Format, env: FloatEnv, bits: number): number {
  if (isSpecial(from, bits)) return fromBig(exact.convert(from, to, env, toBig(from, bits)));
  return packNarrow(to, env, toNumber(from, bits), 0, signOf(from, bits));
}

/** Converts to binary64, left in env.hi and env.lo; always exact. */
export function toBinary64(from: Format, env: FloatEnv, bits: number): void {
  if (isNan(from, bits)) {
    const wide = exact.convert(from, binary64, env, toBig(from, bits));
    env.hi = Number(BigInt.asIntN(32, wide >> 32n));
    env.lo = Number(BigInt.asIntN(32, wide));
    return;
  }
  env.hi = highWord(toNumber(from, bits));
  env.lo = lowWord();
}

function number(format: Format, bits: number): number {
  return isNan(format, bits) ? Number.NaN : toNumber(format, bits);
}

/** Converts to a 32-bit integer, returned as int32 whether signed or not. */
export function toInt32(format: Format, env: FloatEnv, bits: number, signed: boolean): number {
  return numberToInt32(env, number(format, bits), signed);
}

/** Converts to a 64-bit integer, left in env.hi and env.lo. */
export function toInt64(format: Format, env: FloatEnv, bits: number, signed: boolean): void {
  numberToInt64(env, number(format, bits), signed);
}

/** Converts a 64-bit integer; a 32-bit one is given sign- or zero-extended. */
export function fromInt64(format: Format, env: FloatEnv, hi: number, lo: number, signed: boolean): number {
  const value = integerNumber(hi, lo, signed);
  return packNarrow(format, env, value, integerError, 0);
}

/** Rounds to an integral value; NX is raised only if `signalInexact`. */
export function roundToIntegral(format: Format, env: FloatEnv, bits: number, signalInexact: boolean): number {
  if (isSpecial(format, bits)) return fromBig(exact.roundToIntegral(format, env, toBig(format, bits), signalInexact));
  const value = toNumber(format, bits);
  const rounded = roundNumber(env, value);
  if (signalInexact && rounded !== value) env.flags |= flag.NX;
  return packNarrow(format, env, rounded, 0, signOf(format, bits));
}
