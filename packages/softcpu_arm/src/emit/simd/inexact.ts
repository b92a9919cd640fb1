/**
 * Whether rounded results are inexact, for FPSR.IXC while it is still clear: error-free transformations on the host's vectors, lane by lane
 * (Muller et al., Handbook of Floating-Point Arithmetic, 4.3 and 4.4), as `floatFunctions` of softcpu do it for one number.
 */
import { f32x4, f64, f64x2, i8x16, i32, i32x4, i64x2, select, v128 } from '@axvisor/softcpu';
import type { Block, FunctionDefinition, I32, V128 } from '@axvisor/softcpu';
import { FPSR } from '../../state.ts';
import { ZERO } from './vector.ts';

/** FPSR.IXC. */
export const IXC: number = 1 << 4;

/** Sets FPSR.IXC if the condition holds. */
export const raiseInexact = (e: Pick<Block, 'if' | 'setState' | 'state'>, condition: I32): void =>
  e.if(condition, () => e.setState('i32.store', FPSR, i32.or(e.state('i32.load', FPSR), i32.const(IXC))));

/** What was found out about an operation: the lanes whose result is inexact, and those where that is right. */
interface Found {
  readonly inexact: V128;
  readonly known: V128;
}

/** Below the first nothing overflows on the way; errors of products above the second are numbers. */
const LARGE = f64x2.splat(f64.const(2 ** 990));
const SMALL = f64x2.splat(f64.const(2 ** -900));
const SPLITTER = f64x2.splat(f64.const(2 ** 27 + 1));
const below = (x: V128): V128 => f64x2.lt(f64x2.abs(x), LARGE);

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

type Find = (e: Block, a: V128, b: V128, result: V128) => Found;

/** Double precision, for two lanes. */
const findDouble: { readonly add: Find; readonly mul: Find } = {
  add: (e, a, b, sum) => ({ inexact: f64x2.ne(sumError(e, a, b, sum), ZERO), known: below(sum) }),
  mul: (e, a, b, product) => {
    const zero = e.let(v128.or(f64x2.eq(a, ZERO), f64x2.eq(b, ZERO)));
    const usual = v128.and(v128.and(below(a), below(b)), f64x2.gt(f64x2.abs(product), SMALL));
    return { inexact: v128.andnot(f64x2.ne(productError(e, a, b, product), ZERO), zero), known: v128.or(usual, zero) };
  },
};

const LOW_TO_HIGH = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];
/** Two of the four lanes of single precision, as numbers of double precision. */
const half = (e: Block, x: V128, upper: boolean): V128 => e.let(f64x2.promote_low_f32x4(upper ? i8x16.shuffle(x, x, LOW_TO_HIGH) : x));

/** Single precision: the lanes from both halves, each compared with what double precision gives. Finite results are always known. */
function findSingle(e: Block, a: V128, b: V128, result: V128, inexact: (a: V128, b: V128, result: V128) => V128): Found {
  const [low, high] = [false, true].map((upper) => inexact(half(e, a, upper), half(e, b, upper), half(e, result, upper))) as [V128, V128];
  // Of each 64-bit mask one half.
  const lanes = i8x16.shuffle(low, high, [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27]);
  return { inexact: lanes, known: f32x4.eq(result, result) };
}
const findSingles: { readonly add: Find; readonly mul: Find } = {
  add: (e, a, b, sum) =>
    findSingle(e, a, b, sum, (x, y, s) => {
      const wide = e.let(f64x2.add(x, y));
      return v128.or(f64x2.ne(wide, s), f64x2.ne(sumError(e, x, y, wide), ZERO));
    }),
  mul: (e, a, b, product) => findSingle(e, a, b, product, (x, y, p) => f64x2.ne(f64x2.mul(x, y), p)),
};

const HIGH = v128.const(((1n << 64n) - 1n) << 64n);
const note = (find: Find, all: (lanes: V128) => I32): FunctionDefinition => ({
  params: ['v128', 'v128', 'v128', 'i32'],
  result: 'i32',
  body: (b, ...params) => {
    const [x, y, result, q] = params as [V128, V128, V128, I32];
    const { inexact, known } = find(b, x, y, result);
    // Without Q the upper half does not count.
    const ignored = b.let(select(q, ZERO, HIGH));
    const settled = b.let(all(v128.or(known, ignored)));
    raiseInexact(b, i32.and(settled, v128.any_true(v128.andnot(inexact, ignored))));
    return settled;
  },
});

/** Functions `(a, b, result, Q)` that raise the inexact exception if it is due, and answer 0 where they cannot tell: sums and products, by precision. */
export const inexactFunctions: Readonly<Record<string, FunctionDefinition>> = {
  fpNoteAdd4s: note(findSingles.add, i32x4.all_true),
  fpNoteMul4s: note(findSingles.mul, i32x4.all_true),
  fpNoteAdd2d: note(findDouble.add, i64x2.all_true),
  fpNoteMul2d: note(findDouble.mul, i64x2.all_true),
};
