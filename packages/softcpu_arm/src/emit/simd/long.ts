/** Advanced SIMD, integer: three registers of different element sizes (Arm ARM, C7.2). */
import { i32, i64 } from '@axvisor/softcpu';
import type { Emit, Emitter, I64 } from '@axvisor/softcpu';
import { V } from '../../state.ts';
import { plain, vector } from '../define.ts';
import type { Definition, Definitions, Get, RecordLayout } from '../define.ts';
import { bitsOf, guarded, half, lanewise, replaceOverflow, saturate, saturatedSum, setHalves } from './lanes.ts';
import type { LaneBody, LaneShape, Log } from './lanes.ts';
import { ONE, difference, polynomial, three } from './same.ts';
import { narrowCount, narrowing, wider } from './two.ts';

const zero = i64.const(0);

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

export type LongBody = (log: Log, signed: boolean) => LaneBody;
/** Operations whose result is twice as wide, by stem without sign. */
export const long: Readonly<Record<string, LongBody>> = {
  addl: () => (_, a, b) => i64.add(a, b),
  subl: () => (_, a, b) => i64.sub(a, b),
  abal: (_, signed) => (_e, a, b, d) => i64.add(d, difference(signed)(a, b)),
  abdl: (_, signed) => (_e, a, b) => difference(signed)(a, b),
  mlal: () => (_, a, b, d) => i64.add(d, i64.mul(a, b)),
  mlsl: () => (_, a, b, d) => i64.sub(d, i64.mul(a, b)),
  mull: () => (_, a, b) => i64.mul(a, b),
};
/** Saturating doubling products, perhaps accumulated. */
export const doubling: Readonly<Record<string, (log: Log) => LaneBody>> = {
  sqdmull: (log) => (e, a, b) => doublingProduct(e, a, b, log),
  sqdmlal: (log) => (e, a, b, d) => saturatedSum(e, d, e.let(doublingProduct(e, a, b, log)), wider(log), true, false),
  sqdmlsl: (log) => (e, a, b, d) => saturatedSum(e, d, e.let(doublingProduct(e, a, b, log)), wider(log), true, true),
};

const longRecord: RecordLayout = { d: vector('Rd'), n: upperIf('Rn'), m: upperIf('Rm'), a: narrowCount };
const threeSizes = (record: RecordLayout, emit: (log: Log) => Emit): Definition => ({ record, variants: ([0, 1, 2] as const).map(emit), select: plain('size') });

// An element operand may lie in the destination, so the loop writes beside it.
/** Elements of one size to elements twice as wide. */
export const longShape = (log: Log, signed: boolean, more: Partial<LaneShape> = {}): LaneShape => ({ n: log, m: log, to: wider(log), signed, ...more });

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
};

export const simdLong: Definitions = Object.fromEntries([
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
]);
