/** Parts of a vector register as loads and stores of its bytes would see them, for registers that are in locals (little-endian, as linear memory). */
import type { MemoryOp, ValueType } from '../wasm/opcodes.ts';
import { i32, i64 } from './expr.ts';
import type { Expr, F32, F64, I32, I64, V128 } from './expr.ts';
import { f32x4, f64x2, i16x8, i32x4, i64x2, i8x16, v128 } from './vector.ts';

/** Bytes of a register. */
export const VECTOR_SIZE = 16;

const ZERO = v128.const(0n);

type Take = (a: V128, byte: number) => Expr;
const takes: Readonly<Partial<Record<MemoryOp, Take>>> = {
  'v128.load': (a) => a,
  'v128.load64_zero': (a, byte) => (byte === 0 ? f64x2.replace_lane(ZERO, 0, f64x2.extract_lane(a, 0)) : i8x16.shuffle(a, ZERO, Array.from({ length: 16 }, (_, k) => 8 + k))),
  'f64.load': (a, byte) => f64x2.extract_lane(a, byte >> 3),
  'f32.load': (a, byte) => f32x4.extract_lane(a, byte >> 2),
  'i64.load': (a, byte) => i64x2.extract_lane(a, byte >> 3),
  'i64.load32_s': (a, byte) => i64.extend_i32_s(i32x4.extract_lane(a, byte >> 2)),
  'i64.load32_u': (a, byte) => i64.extend_i32_u(i32x4.extract_lane(a, byte >> 2)),
  'i64.load16_s': (a, byte) => i64.extend_i32_s(i16x8.extract_lane_s(a, byte >> 1)),
  'i64.load16_u': (a, byte) => i64.extend_i32_u(i16x8.extract_lane_u(a, byte >> 1)),
  'i64.load8_s': (a, byte) => i64.extend_i32_s(i8x16.extract_lane_s(a, byte)),
  'i64.load8_u': (a, byte) => i64.extend_i32_u(i8x16.extract_lane_u(a, byte)),
  'i32.load': (a, byte) => i32x4.extract_lane(a, byte >> 2),
  'i32.load16_u': (a, byte) => i16x8.extract_lane_u(a, byte >> 1),
  'i32.load8_u': (a, byte) => i8x16.extract_lane_u(a, byte),
};

type Put = (a: V128, byte: number, value: never) => V128;
const puts: Readonly<Partial<Record<MemoryOp, Put>>> = {
  'v128.store': (_, _byte, value: V128) => value,
  'f64.store': (a, byte, value: F64) => f64x2.replace_lane(a, byte >> 3, value),
  'f32.store': (a, byte, value: F32) => f32x4.replace_lane(a, byte >> 2, value),
  'i64.store': (a, byte, value: I64) => i64x2.replace_lane(a, byte >> 3, value),
  'i64.store32': (a, byte, value: I64) => i32x4.replace_lane(a, byte >> 2, i32.wrap_i64(value)),
  'i64.store16': (a, byte, value: I64) => i16x8.replace_lane(a, byte >> 1, i32.wrap_i64(value)),
  'i64.store8': (a, byte, value: I64) => i8x16.replace_lane(a, byte, i32.wrap_i64(value)),
  'i32.store': (a, byte, value: I32) => i32x4.replace_lane(a, byte >> 2, value),
  'i32.store16': (a, byte, value: I32) => i16x8.replace_lane(a, byte >> 1, value),
  'i32.store8': (a, byte, value: I32) => i8x16.replace_lane(a, byte, value),
};

/** What a load at a byte of the register reads. @throws {RangeError} there is no such part. */
export function partOf<T extends ValueType>(op: MemoryOp & `${T}.load${string}`, register: V128, byte: number): Expr<T> {
  const take = takes[op];
  if (take === undefined || (isWhole(op) && byte !== 0)) throw new RangeError(`${op} reads no part of a register`);
  return take(register, byte) as Expr<T>;
}

/** The register after a store at one of its bytes. @throws {RangeError} as {@link partOf}. */
export function withPart<T extends ValueType>(op: MemoryOp & `${T}.store${string}`, register: V128, byte: number, value: Expr<T>): V128 {
  const put = puts[op];
  if (put === undefined || (isWhole(op) && byte !== 0)) throw new RangeError(`${op} writes no part of a register`);
  return put(register, byte, value as never);
}

/** Whether a store is of a whole register. */
export const isWhole = (op: MemoryOp): boolean => op === 'v128.store' || op === 'v128.load';
