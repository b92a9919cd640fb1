/** The compressed instructions of RV64GC and the base instructions they stand for (unprivileged manual, "C" Standard Extension). */

import type { ImmediateLayout } from './formats.ts';
import type { InsnName } from './table.ts';

/**
 * Where a register number comes from: a full field `rd` (bits 11:7) or `rs2` (6:2), a 3-bit field `rs1'` (9:7) or `rs2'` (4:2) that
 * names x8..x15, or a register the instruction implies.
 */
export type CompressedRegister = 'rd' | 'rs2' | "rs1'" | "rs2'" | 'x0' | 'x1' | 'x2';

/** One compressed instruction. */
export interface CompressedInsn {
  readonly name: string;
  /** 16 bits in the manual's notation. */
  readonly pattern: string;
  /** The instruction it expands to. */
  readonly base: InsnName;
  readonly rd?: CompressedRegister;
  readonly rs1?: CompressedRegister;
  readonly rs2?: CompressedRegister;
  readonly imm?: ImmediateLayout;
  /** What must not be zero: else the encoding is reserved. */
  readonly nonzero?: 'rd' | 'imm';
  /** Operands in the order of the assembly language, in terms of the base instruction's fields. */
  readonly operands: readonly CompressedOperand[];
}

/** As the base formats' operands; `sp` is the register x2 written out. */
export type CompressedOperand = 'x:rd' | 'x:rs1' | 'x:rs2' | 'f:rd' | 'f:rs2' | 'imm' | 'uimm' | 'hi20' | 'target' | 'mem' | 'sp';

const layout = (width: number, signed: boolean, ...segments: readonly (readonly [number, number, number])[]): ImmediateLayout => ({
  width,
  signed,
  segments: segments.map(([hi, lo, at]) => ({ hi, lo, at })),
});

const addi4spn = layout(10, false, [12, 11, 4], [10, 7, 6], [6, 6, 2], [5, 5, 3]);
const word = layout(7, false, [12, 10, 3], [6, 6, 2], [5, 5, 6]);
const double = layout(8, false, [12, 10, 3], [6, 5, 6]);
const signed6 = layout(6, true, [12, 12, 5], [6, 2, 0]);
const shamt = layout(6, false, [12, 12, 5], [6, 2, 0]);
const addi16sp = layout(10, true, [12, 12, 9], [6, 6, 4], [5, 5, 6], [4, 3, 7], [2, 2, 5]);
const lui = layout(18, true, [12, 12, 17], [6, 2, 12]);
const jump = layout(12, true, [12, 12, 11], [11, 11, 4], [10, 9, 8], [8, 8, 10], [7, 7, 6], [6, 6, 7], [5, 3, 1], [2, 2, 5]);
const branch = layout(9, true, [12, 12, 8], [11, 10, 3], [6, 5, 6], [4, 3, 1], [2, 2, 5]);
const lwsp = layout(8, false, [12, 12, 5], [6, 4, 2], [3, 2, 6]);
const ldsp = layout(9, false, [12, 12, 5], [6, 5, 3], [4, 2, 6]);
const swsp = layout(8, false, [12, 9, 2], [8, 7, 6]);
const sdsp = layout(9, false, [12, 10, 3], [9, 7, 6]);

const load = (name: string, funct3: string, base: InsnName, imm: ImmediateLayout): CompressedInsn => ({
  name, pattern: `${funct3} imm3 rs1' imm2 rd' 00`, base, rd: "rs2'", rs1: "rs1'", imm, operands: [base.startsWith('f') ? 'f:rd' : 'x:rd', 'mem'],
});
const store = (name: string, funct3: string, base: InsnName, imm: ImmediateLayout): CompressedInsn => ({
  name, pattern: `${funct3} imm3 rs1' imm2 rs2' 00`, base, rs1: "rs1'", rs2: "rs2'", imm, operands: [base.startsWith('f') ? 'f:rs2' : 'x:rs2', 'mem'],
});
const arithmetic = (base: InsnName, pattern: string): CompressedInsn => ({
  name: `c.${base}`, pattern, base, rd: "rs1'", rs1: "rs1'", rs2: "rs2'", operands: ['x:rd', 'x:rs2'],
});

/** Every compressed instruction of RV64GC; where two patterns match, the one that fixes more bits is meant. */
export const compressedInsns: readonly CompressedInsn[] = [
  { name: 'c.addi4spn', pattern: "000 imm8 rd' 00", base: 'addi', rd: "rs2'", rs1: 'x2', imm: addi4spn, nonzero: 'imm', operands: ['x:rd', 'sp', 'imm'] },
  load('c.fld', '001', 'fld', double),
  load('c.lw', '010', 'lw', word),
  load('c.ld', '011', 'ld', double),
  store('c.fsd', '101', 'fsd', double),
  store('c.sw', '110', 'sw', word),
  store('c.sd', '111', 'sd', double),
  { name: 'c.nop', pattern: '000 imm1 00000 imm5 01', base: 'addi', rd: 'x0', rs1: 'x0', imm: signed6, operands: ['imm'] },
  { name: 'c.addi', pattern: '000 imm1 rd imm5 01', base: 'addi', rd: 'rd', rs1: 'rd', imm: signed6, operands: ['x:rd', 'imm'] },
  { name: 'c.addiw', pattern: '001 imm1 rd imm5 01', base: 'addiw', rd: 'rd', rs1: 'rd', imm: signed6, nonzero: 'rd', operands: ['x:rd', 'imm'] },
  { name: 'c.li', pattern: '010 imm1 rd imm5 01', base: 'addi', rd: 'rd', rs1: 'x0', imm: signed6, operands: ['x:rd', 'imm'] },
  { name: 'c.addi16sp', pattern: '011 imm1 00010 imm5 01', base: 'addi', rd: 'x2', rs1: 'x2', imm: addi16sp, nonzero: 'imm', operands: ['sp', 'imm'] },
  { name: 'c.lui', pattern: '011 imm1 rd imm5 01', base: 'lui', rd: 'rd', imm: lui, nonzero: 'imm', operands: ['x:rd', 'hi20'] },
  { name: 'c.srli', pattern: "100 imm1 00 rs1' imm5 01", base: 'srli', rd: "rs1'", rs1: "rs1'", imm: shamt, operands: ['x:rd', 'uimm'] },
  { name: 'c.srai', pattern: "100 imm1 01 rs1' imm5 01", base: 'srai', rd: "rs1'", rs1: "rs1'", imm: shamt, operands: ['x:rd', 'uimm'] },
  { name: 'c.andi', pattern: "100 imm1 10 rs1' imm5 01", base: 'andi', rd: "rs1'", rs1: "rs1'", imm: signed6, operands: ['x:rd', 'imm'] },
  arithmetic('sub', "100 0 11 rs1' 00 rs2' 01"),
  arithmetic('xor', "100 0 11 rs1' 01 rs2' 01"),
  arithmetic('or', "100 0 11 rs1' 10 rs2' 01"),
  arithmetic('and', "100 0 11 rs1' 11 rs2' 01"),
  arithmetic('subw', "100 1 11 rs1' 00 rs2' 01"),
  arithmetic('addw', "100 1 11 rs1' 01 rs2' 01"),
  { name: 'c.j', pattern: '101 imm11 01', base: 'jal', rd: 'x0', imm: jump, operands: ['target'] },
  { name: 'c.beqz', pattern: "110 imm3 rs1' imm5 01", base: 'beq', rs1: "rs1'", rs2: 'x0', imm: branch, operands: ['x:rs1', 'target'] },
  { name: 'c.bnez', pattern: "111 imm3 rs1' imm5 01", base: 'bne', rs1: "rs1'", rs2: 'x0', imm: branch, operands: ['x:rs1', 'target'] },
  { name: 'c.slli', pattern: '000 imm1 rd imm5 10', base: 'slli', rd: 'rd', rs1: 'rd', imm: shamt, operands: ['x:rd', 'uimm'] },
  { name: 'c.fldsp', pattern: '001 imm1 rd imm5 10', base: 'fld', rd: 'rd', rs1: 'x2', imm: ldsp, operands: ['f:rd', 'mem'] },
  { name: 'c.lwsp', pattern: '010 imm1 rd imm5 10', base: 'lw', rd: 'rd', rs1: 'x2', imm: lwsp, nonzero: 'rd', operands: ['x:rd', 'mem'] },
  { name: 'c.ldsp', pattern: '011 imm1 rd imm5 10', base: 'ld', rd: 'rd', rs1: 'x2', imm: ldsp, nonzero: 'rd', operands: ['x:rd', 'mem'] },
  { name: 'c.jr', pattern: '100 0 rd 00000 10', base: 'jalr', rd: 'x0', rs1: 'rd', nonzero: 'rd', operands: ['x:rs1'] },
  { name: 'c.mv', pattern: '100 0 rd rs2 10', base: 'add', rd: 'rd', rs1: 'x0', rs2: 'rs2', operands: ['x:rd', 'x:rs2'] },
  { name: 'c.ebreak', pattern: '100 1 00000 00000 10', base: 'ebreak', operands: [] },
  { name: 'c.jalr', pattern: '100 1 rd 00000 10', base: 'jalr', rd: 'x1', rs1: 'rd', operands: ['x:rs1'] },
  { name: 'c.add', pattern: '100 1 rd rs2 10', base: 'add', rd: 'rd', rs1: 'rd', rs2: 'rs2', operands: ['x:rd', 'x:rs2'] },
  { name: 'c.fsdsp', pattern: '101 imm6 rs2 10', base: 'fsd', rs1: 'x2', rs2: 'rs2', imm: sdsp, operands: ['f:rs2', 'mem'] },
  { name: 'c.swsp', pattern: '110 imm6 rs2 10', base: 'sw', rs1: 'x2', rs2: 'rs2', imm: swsp, operands: ['x:rs2', 'mem'] },
  { name: 'c.sdsp', pattern: '111 imm6 rs2 10', base: 'sd', rs1: 'x2', rs2: 'rs2', imm: sdsp, operands: ['x:rs2', 'mem'] },
];

/** Widths of the fields named in the patterns. */
export const compressedFieldWidths: Readonly<Record<string, number>> = {
  rd: 5, rs2: 5, "rd'": 3, "rs1'": 3, "rs2'": 3, imm1: 1, imm2: 2, imm3: 3, imm5: 5, imm6: 6, imm8: 8, imm11: 11,
};

/**
 * The register number a compressed instruction's 16 bits supply, 0..31.
 *
 * @param half the instruction
 * @param source which field or implied register
 */
export function compressedRegister(half: number, source: CompressedRegister): number {
  switch (source) {
    case 'rd':
      return (half >>> 7) & 31;
    case 'rs2':
      return (half >>> 2) & 31;
    case "rs1'":
      return 8 + ((half >>> 7) & 7);
    case "rs2'":
      return 8 + ((half >>> 2) & 7);
    case 'x0':
      return 0;
    case 'x1':
      return 1;
    case 'x2':
      return 2;
  }
}
