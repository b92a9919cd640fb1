/** Pseudo-instructions that are one instruction with some operands fixed (RISC-V assembly programmer's manual); read both ways. */

import type { Operand, RegisterField } from './formats.ts';
import type { InsnName } from './table.ts';

/** A fixed operand: a number, or the field whose value it repeats. */
export type FixedOperand = number | RegisterField;

/** One pseudo-instruction. */
export interface Alias {
  readonly name: string;
  readonly base: InsnName;
  readonly fixed: Readonly<Partial<Record<RegisterField | 'imm' | 'aux', FixedOperand>>>;
  readonly operands: readonly Operand[];
  /** Whether the disassembler writes it too; not so where the assembler merely accepts another order of operands. */
  readonly shown: boolean;
}

type Row = readonly [name: string, base: InsnName, fixed: Alias['fixed'], operands: string];

const rows = (shown: boolean, list: readonly Row[]): Alias[] =>
  list.map(([name, base, fixed, operands]) => ({ name, base, fixed, operands: (operands === '' ? [] : operands.split(' ')) as Operand[], shown }));

const counters = { rdcycle: 0xc00, rdtime: 0xc01, rdinstret: 0xc02, frflags: 0x001, frrm: 0x002, frcsr: 0x003 };
const floatCsrs = { fsflags: 0x001, fsrm: 0x002, fscsr: 0x003 };
const ALL = 0xf;

/** All of them; of several that fit, the first is meant. */
export const aliases: readonly Alias[] = [
  ...rows(true, [
    ['nop', 'addi', { rd: 0, rs1: 0, imm: 0 }, ''],
    ['li', 'addi', { rs1: 0 }, 'x:rd imm'],
    ['mv', 'addi', { imm: 0 }, 'x:rd x:rs1'],
    ['mv', 'add', { rs1: 0 }, 'x:rd x:rs2'],
    ['not', 'xori', { imm: -1 }, 'x:rd x:rs1'],
    ['neg', 'sub', { rs1: 0 }, 'x:rd x:rs2'],
    ['negw', 'subw', { rs1: 0 }, 'x:rd x:rs2'],
    ['sext.w', 'addiw', { imm: 0 }, 'x:rd x:rs1'],
    ['zext.b', 'andi', { imm: 255 }, 'x:rd x:rs1'],
    ['zext.w', 'add.uw', { rs2: 0 }, 'x:rd x:rs1'],
    ['seqz', 'sltiu', { imm: 1 }, 'x:rd x:rs1'],
    ['snez', 'sltu', { rs1: 0 }, 'x:rd x:rs2'],
    ['sltz', 'slt', { rs2: 0 }, 'x:rd x:rs1'],
    ['sgtz', 'slt', { rs1: 0 }, 'x:rd x:rs2'],
    ['beqz', 'beq', { rs2: 0 }, 'x:rs1 target'],
    ['bnez', 'bne', { rs2: 0 }, 'x:rs1 target'],
    ['bltz', 'blt', { rs2: 0 }, 'x:rs1 target'],
    ['bgez', 'bge', { rs2: 0 }, 'x:rs1 target'],
    ['blez', 'bge', { rs1: 0 }, 'x:rs2 target'],
    ['bgtz', 'blt', { rs1: 0 }, 'x:rs2 target'],
    ['j', 'jal', { rd: 0 }, 'target'],
    ['jal', 'jal', { rd: 1 }, 'target'],
    ['ret', 'jalr', { rd: 0, rs1: 1, imm: 0 }, ''],
    ['jr', 'jalr', { rd: 0, imm: 0 }, 'x:rs1'],
    ['jr', 'jalr', { rd: 0 }, 'mem'],
    ['jalr', 'jalr', { rd: 1, imm: 0 }, 'x:rs1'],
    ['jalr', 'jalr', { rd: 1 }, 'mem'],
    ['jalr', 'jalr', { imm: 0 }, 'x:rd x:rs1'],
    ['pause', 'fence', { imm: 0x010 }, ''],
    ['fence', 'fence', { imm: (ALL << 4) | ALL }, ''],
    ...Object.entries(counters).map(([name, aux]): Row => [name, 'csrrs', { rs1: 0, aux }, 'x:rd']),
    ['csrr', 'csrrs', { rs1: 0 }, 'x:rd csr'],
    ...Object.entries(floatCsrs).flatMap(([name, aux]): Row[] => [[name, 'csrrw', { rd: 0, aux }, 'x:rs1'], [name, 'csrrw', { aux }, 'x:rd x:rs1']]),
    ['csrw', 'csrrw', { rd: 0 }, 'csr x:rs1'],
    ['csrs', 'csrrs', { rd: 0 }, 'csr x:rs1'],
    ['csrc', 'csrrc', { rd: 0 }, 'csr x:rs1'],
    ['csrwi', 'csrrwi', { rd: 0 }, 'csr zimm'],
    ['csrsi', 'csrrsi', { rd: 0 }, 'csr zimm'],
    ['csrci', 'csrrci', { rd: 0 }, 'csr zimm'],
    ['sfence.vma', 'sfence.vma', { rs1: 0, rs2: 0 }, ''],
    ['sfence.vma', 'sfence.vma', { rs2: 0 }, 'x:rs1'],
    ['hfence.vvma', 'hfence.vvma', { rs1: 0, rs2: 0 }, ''],
    ['hfence.vvma', 'hfence.vvma', { rs2: 0 }, 'x:rs1'],
    ['hfence.gvma', 'hfence.gvma', { rs1: 0, rs2: 0 }, ''],
    ['hfence.gvma', 'hfence.gvma', { rs2: 0 }, 'x:rs1'],
    ...(['s', 'd'] as const).flatMap((f): Row[] => [
      [`fmv.${f}`, `fsgnj.${f}`, { rs2: 'rs1' }, 'f:rd f:rs1'],
      [`fneg.${f}`, `fsgnjn.${f}`, { rs2: 'rs1' }, 'f:rd f:rs1'],
      [`fabs.${f}`, `fsgnjx.${f}`, { rs2: 'rs1' }, 'f:rd f:rs1'],
    ]),
  ]),
  ...rows(false, [
    ['bgt', 'blt', {}, 'x:rs2 x:rs1 target'],
    ['ble', 'bge', {}, 'x:rs2 x:rs1 target'],
    ['bgtu', 'bltu', {}, 'x:rs2 x:rs1 target'],
    ['bleu', 'bgeu', {}, 'x:rs2 x:rs1 target'],
    ['sgt', 'slt', {}, 'x:rd x:rs2 x:rs1'],
    ['sgtu', 'sltu', {}, 'x:rd x:rs2 x:rs1'],
    ['csrw', 'csrrwi', { rd: 0 }, 'csr zimm'],
    ['csrs', 'csrrsi', { rd: 0 }, 'csr zimm'],
    ['csrc', 'csrrci', { rd: 0 }, 'csr zimm'],
    ...(['s', 'd'] as const).flatMap((f): Row[] => [
      [`fgt.${f}`, `flt.${f}`, {}, 'x:rd f:rs2 f:rs1'],
      [`fge.${f}`, `fle.${f}`, {}, 'x:rd f:rs2 f:rs1'],
    ]),
  ]),
];
