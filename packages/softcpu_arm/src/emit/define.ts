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

/** What a record's field holds, from the instruction. */
export type Operand = (get: Get, word: number) => number;

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
  /** Branches with `imm` as the distance in bytes. */
  readonly direct?: boolean;
  /** Execution does not go on behind it. */
  readonly ends?: boolean;
}

export type Definitions = Readonly<Record<string, Definition>>;

const orAt31 = (register: number, special: number): number => (register === 31 ? special : X + register * 8);

/** A register as a source: 31 is zero. */
export const source =
  (field: string): Operand =>
  (get) => orAt31(get(field), ZR);

/** A register as destination: 31 is dropped. */
export const target =
  (field: string): Operand =>
  (get) => orAt31(get(field), ZSINK);

/** A register of which 31 is SP. */
export const orSp =
  (field: string): Operand =>
  (get) => orAt31(get(field), SP);

/** A SIMD&FP register. */
export const vector =
  (field: string): Operand =>
  (get) => V + get(field) * 16;

/** A field as it is. */
export const plain =
  (field: string): Operand =>
  (get) => get(field);

/** A signed field in units of `scale`. */
export const signed =
  (field: string, width: number, scale: number): Operand =>
  (get) => ((get(field) << (32 - width)) >> (32 - width)) * scale;

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
