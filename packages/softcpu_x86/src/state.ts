/**
 * The architectural state of one logical processor that generated code and JavaScript share: byte offsets of its fields in
 * linear memory, counted from the state block.
 *
 * Everything else (control registers, descriptor caches' attributes, MSRs) lives in JavaScript objects, see `priv/`. What
 * operands of decoded records point to lies below 256: those fields are bytes.
 */
import { LARGE_LEAVES_SIZE } from '@axvisor/softcpu';

/** General-purpose registers, 8 bytes each, by number: rax rcx rdx rbx rsp rbp rsi rdi r8 … r15. */
export const GPR = 0;
/** Always 0 (i64): an absent base or index register, the base of a flat segment. */
export const ZERO = 128;
/** Where results that are dropped land (i64). */
export const SINK = 136;
/** Segment bases (i64 each) by number: es cs ss ds fs gs. In 64-bit mode only those of fs and gs are used. */
export const SEG_BASE = 144;

/**
 * The arithmetic flags (SDM vol. 1, 3.4.3.1), lazily: what these three words (i64) mean is in {@link FLAG_KIND}. `eflags.ts` reads and
 * writes them in JavaScript, `emit/flags.ts` in definitions; nobody else needs to know.
 *
 * Of kind {@link FlagKind.words}: RES is the last result, sign-extended from the operand's width; ZF is RES == 0, SF its sign (but see
 * ADJ), PF the parity of its low byte (but see ADJ). Of the other kinds: the first operand, zero-extended.
 */
export const RES = 192;
/** Bit 63 is CF, bit 62 is CF ^ OF (the carry into the top bit); the others say nothing. Of the other kinds: the second operand. */
export const AUX = 200;
/** Bit 4 is AF, bit 63 inverts SF, bit 62 inverts PF; the others are 0. Of the other kinds: the third operand, or nothing. */
export const ADJ = 208;
/** One of {@link FlagKind}, of all but words plus 256 times what 64 has more than the operands' bits (i64). */
export const FLAG_KIND = 496;

export const FlagKind = {
  words: 0,
  difference: 1,
  sum: 2,
  /** RES - AUX - ADJ and RES + AUX + ADJ, where ADJ is 0 or 1. */
  borrow: 3,
  carry: 4,
  /** RES shifted by AUX, which is 1 to 63. */
  left: 5,
  right: 6,
  rightSigned: 7,
  /** RES * AUX, of both the low bits as signed numbers. */
  product: 8,
  /** RES + 1 and RES - 1, with CF in bit 63 of AUX. */
  increment: 9,
  decrement: 10,
} as const;

/** Linear address (CS base + RIP) of the instruction that called a helper (i64); outside the run loop, of the next one. */
export const PC = 216;

/** All other bits of RFLAGS (i32), in their places: TF 8, IF 9, DF 10, IOPL 12-13, NT 14, RF 16, VM 17, AC 18, VIF 19, VIP 20, ID 21. */
export const EFLAGS = 224;
/** Instructions left before the run loop must be left (i32). */
export const BUDGET = 228;
/** Index of the data TLB in use (i32), see {@link MMU}. */
export const MMU_IDX = 232;
/** The fetch mode in use (i32), see {@link FETCH}. */
export const FETCH_IDX = 236;
/** Arguments of helpers called by generated code (i64 each), see `emit/system.ts`. */
export const ARG0 = 240;
export const ARG1 = 248;

/** Nonzero where x87 and MMX instructions trap (i32): CR0.EM or TS; `service` decides which exception it is. */
export const FPU_TRAP = 284;
/** Nonzero where SSE instructions trap (i32): CR0.EM or TS, or CR4.OSFXSR = 0. */
export const SSE_TRAP = 288;
/** Nonzero where AVX instructions trap (i32): CR0.TS, CR4.OSXSAVE = 0, or XCR0 without SSE or AVX. */
export const AVX_TRAP = 292;
/** Current privilege level (i32), 0 in real mode, 3 in virtual-8086 mode. */
export const CPL = 296;
/** Nonzero where IF may be changed (i32): CPL <= IOPL outside virtual-8086 mode, always in real mode. */
export const IF_ALLOWED = 300;
/** How bytes are decoded (i32), see {@link CODE}. Whoever changes it tells the engine (`pages.setMode`). */
export const MODE = 304;
/** Nonzero where misaligned data accesses raise #AC (i32): CR0.AM, EFLAGS.AC and CPL = 3. */
export const ALIGN_TRAP = 312;

/** Upper bits of an address that must be copies of the next one (i32): 16, with 5-level paging 7. */
export const NON_ADDRESS_BITS = 316;

/** Segment selectors (i32 each) by number: es cs ss ds fs gs. */
export const SELECTOR = 320;
/** Offsets that may be read through a segment, of a limit-checked mode, inclusive (u32 each): none if low is above high. */
export const READ_LOW = 344;
export const READ_HIGH = 368;
/** Offsets that may be written. */
export const WRITE_LOW = 392;
export const WRITE_HIGH = 416;
/** Limit of the code segment (u32): 0xffffffff in 64-bit mode, where it is not looked at. */
export const CS_LIMIT = 440;

/** x87: control word, status word (with TOP), tag word (16 bits, two per physical register; all i32). */
export const FCW = 448;
export const FSW = 452;
export const FTW = 456;
/** x87: last opcode (i32), instruction and operand pointers (i64 offsets), their selectors (i32). */
export const FOP = 460;
export const FIP = 464;
export const FDP = 472;
export const FCS = 480;
export const FDS = 484;
/** SSE control and status (i32). */
export const MXCSR = 488;

/** Physical x87 registers R0 … R7, 16 bytes each: significand (i64; also MM0 … MM7), sign and exponent (u16 at 8). */
export const FPR = 512;
/** YMM0 … YMM15, 32 bytes each; XMM is the lower half. */
export const YMM = 640;
/** Where vector instructions put results together and copy operands (64 bytes). */
export const VT = 1152;

/** PC of an instruction behind STI, before which interrupts are blocked if it comes next (i64); none where it is at no address. */
export const SHADOW_PC = 1216;
/** Nonzero where something waits for IF to be set, or may (i32). */
export const IF_AWAITED = 1224;
/** Instructions that the hypervisor intercepts, of those that generated code executes (i32): {@link Intercepts}. */
export const INTERCEPTS = 1228;
/** Nonzero where CR4.SMAP is set (i32). */
export const SMAP = 1232;

/** Executions of PAUSE until one is looked at, where the hypervisor asks for pause-loop exiting (i32). */
export const PAUSES_LEFT = 1236;
/** What that begins with. */
export const PAUSES = 16;

/** Limit of the GDT (i32). */
export const GDTR_LIMIT = 1240;
/** Nonzero where others write the memory too (i32). */
export const SHARED = 1244;
/** Nonzero where guest physical addresses go through a second stage of translation (i32). */
export const NESTED = 1248;

/** Besides instructions: NMIs are blocked, which IRET ends; `counter`: reading the time-stamp counter takes more than to add words; and for each control register by number, from bit {@link CR_READS} on, that reading it takes more. */
export const Intercepts = { pause: 1, pushf: 2, popf: 4, iret: 8, nmiBlocked: 16, counter: 32 } as const;
export const CR_READS = 8;

/** Control registers, MSRs and the like (i64 each, see {@link storedAt}). */
const SYSTEM_REGISTERS = 1280;

export const STORED = [
  'cr0', 'cr2', 'cr3', 'cr4', 'efer', 'dr0', 'dr1', 'dr2', 'dr3', 'dr6', 'dr7', 'gdtrBase', 'idtrBase', 'ldtrBase', 'trBase',
  'star', 'lstar', 'cstar', 'fmask', 'kernelGsBase', 'sysenterCs', 'sysenterEsp', 'sysenterEip', 'pat', 'tscAux', 'tscAdjust', 'tscOffset', 'xcr0',
  'xss', 'apicBase', 'miscEnable', 'debugctl', 'featureControl', 'pdpte0', 'pdpte1', 'pdpte2', 'pdpte3', 'vmHsavePa', 'vmCr', 'hwcr', 'mcgStatus',
  'biosSignature', 'umwaitControl', 'specCtrl',
] as const;

/** Offset of a system register. */
export const storedAt = (name: (typeof STORED)[number]): number => SYSTEM_REGISTERS + 8 * STORED.indexOf(name);

/** Limits in bytes (u32 each) and access rights as in the VMCS (i32 each) of the segment registers, LDTR and TR. */
export const LIMITS: number = SYSTEM_REGISTERS + 8 * STORED.length;
export const RIGHTS: number = LIMITS + 4 * 8;

/** Large leaves that may be cached in pieces: `LargeLeaves`. */
export const LARGE_PAGES: number = RIGHTS + 4 * 8;

/** Size of the state block in bytes. */
export const STATE_SIZE: number = LARGE_PAGES + LARGE_LEAVES_SIZE;

/** Numbers of general-purpose registers; the offset is {@link GPR} + 8 times that. */
export const Gpr = { rax: 0, rcx: 1, rdx: 2, rbx: 3, rsp: 4, rbp: 5, rsi: 6, rdi: 7 } as const;

/** Numbers of segment registers. */
export const Seg = { es: 0, cs: 1, ss: 2, ds: 3, fs: 4, gs: 5 } as const;

/** The values of {@link MMU_IDX}: how memory accesses are translated and checked. */
export const MMU = {
  user: 0,
  supervisor: 1,
  /** Supervisor with SMAP in force: CR4.SMAP = 1 and EFLAGS.AC = 0. */
  supervisorSmap: 2,
  /** Implicit supervisor access, whatever the privilege level (descriptor tables, TSS). */
  implicit: 3,
} as const;

/** The values of {@link FETCH_IDX}. */
export const FETCH = { user: 0, supervisor: 1 } as const;

/** {@link MODE}: one of the sizes, plus the bits. */
export const CODE = {
  code16: 0,
  code32: 1,
  code64: 2,
  /** Mask of the sizes. */
  size: 3,
  /** The stack pointer is ESP (SS.B = 1); in 64-bit mode it is RSP whatever this says. */
  stack32: 4,
  /** Segment bases, limits and types matter: not all of ES, CS, SS, DS are flat 4 GiB read/write (code) segments with base 0. FS and GS bases are always added. Never in 64-bit mode. */
  segmented: 8,
  /** Real or virtual-8086 mode, where some instructions do not exist. */
  real: 16,
} as const;

/** Bits of RFLAGS (SDM vol. 1, 3.4.3). */
export const Flag = {
  CF: 0x1,
  PF: 0x4,
  AF: 0x10,
  ZF: 0x40,
  SF: 0x80,
  TF: 0x100,
  IF: 0x200,
  DF: 0x400,
  OF: 0x800,
  IOPL: 0x3000,
  NT: 0x4000,
  RF: 0x10000,
  VM: 0x20000,
  AC: 0x40000,
  VIF: 0x80000,
  VIP: 0x100000,
  ID: 0x200000,
} as const;
