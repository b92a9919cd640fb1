/** How instructions are defined on the host's vectors: operands, results of 8 or 16 bytes, handlers by element size (Arm ARM, C7.2). */
import { i16x8, i32x4, i64x2, i8x16, v128 } from '@axvisor/softcpu';
import type { Emit, Emitter, V128, VectorOps } from '@axvisor/softcpu';
import { vector } from '../define.ts';
import type { Definition, Get, RecordLayout } from '../define.ts';
import { guarded } from './lanes.ts';

/** The vectors that an instruction reads; what is not used is not loaded. */
export interface Operands {
  readonly n: () => V128;
  readonly m: () => V128;
  readonly d: () => V128;
}
export type Compute = (e: Emitter, operands: Operands) => V128;
/** By element size; undefined: lane by lane. */
export type Sizes = readonly (Compute | undefined)[];

const LOW: V128 = v128.const((1n << 64n) - 1n);
export const ZERO: V128 = v128.const(0n);

export const read = (e: Emitter, field: string): V128 => e.let(e.vector('v128.load', e.field(field)));
const operandsOf = (e: Emitter): Operands => ({ n: () => read(e, 'n'), m: () => read(e, 'm'), d: () => read(e, 'd') });
export function write(e: Emitter, value: V128, q: number): void {
  e.setVector('v128.store', e.field('d'), q === 1 ? value : v128.and(value, LOW));
}
export const whole = (q: number, compute: Compute): Emit => guarded((e) => write(e, compute(e, operandsOf(e)), q));

export const size = (get: Get): number => get('size');
const count = (get: Get): number => (get('Q') === 1 ? 16 : 8) >> get('size');
export const three: RecordLayout = { d: vector('Rd'), n: vector('Rn'), m: vector('Rm'), a: count };
export const two: RecordLayout = { d: vector('Rd'), n: vector('Rn'), m: vector('Rn'), a: count };

/** Handlers by element size and Q; those of `lanes` by element size alone stand in. */
export function bySize(lanes: Definition | undefined, record: RecordLayout, sizes: (q: number) => Sizes, select: (get: Get) => number = size): Definition {
  const variants = [0, 1].flatMap((q) => sizes(q).map((compute, log) => (compute === undefined ? lanes?.variants[log] : whole(q, compute)) ?? guarded(() => {})));
  return { record: { ...lanes?.record, ...record }, variants, select: (get) => get('Q') * (variants.length / 2) + select(get) };
}

export type Binary = (a: V128, b: V128) => V128;
export type Unary = (a: V128) => V128;
/** Operations by element size. */
export const shapes: readonly [VectorOps<'i8x16'>, VectorOps<'i16x8'>, VectorOps<'i32x4'>, VectorOps<'i64x2'>] = [i8x16, i16x8, i32x4, i64x2];
/** Those that the host has not for 64 bits. */
export const smaller: readonly [VectorOps<'i8x16'>, VectorOps<'i16x8'>, VectorOps<'i32x4'>] = [i8x16, i16x8, i32x4];
