/**
 * Trap rules of system registers and instructions: what SCTLR_EL1, CNTKCTL_EL1 and PMUSERENR_EL0 keep from EL0, and what
 * HCR_EL2, CPTR_EL2, MDCR_EL2 and CNTHCTL_EL2 trap to EL2 (Arm ARM, chapter D1, "Configurable instruction controls").
 *
 * HSTR_EL2 traps only AArch32 accesses, which there are none of.
 */

import { Cntkctl, Cnthctl, Cptr, Hcr, Mdcr, Mdscr, Sctlr } from './fields.ts';
import type { Pmu } from './pmu.ts';
import type { State } from './registers.ts';
import { slot } from './stored.ts';
import { Verdict, type Guard } from './sysreg.ts';

const { allowed, trapEl1, trapEl2 } = Verdict;

/** PMUSERENR_EL0. */
const UserEn = { EN: 1, SW: 2, CR: 4, ER: 8 } as const;

/** The guards, by what they look at. */
export interface Guards {
  readonly virtualMemory: Guard;
  readonly tid1: Guard;
  readonly tid2: Guard;
  readonly tid3: Guard;
  readonly tacr: Guard;
  readonly cpacr: Guard;
  readonly ctr: Guard;
  readonly daif: Guard;
  readonly fp: Guard;
  readonly debug: Guard;
  readonly debugComms: Guard;
  readonly osLock: Guard;
  readonly debugRom: Guard;
  readonly cntfrq: Guard;
  readonly cntpct: Guard;
  readonly cntvct: Guard;
  readonly cntp: Guard;
  readonly cntv: Guard;
  readonly pmu: Guard;
  readonly pmcr: Guard;
  readonly pmswinc: Guard;
  readonly pmselr: Guard;
  readonly pmccntr: Guard;
  readonly pmxevcntr: Guard;
  readonly pmuserenr: Guard;
  readonly tlbi: Guard;
  readonly pou: Guard;
  readonly poc: Guard;
  readonly setWay: Guard;
  readonly zva: Guard;
}

export function createGuards(state: State, pmu: Pmu): Guards {
  const { sys } = state;
  const hcr = (bits: number): boolean => (sys[slot.HCR_EL2]! & bits) !== 0;
  const mdcr = (bits: number): boolean => (sys[slot.MDCR_EL2]! & bits) !== 0;
  /** HCR_EL2.TGE acts as the debug traps TDA, TDOSA, TDRA too, and so does TDE. */
  const debug = (bit: number): boolean => mdcr(bit | Mdcr.TDE) || hcr(Hcr.TGE);
  const sctlr = (bits: number): boolean => (sys[slot.SCTLR_EL1]! & bits) !== 0;
  const cntkctl = (bits: number): boolean => (sys[slot.CNTKCTL_EL1]! & bits) !== 0;
  const cnthctl = (bits: number): boolean => (sys[slot.CNTHCTL_EL2]! & bits) !== 0;

  /** Refuses EL0 where `denied`, then everything below EL2 where `trapped`. */
  const rule =
    (denied: ((write: boolean) => boolean) | undefined, trapped: (write: boolean) => boolean): Guard =>
    (el, write) =>
      el === 0 && denied !== undefined && denied(write) ? trapEl1 : el < 2 && trapped(write) ? trapEl2 : allowed;
  const never = (): boolean => false;
  const hcrTrap = (bits: number): Guard => rule(undefined, () => hcr(bits));
  const pmuRule = (read: number, write: number, traps: number): Guard =>
    rule((isWrite) => (pmu.userEnable & (isWrite ? write : read)) === 0, () => mdcr(traps));

  return {
    virtualMemory: rule(undefined, (write) => hcr(write ? Hcr.TVM : Hcr.TRVM)),
    tid1: hcrTrap(Hcr.TID1),
    tid2: hcrTrap(Hcr.TID2),
    tid3: hcrTrap(Hcr.TID3),
    tacr: hcrTrap(Hcr.TACR),
    cpacr: rule(undefined, () => (sys[slot.CPTR_EL2]! & Cptr.TCPAC) !== 0),
    ctr: rule(() => !sctlr(Sctlr.UCT), () => hcr(Hcr.TID2)),
    daif: rule(() => !sctlr(Sctlr.UMA), never),
    fp: () => (state.fpTarget() !== 0 ? Verdict.fp : allowed),
    debug: rule(undefined, () => debug(Mdcr.TDA)),
    debugComms: rule(() => (sys[slot.MDSCR_EL1]! & Mdscr.TDCC) !== 0, () => debug(Mdcr.TDA)),
    osLock: rule(undefined, () => debug(Mdcr.TDOSA)),
    debugRom: rule(undefined, () => debug(Mdcr.TDRA)),
    cntfrq: rule(() => !cntkctl(Cntkctl.EL0PCTEN | Cntkctl.EL0VCTEN), never),
    cntpct: rule(() => !cntkctl(Cntkctl.EL0PCTEN), () => !cnthctl(Cnthctl.EL1PCTEN)),
    cntvct: rule(() => !cntkctl(Cntkctl.EL0VCTEN), never),
    cntp: rule(() => !cntkctl(Cntkctl.EL0PTEN), () => !cnthctl(Cnthctl.EL1PCEN)),
    cntv: rule(() => !cntkctl(Cntkctl.EL0VTEN), never),
    pmu: pmuRule(UserEn.EN, UserEn.EN, Mdcr.TPM),
    pmcr: pmuRule(UserEn.EN, UserEn.EN, Mdcr.TPM | Mdcr.TPMCR),
    pmswinc: pmuRule(UserEn.EN | UserEn.SW, UserEn.EN | UserEn.SW, Mdcr.TPM),
    pmselr: pmuRule(UserEn.EN | UserEn.ER, UserEn.EN | UserEn.ER, Mdcr.TPM),
    pmccntr: pmuRule(UserEn.EN | UserEn.CR, UserEn.EN, Mdcr.TPM),
    pmxevcntr: pmuRule(UserEn.EN | UserEn.ER, UserEn.EN, Mdcr.TPM),
    pmuserenr: rule(undefined, () => mdcr(Mdcr.TPM)),
    tlbi: hcrTrap(Hcr.TTLB),
    pou: rule(() => !sctlr(Sctlr.UCI), () => hcr(Hcr.TPU)),
    poc: rule(() => !sctlr(Sctlr.UCI), () => hcr(Hcr.TPCP)),
    setWay: hcrTrap(Hcr.TSW),
    zva: rule(() => !sctlr(Sctlr.DZE), () => hcr(Hcr.TDZ)),
  };
}
