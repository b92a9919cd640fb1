/** The system register and system instruction space of a processing element, and who may access what. */

import { createGuards } from './guards.ts';
import { Hcr } from './fields.ts';
import type { Maintenance } from './maintenance.ts';
import { slot } from './stored.ts';
import { debugRegs } from './sysreg_debug.ts';
import { gicRegs } from './sysreg_gic.ts';
import { idRegs } from './sysreg_id.ts';
import { systemRegs } from './sysreg_system.ts';
import { timerRegs } from './sysreg_timer.ts';
import { Verdict, type Parts, type SysOp, type SysReg } from './sysreg.ts';

/** Every system register and system instruction that exists, by operation code. */
export class SysRegFile {
  readonly parts: Parts;
  readonly regs: ReadonlyMap<number, SysReg>;
  readonly ops: ReadonlyMap<number, SysOp>;

  constructor(parts: Parts, maintenance: Maintenance) {
    this.parts = parts;
    const guards = createGuards(parts.state, parts.pmu);
    const regs = [
      ...idRegs(parts, guards), ...systemRegs(parts, guards), ...debugRegs(parts, guards), ...timerRegs(parts, guards), ...parts.pmu.regs(parts, guards),
      ...gicRegs(parts),
    ];
    this.regs = new Map(regs.map((reg) => [reg.key, reg]));
    this.ops = new Map(maintenance.ops(guards).map((op) => [op.key, op]));
  }

  /** What MRS or MSR raises at Exception level `el`, and of registers that do not exist too. */
  verdict(reg: SysReg | undefined, key: number, write: boolean, el: number): Verdict {
    if (reg === undefined) return this.absent(key, el);
    if (el < reg.rights[write ? 1 : 0]) return Verdict.undefined;
    return reg.guard === undefined ? Verdict.allowed : reg.guard(el, write);
  }

  /** What SYS raises. */
  opVerdict(op: SysOp | undefined, key: number, el: number): Verdict {
    if (op === undefined) return this.absent(key, el);
    if (el < op.el) return Verdict.undefined;
    return op.guard === undefined ? Verdict.allowed : op.guard(el, true);
  }

  /** HCR_EL2.TIDCP traps what is IMPLEMENTATION DEFINED: CRn 11 and 15 of the register and instruction spaces op0 1 and 3. */
  private absent(key: number, el: number): Verdict {
    const crn = (key >>> 7) & 15;
    const implementationDefined = (crn === 11 || crn === 15) && (key >>> 14 & 1) !== 0;
    return implementationDefined && el < 2 && (this.parts.state.sys[slot.HCR_EL2]! & Hcr.TIDCP) !== 0 ? Verdict.trapEl2 : Verdict.undefined;
  }
}
