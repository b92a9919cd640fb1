/**
 * WebAssembly functions behind floating-point instructions of any ISA: what the host's arithmetic left out, found by error-free transformations
 * (Muller et al., Handbook of Floating-Point Arithmetic, 4.3 and 4.4), and the fused multiply-add built from them.
 *
 * All are for rounding to nearest even.
 */
import type { Block, FunctionDefinition } from '../ir/emitter.ts';
import { f32, f64, i32, i64, select } from '../ir/expr.ts';
import type { F32, F64, I32 } from '../ir/expr.ts';

/** Raises the inexact exception of the ISA if the condition holds. */
export type RaiseInexactIf = (b: Block, condition: I32) => void;

const zero = f64.const(0);
const notANumber = f64.const(Number.NaN);

/** Where the product of two numbers below {@link LARGE} is above {@link SMALL}, its error is a number and found without overflow. */
const LARGE = 2 ** 990;
const SMALL = 2 ** -900;

const all = (first: I32, ...others: readonly I32[]): I32 => others.reduce((a, b) => i32.and(a, b), first);
const below = (x: F64, bound: number): I32 => f64.lt(f64.abs(x), f64.const(bound));
const above = (x: F64, bound: number): I32 => f64.gt(f64.abs(x), f64.const(bound));

/** a + b - sum (TwoSum). */
function sumError(b: Block, x: F64, y: F64, sum: F64): F64 {
  const yRounded = b.let(f64.sub(sum, x));
  const xRounded = f64.sub(sum, yRounded);
  return b.let(f64.add(f64.sub(x, xRounded), f64.sub(y, yRounded)));
}

/** High part of a number split in two halves of its digits (Veltkamp). */
function upperHalf(b: Block, x: F64): F64 {
  const scaled = b.let(f64.mul(x, f64.const(2 ** 27 + 1)));
  return b.let(f64.sub(scaled, f64.sub(scaled, x)));
}

/** x × y - product (Dekker). */
function productError(b: Block, x: F64, y: F64, product: F64): F64 {
  const xHigh = upperHalf(b, x);
  const xLow = b.let(f64.sub(x, xHigh));
  const yHigh = upperHalf(b, y);
  const yLow = b.let(f64.sub(y, yHigh));
  const rest = f64.sub(f64.sub(f64.sub(product, f64.mul(xHigh, yHigh)), f64.mul(xLow, yHigh)), f64.mul(xHigh, yLow));
  return b.let(f64.sub(f64.mul(xLow, yLow), rest));
}

/** Adds `error`, at most half a unit in the last place of `value`, and rounds to odd. */
function toOdd(b: Block, value: F64, error: F64): F64 {
  const bits = b.let(i64.reinterpret_f64(value));
  const sameSign = i64.ge_s(i64.xor(bits, i64.reinterpret_f64(error)), i64.const(0));
  const neighbour = i64.add(bits, select(sameSign, i64.const(1), i64.const(-1)));
  const even = i64.eqz(i64.and(bits, i64.const(1)));
  return b.let(f64.reinterpret_i64(select(i32.and(even, f64.ne(error, zero)), neighbour, bits)));
}

/** Runs `body` where `condition` holds and yields what it leaves in the variable, else `otherwise`. */
function where(b: Block, condition: I32, body: () => F64, otherwise: F64): F64 {
  const result = b.variable(otherwise);
  b.if(condition, () => b.assign(result, body()));
  return result.get;
}

const f64s = (count: number): FunctionDefinition['params'] => Array<'f64'>(count).fill('f64');
const f32s = (count: number): FunctionDefinition['params'] => Array<'f32'>(count).fill('f32');

/** A function `(operands, result)` that raises NX if the result is inexact; it answers 0 where it cannot tell and has done nothing. */
function note(raiseInexactIf: RaiseInexactIf, operands: number, applies: (...x: F64[]) => I32, error: (b: Block, ...x: F64[]) => F64): FunctionDefinition {
  return {
    params: f64s(operands + 1),
    result: 'i32',
    body: (b, ...params) => {
      const x = params as F64[];
      const known = b.let(applies(...x));
      b.if(known, () => raiseInexactIf(b, f64.ne(error(b, ...x), zero)));
      return known;
    },
  };
}

/** The same for single precision: the exact result is compared in double precision. */
function noteSingle(raiseInexactIf: RaiseInexactIf, operands: number, inexact: (b: Block, ...x: F64[]) => I32): FunctionDefinition {
  return {
    params: f32s(operands + 1),
    result: 'i32',
    body: (b, ...params) => {
      raiseInexactIf(b, inexact(b, ...params.map((x) => b.let(f64.promote_f32(x as F32)))));
      return i32.const(1);
    },
  };
}

/** Remainder of a quotient or root: x - y × z. */
function remainder(b: Block, x: F64, y: F64, z: F64): F64 {
  const product = b.let(f64.mul(y, z));
  return f64.sub(f64.sub(x, product), productError(b, y, z, product));
}

/** x × y + z with one rounding, NX raised if inexact; NaN where this does not find it, with nothing done. */
function fusedDouble(raiseInexactIf: RaiseInexactIf, b: Block, x: F64, y: F64, z: F64): F64 {
  const product = b.let(f64.mul(x, y));
  const inRange = all(below(x, LARGE), below(y, LARGE), below(z, LARGE), above(product, SMALL));
  const exactZero = all(f64.eq(product, zero), i32.or(f64.eq(x, zero), f64.eq(y, zero)), below(z, Infinity));
  const withoutProduct = b.let(select(exactZero, f64.add(product, z), notANumber));
  return where(b, inRange, () => {
    // Boldo and Melquiond, Emulation of FMA and Correctly Rounded Sums: Proved Algorithms Using Rounding to Odd, 2008.
    const low = productError(b, x, y, product);
    const inner = b.let(f64.add(z, low));
    const innerError = sumError(b, z, low, inner);
    const high = b.let(f64.add(product, inner));
    const highError = sumError(b, product, inner, high);
    const rest = b.let(f64.add(innerError, highError));
    const odd = toOdd(b, rest, sumError(b, innerError, highError, rest));
    const result = b.let(f64.add(high, odd));
    const settled = b.let(below(result, Infinity));
    b.if(settled, () => raiseInexactIf(b, f64.ne(sumError(b, high, odd, result), zero)));
    return select(settled, result, notANumber);
  }, withoutProduct);
}

const SMALLEST_NORMAL_SINGLE = 2 ** -126;

/** The same for single precision: product and sum in double precision, the sum rounded to odd so that rounding again is right. */
function fusedSingle(raiseInexactIf: RaiseInexactIf, b: Block, x: F32, y: F32, z: F32): F32 {
  const product = b.let(f64.mul(f64.promote_f32(x), f64.promote_f32(y)));
  const addend = b.let(f64.promote_f32(z));
  const sum = b.let(f64.add(product, addend));
  const odd = toOdd(b, sum, sumError(b, product, addend, sum));
  const result = b.let(f32.demote_f64(odd));
  const exact = b.let(f64.eq(f64.promote_f32(result), odd));
  const magnitude = f32.abs(result);
  // Not infinite, not NaN, and exact or well above the subnormal numbers.
  const ordinary = all(f32.lt(magnitude, f32.const(Infinity)), i32.or(exact, f32.gt(magnitude, f32.const(SMALLEST_NORMAL_SINGLE))));
  const settled = b.let(ordinary);
  raiseInexactIf(b, i32.gt_u(settled, exact));
  return select(settled, result, f32.const(Number.NaN));
}

/** Rounds to an integral value in mode RNE, RTZ, RDN or RUP; NaN for any other mode. */
function roundToIntegral(b: Block, x: F64, mode: I32): F64 {
  const up = select(i32.eq(mode, i32.const(3)), f64.ceil(x), notANumber);
  const down = select(i32.eq(mode, i32.const(2)), f64.floor(x), up);
  const towardsZero = select(i32.eq(mode, i32.const(1)), f64.trunc(x), down);
  return b.let(select(i32.eqz(mode), f64.nearest(x), towardsZero));
}

/**
 * Functions that instructions `call`, by name. They find the only exception that may be left, inexact, when the host's operation rounded to
 * nearest and gave an ordinary result.
 */
export function floatFunctions(raiseInexactIf: RaiseInexactIf): Readonly<Record<string, FunctionDefinition>> {
  const inDouble = (operands: number, applies: (...x: F64[]) => I32, error: (b: Block, ...x: F64[]) => F64): FunctionDefinition => note(raiseInexactIf, operands, applies, error);
  const inSingle = (operands: number, inexact: (b: Block, ...x: F64[]) => I32): FunctionDefinition => noteSingle(raiseInexactIf, operands, inexact);
  return {
    // (a, b, a + b)
    fpNoteAdd64: inDouble(2, (_a, _b, sum) => below(sum, LARGE), (b, x, y, sum) => sumError(b, x, y, sum)),
    // (a, b, a × b)
    fpNoteMul64: inDouble(
      2,
      (x, y, product) => all(below(x, LARGE), below(y, LARGE), above(product, SMALL)),
      (b, x, y, product) => productError(b, x, y, product),
    ),
    // (a, b, a / b)
    fpNoteDiv64: inDouble(
      2,
      (x, y, quotient) => all(below(x, LARGE), above(x, SMALL), below(y, LARGE), below(quotient, LARGE)),
      (b, x, y, quotient) => remainder(b, x, quotient, y),
    ),
    // (a, √a)
    fpNoteSqrt64: inDouble(
      1,
      (x) => i32.or(i32.and(below(x, LARGE), above(x, SMALL)), f64.eq(x, zero)),
      (b, x, root) => remainder(b, x, root, root),
    ),
    fpNoteAdd32: inSingle(2, (b, x, y, sum) => {
      const wide = b.let(f64.add(x, y));
      return i32.or(f64.ne(wide, sum), f64.ne(sumError(b, x, y, wide), zero));
    }),
    fpNoteMul32: inSingle(2, (_, x, y, product) => f64.ne(f64.mul(x, y), product)),
    fpNoteDiv32: inSingle(2, (_, x, y, quotient) => f64.ne(f64.mul(quotient, y), x)),
    fpNoteSqrt32: inSingle(1, (_, x, root) => f64.ne(f64.mul(root, root), x)),
    // (a, b, c) → a × b + c, or NaN where JavaScript has to do it
    fpFused64: { params: f64s(3), result: 'f64', body: (b, x, y, z) => fusedDouble(raiseInexactIf, b, x as F64, y as F64, z as F64) },
    fpFused32: { params: f32s(3), result: 'f32', body: (b, x, y, z) => fusedSingle(raiseInexactIf, b, x as F32, y as F32, z as F32) },
    // (x, mode)
    fpIntegral: { params: ['f64', 'i32'], result: 'f64', body: (b, x, mode) => roundToIntegral(b, x as F64, mode as I32) },
  };
}
