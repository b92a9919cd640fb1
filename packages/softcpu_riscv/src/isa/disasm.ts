/** The disassembler: from an instruction to the text of the standard assembly language, by the table the decoder uses. */

import type { Alias } from './aliases.ts';
import { aliases } from './aliases.ts';
import type { CompressedOperand } from './compressed.ts';
import { compressedInsns } from './compressed.ts';
import { csrNames } from './csr_names.ts';
import type { Decoded } from './decode.ts';
import { decode, findCompressed, newDecoded } from './decode.ts';
import { encode } from './encode.ts';
import type { Format, Operand, RegisterField } from './formats.ts';
import { formats } from './formats.ts';
import { DYNAMIC_ROUNDING, floatRegisters, integerRegisters, roundingModes } from './registers.ts';
import { insns, op } from './table.ts';

/** How to write instructions. */
export interface DisassemblyOptions {
  /** Write pseudo-instructions (`ret`, `mv a0,a1`) and base names for compressed instructions, instead of what is encoded (`c.jr ra`). */
  readonly aliases?: boolean;
}

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

const fenceSet = (bits: number): string => ['i', 'o', 'r', 'w'].filter((_, i) => (bits & (8 >> i)) !== 0).join('') || '0';

const orderings = ['', '.rl', '.aq', '.aqrl'] as const;
const FENCE_TSO = 0x833;

/** The rounding mode that assembly language leaves unsaid: dynamic, but for conversions that cannot round. */
export function defaultRounding(format: Format): number {
  return format === 'fwiden' || format === 'fcvt.exact' ? 0 : DYNAMIC_ROUNDING;
}

function operandText(operand: Operand | CompressedOperand, d: Decoded, pc: bigint): string {
  switch (operand) {
    case 'imm':
      return String(d.imm);
    case 'uimm':
      return hex(d.imm);
    case 'hi20':
      return hex(d.imm >>> 12);
    case 'target':
      return `0x${BigInt.asUintN(64, pc + BigInt(d.imm)).toString(16)}`;
    case 'mem':
      return `${d.imm}(${integerRegisters[d.rs1]!})`;
    case 'addr':
      return `(${integerRegisters[d.rs1]!})`;
    case 'csr':
      return csrNames.get(d.aux) ?? hex(d.aux);
    case 'zimm':
      return String(d.rs1);
    case 'rm':
      return roundingModes[d.aux] ?? String(d.aux);
    case 'pred':
      return fenceSet((d.imm >>> 4) & 15);
    case 'succ':
      return fenceSet(d.imm & 15);
    case 'sp':
      return 'sp';
    default: {
      const field = operand.slice(2) as RegisterField;
      return (operand.startsWith('x:') ? integerRegisters : floatRegisters)[d[field]]!;
    }
  }
}

const fits = ({ fixed }: Alias, d: Decoded): boolean =>
  (Object.entries(fixed) as [keyof Alias['fixed'], number | RegisterField][]).every(([field, value]) => d[field] === (typeof value === 'number' ? value : d[value]));

const aliasesOf = insns.map(({ name }) => aliases.filter(({ base, shown }) => shown && base === name));

function join(name: string, operands: readonly string[]): string {
  return operands.length === 0 ? name : `${name} ${operands.join(',')}`;
}

/**
 * Writes one instruction in the manner of GNU objdump. What is illegal, or legal but without an assembly form (a fence with reserved
 * fields), appears as `.word` or `.half` with its bits, so that the text always assembles to the same bits.
 *
 * @param bits the instruction, int32; if its low two bits are not 11 only the low half counts
 * @param pc its 64-bit address, to which branch targets are relative
 */
export function disassemble(bits: number, pc: bigint, options: DisassemblyOptions = {}): string {
  const compressed = (bits & 3) !== 3;
  const raw = compressed ? `.half ${hex(bits & 0xffff)}` : `.word ${hex(bits)}`;
  const d = newDecoded();
  if (!decode(bits, d)) return raw;
  const { name, format } = insns[d.op]!;
  const text = (list: readonly (Operand | CompressedOperand)[]): string[] => list.map((operand) => operandText(operand, d, pc));

  if (compressed && options.aliases !== true) {
    const insn = compressedInsns[findCompressed(bits & 0xffff)]!;
    return join(insn.name, insn.name === 'c.nop' && d.imm === 0 ? [] : text(insn.operands));
  }
  if (!compressed && encode(d.op, d) !== (bits | 0)) return raw;
  const { aux, operands } = formats[format];
  if (options.aliases === true) {
    const alias = aliasesOf[d.op]!.find((candidate) => fits(candidate, d));
    if (alias !== undefined) return join(alias.name, text(alias.operands));
  }
  if (d.op === op.fence && d.imm > 0xff) return d.imm === FENCE_TSO ? 'fence.tso' : raw;
  if (aux === 'aqrl') return join(name + orderings[d.aux]!, text(operands));
  const unsaid = aux === 'rm' && d.aux === defaultRounding(format);
  return join(name, text(unsaid ? operands.filter((operand) => operand !== 'rm') : operands));
}
