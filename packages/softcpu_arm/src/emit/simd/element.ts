/** Advanced SIMD, integer: by element, dot products, and across lanes (Arm ARM, C7.2). */
import { i32, i64 } from '@axvisor/softcpu';
import type { Emit, I64 } from '@axvisor/softcpu';
import { V } from '../../state.ts';
import { single, vector } from '../define.ts';
import type { Definition, Definitions, Get, RecordLayout } from '../define.ts';
import { begin, finish, guarded, laneOf, lanewise, loop, put, readLane, spill, spilledLane } from './lanes.ts';
import type { Log } from './lanes.ts';
import { doubling, long, longShape, upperIf } from './long.ts';
import type { LongBody } from './long.ts';
import { ONE, bySize, count, least, same, shape } from './same.ts';
import type { Same } from './same.ts';
import { narrowCount, wider } from './two.ts';

const two: RecordLayout = { d: vector('Rd'), n: vector('Rn'), a: count };

/** Offset of the element that H, L, M and Rm choose. */
const elementPlace = (get: Get): number => {
  const index = get('size') === 1 ? (get('H') << 2) | (get('L') << 1) | get('M') : get('size') === 2 ? (get('H') << 1) | get('L') : get('H');
  const register = get('size') === 1 ? get('Rm') : (get('M') << 4) | get('Rm');
  return V + register * 16 + (index << get('size'));
};
const twoSizes = (record: RecordLayout, emit: (log: Log) => Emit): Definition => ({ record, variants: ([1, 2] as const).map(emit), select: (get) => get('size') - 1 });
const indexedSame: RecordLayout = { d: vector('Rd'), n: vector('Rn'), m: elementPlace, a: count };

const indexed: [string, Definition][] = [
  ...['mul', 'mla', 'mls', 'sqdmulh', 'sqrdmulh', 'sqrdmlah', 'sqrdmlsh'].flatMap((name): [string, Definition][] => {
    const { signed, body } = same[name] as Same;
    const emit = (log: Log): Emit => lanewise(shape(log, signed, { element: true }), body(log));
    return [[`${name}_ve`, twoSizes(indexedSame, emit)], [`${name}_se`, twoSizes({ ...indexedSame, a: ONE }, emit)]];
  }),
  ...['mull', 'mlal', 'mlsl'].flatMap((stem) =>
    (['s', 'u'] as const).map((sign): [string, Definition] => [
      `${sign}${stem}_ve`,
      twoSizes({ d: vector('Rd'), n: upperIf('Rn'), m: elementPlace, a: narrowCount }, (log) =>
        lanewise(longShape(log, sign === 's', { element: true }), (long[stem] as LongBody)(log, sign === 's'))),
    ]),
  ),
  ...Object.entries(doubling).flatMap(([name, body]): [string, Definition][] => {
    const emit = (log: Log): Emit => lanewise(longShape(log, true, { element: true }), body(log));
    return [
      [`${name}_ve`, twoSizes({ d: vector('Rd'), n: upperIf('Rn'), m: elementPlace, a: narrowCount }, emit)],
      [`${name}_se`, twoSizes({ d: vector('Rd'), n: vector('Rn'), m: elementPlace, a: ONE }, emit)],
    ];
  }),
];

/** Four products of bytes added to each word. */
const dot = (signed: boolean, element: boolean): Definition =>
  single({ d: vector('Rd'), n: vector('Rn'), m: element ? (get) => V + ((get('M') << 4) | get('Rm')) * 16 + ((get('H') << 1) | get('L')) * 4 : vector('Rm'), a: (get) => 2 << get('Q') },
    guarded((e) => {
      begin(e);
      spill(e, 'n', 'd', ...(element ? [] : ['m']));
      loop(e, e.field('a'), (i) => {
        const n = e.let(laneOf(e, 'n', i, 2));
        const m = element ? undefined : e.let(laneOf(e, 'm', i, 2));
        const factor = (k: number): I64 => (m === undefined ? readLane(e, 0, signed, e.field('m'), k) : spilledLane(e, 0, signed, m, k));
        const products = [0, 1, 2, 3].map((k) => i64.mul(spilledLane(e, 0, signed, n, k), factor(k)));
        put(e, 2, i, products.reduce((sum, product) => i64.add(sum, product), spilledLane(e, 2, false, laneOf(e, 'd', i, 2))));
      });
      finish(e);
    }));

const across = (f: (a: I64, b: I64) => I64, signed: boolean, widen = false): Definition =>
  bySize(two, (log) =>
    guarded((e) => {
      spill(e, 'n');
      const result = e.variable(readLane(e, log, signed, e.field('n')));
      const i = e.variable(i32.const(1));
      e.loop((again) => {
        e.assign(result, f(result.get, e.let(spilledLane(e, log, signed, laneOf(e, 'n', i.get, log)))));
        e.assign(i, i32.add(i.get, i32.const(1)));
        again(i32.lt_u(i.get, e.field('a')));
      });
      begin(e);
      put(e, widen ? wider(log) : log, i32.const(0), result.get);
      finish(e);
    }),
  );

export const simdElement: Definitions = Object.fromEntries([
  ...indexed,
  ['sdot', dot(true, false)],
  ['udot', dot(false, false)],
  ['sdot_ve', dot(true, true)],
  ['udot_ve', dot(false, true)],
  ['addv', across(i64.add, false)],
  ['saddlv', across(i64.add, true, true)],
  ['uaddlv', across(i64.add, false, true)],
  ['smaxv', across(least(i64.gt_s), true)],
  ['sminv', across(least(i64.lt_s), true)],
  ['umaxv', across(least(i64.gt_u), false)],
  ['uminv', across(least(i64.lt_u), false)],
]);
