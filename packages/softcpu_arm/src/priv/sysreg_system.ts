/** System control, memory, exception and thread registers of EL0, EL1 and EL2 (Arm ARM, chapter D19). */

import { ELR_EL1, ELR_EL2, ESR_EL1, ESR_EL2, FAR_EL1, FAR_EL2, FPCR, FPSR, SPSR_EL1, SPSR_EL2, TPIDR_EL0, TPIDR_EL1, TPIDRRO_EL0 } from '../state.ts';
import { Cptr, Hcr, Sctlr, Spsr, SPSR_WRITABLE } from './fields.ts';
import type { Guards } from './guards.ts';
import { slot } from './stored.ts';
import { RO1, RO2, RW0, RW1, RW2, R0W1, sharedReg, storedReg, Verdict, wordReg, type Encoding, type Guard, type Parts, type Rights, type SysReg } from './sysreg.ts';

/** FPCR: AHP, DN, FZ, RMode, FZ16. FPSR: QC, IDC, IXC, UFC, OFC, DZC, IOC. */
export const FPCR_WRITABLE = 0x07c8_0000;
export const FPSR_WRITABLE = 0x0800_009f;

const SCTLR_EL1_WRITABLE =
  Sctlr.M | Sctlr.A | Sctlr.C | Sctlr.SA | Sctlr.SA0 | Sctlr.UMA | Sctlr.I | Sctlr.DZE | Sctlr.UCT | Sctlr.nTWI | Sctlr.nTWE | Sctlr.WXN | Sctlr.SPAN | Sctlr.UCI;
const SCTLR_EL2_WRITABLE = Sctlr.M | Sctlr.A | Sctlr.C | Sctlr.SA | Sctlr.I | Sctlr.WXN;
const SCTLR_EL1_ONES = 0x3050_0980;
const SCTLR_EL2_ONES = 0x30c5_0830;

/** What of SCTLR_ELx and HCR_EL2 translations depend on. */
const SCTLR_TRANSLATION = Sctlr.M | Sctlr.A | Sctlr.WXN;
const HCR_TRANSLATION = Hcr.VM | Hcr.PTW | Hcr.DC | Hcr.TGE;
/** HCR_EL2, high word: CD, ID, MIOCNCE. */
const HCR_HI = 0x43;
const FPEN = 3 << 20;

export function systemRegs(parts: Parts, guards: Guards): SysReg[] {
  const { state, interrupts } = parts;
  const { virtualMemory: vm } = guards;
  const mode = (): void => state.modeChanged();
  const controls = (): void => state.controlsChanged();
  const controlsAndMode = (): void => {
    state.controlsChanged();
    state.modeChanged();
  };
  const stage2 = (): void => {
    state.walksChanged();
    state.flushStage2();
  };
  const sctlr = (lo: number): void => {
    if ((lo & SCTLR_TRANSLATION) !== 0) state.controlsChanged();
    state.modeChanged();
  };
  const zero = (name: string, encoding: Encoding, rights: Rights, guard?: Guard): SysReg => wordReg(parts, name, encoding, rights, () => 0, undefined, guard);
  const psr = { lo: SPSR_WRITABLE, hi: 0 };
  const word = { hi: 0 };
  const ttbr = { lo: ~1, changed: () => state.addressSpaceChanged() };

  return [
    storedReg(parts, 'SCTLR_EL1', [3, 0, 1, 0, 0], RW1, { lo: SCTLR_EL1_WRITABLE, hi: 0, ones: SCTLR_EL1_ONES, changed: sctlr }, vm),
    zero('ACTLR_EL1', [3, 0, 1, 0, 1], RW1, guards.tacr),
    storedReg(parts, 'CPACR_EL1', [3, 0, 1, 0, 2], RW1, { lo: FPEN, hi: 0, changed: mode }, guards.cpacr),
    storedReg(parts, 'TTBR0_EL1', [3, 0, 2, 0, 0], RW1, ttbr, vm),
    storedReg(parts, 'TTBR1_EL1', [3, 0, 2, 0, 1], RW1, ttbr, vm),
    storedReg(parts, 'TCR_EL1', [3, 0, 2, 0, 2], RW1, { lo: ~(1 << 6), hi: 0x1f7, changed: controlsAndMode }, vm),
    sharedReg(parts, 'SPSR_EL1', [3, 0, 4, 0, 0], RW1, () => state.at(SPSR_EL1), undefined, psr),
    sharedReg(parts, 'ELR_EL1', [3, 0, 4, 0, 1], RW1, () => state.at(ELR_EL1)),
    zero('AFSR0_EL1', [3, 0, 5, 1, 0], RW1, vm),
    zero('AFSR1_EL1', [3, 0, 5, 1, 1], RW1, vm),
    sharedReg(parts, 'ESR_EL1', [3, 0, 5, 2, 0], RW1, () => state.at(ESR_EL1), vm, word),
    sharedReg(parts, 'FAR_EL1', [3, 0, 6, 0, 0], RW1, () => state.at(FAR_EL1), vm),
    storedReg(parts, 'PAR_EL1', [3, 0, 7, 4, 0], RW1),
    storedReg(parts, 'MAIR_EL1', [3, 0, 10, 2, 0], RW1, { changed: controls }, vm),
    zero('AMAIR_EL1', [3, 0, 10, 3, 0], RW1, vm),
    storedReg(parts, 'VBAR_EL1', [3, 0, 12, 0, 0], RW1, { lo: ~0x7ff }),
    wordReg(parts, 'ISR_EL1', [3, 0, 12, 1, 0], RO1, () => interrupts.isr),
    storedReg(parts, 'CONTEXTIDR_EL1', [3, 0, 13, 0, 1], RW1, word, vm),
    sharedReg(parts, 'TPIDR_EL1', [3, 0, 13, 0, 4], RW1, () => state.at(TPIDR_EL1)),
    sharedReg(parts, 'TPIDR_EL0', [3, 3, 13, 0, 2], RW0, () => state.at(TPIDR_EL0)),
    sharedReg(parts, 'TPIDRRO_EL0', [3, 3, 13, 0, 3], R0W1, () => state.at(TPIDRRO_EL0)),

    // SP_EL0 is UNDEFINED where it is SP itself.
    sharedReg(parts, 'SP_EL0', [3, 0, 4, 1, 0], RW1, () => state.spAt(0), () => (state.spSel === 0 ? Verdict.undefined : Verdict.allowed)),
    sharedReg(parts, 'SP_EL1', [3, 4, 4, 1, 0], RW2, () => state.spAt(1)),
    wordReg(parts, 'SPSel', [3, 0, 4, 2, 0], RW1, () => state.spSel, (lo) => {
      state.setMode(state.el, lo & 1);
      mode();
    }),
    wordReg(parts, 'CurrentEL', [3, 0, 4, 2, 2], RO1, () => state.el << 2),
    wordReg(parts, 'PAN', [3, 0, 4, 2, 3], RW1, () => state.pan << 22, (lo) => {
      state.pan = (lo >>> 22) & 1;
      mode();
    }),
    wordReg(parts, 'UAO', [3, 0, 4, 2, 4], RW1, () => state.uao << 23, (lo) => {
      state.uao = (lo >>> 23) & 1;
      mode();
    }),
    wordReg(parts, 'NZCV', [3, 3, 4, 2, 0], RW0, () => state.pstate & (Spsr.N | Spsr.Z | Spsr.C | Spsr.V), (lo) => {
      state.nzcv = lo;
    }),
    wordReg(parts, 'DAIF', [3, 3, 4, 2, 1], RW0, () => state.daif, (lo) => {
      state.daif = lo;
    }, guards.daif),
    wordReg(parts, 'FPCR', [3, 3, 4, 4, 0], RW0, () => state.words[state.at(FPCR)]!, (lo) => {
      state.words[state.at(FPCR)] = lo & FPCR_WRITABLE;
    }, guards.fp),
    wordReg(parts, 'FPSR', [3, 3, 4, 4, 1], RW0, () => state.words[state.at(FPSR)]!, (lo) => {
      state.words[state.at(FPSR)] = lo & FPSR_WRITABLE;
    }, guards.fp),

    storedReg(parts, 'VPIDR_EL2', [3, 4, 0, 0, 0], RW2, word),
    storedReg(parts, 'VMPIDR_EL2', [3, 4, 0, 0, 5], RW2, { lo: 0x41ff_ffff, hi: 0xff, ones: 1 << 31 }),
    storedReg(parts, 'SCTLR_EL2', [3, 4, 1, 0, 0], RW2, { lo: SCTLR_EL2_WRITABLE, hi: 0, ones: SCTLR_EL2_ONES, changed: sctlr }),
    zero('ACTLR_EL2', [3, 4, 1, 0, 1], RW2),
    // EL1 and EL0 have no AArch32 state: RW is one.
    storedReg(parts, 'HCR_EL2', [3, 4, 1, 1, 0], RW2, {
      hi: HCR_HI,
      ones: Hcr.RW,
      changed: (lo) => {
        if ((lo & HCR_TRANSLATION) !== 0) stage2();
        mode();
      },
    }),
    storedReg(parts, 'MDCR_EL2', [3, 4, 1, 1, 1], RW2, { lo: 0xfff, hi: 0 }),
    storedReg(parts, 'CPTR_EL2', [3, 4, 1, 1, 2], RW2, { lo: Cptr.TFP | Cptr.TCPAC, hi: 0, ones: 0x33ff, changed: mode }),
    zero('HSTR_EL2', [3, 4, 1, 1, 3], RW2),
    zero('HACR_EL2', [3, 4, 1, 1, 7], RW2),
    storedReg(parts, 'TTBR0_EL2', [3, 4, 2, 0, 0], RW2, { lo: ~1, hi: 0xffff, changed: controls }),
    storedReg(parts, 'TCR_EL2', [3, 4, 2, 0, 2], RW2, { lo: 0x0077_ff3f, hi: 0, ones: 0x8080_0000 | 0, changed: controlsAndMode }),
    storedReg(parts, 'VTTBR_EL2', [3, 4, 2, 1, 0], RW2, { lo: ~1, changed: () => state.machineChanged() }),
    storedReg(parts, 'VTCR_EL2', [3, 4, 2, 1, 2], RW2, { lo: 0x006f_ffff, hi: 0, ones: 1 << 31, changed: stage2 }),
    sharedReg(parts, 'SPSR_EL2', [3, 4, 4, 0, 0], RW2, () => state.at(SPSR_EL2), undefined, psr),
    sharedReg(parts, 'ELR_EL2', [3, 4, 4, 0, 1], RW2, () => state.at(ELR_EL2)),
    zero('AFSR0_EL2', [3, 4, 5, 1, 0], RW2),
    zero('AFSR1_EL2', [3, 4, 5, 1, 1], RW2),
    sharedReg(parts, 'ESR_EL2', [3, 4, 5, 2, 0], RW2, () => state.at(ESR_EL2), undefined, word),
    sharedReg(parts, 'FAR_EL2', [3, 4, 6, 0, 0], RW2, () => state.at(FAR_EL2)),
    storedReg(parts, 'HPFAR_EL2', [3, 4, 6, 0, 4], RW2, { lo: ~0xf, hi: 0xff }),
    storedReg(parts, 'MAIR_EL2', [3, 4, 10, 2, 0], RW2, { changed: controls }),
    zero('AMAIR_EL2', [3, 4, 10, 3, 0], RW2),
    storedReg(parts, 'VBAR_EL2', [3, 4, 12, 0, 0], RW2, { lo: ~0x7ff }),
    zero('RVBAR_EL2', [3, 4, 12, 0, 1], RO2),
    storedReg(parts, 'TPIDR_EL2', [3, 4, 13, 0, 2], RW2),
    // The highest Exception level sets what everybody reads.
    storedReg(parts, 'CNTFRQ_EL0', [3, 3, 14, 0, 0], [0, 2], word, guards.cntfrq),
  ];
}

/** Sets the registers that reset to what others say. */
export function resetVirtualIds(parts: Parts, midr: number, mpidr: bigint): void {
  const { sys } = parts.state;
  sys[slot.VPIDR_EL2] = midr;
  sys[slot.VMPIDR_EL2] = parts.split(mpidr);
  sys[slot.VMPIDR_EL2 + 1] = parts.hi;
}
