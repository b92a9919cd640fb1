/**
 * Stage 2 of the Armv8-A VMSA with the 4 KiB granule (Arm ARM, D8 "Translation table descriptor formats"): 40-bit IPAs from a root
 * of two concatenated tables at level 1, or 48-bit ones from level 0.
 *
 * A writable leaf has DBM = 1; S2AP[1] is then the dirty bit, which the processor sets itself (VTCR_EL2.HD) or asks for with a permission
 * fault. XN[1:0] is 0b00 or 0b10, which mean the same with and without FEAT_XNX.
 */
import { bits, type EntryFormat, type TableFormat } from './format.ts';

const entry: EntryFormat = {
  name: 'arm-s2',
  frameShift: 12,
  frameMaskHi: 0xffff,
  present: bits(0),
  table: bits(0, 1),
  leaf: bits(0, 10), // valid, AF
  page: bits(1),
  block: bits(),
  blockTest: { mask: bits(1), set: false },
  read: bits(6), // S2AP[0]
  write: bits(51), // DBM
  execute: bits(),
  executeNever: bits(54), // XN[1]
  permissions: [1, 2, 3, 5, 7], // execution needs S2AP[0]
  types: {
    normal: bits(2, 3, 4, 5, 8, 9), // MemAttr 0b1111 (write-back), inner shareable
    uncached: bits(2, 4, 9), // MemAttr 0b0101 (non-cacheable), outer shareable
    device: bits(9), // MemAttr 0b0000 (Device-nGnRnE), outer shareable
  },
  dirty: bits(7), // S2AP[1]
  dirtyReadOnly: bits(56), // for software
  inaccessible: bits(55), // for software
};

export const armS2L3: TableFormat = { entry, levels: 3, gpaBits: 40, hpaBits: 48, vmidBits: 16 };
export const armS2L4: TableFormat = { entry, levels: 4, gpaBits: 48, hpaBits: 48, vmidBits: 16 };
