/** Advanced SIMD, integer: two registers (Arm ARM, C7.2). */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Emit, Emitter, I32, I64 } from '@axvisor/softcpu';
import { swapGroups } from '../arithmetic.ts';
import { plain, single, vector } from '../define.ts';
import type { Definition, Definitions, Get, RecordLayout } from '../define.ts';
import { begin, bitsOf, finish, guarded, laneOf, lanewise, loop, put, replaceOverflow, saturate, spill, spilledLane } from './lanes.ts';
import type { LaneBody, Log } from './lanes.ts';
import { ONE, bySize, count, has, shape } from './same.ts';

const zero = i64.const(0);
const ones = i64.const(-1);
const mask = (condition: I32): I64 => select(condition, ones, zero);
const not = (x: I64): I64 => i64.xor(x, ones);

/** How one source becomes a result: sizes of both, by the size field. */
interface Unary {
  readonly signed: boolean;
  readonly signedD?: boolean;
  readonly body: (log: Log) => LaneBody;
}
const magnitude = (a: I64): I64 => select(i64.lt_s(a, zero), i64.sub(zero, a), a);
/** Negation, or the magnitude, saturated. */
const saturatedMagnitude = (negate: boolean) => (log: Log): LaneBody => (e, a) => {
  const value = negate ? i64.sub(zero, a) : magnitude(a);
  if (log < 3) return saturate(e, value, log, true);
  return replaceOverflow(e, value, i64.eq(a, i64.const(-(2n ** 63n))), i32.const(0), true);
};
/** d + a, of different signedness, saturated to d's. */
const saturatedAccumulate = (signedD: boolean) => (log: Log): LaneBody => (e, a, _, d) => {
  const sum = e.let(i64.add(d, a));
  if (log < 3) return saturate(e, sum, log, signedD);
  // SUQADD: d signed, a unsigned: overflow if the sum is below d. USQADD: d unsigned, a signed.
  if (signedD) return replaceOverflow(e, sum, i64.lt_s(sum, d), i32.const(0), true);
  const negative = e.let(i64.lt_s(a, zero));
  const wrapped = i64.lt_u(sum, d);
  return replaceOverflow(e, sum, i32.and(i32.ne(negative, wrapped), i64.ne(a, zero)), negative, false);
};
const clz = (log: Log) => (a: I64): I64 => i64.sub(i64.clz(a), i64.const(64 - bitsOf(log)));

function reverseBits(e: Emitter, a: I64): I64 {
  return swapGroups(e, swapGroups(e, swapGroups(e, a, 1), 2), 4);
}

const unary: Readonly<Record<string, Unary>> = {
  suqadd: { signed: false, signedD: true, body: saturatedAccumulate(true) },
  usqadd: { signed: true, signedD: false, body: saturatedAccumulate(false) },
  cls: { signed: true, body: (log) => (_, a) => i64.sub(i64.sub(i64.clz(i64.xor(a, i64.shr_s(a, i64.const(63)))), i64.const(64 - bitsOf(log))), i64.const(1)) },
  clz: { signed: false, body: (log) => (_, a) => clz(log)(a) },
  cnt: { signed: false, body: () => (_, a) => i64.popcnt(a) },
  sqabs: { signed: true, body: saturatedMagnitude(false) },
  sqneg: { signed: true, body: saturatedMagnitude(true) },
  abs: { signed: true, body: () => (_, a) => magnitude(a) },
  neg: { signed: true, body: () => (_, a) => i64.sub(zero, a) },
  not: { signed: false, body: () => (_, a) => not(a) },
};
const zeroComparisons = { cmgt: i64.gt_s, cmge: i64.ge_s, cmeq: i64.eq, cmle: i64.le_s, cmlt: i64.lt_s } as const;

const two: RecordLayout = { d: vector('Rd'), n: vector('Rn'), m: vector('Rn'), a: count };

const unaryDefinitions: [string, Definition][] = [
  ...Object.entries(unary).flatMap(([name, { signed, signedD = signed, body }]) => {
    const emit = (log: Log): Emit => lanewise(shape(log, signed, { signedD }), body(log));
    const list: [string, Definition][] = [];
    if (has(`${name}_v`)) list.push([`${name}_v`, bySize(two, emit)]);
    if (has(`${name}_s`)) list.push([`${name}_s`, bySize({ ...two, a: ONE }, emit)]);
    return list;
  }),
  ...Object.entries(zeroComparisons).flatMap(([name, holds]): [string, Definition][] => {
    const emit = (log: Log): Emit => lanewise(shape(log, true), (_, a) => mask(holds(a, zero)));
    return [[`${name}_zero`, bySize(two, emit)], [`${name}_szero`, bySize({ ...two, a: ONE }, emit)]];
  }),
];

/** Elements of `log` reversed within groups of `1 << group` bytes: index xor. */
const reverse = (group: number): Definition =>
  bySize(two, (log) =>
    guarded((e) => {
      begin(e);
      spill(e, 'n');
      const flip = i32.const((1 << Math.max(group - log, 0)) - 1);
      loop(e, e.field('a'), (i) => put(e, log, i, spilledLane(e, log, false, laneOf(e, 'n', i32.xor(i, flip), log))));
      finish(e);
    }),
  );

/** The next larger element. */
export const wider = (log: Log): Log => Math.min(log + 1, 3) as Log;

/** Sums of neighbours, twice as wide, perhaps added to the destination. */
const addLongPairs = (signed: boolean, accumulate: boolean): Definition =>
  bySize({ ...two, a: (get) => count(get) >> 1 }, (log) => {
    const pair = (e: Emitter, i: I32): I64 => {
      const at = e.let(laneOf(e, 'n', i32.shl(i, i32.const(1)), log));
      return i64.add(spilledLane(e, log, signed, at), spilledLane(e, log, signed, at, 1 << log));
    };
    return guarded((e) => {
      begin(e);
      spill(e, 'n', ...(accumulate ? ['d'] : []));
      loop(e, e.field('a'), (i) => {
        const sum = pair(e, i);
        put(e, wider(log), i, accumulate ? i64.add(sum, spilledLane(e, wider(log), false, laneOf(e, 'd', i, wider(log)))) : sum);
      });
      finish(e);
    });
  });

/** Narrowing: elements twice as wide, whose result goes to the lower or (Q) the upper half. */
export function narrowing(record: RecordLayout, signed: boolean, body: (log: Log) => LaneBody, select: (get: Get) => number = (get) => get('size')): Definition {
  return {
    record,
    variants: ([0, 1, 2] as const).flatMap((log) =>
      [false, true].map((upper) => lanewise({ n: wider(log), m: wider(log), to: log, signed, upper }, body(log))),
    ),
    select: (get) => select(get) * 2 + get('Q'),
  };
}
/** Lanes of a result of half the width. */
export const narrowCount = (get: Get): number => 8 >> get('size');
const narrowTwo: RecordLayout = { ...two, a: narrowCount };
/** Extraction that saturates: from a signed or unsigned source to a signed or unsigned result. */
const saturateNarrow = (fromSigned: boolean, toSigned: boolean) => (log: Log): LaneBody => (e, a) => {
  // An unsigned 64-bit value that is negative as a signed one is above every narrower type.
  if (!fromSigned && log === 2) return saturate(e, select(i64.lt_s(a, zero), i64.const(2n ** 62n), a), log, toSigned);
  return saturate(e, a, log, toSigned);
};
const narrowUnary = { sqxtn: [true, true], sqxtun: [true, false], uqxtn: [false, false] } as const;

const narrowScalar = (fromSigned: boolean, toSigned: boolean): Definition => ({
  record: { ...two, a: ONE },
  variants: ([0, 1, 2] as const).map((log) => lanewise({ n: wider(log), m: wider(log), to: log, signed: fromSigned }, saturateNarrow(fromSigned, toSigned)(log))),
  select: plain('size'),
});

export const simdTwo: Definitions = Object.fromEntries([
  ...unaryDefinitions,
  ['rev64_v', reverse(3)],
  ['rev32_v', reverse(2)],
  ['rev16_v', reverse(1)],
  ['rbit_v', single({ ...two, a: (get) => 8 << get('Q') }, lanewise(shape(0, false), (e, a) => reverseBits(e, a)))],
  ['saddlp_v', addLongPairs(true, false)],
  ['uaddlp_v', addLongPairs(false, false)],
  ['sadalp_v', addLongPairs(true, true)],
  ['uadalp_v', addLongPairs(false, true)],
  ['xtn_v', narrowing(narrowTwo, false, () => (_, a) => a)],
  ...Object.entries(narrowUnary).flatMap(([name, [from, to]]): [string, Definition][] => [
    [`${name}_v`, narrowing(narrowTwo, from, saturateNarrow(from, to))],
    [`${name}_s`, narrowScalar(from, to)],
  ]),
]);
