/** Bit fields of system registers and PSTATE, exception classes and fault status codes (Arm ARM, chapters D1, D17 and D19). */

/** A bit in the low word of a register. */
const bit = (n: number): number => 1 << n;

/** SCTLR_EL1 and SCTLR_EL2, low word. */
export const Sctlr = {
  M: bit(0), A: bit(1), C: bit(2), SA: bit(3), SA0: bit(4), UMA: bit(9), I: bit(12), DZE: bit(14), UCT: bit(15), nTWI: bit(16),
  nTWE: bit(18), WXN: bit(19), SPAN: bit(23), UCI: bit(26),
} as const;

/** HCR_EL2, low word. */
export const Hcr = {
  VM: bit(0), SWIO: bit(1), PTW: bit(2), FMO: bit(3), IMO: bit(4), AMO: bit(5), VF: bit(6), VI: bit(7), VSE: bit(8), FB: bit(9), BSU: 3 << 10,
  DC: bit(12), TWI: bit(13), TWE: bit(14), TID0: bit(15), TID1: bit(16), TID2: bit(17), TID3: bit(18), TSC: bit(19), TIDCP: bit(20),
  TACR: bit(21), TSW: bit(22), TPCP: bit(23), TPU: bit(24), TTLB: bit(25), TVM: bit(26), TGE: bit(27), TDZ: bit(28), HCD: bit(29),
  TRVM: bit(30), RW: bit(31),
} as const;

/** CPTR_EL2. */
export const Cptr = { TFP: bit(10), TTA: bit(20), TCPAC: bit(31) } as const;

/** MDCR_EL2. */
export const Mdcr = { HPMN: 0x1f, TPMCR: bit(5), TPM: bit(6), HPME: bit(7), TDE: bit(8), TDA: bit(9), TDOSA: bit(10), TDRA: bit(11) } as const;

/** MDSCR_EL1. */
export const Mdscr = { SS: bit(0), TDCC: bit(12), KDE: bit(13), MDE: bit(15) } as const;

/** CNTHCTL_EL2 and CNTKCTL_EL1. */
export const Cnthctl = { EL1PCTEN: bit(0), EL1PCEN: bit(1) } as const;
export const Cntkctl = { EL0PCTEN: bit(0), EL0VCTEN: bit(1), EL0VTEN: bit(8), EL0PTEN: bit(9) } as const;

/** CNTx_CTL. */
export const TimerCtl = { ENABLE: bit(0), IMASK: bit(1), ISTATUS: bit(2) } as const;

/** VTCR_EL2. */
export const Vtcr = { VS: bit(19), HA: bit(21), HD: bit(22) } as const;

/** SPSR_ELx: PSTATE as it is saved. */
export const Spsr = {
  M: 0xf, nRW: bit(4), F: bit(6), I: bit(7), A: bit(8), D: bit(9), DAIF: 0x3c0, IL: bit(20), SS: bit(21), PAN: bit(22), UAO: bit(23),
  V: bit(28), C: bit(29), Z: bit(30), N: bit(31),
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
export const ESR_IL: number = bit(25);

/** ISS of instruction and data aborts. */
export const AbortIss = { WnR: bit(6), S1PTW: bit(7), CM: bit(8), EA: bit(9), FnV: bit(10), ISV: bit(24) } as const;

/** Fault status codes; to the first four and externalOnWalk the level is added. */
export const Fsc = {
  addressSize: 0x00, translation: 0x04, accessFlag: 0x08, permission: 0x0c, external: 0x10, externalOnWalk: 0x14, alignment: 0x21,
} as const;

/** Condition field of traps that AArch64 state causes: CV = 1, COND = always. */
export const ISS_COND_ALWAYS = 0x01e0_0000;
