/** Bit fields of system registers and PSTATE, exception classes and fault status codes (Arm ARM, chapters D1, D17 and D19). */

/** SCTLR_EL1 and SCTLR_EL2, low word. */
export const Sctlr = {
  M: 0x1, A: 0x2, C: 0x4, SA: 0x8, SA0: 0x10, UMA: 0x200, I: 0x1000, DZE: 0x4000, UCT: 0x8000, nTWI: 0x1_0000,
  nTWE: 0x4_0000, WXN: 0x8_0000, SPAN: 0x80_0000, UCI: 0x400_0000,
} as const;

/** HCR_EL2, low word. */
export const Hcr = {
  VM: 0x1, SWIO: 0x2, PTW: 0x4, FMO: 0x8, IMO: 0x10, AMO: 0x20, VF: 0x40, VI: 0x80, VSE: 0x100, FB: 0x200, BSU: 0xc00,
  DC: 0x1000, TWI: 0x2000, TWE: 0x4000, TID0: 0x8000, TID1: 0x1_0000, TID2: 0x2_0000, TID3: 0x4_0000, TSC: 0x8_0000, TIDCP: 0x10_0000,
  TACR: 0x20_0000, TSW: 0x40_0000, TPCP: 0x80_0000, TPU: 0x100_0000, TTLB: 0x200_0000, TVM: 0x400_0000, TGE: 0x800_0000, TDZ: 0x1000_0000, HCD: 0x2000_0000,
  TRVM: 0x4000_0000, RW: -0x8000_0000,
} as const;

/** CPTR_EL2. */
export const Cptr = { TFP: 0x400, TTA: 0x10_0000, TCPAC: -0x8000_0000 } as const;

/** MDCR_EL2. */
export const Mdcr = { HPMN: 0x1f, TPMCR: 0x20, TPM: 0x40, HPME: 0x80, TDE: 0x100, TDA: 0x200, TDOSA: 0x400, TDRA: 0x800 } as const;

/** MDSCR_EL1. */
export const Mdscr = { SS: 0x1, TDCC: 0x1000, KDE: 0x2000, MDE: 0x8000 } as const;

/** CNTHCTL_EL2 and CNTKCTL_EL1. */
export const Cnthctl = { EL1PCTEN: 0x1, EL1PCEN: 0x2 } as const;
export const Cntkctl = { EL0PCTEN: 0x1, EL0VCTEN: 0x2, EL0VTEN: 0x100, EL0PTEN: 0x200 } as const;

/** CNTx_CTL. */
export const TimerCtl = { ENABLE: 0x1, IMASK: 0x2, ISTATUS: 0x4 } as const;

/** VTCR_EL2. */
export const Vtcr = { VS: 0x8_0000, HA: 0x20_0000, HD: 0x40_0000 } as const;

/** SPSR_ELx: PSTATE as it is saved. */
export const Spsr = {
  M: 0xf, nRW: 0x10, F: 0x40, I: 0x80, A: 0x100, D: 0x200, DAIF: 0x3c0, IL: 0x10_0000, SS: 0x20_0000, PAN: 0x40_0000, UAO: 0x80_0000,
  V: 0x1000_0000, C: 0x2000_0000, Z: 0x4000_0000, N: -0x8000_0000,
} as const;

/** Bits of SPSR_ELx that exist. */
export const SPSR_WRITABLE: number = Spsr.M | Spsr.nRW | Spsr.DAIF | Spsr.IL | Spsr.SS | Spsr.PAN | Spsr.UAO | Spsr.V | Spsr.C | Spsr.Z | Spsr.N;

/** ESR_ELx.EC; those of aborts and debug exceptions are the ones from a lower Exception level, one more is the same level. */
export const Ec = {
  unknown: 0x00, wfx: 0x01, fp: 0x07, illegalState: 0x0e, svc: 0x15, hvc: 0x16, smc: 0x17, sysreg: 0x18,
  instructionAbort: 0x20, pcAlignment: 0x22, dataAbort: 0x24, spAlignment: 0x26, serror: 0x2f, softwareStep: 0x32, brk: 0x3c,
} as const;
export type Ec = (typeof Ec)[keyof typeof Ec];

/** ESR_ELx.IL: the trapped instruction has 32 bits; every A64 instruction has. */
export const ESR_IL = 0x200_0000;

/** ISS of instruction and data aborts. */
export const AbortIss = { WnR: 0x40, S1PTW: 0x80, CM: 0x100, EA: 0x200, FnV: 0x400, ISV: 0x100_0000 } as const;

/** Fault status codes; to the first four and externalOnWalk the level is added. */
export const Fsc = {
  addressSize: 0x00, translation: 0x04, accessFlag: 0x08, permission: 0x0c, external: 0x10, externalOnWalk: 0x14, alignment: 0x21,
} as const;

/** Condition field of traps that AArch64 state causes: CV = 1, COND = always. */
export const ISS_COND_ALWAYS = 0x01e0_0000;
