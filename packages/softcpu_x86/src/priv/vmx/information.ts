/** VM-exit instruction information (SDM vol. 3, tables 28-9 to 28-15). */
import type { SystemInsn } from '../interface.ts';

/** Address size in the order of the field: 16, 32, 64 bits. */
const sizeCode = (bytes: number): number => (bytes === 8 ? 2 : bytes === 4 ? 1 : 0);

/** Scale, address size, segment, index and base of a memory operand. */
function memory(insn: SystemInsn): number {
  const index = insn.index < 0 ? 1 << 22 : (insn.index << 18) | insn.scale;
  const base = insn.base < 0 ? 1 << 27 : insn.base << 23;
  return (sizeCode(insn.addrSize) << 7) | (insn.seg << 15) | index | base;
}

/** A memory operand, or a register in bits 6:3. */
const either = (insn: SystemInsn): number => (insn.rm >= 0 ? (insn.rm << 3) | (1 << 10) : memory(insn));

const withRegister = (insn: SystemInsn): number => memory(insn) | (insn.reg << 28);
const table = (identity: number) => (insn: SystemInsn): number => memory(insn) | (insn.opSize === 2 ? 0 : 1 << 11) | (identity << 28);
const system = (identity: number) => (insn: SystemInsn): number => either(insn) | (identity << 28);
const random = (insn: SystemInsn): number => (insn.rm << 3) | (sizeCode(insn.opSize) << 11);

/** By instruction; others leave the field alone. */
export const instructionInformation: Readonly<Record<string, (insn: SystemInsn) => number>> = {
  ins: (insn) => sizeCode(insn.addrSize) << 7,
  outs: (insn) => (sizeCode(insn.addrSize) << 7) | (insn.seg << 15),
  invept: withRegister,
  invpcid: withRegister,
  invvpid: withRegister,
  sgdt: table(0),
  sidt: table(1),
  lgdt: table(2),
  lidt: table(3),
  sldt: system(0),
  str: system(1),
  lldt: system(2),
  ltr: system(3),
  rdrand: random,
  rdseed: random,
  vmclear: memory,
  vmptrld: memory,
  vmptrst: memory,
  vmxon: memory,
  xsaves: memory,
  xrstors: memory,
  vmread: (insn) => either(insn) | (insn.reg << 28),
  vmwrite: (insn) => either(insn) | (insn.reg << 28),
};

/** Instructions whose exit qualification is the displacement of their memory operand. */
export const DISPLACED: ReadonlySet<string> = new Set([
  'invept', 'invpcid', 'invvpid', 'sgdt', 'sidt', 'lgdt', 'lidt', 'sldt', 'str', 'lldt', 'ltr', 'vmclear', 'vmptrld', 'vmptrst', 'vmxon', 'vmread', 'vmwrite',
  'xsaves', 'xrstors',
]);
