/**
 * Advanced SIMD on the host's vectors: floating point in single and double precision, under the conditions of scalar floating point (see
 * `float_fast.ts`) for every lane; otherwise JavaScript does all lanes (Arm ARM, C7.2).
 */
import { f32, f32x4, f64, f64x2, i32, i32x4, i64x2, v128 } from '@axvisor/softcpu';
import type { Emit, Emitter, F32, F64, V128 } from '@axvisor/softcpu';
import { V } from '../../state.ts';
import { vector } from '../define.ts';
import type { Definition, Definitions, Get, RecordLayout } from '../define.ts';
import { inexactRaised, plainMode, slowly } from './float_fast.ts';
import { guarded } from './lanes.ts';
import { ZERO, read, write } from './vector.ts';

const HIGH = v128.const(((1n << 64n) - 1n) << 64n);
const floats = [f32x4, f64x2] as const;
const integers = [i32x4, i64x2] as const;
const SMALLEST_NORMAL = [f32x4.splat(f32.const(2 ** -126)), f64x2.splat(f64.const(2 ** -1022))] as const;
const INFINITY = [f32x4.splat(f32.const(Infinity)), f64x2.splat(f64.const(Infinity))] as const;

interface FloatOp {
  /** How inexact results are found. */
  readonly note?: 'add' | 'sub' | 'mul';
  readonly operation: (double: 0 | 1, a: V128, b: V128) => V128;
  /** By lane, where the result is right: with the inexact exception raised before, or always. */
  readonly settled: (double: 0 | 1, result: V128, a: V128, b: V128) => V128;
  readonly rounds: boolean;
}
const finite = (double: 0 | 1, result: V128): V128 => floats[double].lt(floats[double].abs(result), INFINITY[double]);
const isNumber = (double: 0 | 1, a: V128): V128 => floats[double].eq(a, a);
const isZero = (double: 0 | 1, a: V128): V128 => floats[double].eq(a, ZERO);
const notTiny = (double: 0 | 1, result: V128): V128 => floats[double].gt(floats[double].abs(result), SMALLEST_NORMAL[double]);
const both = (double: 0 | 1, a: V128, b: V128): V128 => v128.and(isNumber(double, a), isNumber(double, b));
const comparison = (name: 'eq' | 'ge' | 'gt'): FloatOp => ({ operation: (double, a, b) => floats[double][name](a, b), settled: (double, _, a, b) => both(double, a, b), rounds: false });
const extremum = (name: 'min' | 'max'): FloatOp => ({ operation: (double, a, b) => floats[double][name](a, b), settled: isNumber, rounds: false });

const floatOps: Readonly<Record<string, FloatOp>> = {
  fadd: { operation: (double, a, b) => floats[double].add(a, b), settled: finite, rounds: true, note: 'add' },
  fsub: { operation: (double, a, b) => floats[double].sub(a, b), settled: finite, rounds: true, note: 'sub' },
  fmul: {
    operation: (double, a, b) => floats[double].mul(a, b),
    settled: (double, result, a, b) => v128.and(finite(double, result), v128.or(notTiny(double, result), v128.or(isZero(double, a), isZero(double, b)))),
    rounds: true,
    note: 'mul',
  },
  fdiv: {
    operation: (double, a, b) => floats[double].div(a, b),
    settled: (double, result, a) => v128.and(finite(double, result), v128.or(notTiny(double, result), isZero(double, a))),
    rounds: true,
  },
  fmax: extremum('max'),
  fmin: extremum('min'),
  fmaxnm: extremum('max'),
  fminnm: extremum('min'),
  fcmeq: comparison('eq'),
  fcmge: comparison('ge'),
  fcmgt: comparison('gt'),
};

/** The element of an instruction by element. */
const elementPlace = (get: Get): number => {
  const index = get('size') === 3 ? get('H') : (get('H') << 1) | get('L');
  return V + ((get('M') << 4) | get('Rm')) * 16 + (index << get('size'));
};
/** Where the second operand comes from. */
type Second = 'vector' | 'element' | 'zero';
const seconds: Readonly<Record<Second, (e: Emitter, double: 0 | 1) => V128>> = {
  vector: (e) => read(e, 'm'),
  element: (e, double) => e.let(double === 1 ? f64x2.splat(e.vector('f64.load', e.field('m'))) : f32x4.splat(e.vector('f32.load', e.field('m')))),
  zero: () => ZERO,
};
const secondRecord: Readonly<Record<Second, RecordLayout>> = { vector: { m: vector('Rm') }, element: { m: elementPlace }, zero: {} };

/** 0 single, 1 double. */
const bySz = (get: Get): number => get('sz');
const precisionOf: Readonly<Record<Second, (get: Get) => number>> = { vector: bySz, element: (get) => get('size') - 2, zero: bySz };

/** Single precision in two and four lanes, double precision in two. */
function floating(name: string, { operation, settled, rounds, note }: FloatOp, second: Second): Definition {
  const slow = slowly(name);
  const variant = (double: 0 | 1, q: number): Emit =>
    guarded((e) => {
      const a = read(e, 'n');
      const b = seconds[second](e, double);
      const result = e.let(operation(double, a, b));
      const lanes = settled(double, result, a, b);
      const right = integers[double].all_true(q === 1 ? lanes : v128.or(lanes, HIGH));
      const done = (): void => write(e, result, q);
      const usual = e.let(i32.and(plainMode(e), right));
      if (!rounds) return e.if(usual, done, () => slow(e), true);
      e.if(i32.and(usual, inexactRaised(e)), done, () => {
        if (note === undefined) return slow(e);
        const second = note === 'sub' ? floats[double].neg(b) : b;
        const finder = `fpNote${note === 'mul' ? 'Mul' : 'Add'}${double === 1 ? '2d' : '4s'}`;
        const settled = e.variable(usual);
        e.if(usual, () => e.assign(settled, e.call(finder, 'i32', [a, second, result, i32.const(q)])));
        e.if(settled.get, done, () => slow(e), true);
      }, true);
    });
  return {
    record: { d: vector('Rd'), n: vector('Rn'), ...secondRecord[second] },
    variants: [variant(0, 0), variant(0, 1), variant(1, 1), variant(1, 1)],
    select: (get) => precisionOf[second](get) * 2 + get('Q'),
  };
}

/** Multiply-add, lane by lane: what is not settled of one is done again for all. */
function fusedVector(name: string, negate: boolean, second: Second): Definition {
  const slow = slowly(name);
  const variant = (double: 0 | 1, q: number): Emit =>
    guarded((e) => {
      const settled = e.variable(i32.const(0));
      const result = e.variable(ZERO);
      e.if(plainMode(e), () => {
        const [n, d] = [read(e, 'n'), read(e, 'd')];
        const m = seconds[second](e, double);
        const results = Array.from({ length: double === 1 ? 2 : 2 << q }, (_, lane) => {
          if (double === 1) {
            const a = f64x2.extract_lane(n, lane);
            return e.call('fpFused64', 'f64', [negate ? f64.neg(a) : a, f64x2.extract_lane(m, lane), f64x2.extract_lane(d, lane)]);
          }
          const a = f32x4.extract_lane(n, lane);
          return e.call('fpFused32', 'f32', [negate ? f32.neg(a) : a, f32x4.extract_lane(m, lane), f32x4.extract_lane(d, lane)]);
        });
        let joined: V128 = ZERO;
        results.forEach((value, lane) => {
          joined = double === 1 ? f64x2.replace_lane(joined, lane, value as F64) : f32x4.replace_lane(joined, lane, value as F32);
        });
        e.assign(result, joined);
        e.assign(settled, integers[double].all_true(isNumber(double, result.get)));
      });
      e.if(settled.get, () => write(e, result.get, q), () => slow(e), true);
    });
  return {
    record: { d: vector('Rd'), n: vector('Rn'), ...secondRecord[second] },
    variants: [variant(0, 0), variant(0, 1), variant(1, 1), variant(1, 1)],
    select: (get) => precisionOf[second](get) * 2 + get('Q'),
  };
}

export const vectorFloat: Definitions = Object.fromEntries([
  ...Object.entries(floatOps).map(([stem, operation]): [string, Definition] => [`${stem}_vf`, floating(`${stem}_vf`, operation, 'vector')]),
  ...(['fcmeq', 'fcmge', 'fcmgt'] as const).map((stem): [string, Definition] => [`${stem}_vfzero`, floating(`${stem}_vfzero`, floatOps[stem] as FloatOp, 'zero')]),
  ['fmul_ve', floating('fmul_ve', floatOps['fmul'] as FloatOp, 'element')],
  ['fmla_vf', fusedVector('fmla_vf', false, 'vector')],
  ['fmls_vf', fusedVector('fmls_vf', true, 'vector')],
  ['fmla_ve', fusedVector('fmla_ve', false, 'element')],
  ['fmls_ve', fusedVector('fmls_ve', true, 'element')],
]);
