/** IN, OUT, INS and OUTS with the I/O permission bitmap (SDM vol. 1, 19.5; vol. 2). */
import type { PortVector } from '@axvisor/axvisor_api/arch/x86';
import type { Debug } from './debug.ts';
import { SEG, V } from './fields.ts';
import type { GuestMode } from './guest.ts';
import type { PortBus, SystemInsn } from './interface.ts';
import type { Linear } from './linear.ts';
import type { Registers } from './registers.ts';
import type { Tss } from './tss.ts';
import { Flag } from '../state.ts';

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RSI = 6;
const RDI = 7;

/** Iterations of a repeated instruction before interrupts are looked at. */
const BATCH = 1024;

/** What goes over the bus of a register's low word. */
const valueOf = (low: number, size: number): number => (size === 4 ? low >>> 0 : low & ((1 << (8 * size)) - 1));

export class Ports {
  guest: GuestMode | undefined;
  /** Hosted: what comes first of what leaves the guest. */
  vector: PortVector | undefined;
  private readonly regs: Registers;
  private readonly linear: Linear;
  private readonly tss: Tss;
  private readonly debug: Debug;
  private readonly bus: PortBus | undefined;

  constructor(regs: Registers, linear: Linear, tss: Tss, debug: Debug, bus: PortBus | undefined) {
    this.regs = regs;
    this.linear = linear;
    this.tss = tss;
    this.debug = debug;
    this.bus = bus;
  }

  private check(port: number, size: number): void {
    const { regs } = this;
    if (!regs.protectedMode || (!regs.v86 && regs.cpl <= regs.iopl)) return;
    if (!this.tss.portsAllowed(port, size)) regs.fault.raise(V.GP, 0);
  }

  private read(port: number, size: number): number {
    this.debug.port(port, size);
    return this.bus?.read(port, size) ?? (size === 4 ? -1 : (1 << (8 * size)) - 1);
  }

  private write(port: number, size: number, value: number): void {
    this.debug.port(port, size);
    this.bus?.write(port, size, valueOf(value, size));
  }

  /** What the vector gives for an access that would leave the guest. */
  private answered(port: number, size: number, input: boolean, value: number): number | undefined {
    const { guest, vector } = this;
    if (guest === undefined || vector === undefined || !guest.portExits(port, size)) return undefined;
    const answer = vector(port, size as 1 | 2 | 4, input, value);
    if (answer !== undefined) this.debug.port(port, size);
    return answer;
  }

  /** True: the guest was left. */
  in(port: number, size: number, insn: SystemInsn): boolean {
    const { regs } = this;
    this.check(port, size);
    const answer = this.answered(port, size, true, 0);
    if (answer === undefined && this.guest?.io(port, size, true, false, insn) === true) return true;
    const value = answer ?? this.read(port, size);
    if (size === 1) regs.setSized(RAX, 2, (regs.lo(RAX) & 0xff00) | (value & 0xff), 0);
    else regs.setSized(RAX, size, value, 0);
    return false;
  }

  /** True: the guest was left. */
  out(port: number, size: number, insn: SystemInsn): boolean {
    const { regs } = this;
    this.check(port, size);
    if (this.answered(port, size, false, valueOf(regs.lo(RAX), size)) !== undefined) return false;
    if (this.guest?.io(port, size, false, false, insn) === true) return true;
    this.write(port, size, regs.lo(RAX));
    return false;
  }

  /**
   * INS or OUTS, all iterations or some of them.
   *
   * @returns whether the instruction is over
   */
  string(input: boolean, size: number, insn: SystemInsn): boolean {
    const { regs } = this;
    const { addrSize } = insn;
    const port = regs.lo(RDX) & 0xffff;
    const pointer = input ? RDI : RSI;
    const step = (regs.systemFlags & Flag.DF) !== 0 ? -size : size;
    for (let i = 0; i < BATCH; i++) {
      if (insn.rep && this.isZero(RCX, addrSize)) return true;
      this.check(port, size);
      if (this.guest?.io(port, size, input, true, insn) === true) regs.fault.exited();
      const lo = addrSize === 2 ? regs.lo(pointer) & 0xffff : regs.lo(pointer);
      const hi = addrSize === 8 ? regs.hi(pointer) : 0;
      if (input) {
        // The destination is checked before the device is asked.
        this.linear.address(SEG.es, lo, hi, size, true);
        this.linear.probeWrite(this.linear.atLo, this.linear.atHi, size, this.linear.mmu(regs.cpl));
        this.linear.store(SEG.es, lo, hi, size, this.read(port, size), 0);
      } else this.write(port, size, this.linear.load(insn.seg, lo, hi, size));
      this.add(pointer, addrSize, step);
      if (!insn.rep) return true;
      this.add(RCX, addrSize, -1);
    }
    return this.isZero(RCX, addrSize);
  }

  private isZero(register: number, size: number): boolean {
    const { regs } = this;
    const lo = regs.lo(register);
    return size === 2 ? (lo & 0xffff) === 0 : lo === 0 && (size === 4 || regs.hi(register) === 0);
  }

  private add(register: number, size: number, step: number): void {
    const { regs } = this;
    const sum = (regs.lo(register) >>> 0) + step;
    regs.setSized(register, size, sum | 0, (regs.hi(register) + Math.floor(sum / 0x1_0000_0000)) | 0);
  }
}
