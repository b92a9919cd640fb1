/** CLI, STI, PUSHF, POPF, CLAC and STAC, with virtual interrupts (SDM vol. 3, 21.3 and 21.4). */
import { Flag } from '../state.ts';
import { CR4, SHADOW } from './fields.ts';
import { Status } from './interface.ts';
import type { SystemInsn } from './interface.ts';
import type { SystemContext } from './system_context.ts';

/** POPF's flags that every privilege level may change. */
const POPF_FLAGS: number = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.TF | Flag.DF | Flag.OF | Flag.NT | Flag.AC | Flag.ID;

export class FlagInstructions {
  private readonly c: SystemContext;

  constructor(context: SystemContext) {
    this.c = context;
  }

  /** CLI and STI where IF is not theirs: with virtual interrupts they change VIF (SDM vol. 3, 21.3 and 21.4). */
  interruptFlag(): 'IF' | 'VIF' {
    const { regs } = this.c.p;
    const { cpl, iopl, cr4 } = regs;
    if (!regs.protectedMode || cpl <= iopl) return !regs.v86 || iopl === 3 ? 'IF' : this.virtualFlag(cr4 & CR4.VME);
    if (regs.v86) return this.virtualFlag(cr4 & CR4.VME);
    return this.virtualFlag(cpl === 3 ? cr4 & CR4.PVI : 0);
  }

  virtualFlag(enabled: number): 'VIF' {
    return enabled !== 0 ? 'VIF' : this.c.gp();
  }

  cli(): void {
    this.c.p.regs.systemFlags &= ~Flag[this.interruptFlag()];
  }

  sti(insn: SystemInsn): Status {
    const { regs } = this.c.p;
    const flag = this.interruptFlag();
    if (flag === 'VIF' && (regs.systemFlags & Flag.VIP) !== 0) this.c.gp();
    if ((regs.systemFlags & Flag[flag]) !== 0) return Status.next;
    regs.systemFlags |= Flag[flag];
    if (flag === 'VIF') return Status.next;
    regs.block(SHADOW.sti);
    return this.c.advance(insn);
  }

  pushf(insn: SystemInsn): void {
    const { regs } = this.c.p;
    this.c.guest?.instruction('pushf', insn);
    let flags = regs.flags & ~(Flag.VM | Flag.RF);
    if (regs.v86 && regs.iopl < 3) {
      if ((regs.cr4 & CR4.VME) === 0 || insn.opSize !== 2) this.c.gp();
      flags = (flags & ~Flag.IF) | Flag.IOPL | ((flags & Flag.VIF) !== 0 ? Flag.IF : 0);
    }
    this.c.stack.begin();
    this.c.stack.push(insn.opSize, flags, 0);
    this.c.stack.commit();
  }

  popf(insn: SystemInsn): void {
    const { regs } = this.c.p;
    const { stack } = this.c;
    this.c.guest?.instruction('popf', insn);
    const { iopl, cpl, v86 } = regs;
    const virtual = v86 && iopl < 3;
    if (virtual && ((regs.cr4 & CR4.VME) === 0 || insn.opSize !== 2)) this.c.gp();
    stack.begin();
    const value = stack.pop(insn.opSize);
    let mask = POPF_FLAGS;
    let { flags } = regs;
    if (virtual) {
      if ((value & Flag.TF) !== 0 || ((value & Flag.IF) !== 0 && (flags & Flag.VIP) !== 0)) this.c.gp();
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

  setAc(set: boolean): void {
    const { regs } = this.c.p;
    if (set) regs.systemFlags |= Flag.AC;
    else regs.systemFlags &= ~Flag.AC;
    regs.modeChanged();
  }
}
