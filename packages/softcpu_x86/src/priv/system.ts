/** The instructions that the privileged architecture executes, by name, and what all of them have in common. Those of VMX and SVM only exist for guests here. */
import { Flag } from '../state.ts';
import type { ControlRegisters } from './control.ts';
import type { Cpuid } from './cpuid.ts';
import type { Debug } from './debug.ts';
import type { Events } from './events.ts';
import type { FastCalls } from './fast_calls.ts';
import { CR0, CR4, DR6, DR7, EVENT, SEG, SHADOW, V } from './fields.ts';
import type { GuestMode, Intercepted } from './guest.ts';
import { Status, Waiting, type LocalApic, type SystemInsn } from './interface.ts';
import { canonical, storable, type Linear } from './linear.ts';
import type { Msrs } from './msrs.ts';
import type { Ports } from './ports.ts';
import { highWord, lowWord, slot, type Registers } from './registers.ts';
import type { Segments } from './segments.ts';
import { Stack } from './stack.ts';
import type { Transfers } from './transfers.ts';
import type { Xsave } from './xsave.ts';

/** A count, and its words. */
const count = new BigUint64Array(1);
const countWords = new Int32Array(count.buffer);

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;

/** Nothing returned: go on behind the instruction. */
type Handler = (insn: SystemInsn) => Status | void;

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

/** POPF's flags that every privilege level may change. */
const POPF_FLAGS: number = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.TF | Flag.DF | Flag.OF | Flag.NT | Flag.AC | Flag.ID;

/** Instructions of VMX, which guests execute to ask their hypervisor, or raise #UD. */
const VMX_INSNS = [
  'vmcall', 'vmclear', 'vmlaunch', 'vmptrld', 'vmptrst', 'vmread', 'vmresume', 'vmwrite', 'vmxoff', 'vmxon', 'invept', 'invvpid',
] as const satisfies readonly Intercepted[];
const SVM_INSNS = ['vmrun', 'vmload', 'vmsave', 'stgi', 'clgi', 'skinit', 'invlpga'] as const satisfies readonly Intercepted[];
type VirtualizationOp = (typeof VMX_INSNS)[number] | (typeof SVM_INSNS)[number];

/** Names of the instructions that {@link SystemInstructions.execute} knows. An index is what the engine passes. */
export const SYSTEM_OPS = [
  'mov_to_sreg', 'pop_sreg', 'load_far_pointer', 'jmpf_ptr', 'callf_ptr', 'jmpf_mem', 'callf_mem', 'retf', 'iret', 'int3', 'int', 'into', 'int1',
  'cli', 'sti', 'pushf', 'popf', 'hlt', 'pause', 'sldt', 'str', 'lldt', 'ltr', 'verr', 'verw', 'arpl', 'sgdt', 'sidt', 'lgdt', 'lidt', 'smsw', 'lmsw',
  'invlpg', 'lar', 'lsl', 'syscall', 'sysret', 'sysenter', 'sysexit', 'swapgs', 'clts', 'invd', 'wbinvd', 'mov_from_cr', 'mov_to_cr', 'mov_from_dr',
  'mov_to_dr', 'rdmsr', 'wrmsr', 'rdtsc', 'rdtscp', 'rdpmc', 'rdpid', 'cpuid', 'rsm', 'getsec', 'xgetbv', 'xsetbv', 'monitor', 'mwait', 'clac', 'stac',
  'rdrand', 'rdseed', 'in_imm', 'in_dx', 'out_imm', 'out_dx', 'ins', 'outs', 'invpcid', 'rdfsbase', 'rdgsbase', 'wrfsbase', 'wrgsbase', 'fxsave',
  'fxrstor', 'xsave', 'xsaveopt', 'xsavec', 'xsaves', 'xrstor', 'xrstors',
  'vmcall', 'vmclear', 'vmlaunch', 'vmptrld', 'vmptrst', 'vmread', 'vmresume', 'vmwrite', 'vmxoff', 'vmxon', 'invept', 'invvpid', 'vmfunc',
  'vmrun', 'vmmcall', 'vmload', 'vmsave', 'stgi', 'clgi', 'skinit', 'invlpga',
] as const;
export type SystemOp = (typeof SYSTEM_OPS)[number];

export class SystemInstructions {
  guest: GuestMode | undefined;
  private readonly p: SystemParts;
  private readonly stack: Stack;
  private readonly handlers: readonly Handler[];

  constructor(parts: SystemParts) {
    this.p = parts;
    this.stack = new Stack(parts.regs, parts.linear);
    const table = this.table();
    this.handlers = SYSTEM_OPS.map((name) => table[name]);
  }

  /** Executes an instruction; throws ABORT when it cannot. */
  execute(op: number, insn: SystemInsn): Status {
    return this.handlers[op]?.(insn) ?? Status.next;
  }

  private table(): Record<SystemOp, Handler> {
    const { regs, segments, transfers, calls, xsave, msrs, debug } = this.p;
    const privileged = (handler: Handler): Handler => (insn) => {
      if (regs.cpl !== 0) this.gp();
      return handler(insn);
    };
    const jump = (handler: (insn: SystemInsn) => void): Handler => (insn) => {
      handler(insn);
      return Status.jump;
    };
    const protectedOnly = (handler: Handler): Handler => (insn) => {
      if (regs.real) this.ud();
      return handler(insn);
    };
    /** Executes, goes behind the instruction and looks at what may have become possible. */
    const boundary = (handler: (insn: SystemInsn) => void): Handler => (insn) => {
      handler(insn);
      return this.advance(insn);
    };
    const simple = (name: Intercepted): Handler => privileged((insn) => this.guest?.instruction(name, insn));
    const vmx: Record<string, Handler> = {};
    for (const name of VMX_INSNS) vmx[name] = (insn) => this.virtualization('vmx', name, insn);
    for (const name of SVM_INSNS) vmx[name] = (insn) => this.virtualization('svm', name, insn);
    return {
      mov_to_sreg: boundary((insn) => this.loadSegment(insn.reg, this.word(insn))),
      pop_sreg: boundary((insn) => this.popSegment(insn)),
      load_far_pointer: boundary((insn) => this.loadFarPointer(insn)),
      jmpf_ptr: jump((insn) => transfers.far(false, insn.imm2 & 0xffff, insn.opSize === 2 ? insn.imm & 0xffff : insn.imm, 0, insn)),
      callf_ptr: jump((insn) => transfers.far(true, insn.imm2 & 0xffff, insn.opSize === 2 ? insn.imm & 0xffff : insn.imm, 0, insn)),
      jmpf_mem: jump((insn) => this.farMemory(false, insn)),
      callf_mem: jump((insn) => this.farMemory(true, insn)),
      retf: jump((insn) => transfers.ret(insn.opSize, insn.imm & 0xffff)),
      iret: (insn) => this.iret(insn),
      int3: (insn) => this.p.events.software(V.BP, EVENT.softException, insn.length),
      int: (insn) => this.softwareInterrupt(insn),
      into: (insn) => ((regs.flags & Flag.OF) !== 0 ? this.p.events.software(V.OF, EVENT.softException, insn.length) : Status.next),
      int1: (insn) => {
        this.guest?.instruction('int1', insn);
        regs.fault.exception(V.DB, 0);
        return this.p.events.software(V.DB, EVENT.privSoft, insn.length);
      },
      cli: () => this.cli(),
      sti: (insn) => this.sti(insn),
      pushf: (insn) => this.pushf(insn),
      popf: boundary((insn) => this.popf(insn)),
      hlt: privileged((insn) => this.wait(insn, 'hlt', Waiting.hlt)),
      pause: (insn) => this.guest?.instruction('pause', insn),
      sldt: protectedOnly((insn) => this.storeSelector('sldt', SEG.ldtr, insn)),
      str: protectedOnly((insn) => this.storeSelector('str', SEG.tr, insn)),
      lldt: protectedOnly(privileged((insn) => this.loadSystem('lldt', insn))),
      ltr: protectedOnly(privileged((insn) => this.loadSystem('ltr', insn))),
      verr: protectedOnly((insn) => this.setZero(segments.verify(this.word(insn), false))),
      verw: protectedOnly((insn) => this.setZero(segments.verify(this.word(insn), true))),
      arpl: protectedOnly((insn) => this.arpl(insn)),
      sgdt: (insn) => this.storeTable('sgdt', insn),
      sidt: (insn) => this.storeTable('sidt', insn),
      lgdt: privileged((insn) => this.loadTable('lgdt', insn)),
      lidt: privileged((insn) => this.loadTable('lidt', insn)),
      smsw: (insn) => this.smsw(insn),
      lmsw: boundary((insn) => this.lmsw(insn)),
      invlpg: boundary((insn) => this.invlpg(insn)),
      lar: protectedOnly((insn) => this.inspect(insn, segments.accessRights(this.word(insn)))),
      lsl: protectedOnly((insn) => this.inspect(insn, segments.segmentLimit(this.word(insn)))),
      syscall: jump((insn) => {
        calls.syscall(insn.length);
        debug.called();
      }),
      sysret: jump((insn) => {
        calls.sysret(insn.opSize);
        debug.called();
      }),
      sysenter: jump(() => calls.sysenter()),
      sysexit: jump((insn) => calls.sysexit(insn.opSize)),
      swapgs: () => calls.swapgs(),
      clts: privileged((insn) => {
        this.guest?.clts(insn);
        regs.sys[slot.cr0] = this.merge(0, regs.cr0, this.visible(0, regs.cr0) & ~CR0.TS);
        regs.modeChanged();
      }),
      invd: simple('invd'),
      wbinvd: simple('wbinvd'),
      mov_from_cr: privileged((insn) => this.readCr(insn)),
      mov_to_cr: privileged(boundary((insn) => this.writeCr(insn))),
      mov_from_dr: (insn) => this.moveDr(insn, false),
      mov_to_dr: boundary((insn) => this.moveDr(insn, true)),
      rdmsr: privileged((insn) => {
        this.guest?.msr(regs.lo(RCX), false, insn);
        const value = this.guestMsr() ?? msrs.read(regs.lo(RCX) >>> 0) ?? this.gp();
        this.setCount(value);
      }),
      wrmsr: privileged(boundary((insn) => {
        this.guest?.msr(regs.lo(RCX), true, insn);
        if (!msrs.write(regs.lo(RCX) >>> 0, regs.lo(RAX), regs.lo(RDX))) this.gp();
      })),
      rdtsc: (insn) => this.rdtsc(insn, false),
      rdtscp: (insn) => this.rdtsc(insn, true),
      rdpmc: (insn) => {
        if ((regs.cr4 & CR4.PCE) === 0 && regs.cpl !== 0) this.gp();
        this.guest?.instruction('rdpmc', insn);
        this.gp();
      },
      rdpid: (insn) => regs.setSized(insn.rm, regs.code64 ? 8 : 4, regs.sys[slot.tscAux]!, 0),
      cpuid: (insn) => this.cpuid(insn),
      rsm: (insn) => {
        this.guest?.instruction('rsm', insn);
        this.ud();
      },
      getsec: (insn) => {
        this.guest?.instruction('getsec', insn);
        this.ud();
      },
      xgetbv: () => this.xgetbv(),
      xsetbv: boundary((insn) => {
        if ((regs.cr4 & CR4.OSXSAVE) === 0) this.ud();
        if (regs.cpl !== 0) this.gp();
        this.guest?.instruction('xsetbv', insn);
        if (regs.lo(RCX) !== 0) this.gp();
        this.p.control.writeXcr0(regs.lo(RAX), regs.lo(RDX), this.p.cpuid.xcr0Mask);
      }),
      monitor: (insn) => this.monitor(insn),
      mwait: (insn) => this.mwait(insn),
      clac: privileged(boundary(() => this.setAc(false))),
      stac: privileged(boundary(() => this.setAc(true))),
      rdrand: (insn) => this.random('rdrand', insn),
      rdseed: (insn) => this.random('rdseed', insn),
      in_imm: (insn) => this.portIo(true, true, insn),
      in_dx: (insn) => this.portIo(true, false, insn),
      out_imm: boundary((insn) => this.portIo(false, true, insn)),
      out_dx: boundary((insn) => this.portIo(false, false, insn)),
      ins: (insn) => this.stringIo(true, insn),
      outs: (insn) => this.stringIo(false, insn),
      invpcid: privileged(boundary((insn) => this.invpcid(insn))),
      rdfsbase: (insn) => this.readBase(SEG.fs, insn),
      rdgsbase: (insn) => this.readBase(SEG.gs, insn),
      wrfsbase: (insn) => this.writeBase(SEG.fs, insn),
      wrgsbase: (insn) => this.writeBase(SEG.gs, insn),
      fxsave: (insn) => xsave.fxsave(insn),
      fxrstor: (insn) => xsave.fxrstor(insn),
      xsave: (insn) => xsave.xsave(insn, false),
      xsaveopt: (insn) => xsave.xsave(insn, false),
      xsavec: (insn) => xsave.xsave(insn, true),
      xsaves: privileged((insn) => {
        this.guest?.instruction('xsaves', insn);
        xsave.xsave(insn, true);
      }),
      xrstor: (insn) => xsave.xrstor(insn, false),
      xrstors: privileged((insn) => {
        this.guest?.instruction('xrstors', insn);
        xsave.xrstor(insn, true);
      }),
      ...(vmx as Record<VirtualizationOp, Handler>),
      vmfunc: () => this.ud(),
      vmmcall: (insn) => {
        this.guest?.instruction('vmmcall', insn);
        this.ud();
      },
    };
  }

  // ── common parts ──

  private gp(): never {
    return this.p.regs.fault.raise(V.GP, 0);
  }

  private ud(): never {
    return this.p.regs.fault.raise(V.UD);
  }

  /** Goes behind the instruction: caches of translations or the mode may have changed, an interrupt may be possible now. */
  private advance(insn: SystemInsn): Status {
    this.p.regs.advance(insn.length);
    this.p.regs.host.endSlice();
    return Status.jump;
  }

  /** The 16-bit operand: a register or memory. */
  private word(insn: SystemInsn): number {
    const { regs, linear } = this.p;
    return insn.rm >= 0 ? regs.lo(insn.rm) & 0xffff : linear.load(insn.seg, insn.lo, insn.hi, 2);
  }

  /** EDX:EAX becomes the low 64 bits of a number. */
  private setCount(value: bigint): void {
    count[0] = value;
    this.setPair(countWords[0]!, countWords[1]!);
  }

  private setPair(lo: number, hi: number): void {
    const { regs } = this.p;
    regs.setGpr(RAX, lo, 0);
    regs.setGpr(RDX, hi, 0);
  }

  private setZero(set: boolean): void {
    const { regs } = this.p;
    const { flags } = regs;
    regs.flags = set ? flags | Flag.ZF : flags & ~Flag.ZF;
  }

  private visible(cr: number, value: number): number {
    return this.guest?.visible(cr, value) ?? value;
  }

  private merge(cr: number, old: number, value: number): number {
    return this.guest?.merged(cr, old, value) ?? value;
  }

  // ── segments and far transfers ──

  private loadSegment(segment: number, selector: number): void {
    const { regs, segments } = this.p;
    if (segment === SEG.cs || segment > SEG.gs) this.ud();
    segments.load(segment, selector);
    if (segment === SEG.ss) regs.block(SHADOW.movSs);
    regs.modeChanged();
  }

  private popSegment(insn: SystemInsn): void {
    const { stack } = this;
    stack.begin();
    const selector = stack.peek(0, 2);
    stack.move(insn.opSize);
    const { spLo, spHi } = stack;
    this.loadSegment(insn.imm, selector);
    // A new SS may be of another size; the pointer is the old one's.
    stack.begin();
    stack.spLo = spLo;
    stack.spHi = spHi;
    stack.commit();
  }

  /** LDS, LES, LFS, LGS, LSS; `imm` is the segment register. */
  private loadFarPointer(insn: SystemInsn): void {
    const { regs, linear } = this.p;
    const { seg, lo, hi, opSize } = insn;
    const offset = linear.load(seg, lo, hi, opSize);
    const upper = linear.hi;
    const selector = this.selectorBehind(insn);
    this.loadSegment(insn.imm, selector);
    if (insn.imm !== SEG.ss) regs.shadow = 0;
    regs.setSized(insn.reg, opSize, offset, upper);
  }

  private selectorBehind(insn: SystemInsn): number {
    const at = (insn.lo >>> 0) + insn.opSize;
    const lo = insn.addrSize === 2 ? at & 0xffff : at | 0;
    return this.p.linear.load(insn.seg, lo, insn.addrSize === 8 && at > 0xffff_ffff ? insn.hi + 1 : insn.hi, 2);
  }

  private farMemory(call: boolean, insn: SystemInsn): void {
    const { linear, transfers } = this.p;
    const lo = linear.load(insn.seg, insn.lo, insn.hi, insn.opSize);
    const { hi } = linear;
    transfers.far(call, this.selectorBehind(insn), lo, hi, insn);
  }

  private iret(insn: SystemInsn): Status {
    const { regs, transfers } = this.p;
    this.guest?.instruction('iret', insn);
    if (this.guest === undefined) regs.nmiBlocked = false;
    else this.guest.iretUnblocks();
    transfers.iret(insn.opSize, insn);
    regs.rfAt = regs.host.retired() + 1;
    regs.host.endSlice();
    return Status.jump;
  }

  private softwareInterrupt(insn: SystemInsn): Status {
    const { events } = this.p;
    this.guest?.instruction('int', insn);
    return events.software(insn.imm & 0xff, EVENT.softInt, insn.length);
  }

  private storeSelector(name: 'sldt' | 'str', segment: number, insn: SystemInsn): void {
    this.umip();
    this.guest?.instruction(name, insn);
    const { regs, linear } = this.p;
    const selector = regs.selector(segment);
    if (insn.rm >= 0) regs.setSized(insn.rm, insn.opSize, selector, 0);
    else linear.store(insn.seg, insn.lo, insn.hi, 2, selector, 0);
  }

  private loadSystem(name: 'lldt' | 'ltr', insn: SystemInsn): void {
    this.guest?.instruction(name, insn);
    this.p.segments[name](this.word(insn));
  }

  private umip(): void {
    const { regs } = this.p;
    if ((regs.cr4 & CR4.UMIP) !== 0 && regs.cpl !== 0) this.gp();
  }

  private storeTable(name: 'sgdt' | 'sidt', insn: SystemInsn): void {
    this.umip();
    this.guest?.instruction(name, insn);
    this.p.segments.storeTable(name === 'sidt', insn.seg, insn.lo, insn.hi);
  }

  private loadTable(name: 'lgdt' | 'lidt', insn: SystemInsn): void {
    this.guest?.instruction(name, insn);
    this.p.segments.loadTable(name === 'lidt', insn.seg, insn.lo, insn.hi, insn.opSize);
  }

  /** ARPL: the destination's RPL becomes at least the source's. */
  private arpl(insn: SystemInsn): void {
    const { regs, linear } = this.p;
    const destination = this.word(insn);
    const rpl = regs.lo(insn.reg) & 3;
    const raised = (destination & 3) < rpl;
    if (raised) {
      const value = (destination & ~3) | rpl;
      if (insn.rm >= 0) regs.setSized(insn.rm, 2, value, 0);
      else linear.store(insn.seg, insn.lo, insn.hi, 2, value, 0);
    }
    this.setZero(raised);
  }

  private inspect(insn: SystemInsn, value: number): void {
    this.setZero(value !== -1);
    if (value !== -1) this.p.regs.setSized(insn.reg, insn.opSize, value | 0, 0);
  }

  // ── flags ──

  /** CLI and STI where IF is not theirs: with virtual interrupts they change VIF (SDM vol. 3, 21.3 and 21.4). */
  private interruptFlag(): 'IF' | 'VIF' {
    const { regs } = this.p;
    const { cpl, iopl, cr4 } = regs;
    if (!regs.protectedMode || cpl <= iopl) return !regs.v86 || iopl === 3 ? 'IF' : this.virtualFlag(cr4 & CR4.VME);
    if (regs.v86) return this.virtualFlag(cr4 & CR4.VME);
    return this.virtualFlag(cpl === 3 ? cr4 & CR4.PVI : 0);
  }

  private virtualFlag(enabled: number): 'VIF' {
    return enabled !== 0 ? 'VIF' : this.gp();
  }

  private cli(): void {
    this.p.regs.systemFlags &= ~Flag[this.interruptFlag()];
  }

  private sti(insn: SystemInsn): Status {
    const { regs } = this.p;
    const flag = this.interruptFlag();
    if (flag === 'VIF' && (regs.systemFlags & Flag.VIP) !== 0) this.gp();
    if ((regs.systemFlags & Flag[flag]) !== 0) return Status.next;
    regs.systemFlags |= Flag[flag];
    if (flag === 'VIF') return Status.next;
    regs.block(SHADOW.sti);
    return this.advance(insn);
  }

  private pushf(insn: SystemInsn): void {
    const { regs } = this.p;
    this.guest?.instruction('pushf', insn);
    let flags = regs.flags & ~(Flag.VM | Flag.RF);
    if (regs.v86 && regs.iopl < 3) {
      if ((regs.cr4 & CR4.VME) === 0 || insn.opSize !== 2) this.gp();
      flags = (flags & ~Flag.IF) | Flag.IOPL | ((flags & Flag.VIF) !== 0 ? Flag.IF : 0);
    }
    this.stack.begin();
    this.stack.push(insn.opSize, flags, 0);
    this.stack.commit();
  }

  private popf(insn: SystemInsn): void {
    const { regs } = this.p;
    const { stack } = this;
    this.guest?.instruction('popf', insn);
    const { iopl, cpl, v86 } = regs;
    const virtual = v86 && iopl < 3;
    if (virtual && ((regs.cr4 & CR4.VME) === 0 || insn.opSize !== 2)) this.gp();
    stack.begin();
    const value = stack.pop(insn.opSize);
    let mask = POPF_FLAGS;
    let { flags } = regs;
    if (virtual) {
      if ((value & Flag.TF) !== 0 || ((value & Flag.IF) !== 0 && (flags & Flag.VIP) !== 0)) this.gp();
      flags = (value & Flag.IF) !== 0 ? flags | Flag.VIF : flags & ~Flag.VIF;
    } else {
      if (!regs.protectedMode || cpl <= iopl) mask |= Flag.IF;
      if (!regs.protectedMode || cpl === 0) mask |= Flag.IOPL;
    }
    if (insn.opSize === 2) mask &= 0xffff;
    stack.commit();
    regs.flags = ((flags & ~mask) | (value & mask) | 2) & ~Flag.RF;
    regs.modeChanged();
  }

  private setAc(set: boolean): void {
    const { regs } = this.p;
    if (set) regs.systemFlags |= Flag.AC;
    else regs.systemFlags &= ~Flag.AC;
    regs.modeChanged();
  }

  // ── control and debug registers, MSRs ──

  private smsw(insn: SystemInsn): void {
    const { regs, linear } = this.p;
    this.umip();
    this.guest?.smsw(insn);
    const value = this.visible(0, regs.cr0);
    if (insn.rm >= 0) regs.setSized(insn.rm, insn.opSize, value, 0);
    else linear.store(insn.seg, insn.lo, insn.hi, 2, value, 0);
  }

  /** LMSW changes TS, EM, MP, and PE from 0 to 1. */
  private lmsw(insn: SystemInsn): void {
    const { regs, control } = this.p;
    if (regs.cpl !== 0) this.gp();
    const source = this.word(insn);
    this.guest?.lmsw(source, insn);
    const old = this.visible(0, regs.cr0);
    const value = (old & ~(CR0.MP | CR0.EM | CR0.TS)) | (source & 15) | (old & CR0.PE);
    control.writeCr0(this.merge(0, regs.cr0, value));
  }

  private readCr(insn: SystemInsn): void {
    const { regs, apic } = this.p;
    const size = regs.code64 ? 8 : 4;
    if (![0, 2, 3, 4, 8].includes(insn.reg) || (insn.reg === 8 && !regs.code64)) this.ud();
    this.guest?.crRead(insn.reg, insn.rm, insn);
    if (insn.reg === 8) {
      regs.setSized(insn.rm, size, this.guest?.readTpr() ?? apic?.tpr ?? this.tpr, 0);
      return;
    }
    const at = slot[`cr${insn.reg}` as 'cr0'];
    const lo = regs.sys[at]!;
    regs.setSized(insn.rm, size, insn.reg === 0 || insn.reg === 4 ? this.visible(insn.reg, lo) : lo, regs.sys[at + 1]!);
  }

  /** CR8 where there is no local APIC. */
  private tpr = 0;

  private writeCr(insn: SystemInsn): void {
    const { regs, control, apic } = this.p;
    const lo = regs.lo(insn.rm);
    const hi = regs.code64 ? regs.hi(insn.rm) : 0;
    if (![0, 2, 3, 4, 8].includes(insn.reg) || (insn.reg === 8 && !regs.code64)) this.ud();
    this.guest?.crWrite(insn.reg, insn.rm, lo, hi, insn);
    if (insn.reg === 0) {
      const value = this.merge(0, regs.cr0, lo);
      if (this.guest?.allowed(value, regs.cr4) === false) this.gp();
      control.writeCr0(value, hi);
    } else if (insn.reg === 2) regs.set('cr2', lo, hi);
    else if (insn.reg === 3) control.writeCr3(lo, hi);
    else if (insn.reg === 4) {
      const value = this.merge(4, regs.cr4, lo);
      if (this.guest?.allowed(regs.cr0, value) === false) this.gp();
      const changed = regs.cr4 ^ value;
      control.writeCr4(value, hi);
      if ((changed & CR4.DE) !== 0) this.p.debug.changed();
    } else {
      if ((lo & ~15) !== 0 || hi !== 0) this.gp();
      if (this.guest?.writeTpr(lo, insn) === true) return;
      if (apic === undefined) this.tpr = lo;
      else apic.tpr = lo;
    }
  }

  private moveDr(insn: SystemInsn, write: boolean): void {
    const { regs, debug } = this.p;
    let dr = insn.reg;
    if (dr > 7 || ((dr === 4 || dr === 5) && (regs.cr4 & CR4.DE) !== 0)) this.ud();
    if (regs.cpl !== 0) this.gp();
    if (dr === 4 || dr === 5) dr += 2;
    this.guest?.drAccess(insn.reg, write, insn.rm, insn);
    debug.guard();
    const at = slot[`dr${dr}` as 'dr0'];
    if (!write) {
      regs.setSized(insn.rm, regs.code64 ? 8 : 4, regs.sys[at]!, regs.sys[at + 1]!);
      return;
    }
    let lo = regs.lo(insn.rm);
    const hi = regs.code64 ? regs.hi(insn.rm) : 0;
    if (dr >= 6 && hi !== 0) this.gp();
    if (dr < 4 && !storable(hi)) this.gp();
    if (dr === 6) lo = (lo & DR6.defined) | DR6.ones;
    if (dr === 7) lo = (lo & ~0xd000) | DR7.ones;
    regs.sys[at] = lo;
    regs.sys[at + 1] = hi;
    debug.changed();
  }

  /** IA32_TIME_STAMP_COUNTER as a guest reads it, with its offset. */
  private guestMsr(): bigint | undefined {
    if (this.guest === undefined || this.p.regs.lo(RCX) !== 0x10) return undefined;
    return this.guestTsc();
  }

  private guestTsc(): bigint {
    const { msrs, regs } = this.p;
    const tsc = scaled(msrs.tsc(), regs.tscMultiplier);
    return this.guest === undefined ? tsc : BigInt.asUintN(64, tsc + regs.get('tscOffset'));
  }

  private rdtsc(insn: SystemInsn, aux: boolean): void {
    const { regs } = this.p;
    if ((regs.cr4 & CR4.TSD) !== 0 && regs.cpl !== 0) this.gp();
    this.guest?.instruction(aux ? 'rdtscp' : 'rdtsc', insn);
    this.setCount(this.guestTsc());
    if (aux) regs.setGpr(RCX, regs.sys[slot.tscAux]!, 0);
  }

  private cpuid(insn: SystemInsn): void {
    const { regs, cpuid } = this.p;
    this.guest?.instruction('cpuid', insn);
    cpuid.get(regs.lo(RAX), regs.lo(RCX));
    this.setPair(cpuid.a, cpuid.d);
    regs.setGpr(RBX, cpuid.b, 0);
    regs.setGpr(RCX, cpuid.c, 0);
  }

  /** XCR0, or with ECX = 1 which of its components are in use. */
  private xgetbv(): void {
    const { regs } = this.p;
    if ((regs.cr4 & CR4.OSXSAVE) === 0) this.ud();
    if (regs.lo(RCX) !== 0 && regs.lo(RCX) !== 1) this.gp();
    this.setPair(regs.sys[slot.xcr0]!, 0);
  }

  private readBase(segment: number, insn: SystemInsn): void {
    const { regs } = this.p;
    if ((regs.cr4 & CR4.FSGSBASE) === 0 || !regs.code64) this.ud();
    regs.setSized(insn.rm, insn.opSize, regs.baseLo(segment), regs.baseHi(segment));
  }

  private writeBase(segment: number, insn: SystemInsn): void {
    const { regs } = this.p;
    if ((regs.cr4 & CR4.FSGSBASE) === 0 || !regs.code64) this.ud();
    const hi = insn.opSize === 8 ? regs.hi(insn.rm) : 0;
    if (!storable(hi)) this.gp();
    regs.setBase(segment, regs.lo(insn.rm), hi);
  }

  // ── translations ──

  private invlpg(insn: SystemInsn): void {
    const { regs } = this.p;
    if (regs.cpl !== 0) this.gp();
    const wide = regs.code64;
    const useBase = !wide || insn.seg >= SEG.fs;
    const sum = (insn.lo >>> 0) + (useBase ? regs.baseLo(insn.seg) >>> 0 : 0);
    const lo = sum | 0;
    const hi = wide ? (insn.hi + (useBase ? regs.baseHi(insn.seg) : 0) + (sum > 0xffff_ffff ? 1 : 0)) | 0 : 0;
    this.guest?.invlpg(lo, hi, insn);
    // Pages of a large leaf are cached one by one: all go.
    regs.invalidate(lo, hi);
  }

  private invpcid(insn: SystemInsn): void {
    const { regs, linear } = this.p;
    this.guest?.instruction('invpcid', insn);
    const kind = regs.lo(insn.reg) >>> 0;
    const upper = regs.code64 ? regs.hi(insn.reg) : 0;
    const pcid = linear.load(insn.seg, insn.lo, insn.hi, 8);
    const reserved = (pcid & ~0xfff) !== 0 || linear.hi !== 0;
    const at = (insn.lo >>> 0) + 8;
    const address = linear.load(insn.seg, at | 0, insn.hi + (at > 0xffff_ffff ? 1 : 0), 8);
    if (upper !== 0 || kind > 3) this.gp();
    if (reserved || ((regs.cr4 & CR4.PCIDE) === 0 && pcid !== 0 && kind < 2)) this.gp();
    if (kind === 0 && !canonical(linear.hi, regs.cr4)) this.gp();
    if (kind === 0) regs.invalidate(address, linear.hi);
    else if (kind === 1) regs.flushPcid(pcid);
    else if (kind === 2) regs.flush();
    else regs.flushLocal();
  }

  // ── waiting ──

  private wait(insn: SystemInsn, name: 'hlt' | 'mwait', state: Waiting): Status {
    const { regs } = this.p;
    this.guest?.instruction(name, insn);
    regs.advance(insn.length);
    regs.waiting = state;
    return Status.leave;
  }

  private monitor(insn: SystemInsn): void {
    const { regs, linear } = this.p;
    if (regs.cpl !== 0) this.ud();
    if (regs.lo(RCX) !== 0) this.gp();
    this.guest?.instruction('monitor', insn);
    linear.load(insn.seg, insn.addrSize === 2 ? regs.lo(RAX) & 0xffff : regs.lo(RAX), insn.addrSize === 8 ? regs.hi(RAX) : 0, 1);
  }

  /** MWAIT may end at any time; here it does at once, so that what others write is never missed. */
  private mwait(insn: SystemInsn): void {
    const { regs } = this.p;
    if (regs.cpl !== 0) this.ud();
    if ((regs.lo(RCX) & ~1) !== 0) this.gp();
    this.guest?.instruction('mwait', insn);
    regs.host.endSlice();
  }

  private random(name: 'rdrand' | 'rdseed', insn: SystemInsn): void {
    const { regs } = this.p;
    if (regs.host.random === undefined) this.ud();
    this.guest?.instruction(name, insn);
    const value = regs.host.random();
    regs.setSized(insn.rm, insn.opSize, lowWord(value), highWord(value));
    regs.flags = (regs.flags & ~(Flag.OF | Flag.SF | Flag.ZF | Flag.AF | Flag.PF)) | Flag.CF;
  }

  private portIo(input: boolean, immediate: boolean, insn: SystemInsn): void {
    const { ports, regs } = this.p;
    insn.immediatePort = immediate;
    const port = immediate ? insn.imm & 0xff : regs.lo(RDX) & 0xffff;
    const size = Math.min(insn.opSize, 4);
    if (input) ports.in(port, size, insn);
    else ports.out(port, size, insn);
  }

  private stringIo(input: boolean, insn: SystemInsn): Status {
    const { ports, regs } = this.p;
    insn.immediatePort = false;
    if (ports.string(input, Math.min(insn.opSize, 4), insn)) return input ? Status.next : this.advance(insn);
    regs.host.endSlice();
    return Status.jump;
  }

  private virtualization(kind: 'vmx' | 'svm', name: Intercepted, insn: SystemInsn): void {
    const { regs } = this.p;
    const { guest } = this;
    const wrongMode = regs.real || (regs.long && !regs.code64);
    if (guest?.kind !== kind || (wrongMode && name !== 'vmcall')) this.ud();
    if (kind === 'svm' && regs.cpl !== 0) this.gp();
    guest.instruction(name, insn);
    this.ud();
  }
}

/** A TSC value times a multiplier of 48 fractional bits; 0 is none. */
export function scaled(tsc: bigint, multiplier: bigint): bigint {
  return multiplier === 0n ? tsc : (tsc * multiplier) >> 48n;
}
