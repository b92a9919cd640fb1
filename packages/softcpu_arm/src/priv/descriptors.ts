/** Translation table descriptors of the VMSAv8-64 format and memory attributes (Arm ARM, chapter D8, "Translation table descriptor formats"). */

import type { WalkConfig } from './walk_config.ts';

// Descriptor bits, low word.
export const VALID = 1;
export const TABLE = 2;
export const AP1 = 0x40;
export const AP2 = 0x80;
export const AF = 0x400;
export const NG = 0x800;
// And high word.
export const DBM = 0x80000;
export const PXN = 0x200000;
export const XN = 0x400000;
export const PXN_TABLE = 0x8000000;
export const XN_TABLE = 0x10000000;
export const AP_TABLE0 = 0x20000000;
export const AP_TABLE1 = 0x40000000;

/** MAIR byte of Normal Write-Back memory, and of Device-nGnRnE. */
export const NORMAL = 0xff;
export const DEVICE = 0;
/** Stage 2 MemAttr: Write-Back; where there is no stage 2, the combination does not change stage 1. */
export const S2_NORMAL = 0xf;

/** Bits from `shift` up of a pair of words, as far as they fit in 32. */
export function shifted(lo: number, hi: number, shift: number): number {
  return shift < 32 ? (lo >>> shift) | (hi << (32 - shift)) : hi >>> (shift - 32);
}

/** Cacheability of both stages, as a nibble of MAIR: stage 2 has 1 Non-cacheable, 2 Write-Through, 3 Write-Back. */
function weaker(first: number, second: number): number {
  if (first === 4 || second === 1) return 4;
  // Write-Back has bit 2 set; without it the nibble says Write-Through.
  return second === 2 ? first & ~4 : first;
}

/** Attributes of both stages as a MAIR byte: the stronger of them, with the allocation hints of stage 1. */
export function combined(first: number, second: number): number {
  // MemAttr 0b00xx is Device, whose types are ordered as those of MAIR.
  if (second >>> 2 === 0) return first >>> 4 === 0 ? Math.min(first, second << 2) : second << 2;
  if (first >>> 4 === 0) return first;
  return (weaker(first >>> 4, second >>> 2) << 4) | weaker(first & 0xf, second & 3);
}

/** The output address has bits beyond the output size. */
export function addressExceeds(dHi: number, config: WalkConfig): boolean {
  return (dHi & 0xffff) >>> (config.outputBits - 32) !== 0;
}

/** Level 3 has pages only; blocks are at levels 1 and 2 of the 4 KiB granule, at level 2 of the others. */
export function leafIsLegal(dLo: number, level: number, granule: number): boolean {
  if (level === 3) return (dLo & TABLE) !== 0;
  return level === 2 || (level === 1 && granule === 12);
}
