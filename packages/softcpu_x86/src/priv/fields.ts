/** Fields of system registers as 32-bit masks (SDM vol. 3, chapters 2 to 7). All that matters lies in the low words but EFER.NXE's effect. */

export const CR0 = { PE: 1, MP: 2, EM: 4, TS: 8, ET: 16, NE: 32, WP: 0x1_0000, AM: 0x4_0000, NW: 0x2000_0000, CD: 0x4000_0000, PG: -0x8000_0000 } as const;
/** Bits of CR0 that exist. */
export const CR0_DEFINED: number = 0xe005_003f | 0;

export const CR4 = {
  VME: 1, PVI: 2, TSD: 4, DE: 8, PSE: 16, PAE: 32, MCE: 64, PGE: 128, PCE: 256, OSFXSR: 512, OSXMMEXCPT: 1024, UMIP: 2048, LA57: 4096,
  VMXE: 0x2000, FSGSBASE: 0x1_0000, PCIDE: 0x2_0000, OSXSAVE: 0x4_0000, SMEP: 0x10_0000, SMAP: 0x20_0000,
} as const;
/** Bits of CR4 that may be set: all of the above. VME and PVI are there; protected-mode virtual interrupts are honoured in CLI, STI, PUSHF, POPF. */
export const CR4_DEFINED: number = Object.values(CR4).reduce((all: number, bit) => all | bit, 0);

export const EFER = { SCE: 1, LME: 0x100, LMA: 0x400, NXE: 0x800, SVME: 0x1000, FFXSR: 0x4000 } as const;

/** Segment access rights in the form of the VMCS (SDM vol. 3, table 25-2). */
export const AR = { type: 15, S: 16, DPL: 0x60, P: 128, AVL: 0x1000, L: 0x2000, DB: 0x4000, G: 0x8000, unusable: 0x1_0000 } as const;
export const DPL_SHIFT = 5;
/** Type bits of code and data segments. */
export const TYPE = { accessed: 1, writable: 2, readable: 2, expandDown: 4, conforming: 4, code: 8 } as const;
/** Types of system descriptors. */
export const SYS = {
  tss16: 1, ldt: 2, tss16Busy: 3, callGate16: 4, taskGate: 5, interruptGate16: 6, trapGate16: 7, tss: 9, tssBusy: 11, callGate: 12,
  interruptGate: 14, trapGate: 15,
} as const;

/** Access rights and limit of the flat segments that SYSCALL and its like load without reading descriptors. */
export const SYSCALL_RIGHTS = { code64: 0xa09b, code32: 0xc09b, data: 0xc093 } as const;
export const FLAT = 0xffff_ffff;
/** What SYSRET takes from R11. */
export const SYSRET_FLAGS = 0x003c_7fd7;

/** Exception vectors. */
export const V = {
  DE: 0, DB: 1, NMI: 2, BP: 3, OF: 4, BR: 5, UD: 6, NM: 7, DF: 8, TS: 10, NP: 11, SS: 12, GP: 13, PF: 14, MF: 16, AC: 17, MC: 18, XM: 19,
} as const;

/** Page-fault error code. */
export const PF = { P: 1, W: 2, U: 4, RSVD: 8, I: 16 } as const;

/** Kinds of events, as interruption-information fields number them. */
export const EVENT = { external: 0, nmi: 2, hardware: 3, softInt: 4, privSoft: 5, softException: 6, other: 7 } as const;
/** Valid bits of interruption information. */
export const INFO = { errorValid: 0x800, nmiUnblocking: 0x1000, valid: -0x8000_0000 } as const;

/** DR6 (SDM vol. 3, 18.2.3). */
export const DR6 = { BD: 0x2000, BS: 0x4000, BT: 0x8000, ones: -0xf010, defined: 0xe00f } as const;
/** DR7 (SDM vol. 3, 18.2.4). */
export const DR7 = { GD: 0x2000, enables: 0xff, ones: 0x400 } as const;

/** Interruptibility state. */
export const SHADOW = { sti: 1, movSs: 2, nmi: 8 } as const;

/** Segment registers by number; LDTR and TR follow the six that instructions name. */
export const SEG = { es: 0, cs: 1, ss: 2, ds: 3, fs: 4, gs: 5, ldtr: 6, tr: 7 } as const;
