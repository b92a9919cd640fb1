/** RV64I but for its loads, stores and system instructions (unprivileged manual, "RV32I" and "RV64I Base Integer Instruction Set"). */
import { i32, i64 } from '@axvisor/softcpu';
import type { Emit, I32, I64 } from '@axvisor/softcpu';
import type { InsnName } from '../isa/table.ts';

/** Definitions by instruction name. */
export type Definitions = Readonly<Partial<Record<InsnName, Emit>>>;

type Operation = (a: I64, b: I64) => I64;
type Operation32 = (a: I32, b: I32) => I32;
type Condition = (a: I64, b: I64) => I32;

/** rd = rs1 op rs2. */
export const register =
  (f: Operation): Emit =>
  (e) =>
    e.setReg('rd', f(e.reg('rs1'), e.reg('rs2')));

/** rd = rs1 op imm. */
export const immediate =
  (f: Operation): Emit =>
  (e) =>
    e.setReg('rd', f(e.reg('rs1'), e.field64('imm')));

const low = (a: I64): I32 => i32.wrap_i64(a);

/** rd = sext32(rs1 op rs2) on the low words. */
export const registerWord =
  (f: Operation32): Emit =>
  (e) =>
    e.setReg('rd', i64.extend_i32_s(f(low(e.reg('rs1')), low(e.reg('rs2')))));

/** rd = sext32(rs1 op imm) on the low word. */
export const immediateWord =
  (f: Operation32): Emit =>
  (e) =>
    e.setReg('rd', i64.extend_i32_s(f(low(e.reg('rs1')), e.field('imm'))));

const branch =
  (f: Condition): Emit =>
  (e) =>
    e.branch(f(e.reg('rs1'), e.reg('rs2')));

const setIf =
  (f: Condition): Operation =>
  (a, b) =>
    i64.extend_i32_u(f(a, b));

const jal: Emit = (e) => {
  e.setReg('rd', e.nextPc());
  e.jump({ link: 'rd' });
};

const jalr: Emit = (e) => {
  const target = e.let(i64.and(i64.add(e.reg('rs1'), e.field64('imm')), i64.const(-2)));
  e.setReg('rd', e.nextPc());
  e.jumpTo(target, { link: 'rd', from: 'rs1' });
};

export const integer: Definitions = {
  lui: (e) => e.setReg('rd', e.field64('imm')),
  auipc: (e) => e.setReg('rd', i64.add(e.pc(), e.field64('imm'))),
  jal,
  jalr,
  beq: branch(i64.eq),
  bne: branch(i64.ne),
  blt: branch(i64.lt_s),
  bge: branch(i64.ge_s),
  bltu: branch(i64.lt_u),
  bgeu: branch(i64.ge_u),
  addi: immediate(i64.add),
  slti: immediate(setIf(i64.lt_s)),
  sltiu: immediate(setIf(i64.lt_u)),
  xori: immediate(i64.xor),
  ori: immediate(i64.or),
  andi: immediate(i64.and),
  // WebAssembly takes shift amounts modulo the width, as RISC-V does.
  slli: immediate(i64.shl),
  srli: immediate(i64.shr_u),
  srai: immediate(i64.shr_s),
  add: register(i64.add),
  sub: register(i64.sub),
  sll: register(i64.shl),
  slt: register(setIf(i64.lt_s)),
  sltu: register(setIf(i64.lt_u)),
  xor: register(i64.xor),
  srl: register(i64.shr_u),
  sra: register(i64.shr_s),
  or: register(i64.or),
  and: register(i64.and),
  addiw: immediateWord(i32.add),
  slliw: immediateWord(i32.shl),
  srliw: immediateWord(i32.shr_u),
  sraiw: immediateWord(i32.shr_s),
  addw: registerWord(i32.add),
  subw: registerWord(i32.sub),
  sllw: registerWord(i32.shl),
  srlw: registerWord(i32.shr_u),
  sraw: registerWord(i32.shr_s),
  fence: (e) => e.atomicFence(),
};
