/** Advanced SIMD, integer: three registers of the same element size, pairs, and logic (Arm ARM, C7.2). */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Emit, Emitter, I32, I64 } from '@axvisor/softcpu';
import { op } from '../../isa/table.ts';
import { plain, single, vector } from '../define.ts';
import type { Definition, Definitions, Get, RecordLayout } from '../define.ts';
import { LOGS, begin, bitsOf, finish, guarded, half, laneOf, lanewise, loop, put, saturate, saturatedSum, setHalves, spill, spilledLane } from './lanes.ts';
import type { LaneBody, LaneShape, Log } from './lanes.ts';
import { shiftByRegister } from './shift.ts';

const zero = i64.const(0);
const ones = i64.const(-1);
const mask = (condition: I32): I64 => select(condition, ones, zero);
/** The operand that `first` prefers. */
export const least = (first: (a: I64, b: I64) => I32) => (a: I64, b: I64): I64 => select(first(a, b), a, b);

/** A body for each element size, and how operands are extended. */
export interface Same {
  readonly signed: boolean;
  readonly body: (log: Log) => LaneBody;
}
const pureSame = (signed: boolean, f: (a: I64, b: I64) => I64): Same => ({ signed, body: () => (_, a, b) => f(a, b) });
/** The distance of two elements. */
export const difference = (signed: boolean) => (a: I64, b: I64): I64 => select(signed ? i64.gt_s(a, b) : i64.gt_u(a, b), i64.sub(a, b), i64.sub(b, a));

/** Twice the product's upper half, saturated; `rounding` adds half a unit. */
const doublingHigh = (e: Emitter, a: I64, b: I64, log: Log, rounding: boolean, accumulate?: readonly [d: I64, subtract: boolean]): I64 => {
  const bits = i64.const(bitsOf(log));
  const product = e.let(i64.mul(a, b));
  const half = i64.const(rounding ? 1n << BigInt(bitsOf(log) - 1) : 0n);
  if (accumulate === undefined) {
    // Doubling may leave 64 bits, so half a unit less is shifted out.
    return saturate(e, i64.shr_s(i64.add(product, i64.shr_s(half, i64.const(1))), i64.sub(bits, i64.const(1))), log, true);
  }
  const [d, subtract] = accumulate;
  const upper = i64.shl(d, i64.sub(bits, i64.const(1)));
  const sum = subtract ? i64.sub(upper, product) : i64.add(upper, product);
  return saturate(e, i64.shr_s(i64.add(sum, i64.shr_s(half, i64.const(1))), i64.sub(bits, i64.const(1))), log, true);
};

/** Carry-less product of two bytes. */
export function polynomial(e: Emitter, a: I64, b: I64, bits: number): I64 {
  const sum = e.variable(zero);
  for (let i = 0; i < bits; i++) e.assign(sum, i64.xor(sum.get, i64.and(i64.shl(a, i64.const(i)), i64.sub(zero, i64.and(i64.shr_u(b, i64.const(i)), i64.const(1))))));
  return sum.get;
}

/** Operations on elements of one size, by the table's stem. */
export const same: Readonly<Record<string, Same>> = {
  shadd: pureSame(true, (a, b) => i64.shr_s(i64.add(a, b), i64.const(1))),
  uhadd: pureSame(false, (a, b) => i64.shr_u(i64.add(a, b), i64.const(1))),
  srhadd: pureSame(true, (a, b) => i64.shr_s(i64.add(i64.add(a, b), i64.const(1)), i64.const(1))),
  urhadd: pureSame(false, (a, b) => i64.shr_u(i64.add(i64.add(a, b), i64.const(1)), i64.const(1))),
  shsub: pureSame(true, (a, b) => i64.shr_s(i64.sub(a, b), i64.const(1))),
  uhsub: pureSame(false, (a, b) => i64.shr_s(i64.sub(a, b), i64.const(1))),
  sqadd: { signed: true, body: (log) => (e, a, b) => saturatedSum(e, a, b, log, true, false) },
  uqadd: { signed: false, body: (log) => (e, a, b) => saturatedSum(e, a, b, log, false, false) },
  sqsub: { signed: true, body: (log) => (e, a, b) => saturatedSum(e, a, b, log, true, true) },
  uqsub: { signed: false, body: (log) => (e, a, b) => saturatedSum(e, a, b, log, false, true) },
  cmgt: pureSame(true, (a, b) => mask(i64.gt_s(a, b))),
  cmge: pureSame(true, (a, b) => mask(i64.ge_s(a, b))),
  cmhi: pureSame(false, (a, b) => mask(i64.gt_u(a, b))),
  cmhs: pureSame(false, (a, b) => mask(i64.ge_u(a, b))),
  cmeq: pureSame(false, (a, b) => mask(i64.eq(a, b))),
  cmtst: pureSame(false, (a, b) => mask(i64.ne(i64.and(a, b), zero))),
  smax: pureSame(true, least(i64.gt_s)),
  umax: pureSame(false, least(i64.gt_u)),
  smin: pureSame(true, least(i64.lt_s)),
  umin: pureSame(false, least(i64.lt_u)),
  sabd: pureSame(true, difference(true)),
  uabd: pureSame(false, difference(false)),
  saba: { signed: true, body: () => (_, a, b, d) => i64.add(d, difference(true)(a, b)) },
  uaba: { signed: false, body: () => (_, a, b, d) => i64.add(d, difference(false)(a, b)) },
  add: pureSame(false, i64.add),
  sub: pureSame(false, i64.sub),
  mul: pureSame(false, i64.mul),
  mla: { signed: false, body: () => (_, a, b, d) => i64.add(d, i64.mul(a, b)) },
  mls: { signed: false, body: () => (_, a, b, d) => i64.sub(d, i64.mul(a, b)) },
  pmul: { signed: false, body: () => (e, a, b) => polynomial(e, a, b, 8) },
  sqdmulh: { signed: true, body: (log) => (e, a, b) => doublingHigh(e, a, b, log, false) },
  sqrdmulh: { signed: true, body: (log) => (e, a, b) => doublingHigh(e, a, b, log, true) },
  sqrdmlah: { signed: true, body: (log) => (e, a, b, d) => doublingHigh(e, a, b, log, true, [d, false]) },
  sqrdmlsh: { signed: true, body: (log) => (e, a, b, d) => doublingHigh(e, a, b, log, true, [d, true]) },
  ...Object.fromEntries(
    (['', 'q'] as const).flatMap((saturating) =>
      (['', 'r'] as const).flatMap((rounding) =>
        (['s', 'u'] as const).map((sign): [string, Same] => [
          `${sign}${saturating}${rounding}shl`,
          { signed: sign === 's', body: (log) => (e, a, b) => shiftByRegister(e, a, b, log, sign === 's', rounding === 'r', saturating === 'q') },
        ]),
      ),
    ),
  ),
};

/** Number of lanes of a vector. */
export const count = (get: Get): number => (get('Q') === 1 ? 16 : 8) >> get('size');
/** Three vectors. */
export const three: RecordLayout = { d: vector('Rd'), n: vector('Rn'), m: vector('Rm'), a: count };

/** A handler for each element size. */
export const bySize = (record: RecordLayout, emit: (log: Log) => Emit): Definition => ({ record, variants: LOGS.map(emit), select: plain('size') });
/** Elements of one size. */
export const shape = (log: Log, signed: boolean, more: Partial<LaneShape> = {}): LaneShape => ({ n: log, m: log, to: log, signed, ...more });

/** A scalar's only lane. */
export const ONE = (): number => 1;
/** Whether the table has an instruction. */
export const has = (name: string): boolean => op.has(name);

const sameDefinitions: [string, Definition][] = Object.entries(same).flatMap(([name, { signed, body }]) => {
  const emit = (log: Log): Emit => lanewise(shape(log, signed), body(log));
  const list: [string, Definition][] = [];
  if (has(`${name}_v`)) list.push([`${name}_v`, bySize(three, emit)]);
  if (has(`${name}_s`)) list.push([`${name}_s`, bySize({ ...three, a: ONE }, emit)]);
  return list;
});

/** Pairs of neighbours, of both sources one behind the other. */
const pairwise = (f: (a: I64, b: I64) => I64, signed: boolean): Definition =>
  bySize(three, (log) =>
    guarded((e) => {
      begin(e);
      spill(e, 'n', 'm');
      const pairs = e.let(i32.shr_u(e.field('a'), i32.const(1)));
      const pair = (field: string, i: I32): I64 => {
        const at = e.let(laneOf(e, field, i32.shl(i, i32.const(1)), log));
        return f(e.let(spilledLane(e, log, signed, at)), e.let(spilledLane(e, log, signed, at, 1 << log)));
      };
      e.if(pairs, () =>
        loop(e, pairs, (i) => {
          put(e, log, i, pair('n', i));
          put(e, log, i32.add(i, pairs), pair('m', i));
        }),
      );
      finish(e);
    }),
  );

const logical = (f: (a: I64, b: I64, d: I64) => I64): Definition => ({
  record: three,
  variants: [0, 1].map((q) =>
    guarded((e) => {
      const low = e.let(f(half(e, 'n', 0), half(e, 'm', 0), half(e, 'd', 0)));
      const high = q === 0 ? zero : e.let(f(half(e, 'n', 1), half(e, 'm', 1), half(e, 'd', 1)));
      setHalves(e, 'd', low, high);
    }),
  ),
  select: plain('Q'),
});
const not = (x: I64): I64 => i64.xor(x, ones);

export const simdSame: Definitions = Object.fromEntries([
  ...sameDefinitions,
  ['addp_v', pairwise(i64.add, false)],
  ['smaxp_v', pairwise(least(i64.gt_s), true)],
  ['sminp_v', pairwise(least(i64.lt_s), true)],
  ['umaxp_v', pairwise(least(i64.gt_u), false)],
  ['uminp_v', pairwise(least(i64.lt_u), false)],
  ['addp_s', single({ d: vector('Rd'), n: vector('Rn') }, guarded((e) => setHalves(e, 'd', e.let(i64.add(half(e, 'n', 0), half(e, 'n', 1))), zero)))],
  ['and_v', logical((a, b) => i64.and(a, b))],
  ['bic_v', logical((a, b) => i64.and(a, not(b)))],
  ['orr_v', logical((a, b) => i64.or(a, b))],
  ['orn_v', logical((a, b) => i64.or(a, not(b)))],
  ['eor_v', logical((a, b) => i64.xor(a, b))],
  ['bsl_v', logical((a, b, d) => i64.xor(b, i64.and(i64.xor(b, a), d)))],
  ['bit_v', logical((a, b, d) => i64.xor(d, i64.and(i64.xor(d, a), b)))],
  ['bif_v', logical((a, b, d) => i64.xor(d, i64.and(i64.xor(d, a), not(b))))],
]);
