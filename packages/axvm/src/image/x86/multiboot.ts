/** Multiboot 1 (Multiboot Specification 0.6.96): a header in the first 8 KiB, magic in EAX, information in EBX. */
import { ensure } from '@axvisor/axvisor_api/errors';
import type { LoadPiece } from '../kernel.ts';
import { memoryMap, MemoryType } from './memory_map.ts';
import type { PcBootRequest } from './request.ts';
import { Low, start32, type StartPlan } from './start.ts';
import type { Strings } from './strings.ts';

const HEADER_MAGIC = 0x1bad_b002;
const SEARCH = 8192;
/** What a kernel finds in EAX. */
export const MULTIBOOT_MAGIC = 0x2bad_b002n;
/** Header flags: pages for modules, memory information (both are given anyway), a graphics mode, addresses in the header. */
const Flag = { pages: 1, memory: 2, video: 4, addresses: 0x1_0000 } as const;
const KNOWN_REQUIRED: number = Flag.pages | Flag.memory | Flag.video;
const REQUIRED = 0xffff;
/** Information flags. */
const Info = { memory: 1, cmdline: 4, modules: 8, memoryMap: 0x40, loaderName: 0x200 } as const;
const INFO_SIZE = 88;
const MODULE_SIZE = 16;
const MAP_ENTRY_SIZE = 24;
const ONE_MIB = 0x10_0000n;
const LOADER = 'axvisor';

/** The header, if there is one. */
export interface MultibootHeader {
  readonly flags: number;
  /** Where it is in the file. */
  readonly at: number;
  /** Addresses of the header itself, of the first byte to load, of the end of file data, of the end of memory, and the entry. */
  readonly addresses: { readonly header: number; readonly load: number; readonly loadEnd: number; readonly bssEnd: number; readonly entry: number } | undefined;
}

export function multibootHeader(file: Uint8Array): MultibootHeader | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  for (let at = 0; at + 12 <= Math.min(SEARCH, file.length); at += 4) {
    const word = (i: number): number => view.getUint32(at + 4 * i, true);
    if (word(0) !== HEADER_MAGIC || ((word(0) + word(1) + word(2)) >>> 0) !== 0) continue;
    const flags = word(1);
    if ((flags & Flag.addresses) === 0) return { flags, at, addresses: undefined };
    if (at + 32 > file.length) return undefined;
    return { flags, at, addresses: { header: word(3), load: word(4), loadEnd: word(5), bssEnd: word(6), entry: word(7) } };
  }
  return undefined;
}

/** The piece of a kernel that gives its addresses itself. @throws {AxError} InvalidExecutable */
export function multibootPiece(file: Uint8Array, at: number, addresses: NonNullable<MultibootHeader['addresses']>): LoadPiece {
  const { header, load, loadEnd, bssEnd } = addresses;
  const from = at - (header - load);
  const size = loadEnd === 0 ? file.length - from : loadEnd - load;
  ensure(from >= 0 && size > 0 && from + size <= file.length, 'InvalidExecutable', 'multiboot: the addresses in the header do not fit the file');
  const memory = bssEnd === 0 ? size : bssEnd - load;
  ensure(memory >= size, 'InvalidExecutable', 'multiboot: the kernel ends before its data do');
  return { address: BigInt(load), bytes: file.subarray(from, from + size), memorySize: BigInt(memory) };
}

/** @throws {AxError} Unsupported for a header that requires what is not known */
export function multibootStart(request: PcBootRequest, { flags }: MultibootHeader, entry: bigint, strings: Strings, modules: readonly LoadPiece[]): StartPlan {
  ensure((flags & REQUIRED & ~KNOWN_REQUIRED) === 0, 'Unsupported', `multiboot: the header requires features 0x${(flags & REQUIRED & ~KNOWN_REQUIRED).toString(16)}, which are not known`);
  const map = memoryMap(request.ram, request.reserved);
  const mapAt = INFO_SIZE + MODULE_SIZE * modules.length;
  const bytes = new Uint8Array(mapAt + MAP_ENTRY_SIZE * map.length);
  const view = new DataView(bytes.buffer);
  const word = (at: number, value: bigint | number): void => view.setUint32(at, Number(BigInt(value) & 0xffff_ffffn), true);
  const upper = map.find((r) => r.type === MemoryType.ram && r.base === ONE_MIB)?.size ?? 0n;
  word(0, Info.memory | Info.cmdline | Info.modules | Info.memoryMap | Info.loaderName);
  word(4, (map.find((r) => r.type === MemoryType.ram)?.size ?? 0n) / 1024n);
  word(8, upper / 1024n);
  word(16, strings.add(request.cmdline));
  word(20, modules.length);
  word(24, Low.info + BigInt(INFO_SIZE));
  for (const [i, { address, memorySize }] of modules.entries()) {
    const at = INFO_SIZE + MODULE_SIZE * i;
    word(at, address);
    word(at + 4, address + memorySize);
    word(at + 8, strings.add(''));
  }
  word(44, MAP_ENTRY_SIZE * map.length);
  word(48, Low.info + BigInt(mapAt));
  for (const [i, { base, size, type }] of map.entries()) {
    const at = mapAt + MAP_ENTRY_SIZE * i;
    // The size of an entry does not count itself.
    word(at, MAP_ENTRY_SIZE - 4);
    view.setBigUint64(at + 4, base, true);
    view.setBigUint64(at + 12, size, true);
    word(at + 20, type);
  }
  word(64, strings.add(LOADER));
  const { start, pieces } = start32(entry, { rax: MULTIBOOT_MAGIC, rbx: Low.info });
  return { start, pieces: [...pieces, { address: Low.info, bytes, memorySize: BigInt(bytes.length) }] };
}
