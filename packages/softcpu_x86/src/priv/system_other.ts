/** Translations, waiting, random numbers, ports, and instructions of hypervisors (SDM vol. 2, INVLPG, MONITOR, RDRAND, IN, VMCALL). */
import { Flag } from '../state.ts';
import { CR4, SEG } from './fields.ts';
import type { Intercepted } from './guest.ts';
import { Status, Waiting } from './interface.ts';
import type { SystemInsn } from './interface.ts';
import { storable } from './linear.ts';
import { highWord, lowWord } from './registers.ts';
import type { SystemContext } from './system_context.ts';

const RAX = 0;
const RCX = 1;
const RDX = 2;

export class OtherInstructions {
  private readonly c: SystemContext;

  constructor(context: SystemContext) {
    this.c = context;
  }

  invlpg(insn: SystemInsn): void {
    const { regs } = this.c.p;
    if (regs.cpl !== 0) this.c.gp();
    const wide = regs.code64;
    const useBase = !wide || insn.seg >= SEG.fs;
    const sum = (insn.lo >>> 0) + (useBase ? regs.baseLo(insn.seg) >>> 0 : 0);
    const lo = sum | 0;
    const hi = wide ? (insn.hi + (useBase ? regs.baseHi(insn.seg) : 0) + (sum > 0xffff_ffff ? 1 : 0)) | 0 : 0;
    this.c.guest?.invlpg(lo, hi, insn);
    // Pages of a large leaf are cached one by one: all go.
    regs.translations.invalidate(lo, hi);
  }

  invpcid(insn: SystemInsn): void {
    const { regs, linear } = this.c.p;
    this.c.guest?.instruction('invpcid', insn);
    const kind = regs.lo(insn.reg) >>> 0;
    const upper = regs.code64 ? regs.hi(insn.reg) : 0;
    const pcid = linear.load(insn.seg, insn.lo, insn.hi, 8);
    const reserved = (pcid & ~0xfff) !== 0 || linear.hi !== 0;
    const at = (insn.lo >>> 0) + 8;
    const address = linear.load(insn.seg, at | 0, insn.hi + (at > 0xffff_ffff ? 1 : 0), 8);
    if (upper !== 0 || kind > 3) this.c.gp();
    if (reserved || ((regs.cr4 & CR4.PCIDE) === 0 && pcid !== 0 && kind < 2)) this.c.gp();
    if (kind === 0 && !storable(linear.hi)) this.c.gp();
    if (kind === 0) regs.translations.invalidate(address, linear.hi);
    else if (kind === 1) regs.translations.flushPcid(pcid);
    else if (kind === 2) regs.translations.flush();
    else regs.translations.flushLocal();
  }

  wait(insn: SystemInsn, name: 'hlt' | 'mwait', state: Waiting): Status {
    const { regs } = this.c.p;
    this.c.guest?.instruction(name, insn);
    regs.advance(insn.length);
    regs.waiting = state;
    return Status.leave;
  }

  monitor(insn: SystemInsn): void {
    const { regs, linear } = this.c.p;
    if (regs.cpl !== 0) this.c.ud();
    if (regs.lo(RCX) !== 0) this.c.gp();
    this.c.guest?.instruction('monitor', insn);
    linear.load(insn.seg, insn.addrSize === 2 ? regs.lo(RAX) & 0xffff : regs.lo(RAX), insn.addrSize === 8 ? regs.hi(RAX) : 0, 1);
  }

  /** MWAIT may end at any time; here it does at once, so that what others write is never missed. */
  mwait(insn: SystemInsn): void {
    const { regs } = this.c.p;
    if (regs.cpl !== 0) this.c.ud();
    if ((regs.lo(RCX) & ~1) !== 0) this.c.gp();
    this.c.guest?.instruction('mwait', insn);
    regs.host.endSlice();
  }

  random(name: 'rdrand' | 'rdseed', insn: SystemInsn): void {
    const { regs } = this.c.p;
    if (regs.host.random === undefined) this.c.ud();
    this.c.guest?.instruction(name, insn);
    const value = regs.host.random();
    regs.setSized(insn.rm, insn.opSize, lowWord(value), highWord(value));
    regs.flags = (regs.flags & ~(Flag.OF | Flag.SF | Flag.ZF | Flag.AF | Flag.PF)) | Flag.CF;
  }

  portIo(input: boolean, immediate: boolean, insn: SystemInsn): Status {
    const { ports, regs } = this.c.p;
    insn.immediatePort = immediate;
    const port = immediate ? insn.imm & 0xff : regs.lo(RDX) & 0xffff;
    const size = Math.min(insn.opSize, 4);
    if (input) return ports.in(port, size, insn) ? Status.leave : Status.next;
    return ports.out(port, size, insn) ? Status.leave : this.c.advance(insn);
  }

  stringIo(input: boolean, insn: SystemInsn): Status {
    const { ports, regs } = this.c.p;
    insn.immediatePort = false;
    if (ports.string(input, Math.min(insn.opSize, 4), insn)) return input ? Status.next : this.c.advance(insn);
    regs.host.endSlice();
    return Status.refetch;
  }

  virtualization(kind: 'vmx' | 'svm', name: Intercepted, insn: SystemInsn): void {
    const { regs } = this.c.p;
    const { guest } = this.c;
    const wrongMode = regs.real || (regs.long && !regs.code64);
    if (guest?.kind !== kind || (wrongMode && name !== 'vmcall')) this.c.ud();
    if (kind === 'svm' && regs.cpl !== 0) this.c.gp();
    guest.instruction(name, insn);
    this.c.ud();
  }
}
