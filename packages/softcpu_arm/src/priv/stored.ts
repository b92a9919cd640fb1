/** The system registers that are stored as such: where they lie, and what they are at reset (Arm ARM, chapter D17). */

import { Hcr } from './fields.ts';

export const stored = [
  'SCTLR_EL1', 'ACTLR_EL1', 'CPACR_EL1', 'TTBR0_EL1', 'TTBR1_EL1', 'TCR_EL1', 'AFSR0_EL1', 'AFSR1_EL1',
  'PAR_EL1', 'MAIR_EL1', 'AMAIR_EL1', 'VBAR_EL1', 'CONTEXTIDR_EL1', 'CNTKCTL_EL1', 'CSSELR_EL1', 'MDSCR_EL1',
  'SCTLR_EL2', 'ACTLR_EL2', 'HCR_EL2', 'MDCR_EL2', 'CPTR_EL2', 'HSTR_EL2', 'HACR_EL2', 'TTBR0_EL2', 'TCR_EL2', 'VTTBR_EL2', 'VTCR_EL2',
  'AFSR0_EL2', 'AFSR1_EL2', 'HPFAR_EL2', 'MAIR_EL2', 'AMAIR_EL2', 'VBAR_EL2', 'VPIDR_EL2', 'VMPIDR_EL2',
  'TPIDR_EL2', 'CNTHCTL_EL2', 'CNTVOFF_EL2', 'CNTFRQ_EL0', 'OSDTRRX_EL1', 'OSDTRTX_EL1', 'MDCCINT_EL1', 'OSECCR_EL1', 'CNTP_CVAL_EL0', 'CNTV_CVAL_EL0', 'CNTHP_CVAL_EL2',
] as const;

/** A system register that is stored as such. */
export type StoredReg = (typeof stored)[number];

/** Index of the low word of each stored register in `State.sys`; the high word follows. */
export const slot: Readonly<Record<StoredReg, number>> = Object.fromEntries(stored.map((name, i) => [name, 2 * i])) as Record<StoredReg, number>;

/** Reset values, which are also the values of the RES1 bits; the rest is 0. */
export const resetValues: Readonly<Partial<Record<StoredReg, number>>> = {
  SCTLR_EL1: 0x30d0_0980, SCTLR_EL2: 0x30c5_0830, CPTR_EL2: 0x33ff, HCR_EL2: Hcr.RW, TCR_EL2: 0x8080_0000 | 0, VTCR_EL2: 0x8000_0000 | 0,
  PAR_EL1: 0x800,
};
