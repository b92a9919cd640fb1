/**
 * What a nested page-table format is, as data: where an entry holds the address, the permissions, the memory type and the
 * dirty state. One walker works on any of them.
 */
import type { NestedPageTableFormat } from '@axvisor/axvisor_api/addrspace';

/** Bits of a 64-bit entry, as the two 32-bit words that hold it. */
export type Bits = readonly [lo: number, hi: number];

/** The bits at `positions` (0 to 63). */
export function bits(...positions: readonly number[]): Bits {
  let lo = 0;
  let hi = 0;
  for (const p of positions)
    if (p < 32) lo |= 1 << p;
    else hi |= 1 << (p - 32);
  return [lo, hi];
}

/** Memory types that a mapping can ask for, the more restricted the higher. */
export const MEMORY_TYPES = ['normal', 'uncached', 'device'] as const;
export type MemoryType = (typeof MEMORY_TYPES)[number];

/** The entries of one format. */
export interface EntryFormat {
  readonly name: NestedPageTableFormat;
  /** Bit of the entry that bit 12 of an address is stored in; the page frame number goes up from there. */
  readonly frameShift: number;
  /** Bits of the page frame number that lie in the upper word, as a mask from bit 0. */
  readonly frameMaskHi: number;
  /** An entry with none of these is not present. In the lower word in every format. */
  readonly present: Bits;
  /** What an entry that points to a table holds besides the address. */
  readonly table: Bits;
  /** What every accessible leaf holds besides what follows. */
  readonly leaf: Bits;
  /** What only a 4 KiB leaf holds, and only a larger one. */
  readonly page: Bits;
  readonly block: Bits;
  /** How a present entry above the lowest level shows that it is a leaf: one of these bits is set, or (`set: false`) none is. */
  readonly blockTest: { readonly mask: Bits; readonly set: boolean };
  readonly read: Bits;
  readonly write: Bits;
  readonly execute: Bits;
  /** Set where execution is *not* allowed. */
  readonly executeNever: Bits;
  /** Sets of READ, WRITE and EXECUTE that an entry can express. */
  readonly permissions: readonly number[];
  readonly types: Readonly<Record<MemoryType, Bits>>;
  /** Set when the page was written. In the lower word in every format. */
  readonly dirty: Bits;
  /**
   * Holds the dirty state of a leaf that is not writable, where the dirty bit itself would permit writing; none: the dirty
   * bit does.
   */
  readonly dirtyReadOnly: Bits;
  /**
   * Marks a leaf without any permission. The processor takes it for not present; it still holds the address. Free for
   * software in an entry that is not present.
   */
  readonly inaccessible: Bits;
}

/** A format with its number of levels. */
export interface TableFormat {
  readonly entry: EntryFormat;
  readonly levels: number;
  /** Width of the guest physical addresses that are translated. At most 52, so that a `number` holds them. */
  readonly gpaBits: number;
  /** Width of the host physical addresses that an entry holds, at most 52. */
  readonly hpaBits: number;
  /** Width of the tag of translations: VMID or VPID. */
  readonly vmidBits: number;
}

/** Bits that a level translates, but for the root. */
export const INDEX_BITS = 9;

/** Bytes that an entry of each level maps, the lowest (level 0) first. */
export const LEVEL_SIZES: readonly number[] = [0, 1, 2, 3, 4].map((level) => 2 ** (12 + INDEX_BITS * level));

/** The highest level with leaves: 1 GiB. */
export const MAX_LEAF_LEVEL = 2;

/** Frames of the root table: more than one where the root is concatenated or widened. It is aligned to its size. */
export function rootFrames({ levels, gpaBits }: TableFormat): number {
  const entries = 2 ** (gpaBits - 12 - INDEX_BITS * (levels - 1));
  return Math.max(1, entries / 512);
}
