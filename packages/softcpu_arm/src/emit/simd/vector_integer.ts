/** Advanced SIMD on the host's vectors, integer: elements of one size, and logic. Replaces what goes lane by lane (Arm ARM, C7.2). */
import { i16x8, i32, i32x4, i64x2, i8x16, v128 } from '@axvisor/softcpu';
import type { V128 } from '@axvisor/softcpu';
import { plain } from '../define.ts';
import type { Definition, Definitions, RecordLayout } from '../define.ts';
import { has, simdSame } from './same.ts';
import { simdTwo } from './two.ts';
import { ZERO, bySize, shapes, size, smaller, three, two, whole } from './vector.ts';
import type { Binary, Compute, Sizes, Unary } from './vector.ts';

const of = (f: Binary | undefined): Compute | undefined => f && ((_, { n, m }) => f(n(), m()));
const accumulated = (join: Binary, f: Binary | undefined): Compute | undefined => f && ((_, { n, m, d }) => join(d(), f(n(), m())));
const adds = shapes.map((s) => s.add);
const multiply: readonly (Binary | undefined)[] = [undefined, i16x8.mul, i32x4.mul, undefined];

/** Unsigned comparisons of 64 bits: signed ones of what is moved by half the range. */
const moved = (x: V128): V128 => v128.xor(x, v128.const((1n << 127n) | (1n << 63n)));
const difference = (sign: 's' | 'u'): readonly (Binary | undefined)[] => [
  ...smaller.map((s): Binary => (a, b) => s.sub(s[`max_${sign}`](a, b), s[`min_${sign}`](a, b))),
  undefined,
];
/** Half the sum, without its carry: rounded down from the bits in common, up from all bits. */
const halved = (sign: 's' | 'u', rounding: boolean): readonly Binary[] =>
  shapes.map((s): Binary => (a, b) => {
    const half = s[`shr_${sign}`](v128.xor(a, b), i32.const(1));
    return rounding ? s.sub(v128.or(a, b), half) : s.add(v128.and(a, b), half);
  });

const same: Readonly<Record<string, Sizes>> = {
  add: adds.map(of),
  sub: shapes.map((s) => of(s.sub)),
  mul: multiply.map(of),
  mla: multiply.map((f, log) => accumulated((adds[log] as Binary), f)),
  mls: multiply.map((f, log) => accumulated((shapes[log] as (typeof shapes)[number]).sub, f)),
  cmeq: shapes.map((s) => of(s.eq)),
  cmgt: shapes.map((s) => of(s.gt_s)),
  cmge: shapes.map((s) => of(s.ge_s)),
  cmhi: [...smaller.map((s) => of(s.gt_u)), of((a, b) => i64x2.gt_s(moved(a), moved(b)))],
  cmhs: [...smaller.map((s) => of(s.ge_u)), of((a, b) => i64x2.ge_s(moved(a), moved(b)))],
  cmtst: shapes.map((s) => of((a, b) => s.ne(v128.and(a, b), ZERO))),
  smax: smaller.map((s) => of(s.max_s)),
  umax: smaller.map((s) => of(s.max_u)),
  smin: smaller.map((s) => of(s.min_s)),
  umin: smaller.map((s) => of(s.min_u)),
  sabd: difference('s').map(of),
  uabd: difference('u').map(of),
  saba: difference('s').map((f, log) => accumulated(adds[log] as Binary, f)),
  uaba: difference('u').map((f, log) => accumulated(adds[log] as Binary, f)),
  shadd: halved('s', false).map(of),
  uhadd: halved('u', false).map(of),
  srhadd: halved('s', true).map(of),
  urhadd: halved('u', true).map(of),
};

/** Logic does not know of elements. */
const logic: Readonly<Record<string, Compute>> = {
  and: (_, { n, m }) => v128.and(n(), m()),
  bic: (_, { n, m }) => v128.andnot(n(), m()),
  orr: (_, { n, m }) => v128.or(n(), m()),
  orn: (_, { n, m }) => v128.or(n(), v128.not(m())),
  eor: (_, { n, m }) => v128.xor(n(), m()),
  bsl: (_, { n, m, d }) => v128.bitselect(n(), m(), d()),
  bit: (_, { n, m, d }) => v128.bitselect(n(), d(), m()),
  bif: (_, { n, m, d }) => v128.bitselect(d(), n(), m()),
};

const unary = (f: Unary): Compute => (_, { n }) => f(n());
const sources: Readonly<Record<string, Sizes>> = {
  abs: shapes.map((s) => unary(s.abs)),
  neg: shapes.map((s) => unary(s.neg)),
  not: shapes.map(() => unary(v128.not)),
  cnt: [unary(i8x16.popcnt), undefined, undefined, undefined],
};
const zeroComparisons: Readonly<Record<string, Sizes>> = {
  cmgt: shapes.map((s) => unary((a) => s.gt_s(a, ZERO))),
  cmge: shapes.map((s) => unary((a) => s.ge_s(a, ZERO))),
  cmeq: shapes.map((s) => unary((a) => s.eq(a, ZERO))),
  cmle: shapes.map((s) => unary((a) => s.le_s(a, ZERO))),
  cmlt: shapes.map((s) => unary((a) => s.lt_s(a, ZERO))),
};

const lanewise: Definitions = { ...simdSame, ...simdTwo };
const named = (suffix: string, table: Readonly<Record<string, Sizes>>, record: RecordLayout): [string, Definition][] =>
  Object.entries(table).flatMap(([stem, sizes]) => {
    const name = `${stem}${suffix}`;
    return has(name) ? [[name, bySize(lanewise[name], record, () => sizes, size)] as [string, Definition]] : [];
  });

export const vectorInteger: Definitions = Object.fromEntries([
  ...named('_v', same, three),
  ...named('_v', sources, two),
  ...named('_zero', zeroComparisons, two),
  ...Object.entries(logic).map(([stem, compute]): [string, Definition] => [`${stem}_v`, { record: three, variants: [whole(0, compute), whole(1, compute)], select: plain('Q') }]),
]);
