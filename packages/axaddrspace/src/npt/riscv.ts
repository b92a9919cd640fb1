/**
 * Sv39x4 and Sv48x4: two-stage address translation of the RISC-V hypervisor extension (Privileged Architecture, "Guest
 * Physical Address Translation"). The root has 2^11 entries in 16 KiB. Leaves need U = 1, because every access of a guest counts as a
 * user access. A and D are set from the start, so that the processor need neither set them nor fault.
 */
import { bits, type EntryFormat, type TableFormat } from './format.ts';

const entry: Omit<EntryFormat, 'name'> = {
  frameShift: 10,
  frameMaskHi: 0x3f_ffff,
  present: bits(0), // V
  table: bits(0),
  leaf: bits(0, 4, 6), // V U A
  page: bits(),
  block: bits(),
  blockTest: { mask: bits(1, 2, 3), set: true },
  read: bits(1),
  write: bits(2),
  execute: bits(3),
  executeNever: bits(),
  permissions: [1, 4, 3, 5, 7], // W without R is reserved
  // The PMAs decide about the type (Svpbmt is off unless firmware enables it); RSW remembers what was asked for.
  types: { normal: bits(), uncached: bits(9), device: bits(8) },
  dirty: bits(7),
  dirtyReadOnly: bits(),
  inaccessible: bits(60),
};

export const sv39x4: TableFormat = { entry: { ...entry, name: 'sv39x4' }, levels: 3, gpaBits: 41, hpaBits: 52, vmidBits: 14 };
export const sv48x4: TableFormat = { entry: { ...entry, name: 'sv48x4' }, levels: 4, gpaBits: 50, hpaBits: 52, vmidBits: 14 };
