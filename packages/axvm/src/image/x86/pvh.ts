/** The PVH direct-boot protocol (Xen, docs/misc/pvh and public/arch-x86/hvm/start_info.h): a 32-bit entry point in a note, hvm_start_info in EBX. */
import type { ElfImage } from '../elf.ts';
import type { LoadPiece } from '../kernel.ts';
import { memoryMap } from './memory_map.ts';
import type { PcBootRequest } from './request.ts';
import { Low, start32, type StartPlan } from './start.ts';
import type { Strings } from './strings.ts';

const NOTE_OWNER = 'Xen';
const NOTE_PHYS32_ENTRY = 18;

const MAGIC = 0x336e_c578; // "xEn3" with its highest bit set
const VERSION = 1;
const INFO_SIZE = 56;
const MODULE_SIZE = 32;
const MAP_ENTRY_SIZE = 24;

/** The entry point, if the file has one for this protocol. */
export function pvhEntry({ notes }: ElfImage): bigint | undefined {
  const note = notes.find((n) => n.owner === NOTE_OWNER && n.type === NOTE_PHYS32_ENTRY);
  if (note === undefined || note.description.length < 4) return undefined;
  return BigInt(new DataView(note.description.buffer, note.description.byteOffset).getUint32(0, true));
}

export function pvhStart(request: PcBootRequest, entry: bigint, strings: Strings, initrd: LoadPiece | undefined): StartPlan {
  const map = memoryMap(request.ram, request.reserved);
  const modulesAt = INFO_SIZE;
  const mapAt = modulesAt + (initrd === undefined ? 0 : MODULE_SIZE);
  const bytes = new Uint8Array(mapAt + MAP_ENTRY_SIZE * map.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, VERSION, true);
  view.setBigUint64(24, strings.add(request.cmdline), true);
  view.setBigUint64(32, request.rsdp ?? 0n, true);
  if (initrd !== undefined) {
    view.setUint32(12, 1, true);
    view.setBigUint64(16, Low.info + BigInt(modulesAt), true);
    view.setBigUint64(modulesAt, initrd.address, true);
    view.setBigUint64(modulesAt + 8, initrd.memorySize, true);
  }
  view.setBigUint64(40, Low.info + BigInt(mapAt), true);
  view.setUint32(48, map.length, true);
  for (const [i, { base, size, type }] of map.entries()) {
    const at = mapAt + MAP_ENTRY_SIZE * i;
    view.setBigUint64(at, base, true);
    view.setBigUint64(at + 8, size, true);
    view.setUint32(at + 16, type, true);
  }
  const { start, pieces } = start32(entry, { rbx: Low.info });
  return { start, pieces: [...pieces, { address: Low.info, bytes, memorySize: BigInt(bytes.length) }] };
}
