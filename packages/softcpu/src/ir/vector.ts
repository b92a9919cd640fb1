/**
 * Constructors of vector expressions, by WebAssembly's names: `i32x4.add(a, b)`, `i8x16.shl(a, n)`, `f64x2.extract_lane(a, 0)`,
 * `v128.bitselect(a, b, mask)`.
 */
import { simd, simdForms } from '../wasm/simd.ts';
import type { ExtractLane, LaneType, ReplaceLane, Shape, SimdOp, Splat, VectorBinary, VectorShift, VectorTest, VectorUnary } from '../wasm/simd.ts';
import { constant, vectorNode } from './node.ts';
import type { Expr, I32, V128 } from './node.ts';

type Lane<S extends string> = Expr<LaneType<S & Shape>>;
/** What follows the shape in names of a form. */
type Of<Names extends string, S extends string> = Names extends `${S}.${infer Suffix}` ? Suffix : never;

type VectorOps<S extends string> = { readonly [K in Of<VectorBinary, S>]: (a: V128, b: V128) => V128 } & {
  readonly [K in Of<VectorUnary, S>]: (a: V128) => V128;
} & { readonly [K in Of<VectorTest, S>]: (a: V128) => I32 } & { readonly [K in Of<VectorShift, S>]: (a: V128, count: I32) => V128 } & {
  readonly [K in Of<Splat, S>]: (lane: Lane<S>) => V128;
} & { readonly [K in Of<ExtractLane, S>]: (a: V128, lane: number) => Lane<S> } & {
  readonly [K in Of<ReplaceLane, S>]: (a: V128, lane: number, value: Lane<S>) => V128;
};

function node(name: SimdOp, args: readonly Expr[], immediates: readonly number[] = []): never {
  return vectorNode(simd[name], args, immediates) as never;
}

function ops<S extends string>(shape: S): VectorOps<S> {
  const own = <N extends string>(names: readonly N[]): N[] => names.filter((name) => name.startsWith(`${shape}.`));
  const named = <N extends SimdOp>(names: readonly N[], make: (name: N) => unknown): [string, unknown][] => own(names).map((name) => [name.slice(shape.length + 1), make(name)]);
  const plain = (name: SimdOp) => (...args: Expr[]) => node(name, args);
  return Object.fromEntries([
    ...named([...simdForms.binary, ...simdForms.unary, ...simdForms.test, ...simdForms.shift, ...simdForms.splat], plain),
    ...named(simdForms.extract, (name) => (a: V128, lane: number) => node(name, [a], [lane])),
    ...named(simdForms.replace, (name) => (a: V128, lane: number, value: Expr) => node(name, [a, value], [lane])),
  ]) as VectorOps<S>;
}

export interface V128Ops extends VectorOps<'v128'> {
  /** The low 128 bits. */
  readonly const: (value: bigint) => V128;
  /** Bits of `a` where `mask` is 1, of `b` where it is 0. */
  readonly bitselect: (a: V128, b: V128, mask: V128) => V128;
}
export interface I8x16Ops extends VectorOps<'i8x16'> {
  /** Sixteen bytes of the 32 of `a` and `b`, by their numbers. */
  readonly shuffle: (a: V128, b: V128, bytes: readonly number[]) => V128;
}

export const v128: V128Ops = {
  ...ops('v128'),
  const: (value) => constant('v128', BigInt.asUintN(128, value)),
  bitselect: (a, b, mask) => node('v128.bitselect', [a, b, mask]),
};
export const i8x16: I8x16Ops = { ...ops('i8x16'), shuffle: (a, b, bytes) => node('i8x16.shuffle', [a, b], bytes) };
export const i16x8: VectorOps<'i16x8'> = ops('i16x8');
export const i32x4: VectorOps<'i32x4'> = ops('i32x4');
export const i64x2: VectorOps<'i64x2'> = ops('i64x2');
export const f32x4: VectorOps<'f32x4'> = ops('f32x4');
export const f64x2: VectorOps<'f64x2'> = ops('f64x2');
export type { VectorOps };
