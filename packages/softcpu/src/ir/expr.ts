/**
 * Expressions: pure trees over constants, locals, memory reads and the numeric instructions of WebAssembly.
 *
 * Constructors fold constants and the identities that operands of decoded instructions produce (adding zero, shifting by
 * zero, masking with all ones), so that a definition written once costs nothing where an operand is known.
 *
 * A tree is evaluated where a statement consumes it, not where it is built. What must survive a later write (to a
 * register, a local or memory) is bound with `let` first.
 */
import { numeric, typeOf } from '../wasm/opcodes.ts';
import type { MemoryOp, Numeric, NumericOp, ScalarType, ValueType } from '../wasm/opcodes.ts';
import type { Simd } from '../wasm/simd.ts';
import { folds } from './fold.ts';
import { LOADS, MASKED_LOADS } from './loads.ts';

interface Const<T extends ValueType> {
  readonly kind: 'const';
  readonly type: T;
  /** bigint for i64 (signed) and v128 (unsigned), number otherwise (signed int32 for i32). */
  readonly value: number | bigint;
}
interface Local<T extends ValueType> {
  readonly kind: 'local';
  readonly type: T;
  readonly index: number;
}
interface Read<T extends ValueType> {
  readonly kind: 'read';
  readonly type: T;
  readonly op: MemoryOp;
  readonly address: I32;
  readonly offset: number;
}
interface Unary<T extends ValueType> {
  readonly kind: 'unary';
  readonly type: T;
  readonly op: Numeric;
  readonly a: Expr;
}
interface Binary<T extends ValueType> {
  readonly kind: 'binary';
  readonly type: T;
  readonly op: Numeric;
  readonly a: Expr;
  readonly b: Expr;
}
interface Select<T extends ValueType> {
  readonly kind: 'select';
  readonly type: T;
  readonly condition: I32;
  readonly a: Expr<T>;
  readonly b: Expr<T>;
}

interface Vector<T extends ValueType> {
  readonly kind: 'vector';
  readonly type: T;
  readonly op: Simd;
  readonly args: readonly Expr[];
  readonly immediates: readonly number[];
}

export type Expr<T extends ValueType = ValueType> = T extends ValueType
  ? Const<T> | Local<T> | Read<T> | Unary<T> | Binary<T> | Select<T> | Vector<T>
  : never;
export type I32 = Expr<'i32'>;
export type I64 = Expr<'i64'>;
export type F32 = Expr<'f32'>;
export type F64 = Expr<'f64'>;
/** 16 bytes; see `vector.ts`. */
export type V128 = Expr<'v128'>;

/** A local variable of the function being emitted. */
export function local<T extends ValueType>(type: T, index: number): Expr<T> {
  return { kind: 'local', type, index } satisfies Local<T> as unknown as Expr<T>;
}

/** A read of linear memory at `address + offset` (unsigned), of the loads' width and extension. */
export function read<T extends ValueType>(op: MemoryOp & `${T}.load${string}`, address: I32, offset = 0): Expr<T> {
  return { kind: 'read', type: typeOf(op) as T, op, address, offset } satisfies Read<T> as unknown as Expr<T>;
}

/** `condition ? a : b`, both evaluated. */
export function select<T extends ValueType>(condition: I32, a: Expr<T>, b: Expr<T>): Expr<T> {
  if (condition.kind === 'const') return condition.value === 0 ? b : a;
  return { kind: 'select', type: a.type as T, condition, a, b } as unknown as Expr<T>;
}

function constant<T extends ScalarType>(type: T, value: number | bigint): Expr<T> {
  return { kind: 'const', type, value } as unknown as Expr<T>;
}

const isConst = (e: Expr, value: bigint): boolean => e.kind === 'const' && (e.type === 'i32' || e.type === 'i64') && BigInt(e.value) === value;

/** Bits taken for a number and back. */
const inverses: ReadonlyMap<NumericOp, NumericOp> = new Map([
  ['f64.reinterpret_i64', 'i64.reinterpret_f64'],
  ['i64.reinterpret_f64', 'f64.reinterpret_i64'],
]);

const LOW = 0xffff_ffffn;
const isMasked = (e: Expr): e is Expr & Binary<'i64'> => e.kind === 'binary' && e.op.name === 'i64.and' && isConst(e.b, LOW);
const isExtended = (e: Expr): e is Expr & Unary<'i64'> => e.kind === 'unary' && e.op.name.startsWith('i64.extend_i32');
/** Sums that are to be cut to 32 bits and how they are computed with so many: optimizing compilers leave out what takes the operands' low bits. */
const SUMS: ReadonlyMap<NumericOp, NumericOp> = new Map([
  ['i64.add', 'i32.add'],
  ['i64.sub', 'i32.sub'],
]);

/** The same place, read otherwise. */
const readAs = (op: MemoryOp, { address, offset }: Read<ValueType>): Expr => read(op as MemoryOp & 'i64.load', address, offset);

/** What a load can do besides: a value derived from what is read, by one load, if there is such. */
function derived(loads: ReadonlyMap<MemoryOp, MemoryOp> | undefined, a: Expr): Expr | undefined {
  const load = a.kind === 'read' ? loads?.get(a.op) : undefined;
  return load === undefined ? undefined : readAs(load, a as Read<'i64'> & Expr);
}

/** The low 32 bits of a 64-bit value. */
function low(e: Expr): Expr {
  if (isMasked(e)) return low(e.a);
  if (isExtended(e)) return e.a;
  return e.kind === 'const' ? constant('i32', Number(BigInt.asIntN(32, e.value as bigint))) : unary(numeric['i32.wrap_i64'], e);
}

function unary(op: Numeric, a: Expr): Expr {
  const fold = a.kind === 'const' ? folds.get(op.name) : undefined;
  if (fold !== undefined) return constant(op.result, fold((a as Const<ScalarType>).value));
  if (op.name === 'i32.wrap_i64' && (isMasked(a) || isExtended(a))) return low(a);
  const loaded = derived(LOADS.get(op.name), a);
  if (loaded !== undefined) return loaded;
  if (a.kind === 'unary' && inverses.get(op.name) === a.op.name) return a.a;
  return { kind: 'unary', type: op.result, op, a } as unknown as Expr;
}

/** Suffixes of instructions whose right operand 0 leaves the left one as it is. */
const rightZero = new Set(['add', 'sub', 'or', 'xor', 'shl', 'shr_s', 'shr_u', 'rotl', 'rotr']);
const comparisons = new Set(['eq', 'ne', 'lt', 'gt', 'le', 'ge', 'lt_s', 'lt_u', 'gt_s', 'gt_u', 'le_s', 'le_u', 'ge_s', 'ge_u']);
const leftZero = new Set(['add', 'or', 'xor']);

/** Whether a value is 0 or 1. */
function isBoolean(e: Expr): boolean {
  if (e.kind === 'unary') return e.op.name.endsWith('.eqz');
  if (e.kind !== 'binary') return false;
  return comparisons.has(e.op.name.slice(4)) || (e.op.name === 'i32.and' && (isBoolean(e.a) || isBoolean(e.b)));
}

function binary(op: Numeric, a: Expr, b: Expr): Expr {
  const suffix = op.name.slice(4);
  if (a.kind === 'const' && b.kind === 'const') {
    const fold = folds.get(op.name);
    if (fold !== undefined) return constant(op.result, fold(a.value, b.value));
  } else if (b.kind === 'const') {
    if (rightZero.has(suffix) && isConst(b, 0n)) return a;
    if (suffix === 'and' && isConst(b, -1n)) return a;
    if (suffix === 'and' && isConst(b, 0n)) return b;
    const sum = op.name === 'i64.and' && a.kind === 'binary' && isConst(b, LOW) ? SUMS.get(a.op.name) : undefined;
    if (sum !== undefined) return unary(numeric['i64.extend_i32_u'], binary(numeric[sum], low((a as Binary<'i64'>).a), low((a as Binary<'i64'>).b)));
    const loaded = op.name === 'i64.and' ? derived(MASKED_LOADS.get(b.value as bigint), a) : undefined;
    if (loaded !== undefined) return loaded;
    if (suffix === 'mul' && isConst(b, 1n)) return a;
  } else if (a.kind === 'const') {
    if (leftZero.has(suffix) && isConst(a, 0n)) return b;
    if (suffix === 'and' && isConst(a, -1n)) return b;
    if (op.name === 'i32.and' && isConst(a, 1n) && isBoolean(b)) return b;
    if (suffix === 'and' && isConst(a, 0n)) return a;
  }
  return { kind: 'binary', type: op.result, op, a, b } as unknown as Expr;
}

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
  const: (value: number) => constant('i32', value | 0),
} as unknown as I32Ops;

/** Constructors of i64 expressions. */
export const i64: I64Ops = {
  ...table('i64', [...intArithmetic, ...intComparison], [...intUnary, 'eqz', 'extend32_s', 'extend_i32_s', 'extend_i32_u', 'reinterpret_f64', ...truncations]),
  const: (value: number | bigint) => constant('i64', BigInt.asIntN(64, BigInt(value))),
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
