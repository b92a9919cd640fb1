/** Advanced SIMD on the host's vectors: shifts by immediate, and results of twice or half the size (Arm ARM, C7.2). */
import { i16x8, i32x4, i64x2, i8x16 } from '@axvisor/softcpu';
import type { Emitter, I32, V128 } from '@axvisor/softcpu';
import { V } from '../../state.ts';
import { vector } from '../define.ts';
import type { Definition, Definitions, Get, RecordLayout } from '../define.ts';
import { guarded } from './lanes.ts';
import { ZERO, bySize, read, shapes, size, whole, write } from './vector.ts';
import type { Compute, Operands, Sizes } from './vector.ts';
import { bytesOf } from './vector_permute.ts';

const sizeOf = (get: Get): number => 31 - Math.clz32(get('immh'));
const encoded = (get: Get): number => (get('immh') << 3) | get('immb');
const right = (get: Get): number => (16 << sizeOf(get)) - encoded(get);
const left = (get: Get): number => encoded(get) - (8 << sizeOf(get));
/** The host shifts by less than the size of an element. */
const clamped = (get: Get): number => Math.min(right(get), (8 << sizeOf(get)) - 1);
const amount = (e: Emitter): I32 => e.field('s');
const byImmediate = (shift: (get: Get) => number, sizes: Sizes): Definition =>
  bySize(undefined, { d: vector('Rd'), n: vector('Rn'), s: shift }, () => sizes, sizeOf);
/** Logical shifts to the right; by the whole size they leave nothing, which `gone` says what to do with. */
function logicalRight(sizes: Sizes, gone: Compute): Definition {
  const definition = byImmediate(clamped, sizes);
  const { variants, select } = definition;
  return {
    ...definition,
    variants: [...variants, whole(0, gone), whole(1, gone)],
    select: (get, word) => (right(get) === 8 << sizeOf(get) ? variants.length + get('Q') : (select?.(get, word) ?? 0)),
  };
}

const low64 = (e: Emitter, field: string): V128 => e.let(e.vector('v128.load64_zero', e.field(field)));
const wider = [i16x8, i32x4, i64x2] as const;
const extend = {
  s: [i16x8.extend_low_i8x16_s, i32x4.extend_low_i16x8_s, i64x2.extend_low_i32x4_s],
  u: [i16x8.extend_low_i8x16_u, i32x4.extend_low_i16x8_u, i64x2.extend_low_i32x4_u],
} as const;
const product = {
  s: [i16x8.extmul_low_i8x16_s, i32x4.extmul_low_i16x8_s, i64x2.extmul_low_i32x4_s],
  u: [i16x8.extmul_low_i8x16_u, i32x4.extmul_low_i16x8_u, i64x2.extmul_low_i32x4_u],
} as const;
const LONG = [0, 1, 2] as const;
const upperIf = (field: string) => (get: Get): number => V + get(field) * 16 + get('Q') * 8;
const longer = (record: RecordLayout, emit: (log: 0 | 1 | 2) => (e: Emitter) => V128, select: (get: Get) => number = size): Definition => ({
  record,
  variants: LONG.map((log) => guarded((e) => write(e, emit(log)(e), 1))),
  select,
});
const longRecord: RecordLayout = { d: vector('Rd'), n: upperIf('Rn'), m: upperIf('Rm') };

const long: [string, Definition][] = (['s', 'u'] as const).flatMap((sign): [string, Definition][] => {
  const sources = (e: Emitter, log: 0 | 1 | 2): readonly [V128, V128] => [extend[sign][log](low64(e, 'n')), extend[sign][log](low64(e, 'm'))];
  return [
    ...(['add', 'sub'] as const).flatMap((stem): [string, Definition][] => [
      [`${sign}${stem}l_v`, longer(longRecord, (log) => (e) => wider[log][stem](...sources(e, log)))],
      [`${sign}${stem}w_v`, longer({ ...longRecord, n: vector('Rn') }, (log) => (e) => wider[log][stem](read(e, 'n'), extend[sign][log](low64(e, 'm'))))],
    ]),
    [`${sign}mull_v`, longer(longRecord, (log) => (e) => product[sign][log](low64(e, 'n'), low64(e, 'm')))],
    [`${sign}mlal_v`, longer(longRecord, (log) => (e) => wider[log].add(read(e, 'd'), product[sign][log](low64(e, 'n'), low64(e, 'm'))))],
    [`${sign}mlsl_v`, longer(longRecord, (log) => (e) => wider[log].sub(read(e, 'd'), product[sign][log](low64(e, 'n'), low64(e, 'm'))))],
    [`${sign}shll_vi`, longer({ d: vector('Rd'), n: upperIf('Rn'), s: left }, (log) => (e) => wider[log].shl(extend[sign][log](low64(e, 'n')), amount(e)), sizeOf)],
  ];
});

/** The lower halves of elements twice the size, to the lower half of the destination, or to the upper one of which the lower is kept. */
function narrowed(e: Emitter, value: V128, log: number, upper: boolean): void {
  const evens = bytesOf(log, Array.from({ length: 8 >> log }, (_, i) => [false, 2 * i] as const)).slice(0, 8);
  const old = Array.from({ length: 8 }, (_, k) => 16 + k);
  const result = upper ? i8x16.shuffle(value, read(e, 'd'), [...old, ...evens]) : i8x16.shuffle(value, ZERO, [...evens, ...old]);
  write(e, result, 1);
}
const narrower = (record: RecordLayout, value: (e: Emitter, log: 0 | 1 | 2) => V128, select: (get: Get) => number): Definition => ({
  record: { d: vector('Rd'), n: vector('Rn'), ...record },
  variants: LONG.flatMap((log) => [false, true].map((upper) => guarded((e) => narrowed(e, value(e, log), log, upper)))),
  select: (get) => select(get) * 2 + get('Q'),
});

const shifted = (f: (s: (typeof shapes)[number], e: Emitter, operands: Operands) => V128): Sizes => shapes.map((s): Compute => (e, operands) => f(s, e, operands));

export const vectorShift: Definitions = Object.fromEntries([
  ['shl_vi', byImmediate(left, shifted((s, e, { n }) => s.shl(n(), amount(e))))],
  ['sshr_vi', byImmediate(clamped, shifted((s, e, { n }) => s.shr_s(n(), amount(e))))],
  ['ssra_vi', byImmediate(clamped, shifted((s, e, { n, d }) => s.add(d(), s.shr_s(n(), amount(e)))))],
  ['ushr_vi', logicalRight(shifted((s, e, { n }) => s.shr_u(n(), amount(e))), () => ZERO)],
  ['usra_vi', logicalRight(shifted((s, e, { n, d }) => s.add(d(), s.shr_u(n(), amount(e)))), (_, { d }) => d())],
  ...long,
  ['xtn_v', narrower({}, (e) => read(e, 'n'), size)],
  ['shrn_vi', narrower({ s: right }, (e, log) => wider[log].shr_u(read(e, 'n'), amount(e)), sizeOf)],
]);
