/**
 * The architectural state of one processing element that generated code and JavaScript share: byte offsets of its fields in
 * linear memory, counted from the state block.
 *
 * Everything else (system registers, the rest of PSTATE) lives in JavaScript objects, see `priv/`.
 */

/** General-purpose registers x0…x30, 8 bytes each. Slot 31 is {@link SP}, not XZR. */
export const X = 0;
/** The stack pointer of the current Exception level and PSTATE.SP (i64): slot 31 of {@link X}, for operands that read 31 as SP. */
export const SP = 248;
/** XZR as a source (i64): always 0. */
export const ZR = 256;
/** Where writes to XZR land (i64). */
export const ZSINK = 264;
/** SIMD&FP registers v0…v31, 16 bytes each. */
export const V = 512;
/** Program counter (i64): inside a helper, of the instruction that called it; outside the run loop, of the next one to execute. */
export const PC = 1024;
/** Instructions left before the run loop must be left (i32). */
export const BUDGET = 1072;
/** Index of the data TLB in use (i32), see {@link MMU}. */
export const MMU_IDX = 1076;
/** Tag of the fetch mode in use (i32): the current Exception level. */
export const FETCH_IDX = 1080;
/** The {@link MMU_IDX} of LDTR, STTR and the like (i32): as EL0, unless PSTATE.UAO or EL0 or EL2 makes them ordinary accesses. */
export const UNPRIV_IDX = 1084;

/**
 * The condition flags as operands of the instruction that set them last (i64 each): a kind of {@link Flags}, its operands, and whether the
 * condition of a conditional comparison held.
 */
export const FLAG_KIND = 1088;
export const FLAG_A = 1096;
export const FLAG_B = 1280;
export const FLAG_COND = 1288;

/** Values of {@link FLAG_KIND}. */
export const Flags = {
  /** NZCV are bits 31…28 of A. */
  packed: 0,
  /** Those of A - B, of 64 bits or of the lower 32, from which both are then sign-extended: most conditions are the same comparison of 64 bits. */
  sub64: 1,
  sub32: 2,
  /** N and Z of A; C and V are 0, and so is B. */
  result: 3,
  /** Those of A + B, extended alike. */
  add64: 4,
  add32: 5,
  /** Of the comparison of A and B as double-precision numbers. */
  float: 6,
  kinds: [0, 1, 2, 3, 4, 5, 6],
  /** Added to a kind: only if FLAG_COND is 1; else NZCV are in the bits from {@link nzcvShift} on. */
  conditional: 8,
  nzcvShift: 4,
} as const;

/** FPCR (i32; the fields that exist: AHP, DN, FZ, RMode, FZ16). */
export const FPCR = 1104;
/** FPSR (i32; QC, IDC, IXC, UFC, OFC, DZC, IOC). */
export const FPSR = 1108;
/** Nonzero when instructions that use SIMD&FP registers trap (i32): `Privileged.fpTrap` takes the exception. */
export const FP_TRAP = 1112;
/** 15 when loads and stores with SP as base must find it 16-byte aligned (SCTLR_ELx.SA, SA0), else 0 (i32); `Privileged.spAlignment` takes the exception. */
export const SP_ALIGN = 1116;
/** The current Exception level and stack: EL << 1 | PSTATE.SP (i32), so 0 EL0t, 2 EL1t, 3 EL1h, 4 EL2t, 5 EL2h. */
export const MODE = 1120;
/** PSTATE.{D,A,I,F} in bits 9…6 (i32). Setting bits needs nothing else; after clearing any, interrupts must be looked at. */
export const DAIF = 1124;
/** Bit 0: addresses with bit 55 clear lose their top byte when branched to; bit 1: those with bit 55 set (i32; TCR_ELx.TBI). */
export const BRANCH_TBI = 1128;

/** Nonzero while the local exclusive monitor is open (i32). Exception return and CLREX close it. */
export const EXCL_VALID = 1132;
/** Physical address of the exclusive load (i64). */
export const EXCL_ADDR = 1136;
/** What it loaded (i64 each; the second for pairs of 64 bits). */
export const EXCL_VALUE = 1144;
export const EXCL_VALUE2 = 1152;
/** Bytes it loaded (i32). */
export const EXCL_SIZE = 1160;

/** What the current Exception level may do without a look at the controls: bits of {@link Permit} (i32). */
export const PERMITTED = 1164;
/** Bits of {@link PERMITTED}. */
export const Permit = {
  /** MRS of CTR_EL0. */
  ctr: 1,
  /** DC CVAU; DC CVAC, CIVAC; IC IVAU where no other processing element has to be told. All of them only check the address. */
  cleanPou: 2,
  cleanPoc: 4,
  invalidate: 8,
  /** DC ZVA of what the TLB knows. */
  zero: 16,
  /** MRS of ESR_EL1 and FAR_EL1. */
  syndrome: 32,
  /** TLBI by address, where no other processing element has to be told. */
  forget: 64,
} as const;

/** Software thread registers (i64). EL0 and EL1 read TPIDR_EL0 without traps; TPIDR_EL1 is EL1's (see {@link MODE}). */
export const TPIDR_EL0 = 1168;
export const TPIDRRO_EL0 = 1176;
export const TPIDR_EL1 = 1184;
/** The banked stack pointers (i64). That of the current Exception level and PSTATE.SP is stale here: it is in {@link SP}. */
export const SP_EL0 = 1192;
export const SP_EL1 = 1200;
export const SP_EL2 = 1208;

/** Nonzero while other processing elements may not have done what TLBI and IC told them: DSB waits for them (i32). */
export const UNSYNCED = 1216;

/** Nonzero while accesses that are not aligned need a look at what they access: SCTLR_ELx.A, or stage 1 is off (i32). */
export const ALIGNED = 1220;

/** Nonzero while something may have to be taken when PSTATE.DAIF is cleared: an interrupt, or software step (i32). */
export const ATTENTION = 1224;
/** CTR_EL0 (i32). */
export const CTR = 1228;

/** Where vector instructions put their result together (16 bytes), with room for copies of operands that they would overwrite. */
export const VT = 1232;

/** What an exception leaves for the Exception level it was taken to (i64 each). */
export const ESR_EL1 = 1296;
export const FAR_EL1 = 1304;
export const ELR_EL1 = 1312;
export const SPSR_EL1 = 1320;
export const ESR_EL2 = 1328;
export const FAR_EL2 = 1336;
export const ELR_EL2 = 1344;
export const SPSR_EL2 = 1352;

/** Nonzero while others use the same memory (i32): 16 bytes are then exchanged under a lock. */
export const SHARED = 1360;

/** Of memory attributes by AttrIndx, a bit each: they are of Normal memory (i32). For walks, see `priv/walks.ts`. */
export const WALK_NORMAL = 1364;
/** For walks of both ranges of addresses: fields of {@link WalkRange}. */
export const WALK_LOWER = 1368;
export const WALK_UPPER = 1384;
/** Fields of a range (i32 each). */
export const WalkRange = {
  /** Intermediate physical address of the first table; 0: no walk. */
  root: 0,
  /** The first table is indexed by the bits of addresses from this one on, as many as the mask has. */
  shift: 4,
  mask: 8,
  /** Bits of addresses that are translated. */
  inputBits: 12,
} as const;

/** Numbers of the 2 MiB of virtual addresses that are known to be mapped as one, by their low bits (i64 each); -1: none. */
export const WALK_BLOCKS = 1408;
export const WALK_BLOCK_COUNT = 64;

/** A bit for each 2 MiB of virtual addresses, by a hash of their number, of which pieces may be cached that have to go together. */
export const TLB_LARGE: number = WALK_BLOCKS + 8 * WALK_BLOCK_COUNT;
export const TLB_LARGE_BITS = 4096;

/** Size of the state block in bytes. */
export const STATE_SIZE: number = TLB_LARGE + TLB_LARGE_BITS / 8;

/** The values of {@link MMU_IDX}: how memory accesses are translated and checked. */
export const MMU = {
  /** As EL0. */
  el0: 0,
  /** As EL1 with PSTATE.PAN = 0. */
  el1: 1,
  /** As EL1 with PSTATE.PAN = 1. */
  el1Pan: 2,
  /** As EL2. */
  el2: 3,
} as const;
