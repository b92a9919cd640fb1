/**
 * binary64 arithmetic on encodings given as int32 pairs; 64-bit results are left in env.hi and env.lo.
 *
 * The host's own operation gives the result rounded to nearest, an error-free transformation the sign of what was lost;
 * the two decide every direction and flag. To stay clear of overflow and underflow, significands are worked on in [1, 2) and
 * exponents apart. NaNs and infinities go to the exact functions.
 */
import { fromWords, highWord, isSpecial64, lowWord, powerOfTwo, toBigInt } from './bits.ts';
import { productError, sumError, toOdd } from './eft.ts';
import type { FloatEnv } from './env.ts';
import * as exact from './exact/index.ts';
import { binary64 } from './format.ts';
import { pack64, putExact, putZeroSum } from './pack64.ts';

function putBigInt(env: FloatEnv, bits: bigint): void {
  env.hi = Number(BigInt.asIntN(32, bits >> 32n));
  env.lo = Number(BigInt.asIntN(32, bits));
}

function isZero(hi: number, lo: number): boolean {
  return ((hi & 0x7fffffff) | lo) === 0;
}

function putZero(env: FloatEnv, sign: number): void {
  env.hi = sign << 31;
  env.lo = 0;
}

/** Exponent of the nonzero finite number last given to {@link significandOf}. */
let exponent = 0;

/** Magnitude of the significand, in [1, 2), of a nonzero finite number. */
function significandOf(hi: number, lo: number): number {
  const field = (hi >>> 20) & 0x7ff;
  exponent = field - 1023;
  if (field !== 0) return fromWords((hi & 0xfffff) | 0x3ff00000, lo);
  const upper = highWord(fromWords(hi & 0x7fffffff, lo) * 2 ** 64);
  exponent = (upper >>> 20) - 1023 - 64;
  return fromWords((upper & 0xfffff) | 0x3ff00000, lowWord());
}

/** a + b. */
export function add(env: FloatEnv, aHi: number, aLo: number, bHi: number, bLo: number): void {
  if (!isSpecial64(aHi) && !isSpecial64(bHi)) {
    const a = fromWords(aHi, aLo);
    const b = fromWords(bHi, bLo);
    const sum = a + b;
    if (sum === 0) {
      if (aHi < 0 === bHi < 0) putZero(env, aHi >>> 31);
      else putZeroSum(env);
      return;
    }
    const error = sumError(a, b, sum);
    // A subnormal sum is exact.
    if (error === 0) return putExact(env, sum);
    // Near the largest numbers TwoSum may overflow; what it gives then is not finite.
    if (Number.isFinite(error)) return pack64(env, sum < 0 ? 1 : 0, Math.abs(sum), sum < 0 ? -error : error, 0);
  }
  putBigInt(env, exact.add(binary64, env, toBigInt(aHi, aLo), toBigInt(bHi, bLo)));
}

/** a - b. */
export function sub(env: FloatEnv, aHi: number, aLo: number, bHi: number, bLo: number): void {
  // Not the sum with -b of a NaN: its payload and sign may have to be delivered.
  if (!isSpecial64(bHi)) return add(env, aHi, aLo, bHi ^ -0x80000000, bLo);
  putBigInt(env, exact.sub(binary64, env, toBigInt(aHi, aLo), toBigInt(bHi, bLo)));
}

/** a × b. */
export function mul(env: FloatEnv, aHi: number, aLo: number, bHi: number, bLo: number): void {
  if (isSpecial64(aHi) || isSpecial64(bHi)) {
    return putBigInt(env, exact.mul(binary64, env, toBigInt(aHi, aLo), toBigInt(bHi, bLo)));
  }
  const sign = (aHi ^ bHi) >>> 31;
  if (isZero(aHi, aLo) || isZero(bHi, bLo)) return putZero(env, sign);
  const a = significandOf(aHi, aLo);
  const aExponent = exponent;
  const b = significandOf(bHi, bLo);
  const product = a * b;
  pack64(env, sign, product, productError(a, b, product), aExponent + exponent);
}

/** a / b. */
export function div(env: FloatEnv, aHi: number, aLo: number, bHi: number, bLo: number): void {
  if (isSpecial64(aHi) || isSpecial64(bHi) || isZero(bHi, bLo)) {
    return putBigInt(env, exact.div(binary64, env, toBigInt(aHi, aLo), toBigInt(bHi, bLo)));
  }
  const sign = (aHi ^ bHi) >>> 31;
  if (isZero(aHi, aLo)) return putZero(env, sign);
  const a = significandOf(aHi, aLo);
  const aExponent = exponent;
  const b = significandOf(bHi, bLo);
  const quotient = a / b;
  const product = quotient * b;
  // The remainder is a number; no quotient lies midway between two numbers, so only its sign counts.
  const remainder = a - product - productError(quotient, b, product);
  pack64(env, sign, quotient, Math.sign(remainder), aExponent - exponent);
}

/** The square root of a. */
export function sqrt(env: FloatEnv, aHi: number, aLo: number): void {
  if (isSpecial64(aHi) || aHi < 0) return putBigInt(env, exact.sqrt(binary64, env, toBigInt(aHi, aLo)));
  if (isZero(aHi, aLo)) return putZero(env, 0);
  const significand = significandOf(aHi, aLo);
  const odd = exponent & 1;
  const a = odd === 1 ? 2 * significand : significand;
  const root = Math.sqrt(a);
  const square = root * root;
  const remainder = a - square - productError(root, root, square);
  pack64(env, 0, root, Math.sign(remainder), (exponent - odd) / 2);
}

/** Beyond this distance of exponents the smaller of product and addend only says on which side of the larger the sum lies. */
const FAR = 120;

/**
 * a × b + c with one rounding (Boldo and Melquiond, Emulation of FMA and Correctly Rounded Sums, 2008: the two low words are
 * added with rounding to odd, which the final addition to nearest cannot mistake for a tie).
 */
export function mulAdd(env: FloatEnv, aHi: number, aLo: number, bHi: number, bLo: number, cHi: number, cLo: number): void {
  const special = isSpecial64(aHi) || isSpecial64(bHi) || isSpecial64(cHi);
  if (special) {
    return putBigInt(env, exact.mulAdd(binary64, env, toBigInt(aHi, aLo), toBigInt(bHi, bLo), toBigInt(cHi, cLo)));
  }
  if (isZero(cHi, cLo)) {
    const zeroProduct = isZero(aHi, aLo) || isZero(bHi, bLo);
    if (!zeroProduct) return mul(env, aHi, aLo, bHi, bLo);
    return add(env, (aHi ^ bHi) & -0x80000000, 0, cHi, cLo);
  }
  if (isZero(aHi, aLo) || isZero(bHi, bLo)) {
    env.hi = cHi;
    env.lo = cLo;
    return;
  }
  const a = (aHi ^ bHi) < 0 ? -significandOf(aHi, aLo) : significandOf(aHi, aLo);
  const aExponent = exponent;
  const b = significandOf(bHi, bLo);
  const scale = aExponent + exponent;
  const c = cHi < 0 ? -significandOf(cHi, cLo) : significandOf(cHi, cLo);
  const distance = exponent - scale;
  if (distance > FAR) {
    const error = a < 0 === c < 0 ? 1 : -1;
    return pack64(env, c < 0 ? 1 : 0, Math.abs(c), error, exponent);
  }
  sumOfProduct(env, a, b, c * powerOfTwo(Math.max(distance, -2 * FAR)), scale);
}

/** (a × b + c) × 2^scale, where a and b are in [1, 2) in magnitude and c in [2^-240, 2^121]. */
function sumOfProduct(env: FloatEnv, a: number, b: number, c: number, scale: number): void {
  const productHigh = a * b;
  const productLow = productError(a, b, productHigh);
  const innerHigh = c + productLow;
  const innerLow = sumError(c, productLow, innerHigh);
  const high = productHigh + innerHigh;
  const highLow = sumError(productHigh, innerHigh, high);
  const low = innerLow + highLow;
  const odd = toOdd(low, sumError(innerLow, highLow, low));
  const result = high + odd;
  if (result === 0) return putZeroSum(env);
  const error = sumError(high, odd, result);
  pack64(env, result < 0 ? 1 : 0, Math.abs(result), result < 0 ? -error : error, scale);
}

export { classify, equal, lessOrEqual, lessThan, minMax } from './compare64.ts';
export { fromInt64, roundToIntegral, toFormat, toInt32, toInt64 } from './convert64.ts';
