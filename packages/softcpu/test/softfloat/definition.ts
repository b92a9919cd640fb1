/**
 * Rounding from its definition alone: among the values of a format, found by searching its encodings in order, the one that the
 * direction chooses. Shares nothing with the functions under test but the names of the environment.
 */
import { flag, rounding } from '../../src/softfloat/index.ts';
import type { FloatEnv, Format, Rounding } from '../../src/softfloat/index.ts';

/** numerator / denominator, the denominator positive. */
export interface Rational {
  readonly n: bigint;
  readonly d: bigint;
}

const scale = (n: bigint, exponent: number): Rational => (exponent >= 0 ? { n: n << BigInt(exponent), d: 1n } : { n, d: 1n << BigInt(-exponent) });

/** Magnitude of an encoding without its sign; infinity counts as the number one step beyond the largest. */
export function magnitudeOf(format: Format, bits: bigint): Rational {
  const field = Number(bits >> BigInt(format.fractionBits));
  const fraction = bits & ((1n << BigInt(format.fractionBits)) - 1n);
  const bias = 2 ** (format.exponentBits - 1) - 1;
  const significand = field === 0 ? fraction : fraction + (1n << BigInt(format.fractionBits));
  return scale(significand, Math.max(field, 1) - bias - format.fractionBits);
}

/** Sign of (exact magnitude - r), for a result that may be irrational. */
export type Compare = (r: Rational) => number;

/** Compares the rational x with r. */
export function rational(x: Rational): Compare {
  return (r) => Number(x.n * r.d > r.n * x.d) - Number(x.n * r.d < r.n * x.d);
}

function largestNotAbove(compare: Compare, value: (bits: bigint) => Rational, count: bigint): bigint {
  let low = 0n;
  let high = count;
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (compare(value(middle)) >= 0) low = middle;
    else high = middle;
  }
  return low;
}

const sum = (a: Rational, b: Rational): Rational => ({ n: a.n * b.d + b.n * a.d, d: a.d * b.d });

/** The neighbour that a direction takes, as 0 (below) or 1 (above), of an exact magnitude strictly between two. */
function choose(mode: Rounding, sign: number, compare: Compare, below: Rational, above: Rational, belowIsOdd: boolean): bigint {
  const toMiddle = compare({ n: sum(below, above).n, d: sum(below, above).d * 2n });
  const up = {
    [rounding.RNE]: toMiddle > 0 || (toMiddle === 0 && belowIsOdd),
    [rounding.RTZ]: false,
    [rounding.RDN]: sign === 1,
    [rounding.RUP]: sign === 0,
    [rounding.RMM]: toMiddle >= 0,
    [rounding.ODD]: !belowIsOdd,
  }[mode];
  return up ? 1n : 0n;
}

/** The encoding of a nonzero exact result and the flags it raises in `env`. */
export function roundByDefinition(format: Format, env: FloatEnv, sign: number, compare: Compare): bigint {
  const infinity = ((1n << BigInt(format.exponentBits)) - 1n) << BigInt(format.fractionBits);
  const value = (bits: bigint): Rational => magnitudeOf(format, bits);
  const signBit = BigInt(sign) << BigInt(format.exponentBits + format.fractionBits);
  const below = largestNotAbove(compare, value, infinity + 1n);
  if (below === infinity) {
    // Beyond what would follow the largest number; that one is odd.
    env.flags |= flag.OF | flag.NX;
    return signBit | (infinity - 1n + choose(env.rounding, sign, () => 1, value(infinity), value(infinity), true));
  }
  if (compare(value(below)) === 0) return signBit | below;
  const result = below + choose(env.rounding, sign, compare, value(below), value(below + 1n), (below & 1n) === 1n);
  env.flags |= flag.NX;
  if (result === infinity) env.flags |= flag.OF;
  if (isTiny(format, env, sign, compare)) env.flags |= flag.UF;
  return signBit | result;
}

/** Tiny: below the smallest normal number, before or after rounding to a format of the same precision without a lower bound. */
function isTiny(format: Format, env: FloatEnv, sign: number, compare: Compare): boolean {
  const smallestNormal = magnitudeOf(format, 1n << BigInt(format.fractionBits));
  if (compare(smallestNormal) >= 0) return false;
  if (env.tininessBefore) return true;
  const last: Rational = { n: smallestNormal.n, d: smallestNormal.d << BigInt(format.fractionBits + 1) };
  const predecessor = { n: smallestNormal.n * last.d - last.n * smallestNormal.d, d: smallestNormal.d * last.d };
  if (compare(predecessor) <= 0) return true;
  return choose(env.rounding, sign, compare, predecessor, smallestNormal, true) === 0n;
}
