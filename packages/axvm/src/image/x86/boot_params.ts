/** Linux' zero page, struct boot_params (Linux, Documentation/arch/x86/zero-page). */
import { ensure } from '@axvisor/axvisor_api/errors';
import type { LoadPiece } from '../kernel.ts';
import { memoryMap } from './memory_map.ts';
import type { PcBootRequest } from './request.ts';
import { Low } from './start.ts';

const SIZE = 0x1000;
/** Offsets. Those of the setup header are the same as in the file. */
export const Header = {
  setupSects: 0x1f1, bootFlag: 0x1fe, magic: 0x202, version: 0x206, typeOfLoader: 0x210, loadflags: 0x211, ramdiskImage: 0x218, ramdiskSize: 0x21c,
  cmdLinePtr: 0x228, initrdAddrMax: 0x22c, kernelAlignment: 0x230, relocatable: 0x234, xloadflags: 0x236, cmdlineSize: 0x238, prefAddress: 0x258, initSize: 0x260,
} as const;
const Page = { acpiRsdp: 0x070, e820Entries: 0x1e8, vidMode: 0x1fa, e820: 0x2d0 } as const;
const E820_ENTRY = 20;
const E820_MAX = 128;
/** A boot loader without a number of its own. */
const LOADER = 0xff;
const LOADED_HIGH = 1;
const VIDEO_NORMAL = 0xffff;
const HEADER_MAGIC = 0x5372_6448; // "HdrS"
const BOOT_FLAG = 0xaa55;
/** The newest protocol, for kernels that come without a header. */
const PROTOCOL = 0x020f;

/**
 * The zero page at its place.
 *
 * @param header - the setup header from the file, from offset 0x1f1 on; `undefined`: the kernel is an ELF file
 * @param initrd - where it is
 */
export function bootParams(request: PcBootRequest, header: Uint8Array | undefined, cmdline: bigint, initrd: { readonly start: bigint; readonly size: number } | undefined): LoadPiece {
  const bytes = new Uint8Array(SIZE);
  const view = new DataView(bytes.buffer);
  if (header !== undefined) bytes.set(header, Header.setupSects);
  else {
    view.setUint16(Header.bootFlag, BOOT_FLAG, true);
    view.setUint32(Header.magic, HEADER_MAGIC, true);
    view.setUint16(Header.version, PROTOCOL, true);
    view.setUint32(Header.kernelAlignment, 0x20_0000, true);
  }
  view.setUint16(Page.vidMode, VIDEO_NORMAL, true);
  view.setUint8(Header.typeOfLoader, LOADER);
  view.setUint8(Header.loadflags, view.getUint8(Header.loadflags) | LOADED_HIGH);
  view.setUint32(Header.cmdLinePtr, Number(cmdline), true);
  view.setUint32(Header.ramdiskImage, Number(initrd?.start ?? 0n), true);
  view.setUint32(Header.ramdiskSize, initrd?.size ?? 0, true);
  view.setBigUint64(Page.acpiRsdp, request.rsdp ?? 0n, true);
  const map = memoryMap(request.ram, request.reserved);
  ensure(map.length <= E820_MAX, 'InvalidInput', `a memory map of ${map.length} ranges; Linux takes ${E820_MAX}`);
  view.setUint8(Page.e820Entries, map.length);
  for (const [i, { base, size, type }] of map.entries()) {
    const at = Page.e820 + E820_ENTRY * i;
    view.setBigUint64(at, base, true);
    view.setBigUint64(at + 8, size, true);
    view.setUint32(at + 16, type, true);
  }
  return { address: Low.zeroPage, bytes, memorySize: BigInt(SIZE) };
}
