/**
 * The transcendental functions of the x87 (SDM vol. 1, 8.3.10), computed in fixed point with some 190 digits more than the 64 of a result: what
 * they deliver is rounded once. Arguments of trigonometric functions are reduced by all digits of pi that matter.
 */
import { extended80, exact } from '@axvisor/softcpu/softfloat';
import type { FloatEnv, Format } from '@axvisor/softcpu/softfloat';

/** A number significand × 2^exponent, negative with `sign` 1. `inexact`: what it stands for lies a little above in magnitude. */
export interface Number80 {
  readonly sign: 0 | 1;
  readonly significand: bigint;
  readonly exponent: number;
  readonly inexact: boolean;
}

/** Digits behind the binary point. */
const DIGITS = 320;
const P = BigInt(DIGITS);
const ONE = 1n << P;
/** Below 2^-this, functions are as good as the first term of their series. */
const TINY = -130;

const lengthOf = (value: bigint): number => value.toString(2).length;
const multiply = (a: bigint, b: bigint): bigint => (a * b) >> P;
const absolute = (a: bigint): bigint => (a < 0n ? -a : a);

/** Σ zⁿ over n = 1, 3, 5 … divided by n, the signs alternating or not: arctangent and its hyperbolic relative. */
function oddSeries(z: bigint, alternating: boolean): bigint {
  const square = multiply(z, z);
  let sum = 0n;
  let power = z;
  for (let n = 1n; power !== 0n && power !== -1n; n += 2n) {
    sum += alternating && n % 4n === 3n ? -(power / n) : power / n;
    power = multiply(power, square);
  }
  return sum;
}
const inverseTangentOf = (denominator: bigint): bigint => oddSeries(ONE / denominator, true);
/** Machin's formula, and ln 2 = 2 artanh(1/3). */
const PI = 4n * (4n * inverseTangentOf(5n) - inverseTangentOf(239n));
const LN2 = 2n * oddSeries(ONE / 3n, false);

/** Σ xⁿ/n! over n = first, first + step, …; the signs alternating or not. */
function factorialSeries(x: bigint, first: 0 | 1, step: 1 | 2, alternating: boolean): bigint {
  let term = first === 0 ? ONE : x;
  let sum = 0n;
  for (let n = first; term !== 0n && term !== -1n; ) {
    sum += term;
    for (let i = 0; i < step; i++) term = multiply(term, x) / BigInt(++n);
    if (alternating) term = -term;
  }
  return sum;
}

/** An 80-bit number as a fixed-point one; its lowest digit has to be within reach. */
const fixed = ({ sign, significand, exponent }: Number80): bigint => {
  const shift = exponent + DIGITS;
  const value = shift >= 0 ? significand << BigInt(shift) : significand >> BigInt(-shift);
  return sign === 1 ? -value : value;
};
const fromFixed = (value: bigint, inexact = true): Number80 => ({ sign: value < 0n ? 1 : 0, significand: absolute(value), exponent: -DIGITS, inexact });
/** Exponent of the leading digit. */
const magnitude = ({ significand, exponent }: Number80): number => lengthOf(significand) - 1 + exponent;
const product = (a: Number80, b: Number80): Number80 => ({
  sign: a.sign === b.sign ? 0 : 1, significand: a.significand * b.significand, exponent: a.exponent + b.exponent, inexact: a.inexact || b.inexact,
});
/** A number a little smaller or larger in magnitude. */
function nudged(x: Number80, larger: boolean): Number80 {
  const significand = x.significand << 128n;
  return { ...x, significand: larger ? significand : significand - 1n, exponent: x.exponent - 128, inexact: true };
}

const isPowerOfTwo = (n: bigint): boolean => (n & (n - 1n)) === 0n;

/** log2 of a positive number. */
function logarithm(x: Number80): Number80 {
  let scale = magnitude(x);
  if (isPowerOfTwo(x.significand)) return fromFixed(BigInt(scale) << P, false);
  let mantissa = fixed({ ...x, sign: 0, exponent: x.exponent - scale });
  // Between the roots of one half and of two.
  if (mantissa * mantissa > ONE << (P + 1n)) {
    mantissa >>= 1n;
    scale++;
  }
  const natural = 2n * oddSeries(((mantissa - ONE) << P) / (mantissa + ONE), false);
  return fromFixed((BigInt(scale) << P) + (natural << P) / LN2);
}

/** Arctangent of a quotient between 0 and 1, in fixed point. */
function inverseTangent(quotient: bigint): bigint {
  let t = quotient;
  let doublings = 0n;
  for (; t > ONE >> 3n; doublings++) t = (t << P) / (ONE + root(ONE + multiply(t, t)));
  return oddSeries(t, true) << doublings;
}
/** Square root in fixed point. */
function root(value: bigint): bigint {
  const square = value << P;
  let guess = 1n << BigInt((lengthOf(square) + 1) >> 1);
  for (;;) {
    const next = (guess + square / guess) >> 1n;
    if (next >= guess) return guess;
    guess = next;
  }
}

/** 2^x - 1 for x between -1 and 1, not 0. */
export function powerMinusOne(x: Number80): Number80 {
  if (magnitude(x) >= 0) return x.sign === 0 ? fromFixed(ONE, false) : fromFixed(-(ONE >> 1n), false);
  if (magnitude(x) < TINY) return product(x, fromFixed(LN2));
  return fromFixed(factorialSeries(multiply(fixed(x), LN2), 1, 1, false));
}

/** y × log2 x, x positive, y not 0. Zero is the logarithm of 1. */
export function timesLogarithm(y: Number80, x: Number80): Number80 {
  return product(y, logarithm(x));
}

/** y × log2(x + 1), x above -1, neither 0. */
export function timesLogarithmPlusOne(y: Number80, x: Number80): Number80 {
  if (magnitude(x) < TINY) {
    const inverse = fromFixed(ONE * ONE / LN2);
    return product(y, product(x, inverse));
  }
  const value = fixed(x);
  // Elsewhere the sum has all digits that matter, and the series converges slowly.
  if (magnitude(x) >= -2) return product(y, logarithm(fromFixed(value + ONE, false)));
  const natural = 2n * oddSeries((value << P) / (value + 2n * ONE), false);
  return product(y, fromFixed((natural << P) / LN2));
}

/** The angle of the point (x, y), neither 0: y is the sine's side. */
export function angle(y: Number80, x: Number80): Number80 {
  const distance = magnitude(y) - magnitude(x);
  const negative = x.sign === 1;
  const sign = y.sign;
  // A quotient, as exact as the result has to be.
  if (distance < TINY && !negative) {
    const quotient = (y.significand << 256n) / x.significand;
    const isExact = quotient * x.significand === y.significand << 256n;
    const result: Number80 = { sign, significand: quotient, exponent: y.exponent - x.exponent - 256, inexact: !isExact };
    return isExact ? nudged(result, false) : result;
  }
  const ratio = (a: Number80, b: Number80): bigint => {
    const shift = a.exponent - b.exponent + DIGITS;
    return shift >= 0 ? (a.significand << BigInt(shift)) / b.significand : a.significand / (b.significand << BigInt(-shift));
  };
  let result: bigint;
  if (Math.abs(distance) > DIGITS) result = distance < 0 ? 0n : PI >> 1n;
  else {
    const quotient = ratio(y, x);
    result = quotient <= ONE ? inverseTangent(quotient) : (PI >> 1n) - inverseTangent(ratio(x, y));
  }
  if (negative) result = PI - result;
  return { ...fromFixed(result), sign };
}

/** Angles of special points: multiples of pi / 4. */
export const quarters = (n: number, sign: 0 | 1): Number80 => ({ ...fromFixed((PI * BigInt(n)) >> 2n), sign });

/** Sine and cosine of a number of less than 64 digits before the point, not 0. */
export function sineAndCosine(x: Number80): { readonly sine: Number80; readonly cosine: Number80 } {
  if (magnitude(x) < TINY) return { sine: nudged(x, false), cosine: nudged(fromFixed(ONE, false), false) };
  const value = fixed({ ...x, sign: 0 });
  const quarter = PI >> 1n;
  const turns = (value + (quarter >> 1n)) / quarter;
  const rest = value - turns * quarter;
  const sine = factorialSeries(rest, 1, 2, true);
  const cosine = factorialSeries(rest, 0, 2, true);
  const [s, c] = ([[sine, cosine], [cosine, -sine], [-sine, -cosine], [-cosine, sine]] as const)[Number(turns & 3n)] as readonly [bigint, bigint];
  return { sine: fromFixed(x.sign === 1 ? -s : s), cosine: fromFixed(c) };
}

/** The tangent, likewise. */
export function tangent(x: Number80): Number80 {
  if (magnitude(x) < TINY) return nudged(x, true);
  const { sine, cosine } = sineAndCosine(x);
  const quotient = (sine.significand << 300n) / cosine.significand;
  return { sign: sine.sign === cosine.sign ? 0 : 1, significand: quotient, exponent: sine.exponent - cosine.exponent - 300, inexact: true };
}

// ── between encodings and numbers ──

/** A finite number that is not 0. */
export function decode(bits: bigint): Number80 {
  const field = Number((bits >> 64n) & 0x7fffn);
  return { sign: Number((bits >> 79n) & 1n) as 0 | 1, significand: BigInt.asUintN(64, bits), exponent: Math.max(1, field) - 0x3fff - 63, inexact: false };
}

const WIDE: Format = { name: 'wide', exponentBits: 20, fractionBits: 255, explicitInteger: false };

/** Rounds as the environment says. */
export function round({ sign, significand, exponent, inexact }: Number80, env: FloatEnv): bigint {
  if (significand === 0n) return sign === 1 ? 1n << 79n : 0n;
  const length = lengthOf(significand);
  const shift = 256 - length;
  const rest = shift < 0 && BigInt.asUintN(-shift, significand) !== 0n;
  const normalized = (shift >= 0 ? significand << BigInt(shift) : significand >> BigInt(-shift)) | (inexact || rest ? 1n : 0n);
  const field = BigInt(exponent + length - 1 + 2 ** (WIDE.exponentBits - 1) - 1);
  const bits = (BigInt(sign) << BigInt(WIDE.exponentBits + WIDE.fractionBits)) | (field << BigInt(WIDE.fractionBits)) | BigInt.asUintN(WIDE.fractionBits, normalized);
  return exact.convert(WIDE, extended80, env, bits);
}
