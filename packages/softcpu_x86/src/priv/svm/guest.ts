/** SVM guest mode: what is intercepted, and what EXITINFO1 and EXITINFO2 say (APM vol. 2, 15.7 to 15.14 and 15.21). */
import { EventInjection, EventType, IoioInfo, SvmExit, SvmIntercept3, SvmIntercept4, SvmIntercept5, Vmcb } from '@axvisor/axvisor_api/arch/x86';
import { CR_READS, Flag, Intercepts } from '../../state.ts';
import { CR0, EVENT, V } from '../fields.ts';
import type { Events } from '../events.ts';
import { TaskSource, type DeliveredEvent, type GuestMode, type Intercepted } from '../guest.ts';
import { Waiting, type SystemInsn } from '../interface.ts';
import type { Physical } from '../physical.ts';
import { highOf, toNumber, type Registers } from '../registers.ts';
import type { VmcbView } from './vmcb.ts';

const X = SvmExit;
const I3 = SvmIntercept3;
const I4 = SvmIntercept4;

/** Intercept word and bit, and exit code, of each instruction. */
const INSTRUCTIONS: Readonly<Partial<Record<Intercepted, readonly [word: number, bit: number, code: number]>>> = {
  sidt: [Vmcb.intercept3, I3.IDTR_READ, X.IDTR_READ], sgdt: [Vmcb.intercept3, I3.GDTR_READ, X.GDTR_READ],
  sldt: [Vmcb.intercept3, I3.LDTR_READ, X.LDTR_READ], str: [Vmcb.intercept3, I3.TR_READ, X.TR_READ],
  lidt: [Vmcb.intercept3, I3.IDTR_WRITE, X.IDTR_WRITE], lgdt: [Vmcb.intercept3, I3.GDTR_WRITE, X.GDTR_WRITE],
  lldt: [Vmcb.intercept3, I3.LDTR_WRITE, X.LDTR_WRITE], ltr: [Vmcb.intercept3, I3.TR_WRITE, X.TR_WRITE],
  rdtsc: [Vmcb.intercept3, I3.RDTSC, X.RDTSC], rdpmc: [Vmcb.intercept3, I3.RDPMC, X.RDPMC], pushf: [Vmcb.intercept3, I3.PUSHF, X.PUSHF],
  popf: [Vmcb.intercept3, I3.POPF, X.POPF], cpuid: [Vmcb.intercept3, I3.CPUID, X.CPUID], rsm: [Vmcb.intercept3, I3.RSM, X.RSM],
  iret: [Vmcb.intercept3, I3.IRET, X.IRET], int: [Vmcb.intercept3, I3.SWINT, X.SWINT], invd: [Vmcb.intercept3, I3.INVD, X.INVD],
  hlt: [Vmcb.intercept3, I3.HLT, X.HLT], invlpga: [Vmcb.intercept3, I3.INVLPGA, X.INVLPGA],
  vmrun: [Vmcb.intercept4, I4.VMRUN, X.VMRUN], vmmcall: [Vmcb.intercept4, I4.VMMCALL, X.VMMCALL], vmload: [Vmcb.intercept4, I4.VMLOAD, X.VMLOAD],
  vmsave: [Vmcb.intercept4, I4.VMSAVE, X.VMSAVE], stgi: [Vmcb.intercept4, I4.STGI, X.STGI], clgi: [Vmcb.intercept4, I4.CLGI, X.CLGI],
  skinit: [Vmcb.intercept4, I4.SKINIT, X.SKINIT], rdtscp: [Vmcb.intercept4, I4.RDTSCP, X.RDTSCP], int1: [Vmcb.intercept4, I4.ICEBP, X.ICEBP],
  wbinvd: [Vmcb.intercept4, I4.WBINVD, X.WBINVD], monitor: [Vmcb.intercept4, I4.MONITOR, X.MONITOR], mwait: [Vmcb.intercept4, I4.MWAIT, X.MWAIT],
  xsetbv: [Vmcb.intercept4, I4.XSETBV, X.XSETBV], invpcid: [Vmcb.intercept5, SvmIntercept5.INVPCID, X.INVPCID],
};

/** First MSRs of the ranges that the permission map covers, 2048 bytes each. */
const MSR_RANGES: readonly number[] = [0, 0xc000_0000, 0xc001_0000];
const SIZE_BITS: Readonly<Record<number, number>> = { 1: IoioInfo.SZ8, 2: IoioInfo.SZ16, 4: IoioInfo.SZ32 };
const ADDRESS_BITS: Readonly<Record<number, number>> = { 2: IoioInfo.A16, 4: IoioInfo.A32, 8: IoioInfo.A64 };
/** The virtual interrupt word (APM vol. 2, 15.21). */
const VIRTUAL = { irq: 1 << 8, nmi: 1 << 11, nmiMask: 1 << 12, ignoreTpr: 1 << 20, masking: 1 << 24, nmiEnable: 1 << 26 } as const;
/** EXITINFO2 of task switches. */
const TASK = { iret: 1 << 4, jump: 1 << 6, error: 1 << 12, rf: 1 << 16 } as const;

/** What an exit says beside its code. */
export interface SvmExitDetails {
  readonly info1Lo?: number;
  readonly info1Hi?: number;
  readonly info2Lo?: number;
  readonly info2Hi?: number;
  /** Bytes of the instruction, for nRIP; absent: nRIP is 0. */
  readonly length?: number;
}

export interface SvmParts {
  readonly regs: Registers;
  readonly physical: Physical;
  readonly events: Events;
  readonly vmcb: VmcbView;
  readonly leave: (code: number, details: SvmExitDetails) => void;
}

export class SvmGuest implements GuestMode {
  readonly kind: 'svm' = 'svm' as const;
  private readonly p: SvmParts;
  private pauses = 0;

  constructor(parts: SvmParts) {
    this.p = parts;
  }

  begin(): void {
    const { vmcb, regs } = this.p;
    this.pauses = vmcb.lo(Vmcb.pauseFilterThreshold) >>> 16;
    regs.set('tscOffset', vmcb.lo(Vmcb.tscOffset), vmcb.hi(Vmcb.tscOffset));
    regs.tscMultiplier = 0n;
    regs.ifAwaited = (this.virtualWord & VIRTUAL.irq) !== 0 || !this.hostMasksInterrupts;
    regs.nmiBlocked = this.blocksVirtualNmis && (this.virtualWord & VIRTUAL.nmiMask) !== 0;
    const intercepted = (bit: number, code: number): number => (vmcb.has(Vmcb.intercept3, bit) ? code : 0);
    regs.intercepts = intercepted(I3.PAUSE, Intercepts.pause) | intercepted(I3.PUSHF, Intercepts.pushf) | intercepted(I3.POPF, Intercepts.popf) |
      intercepted(I3.IRET, Intercepts.iret) | intercepted(I3.RDTSC, Intercepts.counter) | (vmcb.has(Vmcb.intercept4, I4.RDTSCP) ? Intercepts.counter : 0) | ((vmcb.lo(Vmcb.interceptCr) & 0xffff) << CR_READS);
  }

  private exit(code: number, details: SvmExitDetails): never {
    this.p.leave(code, details);
    return this.p.regs.fault.exited();
  }

  private get virtualWord(): number {
    return this.p.vmcb.lo(Vmcb.virtualInterrupt);
  }

  /** V_INTR_MASKING: IF and TPR are virtual. */
  get hostMasksInterrupts(): boolean {
    return (this.virtualWord & VIRTUAL.masking) !== 0;
  }

  instruction(name: Intercepted, insn: SystemInsn): void {
    if (this.leaves(name, insn)) this.p.regs.fault.exited();
  }

  leaves(name: Intercepted, insn: SystemInsn): boolean {
    const { vmcb, leave } = this.p;
    if (name === 'pause') {
      this.pause(insn);
      return false;
    }
    const rule = INSTRUCTIONS[name];
    if (rule === undefined || !vmcb.has(rule[0], rule[1])) return false;
    leave(rule[2], { length: insn.length, info1Lo: name === 'int' ? insn.imm & 0xff : 0 });
    return true;
  }

  /** With a filter count, every so many PAUSEs are intercepted (APM vol. 2, 15.14.4). */
  private pause(insn: SystemInsn): void {
    const { vmcb } = this.p;
    if (!vmcb.has(Vmcb.intercept3, I3.PAUSE)) return;
    const count = vmcb.lo(Vmcb.pauseFilterThreshold) >>> 16;
    if (count !== 0 && this.pauses-- > 0) return;
    this.pauses = count;
    this.exit(X.PAUSE, { length: insn.length });
  }

  invlpg(lo: number, hi: number, insn: SystemInsn): void {
    if (this.p.vmcb.has(Vmcb.intercept3, I3.INVLPG)) this.exit(X.INVLPG, { length: insn.length, info1Lo: lo, info1Hi: hi });
  }

  /** Decode assist of MOV to and from control registers: bit 63, and the general register. */
  private mov(gpr: number, insn: SystemInsn): SvmExitDetails {
    return { length: insn.length, info1Lo: gpr, info1Hi: 1 << 31 };
  }

  crWrite(cr: number, gpr: number, lo: number, _hi: number, insn: SystemInsn): void {
    const { vmcb, regs } = this.p;
    if (vmcb.has(Vmcb.interceptCr, 1 << (16 + cr))) this.exit(X.CR0_WRITE + cr, this.mov(gpr, insn));
    if (cr === 0 && vmcb.has(Vmcb.intercept3, I3.CR0_SEL_WRITE) && ((lo ^ regs.cr0) & ~(CR0.TS | CR0.MP | CR0.ET)) !== 0) this.exit(X.CR0_SEL_WRITE, this.mov(gpr, insn));
  }

  crRead(cr: number, gpr: number, insn: SystemInsn): void {
    if (this.p.vmcb.has(Vmcb.interceptCr, 1 << cr)) this.exit(X.CR0_READ + cr, this.mov(gpr, insn));
  }

  clts(insn: SystemInsn): void {
    if (this.p.vmcb.has(Vmcb.interceptCr, 1 << 16)) this.exit(X.CR0_WRITE, { length: insn.length });
  }

  lmsw(value: number, insn: SystemInsn): void {
    const { vmcb, regs } = this.p;
    if (vmcb.has(Vmcb.interceptCr, 1 << 16)) this.exit(X.CR0_WRITE, { length: insn.length });
    if (vmcb.has(Vmcb.intercept3, I3.CR0_SEL_WRITE) && ((value ^ regs.cr0) & (CR0.PE | CR0.EM)) !== 0) this.exit(X.CR0_SEL_WRITE, { length: insn.length });
  }

  smsw(insn: SystemInsn): void {
    if (this.p.vmcb.has(Vmcb.interceptCr, 1)) this.exit(X.CR0_READ, { length: insn.length });
  }

  drAccess(dr: number, write: boolean, gpr: number, insn: SystemInsn): void {
    const code = (write ? X.DR0_WRITE : X.DR0_READ) + dr;
    if (this.p.vmcb.has(Vmcb.interceptDr, 1 << (dr + (write ? 16 : 0)))) this.exit(code, { length: insn.length, info1Lo: gpr });
  }

  portExits(port: number, size: number): boolean {
    const { vmcb, physical } = this.p;
    if (!vmcb.has(Vmcb.intercept3, I3.IOIO_PROT)) return false;
    const map = toNumber(vmcb.lo(Vmcb.iopmBasePa) & ~0xfff, vmcb.hi(Vmcb.iopmBasePa));
    // The map has three bits more than there are ports, for accesses that end behind the last.
    const bits = physical.read(map + (port >>> 3), 1) | (physical.read(map + (port >>> 3) + 1, 1) << 8);
    return ((bits >>> (port & 7)) & ((1 << size) - 1)) !== 0;
  }

  io(port: number, size: number, input: boolean, string: boolean, insn: SystemInsn): boolean {
    const { regs, leave } = this.p;
    if (!this.portExits(port, size)) return false;
    const segment = input ? 0 : insn.seg;
    const info = (port << 16) | (input ? IoioInfo.IN : 0) | (string ? IoioInfo.STR | (segment << 10) | ADDRESS_BITS[insn.addrSize]! : 0) | SIZE_BITS[size]!;
    const next = (regs.ripLo() + insn.length) | 0;
    const nextHi = regs.ripHi() + (regs.code64 && next >>> 0 < insn.length ? 1 : 0);
    leave(X.IOIO, { info1Lo: info | (string && insn.rep ? IoioInfo.REP : 0), info2Lo: next, info2Hi: nextHi, length: insn.length });
    return true;
  }

  msr(index: number, write: boolean, insn: SystemInsn): void {
    const { vmcb, physical } = this.p;
    if (!vmcb.has(Vmcb.intercept3, I3.MSR_PROT)) return;
    const range = MSR_RANGES.findIndex((first) => index >>> 0 >= first && index >>> 0 < first + 0x2000);
    if (range >= 0) {
      const map = toNumber(vmcb.lo(Vmcb.msrpmBasePa) & ~0xfff, vmcb.hi(Vmcb.msrpmBasePa));
      const bit = 2 * (index & 0x1fff) + (write ? 1 : 0);
      if (((physical.read(map + 2048 * range + (bit >>> 3), 1) >>> (bit & 7)) & 1) === 0) return;
    }
    this.exit(X.MSR, { info1Lo: write ? 1 : 0, length: insn.length });
  }

  taskSwitch(selector: number, source: TaskSource, hasError: boolean, errorCode: number, _length: number): void {
    const { vmcb, regs } = this.p;
    if (!vmcb.has(Vmcb.intercept3, I3.TASK_SWITCH)) return;
    const how = source === TaskSource.iret ? TASK.iret : source === TaskSource.jump ? TASK.jump : 0;
    const rf = (regs.systemFlags & Flag.RF) !== 0 ? TASK.rf : 0;
    this.exit(X.TASK_SWITCH, { info1Lo: selector, info2Lo: errorCode, info2Hi: how | (hasError ? TASK.error : 0) | rf });
  }

  // ── what is virtual ──

  visible(_cr: number, value: number): number {
    return value;
  }

  merged(_cr: number, _old: number, value: number): number {
    return value;
  }

  allowed(): boolean {
    return true;
  }

  readTpr(): number | undefined {
    return this.hostMasksInterrupts ? this.virtualWord & 15 : undefined;
  }

  writeTpr(value: number): boolean {
    if (!this.hostMasksInterrupts) return false;
    this.p.vmcb.set32(Vmcb.virtualInterrupt, (this.virtualWord & ~0xff) | value);
    this.p.regs.host.endSlice();
    return true;
  }

  // ── events ──

  exception(event: DeliveredEvent): void {
    const { vmcb, regs } = this.p;
    const { vector, hasError, errorCode, kind, length } = event;
    if (vector >= 32 || !vmcb.has(Vmcb.interceptExceptions, 1 << vector) || kind === EVENT.privSoft) return;
    const { fault } = regs;
    const page = vector === V.PF;
    this.exit(X.EXCP0 + vector, {
      info1Lo: hasError ? errorCode : 0,
      info2Lo: page ? fault.lo : 0,
      info2Hi: page ? fault.hi : 0,
      ...(kind === EVENT.softException ? { length } : {}),
    });
  }

  interrupt(nmi: boolean): boolean {
    const { vmcb, leave } = this.p;
    if (!vmcb.has(Vmcb.intercept3, nmi ? I3.NMI : I3.INTR)) return false;
    leave(nmi ? X.NMI : X.INTR, {});
    return true;
  }

  secondStageFault(): void {
    const { fault } = this.p.regs;
    this.p.leave(X.NPF, {
      info1Lo: fault.qualification,
      info1Hi: fault.tableWalk ? 2 : 1,
      info2Lo: fault.gpa | 0,
      info2Hi: highOf(fault.gpa),
    });
  }

  tripleFault(): void {
    if (this.p.vmcb.has(Vmcb.intercept3, I3.SHUTDOWN)) this.exit(X.SHUTDOWN, {});
  }

  signal(init: boolean): boolean {
    if (!init || !this.p.vmcb.has(Vmcb.intercept3, I3.INIT)) return false;
    this.p.leave(X.INIT, {});
    return true;
  }

  /** Whether a virtual interrupt would be taken now (APM vol. 2, 15.21.4). */
  private virtualPending(): boolean {
    const { regs } = this.p;
    const word = this.virtualWord;
    if ((word & VIRTUAL.irq) === 0) return false;
    const priority = (word >>> 16) & 15;
    if ((word & VIRTUAL.ignoreTpr) === 0 && priority <= (word & 15)) return false;
    return (regs.systemFlags & Flag.IF) !== 0 && regs.currentShadow() === 0 && regs.waiting !== Waiting.shutdown;
  }

  poll(): boolean {
    const { vmcb, regs, leave } = this.p;
    if (this.virtualPending()) {
      if (!vmcb.has(Vmcb.intercept3, I3.VINTR)) return false;
      leave(X.VINTR, {});
      return true;
    }
    if ((this.virtualWord & (VIRTUAL.irq | VIRTUAL.nmi)) !== 0 && regs.currentShadow() !== 0) regs.host.endSlice();
    return false;
  }

  pollable(): boolean {
    return this.virtualPending() || this.nmiPending();
  }

  get blocksVirtualNmis(): boolean {
    return (this.virtualWord & VIRTUAL.nmiEnable) !== 0;
  }

  /** Whether a virtual NMI would be taken now (APM vol. 2, 15.21.10). */
  private nmiPending(): boolean {
    const { regs } = this.p;
    const both = VIRTUAL.nmiEnable | VIRTUAL.nmi;
    return (this.virtualWord & both) === both && !regs.nmiBlocked && regs.currentShadow() === 0;
  }

  virtualNmi(): boolean {
    if (!this.nmiPending()) return false;
    this.p.vmcb.set32(Vmcb.virtualInterrupt, this.virtualWord & ~VIRTUAL.nmi);
    return true;
  }

  /** What an exit says of virtual NMIs. */
  saveNmiMask(): void {
    const { vmcb, regs } = this.p;
    if (this.blocksVirtualNmis) vmcb.set32(Vmcb.virtualInterrupt, (this.virtualWord & ~VIRTUAL.nmiMask) | (regs.nmiBlocked ? VIRTUAL.nmiMask : 0));
  }

  virtualInterrupt(): number {
    const { vmcb } = this.p;
    if (!this.virtualPending()) return -1;
    const vector = vmcb.hi(Vmcb.virtualInterrupt) & 0xff;
    vmcb.set32(Vmcb.virtualInterrupt, this.virtualWord & ~VIRTUAL.irq);
    return vector;
  }

  iretUnblocks(): void {
    this.p.regs.nmiBlocked = false;
  }
}

/** EXITINTINFO of an event that was being delivered, given as IDT-vectoring information: its low word. */
export function exitIntInfo(vectoring: number): number {
  if (vectoring === 0) return 0;
  const kind = (vectoring >>> 8) & 7;
  const type = kind === EVENT.external ? EventType.externalInterrupt : kind === EVENT.nmi ? EventType.nmi : kind === EVENT.softInt ? EventType.softwareInterrupt : EventType.exception;
  return (vectoring & 0xff) | (type << EventInjection.typeShift) | (vectoring & EventInjection.errorCodeValid) | EventInjection.valid;
}
