/**
 * Arithmetic of binary32, binary16 and bfloat16 on encodings given as int32; results are returned the same way.
 *
 * Each operation is done in binary64, whose error is known exactly, and rounded once by `packNarrow`. NaNs and infinities go to the
 * exact functions.
 */
import { fromWords, highWord, lowWord } from './bits.ts';
import { sumError } from './eft.ts';
import { rounding } from './env.ts';
import type { FloatEnv } from './env.ts';
import * as exact from './exact/index.ts';
import type { Format } from './format.ts';
import { fromBig, isSpecial, packNarrow, signOf, toBig, toNumber, withSign } from './narrow_pack.ts';

function zeroSumSign(env: FloatEnv): number {
  return env.rounding === rounding.RDN ? 1 : 0;
}

/** a + b. */
export function add(format: Format, env: FloatEnv, a: number, b: number): number {
  if (isSpecial(format, a) || isSpecial(format, b)) return fromBig(exact.add(format, env, toBig(format, a), toBig(format, b)));
  const x = toNumber(format, a);
  const y = toNumber(format, b);
  const sum = x + y;
  const sign = signOf(format, a) === signOf(format, b) ? signOf(format, a) : zeroSumSign(env);
  return packNarrow(format, env, sum, sumError(x, y, sum), sign);
}

/** a - b. */
export function sub(format: Format, env: FloatEnv, a: number, b: number): number {
  // Not the sum with -b of a NaN: its payload and sign may have to be delivered.
  if (!isSpecial(format, b)) return add(format, env, a, b ^ withSign(format, 1, 0));
  return fromBig(exact.sub(format, env, toBig(format, a), toBig(format, b)));
}

/** a × b. */
export function mul(format: Format, env: FloatEnv, a: number, b: number): number {
  if (isSpecial(format, a) || isSpecial(format, b)) return fromBig(exact.mul(format, env, toBig(format, a), toBig(format, b)));
  return packNarrow(format, env, toNumber(format, a) * toNumber(format, b), 0, signOf(format, a) ^ signOf(format, b));
}

/** a × b + c with one rounding; the product is exact in binary64. */
export function mulAdd(format: Format, env: FloatEnv, a: number, b: number, c: number): number {
  if (isSpecial(format, a) || isSpecial(format, b) || isSpecial(format, c)) {
    return fromBig(exact.mulAdd(format, env, toBig(format, a), toBig(format, b), toBig(format, c)));
  }
  const product = toNumber(format, a) * toNumber(format, b);
  const addend = toNumber(format, c);
  const sum = product + addend;
  const productSign = signOf(format, a) ^ signOf(format, b);
  return packNarrow(format, env, sum, sumError(product, addend, sum), productSign === signOf(format, c) ? productSign : zeroSumSign(env));
}

/** `value` cut off after so many digits as leave `lowMask` of the lower word. */
function leadingDigits(value: number, lowMask: number): number {
  const hi = highWord(value);
  return fromWords(hi, lowWord() & lowMask);
}

/** Keeps 29 digits: their product with 24 digits is exact. */
const DIGITS_29 = -0x1000000;
/** Keeps 26 digits: their square is exact. */
const DIGITS_26 = -0x8000000;

/** a / b. */
export function div(format: Format, env: FloatEnv, a: number, b: number): number {
  const y = isSpecial(format, b) ? 0 : toNumber(format, b);
  if (y === 0 || isSpecial(format, a)) return fromBig(exact.div(format, env, toBig(format, a), toBig(format, b)));
  const x = toNumber(format, a);
  // Beyond the leading digits, rounding needs only the sign of the remainder.
  const quotient = leadingDigits(x / y, DIGITS_29);
  const remainder = x - quotient * y;
  const above = remainder < 0 === y < 0;
  return packNarrow(format, env, quotient, remainder === 0 ? 0 : above ? 1 : -1, signOf(format, a) ^ signOf(format, b));
}

/** The square root of a. */
export function sqrt(format: Format, env: FloatEnv, a: number): number {
  if (isSpecial(format, a) || signOf(format, a) === 1) return fromBig(exact.sqrt(format, env, toBig(format, a)));
  const x = toNumber(format, a);
  const root = leadingDigits(Math.sqrt(x), DIGITS_26);
  return packNarrow(format, env, root, Math.sign(x - root * root), 0);
}

export { classify, equal, lessOrEqual, lessThan, minMax } from './narrow_compare.ts';
export { fromInt64, roundToIntegral, toBinary64, toFormat, toInt32, toInt64 } from './narrow_convert.ts';
