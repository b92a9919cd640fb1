/** Comparisons, minimum and maximum, classification of binary64. */
import { fromWords, isNan64, toBigInt } from './bits.ts';
import { flag, floatClass } from './env.ts';
import type { FloatEnv, MinMaxKind } from './env.ts';
import * as exact from './exact/index.ts';
import { binary64 } from './format.ts';

const QUIET = 0x80000;

/** Raises NV if the comparison is invalid; false when the operands are unordered. */
function ordered(env: FloatEnv, aHi: number, aLo: number, bHi: number, bLo: number, signaling: boolean): boolean {
  const aNan = isNan64(aHi, aLo);
  const bNan = isNan64(bHi, bLo);
  if (!aNan && !bNan) return true;
  if (signaling || (aNan && (aHi & QUIET) === 0) || (bNan && (bHi & QUIET) === 0)) env.flags |= flag.NV;
  return false;
}

/** a = b. A quiet NaN raises NV only if `signaling`. */
export function equal(env: FloatEnv, aHi: number, aLo: number, bHi: number, bLo: number, signaling: boolean): boolean {
  return ordered(env, aHi, aLo, bHi, bLo, signaling) && fromWords(aHi, aLo) === fromWords(bHi, bLo);
}

/** a < b. */
export function lessThan(env: FloatEnv, aHi: number, aLo: number, bHi: number, bLo: number, signaling: boolean): boolean {
  return ordered(env, aHi, aLo, bHi, bLo, signaling) && fromWords(aHi, aLo) < fromWords(bHi, bLo);
}

/** a ≤ b. */
export function lessOrEqual(env: FloatEnv, aHi: number, aLo: number, bHi: number, bLo: number, signaling: boolean): boolean {
  return ordered(env, aHi, aLo, bHi, bLo, signaling) && fromWords(aHi, aLo) <= fromWords(bHi, bLo);
}

/** The smaller (`max` false) or larger of a and b. */
export function minMax(env: FloatEnv, aHi: number, aLo: number, bHi: number, bLo: number, max: boolean, kind: MinMaxKind): void {
  if (isNan64(aHi, aLo) || isNan64(bHi, bLo)) {
    const bits = exact.minMax(binary64, env, toBigInt(aHi, aLo), toBigInt(bHi, bLo), max, kind);
    env.hi = Number(BigInt.asIntN(32, bits >> 32n));
    env.lo = Number(BigInt.asIntN(32, bits));
    return;
  }
  const a = fromWords(aHi, aLo);
  const b = fromWords(bHi, bLo);
  const aFirst = a < b || (a === b && aHi < 0);
  const chooseA = aFirst !== max;
  env.hi = chooseA ? aHi : bHi;
  env.lo = chooseA ? aLo : bLo;
}

/** The number of the operand's class in {@link floatClass}. */
export function classify(hi: number, lo: number): number {
  if (isNan64(hi, lo)) return (hi & QUIET) === 0 ? floatClass.signalingNan : floatClass.quietNan;
  const magnitude = hi & 0x7fffffff;
  const positive = magnitude >= 0x7ff00000 ? floatClass.positiveInfinity
    : magnitude >= 0x100000 ? floatClass.positiveNormal
    : (magnitude | lo) !== 0 ? floatClass.positiveSubnormal
    : floatClass.positiveZero;
  // The classes of negative numbers mirror those of positive ones.
  return hi < 0 ? floatClass.positiveInfinity - positive : positive;
}
