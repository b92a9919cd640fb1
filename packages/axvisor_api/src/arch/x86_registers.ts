/**
 * Control registers, MSRs, exceptions and segment attributes of x86-64 by number (Intel SDM vol. 3, chapters 2, 3, 6, 7; vol. 4; AMD APM
 * vol. 2, appendix A): those that a hypervisor programs, switches or emulates. Bits of 64-bit registers are masks in bigint.
 */

/** MSR numbers. */
export const Msr = {
  IA32_P5_MC_ADDR: 0x0, IA32_P5_MC_TYPE: 0x1, IA32_TIME_STAMP_COUNTER: 0x10, IA32_PLATFORM_ID: 0x17, IA32_APIC_BASE: 0x1b,
  IA32_FEATURE_CONTROL: 0x3a, IA32_TSC_ADJUST: 0x3b, IA32_SPEC_CTRL: 0x48, IA32_PRED_CMD: 0x49, IA32_BIOS_UPDT_TRIG: 0x79,
  IA32_BIOS_SIGN_ID: 0x8b, MSR_PLATFORM_INFO: 0xce, IA32_UMWAIT_CONTROL: 0xe1, IA32_MPERF: 0xe7, IA32_APERF: 0xe8, IA32_MTRRCAP: 0xfe,
  IA32_ARCH_CAPABILITIES: 0x10a, IA32_FLUSH_CMD: 0x10b, IA32_SYSENTER_CS: 0x174, IA32_SYSENTER_ESP: 0x175, IA32_SYSENTER_EIP: 0x176,
  IA32_MCG_CAP: 0x179, IA32_MCG_STATUS: 0x17a, IA32_MCG_CTL: 0x17b, IA32_PERF_STATUS: 0x198, IA32_PERF_CTL: 0x199,
  IA32_THERM_INTERRUPT: 0x19b, IA32_THERM_STATUS: 0x19c, IA32_MISC_ENABLE: 0x1a0, IA32_ENERGY_PERF_BIAS: 0x1b0, IA32_DEBUGCTL: 0x1d9,
  IA32_MTRR_PHYSBASE0: 0x200, IA32_MTRR_PHYSMASK0: 0x201, IA32_MTRR_FIX64K_00000: 0x250, IA32_MTRR_FIX16K_80000: 0x258,
  IA32_MTRR_FIX16K_A0000: 0x259, IA32_MTRR_FIX4K_C0000: 0x268, IA32_MTRR_FIX4K_F8000: 0x26f, IA32_PAT: 0x277, IA32_MTRR_DEF_TYPE: 0x2ff,
  IA32_MC0_CTL: 0x400,
  IA32_VMX_BASIC: 0x480, IA32_VMX_PINBASED_CTLS: 0x481, IA32_VMX_PROCBASED_CTLS: 0x482, IA32_VMX_EXIT_CTLS: 0x483,
  IA32_VMX_ENTRY_CTLS: 0x484, IA32_VMX_MISC: 0x485, IA32_VMX_CR0_FIXED0: 0x486, IA32_VMX_CR0_FIXED1: 0x487, IA32_VMX_CR4_FIXED0: 0x488,
  IA32_VMX_CR4_FIXED1: 0x489, IA32_VMX_VMCS_ENUM: 0x48a, IA32_VMX_PROCBASED_CTLS2: 0x48b, IA32_VMX_EPT_VPID_CAP: 0x48c,
  IA32_VMX_TRUE_PINBASED_CTLS: 0x48d, IA32_VMX_TRUE_PROCBASED_CTLS: 0x48e, IA32_VMX_TRUE_EXIT_CTLS: 0x48f,
  IA32_VMX_TRUE_ENTRY_CTLS: 0x490, IA32_VMX_VMFUNC: 0x491,
  IA32_TSC_DEADLINE: 0x6e0, IA32_X2APIC_FIRST: 0x800, IA32_X2APIC_LAST: 0x8ff, IA32_XSS: 0xda0,
  IA32_EFER: 0xc000_0080, IA32_STAR: 0xc000_0081, IA32_LSTAR: 0xc000_0082, IA32_CSTAR: 0xc000_0083, IA32_FMASK: 0xc000_0084,
  IA32_FS_BASE: 0xc000_0100, IA32_GS_BASE: 0xc000_0101, IA32_KERNEL_GS_BASE: 0xc000_0102, IA32_TSC_AUX: 0xc000_0103,
  MSR_AMD64_TSC_RATIO: 0xc000_0104, SYSCFG: 0xc001_0010, HWCR: 0xc001_0015, NB_CFG: 0xc001_001f, VM_CR: 0xc001_0114, VM_IGNNE: 0xc001_0115,
  VM_HSAVE_PA: 0xc001_0117,
} as const;

/** Exception vectors (SDM vol. 3, 6.3.1). */
export const Vector = {
  DE: 0, DB: 1, NMI: 2, BP: 3, OF: 4, BR: 5, UD: 6, NM: 7, DF: 8, TS: 10, NP: 11, SS: 12, GP: 13, PF: 14, MF: 16, AC: 17, MC: 18, XM: 19, VE: 20, CP: 21,
} as const;

/** The vectors whose delivery pushes an error code, one bit each: #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP. */
export const ERROR_CODE_VECTORS = 0x0022_7d00;

/** Bits of a page fault's error code (SDM vol. 3, 4.7). */
export const PageFaultError = { P: 1, WR: 2, US: 4, RSVD: 8, ID: 16, PK: 32 } as const;

/** CR0 (SDM vol. 3, 2.5). */
export const Cr0 = {
  PE: 1n, MP: 2n, EM: 4n, TS: 8n, ET: 0x10n, NE: 0x20n, WP: 0x1_0000n, AM: 0x4_0000n, NW: 0x2000_0000n,
  CD: 0x4000_0000n, PG: 0x8000_0000n,
} as const;

/** CR4 (SDM vol. 3, 2.5). */
export const Cr4 = {
  VME: 1n, PVI: 2n, TSD: 4n, DE: 8n, PSE: 0x10n, PAE: 0x20n, MCE: 0x40n, PGE: 0x80n, PCE: 0x100n,
  OSFXSR: 0x200n, OSXMMEXCPT: 0x400n, UMIP: 0x800n, LA57: 0x1000n, VMXE: 0x2000n, SMXE: 0x4000n, FSGSBASE: 0x1_0000n,
  PCIDE: 0x2_0000n, OSXSAVE: 0x4_0000n, SMEP: 0x10_0000n, SMAP: 0x20_0000n, PKE: 0x40_0000n, CET: 0x80_0000n, PKS: 0x100_0000n,
} as const;

/** IA32_EFER (SDM vol. 3, 2.2.1; APM vol. 2, 3.1.7). */
export const Efer = { SCE: 1n, LME: 0x100n, LMA: 0x400n, NXE: 0x800n, SVME: 0x1000n, LMSLE: 0x2000n, FFXSR: 0x4000n } as const;

/** RFLAGS (SDM vol. 1, 3.4.3). Bit 1 is always set. */
export const Rflags = {
  CF: 1n, PF: 4n, AF: 0x10n, ZF: 0x40n, SF: 0x80n, TF: 0x100n, IF: 0x200n, DF: 0x400n, OF: 0x800n,
  IOPL: 0x3000n, NT: 0x4000n, RF: 0x1_0000n, VM: 0x2_0000n, AC: 0x4_0000n, VIF: 0x8_0000n, VIP: 0x10_0000n, ID: 0x20_0000n,
} as const;

/** XCR0, IA32_XSS and the components of an XSAVE area (SDM vol. 1, 13.1). */
export const Xcr0 = { X87: 1n, SSE: 2n, AVX: 4n, BNDREGS: 8n, BNDCSR: 0x10n, AVX512: 0xe0n, PKRU: 0x200n } as const;

/** IA32_FEATURE_CONTROL (SDM vol. 3, 24.7). */
export const FeatureControl = { LOCK: 1n, VMX_IN_SMX: 2n, VMX_OUTSIDE_SMX: 4n } as const;

/** IA32_APIC_BASE (SDM vol. 3, 11.4.4). */
export const ApicBase = { BSP: 0x100n, X2APIC: 0x400n, ENABLE: 0x800n } as const;

/** VM_CR of AMD processors (APM vol. 2, 15.30.1). */
export const VmCr = { DPD: 1n, R_INIT: 2n, DIS_A20M: 4n, LOCK: 8n, SVMDIS: 0x10n } as const;

/** A segment's access rights as the VMCS holds them (SDM vol. 3, table 25-2). The VMCB leaves out bits 11:8: {@link toVmcbAttributes}. */
export const SegmentAccess = { type: 0xf, S: 0x10, DPL: 0x60, P: 0x80, AVL: 0x1000, L: 0x2000, DB: 0x4000, G: 0x8000, unusable: 0x1_0000 } as const;

/** Access rights of the VMCS in the form of the VMCB, 12 bits; an unusable segment becomes one that is not present (APM vol. 2, 15.5.1). */
export const toVmcbAttributes = (rights: number): number =>
  (rights & SegmentAccess.unusable) !== 0 ? 0 : (rights & 0xff) | ((rights >>> 4) & 0xf00);

/** The reverse of {@link toVmcbAttributes}. */
export const fromVmcbAttributes = (attributes: number): number =>
  (attributes & SegmentAccess.P) === 0 ? SegmentAccess.unusable : (attributes & 0xff) | ((attributes & 0xf00) << 4);
