/**
 * GIC system registers: ICC_*_EL1, which at EL1 are virtual as far as HCR_EL2.{IMO,FMO} route interrupts to EL2, and ICH_*_EL2
 * (GIC architecture specification, chapter 12).
 */

import { toBigint } from '@axvisor/softcpu';
import { Hcr } from './fields.ts';
import { ICH_VTR, IchHcr, LIST_REGISTERS } from './gic_cpu.ts';
import { slot } from './stored.ts';
import { RO1, RO2, RW1, RW2, sysRegKey, Verdict, WO1, wordReg, type Encoding, type Guard, type Parts, type Rights, type SysReg } from './sysreg.ts';

/** ICC_SRE_EL1: the system registers are all there is, and bypass is off. ICC_SRE_EL2.Enable lets EL1 read that. */
const SRE = 7;
const SRE_ENABLE = 8;
const INTID = 0xff_ffff;

/** When a register is virtual at EL1: by group, or common to both. */
const virtualWhen = { group0: Hcr.FMO, group1: Hcr.IMO, common: Hcr.FMO | Hcr.IMO } as const;
/** The traps of ICH_HCR_EL2 by the same classes. */
const trappedBy = { group0: IchHcr.TALL0, group1: IchHcr.TALL1, common: IchHcr.TC } as const;
type Class = keyof typeof virtualWhen;

export function gicRegs(parts: Parts): SysReg[] {
  const { state, gic } = parts;
  const { physical } = gic;
  if (physical === undefined) return [];
  const hcr = (bits: number): boolean => (state.sys[slot.HCR_EL2]! & bits) !== 0;
  const trap = (bits: number): Guard => (el) => (el < 2 && (gic.hcr & bits) !== 0 ? Verdict.trapEl2 : Verdict.allowed);

  const icc = (
    name: string, kind: Class, encoding: Encoding, rights: Rights, read: () => number, write: (value: number) => void, traps = 0,
  ): SysReg => {
    const key = sysRegKey(...encoding);
    const isVirtual = (): boolean => state.el === 1 && hcr(virtualWhen[kind]);
    return {
      key,
      name,
      rights,
      guard: trap(trappedBy[kind] | traps),
      read: () => {
        if (!isVirtual()) return parts.split(physical.read(key));
        parts.hi = 0;
        return read();
      },
      write: (lo, hi) => {
        if (isVirtual()) write(lo);
        else physical.write(key, toBigint(lo, hi));
      },
    };
  };
  const nothing = (): void => undefined;
  const zero = (): number => 0;

  /** SGIs are generated outside: at EL1 a hypervisor that takes interrupts takes them too. */
  const sgi = (name: string, op2: number): SysReg => {
    const reg = icc(name, 'common', [3, 0, 12, 11, op2], WO1, zero, nothing);
    return { ...reg, guard: (el) => (el === 1 && hcr(Hcr.FMO | Hcr.IMO) ? Verdict.trapEl2 : trap(IchHcr.TC)(el, true)) };
  };

  /** The registers both groups have. */
  const group = (n: 0 | 1, crm: number, active: Encoding, enableOp2: number): SysReg[] => {
    const kind = n === 0 ? 'group0' : 'group1';
    return [
      icc(`ICC_IAR${n}_EL1`, kind, [3, 0, 12, crm, 0], RO1, () => gic.acknowledge(n), nothing),
      icc(`ICC_EOIR${n}_EL1`, kind, [3, 0, 12, crm, 1], WO1, zero, (lo) => gic.endOfInterrupt(n, lo & INTID)),
      icc(`ICC_HPPIR${n}_EL1`, kind, [3, 0, 12, crm, 2], RO1, () => gic.highestPendingId(n), nothing),
      icc(`ICC_BPR${n}_EL1`, kind, [3, 0, 12, crm, 3], RW1, () => gic.bpr(n), (lo) => gic.writeBpr(n, lo)),
      icc(`ICC_AP${n}R0_EL1`, kind, active, RW1, () => gic.activePriorities[n]!, (lo) => gic.writeActive(n, lo)),
      icc(`ICC_IGRPEN${n}_EL1`, kind, [3, 0, 12, 12, enableOp2], RW1, () => (gic.groupEnabled(n) ? 1 : 0), (lo) => gic.enableGroup(n, (lo & 1) !== 0)),
      wordReg(parts, `ICH_AP${n}R0_EL2`, [3, 4, 12, 8 + n, 0], RW2, () => gic.activePriorities[n]!, (lo) => gic.writeActive(n, lo)),
    ];
  };

  const regs = [
    ...group(0, 8, [3, 0, 12, 8, 4], 6),
    ...group(1, 12, [3, 0, 12, 9, 0], 7),
    icc('ICC_PMR_EL1', 'common', [3, 0, 4, 6, 0], RW1, () => gic.priorityMask, (lo) => {
      gic.priorityMask = lo;
    }),
    icc('ICC_RPR_EL1', 'common', [3, 0, 12, 11, 3], RO1, () => gic.runningPriority, nothing),
    icc('ICC_DIR_EL1', 'common', [3, 0, 12, 11, 1], WO1, zero, (lo) => gic.deactivateInterrupt(lo & INTID), IchHcr.TDIR),
    icc('ICC_CTLR_EL1', 'common', [3, 0, 12, 12, 4], RW1, () => gic.control, (lo) => {
      gic.control = lo;
    }),
    sgi('ICC_SGI1R_EL1', 5),
    sgi('ICC_ASGI1R_EL1', 6),
    sgi('ICC_SGI0R_EL1', 7),
    wordReg(parts, 'ICC_SRE_EL1', [3, 0, 12, 12, 5], RW1, () => SRE, undefined, (el) => (el === 1 && !state.gicEnable ? Verdict.trapEl2 : Verdict.allowed)),
    wordReg(parts, 'ICC_SRE_EL2', [3, 4, 12, 9, 5], RW2, () => SRE | (state.gicEnable ? SRE_ENABLE : 0), (lo) => {
      state.gicEnable = (lo & SRE_ENABLE) !== 0;
    }),
    wordReg(parts, 'ICH_HCR_EL2', [3, 4, 12, 11, 0], RW2, () => gic.hcr, (lo) => gic.writeHcr(lo)),
    wordReg(parts, 'ICH_VTR_EL2', [3, 4, 12, 11, 1], RO2, () => ICH_VTR),
    wordReg(parts, 'ICH_MISR_EL2', [3, 4, 12, 11, 2], RO2, () => gic.misr),
    wordReg(parts, 'ICH_EISR_EL2', [3, 4, 12, 11, 3], RO2, () => gic.eisr),
    wordReg(parts, 'ICH_ELRSR_EL2', [3, 4, 12, 11, 5], RO2, () => gic.elrsr),
    wordReg(parts, 'ICH_VMCR_EL2', [3, 4, 12, 11, 7], RW2, () => gic.vmcrValue, (lo) => gic.writeVmcr(lo)),
  ];
  for (let n = 0; n < LIST_REGISTERS; n++) {
    regs.push({
      key: sysRegKey(3, 4, 12, 12 + (n >>> 3), n & 7),
      name: `ICH_LR${n}_EL2`,
      rights: RW2,
      guard: undefined,
      read: () => {
        parts.hi = gic.lrHi(n);
        return gic.lrLo(n);
      },
      write: (lo, hi) => gic.writeLr(n, lo, hi),
    });
  }
  return regs;
}
