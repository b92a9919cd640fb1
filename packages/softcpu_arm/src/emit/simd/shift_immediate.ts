/** Advanced SIMD, shifts by immediate of integers (Arm ARM, C7.2). */
import { i64, select } from '@axvisor/softcpu';
import type { Emit, Emitter, I64 } from '@axvisor/softcpu';
import { vector } from '../define.ts';
import type { Definition, Definitions, Get, RecordLayout } from '../define.ts';
import { LOGS, bitsOf, lanewise, saturate } from './lanes.ts';
import type { LaneBody, Log } from './lanes.ts';
import { upperIf } from './long.ts';
import { narrowing } from './two.ts';
import { shiftLeftSaturated, shiftRight } from './shift.ts';

/** The element size that immh stands for. */
const sizeOf = (get: Get): number => 31 - Math.clz32(get('immh'));
const encoded = (get: Get): number => (get('immh') << 3) | get('immb');
const right = (get: Get): number => (16 << sizeOf(get)) - encoded(get);
const left = (get: Get): number => encoded(get) - (8 << sizeOf(get));
const lanes = (get: Get): number => (get('Q') === 1 ? 16 : 8) >> sizeOf(get);
const ONE = (): number => 1;
const amount = (e: Emitter): I64 => i64.extend_i32_u(e.field('s'));
const ones = i64.const(-1);

type Body = (log: Log, signed: boolean) => LaneBody;

/** Right shifts and left shifts of the same width, by stem; those of both signs get an s or u before. */
const rightShifts: Readonly<Record<string, Body>> = {
  shr: (_, signed) => (e, a) => shiftRight(e, a, amount(e), signed, false),
  sra: (_, signed) => (e, a, _b, d) => i64.add(d, shiftRight(e, a, amount(e), signed, false)),
  rshr: (_, signed) => (e, a) => shiftRight(e, a, amount(e), signed, true),
  rsra: (_, signed) => (e, a, _b, d) => i64.add(d, shiftRight(e, a, amount(e), signed, true)),
};

/** Inserts: `mask` are the bits that the shifted source supplies. */
const sri = (log: Log): LaneBody => (e, a, _, d) => {
  const n = amount(e);
  const whole = i64.const((1n << BigInt(bitsOf(log))) - 1n);
  const mask = e.let(i64.shr_u(i64.shr_u(whole, i64.sub(n, i64.const(1))), i64.const(1)));
  return i64.or(i64.and(d, i64.xor(mask, ones)), i64.and(shiftRight(e, a, n, false, false), mask));
};
const sli = (): LaneBody => (e, a, _, d) => {
  const n = amount(e);
  const mask = e.let(i64.shl(ones, n));
  return i64.or(i64.and(d, i64.xor(mask, ones)), i64.shl(a, n));
};

const record = (shift: (get: Get) => number, count: (get: Get) => number): RecordLayout => ({ d: vector('Rd'), n: vector('Rn'), m: vector('Rn'), a: count, s: shift });

function both(name: string, shift: (get: Get) => number, signed: boolean, body: (log: Log) => LaneBody): [string, Definition][] {
  const emits = LOGS.map((log): Emit => lanewise({ n: log, m: log, to: log, signed }, body(log)));
  const define = (count: (get: Get) => number): Definition => ({ record: record(shift, count), variants: emits, select: sizeOf });
  return [[`${name}_vi`, define(lanes)], [`${name}_si`, define(ONE)]];
}

/** Narrowing shifts: what is shifted, how it rounds, and how it saturates (from, to signed); undefined: it does not. */
const narrow: Readonly<Record<string, readonly [rounding: boolean, saturates: readonly [from: boolean, to: boolean] | undefined]>> = {
  shrn: [false, undefined],
  rshrn: [true, undefined],
  sqshrn: [false, [true, true]],
  sqrshrn: [true, [true, true]],
  uqshrn: [false, [false, false]],
  uqrshrn: [true, [false, false]],
  sqshrun: [false, [true, false]],
  sqrshrun: [true, [true, false]],
};
const zero = i64.const(0);

function narrowBody(rounding: boolean, saturates: readonly [boolean, boolean] | undefined) {
  return (log: Log): LaneBody =>
    (e, a) => {
      const shifted = shiftRight(e, a, amount(e), saturates?.[0] ?? false, rounding);
      if (saturates === undefined) return shifted;
      // Shifted by one at least, an unsigned value is negative only when rounding carried to the top.
      const value = saturates[0] || log < 2 ? shifted : select(i64.lt_s(shifted, zero), i64.const(2n ** 62n), shifted);
      return saturate(e, value, log, saturates[1]);
    };
}
const narrowCount = (get: Get): number => 8 >> sizeOf(get);

export const simdShifts: Definitions = Object.fromEntries([
  ...Object.entries(rightShifts).flatMap(([stem, body]) =>
    [true, false].flatMap((signed) => {
      const sign = signed ? 's' : 'u';
      return both(sign + stem, right, signed, (log) => body(log, signed));
    }),
  ),
  ...both('shl', left, false, () => (e, a) => i64.shl(a, amount(e))),
  ...both('sri', right, false, sri),
  ...both('sli', left, false, sli),
  ...both('sqshl', left, true, (log) => (e, a) => shiftLeftSaturated(e, a, amount(e), log, true, true)),
  ...both('uqshl', left, false, (log) => (e, a) => shiftLeftSaturated(e, a, amount(e), log, false, false)),
  ...both('sqshlu', left, true, (log) => (e, a) => shiftLeftSaturated(e, a, amount(e), log, true, false)),
  ...Object.entries(narrow).flatMap(([name, [rounding, saturates]]): [string, Definition][] => {
    const body = narrowBody(rounding, saturates);
    const scalar = ([0, 1, 2] as const).map((log): Emit => lanewise({ n: (log + 1) as Log, m: (log + 1) as Log, to: log, signed: saturates?.[0] ?? false }, body(log)));
    return [
      [`${name}_vi`, narrowing(record(right, narrowCount), saturates?.[0] ?? false, body, sizeOf)],
      [`${name}_si`, { record: record(right, ONE), variants: scalar, select: sizeOf }],
    ];
  }),
  ...(['s', 'u'] as const).map((sign): [string, Definition] => [
    `${sign}shll_vi`,
    {
      record: { ...record(left, narrowCount), n: upperIf('Rn') },
      variants: ([0, 1, 2] as const).map((log): Emit => lanewise({ n: log, m: log, to: (log + 1) as Log, signed: sign === 's' }, (e, a) => i64.shl(a, amount(e)))),
      select: sizeOf,
    },
  ]),
]);
