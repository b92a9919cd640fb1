/** Fields of the CSRs that this package programs (privileged specification 1.13, chapters 12 and 21). */

/** sstatus and vsstatus. */
export const Sstatus = {
  SIE: 0x2n,
  SPIE: 0x20n,
  /** Previous privilege: 1 = S (VS), 0 = U (VU). */
  SPP: 0x100n,
  /** State of the floating-point unit: Off 0, Initial 1, Clean 2, Dirty 3. */
  FS: 0x6000n,
  /** 64-bit user mode in field UXL. */
  UXL_64: 0x2_0000_0000n,
} as const;

/** hstatus. */
export const Hstatus = {
  /** The trap came from, and SRET goes to, V=1. */
  SPV: 0x80n,
  /** Privilege of the guest, for HLV and HSV: 1 = VS, 0 = VU. */
  SPVP: 0x100n,
  /** WFI in VS-mode raises a virtual-instruction exception. */
  VTW: 0x20_0000n,
  /** 64-bit VS-mode in field VSXL. */
  VSXL_64: 0x2_0000_0000n,
} as const;

/** henvcfg: what the guest may use. */
export const Henvcfg = {
  /** CBO.INVAL flushes instead of dropping dirty blocks, which could be the host's. */
  CBIE_FLUSH: 0x10n,
  CBCFE: 0x40n,
  CBZE: 0x80n,
  /** VS-stage translation updates A and D. */
  ADUE: 0x2000_0000_0000_0000n,
  PBMTE: 0x4000_0000_0000_0000n,
  /** vstimecmp is the guest's timer. */
  STCE: 0x8000_0000_0000_0000n,
} as const;

/** hgatp (RV64): MODE in bits 63:60, VMID in 57:44, PPN in 43:0. */
export const Hgatp = { MODE_SHIFT: 60n, VMID_SHIFT: 44n, VMID_MASK: 0x3fffn, SV39X4: 8n, SV48X4: 9n } as const;

/** satp and vsatp: MODE in bits 63:60. */
export const Satp = { MODE_SHIFT: 60n, SV39: 8n, SV48: 9n, SV57: 10n } as const;

/** VS-level interrupts as bits of hvip, hip and hideleg. */
export const VsInterrupt = { SSI: 0x4n, TI: 0x40n, EI: 0x400n, ALL: 0x444n } as const;

/** HS-level interrupts as bits of sie and sip; VS-level ones look the same in vsie and vsip. */
export const SInterrupt = { SSI: 0x2n, TI: 0x20n, EI: 0x200n, ALL: 0x222n } as const;

/** Pseudoinstructions of htinst: an implicit access for VS-stage translation (section "Transformed Instruction or Pseudoinstruction"). */
export const Pseudo = { readPte: 0x3000n, writePte: 0x3020n } as const;

export const ALL_ONES = 0xffff_ffff_ffff_ffffn;
