/** Operands of the assembler: from the text between commas to the fields of an instruction, or the verdict that this form does not fit. */

import type { Section } from '@axvisor/softcpu/asm';
import { AssemblyError } from '@axvisor/softcpu/asm';
import type { CompressedOperand } from './compressed.ts';
import { csrNumbers } from './csr_names.ts';
import type { ImmediateLayout, Operand, RegisterField } from './formats.ts';
import { floatRegisterNumbers, integerRegisterNumbers, roundingModes } from './registers.ts';

/** The fields that an instruction's operands fill, as the decoder delivers them. */
export interface Fields {
  rd: number;
  rs1: number;
  rs2: number;
  rs3: number;
  imm: number;
  aux: number;
}

const INDIRECT = /^(.*)\(\s*([\w.]+)\s*\)$/;

const isRegister = (text: string): boolean => integerRegisterNumbers.has(text) || floatRegisterNumbers.has(text);

function within(value: bigint, low: bigint, high: bigint, what: string): number {
  if (value < low || value > high) throw new AssemblyError(`${what} ${value} is not within ${low}..${high}`);
  return Number(value);
}

function immediate(value: bigint, layout: ImmediateLayout, what: string): number {
  const bits = BigInt(layout.width);
  const granule = 1n << BigInt(Math.min(...layout.segments.map(({ at }) => at)));
  const result = layout.signed
    ? within(value, -1n << (bits - 1n), (1n << (bits - 1n)) - granule, what)
    : within(value, 0n, (1n << bits) - granule, what);
  if (value % granule !== 0n) throw new AssemblyError(`${what} ${value} is not a multiple of ${granule}`);
  return result;
}

/** The set `iorw` of FENCE as a number, or undefined if the text is not one. */
function fenceSet(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^i?o?r?w?$/.test(text) || text === '') return undefined;
  return [...'iorw'].reduce((set, letter, i) => set | (text.includes(letter) ? 8 >> i : 0), 0);
}

/**
 * Reads one operand into the fields.
 *
 * @param operand what the form of the instruction has in this place
 * @param layout the layout of the form's immediate, if it has one
 * @returns false if the text is something else than such an operand, so that another form may fit
 * @throws {AssemblyError} the right kind of operand with an impossible value
 */
export function readOperand(operand: Operand | CompressedOperand, text: string, layout: ImmediateLayout | undefined, fields: Fields, section: Section): boolean {
  const number = (source: string): bigint => section.evaluate(source);
  switch (operand) {
    case 'imm':
    case 'uimm':
      if (isRegister(text) || INDIRECT.test(text) && isRegister(INDIRECT.exec(text)![2]!)) return false;
      fields.imm = immediate(number(text), layout!, 'immediate');
      return true;
    case 'hi20': {
      if (isRegister(text)) return false;
      const value = number(text);
      // c.lui's operand is the upper immediate of the full lui, so its negative values wrap in 20 bits.
      fields.imm = within(value, 0n, 0xfffffn, 'upper immediate') << 12;
      if (layout!.width < 32) immediate(BigInt(fields.imm), layout!, 'upper immediate');
      return true;
    }
    case 'target':
      if (isRegister(text)) return false;
      fields.imm = immediate(BigInt.asIntN(64, number(text) - section.pc), layout!, 'branch distance');
      return true;
    case 'mem': {
      const match = INDIRECT.exec(text);
      const base = match === null ? undefined : integerRegisterNumbers.get(match[2]!);
      if (match === null || base === undefined) return false;
      fields.rs1 = base;
      fields.imm = match[1]!.trim() === '' ? 0 : immediate(number(match[1]!), layout!, 'offset');
      return true;
    }
    case 'addr': {
      const match = INDIRECT.exec(text);
      const base = match === null ? undefined : integerRegisterNumbers.get(match[2]!);
      if (match === null || base === undefined) return false;
      if (match[1]!.trim() !== '' && number(match[1]!) !== 0n) throw new AssemblyError('this instruction takes no offset');
      fields.rs1 = base;
      return true;
    }
    case 'csr':
      fields.aux = csrNumbers.get(text) ?? within(number(text), 0n, 0xfffn, 'CSR number');
      return true;
    case 'zimm':
      if (isRegister(text)) return false;
      fields.rs1 = within(number(text), 0n, 31n, 'immediate');
      return true;
    case 'rm': {
      const mode = roundingModes.indexOf(text);
      if (mode < 0 && !/^[56]$/.test(text)) return false;
      fields.aux = mode < 0 ? Number(text) : mode;
      return true;
    }
    case 'pred':
    case 'succ': {
      const set = fenceSet(text);
      if (set === undefined) return false;
      fields.imm |= operand === 'pred' ? set << 4 : set;
      return true;
    }
    case 'sp':
      return integerRegisterNumbers.get(text) === 2;
    default: {
      const register = (operand.startsWith('x:') ? integerRegisterNumbers : floatRegisterNumbers).get(text);
      if (register === undefined) return false;
      fields[operand.slice(2) as RegisterField] = register;
      return true;
    }
  }
}
