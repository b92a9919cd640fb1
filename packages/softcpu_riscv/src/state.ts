/**
 * The architectural state of one hart that generated code and JavaScript share: byte offsets of its fields
 * in linear memory, counted from the hart's state block.
 *
 * Everything else of the hart (CSRs, privilege mode) lives in JavaScript objects, see `priv/`.
 */
import { LARGE_LEAVES_SIZE } from '@axvisor/softcpu';

/** Integer registers x0…x31, 8 bytes each; x0 always holds 0. */
export const X = 0;
/** Where writes to x0 land (i64): x0 itself stays 0 without a test in the emitters. */
export const XSINK = 256;
/** Floating-point registers f0…f31, 8 bytes each, single precision values NaN-boxed. */
export const F = 512;
/** Program counter (i64): inside a helper, of the instruction that called it; outside the run loop, of the next one to execute. */
export const PC = 768;
/** Instructions left before the run loop must be left (i32). */
export const BUDGET = 816;
/** Index of the data TLB in use (i32), see {@link MMU}. */
export const MMU_IDX = 820;
/** Tag of the fetch mode in use (i32), see {@link MMU}; a change of V flushes instead of changing the tag. */
export const FETCH_IDX = 824;
/** fcsr.fflags (i32, 5 bits). */
export const FFLAGS = 828;
/** fcsr.frm (i32, 3 bits). */
export const FRM = 832;
/** Nonzero when floating-point instructions trap: mstatus.FS is Off, or vsstatus.FS is while V=1 (i32). */
export const FP_OFF = 836;
/** Set to 1 by whoever writes an f register or fcsr (i32); merged into mstatus.FS and vsstatus.FS when those are read. */
export const FS_DIRTY = 840;
/** Nonzero while an LR reservation is held (i32). */
export const RES_VALID = 844;
/** Physical address of the reservation (i64). */
export const RES_ADDR = 848;
/** Value the LR loaded (i64). */
export const RES_VALUE = 856;
/** Nonzero while CBO.ZERO is known to be enabled: set when one was executed, cleared by whatever may change that (i32). */
export const CBO_ZERO_CHECKED = 864;
/**
 * Where walks in generated code begin (i32): guest physical address of the first table of VS-stage translation, below 4 GiB; 0 where they do not walk.
 */
export const WALK_ROOT = 868;
/** The first table is indexed by nine bits of addresses, from this one on (i32). */
export const WALK_SHIFT = 872;
/** Superpages that may be cached in pieces: `LargeLeaves`. */
export const SUPERPAGES = 1024;
/** Size of the state block in bytes. */
export const STATE_SIZE: number = SUPERPAGES + LARGE_LEAVES_SIZE;

/** The values of {@link MMU_IDX} and {@link FETCH_IDX}: how memory accesses are translated and checked. */
export const MMU = {
  /** As U or VU mode. */
  user: 0,
  /** As S, HS or VS mode with SUM=0. */
  supervisor: 1,
  /** As S, HS or VS mode with SUM=1 (data only). */
  supervisorSum: 2,
  /** As M mode: untranslated. */
  machine: 3,
} as const;
