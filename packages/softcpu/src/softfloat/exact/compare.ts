/** Comparisons, minimum and maximum, classification (IEEE 754-2019, 5.11, 9.6, 5.7.2). */
import { flag, floatClass } from '../env.ts';
import type { FloatEnv, MinMaxKind } from '../env.ts';
import { minExponent, width } from '../format.ts';
import type { Format } from '../format.ts';
import { propagate } from './nan.ts';
import { bitLength } from './round.ts';
import { unpack } from './value.ts';
import type { Value } from './value.ts';

function compareMagnitude(x: Value, y: Value): number {
  const rank = { zero: 0, finite: 1, infinity: 2, nan: 3 };
  if (x.kind !== 'finite' || y.kind !== 'finite') return rank[x.kind] - rank[y.kind];
  const exponent = Math.min(x.exponent, y.exponent);
  const difference = (x.significand << BigInt(x.exponent - exponent)) - (y.significand << BigInt(y.exponent - exponent));
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** Orders two values that are not NaN; both zeros are equal. */
function order(x: Value, y: Value): number {
  if (x.kind === 'zero' && y.kind === 'zero') return 0;
  if (x.sign !== y.sign) return x.sign === 1 ? -1 : 1;
  return x.sign === 1 ? compareMagnitude(y, x) : compareMagnitude(x, y);
}

/**
 * Compares a and b: -1, 0, 1, or undefined if unordered. A signaling NaN raises NV, a quiet one too if `signaling`.
 */
export function compare(format: Format, env: FloatEnv, a: bigint, b: bigint, signaling: boolean): -1 | 0 | 1 | undefined {
  const x = unpack(format, a);
  const y = unpack(format, b);
  if (x.kind === 'nan' || y.kind === 'nan') {
    if (signaling || x.signaling || y.signaling) env.flags |= flag.NV;
    return undefined;
  }
  const sign = Math.sign(order(x, y));
  return sign < 0 ? -1 : sign > 0 ? 1 : 0;
}

/** The smaller (`max` false) or larger of a and b by one of the standard's rules. */
export function minMax(format: Format, env: FloatEnv, a: bigint, b: bigint, max: boolean, kind: MinMaxKind): bigint {
  const x = unpack(format, a);
  const y = unpack(format, b);
  if (x.kind === 'nan' || y.kind === 'nan') {
    const numberWins = x.kind !== y.kind && (kind === 'number2019' || (kind === 'number2008' && !x.signaling && !y.signaling));
    if (!numberWins) return propagate(format, env, [x, y]);
    if (x.signaling || y.signaling) env.flags |= flag.NV;
    return BigInt.asUintN(width(format), x.kind === 'nan' ? b : a);
  }
  const sign = order(x, y) || y.sign - x.sign;
  return BigInt.asUintN(width(format), sign < 0 !== max ? a : b);
}

/** The number of the operand's class in {@link floatClass}. */
export function classify(format: Format, a: bigint): number {
  const x = unpack(format, a);
  if (x.kind === 'nan') return x.signaling ? floatClass.signalingNan : floatClass.quietNan;
  if (x.kind === 'infinity') return x.sign === 1 ? floatClass.negativeInfinity : floatClass.positiveInfinity;
  if (x.kind === 'zero') return x.sign === 1 ? floatClass.negativeZero : floatClass.positiveZero;
  const normal = x.exponent + bitLength(x.significand) - 1 >= minExponent(format);
  if (x.sign === 1) return normal ? floatClass.negativeNormal : floatClass.negativeSubnormal;
  return normal ? floatClass.positiveNormal : floatClass.positiveSubnormal;
}
