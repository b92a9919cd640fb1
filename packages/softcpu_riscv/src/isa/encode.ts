/** The encoder: from an op number and operands to the 32-bit instruction; the inverse of the decoder. */

import type { ImmediateLayout } from './formats.ts';
import { auxiliaries, formats, immediates, registerShift } from './formats.ts';
import { insns } from './table.ts';

/** Operands as the decoder delivers them; what is absent counts as 0. */
export interface Operands {
  readonly rd?: number;
  readonly rs1?: number;
  readonly rs2?: number;
  readonly rs3?: number;
  readonly imm?: number;
  readonly aux?: number;
}

/**
 * Gathers an immediate from the bits of an instruction.
 *
 * @returns the value, sign-extended to int32 if the layout is signed
 */
export function extractImmediate(bits: number, { segments, width, signed }: ImmediateLayout): number {
  let value = 0;
  for (const { hi, lo, at } of segments) value |= ((bits >>> lo) & ((1 << (hi - lo + 1)) - 1)) << at;
  const spare = 32 - width;
  return signed ? (value << spare) >> spare : value;
}

/** Scatters an immediate to the bits of an instruction; bits of `value` that the layout does not hold are dropped. */
export function insertImmediate(value: number, { segments }: ImmediateLayout): number {
  let bits = 0;
  for (const { hi, lo, at } of segments) bits |= ((value >>> at) & ((1 << (hi - lo + 1)) - 1)) << lo;
  return bits;
}

/**
 * Encodes an instruction of the table. `encode(d.op, d)` gives the 32-bit form of anything that `decode` accepts, compressed ones too.
 *
 * @param op index into `insns`
 * @param operands values out of range are cut to their fields' width
 * @returns the instruction, int32
 * @throws {RangeError} no such op
 */
export function encode(op: number, operands: Operands): number {
  const insn = insns[op];
  if (insn === undefined) throw new RangeError(`no instruction has number ${op}`);
  const { fields, imm, aux } = formats[insn.format];
  let bits = insn.match;
  for (const field of fields) bits |= ((operands[field] ?? 0) & 31) << registerShift[field];
  if (imm !== undefined) bits |= insertImmediate(operands.imm ?? 0, immediates[imm]);
  if (aux !== undefined) {
    const { shift, width } = auxiliaries[aux];
    bits |= ((operands.aux ?? 0) & ((1 << width) - 1)) << shift;
  }
  return bits;
}
