/** SYSCALL, SYSRET, SYSENTER, SYSEXIT and SWAPGS (SDM vol. 2; AMD APM vol. 3 for the modes in which only AMD has them). */
import { Flag } from '../state.ts';
import { CR0, EFER, FLAT, SEG, SYSCALL_RIGHTS as RIGHTS, SYSRET_FLAGS, V } from './fields.ts';
import { canonical } from './linear.ts';
import { slot, type Registers } from './registers.ts';

const RCX = 1;
const RDX = 2;
const RSP = 4;
const R11 = 11;


export class FastCalls {
  private readonly regs: Registers;
  private readonly amd: boolean;

  constructor(regs: Registers, amd: boolean) {
    this.regs = regs;
    this.amd = amd;
  }

  private load(cs: number, ss: number, cpl: number, wide: boolean): void {
    const { regs } = this;
    const dpl = cpl << 5;
    regs.setSegment(SEG.cs, (cs & 0xfffc) | cpl, 0, 0, FLAT, (wide ? RIGHTS.code64 : RIGHTS.code32) | dpl);
    regs.setSegment(SEG.ss, (ss & 0xfffc) | cpl, 0, 0, FLAT, RIGHTS.data | dpl);
    regs.cpl = cpl;
  }

  syscall(length: number): void {
    const { regs } = this;
    const { sys, fault } = regs;
    if ((regs.efer & EFER.SCE) === 0 || (!this.amd && !regs.code64)) fault.raise(V.UD);
    const nextLo = (regs.ripLo() + length) | 0;
    const selector = sys[slot.star + 1]! & 0xffff;
    if (regs.long) {
      const nextHi = regs.code64 ? regs.ripHi() + (nextLo >>> 0 < length ? 1 : 0) : 0;
      const target = regs.code64 ? slot.lstar : slot.cstar;
      const { flags } = regs;
      regs.setGpr(RCX, nextLo, nextHi);
      regs.setGpr(R11, flags & ~Flag.RF, 0);
      this.load(selector, (selector & 0xfffc) + 8, 0, true);
      regs.flags = (flags & ~sys[slot.fmask]! & ~Flag.RF) | 2;
      regs.modeChanged();
      regs.setRip(sys[target]!, sys[target + 1]!);
      return;
    }
    regs.setGpr(RCX, nextLo, 0);
    this.load(selector, (selector & 0xfffc) + 8, 0, false);
    regs.systemFlags &= ~(Flag.VM | Flag.IF | Flag.RF);
    regs.modeChanged();
    regs.setRip(sys[slot.star]!, 0);
  }

  sysret(opSize: number): void {
    const { regs } = this;
    const { sys, fault } = regs;
    if ((regs.efer & EFER.SCE) === 0 || (!this.amd && !regs.code64)) fault.raise(V.UD);
    if (!regs.protectedMode || regs.cpl !== 0) fault.raise(V.GP);
    const selector = (sys[slot.star + 1]! >>> 16) & 0xffff;
    const lo = regs.lo(RCX);
    const hi = regs.hi(RCX);
    const wide = regs.code64 && opSize === 8;
    if (wide && !canonical(hi, regs.cr4)) fault.raise(V.GP);
    if (regs.long) regs.flags = (regs.lo(R11) & SYSRET_FLAGS) | 2;
    else regs.systemFlags |= Flag.IF;
    this.load(wide ? selector + 16 : selector, selector + 8, 3, wide);
    regs.modeChanged();
    regs.setRip(lo, wide ? hi : 0);
  }

  sysenter(): void {
    const { regs } = this;
    const { sys, fault } = regs;
    if ((regs.cr0 & CR0.PE) === 0) fault.raise(V.GP);
    const { long } = regs;
    if (this.amd && long) fault.raise(V.UD);
    const selector = sys[slot.sysenterCs]! & 0xffff;
    if ((selector & 0xfffc) === 0) fault.raise(V.GP);
    regs.systemFlags &= ~(Flag.VM | Flag.IF | Flag.RF);
    this.load(selector, (selector & 0xfffc) + 8, 0, long);
    regs.setGpr(RSP, sys[slot.sysenterEsp]!, long ? sys[slot.sysenterEsp + 1]! : 0);
    regs.modeChanged();
    regs.setRip(sys[slot.sysenterEip]!, long ? sys[slot.sysenterEip + 1]! : 0);
  }

  sysexit(opSize: number): void {
    const { regs } = this;
    const { sys, fault } = regs;
    const selector = sys[slot.sysenterCs]! & 0xffff;
    if (this.amd && regs.long) fault.raise(V.UD);
    if ((selector & 0xfffc) === 0 || !regs.protectedMode || regs.cpl !== 0) fault.raise(V.GP);
    const wide = regs.code64 && opSize === 8;
    const rdxHi = regs.hi(RDX);
    if (wide && (!canonical(rdxHi, regs.cr4) || !canonical(regs.hi(RCX), regs.cr4))) fault.raise(V.GP);
    const rip = regs.lo(RDX);
    this.load(selector + (wide ? 32 : 16), selector + (wide ? 40 : 24), 3, wide);
    regs.setGpr(RSP, regs.lo(RCX), wide ? regs.hi(RCX) : 0);
    regs.modeChanged();
    regs.setRip(rip, wide ? rdxHi : 0);
  }

  swapgs(): void {
    const { regs } = this;
    const { sys } = regs;
    if (regs.cpl !== 0) regs.fault.raise(V.GP);
    const lo = regs.baseLo(SEG.gs);
    const hi = regs.baseHi(SEG.gs);
    regs.setBase(SEG.gs, sys[slot.kernelGsBase]!, sys[slot.kernelGsBase + 1]!);
    regs.set('kernelGsBase', lo, hi);
  }
}
