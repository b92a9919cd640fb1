/**
 * The nested page tables of AMD SVM (APM volume 2, 15.25): the format of long mode with 4 levels and 48 bits. Every access of a guest is
 * a user access, so all entries have U/S set. Memory types are those of a PAT in its reset state: WB, UC-, UC.
 */
import { bits, type EntryFormat, type TableFormat } from './format.ts';

const entry: EntryFormat = {
  name: 'npt',
  frameShift: 12,
  frameMaskHi: 0xf_ffff,
  present: bits(0),
  table: bits(0, 1, 2, 5), // present, writable, user, accessed
  leaf: bits(0, 2, 5),
  page: bits(),
  block: bits(7),
  blockTest: { mask: bits(7), set: true },
  read: bits(0),
  write: bits(1),
  execute: bits(),
  executeNever: bits(63),
  permissions: [1, 3, 5, 7], // whatever is present can be read
  types: { normal: bits(), uncached: bits(4), device: bits(3, 4) }, // PCD; PWT and PCD
  dirty: bits(6),
  dirtyReadOnly: bits(),
  inaccessible: bits(52), // for software
};

export const nptL4: TableFormat = { entry, levels: 4, gpaBits: 48, hpaBits: 52, vmidBits: 16 };
