/** The instructions that the privileged architecture executes, by name. Those of VMX and SVM only exist for guests here. */
import { Flag } from '../state.ts';
import { CR0, CR4, EVENT, SEG, V } from './fields.ts';
import type { GuestMode, Intercepted } from './guest.ts';
import { Status, Waiting, type SystemInsn } from './interface.ts';
import { slot } from './registers.ts';
import { SystemContext, type SystemParts } from './system_context.ts';
import { FlagInstructions } from './system_flags.ts';
import { OtherInstructions } from './system_other.ts';
import { RegisterInstructions } from './system_registers.ts';
import { SegmentInstructions } from './system_segments.ts';

const RAX = 0;
const RCX = 1;
const RDX = 2;

/** Nothing returned: go on behind the instruction. */
type Handler = (insn: SystemInsn) => Status | void;

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
  'serialize', 'rdrand', 'rdseed', 'in_imm', 'in_dx', 'out_imm', 'out_dx', 'ins', 'outs', 'invpcid', 'rdfsbase', 'rdgsbase', 'wrfsbase', 'wrgsbase', 'fxsave',
  'fxrstor', 'xsave', 'xsaveopt', 'xsavec', 'xsaves', 'xrstor', 'xrstors',
  'vmcall', 'vmclear', 'vmlaunch', 'vmptrld', 'vmptrst', 'vmread', 'vmresume', 'vmwrite', 'vmxoff', 'vmxon', 'invept', 'invvpid', 'vmfunc',
  'vmrun', 'vmmcall', 'vmload', 'vmsave', 'stgi', 'clgi', 'skinit', 'invlpga',
] as const;
export type SystemOp = (typeof SYSTEM_OPS)[number];

export class SystemInstructions {
  private readonly context: SystemContext;
  private readonly handlers: readonly Handler[];

  constructor(parts: SystemParts) {
    this.context = new SystemContext(parts);
    const table = this.table();
    this.handlers = SYSTEM_OPS.map((name) => table[name]);
  }

  /** Set while a guest is executed. */
  set guest(guest: GuestMode | undefined) {
    this.context.guest = guest;
  }

  /** Executes an instruction; throws ABORT when it cannot. */
  execute(op: number, insn: SystemInsn): Status {
    return this.handlers[op]?.(insn) ?? Status.next;
  }

  private table(): Record<SystemOp, Handler> {
    const c = this.context;
    const { regs, segments, transfers, calls, xsave, msrs, debug } = c.p;
    const [onSegments, onFlags, onRegisters, others] = [new SegmentInstructions(c), new FlagInstructions(c), new RegisterInstructions(c), new OtherInstructions(c)] as const;
    const privileged = (handler: Handler): Handler => (insn) => {
      if (regs.cpl !== 0) c.gp();
      return handler(insn);
    };
    const jump = (handler: (insn: SystemInsn) => void): Handler => (insn) => {
      handler(insn);
      return Status.refetch;
    };
    const protectedOnly = (handler: Handler): Handler => (insn) => {
      if (regs.real) c.ud();
      return handler(insn);
    };
    /** Executes, goes behind the instruction and looks at what may have become possible. */
    const boundary = (handler: (insn: SystemInsn) => void): Handler => (insn) => {
      handler(insn);
      return c.advance(insn);
    };
    const simple = (name: Intercepted): Handler => privileged((insn) => c.guest?.instruction(name, insn));
    const vmx: Record<string, Handler> = {};
    for (const name of VMX_INSNS) vmx[name] = (insn) => others.virtualization('vmx', name, insn);
    for (const name of SVM_INSNS) vmx[name] = (insn) => others.virtualization('svm', name, insn);
    return {
      mov_to_sreg: boundary((insn) => onSegments.loadSegment(insn.reg, c.word(insn))),
      pop_sreg: boundary((insn) => onSegments.popSegment(insn)),
      load_far_pointer: boundary((insn) => onSegments.loadFarPointer(insn)),
      jmpf_ptr: jump((insn) => transfers.far(false, insn.imm2 & 0xffff, insn.opSize === 2 ? insn.imm & 0xffff : insn.imm, 0, insn)),
      callf_ptr: jump((insn) => transfers.far(true, insn.imm2 & 0xffff, insn.opSize === 2 ? insn.imm & 0xffff : insn.imm, 0, insn)),
      jmpf_mem: jump((insn) => onSegments.farMemory(false, insn)),
      callf_mem: jump((insn) => onSegments.farMemory(true, insn)),
      retf: jump((insn) => transfers.ret(insn.opSize, insn.imm & 0xffff)),
      iret: (insn) => onSegments.iret(insn),
      int3: (insn) => c.p.events.software(V.BP, EVENT.softException, insn.length),
      int: (insn) => onSegments.softwareInterrupt(insn),
      into: (insn) => ((regs.flags & Flag.OF) !== 0 ? c.p.events.software(V.OF, EVENT.softException, insn.length) : Status.next),
      int1: (insn) => {
        c.guest?.instruction('int1', insn);
        regs.fault.exception(V.DB, 0);
        return c.p.events.software(V.DB, EVENT.privSoft, insn.length);
      },
      cli: () => onFlags.cli(),
      sti: (insn) => onFlags.sti(insn),
      pushf: (insn) => onFlags.pushf(insn),
      popf: boundary((insn) => onFlags.popf(insn)),
      hlt: privileged((insn) => others.wait(insn, 'hlt', Waiting.hlt)),
      pause: (insn) => c.guest?.instruction('pause', insn),
      sldt: protectedOnly((insn) => onSegments.storeSelector('sldt', SEG.ldtr, insn)),
      str: protectedOnly((insn) => onSegments.storeSelector('str', SEG.tr, insn)),
      lldt: protectedOnly(privileged((insn) => onSegments.loadSystem('lldt', insn))),
      ltr: protectedOnly(privileged((insn) => onSegments.loadSystem('ltr', insn))),
      verr: protectedOnly((insn) => c.setZero(segments.verify(c.word(insn), false))),
      verw: protectedOnly((insn) => c.setZero(segments.verify(c.word(insn), true))),
      arpl: protectedOnly((insn) => onSegments.arpl(insn)),
      sgdt: (insn) => onSegments.storeTable('sgdt', insn),
      sidt: (insn) => onSegments.storeTable('sidt', insn),
      lgdt: privileged((insn) => onSegments.loadTable('lgdt', insn)),
      lidt: privileged((insn) => onSegments.loadTable('lidt', insn)),
      smsw: (insn) => onRegisters.smsw(insn),
      lmsw: boundary((insn) => onRegisters.lmsw(insn)),
      invlpg: boundary((insn) => others.invlpg(insn)),
      lar: protectedOnly((insn) => onSegments.inspect(insn, segments.accessRights(c.word(insn)))),
      lsl: protectedOnly((insn) => onSegments.inspect(insn, segments.segmentLimit(c.word(insn)))),
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
        c.guest?.clts(insn);
        regs.sys[slot.cr0] = c.merge(0, regs.cr0, c.visible(0, regs.cr0) & ~CR0.TS);
        regs.modeChanged();
      }),
      invd: simple('invd'),
      wbinvd: simple('wbinvd'),
      mov_from_cr: privileged((insn) => onRegisters.readCr(insn)),
      mov_to_cr: privileged((insn) => {
        onRegisters.writeCr(insn);
        // Another address space makes nothing possible that was not before.
        return insn.reg === 3 ? Status.next : c.advance(insn);
      }),
      mov_from_dr: (insn) => onRegisters.moveDr(insn, false),
      mov_to_dr: boundary((insn) => onRegisters.moveDr(insn, true)),
      rdmsr: privileged((insn) => {
        c.guest?.msr(regs.lo(RCX), false, insn);
        const value = onRegisters.guestMsr() ?? msrs.read(regs.lo(RCX) >>> 0) ?? c.gp();
        c.setCount(value);
      }),
      wrmsr: privileged(boundary((insn) => {
        c.guest?.msr(regs.lo(RCX), true, insn);
        if (!msrs.write(regs.lo(RCX) >>> 0, regs.lo(RAX), regs.lo(RDX))) c.gp();
      })),
      rdtsc: (insn) => onRegisters.rdtsc(insn, false),
      rdtscp: (insn) => onRegisters.rdtsc(insn, true),
      rdpmc: (insn) => {
        if ((regs.cr4 & CR4.PCE) === 0 && regs.cpl !== 0) c.gp();
        c.guest?.instruction('rdpmc', insn);
        c.gp();
      },
      rdpid: (insn) => regs.setSized(insn.rm, regs.code64 ? 8 : 4, regs.sys[slot.tscAux]!, 0),
      cpuid: (insn) => onRegisters.cpuid(insn),
      rsm: (insn) => {
        c.guest?.instruction('rsm', insn);
        c.ud();
      },
      getsec: (insn) => {
        c.guest?.instruction('getsec', insn);
        c.ud();
      },
      xgetbv: () => onRegisters.xgetbv(),
      xsetbv: boundary((insn) => {
        if ((regs.cr4 & CR4.OSXSAVE) === 0) c.ud();
        if (regs.cpl !== 0) c.gp();
        c.guest?.instruction('xsetbv', insn);
        if (regs.lo(RCX) !== 0) c.gp();
        c.p.control.writeXcr0(regs.lo(RAX), regs.lo(RDX), c.p.cpuid.xcr0Mask);
      }),
      monitor: (insn) => others.monitor(insn),
      mwait: (insn) => others.mwait(insn),
      clac: privileged(boundary(() => onFlags.setAc(false))),
      stac: privileged(boundary(() => onFlags.setAc(true))),
      // Whatever serializes is the engine's: this one does nothing else.
      serialize: () => {},
      rdrand: (insn) => others.random('rdrand', insn),
      rdseed: (insn) => others.random('rdseed', insn),
      in_imm: (insn) => others.portIo(true, true, insn),
      in_dx: (insn) => others.portIo(true, false, insn),
      out_imm: (insn) => others.portIo(false, true, insn),
      out_dx: (insn) => others.portIo(false, false, insn),
      ins: (insn) => others.stringIo(true, insn),
      outs: (insn) => others.stringIo(false, insn),
      invpcid: privileged(boundary((insn) => others.invpcid(insn))),
      rdfsbase: (insn) => onRegisters.readBase(SEG.fs, insn),
      rdgsbase: (insn) => onRegisters.readBase(SEG.gs, insn),
      wrfsbase: (insn) => onRegisters.writeBase(SEG.fs, insn),
      wrgsbase: (insn) => onRegisters.writeBase(SEG.gs, insn),
      fxsave: (insn) => xsave.fxsave(insn),
      fxrstor: (insn) => xsave.fxrstor(insn),
      xsave: (insn) => xsave.xsave(insn, false),
      xsaveopt: (insn) => xsave.xsave(insn, false),
      xsavec: (insn) => xsave.xsave(insn, true),
      xsaves: privileged((insn) => {
        c.guest?.instruction('xsaves', insn);
        xsave.xsave(insn, true);
      }),
      xrstor: (insn) => xsave.xrstor(insn, false),
      xrstors: privileged((insn) => {
        c.guest?.instruction('xrstors', insn);
        xsave.xrstor(insn, true);
      }),
      ...(vmx as Record<VirtualizationOp, Handler>),
      vmfunc: () => c.ud(),
      vmmcall: (insn) => {
        c.guest?.instruction('vmmcall', insn);
        c.ud();
      },
    };
  }
}
