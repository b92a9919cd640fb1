/** Fields and values of the registers that this package programs (Arm ARM DDI 0487, D24 "AArch64 System Register Descriptions"). */

/** HCR_EL2. */
export const Hcr = {
  /** Stage 2 translation. */
  VM: 0x1n,
  /** Physical FIQ, IRQ and SError go to EL2; virtual ones are enabled; ICC_SGI*R trap. */
  FMO: 0x8n, IMO: 0x10n, AMO: 0x20n,
  /** A virtual FIQ, IRQ is pending. */
  VF: 0x40n, VI: 0x80n,
  /** WFI and WFE trap where they would wait. */
  TWI: 0x2000n, TWE: 0x4000n,
  /** ID registers (group 3) trap. */
  TID3: 0x4_0000n,
  /** SMC traps. */
  TSC: 0x8_0000n,
  /** Implementation-defined registers, ACTLR_EL1, cache maintenance by set and way trap. */
  TIDCP: 0x10_0000n, TACR: 0x20_0000n, TSW: 0x40_0000n,
  /** EL1 is AArch64. */
  RW: 0x8000_0000n,
} as const;

/** HCR_EL2 of a guest, without its interrupt pins. */
export const HCR_GUEST: bigint =
  Hcr.VM | Hcr.FMO | Hcr.IMO | Hcr.AMO | Hcr.TWI | Hcr.TWE | Hcr.TID3 | Hcr.TSC | Hcr.TIDCP | Hcr.TACR | Hcr.TSW | Hcr.RW;

/** CPTR_EL2: its RES1 bits, SVE among them, and TTA; TFP and TCPAC are 0, so that floating point belongs to the guest. */
export const CPTR_GUEST = 0x10_33ffn;

/** CNTHCTL_EL2: EL1PCTEN and EL1PCEN, the physical counter and timer belong to the guest. */
export const CNTHCTL_GUEST = 3n;

/** MDCR_EL2: debug registers, OS lock and debug ROM trap (TDA, TDOSA, TDRA); TPM and TPMCR where there are no counters to give. */
export const Mdcr = { TPMCR: 0x20n, TPM: 0x40n, TDA: 0x200n, TDOSA: 0x400n, TDRA: 0x800n } as const;

/** VTCR_EL2: 4 KiB granule, inner shareable, write-back write-allocate walks, RES1. */
export const Vtcr = {
  BASE: 0x8000_3500n,
  SL0_SHIFT: 6n, PS_SHIFT: 16n,
  /** 16-bit VMIDs; hardware updates of the access flag and of the dirty state. */
  VS: 0x8_0000n, HA: 0x20_0000n, HD: 0x40_0000n,
} as const;

export const VTTBR_VMID_SHIFT = 48n;

/** SPSR and PSTATE. */
export const Spsr = {
  /** M[3:0]: EL0t, EL1t, EL1h. */
  EL0t: 0n, EL1t: 4n, EL1h: 5n, M: 0xfn, M_AARCH32: 0x10n,
  /** D, A, I and F masked. */
  DAIF: 0x3c0n,
  SSBS: 0x1000n, IL: 0x10_0000n, SS: 0x20_0000n, PAN: 0x40_0000n, UAO: 0x80_0000n, DIT: 0x100_0000n,
  NZCV: 0xf000_0000n,
} as const;

/** Where a CPU starts: EL1h with all exceptions masked. */
export const SPSR_RESET = 0x3c5n;
/** SCTLR_EL1 at reset: MMU and caches off, little-endian. */
export const SCTLR_RESET = 0x30c5_0830n;

/** SCTLR_EL1. */
export const Sctlr = { SPAN: 0x80_0000n, E0E: 0x100_0000n, EE: 0x200_0000n, DSSBS: 0x1000_0000_0000n } as const;

/** MPIDR_EL1: RES1 bit 31. */
export const MPIDR_RES1 = 0x8000_0000n;
/** Affinity fields: Aff3 in bits 39:32, Aff2 … Aff0 in 23:0. */
export const AFFINITY = 0xff_00ff_ffffn;

/** Fields of ESR_EL2 and of the syndrome of aborts (D24.2.40). */
export const Esr = {
  EC_SHIFT: 26n, IL: 0x200_0000n, ISS: 0x1ff_ffffn,
  ISV: 0x100_0000n, SAS_SHIFT: 22n, SSE: 0x20_0000n, SRT_SHIFT: 16n, SF: 0x8000n, FNV: 0x400n, CM: 0x100n, S1PTW: 0x80n, WNR: 0x40n,
  FSC: 0x3fn, FSC_TYPE: 0x3cn,
} as const;

/** Fault status codes (DFSC, IFSC) without their level. */
export const Fsc = { translation: 0x04n, accessFlag: 0x08n, permission: 0x0cn, syncExternal: 0x10n } as const;

/** CNTx_CTL: ENABLE, IMASK, ISTATUS. */
export const TimerCtl = { ENABLE: 1n, IMASK: 2n, ISTATUS: 4n } as const;

/** ICH_LR<n>_EL2. */
export const Lr = {
  PENDING: 0x4000_0000_0000_0000n, ACTIVE: 0x8000_0000_0000_0000n, STATE_SHIFT: 62n, GROUP1: 0x1000_0000_0000_0000n, PRIORITY_SHIFT: 48n,
  /** Ending the interrupt raises a maintenance interrupt (HW = 0). */
  EOI: 0x200_0000_0000n, VINTID: 0xffff_ffffn,
} as const;

/** ICH_HCR_EL2. */
export const IchHcr = {
  EN: 0x1n,
  /** A maintenance interrupt when at most one list register is in use. */
  UIE: 0x2n,
  /** All accesses to the CPU interface trap. */
  TC: 0x400n, TALL0: 0x800n, TALL1: 0x1000n, TDIR: 0x4000n,
  EOI_COUNT_SHIFT: 27n, EOI_COUNT: 0xf800_0000n,
} as const;

/** ICH_VMCR_EL2. */
export const IchVmcr = { VENG0: 0x1n, VENG1: 0x2n, VPMR_SHIFT: 24n } as const;

/** ICC_SRE_EL2: SRE, DFB, DIB, Enable. */
export const ICC_SRE_ALL = 0xfn;

export const ALL_ONES = 0xffff_ffff_ffff_ffffn;
