/**
 * System registers and exception classes of AArch64 by number (Arm ARM DDI 0487, C5 "The A64 System Instruction Class" and D24 "AArch64
 * System Register Descriptions"): those that a hypervisor programs, switches or emulates.
 */

/** A system register by its encoding in MRS and MSR: op0 in bits 15:14, op1 in 13:11, CRn in 10:7, CRm in 6:3, op2 in 2:0. */
export type SysReg = number;

export const sysRegEncoding = (op0: number, op1: number, crn: number, crm: number, op2: number): SysReg =>
  (op0 << 14) | (op1 << 11) | (crn << 7) | (crm << 3) | op2;

/** The fields of an encoding. */
export function sysRegFields(register: SysReg): { readonly op0: number; readonly op1: number; readonly crn: number; readonly crm: number; readonly op2: number } {
  return { op0: register >>> 14, op1: (register >>> 11) & 7, crn: (register >>> 7) & 15, crm: (register >>> 3) & 15, op2: register & 7 };
}

/** op0, op1, CRn, CRm and op2 by name. */
const FIELDS = {
  // Identification.
  MIDR_EL1: [3, 0, 0, 0, 0], MPIDR_EL1: [3, 0, 0, 0, 5], REVIDR_EL1: [3, 0, 0, 0, 6],
  ID_AA64PFR0_EL1: [3, 0, 0, 4, 0], ID_AA64PFR1_EL1: [3, 0, 0, 4, 1], ID_AA64ZFR0_EL1: [3, 0, 0, 4, 4], ID_AA64SMFR0_EL1: [3, 0, 0, 4, 5],
  ID_AA64DFR0_EL1: [3, 0, 0, 5, 0], ID_AA64DFR1_EL1: [3, 0, 0, 5, 1], ID_AA64AFR0_EL1: [3, 0, 0, 5, 4], ID_AA64AFR1_EL1: [3, 0, 0, 5, 5],
  ID_AA64ISAR0_EL1: [3, 0, 0, 6, 0], ID_AA64ISAR1_EL1: [3, 0, 0, 6, 1], ID_AA64ISAR2_EL1: [3, 0, 0, 6, 2],
  ID_AA64MMFR0_EL1: [3, 0, 0, 7, 0], ID_AA64MMFR1_EL1: [3, 0, 0, 7, 1], ID_AA64MMFR2_EL1: [3, 0, 0, 7, 2],
  CTR_EL0: [3, 3, 0, 0, 1], DCZID_EL0: [3, 3, 0, 0, 7], CLIDR_EL1: [3, 1, 0, 0, 1], CCSIDR_EL1: [3, 1, 0, 0, 0], CSSELR_EL1: [3, 2, 0, 0, 0],
  // EL1 and EL0 control.
  SCTLR_EL1: [3, 0, 1, 0, 0], ACTLR_EL1: [3, 0, 1, 0, 1], CPACR_EL1: [3, 0, 1, 0, 2],
  TTBR0_EL1: [3, 0, 2, 0, 0], TTBR1_EL1: [3, 0, 2, 0, 1], TCR_EL1: [3, 0, 2, 0, 2],
  SPSR_EL1: [3, 0, 4, 0, 0], ELR_EL1: [3, 0, 4, 0, 1], SP_EL0: [3, 0, 4, 1, 0],
  AFSR0_EL1: [3, 0, 5, 1, 0], AFSR1_EL1: [3, 0, 5, 1, 1], ESR_EL1: [3, 0, 5, 2, 0], FAR_EL1: [3, 0, 6, 0, 0], PAR_EL1: [3, 0, 7, 4, 0],
  MAIR_EL1: [3, 0, 10, 2, 0], AMAIR_EL1: [3, 0, 10, 3, 0], VBAR_EL1: [3, 0, 12, 0, 0], ISR_EL1: [3, 0, 12, 1, 0],
  CONTEXTIDR_EL1: [3, 0, 13, 0, 1], TPIDR_EL1: [3, 0, 13, 0, 4], CNTKCTL_EL1: [3, 0, 14, 1, 0],
  FPCR: [3, 3, 4, 4, 0], FPSR: [3, 3, 4, 4, 1], TPIDR_EL0: [3, 3, 13, 0, 2], TPIDRRO_EL0: [3, 3, 13, 0, 3],
  // Generic timers.
  CNTFRQ_EL0: [3, 3, 14, 0, 0], CNTPCT_EL0: [3, 3, 14, 0, 1], CNTVCT_EL0: [3, 3, 14, 0, 2],
  CNTP_TVAL_EL0: [3, 3, 14, 2, 0], CNTP_CTL_EL0: [3, 3, 14, 2, 1], CNTP_CVAL_EL0: [3, 3, 14, 2, 2],
  CNTV_TVAL_EL0: [3, 3, 14, 3, 0], CNTV_CTL_EL0: [3, 3, 14, 3, 1], CNTV_CVAL_EL0: [3, 3, 14, 3, 2],
  // Performance monitors.
  PMCR_EL0: [3, 3, 9, 12, 0], PMCNTENSET_EL0: [3, 3, 9, 12, 1], PMCNTENCLR_EL0: [3, 3, 9, 12, 2], PMOVSCLR_EL0: [3, 3, 9, 12, 3],
  PMSELR_EL0: [3, 3, 9, 12, 5], PMCCNTR_EL0: [3, 3, 9, 13, 0], PMUSERENR_EL0: [3, 3, 9, 14, 0], PMOVSSET_EL0: [3, 3, 9, 14, 3],
  PMINTENSET_EL1: [3, 0, 9, 14, 1], PMINTENCLR_EL1: [3, 0, 9, 14, 2], PMCCFILTR_EL0: [3, 3, 14, 15, 7],
  // Debug.
  OSDTRRX_EL1: [2, 0, 0, 0, 2], MDCCINT_EL1: [2, 0, 0, 2, 0], MDSCR_EL1: [2, 0, 0, 2, 2], MDRAR_EL1: [2, 0, 1, 0, 0],
  OSLAR_EL1: [2, 0, 1, 0, 4], OSLSR_EL1: [2, 0, 1, 1, 4], OSDLR_EL1: [2, 0, 1, 3, 4],
  // GIC CPU interface as guests see it.
  ICC_PMR_EL1: [3, 0, 4, 6, 0], ICC_IAR0_EL1: [3, 0, 12, 8, 0], ICC_EOIR0_EL1: [3, 0, 12, 8, 1], ICC_HPPIR0_EL1: [3, 0, 12, 8, 2],
  ICC_BPR0_EL1: [3, 0, 12, 8, 3], ICC_AP0R0_EL1: [3, 0, 12, 8, 4], ICC_AP1R0_EL1: [3, 0, 12, 9, 0], ICC_DIR_EL1: [3, 0, 12, 11, 1],
  ICC_RPR_EL1: [3, 0, 12, 11, 3], ICC_SGI1R_EL1: [3, 0, 12, 11, 5], ICC_ASGI1R_EL1: [3, 0, 12, 11, 6], ICC_SGI0R_EL1: [3, 0, 12, 11, 7],
  ICC_IAR1_EL1: [3, 0, 12, 12, 0], ICC_EOIR1_EL1: [3, 0, 12, 12, 1], ICC_HPPIR1_EL1: [3, 0, 12, 12, 2], ICC_BPR1_EL1: [3, 0, 12, 12, 3],
  ICC_CTLR_EL1: [3, 0, 12, 12, 4], ICC_SRE_EL1: [3, 0, 12, 12, 5], ICC_IGRPEN0_EL1: [3, 0, 12, 12, 6], ICC_IGRPEN1_EL1: [3, 0, 12, 12, 7],
  // EL2.
  VPIDR_EL2: [3, 4, 0, 0, 0], VMPIDR_EL2: [3, 4, 0, 0, 5], HCR_EL2: [3, 4, 1, 1, 0], MDCR_EL2: [3, 4, 1, 1, 1], CPTR_EL2: [3, 4, 1, 1, 2],
  HSTR_EL2: [3, 4, 1, 1, 3], VTTBR_EL2: [3, 4, 2, 1, 0], VTCR_EL2: [3, 4, 2, 1, 2], SPSR_EL2: [3, 4, 4, 0, 0], ELR_EL2: [3, 4, 4, 0, 1],
  SP_EL1: [3, 4, 4, 1, 0], ESR_EL2: [3, 4, 5, 2, 0], VSESR_EL2: [3, 4, 5, 2, 3], FAR_EL2: [3, 4, 6, 0, 0], HPFAR_EL2: [3, 4, 6, 0, 4],
  VBAR_EL2: [3, 4, 12, 0, 0], TPIDR_EL2: [3, 4, 13, 0, 2], CNTVOFF_EL2: [3, 4, 14, 0, 3], CNTHCTL_EL2: [3, 4, 14, 1, 0],
  CNTHP_TVAL_EL2: [3, 4, 14, 2, 0], CNTHP_CTL_EL2: [3, 4, 14, 2, 1], CNTHP_CVAL_EL2: [3, 4, 14, 2, 2],
  // GIC virtual CPU interface control.
  ICH_AP0R_EL2: [3, 4, 12, 8, 0], ICH_AP1R_EL2: [3, 4, 12, 9, 0], ICC_SRE_EL2: [3, 4, 12, 9, 5], ICH_HCR_EL2: [3, 4, 12, 11, 0],
  ICH_VTR_EL2: [3, 4, 12, 11, 1], ICH_MISR_EL2: [3, 4, 12, 11, 2], ICH_EISR_EL2: [3, 4, 12, 11, 3], ICH_ELRSR_EL2: [3, 4, 12, 11, 5],
  ICH_VMCR_EL2: [3, 4, 12, 11, 7], ICH_LR_EL2: [3, 4, 12, 12, 0],
} as const;

export type SysRegName = keyof typeof FIELDS;

/** Encodings by name. ICH_AP0R, ICH_AP1R and ICH_LR are the first of a group: add n for ICH_AP0R<n> and so on (ICH_LR has 16). */
export const SYSREG: Readonly<Record<SysRegName, SysReg>> = Object.fromEntries(
  Object.entries(FIELDS).map(([name, [op0, op1, crn, crm, op2]]) => [name, sysRegEncoding(op0, op1, crn, crm, op2)]),
) as Record<SysRegName, SysReg>;

/** Exception classes: ESR_ELx.EC, bits 31:26 (Arm ARM, D24.2.40 "ESR_EL2"). */
export const ExceptionClass = {
  unknown: 0x00, wfx: 0x01, fpAccess: 0x07, illegalState: 0x0e, svc64: 0x15, hvc64: 0x16, smc64: 0x17, sysReg: 0x18, sve: 0x19,
  instAbortLower: 0x20, instAbortSame: 0x21, pcAlignment: 0x22, dataAbortLower: 0x24, dataAbortSame: 0x25, spAlignment: 0x26,
  fpException: 0x2c, serror: 0x2f, breakpointLower: 0x30, breakpointSame: 0x31, stepLower: 0x32, stepSame: 0x33,
  watchpointLower: 0x34, watchpointSame: 0x35, brk64: 0x3c,
} as const;
