/**
 * Integer semantics of WebAssembly in JavaScript: what constant folding computes. i32 values are int32 numbers, i64
 * values are bigint in two's complement range. Core specification, section 4.3.2.
 *
 * Divisions are not here (they may trap), nor is floating point (NaN payloads are the machine's choice).
 */
import type { NumericOp } from '../wasm/opcodes.ts';

const MASK64 = 0xffff_ffff_ffff_ffffn;
const signed = (v: bigint): bigint => BigInt.asIntN(64, v);
const unsigned = (v: bigint): bigint => BigInt.asUintN(64, v);
const bool = (v: boolean): number => (v ? 1 : 0);

function popcnt32(v: number): number {
  let count = 0;
  for (let rest = v; rest !== 0; rest &= rest - 1) count++;
  return count;
}
const low = (v: bigint): number => Number(BigInt.asIntN(32, v));
const high = (v: bigint): number => Number(BigInt.asIntN(32, v >> 32n));
const clz64 = (v: bigint): number => (high(v) !== 0 ? Math.clz32(high(v)) : 32 + Math.clz32(low(v)));
const ctz32 = (v: number): number => (v === 0 ? 32 : 31 - Math.clz32(v & -v));
const ctz64 = (v: bigint): number => (low(v) !== 0 ? ctz32(low(v)) : 32 + ctz32(high(v)));
const rotl64 = (a: bigint, n: bigint): bigint => signed((unsigned(a) << n) | (unsigned(a) >> (64n - n)));

type Unary<A, R> = (a: A) => R;
type Binary<A, R> = (a: A, b: A) => R;

const i32: Readonly<Record<string, Unary<number, number> | Binary<number, number>>> = {
  eqz: (a: number) => bool(a === 0),
  eq: (a: number, b: number) => bool(a === b),
  ne: (a: number, b: number) => bool(a !== b),
  lt_s: (a: number, b: number) => bool(a < b),
  lt_u: (a: number, b: number) => bool(a >>> 0 < b >>> 0),
  gt_s: (a: number, b: number) => bool(a > b),
  gt_u: (a: number, b: number) => bool(a >>> 0 > b >>> 0),
  le_s: (a: number, b: number) => bool(a <= b),
  le_u: (a: number, b: number) => bool(a >>> 0 <= b >>> 0),
  ge_s: (a: number, b: number) => bool(a >= b),
  ge_u: (a: number, b: number) => bool(a >>> 0 >= b >>> 0),
  clz: (a: number) => Math.clz32(a),
  ctz: ctz32,
  popcnt: popcnt32,
  add: (a: number, b: number) => (a + b) | 0,
  sub: (a: number, b: number) => (a - b) | 0,
  mul: (a: number, b: number) => Math.imul(a, b),
  and: (a: number, b: number) => a & b,
  or: (a: number, b: number) => a | b,
  xor: (a: number, b: number) => a ^ b,
  shl: (a: number, b: number) => a << b,
  shr_s: (a: number, b: number) => a >> b,
  shr_u: (a: number, b: number) => (a >>> b) | 0,
  rotl: (a: number, b: number) => (a << b) | (a >>> (-b & 31)),
  rotr: (a: number, b: number) => (a >>> b) | (a << (-b & 31)),
  extend8_s: (a: number) => (a << 24) >> 24,
  extend16_s: (a: number) => (a << 16) >> 16,
};

const i64: Readonly<Record<string, Unary<bigint, bigint | number> | Binary<bigint, bigint | number>>> = {
  eqz: (a: bigint) => bool(a === 0n),
  eq: (a: bigint, b: bigint) => bool(a === b),
  ne: (a: bigint, b: bigint) => bool(a !== b),
  lt_s: (a: bigint, b: bigint) => bool(a < b),
  lt_u: (a: bigint, b: bigint) => bool(unsigned(a) < unsigned(b)),
  gt_s: (a: bigint, b: bigint) => bool(a > b),
  gt_u: (a: bigint, b: bigint) => bool(unsigned(a) > unsigned(b)),
  le_s: (a: bigint, b: bigint) => bool(a <= b),
  le_u: (a: bigint, b: bigint) => bool(unsigned(a) <= unsigned(b)),
  ge_s: (a: bigint, b: bigint) => bool(a >= b),
  ge_u: (a: bigint, b: bigint) => bool(unsigned(a) >= unsigned(b)),
  clz: (a: bigint) => BigInt(clz64(a)),
  ctz: (a: bigint) => BigInt(ctz64(a)),
  popcnt: (a: bigint) => BigInt(popcnt32(low(a)) + popcnt32(high(a))),
  add: (a: bigint, b: bigint) => signed(a + b),
  sub: (a: bigint, b: bigint) => signed(a - b),
  mul: (a: bigint, b: bigint) => signed(a * b),
  and: (a: bigint, b: bigint) => a & b,
  or: (a: bigint, b: bigint) => a | b,
  xor: (a: bigint, b: bigint) => a ^ b,
  shl: (a: bigint, b: bigint) => signed(a << (b & 63n)),
  shr_s: (a: bigint, b: bigint) => a >> (b & 63n),
  shr_u: (a: bigint, b: bigint) => signed((a & MASK64) >> (b & 63n)),
  rotl: (a: bigint, b: bigint) => rotl64(a, b & 63n),
  rotr: (a: bigint, b: bigint) => rotl64(a, -b & 63n),
  extend8_s: (a: bigint) => BigInt.asIntN(8, a),
  extend16_s: (a: bigint) => BigInt.asIntN(16, a),
  extend32_s: (a: bigint) => BigInt.asIntN(32, a),
};

/** What a foldable instruction computes; i32 as number, i64 as bigint. */
export type Fold = (a: number | bigint, b?: number | bigint) => number | bigint;

/** Folding functions by instruction name. */
export const folds: ReadonlyMap<NumericOp, Fold> = new Map([
  ...Object.entries(i32).map(([name, fn]) => [`i32.${name}` as NumericOp, fn as Fold] as const),
  ...Object.entries(i64).map(([name, fn]) => [`i64.${name}` as NumericOp, fn as Fold] as const),
  ['i32.wrap_i64', ((a: bigint) => low(a)) as Fold] as const,
  ['i64.extend_i32_s', ((a: number) => BigInt(a)) as Fold] as const,
  ['i64.extend_i32_u', ((a: number) => BigInt(a >>> 0)) as Fold] as const,
]);
