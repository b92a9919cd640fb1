/**
 * Nodes of expressions, and what makes them. Everything that looks at expressions meets all kinds of them in the same places, which is fast only
 * while the objects are of few shapes: leaves are of one, what is computed is of another, vectors of a third.
 */
import { typeOf } from '../wasm/opcodes.ts';
import type { MemoryOp, Numeric, ValueType } from '../wasm/opcodes.ts';
import type { Simd } from '../wasm/simd.ts';

export interface Const<T extends ValueType> {
  readonly kind: 'const';
  readonly type: T;
  /** bigint for i64 (signed) and v128 (unsigned), number otherwise (signed int32 for i32). */
  readonly value: number | bigint;
  /** The value of an integer that is an int32; undefined of others. */
  readonly small: number | undefined;
}
export interface Local<T extends ValueType> {
  readonly kind: 'local';
  readonly type: T;
  readonly index: number;
}
export interface Read<T extends ValueType> {
  readonly kind: 'read';
  readonly type: T;
  readonly op: MemoryOp;
  /** The address. */
  readonly a: I32;
  readonly offset: number;
}
export interface Unary<T extends ValueType> {
  readonly kind: 'unary';
  readonly type: T;
  readonly op: Numeric;
  readonly a: Expr;
}
export interface Binary<T extends ValueType> {
  readonly kind: 'binary';
  readonly type: T;
  readonly op: Numeric;
  readonly a: Expr;
  readonly b: Expr;
}
export interface Select<T extends ValueType> {
  readonly kind: 'select';
  readonly type: T;
  readonly condition: I32;
  readonly a: Expr<T>;
  readonly b: Expr<T>;
}

export interface Vector<T extends ValueType> {
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

const leaf = (kind: 'const' | 'local', type: ValueType, value: number | bigint, small: number | undefined, index: number): unknown => ({ kind, type, value, small, index });
const inner = (kind: 'read' | 'unary' | 'binary' | 'select', type: ValueType, op: Numeric | MemoryOp | undefined, a: Expr, b: Expr | undefined, condition: I32 | undefined, offset: number): unknown =>
  ({ kind, type, op, a, b, condition, offset });

/** A local variable of the function being emitted. */
export const local = <T extends ValueType>(type: T, index: number): Expr<T> => leaf('local', type, 0, undefined, index) as Expr<T>;

/** Constants: of 32 bits from an int32, of 64 from a signed number. */
export const int32 = (value: number): I32 => leaf('const', 'i32', value, value, -1) as I32;
export const int64 = (value: bigint): I64 => leaf('const', 'i64', value, value >= -0x8000_0000n && value <= 0x7fff_ffffn ? Number(value) : undefined, -1) as I64;
/** The same of a number that is an int32. */
export const small64 = (value: number): I64 => leaf('const', 'i64', BigInt(value), value, -1) as I64;
export const constant = <T extends 'f32' | 'f64' | 'v128'>(type: T, value: number | bigint): Expr<T> => leaf('const', type, value, undefined, -1) as Expr<T>;

/** A read of linear memory at `address + offset` (unsigned), of the loads' width and extension. */
export const read = <T extends ValueType>(op: MemoryOp & `${T}.load${string}`, address: I32, offset = 0): Expr<T> =>
  inner('read', typeOf(op), op, address, undefined, undefined, offset) as Expr<T>;

/** `condition ? a : b`, both evaluated. */
export function select<T extends ValueType>(condition: I32, a: Expr<T>, b: Expr<T>): Expr<T> {
  if (condition.kind === 'const') return condition.value === 0 ? b : a;
  return inner('select', a.type, undefined, a, b, condition, 0) as Expr<T>;
}

/** Nodes as they are: nothing is folded. */
export const unaryNode = (op: Numeric, a: Expr): Expr => inner('unary', op.result, op, a, undefined, undefined, 0) as Expr;
export const binaryNode = (op: Numeric, a: Expr, b: Expr): Expr => inner('binary', op.result, op, a, b, undefined, 0) as Expr;
export const vectorNode = (op: Simd, args: readonly Expr[], immediates: readonly number[]): Expr => ({ kind: 'vector', type: op.result, op, args, immediates }) as unknown as Expr;
