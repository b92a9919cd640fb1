/** The VMCB and the exits of SVM by number (AMD APM vol. 2, chapter 15, appendices B and C). */

/** Offsets of the control area's fields in the VMCB (APM vol. 2, table B-1). The comment says bytes where it is not 8. */
export const Vmcb = {
  /** 4: reads of CR0 … CR15 in bits 15:0, writes in bits 31:16. */
  interceptCr: 0x000,
  /** 4: reads of DR0 … DR15 in bits 15:0, writes in bits 31:16. */
  interceptDr: 0x004,
  /** 4: one bit for each exception vector. */
  interceptExceptions: 0x008,
  /** 4: {@link SvmIntercept3}. */
  intercept3: 0x00c,
  /** 4: {@link SvmIntercept4}. */
  intercept4: 0x010,
  /** 4: {@link SvmIntercept5}. */
  intercept5: 0x014,
  /** 2 each. */
  pauseFilterThreshold: 0x03c, pauseFilterCount: 0x03e,
  iopmBasePa: 0x040, msrpmBasePa: 0x048, tscOffset: 0x050,
  /** 4. */
  guestAsid: 0x058,
  /** 1: {@link TlbControl}. */
  tlbControl: 0x05c,
  /** {@link VirtualInterrupt}. */
  virtualInterrupt: 0x060,
  /** Bit 0: interrupt shadow; bit 1: the guest's IF while V_INTR_MASKING. */
  interruptShadow: 0x068,
  exitCode: 0x070, exitInfo1: 0x078, exitInfo2: 0x080, exitIntInfo: 0x088,
  /** Bit 0: nested paging; the other bits are for SEV. */
  nestedPaging: 0x090,
  avicApicBar: 0x098,
  /** {@link EventInjection}. */
  eventInjection: 0x0a8, nestedCr3: 0x0b0,
  /** Bit 0: LBR virtualization; bit 1: virtualized VMSAVE and VMLOAD. */
  lbrVirtualization: 0x0b8,
  /** 4. */
  cleanBits: 0x0c0,
  nextRip: 0x0c8,
  /** 1 byte of count, then up to 15 bytes of the instruction. */
  fetchedByteCount: 0x0d0, fetchedBytes: 0x0d1,
} as const;

/** Offsets of the state save area's fields in the VMCB (APM vol. 2, table B-2). Segments are 16 bytes: {@link VmcbSegment}. */
export const VmcbSave = {
  es: 0x400, cs: 0x410, ss: 0x420, ds: 0x430, fs: 0x440, gs: 0x450, gdtr: 0x460, ldtr: 0x470, idtr: 0x480, tr: 0x490,
  /** 1. */
  cpl: 0x4cb,
  efer: 0x4d0, cr4: 0x548, cr3: 0x550, cr0: 0x558, dr7: 0x560, dr6: 0x568, rflags: 0x570, rip: 0x578, rsp: 0x5d8, rax: 0x5f8, star: 0x600,
  lstar: 0x608, cstar: 0x610, sfmask: 0x618, kernelGsBase: 0x620, sysenterCs: 0x628, sysenterEsp: 0x630, sysenterEip: 0x638, cr2: 0x640,
  gPat: 0x668, dbgctl: 0x670, brFrom: 0x678, brTo: 0x680, lastExcpFrom: 0x688, lastExcpTo: 0x690,
} as const;

/** Offsets in a segment of the VMCB: 2 bytes selector, 2 attributes, 4 limit, 8 base. */
export const VmcbSegment = { selector: 0, attributes: 2, limit: 4, base: 8 } as const;

/** Bytes of a VMCB; it is aligned to as many. */
export const VMCB_SIZE = 4096;

/** The third intercept vector, at 0x00c (APM vol. 2, table B-1). Bit 31 as an unsigned number. */
export const SvmIntercept3 = {
  INTR: 1, NMI: 2, SMI: 4, INIT: 8, VINTR: 0x10, CR0_SEL_WRITE: 0x20, IDTR_READ: 0x40, GDTR_READ: 0x80,
  LDTR_READ: 0x100, TR_READ: 0x200, IDTR_WRITE: 0x400, GDTR_WRITE: 0x800, LDTR_WRITE: 0x1000, TR_WRITE: 0x2000, RDTSC: 0x4000,
  RDPMC: 0x8000, PUSHF: 0x1_0000, POPF: 0x2_0000, CPUID: 0x4_0000, RSM: 0x8_0000, IRET: 0x10_0000, SWINT: 0x20_0000, INVD: 0x40_0000,
  PAUSE: 0x80_0000, HLT: 0x100_0000, INVLPG: 0x200_0000, INVLPGA: 0x400_0000, IOIO_PROT: 0x800_0000, MSR_PROT: 0x1000_0000, TASK_SWITCH: 0x2000_0000,
  FERR_FREEZE: 0x4000_0000, SHUTDOWN: 0x8000_0000,
} as const;

/** The fourth intercept vector, at 0x010. */
export const SvmIntercept4 = {
  VMRUN: 1, VMMCALL: 2, VMLOAD: 4, VMSAVE: 8, STGI: 0x10, CLGI: 0x20, SKINIT: 0x40, RDTSCP: 0x80, ICEBP: 0x100,
  WBINVD: 0x200, MONITOR: 0x400, MWAIT: 0x800, MWAIT_CONDITIONAL: 0x1000, XSETBV: 0x2000, RDPRU: 0x4000, EFER_WRITE_TRAP: 0x8000,
} as const;

/** The fifth intercept vector, at 0x014. */
export const SvmIntercept5 = { INVLPGB: 1, INVLPGB_ILLEGAL: 2, INVPCID: 4, MCOMMIT: 8, TLBSYNC: 0x10 } as const;

/** Exit codes (APM vol. 2, appendix C). */
export const SvmExit = {
  CR0_READ: 0x00, CR0_WRITE: 0x10, DR0_READ: 0x20, DR0_WRITE: 0x30, EXCP0: 0x40, INTR: 0x60, NMI: 0x61, SMI: 0x62, INIT: 0x63, VINTR: 0x64,
  CR0_SEL_WRITE: 0x65, IDTR_READ: 0x66, GDTR_READ: 0x67, LDTR_READ: 0x68, TR_READ: 0x69, IDTR_WRITE: 0x6a, GDTR_WRITE: 0x6b,
  LDTR_WRITE: 0x6c, TR_WRITE: 0x6d, RDTSC: 0x6e, RDPMC: 0x6f, PUSHF: 0x70, POPF: 0x71, CPUID: 0x72, RSM: 0x73, IRET: 0x74, SWINT: 0x75,
  INVD: 0x76, PAUSE: 0x77, HLT: 0x78, INVLPG: 0x79, INVLPGA: 0x7a, IOIO: 0x7b, MSR: 0x7c, TASK_SWITCH: 0x7d, FERR_FREEZE: 0x7e,
  SHUTDOWN: 0x7f, VMRUN: 0x80, VMMCALL: 0x81, VMLOAD: 0x82, VMSAVE: 0x83, STGI: 0x84, CLGI: 0x85, SKINIT: 0x86, RDTSCP: 0x87, ICEBP: 0x88,
  WBINVD: 0x89, MONITOR: 0x8a, MWAIT: 0x8b, MWAIT_CONDITIONAL: 0x8c, XSETBV: 0x8d, RDPRU: 0x8e, EFER_WRITE_TRAP: 0x8f, INVPCID: 0xa2,
  NPF: 0x400,
} as const;

/** EXITCODE of a VMCB that VMRUN refused: all ones. */
export const SVM_EXIT_INVALID = 0xffff_ffff_ffff_ffffn;

/** TLB_CONTROL (APM vol. 2, 15.16.2). */
export const TlbControl = { none: 0, flushAll: 1, flushAsid: 3, flushAsidNonGlobal: 7 } as const;

/** The field at 0x060: V_TPR in 7:0, V_INTR_PRIO in 19:16, V_INTR_VECTOR in 39:32; of virtual NMIs one waits, and those that come are blocked (APM vol. 2, 15.21.10). */
export const VirtualInterrupt = {
  V_IRQ: 0x100n, V_NMI: 0x800n, V_NMI_MASK: 0x1000n, V_IGN_TPR: 0x10_0000n, V_INTR_MASKING: 0x100_0000n, V_NMI_ENABLE: 0x400_0000n,
} as const;

/** EVENTINJ and EXITINTINFO: vector in 7:0, type in 10:8, error code in 63:32 (APM vol. 2, 15.20). */
export const EventInjection = { typeShift: 8, errorCodeValid: 0x800, valid: 0x8000_0000 } as const;

/** Types of EVENTINJ and EXITINTINFO. */
export const EventType = { externalInterrupt: 0, nmi: 2, exception: 3, softwareInterrupt: 4 } as const;

/** EXITINFO1 of IOIO exits (APM vol. 2, 15.10.2): the port is in 31:16, the segment register in 12:10. */
export const IoioInfo = { IN: 1, STR: 4, REP: 8, SZ8: 16, SZ16: 32, SZ32: 64, A16: 128, A32: 256, A64: 512 } as const;

/** EXITINFO1 of NPF exits above the bits of a page fault's error code (APM vol. 2, 15.25.6). */
export const NestedPageFault = { finalAddress: 0x1_0000_0000n, tableWalk: 0x2_0000_0000n } as const;
