/** The decoder: from a 16- or 32-bit instruction to its op number and operands (unprivileged manual, "RV32/64G Instruction Set Listings"). */

import { compressedFieldWidths, compressedInsns, compressedRegister } from './compressed.ts';
import { buildDecisionTree, walkDecisionTree } from './decision_tree.ts';
import { extractImmediate } from './encode.ts';
import { auxiliaries, formats, immediates, registerShift } from './formats.ts';
import { insns, op, parsePattern } from './table.ts';

/** A decoded instruction. Fields that the instruction does not have are 0. */
export interface Decoded {
  /** Index into `insns`. */
  op: number;
  rd: number;
  /** For csrrwi, csrrsi and csrrci the 5-bit immediate. */
  rs1: number;
  rs2: number;
  rs3: number;
  /** Sign-extended to int32; U-type: the value already shifted left by 12; shifts: the amount; fence: bits 31:20. */
  imm: number;
  /** The CSR number, or the rounding mode of a floating-point instruction, or aq << 1 | rl of an atomic one. */
  aux: number;
  length: 2 | 4;
}

/** A record for `decode` to fill. */
export function newDecoded(): Decoded {
  return { op: 0, rd: 0, rs1: 0, rs2: 0, rs3: 0, imm: 0, aux: 0, length: 4 };
}

const opcode = [2, 5] as const;
const funct3 = [12, 3] as const;
const funct7 = [25, 7] as const;
const rs2Field = [20, 5] as const;
const rs1Field = [15, 5] as const;
const rdField = [7, 5] as const;
const tree = buildDecisionTree(insns, [opcode, funct3, funct7, rs2Field, rs1Field, rdField]);

const masks = Int32Array.from(insns, ({ mask }) => mask);
const matches = Int32Array.from(insns, ({ match }) => match);

const registerMask = (field: keyof typeof registerShift): Uint8Array =>
  Uint8Array.from(insns, ({ format }) => (formats[format].fields.includes(field) ? 31 : 0));
const rdMask = registerMask('rd');
const rs1Mask = registerMask('rs1');
const rs2Mask = registerMask('rs2');
const rs3Mask = registerMask('rs3');
const immediateOf = insns.map(({ format }) => {
  const { imm } = formats[format];
  return imm === undefined ? undefined : immediates[imm];
});
const auxShift = Uint8Array.from(insns, ({ format }) => auxiliaries[formats[format].aux ?? 'rm'].shift);
const auxMask = Uint16Array.from(insns, ({ format }) => {
  const { aux } = formats[format];
  return aux === undefined ? 0 : (1 << auxiliaries[aux].width) - 1;
});

const compressedPatterns = compressedInsns.map(({ pattern }) => parsePattern(pattern, compressedFieldWidths, 16));
const compressedTree = buildDecisionTree(compressedPatterns, [[0, 2], [13, 3], [10, 3], [5, 2], [7, 5], [2, 5]]);

/**
 * Finds the compressed instruction that 16 bits encode.
 *
 * @returns an index into `compressedInsns`, or -1 where no pattern matches; reserved operand values are not looked at
 */
export function findCompressed(half: number): number {
  const index = walkDecisionTree(compressedTree, half);
  if (index < 0) return -1;
  const { match, mask } = compressedPatterns[index]!;
  return (half & mask) === match ? index : -1;
}

function decodeCompressed(half: number, out: Decoded): boolean {
  const index = findCompressed(half);
  if (index < 0) return false;
  const insn = compressedInsns[index]!;
  const rd = insn.rd === undefined ? 0 : compressedRegister(half, insn.rd);
  const imm = insn.imm === undefined ? 0 : extractImmediate(half, insn.imm);
  if (insn.nonzero === 'imm' && imm === 0) return false;
  if (insn.nonzero === 'rd' && ((half >>> 7) & 31) === 0) return false;
  out.op = op[insn.base];
  out.rd = rd;
  out.rs1 = insn.rs1 === undefined ? 0 : compressedRegister(half, insn.rs1);
  out.rs2 = insn.rs2 === undefined ? 0 : compressedRegister(half, insn.rs2);
  out.rs3 = 0;
  out.imm = imm;
  out.aux = 0;
  out.length = 2;
  return true;
}

/**
 * Decodes one instruction. A compressed instruction yields the base instruction it stands for, with length 2; hints are what they look
 * like (operations on x0). The reserved rounding modes 5 and 6 decode: whether the dynamic mode is valid is also known at execution only.
 *
 * @param bits the instruction, int32; if its low two bits are not 11 only the low half counts
 * @param out receives the result; left undefined where the instruction is illegal
 * @returns whether the instruction is a legal encoding
 */
export function decode(bits: number, out: Decoded): boolean {
  if ((bits & 3) !== 3) return decodeCompressed(bits & 0xffff, out);
  const found = walkDecisionTree(tree, bits);
  if (found < 0 || (bits & masks[found]!) !== matches[found]!) return false;
  const immediate = immediateOf[found];
  out.op = found;
  out.rd = (bits >>> 7) & rdMask[found]!;
  out.rs1 = (bits >>> 15) & rs1Mask[found]!;
  out.rs2 = (bits >>> 20) & rs2Mask[found]!;
  out.rs3 = (bits >>> 27) & rs3Mask[found]!;
  out.imm = immediate === undefined ? 0 : extractImmediate(bits, immediate);
  out.aux = (bits >>> auxShift[found]!) & auxMask[found]!;
  out.length = 4;
  return true;
}
