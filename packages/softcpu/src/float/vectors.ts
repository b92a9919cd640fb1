/**
 * Whether rounded results of the host's vectors are inexact, lane by lane: error-free transformations (Muller et al., Handbook of Floating-Point
 * Arithmetic, 4.3 and 4.4), as `floatFunctions` does it for one number. All are for rounding to nearest even.
 */
import type { Block } from '../ir/emitter.ts';
import { f64 } from '../ir/expr.ts';
import type { V128 } from '../ir/expr.ts';
import { f32x4, f64x2, i8x16, v128 } from '../ir/vector.ts';

/** What was found out about an operation: masks of the lanes whose result is inexact, and of those where that is right. */
export interface FoundInexact {
  readonly inexact: V128;
  readonly known: V128;
}

/** Finds out about `result`, of the operation on `a` and `b`; all bound. Square roots are those of `b`. */
export type FindInexact = (e: Block, a: V128, b: V128, result: V128) => FoundInexact;

/** Operations that round; a difference is the sum with the opposite number. */
export type RoundedOperation = 'add' | 'mul' | 'div' | 'sqrt';

const ZERO = v128.const(0n);
/** Below the first nothing overflows on the way; errors of products above the second are numbers. */
const LARGE = f64x2.splat(f64.const(2 ** 990));
const SMALL = f64x2.splat(f64.const(2 ** -900));
const SPLITTER = f64x2.splat(f64.const(2 ** 27 + 1));
const below = (x: V128): V128 => f64x2.lt(f64x2.abs(x), LARGE);
const above = (x: V128): V128 => f64x2.gt(f64x2.abs(x), SMALL);
const isZero = (x: V128): V128 => f64x2.eq(x, ZERO);

/** a + b - sum (TwoSum). */
function sumError(e: Block, a: V128, b: V128, sum: V128): V128 {
  const bRounded = e.let(f64x2.sub(sum, a));
  const aRounded = f64x2.sub(sum, bRounded);
  return f64x2.add(f64x2.sub(a, aRounded), f64x2.sub(b, bRounded));
}

/** High and low half of the digits (Veltkamp). */
function split(e: Block, x: V128): readonly [V128, V128] {
  const scaled = e.let(f64x2.mul(x, SPLITTER));
  const high = e.let(f64x2.sub(scaled, f64x2.sub(scaled, x)));
  return [high, e.let(f64x2.sub(x, high))];
}

/** a × b - product (Dekker). */
function productError(e: Block, a: V128, b: V128, product: V128): V128 {
  const [aHigh, aLow] = split(e, a);
  const [bHigh, bLow] = split(e, b);
  const rest = f64x2.sub(f64x2.sub(f64x2.sub(product, f64x2.mul(aHigh, bHigh)), f64x2.mul(aLow, bHigh)), f64x2.mul(aHigh, bLow));
  return f64x2.sub(f64x2.mul(aLow, bLow), rest);
}

/** Whether x is not y × z: the remainder of a quotient or root. */
function differs(e: Block, x: V128, y: V128, z: V128): V128 {
  const product = e.let(f64x2.mul(y, z));
  return f64x2.ne(f64x2.add(productError(e, y, z, product), f64x2.sub(product, x)), ZERO);
}

/** `usual` where no operand is zero; where one is, the result is exact. */
const orZero = (zero: V128, inexact: V128, usual: V128): FoundInexact => ({ inexact: v128.andnot(inexact, zero), known: v128.or(usual, zero) });

/** Double precision, for two lanes. */
const double: Readonly<Record<RoundedOperation, FindInexact>> = {
  add: (e, a, b, sum) => ({ inexact: f64x2.ne(sumError(e, a, b, sum), ZERO), known: below(sum) }),
  mul: (e, a, b, product) => {
    const zero = e.let(v128.or(isZero(a), isZero(b)));
    return orZero(zero, f64x2.ne(productError(e, a, b, product), ZERO), v128.and(v128.and(below(a), below(b)), above(product)));
  },
  div: (e, a, b, quotient) => {
    const inRange = v128.and(v128.and(below(a), above(a)), v128.and(below(b), below(quotient)));
    return orZero(e.let(isZero(a)), differs(e, a, quotient, b), inRange);
  },
  sqrt: (e, _, b, root) => orZero(e.let(isZero(b)), differs(e, b, root, root), v128.and(below(b), above(b))),
};

const LOW_TO_HIGH = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];
/** Two of the four lanes of single precision, as numbers of double precision. */
const half = (e: Block, x: V128, upper: boolean): V128 => e.let(f64x2.promote_low_f32x4(upper ? i8x16.shuffle(x, x, LOW_TO_HIGH) : x));

/** Single precision: the lanes from both halves, each compared with what double precision gives. Finite results are always known. */
const single =
  (inexact: (e: Block, a: V128, b: V128, result: V128) => V128): FindInexact =>
  (e, a, b, result) => {
    const [low, high] = [false, true].map((upper) => inexact(e, half(e, a, upper), half(e, b, upper), half(e, result, upper))) as [V128, V128];
    // Of each 64-bit mask one half.
    const lanes = i8x16.shuffle(low, high, [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27]);
    return { inexact: lanes, known: f32x4.eq(result, result) };
  };
const singles: Readonly<Record<RoundedOperation, FindInexact>> = {
  add: single((e, x, y, sum) => {
    const wide = e.let(f64x2.add(x, y));
    return v128.or(f64x2.ne(wide, sum), f64x2.ne(sumError(e, x, y, wide), ZERO));
  }),
  mul: single((_, x, y, product) => f64x2.ne(f64x2.mul(x, y), product)),
  div: single((_, x, y, quotient) => f64x2.ne(f64x2.mul(quotient, y), x)),
  sqrt: single((_, _x, y, root) => f64x2.ne(f64x2.mul(root, root), y)),
};

/** By operation, of single and of double precision. */
export const vectorInexact: { readonly single: typeof singles; readonly double: typeof double } = { single: singles, double };
