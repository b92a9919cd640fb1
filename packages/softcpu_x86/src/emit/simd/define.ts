/** How SSE and MMX instructions are defined: a body for each name, in functions of their own. */
import type { V128 } from '@axvisor/softcpu';
import { define } from '../define.ts';
import type { Definition, Definitions } from '../define.ts';
import { SimdOperands, simdRecord } from './operands.ts';

export type Body = (o: SimdOperands) => void;
export type Binary = (a: V128, b: V128) => V128;
export type Unary = (a: V128) => V128;

/** Options of all: each row has handlers of its own, one more for memory operands by registers alone. */
const OPTIONS = { byRow: true, fast: true, outline: true, record: simdRecord } as const;

export const simd = (body: Body, more: Partial<Definition> = {}): Definition =>
  define((operands, row) => {
    const o = new SimdOperands(operands, row);
    o.guard();
    body(o);
  }, { ...OPTIONS, ...more });

/** destination = f(destination, source). Memory sources are read first: they may fault. */
export const binary = (f: Binary): Definition =>
  simd((o) => {
    const b = o.get(1);
    o.set(0, f(o.get(0), b));
  });
/** destination = f(source). */
export const unary = (f: Unary): Definition => simd((o) => o.set(0, f(o.get(1))));

export const binaries = (table: Readonly<Record<string, Binary>>): Definitions => Object.fromEntries(Object.entries(table).map(([name, f]) => [name, binary(f)]));
export const unaries = (table: Readonly<Record<string, Unary>>): Definitions => Object.fromEntries(Object.entries(table).map(([name, f]) => [name, unary(f)]));

/** One name, for MMX and XMM registers apart. */
export const byFile = (mmx: Body, xmm: Body): Definition => simd((o) => (o.isMmx(0) || o.isMmx(1) ? mmx : xmm)(o));
