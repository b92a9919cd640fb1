/** Reciprocal and reciprocal square root estimates (Arm ARM, FPRecipEstimate, FPRSqrtEstimate, UnsignedRecipEstimate, UnsignedRSqrtEstimate, FPRecpX). */
import { flag, rounding } from '@axvisor/softcpu/softfloat';
import { processNan } from './nan.ts';
import type { FpUnit } from './unit.ts';

/** RecipEstimate: of 256 … 511, both in units of 1/512. */
function recipEstimate(a: number): number {
  const b = Math.floor(2 ** 19 / (a * 2 + 1));
  return (b + 1) >> 1;
}

/** RecipSqrtEstimate: of 128 … 511. */
function recipSqrtEstimate(a: number): number {
  const scaled = a < 256 ? a * 2 + 1 : ((a >> 1) * 2 + 1) * 2;
  let b = 512;
  while (scaled * (b + 1) * (b + 1) < 2 ** 28) b++;
  return (b + 1) >> 1;
}

/** URECPE. */
export function unsignedReciprocal(operand: number): number {
  return operand >= 0 ? -1 : recipEstimate(operand >>> 23) << 23;
}

/** URSQRTE. */
export function unsignedReciprocalRoot(operand: number): number {
  return operand >>> 30 === 0 ? -1 : recipSqrtEstimate(operand >>> 23) << 23;
}

/** Fields of a number; the fraction as a bigint of 52 bits. */
function fields(u: FpUnit): { readonly sign: bigint; readonly exponent: number; readonly fraction: bigint } {
  const { exponentBits, fractionBits } = u.format;
  const bits = u.log === 3 ? (BigInt(u.a.hi >>> 0) << 32n) | BigInt(u.a.lo >>> 0) : BigInt(u.a.lo >>> 0);
  const width = BigInt(exponentBits + fractionBits);
  return {
    sign: (bits >> width) & 1n,
    exponent: Number((bits >> BigInt(fractionBits)) & ((1n << BigInt(exponentBits)) - 1n)),
    fraction: (bits & ((1n << BigInt(fractionBits)) - 1n)) << BigInt(52 - fractionBits),
  };
}

/** Puts a result together; the fraction has 52 bits. */
function assemble(u: FpUnit, sign: bigint, exponent: number, fraction: bigint): void {
  const { exponentBits, fractionBits } = u.format;
  const bits = (sign << BigInt(exponentBits + fractionBits)) | (BigInt(exponent) << BigInt(fractionBits)) | (fraction >> BigInt(52 - fractionBits));
  u.result.hi = Number(BigInt.asIntN(32, bits >> 32n));
  u.result.lo = Number(BigInt.asIntN(32, bits));
}

const TOP = 1n << 51n;
const ALL = (1n << 52n) - 1n;
/** By precision: 2 - twice the bias …, the exponents' sums of both estimates, and the bound of operands whose reciprocal overflows. */
const sums = { 1: { reciprocal: 29, root: 44 }, 2: { reciprocal: 253, root: 380 }, 3: { reciprocal: 2045, root: 3068 } } as const;

const maxExponent = (u: FpUnit): number => 2 ** u.format.exponentBits - 1;

export function estimateReciprocal(u: FpUnit): void {
  if (u.isNan(u.a)) return processNan(u);
  const { sign, exponent, fraction } = fields(u);
  const infinity = maxExponent(u);
  if (exponent === infinity) return assemble(u, sign, 0, 0n);
  if (exponent === 0 && fraction === 0n) {
    u.env.flags |= flag.DZ;
    return assemble(u, sign, infinity, 0n);
  }
  // Below 2^-(bias + 1) the reciprocal overflows: subnormal numbers with the two upper fraction bits clear.
  if (exponent === 0 && fraction >> 50n === 0n) {
    u.env.flags |= flag.OF | flag.NX;
    const mode = u.env.rounding;
    const toInfinity = mode === rounding.RNE || mode === (sign === 0n ? rounding.RUP : rounding.RDN);
    return toInfinity ? assemble(u, sign, infinity, 0n) : assemble(u, sign, infinity - 1, ALL);
  }
  if (u.flushes(u.log) && exponent >= infinity - 2) {
    u.env.flags |= flag.UF;
    return assemble(u, sign, 0, 0n);
  }
  let exp = exponent;
  let frac = fraction;
  if (exp === 0) {
    const second = (frac & TOP) === 0n;
    exp = second ? -1 : 0;
    frac = (frac << (second ? 2n : 1n)) & ALL;
  }
  const estimate = BigInt(recipEstimate(256 + Number(frac >> 44n)) & 0xff) << 44n;
  const result = sums[u.log].reciprocal - exp;
  if (result === 0) assemble(u, sign, 0, TOP | (estimate >> 1n));
  else if (result === -1) assemble(u, sign, 0, (1n << 50n) | (estimate >> 2n));
  else assemble(u, sign, result, estimate);
}

export function estimateReciprocalRoot(u: FpUnit): void {
  if (u.isNan(u.a)) return processNan(u);
  const { sign, exponent, fraction } = fields(u);
  const infinity = maxExponent(u);
  if (exponent === 0 && fraction === 0n) {
    u.env.flags |= flag.DZ;
    return assemble(u, sign, infinity, 0n);
  }
  if (sign === 1n) {
    u.env.flags |= flag.NV;
    return assemble(u, 0n, infinity, TOP);
  }
  if (exponent === infinity) return assemble(u, 0n, 0, 0n);
  let exp = exponent;
  let frac = fraction;
  if (exp === 0) {
    for (; (frac & TOP) === 0n; exp--) frac = (frac << 1n) & ALL;
    frac = (frac << 1n) & ALL;
  }
  const scaled = (exp & 1) === 0 ? 256 + Number(frac >> 44n) : 128 + Number(frac >> 45n);
  assemble(u, 0n, Math.floor((sums[u.log].root - exp) / 2), BigInt(recipSqrtEstimate(scaled) & 0xff) << 44n);
}

/** FPRecpX: the exponent's reciprocal. */
export function reciprocalExponent(u: FpUnit): void {
  if (u.isNan(u.a)) return processNan(u);
  const { sign, exponent } = fields(u);
  assemble(u, sign, exponent === 0 ? maxExponent(u) - 1 : maxExponent(u) - exponent, 0n);
}
