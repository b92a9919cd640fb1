/** How SSE, MMX and AVX instructions are defined: a body for each name, in functions of their own. */
import type { V128 } from '@axvisor/softcpu';
import { define } from '../define.ts';
import type { Definition, Definitions } from '../define.ts';
import type { Row } from '../../isa/table.ts';
import type { Operands } from '../operands.ts';
import { SimdOperands, simdRecord } from './operands.ts';
import { VexOperands } from './vex.ts';

export type Body = (o: SimdOperands) => void;
export type Binary = (a: V128, b: V128) => V128;
export type Unary = (a: V128) => V128;

/** Options of all: each row has handlers of its own, without a VEX prefix one more for memory operands by registers alone. */
const OPTIONS = { byRow: true, fast: true, outline: true, record: simdRecord } as const;

const operandsOf = (operands: Operands, row: Row): SimdOperands => (row.vex ? new VexOperands(operands, row) : new SimdOperands(operands, row));

/** A body that is executed for each half of 128 bits, of which SSE instructions have one. */
export const simd = (body: Body, more: Partial<Definition> = {}): Definition =>
  define((operands, row) => {
    const o = operandsOf(operands, row);
    o.guard();
    o.execute(() => body(o));
  }, { ...OPTIONS, ...more });

/** A body that is about all halves. */
export const whole = (body: Body, more: Partial<Definition> = {}): Definition =>
  define((operands, row) => {
    const o = operandsOf(operands, row);
    o.guard();
    o.executeWhole(() => body(o));
  }, { ...OPTIONS, ...more });

/** The same of an instruction that exists with a VEX prefix only. */
export const avx = (body: (o: VexOperands) => void, more: Partial<Definition> = {}): Definition => whole((o) => body(o as VexOperands), more);

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
