/** Addition, subtraction, multiplication, division, square root and fused multiply-add (IEEE 754-2019, 5.4.1). */
import { flag, rounding } from '../env.ts';
import type { FloatEnv } from '../env.ts';
import { precision, width } from '../format.ts';
import type { Format } from '../format.ts';
import { invalid, propagate } from './nan.ts';
import { bitLength, round } from './round.ts';
import { infinity, unpack, zero } from './value.ts';
import type { Value } from './value.ts';

/** The exact sum of two finite values or zeros, rounded (6.3: the sign of an exact zero). */
function addFinite(format: Format, env: FloatEnv, a: Value, b: Value): bigint {
  const exponent = a.kind === 'zero' ? b.exponent : b.kind === 'zero' ? a.exponent : Math.min(a.exponent, b.exponent);
  const scaled = (v: Value): bigint => {
    const magnitude = v.kind === 'zero' ? 0n : v.significand << BigInt(v.exponent - exponent);
    return v.sign === 1 ? -magnitude : magnitude;
  };
  const sum = scaled(a) + scaled(b);
  if (sum === 0n) {
    const same = a.kind === 'zero' && b.kind === 'zero' && a.sign === b.sign;
    return zero(format, same ? a.sign : env.rounding === rounding.RDN ? 1 : 0);
  }
  return sum < 0n ? round(format, env, 1, -sum, exponent) : round(format, env, 0, sum, exponent);
}

function addValues(format: Format, env: FloatEnv, a: Value, b: Value): bigint {
  if (a.kind === 'infinity' || b.kind === 'infinity') {
    if (a.kind === b.kind && a.sign !== b.sign) return invalid(format, env);
    return infinity(format, a.kind === 'infinity' ? a.sign : b.sign);
  }
  return addFinite(format, env, a, b);
}

/** a + b. */
export function add(format: Format, env: FloatEnv, a: bigint, b: bigint): bigint {
  const x = unpack(format, a);
  const y = unpack(format, b);
  if (x.kind === 'nan' || y.kind === 'nan') return propagate(format, env, [x, y]);
  return addValues(format, env, x, y);
}

/** a - b. */
export function sub(format: Format, env: FloatEnv, a: bigint, b: bigint): bigint {
  const x = unpack(format, a);
  const y = unpack(format, b);
  if (x.kind === 'nan' || y.kind === 'nan') return propagate(format, env, [x, y]);
  return addValues(format, env, x, { ...y, sign: y.sign === 1 ? 0 : 1 });
}

/** The exact product of two operands that are not NaN and not infinity × zero. */
function product(a: Value, b: Value): Value {
  const sign = a.sign === b.sign ? 0 : 1;
  const kind = a.kind === 'infinity' || b.kind === 'infinity' ? 'infinity' : a.kind === 'zero' || b.kind === 'zero' ? 'zero' : 'finite';
  return { kind, sign, significand: a.significand * b.significand, exponent: a.exponent + b.exponent, signaling: false };
}

function isInfinityTimesZero(a: Value, b: Value): boolean {
  return (a.kind === 'infinity' && b.kind === 'zero') || (a.kind === 'zero' && b.kind === 'infinity');
}

/** a × b. */
export function mul(format: Format, env: FloatEnv, a: bigint, b: bigint): bigint {
  const x = unpack(format, a);
  const y = unpack(format, b);
  if (x.kind === 'nan' || y.kind === 'nan') return propagate(format, env, [x, y]);
  if (isInfinityTimesZero(x, y)) return invalid(format, env);
  const z = product(x, y);
  if (z.kind === 'infinity') return infinity(format, z.sign);
  if (z.kind === 'zero') return zero(format, z.sign);
  return round(format, env, z.sign, z.significand, z.exponent);
}

/** a × b + c with one rounding. */
export function mulAdd(format: Format, env: FloatEnv, a: bigint, b: bigint, c: bigint): bigint {
  const x = unpack(format, a);
  const y = unpack(format, b);
  const z = unpack(format, c);
  const order = env.nan.addendFirst ? [z, x, y] : [x, y, z];
  if (isInfinityTimesZero(x, y)) {
    const quiet = z.kind === 'nan' && !z.signaling;
    if (z.kind !== 'nan' || (quiet && env.nan.infinityTimesZeroInvalid)) return invalid(format, env);
    return propagate(format, env, order);
  }
  if (order.some((v) => v.kind === 'nan')) return propagate(format, env, order);
  return addValues(format, env, product(x, y), z);
}

/** a / b. */
export function div(format: Format, env: FloatEnv, a: bigint, b: bigint): bigint {
  const x = unpack(format, a);
  const y = unpack(format, b);
  if (x.kind === 'nan' || y.kind === 'nan') return propagate(format, env, [x, y]);
  const sign = x.sign === y.sign ? 0 : 1;
  if (x.kind === y.kind && x.kind !== 'finite') return invalid(format, env);
  if (x.kind === 'infinity') return infinity(format, sign);
  if (y.kind === 'infinity' || x.kind === 'zero') return zero(format, sign);
  if (y.kind === 'zero') {
    env.flags |= flag.DZ;
    return infinity(format, sign);
  }
  // At least p + 2 digits of quotient; the digit below them stands for a remainder.
  const shift = Math.max(0, precision(format) + 2 + bitLength(y.significand) - bitLength(x.significand));
  const dividend = x.significand << BigInt(shift);
  const quotient = dividend / y.significand;
  const sticky = quotient * y.significand === dividend ? 0n : 1n;
  return round(format, env, sign, (quotient << 1n) | sticky, x.exponent - y.exponent - shift - 1);
}

/** Largest integer whose square is not above `n`, by Newton's iteration from above. */
function integerSqrt(n: bigint): bigint {
  let root = 1n << BigInt((bitLength(n) + 1) >> 1);
  for (;;) {
    const next = (root + n / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** The square root of a. */
export function sqrt(format: Format, env: FloatEnv, a: bigint): bigint {
  const x = unpack(format, a);
  if (x.kind === 'nan') return propagate(format, env, [x]);
  if (x.kind === 'zero') return BigInt.asUintN(width(format), a);
  if (x.sign === 1) return invalid(format, env);
  if (x.kind === 'infinity') return infinity(format, 0);
  const digits = 2 * (precision(format) + 2);
  const wanted = Math.max(0, digits - bitLength(x.significand));
  const shift = wanted + ((x.exponent - wanted) & 1);
  const radicand = x.significand << BigInt(shift);
  const root = integerSqrt(radicand);
  const sticky = root * root === radicand ? 0n : 1n;
  return round(format, env, 0, (root << 1n) | sticky, (x.exponent - shift) / 2 - 1);
}
