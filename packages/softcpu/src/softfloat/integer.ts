/** Rounding of JavaScript numbers to integers and conversion to 32 and 64-bit integers (IEEE 754-2019, 5.4.1, 5.8). */
import { flag, rounding } from './env.ts';
import type { FloatEnv } from './env.ts';

/** `value`, finite, rounded to an integral value in the direction of `env`; a zero keeps the operand's sign. Raises no flag. */
export function roundNumber(env: FloatEnv, value: number): number {
  const magnitude = Math.abs(value);
  const below = Math.floor(magnitude);
  if (below === magnitude) return value;
  const fraction = magnitude - below;
  const negative = value < 0;
  let up = false;
  switch (env.rounding) {
    case rounding.RNE:
      up = fraction > 0.5 || (fraction === 0.5 && below % 2 === 1);
      break;
    case rounding.RTZ:
      break;
    case rounding.RDN:
      up = negative;
      break;
    case rounding.RUP:
      up = !negative;
      break;
    case rounding.RMM:
      up = fraction >= 0.5;
      break;
    case rounding.ODD:
      up = below % 2 === 0;
      break;
  }
  const rounded = up ? below + 1 : below;
  return negative ? -rounded : rounded;
}

/** Raises NV and returns 'nan', 'low' or 'high' for the rule to replace, or the value rounded, with NX raised if that changed it. */
function toRange(env: FloatEnv, value: number, smallest: number, limit: number): number | 'nan' | 'low' | 'high' {
  if (value !== value) {
    env.flags |= flag.NV;
    return 'nan';
  }
  const rounded = roundNumber(env, value);
  if (rounded >= limit || rounded < smallest) {
    env.flags |= flag.NV;
    return rounded < 0 ? 'low' : 'high';
  }
  if (rounded !== value) env.flags |= flag.NX;
  return rounded;
}

/** Which of zero, the smallest and the largest integer `env.integer` puts in the place of what does not fit. */
function replacement(env: FloatEnv, invalid: 'nan' | 'low' | 'high', signed: boolean): 'zero' | 'smallest' | 'largest' {
  const indefinite = signed ? 'smallest' : 'largest';
  if (invalid === 'nan') return { largest: 'largest', zero: 'zero', indefinite }[env.integer.nan] as 'zero' | 'smallest' | 'largest';
  if (env.integer.overflow === 'indefinite') return indefinite;
  return invalid === 'low' ? 'smallest' : 'largest';
}

/** Converts any number, NaN included, to a 32-bit integer, returned as int32 whether signed or not. */
export function numberToInt32(env: FloatEnv, value: number, signed: boolean): number {
  const result = toRange(env, value, signed ? -(2 ** 31) : 0, signed ? 2 ** 31 : 2 ** 32);
  if (typeof result === 'number') return result | 0;
  const instead = replacement(env, result, signed);
  if (instead === 'zero') return 0;
  if (signed) return instead === 'smallest' ? -0x80000000 : 0x7fffffff;
  return instead === 'smallest' ? 0 : -1;
}

/** Converts any number, NaN included, to a 64-bit integer in env.hi and env.lo. */
export function numberToInt64(env: FloatEnv, value: number, signed: boolean): void {
  const result = toRange(env, value, signed ? -(2 ** 63) : 0, signed ? 2 ** 63 : 2 ** 64);
  if (typeof result === 'number') {
    const hi = Math.floor(result / 0x1_0000_0000);
    env.hi = hi | 0;
    env.lo = (result - hi * 0x1_0000_0000) | 0;
    return;
  }
  const instead = replacement(env, result, signed);
  env.lo = instead === 'largest' ? -1 : 0;
  const sign = signed ? -0x80000000 : 0;
  env.hi = instead === 'zero' ? 0 : instead === 'smallest' ? sign : ~sign;
}

/** The unsigned or signed 64-bit integer hi:lo rounded to nearest, as a number; the rest is in {@link integerError}. */
export function integerNumber(hi: number, lo: number, signed: boolean): number {
  const upper = (signed ? hi : hi >>> 0) * 0x1_0000_0000;
  const lower = lo >>> 0;
  const sum = upper + lower;
  integerError = sum - upper === lower ? upper - (sum - lower) : lower - (sum - upper);
  return sum;
}

/** What {@link integerNumber} last left out: exact value minus number. */
export let integerError = 0;
