/**
 * Expressions: pure trees over constants, locals, memory reads and the numeric instructions of WebAssembly.
 *
 * Constructors fold constants and the identities that operands of decoded instructions produce (adding zero, shifting by
 * zero, masking with all ones), so that a definition written once costs nothing where an operand is known.
 *
 * A tree is evaluated where a statement consumes it, not where it is built. What must survive a later write (to a
 * register, a local or memory) is bound with `let` first.
 */
import { numeric } from '../wasm/opcodes.ts';
import type { NumericOp, ScalarType } from '../wasm/opcodes.ts';
import { constant, int32, int64, small64 } from './node.ts';
import type { Expr, F32, F64, I32, I64 } from './node.ts';
import { binary, unary } from './simplify.ts';

export { local, read, select } from './node.ts';
export type { Expr, F32, F64, I32, I64, V128 } from './node.ts';

const u = (name: NumericOp): ((a: Expr) => never) => {
  const op = numeric[name];
  return (a) => unary(op, a) as never;
};
const b = (name: NumericOp): ((a: Expr, b: Expr) => never) => {
  const op = numeric[name];
  return (x, y) => binary(op, x, y) as never;
};

type IntArithmetic =
  'add' | 'sub' | 'mul' | 'div_s' | 'div_u' | 'rem_s' | 'rem_u' | 'and' | 'or' | 'xor' | 'shl' | 'shr_s' | 'shr_u' | 'rotl' | 'rotr';
type IntComparison = 'eq' | 'ne' | 'lt_s' | 'lt_u' | 'gt_s' | 'gt_u' | 'le_s' | 'le_u' | 'ge_s' | 'ge_u';
type IntUnary = 'clz' | 'ctz' | 'popcnt' | 'extend8_s' | 'extend16_s';
type FloatArithmetic = 'add' | 'sub' | 'mul' | 'div' | 'min' | 'max' | 'copysign';
type FloatComparison = 'eq' | 'ne' | 'lt' | 'gt' | 'le' | 'ge';
type FloatUnary = 'abs' | 'neg' | 'ceil' | 'floor' | 'trunc' | 'nearest' | 'sqrt';

type Binaries<Names extends string, T extends ScalarType, R extends ScalarType> = { readonly [K in Names]: (a: Expr<T>, b: Expr<T>) => Expr<R> };
type Unaries<Names extends string, T extends ScalarType, R extends ScalarType> = { readonly [K in Names]: (a: Expr<T>) => Expr<R> };

const intArithmetic: readonly IntArithmetic[] = ['add', 'sub', 'mul', 'div_s', 'div_u', 'rem_s', 'rem_u', 'and', 'or', 'xor', 'shl', 'shr_s', 'shr_u', 'rotl', 'rotr'];
const intComparison: readonly IntComparison[] = ['eq', 'ne', 'lt_s', 'lt_u', 'gt_s', 'gt_u', 'le_s', 'le_u', 'ge_s', 'ge_u'];
const intUnary: readonly IntUnary[] = ['clz', 'ctz', 'popcnt', 'extend8_s', 'extend16_s'];
const floatArithmetic: readonly FloatArithmetic[] = ['add', 'sub', 'mul', 'div', 'min', 'max', 'copysign'];
const floatComparison: readonly FloatComparison[] = ['eq', 'ne', 'lt', 'gt', 'le', 'ge'];
const floatUnary: readonly FloatUnary[] = ['abs', 'neg', 'ceil', 'floor', 'trunc', 'nearest', 'sqrt'];

type FromFloat<R extends ScalarType> = {
  readonly [K in 'trunc_f32_s' | 'trunc_f32_u' | 'trunc_sat_f32_s' | 'trunc_sat_f32_u']: (a: F32) => Expr<R>;
} & { readonly [K in 'trunc_f64_s' | 'trunc_f64_u' | 'trunc_sat_f64_s' | 'trunc_sat_f64_u']: (a: F64) => Expr<R> };
type FromInt<R extends ScalarType> = { readonly [K in 'convert_i32_s' | 'convert_i32_u']: (a: I32) => Expr<R> } & {
  readonly [K in 'convert_i64_s' | 'convert_i64_u']: (a: I64) => Expr<R>;
};

export interface I32Ops
  extends Binaries<IntArithmetic, 'i32', 'i32'>, Binaries<IntComparison, 'i32', 'i32'>, Unaries<IntUnary | 'eqz', 'i32', 'i32'>, FromFloat<'i32'> {
  readonly const: (value: number) => I32;
  readonly wrap_i64: (a: I64) => I32;
  readonly reinterpret_f32: (a: F32) => I32;
}
export interface I64Ops
  extends
    Binaries<IntArithmetic, 'i64', 'i64'>,
    Binaries<IntComparison, 'i64', 'i32'>,
    Unaries<IntUnary | 'extend32_s', 'i64', 'i64'>,
    Unaries<'eqz', 'i64', 'i32'>,
    FromFloat<'i64'> {
  /** A number is taken as it is (it must be an integer), a bigint modulo 2^64. */
  readonly const: (value: number | bigint) => I64;
  readonly extend_i32_s: (a: I32) => I64;
  readonly extend_i32_u: (a: I32) => I64;
  readonly reinterpret_f64: (a: F64) => I64;
}
export interface F32Ops extends Binaries<FloatArithmetic, 'f32', 'f32'>, Binaries<FloatComparison, 'f32', 'i32'>, Unaries<FloatUnary, 'f32', 'f32'>, FromInt<'f32'> {
  readonly const: (value: number) => F32;
  readonly demote_f64: (a: F64) => F32;
  readonly reinterpret_i32: (a: I32) => F32;
}
export interface F64Ops extends Binaries<FloatArithmetic, 'f64', 'f64'>, Binaries<FloatComparison, 'f64', 'i32'>, Unaries<FloatUnary, 'f64', 'f64'>, FromInt<'f64'> {
  readonly const: (value: number) => F64;
  readonly promote_f32: (a: F32) => F64;
  readonly reinterpret_i64: (a: I64) => F64;
}

function table(type: ScalarType, binaries: readonly string[], unaries: readonly string[]): Record<string, unknown> {
  const name = (suffix: string): NumericOp => `${type}.${suffix}` as NumericOp;
  return Object.fromEntries([...binaries.map((s) => [s, b(name(s))]), ...unaries.map((s) => [s, u(name(s))])]);
}
const truncations = ['trunc', 'trunc_sat'].flatMap((t) => ['f32_s', 'f32_u', 'f64_s', 'f64_u'].map((s) => `${t}_${s}`));
const conversions = ['convert_i32_s', 'convert_i32_u', 'convert_i64_s', 'convert_i64_u'];

/** Constructors of i32 expressions, by WebAssembly's names. */
export const i32: I32Ops = {
  ...table('i32', [...intArithmetic, ...intComparison], [...intUnary, 'eqz', 'wrap_i64', 'reinterpret_f32', ...truncations]),
  const: (value: number) => int32(value | 0),
} as unknown as I32Ops;

/** Constructors of i64 expressions. */
export const i64: I64Ops = {
  ...table('i64', [...intArithmetic, ...intComparison], [...intUnary, 'eqz', 'extend32_s', 'extend_i32_s', 'extend_i32_u', 'reinterpret_f64', ...truncations]),
  const: (value: number | bigint) => (typeof value === 'number' && (value | 0) === value ? small64(value | 0) : int64(BigInt.asIntN(64, BigInt(value)))),
} as unknown as I64Ops;

/** Constructors of f32 expressions. */
export const f32: F32Ops = {
  ...table('f32', [...floatArithmetic, ...floatComparison], [...floatUnary, 'demote_f64', 'reinterpret_i32', ...conversions]),
  const: (value: number) => constant('f32', Math.fround(value)),
} as unknown as F32Ops;

/** Constructors of f64 expressions. */
export const f64: F64Ops = {
  ...table('f64', [...floatArithmetic, ...floatComparison], [...floatUnary, 'promote_f32', 'reinterpret_i64', ...conversions]),
  const: (value: number) => constant('f64', value),
} as unknown as F64Ops;
