/**
 * How an instruction of the table is defined for the engine: which of its fields select a handler, what goes into the decoded
 * record, and the definition itself.
 *
 * Record: handler u16 @0, d, n, m u16 @2, 4, 6 (offsets of registers in the state block, or small numbers), imm i32 @8 or two
 * more registers a, s u16 @8, 10, and the instruction i32 @12, or the upper half of a 64-bit immediate where nothing can fault.
 */
import type { Emit, Emitter } from '@axvisor/softcpu';
import { SP, V, X, ZR, ZSINK } from '../state.ts';

/** Reads a field of the instruction being decoded, unsigned. */
export type Get = (field: string) => number;

/** What a field counts: its value times `step`, the value being signed if a width is given, or one of `values`. */
type Part = { readonly field: string; readonly signed?: number; readonly step: number } | { readonly field: string; readonly values: readonly number[] };

/** A part, or the product of two fields'. */
export interface Term {
  readonly part: Part;
  readonly times?: { readonly field: string; readonly values: readonly number[] };
}

/** A number that is a constant and what fields of the instruction count. */
export interface Sum {
  readonly constant: number;
  readonly terms: readonly Term[];
}

/** What a record's field holds, from the instruction; most are sums, for which nothing need be called. */
export interface Operand {
  (get: Get, word: number): number;
  readonly sum?: Sum;
  /** Of what is no sum: its number in `compute.ts`, of a field of 32 bits. */
  readonly computed?: number;
}

/** The decoded record of an instruction; what is absent is 0. */
export interface RecordLayout {
  readonly d?: Operand;
  readonly n?: Operand;
  readonly m?: Operand;
  readonly a?: Operand;
  readonly s?: Operand;
  /** 32 bits at 8, instead of `a` and `s`. */
  readonly imm?: Operand;
  /** Instead of the instruction's bits. */
  readonly high?: Operand;
}

/** One instruction: `variants` handlers, of which `select` chooses by the instruction's fields. */
export interface Definition {
  readonly record: RecordLayout;
  readonly variants: readonly Emit[];
  readonly select?: Operand;
  /** The variant that is never translated. */
  readonly interpreted?: number;
  /** Branches with `imm` as the distance in bytes. */
  readonly direct?: boolean;
  /** Execution does not go on behind it. */
  readonly ends?: boolean;
}

export type Definitions = Readonly<Record<string, Definition>>;

function partOf(part: Part, get: Get): number {
  const value = get(part.field);
  if ('values' in part) return part.values[value] as number;
  const { signed: width, step } = part;
  return (width === undefined ? value : (value << (32 - width)) >> (32 - width)) * step;
}

/** A sum as an operand. */
function summed(constant: number, ...terms: readonly Term[]): Operand {
  const value = (get: Get): number => terms.reduce((total, { part, times }) => total + partOf(part, get) * (times === undefined ? 1 : partOf(times, get)), constant);
  return Object.assign(value, { sum: { constant, terms } });
}

const operand = (constant: number, part: Part): Operand => summed(constant, { part });

/** The same number for all. */
export const fixed = (value: number): Operand => summed(value);

/** One of these numbers by a field's value. */
export const among = (field: string, values: readonly number[]): Operand => operand(0, { field, values });

/** Places in the state block by number of the register. */
const places = (at31: number): readonly number[] => Array.from({ length: 32 }, (_, number) => (number === 31 ? at31 : X + 8 * number));
const SOURCES = places(ZR);
const TARGETS = places(ZSINK);
const BASES = places(SP);
const IS_31: readonly number[] = Array.from({ length: 32 }, (_, number) => (number === 31 ? 1 : 0));

/** A register as a source: 31 is zero. */
export const source = (field: string): Operand => among(field, SOURCES);

/** A register as destination: 31 is dropped. */
export const target = (field: string): Operand => among(field, TARGETS);

/** A register of which 31 is SP. */
export const orSp = (field: string): Operand => among(field, BASES);

/** A SIMD&FP register. */
export const vector = (field: string): Operand => operand(V, { field, step: 16 });

/** A field in units of `scale`, as it is if none is given. */
export const plain = (field: string, scale = 1): Operand => operand(0, { field, step: scale });

/** A signed field in units of `scale`. */
export const signed = (field: string, width: number, scale: number): Operand => operand(0, { field, signed: width, step: scale });

/** 1 if a field is 31, else 0. */
export const is31 = (field: string): Operand => among(field, IS_31);

const scaled = (part: Part, factor: number): Part => ('values' in part ? { ...part, values: part.values.map((value) => value * factor) } : { ...part, step: part.step * factor });

/** `first + second * factor`. */
export function sum(first: Operand, second: Operand, factor = 1): Operand {
  if (first.sum === undefined || second.sum === undefined) return (get, word) => first(get, word) + second(get, word) * factor;
  const terms = factor === 1 ? second.sum.terms : second.sum.terms.map((term): Term => ({ ...term, part: scaled(term.part, factor) }));
  return summed(first.sum.constant + second.sum.constant * factor, ...first.sum.terms, ...terms);
}

/** A field, or one of `values` by it, times a number by another field. */
export const product = (field: string, by: string, factors: readonly number[], values?: readonly number[]): Operand =>
  summed(0, { part: values === undefined ? { field, step: 1 } : { field, values }, times: { field: by, values: factors } });

/** A definition without variants. */
export const single = (record: RecordLayout, emit: Emit, more: Partial<Definition> = {}): Definition => ({ record, variants: [emit], ...more });

/** 32-bit and 64-bit handlers, chosen by a field. */
export const bySf = (record: RecordLayout, w: Emit, x: Emit, more: Partial<Definition> = {}): Definition => ({ record, variants: [w, x], select: plain('sf'), ...more });

/** Where the state block lies in linear memory, for registers that are reached by address. */
export function stateBase(e: Pick<Emitter, 'state'>): number {
  const read = e.state('i32.load', X);
  // While definitions are only inspected there is no place yet.
  return read.kind === 'read' ? read.offset - X : 0;
}
