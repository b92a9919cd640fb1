/** Operands of instructions that are emulated: registers, and memory that may be a device's. */
import { Rflags } from '@axvisor/axvisor_api/arch/x86';
import type { Instruction, Shape } from './decode.ts';
import type { EmulatedCpu, Size, Steps } from './machine.ts';

/** What an instruction returns that has set RIP itself. */
export const JUMPED = 'jumped';

/** What one returns behind which interrupts and traps wait for the next: MOV SS. */
export const SHADOWED = 'shadowed';
/** What an instruction does to the next one, if it is done. */
export type Next = typeof JUMPED | typeof SHADOWED | void;

export type Run = (cpu: EmulatedCpu, i: Instruction) => Steps<Next>;

/** An instruction: what must be known to find its end, and what it does. */
export interface Definition extends Shape {
  readonly run: Run;
  /** Absent: all forms of the opcode are emulated. */
  readonly handles?: (i: Instruction) => boolean;
}

export const linearOf = (cpu: EmulatedCpu, i: Instruction): bigint => cpu.linear(i.segment, i.offset);

export function* readRm(cpu: EmulatedCpu, i: Instruction, size: Size): Steps<bigint> {
  return i.register ? cpu.operand(i.rm, size, i.rex) : yield* cpu.read(linearOf(cpu, i), size);
}
export function* writeRm(cpu: EmulatedCpu, i: Instruction, size: Size, value: bigint): Steps {
  if (i.register) cpu.setOperand(i.rm, size, i.rex, value);
  else yield* cpu.write(linearOf(cpu, i), size, value);
}
/** Before a read whose result is written back: the write must not fault. */
export function probeWrite(cpu: EmulatedCpu, i: Instruction, size: Size): void {
  if (!i.register) cpu.probe(linearOf(cpu, i), size, true);
}
export const carry = (cpu: EmulatedCpu): bigint => cpu.guest.get('rflags') & Rflags.CF;
export const register = (cpu: EmulatedCpu, i: Instruction, size: Size): bigint => cpu.operand(i.reg, size, i.rex);
export const setRegister = (cpu: EmulatedCpu, i: Instruction, size: Size, value: bigint): void => cpu.setOperand(i.reg, size, i.rex, value);

export const plain = (run: Run): Definition => ({ modrm: false, immediate: 'none', run });
export const modrm = (run: Run): Definition => ({ modrm: true, immediate: 'none', run });
export const withByte = (run: Run): Definition => ({ modrm: true, immediate: 'byte', run });
export const withWord = (run: Run): Definition => ({ modrm: true, immediate: 'word', run });
export const offset = (run: Run): Definition => ({ modrm: false, immediate: 'offset', run });
