/**
 * Self-hosted debug registers (Arm ARM, chapters D2 and D19): the OS Lock, software step and the communications channel are
 * there; the breakpoints and watchpoints that every implementation announces never match, their registers are RAZ/WI.
 */

import { Mdscr } from './fields.ts';
import type { Guards } from './guards.ts';
import { RO0, RO1, RW0, RW1, storedReg, WO1, wordReg, type Encoding, type Guard, type Parts, type Rights, type SysReg } from './sysreg.ts';

/** ID_AA64DFR0_EL1.BRPs and WRPs say two of each. */
const POINTS = 2;
/** OSLSR_EL1: OSLM = 0b10 in bits 3 and 0, the OS Lock is implemented; OSLK. */
const OSLM = 1 << 3;
const OSLK = 1 << 1;
const CLAIM = 0xff;

export function debugRegs(parts: Parts, guards: Guards): SysReg[] {
  const { state } = parts;
  const { debug, debugComms, osLock } = guards;
  const zero = (name: string, encoding: Encoding, rights: Rights, guard: Guard): SysReg => wordReg(parts, name, encoding, rights, () => 0, undefined, guard);
  const word = { hi: 0 };
  const regs = [
    storedReg(parts, 'OSDTRRX_EL1', [2, 0, 0, 0, 2], RW1, word, debug),
    storedReg(parts, 'MDCCINT_EL1', [2, 0, 0, 2, 0], RW1, { lo: 0x6000_0000, hi: 0 }, debug),
    storedReg(parts, 'MDSCR_EL1', [2, 0, 0, 2, 2], RW1, { lo: Mdscr.SS | Mdscr.TDCC | Mdscr.KDE | Mdscr.MDE, hi: 0, changed: () => state.attend() }, debug),
    storedReg(parts, 'OSDTRTX_EL1', [2, 0, 0, 3, 2], RW1, word, debug),
    storedReg(parts, 'OSECCR_EL1', [2, 0, 0, 6, 2], RW1, word, debug),
    zero('MDRAR_EL1', [2, 0, 1, 0, 0], RO1, guards.debugRom),
    wordReg(parts, 'OSLAR_EL1', [2, 0, 1, 0, 4], WO1, () => 0, (lo) => {
      state.osLock = (lo & 1) !== 0;
    }, osLock),
    wordReg(parts, 'OSLSR_EL1', [2, 0, 1, 1, 4], RO1, () => OSLM | (state.osLock ? OSLK : 0), undefined, osLock),
    zero('OSDLR_EL1', [2, 0, 1, 3, 4], RW1, osLock),
    zero('DBGPRCR_EL1', [2, 0, 1, 4, 4], RW1, osLock),
    claim(parts, 'DBGCLAIMSET_EL1', 8, () => CLAIM, (tags, lo) => tags | (lo & CLAIM), debug),
    claim(parts, 'DBGCLAIMCLR_EL1', 9, (tags) => tags, (tags, lo) => tags & ~lo, debug),
    zero('DBGAUTHSTATUS_EL1', [2, 0, 7, 14, 6], RO1, debug),
    zero('MDCCSR_EL0', [2, 3, 0, 1, 0], RO0, debugComms),
    zero('DBGDTR_EL0', [2, 3, 0, 4, 0], RW0, debugComms),
    zero('DBGDTRRX_EL0', [2, 3, 0, 5, 0], RW0, debugComms),
  ];
  for (let n = 0; n < POINTS; n++) {
    for (const [op2, name] of [[4, 'DBGBVR'], [5, 'DBGBCR'], [6, 'DBGWVR'], [7, 'DBGWCR']] as const) regs.push(zero(`${name}${n}_EL1`, [2, 0, 0, n, op2], RW1, debug));
  }
  return regs;
}

/** A view of the claim tags. */
function claim(parts: Parts, name: string, crm: number, read: (tags: number) => number, write: (tags: number, lo: number) => number, guard: Guard): SysReg {
  const { state } = parts;
  return wordReg(parts, name, [2, 0, 7, crm, 6], RW1, () => read(state.claimTags), (lo) => {
    state.claimTags = write(state.claimTags, lo);
  }, guard);
}
