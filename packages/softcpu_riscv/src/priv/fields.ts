/** Field positions, exception codes and interrupt numbers of the privileged architecture (privileged specification 1.13). */

/** Bits of the low word of mstatus, sstatus and vsstatus (machine chapter, "Machine Status Registers"). */
export const Mstatus = {
  SIE: 0x2, MIE: 0x8, SPIE: 0x20, MPIE: 0x80, SPP: 0x100,
  MPP: 0x1800, FS: 0x6000, MPRV: 0x2_0000, SUM: 0x4_0000, MXR: 0x8_0000, TVM: 0x10_0000, TW: 0x20_0000, TSR: 0x40_0000,
} as const;
/** Shift of mstatus.MPP. */
export const MPP_SHIFT = 11;

/** Bits of the high word of mstatus: UXL = SXL = 2 (64 bits) are fixed. */
export const MstatusHi = { XL: 0xa, UXL: 0x2, GVA: 0x40, MPV: 0x80, SD: -0x8000_0000 } as const;

/** Writable bits of sstatus and vsstatus; everything else reads as 0 except UXL and SD. */
export const SSTATUS_WRITABLE: number =
  Mstatus.SIE | Mstatus.SPIE | Mstatus.SPP | Mstatus.FS | Mstatus.SUM | Mstatus.MXR;

/** Writable bits of the low word of mstatus, but for MPP, which is WARL. */
export const MSTATUS_WRITABLE: number =
  SSTATUS_WRITABLE | Mstatus.MIE | Mstatus.MPIE | Mstatus.MPRV | Mstatus.TVM | Mstatus.TW | Mstatus.TSR;

/** Bits of the low word of hstatus; VSXL (high word) is fixed to 2, VGEIN to 0 (GEILEN is 0), VSBE to 0. */
export const Hstatus = { GVA: 0x40, SPV: 0x80, SPVP: 0x100, HU: 0x200, VTVM: 0x10_0000, VTW: 0x20_0000, VTSR: 0x40_0000 } as const;
export const HSTATUS_WRITABLE: number =
  Hstatus.GVA | Hstatus.SPV | Hstatus.SPVP | Hstatus.HU | Hstatus.VTVM | Hstatus.VTW | Hstatus.VTSR;

/** Bits of menvcfg, henvcfg and senvcfg: low word, then (m and h only) high word. */
export const Envcfg = { FIOM: 1, CBIE: 0x30, CBCFE: 0x40, CBZE: 0x80 } as const;
export const EnvcfgHi = { ADUE: 0x2000_0000, PBMTE: 0x4000_0000, STCE: -0x8000_0000 } as const;
/** Writable bits of the low words of the three. */
export const ENVCFG_WRITABLE: number = Envcfg.FIOM | Envcfg.CBIE | Envcfg.CBCFE | Envcfg.CBZE;

/** Bits of mip, mie and their views; the number of an interrupt is the position of its bit. */
export const Irq = {
  SSI: 0x2, VSSI: 0x4, MSI: 0x8, STI: 0x20, VSTI: 0x40, MTI: 0x80, SEI: 0x200, VSEI: 0x400, MEI: 0x800,
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
export const Pte = { V: 1, R: 2, W: 4, X: 8, U: 16, G: 32, A: 64, D: 128 } as const;
