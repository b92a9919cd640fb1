/** The parts of a processor that system instructions work with, and what all of them have in common. */
import { Flag } from '../state.ts';
import type { ControlRegisters } from './control.ts';
import type { Cpuid } from './cpuid.ts';
import type { Debug } from './debug.ts';
import type { Events } from './events.ts';
import type { FastCalls } from './fast_calls.ts';
import { CR4, V } from './fields.ts';
import type { GuestMode } from './guest.ts';
import { Status, type LocalApic, type SystemInsn } from './interface.ts';
import type { Linear } from './linear.ts';
import type { Msrs } from './msrs.ts';
import type { Ports } from './ports.ts';
import type { Registers } from './registers.ts';
import type { Segments } from './segments.ts';
import { Stack } from './stack.ts';
import type { Transfers } from './transfers.ts';
import type { Xsave } from './xsave.ts';

/** A count, and its words. */
const count = new BigUint64Array(1);
const countWords = new Int32Array(count.buffer);

const RAX = 0;
const RDX = 2;

/** What the handlers work with. */
export interface SystemParts {
  readonly regs: Registers;
  readonly linear: Linear;
  readonly segments: Segments;
  readonly transfers: Transfers;
  readonly events: Events;
  readonly control: ControlRegisters;
  readonly msrs: Msrs;
  readonly cpuid: Cpuid;
  readonly calls: FastCalls;
  readonly ports: Ports;
  readonly xsave: Xsave;
  readonly debug: Debug;
  readonly apic: LocalApic | undefined;
}

/** What all system instructions have in common. */
export class SystemContext {
  guest: GuestMode | undefined;
  readonly p: SystemParts;
  readonly stack: Stack;

  constructor(parts: SystemParts) {
    this.p = parts;
    this.stack = new Stack(parts.regs, parts.linear);
  }

  gp(): never {
    return this.p.regs.fault.raise(V.GP, 0);
  }

  ud(): never {
    return this.p.regs.fault.raise(V.UD);
  }

  /** Goes behind the instruction: caches of translations or the mode may have changed, an interrupt may be possible now. */
  advance(insn: SystemInsn): Status {
    this.p.regs.advance(insn.length);
    this.p.regs.host.endSlice();
    return Status.refetch;
  }

  /** The 16-bit operand: a register or memory. */
  word(insn: SystemInsn): number {
    const { regs, linear } = this.p;
    return insn.rm >= 0 ? regs.lo(insn.rm) & 0xffff : linear.load(insn.seg, insn.lo, insn.hi, 2);
  }

  /** EDX:EAX becomes the low 64 bits of a number. */
  setCount(value: bigint): void {
    count[0] = value;
    this.setPair(countWords[0]!, countWords[1]!);
  }

  setPair(lo: number, hi: number): void {
    const { regs } = this.p;
    regs.setGpr(RAX, lo, 0);
    regs.setGpr(RDX, hi, 0);
  }

  setZero(set: boolean): void {
    const { regs } = this.p;
    const { flags } = regs;
    regs.flags = set ? flags | Flag.ZF : flags & ~Flag.ZF;
  }

  visible(cr: number, value: number): number {
    return this.guest?.visible(cr, value) ?? value;
  }

  merge(cr: number, old: number, value: number): number {
    return this.guest?.merged(cr, old, value) ?? value;
  }

  umip(): void {
    const { regs } = this.p;
    if ((regs.cr4 & CR4.UMIP) !== 0 && regs.cpl !== 0) this.gp();
  }
}
