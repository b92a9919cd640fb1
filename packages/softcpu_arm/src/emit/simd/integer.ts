/** Advanced SIMD, integer: three registers, two registers, by element, across lanes (Arm ARM, C7.2). */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Emit, Emitter, I32, I64 } from '@axvisor/softcpu';
import { op } from '../../isa/table.ts';
import { plain, single, vector } from '../define.ts';
import type { Definition, Definitions, Get, RecordLayout } from '../define.ts';
import { LOGS, begin, bitsOf, finish, guarded, half, laneOf, lanewise, loop, put, readLane, replaceOverflow, saturate, saturatedSum, setHalves } from './lanes.ts';
import type { LaneBody, LaneShape, Log } from './lanes.ts';
import { shiftByRegister } from './shift.ts';
import { swapGroups } from '../integer.ts';
import { V } from '../../state.ts';

const zero = i64.const(0);
const ones = i64.const(-1);
const mask = (condition: I32): I64 => select(condition, ones, zero);
const least = (first: (a: I64, b: I64) => I32) => (a: I64, b: I64): I64 => select(first(a, b), a, b);

/** A body for each element size, and how operands are extended. */
interface Same {
  readonly signed: boolean;
  readonly body: (log: Log) => LaneBody;
}
const pureSame = (signed: boolean, f: (a: I64, b: I64) => I64): Same => ({ signed, body: () => (_, a, b) => f(a, b) });
const difference = (signed: boolean) => (a: I64, b: I64): I64 => select(signed ? i64.gt_s(a, b) : i64.gt_u(a, b), i64.sub(a, b), i64.sub(b, a));

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
function polynomial(e: Emitter, a: I64, b: I64, bits: number): I64 {
  const sum = e.variable(zero);
  for (let i = 0; i < bits; i++) e.assign(sum, i64.xor(sum.get, i64.and(i64.shl(a, i64.const(i)), i64.sub(zero, i64.and(i64.shr_u(b, i64.const(i)), i64.const(1))))));
  return sum.get;
}

const same: Readonly<Record<string, Same>> = {
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
const count = (get: Get): number => (get('Q') === 1 ? 16 : 8) >> get('size');
const three: RecordLayout = { d: vector('Rd'), n: vector('Rn'), m: vector('Rm'), a: count };
const outline = { outline: true };

const bySize = (record: RecordLayout, emit: (log: Log) => Emit): Definition => ({ record, variants: LOGS.map(emit), select: plain('size'), ...outline });
const shape = (log: Log, signed: boolean, more: Partial<LaneShape> = {}): LaneShape => ({ n: log, m: log, to: log, signed, ...more });

const ONE = (): number => 1;
const has = (name: string): boolean => op.has(name);

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
      const pairs = e.let(i32.shr_u(e.field('a'), i32.const(1)));
      const pair = (field: string, i: I32): I64 => {
        const at = e.let(laneOf(e, field, i32.shl(i, i32.const(1)), log));
        return f(e.let(readLane(e, log, signed, at)), e.let(readLane(e, log, signed, at, 1 << log)));
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

// ── two registers ──

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
      const flip = i32.const((1 << Math.max(group - log, 0)) - 1);
      loop(e, e.field('a'), (i) => put(e, log, i, readLane(e, log, false, laneOf(e, 'n', i32.xor(i, flip), log))));
      finish(e);
    }),
  );

const wider = (log: Log): Log => Math.min(log + 1, 3) as Log;

/** Sums of neighbours, twice as wide, perhaps added to the destination. */
const addLongPairs = (signed: boolean, accumulate: boolean): Definition =>
  bySize({ ...two, a: (get) => count(get) >> 1 }, (log) => {
    const pair = (e: Emitter, i: I32): I64 => {
      const at = e.let(laneOf(e, 'n', i32.shl(i, i32.const(1)), log));
      return i64.add(readLane(e, log, signed, at), readLane(e, log, signed, at, 1 << log));
    };
    return guarded((e) => {
      begin(e);
      loop(e, e.field('a'), (i) => {
        const sum = pair(e, i);
        put(e, wider(log), i, accumulate ? i64.add(sum, readLane(e, wider(log), false, laneOf(e, 'd', i, wider(log)))) : sum);
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
    ...outline,
  };
}
const narrowCount = (get: Get): number => 8 >> get('size');
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
  ...outline,
});

// ── three registers of different widths ──

/** The upper half of a register where Q is set. */
export const upperIf =
  (field: string) =>
  (get: Get): number => V + get(field) * 16 + get('Q') * 8;

const doublingProduct = (e: Emitter, a: I64, b: I64, log: Log): I64 => {
  const product = e.let(i64.mul(a, b));
  const doubled = e.let(i64.shl(product, i64.const(1)));
  if (log < 2) return saturate(e, doubled, wider(log), true);
  return replaceOverflow(e, doubled, i64.eq(product, i64.const(2n ** 62n)), i32.const(0), true);
};

type LongBody = (log: Log, signed: boolean) => LaneBody;
const long: Readonly<Record<string, LongBody>> = {
  addl: () => (_, a, b) => i64.add(a, b),
  subl: () => (_, a, b) => i64.sub(a, b),
  abal: (_, signed) => (_e, a, b, d) => i64.add(d, difference(signed)(a, b)),
  abdl: (_, signed) => (_e, a, b) => difference(signed)(a, b),
  mlal: () => (_, a, b, d) => i64.add(d, i64.mul(a, b)),
  mlsl: () => (_, a, b, d) => i64.sub(d, i64.mul(a, b)),
  mull: () => (_, a, b) => i64.mul(a, b),
};
const doubling: Readonly<Record<string, (log: Log) => LaneBody>> = {
  sqdmull: (log) => (e, a, b) => doublingProduct(e, a, b, log),
  sqdmlal: (log) => (e, a, b, d) => saturatedSum(e, d, e.let(doublingProduct(e, a, b, log)), wider(log), true, false),
  sqdmlsl: (log) => (e, a, b, d) => saturatedSum(e, d, e.let(doublingProduct(e, a, b, log)), wider(log), true, true),
};

const longRecord: RecordLayout = { d: vector('Rd'), n: upperIf('Rn'), m: upperIf('Rm'), a: narrowCount };
const threeSizes = (record: RecordLayout, emit: (log: Log) => Emit): Definition => ({ record, variants: ([0, 1, 2] as const).map(emit), select: plain('size'), ...outline });

// An element operand may lie in the destination, so the loop writes beside it.
const longShape = (log: Log, signed: boolean, more: Partial<LaneShape> = {}): LaneShape => ({ n: log, m: log, to: wider(log), signed, ...more });

const highHalves = (subtract: boolean, rounding: boolean): Definition =>
  narrowing({ d: vector('Rd'), n: vector('Rn'), m: vector('Rm'), a: narrowCount }, false, (log) => (_, a, b) => {
    const result = subtract ? i64.sub(a, b) : i64.add(a, b);
    return i64.shr_u(rounding ? i64.add(result, i64.const(1n << BigInt(bitsOf(log) - 1))) : result, i64.const(bitsOf(log)));
  });

/** PMULL of bytes, and of doublewords to 128 bits. */
const carryless: Definition = {
  record: { ...longRecord, a: () => 8 },
  variants: [
    lanewise(longShape(0, false), (e, a, b) => polynomial(e, a, b, 8)),
    guarded((e) => {
      const a = e.let(half(e, 'n', 0));
      const b = e.let(half(e, 'm', 0));
      const low = e.variable(zero);
      const high = e.variable(zero);
      const i = e.variable(zero);
      e.loop((again) => {
        const bit = e.let(i64.sub(zero, i64.and(i64.shr_u(b, i.get), i64.const(1))));
        e.assign(low, i64.xor(low.get, i64.and(i64.shl(a, i.get), bit)));
        // Shifted by 64 - i, in two steps for i = 0.
        e.assign(high, i64.xor(high.get, i64.and(i64.shr_u(i64.shr_u(a, i64.const(1)), i64.sub(i64.const(63), i.get)), bit)));
        e.assign(i, i64.add(i.get, i64.const(1)));
        again(i64.lt_u(i.get, i64.const(64)));
      });
      setHalves(e, 'd', low.get, high.get);
    }),
  ],
  select: (get) => (get('size') === 3 ? 1 : 0),
  ...outline,
};

// ── by element ──

/** Offset of the element that H, L, M and Rm choose. */
const elementPlace = (get: Get): number => {
  const index = get('size') === 1 ? (get('H') << 2) | (get('L') << 1) | get('M') : get('size') === 2 ? (get('H') << 1) | get('L') : get('H');
  const register = get('size') === 1 ? get('Rm') : (get('M') << 4) | get('Rm');
  return V + register * 16 + (index << get('size'));
};
const twoSizes = (record: RecordLayout, emit: (log: Log) => Emit): Definition => ({ record, variants: ([1, 2] as const).map(emit), select: (get) => get('size') - 1, ...outline });
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
      loop(e, e.field('a'), (i) => {
        const n = e.let(laneOf(e, 'n', i, 2));
        const m = element ? e.field('m') : e.let(laneOf(e, 'm', i, 2));
        const products = [0, 1, 2, 3].map((k) => i64.mul(readLane(e, 0, signed, n, k), readLane(e, 0, signed, m, k)));
        put(e, 2, i, products.reduce((sum, product) => i64.add(sum, product), readLane(e, 2, false, laneOf(e, 'd', i, 2))));
      });
      finish(e);
    }), outline);

// ── across lanes ──

const across = (f: (a: I64, b: I64) => I64, signed: boolean, widen = false): Definition =>
  bySize(two, (log) =>
    guarded((e) => {
      const result = e.variable(readLane(e, log, signed, e.field('n')));
      const i = e.variable(i32.const(1));
      e.loop((again) => {
        e.assign(result, f(result.get, e.let(readLane(e, log, signed, laneOf(e, 'n', i.get, log)))));
        e.assign(i, i32.add(i.get, i32.const(1)));
        again(i32.lt_u(i.get, e.field('a')));
      });
      begin(e);
      put(e, widen ? wider(log) : log, i32.const(0), result.get);
      finish(e);
    }),
  );

export const simdInteger: Definitions = Object.fromEntries([
  ...sameDefinitions,
  ...unaryDefinitions,
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
  ['rev64_v', reverse(3)],
  ['rev32_v', reverse(2)],
  ['rev16_v', reverse(1)],
  ['rbit_v', single({ ...two, a: (get) => 8 << get('Q') }, lanewise(shape(0, false), (e, a) => reverseBits(e, a)), outline)],
  ['saddlp_v', addLongPairs(true, false)],
  ['uaddlp_v', addLongPairs(false, false)],
  ['sadalp_v', addLongPairs(true, true)],
  ['uadalp_v', addLongPairs(false, true)],
  ['xtn_v', narrowing(narrowTwo, false, () => (_, a) => a)],
  ...Object.entries(narrowUnary).flatMap(([name, [from, to]]): [string, Definition][] => [
    [`${name}_v`, narrowing(narrowTwo, from, saturateNarrow(from, to))],
    [`${name}_s`, narrowScalar(from, to)],
  ]),
  ['shll_v', threeSizes({ d: vector('Rd'), n: upperIf('Rn'), a: narrowCount }, (log) => lanewise(longShape(log, false), (_, a) => i64.shl(a, i64.const(bitsOf(log)))))],
  ...Object.entries(long).flatMap(([stem, body]) =>
    (['s', 'u'] as const).map((sign): [string, Definition] => [`${sign}${stem}_v`, threeSizes(longRecord, (log) => lanewise(longShape(log, sign === 's'), body(log, sign === 's')))]),
  ),
  ...(['add', 'sub'] as const).flatMap((stem) =>
    (['s', 'u'] as const).map((sign): [string, Definition] => [
      `${sign}${stem}w_v`,
      threeSizes({ ...longRecord, n: vector('Rn') }, (log) => lanewise({ n: wider(log), m: log, to: wider(log), signed: sign === 's' }, (_, a, b) => i64[stem](a, b))),
    ]),
  ),
  ...Object.entries(doubling).flatMap(([name, body]): [string, Definition][] => [
    [`${name}_v`, threeSizes(longRecord, (log) => lanewise(longShape(log, true), body(log)))],
    [`${name}_s`, threeSizes({ ...three, a: ONE }, (log) => lanewise(longShape(log, true), body(log)))],
  ]),
  ['addhn_v', highHalves(false, false)],
  ['raddhn_v', highHalves(false, true)],
  ['subhn_v', highHalves(true, false)],
  ['rsubhn_v', highHalves(true, true)],
  ['pmull_v', carryless],
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
