/** The registers of the generic timers (Arm ARM, chapter D19). */

import type { Guards } from './guards.ts';
import { longReg, RO0, RW0, RW1, RW2, storedReg, wordReg, type Encoding, type Guard, type Parts, type Rights, type SysReg } from './sysreg.ts';
import type { Timer } from './timers.ts';
import type { StoredReg } from './stored.ts';

/** Whether an instruction writes a register with CRn 14 that moves the next timer interrupt. */
export const isTimerAccess = (bits: number): boolean => (bits & 0xfff8_f000) === (0xd518_e000 | 0) && ((bits >>> 8) & 15) < 4;

export function timerRegs(parts: Parts, guards: Guards): SysReg[] {
  const { timers } = parts;
  const poll = (): void => timers.poll();
  /** TVAL, CTL and CVAL of one timer: op2 0, 1, 2 of its CRm. */
  const timer = (name: string, suffix: 'EL0' | 'EL2', op1: number, crm: number, which: Timer, rights: Rights, guard?: Guard): SysReg[] => {
    const at = (op2: number): Encoding => [3, op1, 14, crm, op2];
    return [
      wordReg(parts, `${name}_TVAL_${suffix}`, at(0), rights, () => timers.readValue(which), (lo) => timers.writeValue(which, lo), guard),
      wordReg(parts, `${name}_CTL_${suffix}`, at(1), rights, () => timers.readControl(which), (lo) => timers.writeControl(which, lo), guard),
      storedReg(parts, `${name}_CVAL_${suffix}` as StoredReg, at(2), rights, { changed: poll }, guard),
    ];
  };
  return [
    longReg(parts, 'CNTPCT_EL0', [3, 3, 14, 0, 1], RO0, () => timers.count(false), undefined, guards.cntpct),
    longReg(parts, 'CNTVCT_EL0', [3, 3, 14, 0, 2], RO0, () => timers.count(true), undefined, guards.cntvct),
    ...timer('CNTP', 'EL0', 3, 2, timers.cntp, RW0, guards.cntp),
    ...timer('CNTV', 'EL0', 3, 3, timers.cntv, RW0, guards.cntv),
    ...timer('CNTHP', 'EL2', 4, 2, timers.cnthp, RW2),
    // EL0 access bits, and the event stream, which nothing needs: WFE does not wait here.
    storedReg(parts, 'CNTKCTL_EL1', [3, 0, 14, 1, 0], RW1, { lo: 0x3ff, hi: 0 }),
    storedReg(parts, 'CNTHCTL_EL2', [3, 4, 14, 1, 0], RW2, { lo: 0xff, hi: 0 }),
    storedReg(parts, 'CNTVOFF_EL2', [3, 4, 14, 0, 3], RW2, { changed: poll }),
  ];
}
