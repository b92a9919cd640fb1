/** Field positions, exception codes and interrupt numbers of the privileged architecture (privileged specification 1.13). */

/** Bits of the low word of mstatus, sstatus and vsstatus (machine chapter, "Machine Status Registers"). */
export const Mstatus = {
  SIE: 1 << 1, MIE: 1 << 3, SPIE: 1 << 5, MPIE: 1 << 7, SPP: 1 << 8,
  MPP: 3 << 11, FS: 3 << 13, MPRV: 1 << 17, SUM: 1 << 18, MXR: 1 << 19, TVM: 1 << 20, TW: 1 << 21, TSR: 1 << 22,
} as const;
/** Shift of mstatus.MPP. */
export const MPP_SHIFT = 11;

/** Bits of the high word of mstatus: UXL = SXL = 2 (64 bits) are fixed. */
export const MstatusHi = { XL: 0xa, UXL: 0x2, GVA: 1 << 6, MPV: 1 << 7, SD: 1 << 31 } as const;

/** Writable bits of sstatus and vsstatus; everything else reads as 0 except UXL and SD. */
export const SSTATUS_WRITABLE: number =
  Mstatus.SIE | Mstatus.SPIE | Mstatus.SPP | Mstatus.FS | Mstatus.SUM | Mstatus.MXR;

/** Writable bits of the low word of mstatus, but for MPP, which is WARL. */
export const MSTATUS_WRITABLE: number =
  SSTATUS_WRITABLE | Mstatus.MIE | Mstatus.MPIE | Mstatus.MPRV | Mstatus.TVM | Mstatus.TW | Mstatus.TSR;

/** Bits of the low word of hstatus; VSXL (high word) is fixed to 2, VGEIN to 0 (GEILEN is 0), VSBE to 0. */
export const Hstatus = { GVA: 1 << 6, SPV: 1 << 7, SPVP: 1 << 8, HU: 1 << 9, VTVM: 1 << 20, VTW: 1 << 21, VTSR: 1 << 22 } as const;
export const HSTATUS_WRITABLE: number =
  Hstatus.GVA | Hstatus.SPV | Hstatus.SPVP | Hstatus.HU | Hstatus.VTVM | Hstatus.VTW | Hstatus.VTSR;

/** Bits of menvcfg, henvcfg and senvcfg: low word, then (m and h only) high word. */
export const Envcfg = { FIOM: 1, CBIE: 3 << 4, CBCFE: 1 << 6, CBZE: 1 << 7 } as const;
export const EnvcfgHi = { ADUE: 1 << 29, PBMTE: 1 << 30, STCE: 1 << 31 } as const;
/** Writable bits of the low words of the three. */
export const ENVCFG_WRITABLE: number = Envcfg.FIOM | Envcfg.CBIE | Envcfg.CBCFE | Envcfg.CBZE;

/** Bits of mip, mie and their views; the number of an interrupt is the position of its bit. */
export const Irq = {
  SSI: 1 << 1, VSSI: 1 << 2, MSI: 1 << 3, STI: 1 << 5, VSTI: 1 << 6, MTI: 1 << 7, SEI: 1 << 9, VSEI: 1 << 10, MEI: 1 << 11,
} as const;
export const S_INTERRUPTS: number = Irq.SSI | Irq.STI | Irq.SEI;
export const VS_INTERRUPTS: number = Irq.VSSI | Irq.VSTI | Irq.VSEI;
export const M_INTERRUPTS: number = Irq.MSI | Irq.MTI | Irq.MEI;

/** Exception codes (hypervisor chapter, "Trap Cause Codes"). */
export const Cause = {
  instructionAddressMisaligned: 0,
  instructionAccessFault: 1,
  illegalInstruction: 2,
  breakpoint: 3,
  loadAddressMisaligned: 4,
  loadAccessFault: 5,
  storeAddressMisaligned: 6,
  storeAccessFault: 7,
  ecallU: 8,
  ecallS: 9,
  ecallVS: 10,
  ecallM: 11,
  instructionPageFault: 12,
  loadPageFault: 13,
  storePageFault: 15,
  instructionGuestPageFault: 20,
  loadGuestPageFault: 21,
  virtualInstruction: 22,
  storeGuestPageFault: 23,
} as const;

/** Writable bits of hedeleg (hypervisor chapter, "Bits of hedeleg that must be writable or must be read-only zero"). */
export const HEDELEG_WRITABLE = 0x000c_b1ff;
/** Writable bits of medeleg: those of hedeleg, the other environment calls but M's own, guest-page faults and virtual instructions. */
export const MEDELEG_WRITABLE: number = HEDELEG_WRITABLE | (1 << 9) | (1 << 10) | (0xf << 20);

/** Causes whose xtval is a virtual address: for these xstatus.GVA tells whether it is a guest's. */
export const ADDRESS_CAUSES = 0x00b0_b0fb;
/** Causes of explicit memory accesses, for which mtinst/htinst gets the transformed instruction ("Values that may be automatically written"). */
export const MEMORY_CAUSES = 0x00a0_a0f0;

/** Bits of a page-table entry, low word (supervisor chapter, Sv32 and Sv39). */
export const Pte = { V: 1, R: 2, W: 4, X: 8, U: 16, A: 64, D: 128 } as const;
