/** Comparisons, minimum and maximum, classification of binary32, binary16 and bfloat16. */
import { flag, floatClass } from './env.ts';
import type { FloatEnv, MinMaxKind } from './env.ts';
import * as exact from './exact/index.ts';
import type { Format } from './format.ts';
import { fromBig, infinityBits, isNan, isSignaling, magnitudeMask, signOf, toBig, toNumber } from './narrow_pack.ts';

/** Raises NV if the comparison is invalid; false when the operands are unordered. */
function ordered(format: Format, env: FloatEnv, a: number, b: number, signaling: boolean): boolean {
  if (!isNan(format, a) && !isNan(format, b)) return true;
  if (signaling || isSignaling(format, a) || isSignaling(format, b)) env.flags |= flag.NV;
  return false;
}

/** a = b. A quiet NaN raises NV only if `signaling`. */
export function equal(format: Format, env: FloatEnv, a: number, b: number, signaling: boolean): boolean {
  return ordered(format, env, a, b, signaling) && toNumber(format, a) === toNumber(format, b);
}

/** a < b. */
export function lessThan(format: Format, env: FloatEnv, a: number, b: number, signaling: boolean): boolean {
  return ordered(format, env, a, b, signaling) && toNumber(format, a) < toNumber(format, b);
}

/** a ≤ b. */
export function lessOrEqual(format: Format, env: FloatEnv, a: number, b: number, signaling: boolean): boolean {
  return ordered(format, env, a, b, signaling) && toNumber(format, a) <= toNumber(format, b);
}

/** The smaller (`max` false) or larger of a and b. */
export function minMax(format: Format, env: FloatEnv, a: number, b: number, max: boolean, kind: MinMaxKind): number {
  if (isNan(format, a) || isNan(format, b)) {
    return fromBig(exact.minMax(format, env, toBig(format, a), toBig(format, b), max, kind));
  }
  const x = toNumber(format, a);
  const y = toNumber(format, b);
  const aFirst = x < y || (x === y && signOf(format, a) === 1);
  return aFirst !== max ? a : b;
}

/** The number of the operand's class in {@link floatClass}. */
export function classify(format: Format, bits: number): number {
  if (isNan(format, bits)) return isSignaling(format, bits) ? floatClass.signalingNan : floatClass.quietNan;
  const magnitude = bits & magnitudeMask(format);
  const positive = magnitude === infinityBits(format) ? floatClass.positiveInfinity
    : magnitude >>> format.fractionBits !== 0 ? floatClass.positiveNormal
    : magnitude !== 0 ? floatClass.positiveSubnormal
    : floatClass.positiveZero;
  // The classes of negative numbers mirror those of positive ones.
  return signOf(format, bits) === 1 ? floatClass.positiveInfinity - positive : positive;
}
