/**
 * EPT: the extended page tables of Intel VMX (SDM volume 3, "The Extended Page Table Mechanism"), with 4 or 5 levels. Accessed and
 * dirty flags count where EPTP bit 6 enables them. Execute-only entries are a misconfiguration on processors without that
 * capability, write-only ones on all: neither is written. Five levels reach beyond MAXPHYADDR, which is 52 at most.
 */
import { bits, type EntryFormat, type TableFormat } from './format.ts';

const entry: EntryFormat = {
  name: 'ept',
  frameShift: 12,
  frameMaskHi: 0xf_ffff,
  present: bits(0, 1, 2),
  table: bits(0, 1, 2),
  leaf: bits(8), // accessed
  page: bits(),
  block: bits(7),
  blockTest: { mask: bits(7), set: true },
  read: bits(0),
  write: bits(1),
  execute: bits(2),
  executeNever: bits(),
  permissions: [1, 3, 5, 7],
  types: { normal: bits(4, 5), uncached: bits(3), device: bits() }, // WB, WC, UC
  dirty: bits(9),
  dirtyReadOnly: bits(),
  inaccessible: bits(52),
};

export const eptL4: TableFormat = { entry, levels: 4, gpaBits: 48, hpaBits: 52, vmidBits: 16 };
export const eptL5: TableFormat = { entry, levels: 5, gpaBits: 52, hpaBits: 52, vmidBits: 16 };
