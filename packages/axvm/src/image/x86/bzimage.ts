/** Linux' bzImage by the 64-bit boot protocol, or the 32-bit one for kernels of 32 bits (Linux, Documentation/arch/x86/boot). */
import { ensure } from '@axvisor/axvisor_api/errors';
import { placeInitrd } from '../placement.ts';
import { bootParams, Header } from './boot_params.ts';
import { placedOf, type PcBootPlan, type PcBootRequest } from './request.ts';
import { Low, start32, start64 } from './start.ts';
import { Strings, utf8 } from './strings.ts';

const MAGIC = 0x5372_6448; // "HdrS"
const SECTOR = 512;
/** A setup of 0 sectors has 4. */
const DEFAULT_SETUP_SECTS = 4;
const XLF_KERNEL_64 = 1;
/** The 64-bit entry point, from the start of the protected-mode code. */
const ENTRY_64 = 0x200n;
const ONE_MIB = 0x10_0000n;
/** Kernels that tell what this loader asks about: preferred address and size in memory. */
const OLDEST = 0x020a;
/** Limits of protocols that do not tell them. */
const INITRD_MAX = 0x37ff_ffff;

export const isBzImage = (file: Uint8Array): boolean =>
  file.length >= 0x268 && new DataView(file.buffer, file.byteOffset).getUint32(Header.magic, true) === MAGIC && file[Header.bootFlag] === 0x55;

const alignUp = (value: bigint, align: bigint): bigint => ((value + align - 1n) / align) * align;

/** @throws {AxError} InvalidExecutable for a kernel that is too old or truncated, InvalidInput if something does not fit */
export function planBzImage(request: PcBootRequest): PcBootPlan {
  const file = request.kernel;
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const version = view.getUint16(Header.version, true);
  ensure(version >= OLDEST, 'InvalidExecutable', `bzImage: boot protocol ${version >> 8}.${version & 0xff} is older than 2.10`);
  const payload = file.subarray(((file[Header.setupSects] as number) || DEFAULT_SETUP_SECTS) * SECTOR + SECTOR);
  ensure(payload.length > 0, 'InvalidExecutable', `bzImage: truncated, ${file.length} bytes are no more than its setup`);
  // The header ends where its jump at 0x200 goes.
  const headerEnd = 0x202 + (file[0x201] as number);
  ensure(headerEnd >= Header.initSize + 4 && headerEnd <= 0x290, 'InvalidExecutable', 'bzImage: the setup header is malformed');
  const cmdlineMax = view.getUint32(Header.cmdlineSize, true);
  const cmdlineSize = utf8(request.cmdline).length;
  ensure(cmdlineSize <= cmdlineMax, 'InvalidInput', `a command line of ${cmdlineSize} bytes; this kernel takes ${cmdlineMax}`);

  const initSize = BigInt(view.getUint32(Header.initSize, true));
  const memorySize = initSize > BigInt(payload.length) ? initSize : BigInt(payload.length);
  const address = choosePlace(request, view, memorySize);
  const kernel = { address, bytes: payload, memorySize };
  const strings = new Strings();
  const cmdline = strings.add(request.cmdline);
  const is64 = (view.getUint16(Header.xloadflags, true) & XLF_KERNEL_64) !== 0;
  const { start, pieces } = is64 ? start64(address + ENTRY_64, { rsi: Low.zeroPage }) : start32(address, { rsi: Low.zeroPage });
  const placed = [placedOf('kernel', kernel)];
  const loaded = [kernel, strings.piece(), ...pieces];
  const initrd = request.initrd;
  let ramdisk: { readonly start: bigint; readonly size: number } | undefined;
  if (initrd !== undefined && initrd.length > 0) {
    const limit = BigInt(view.getUint32(Header.initrdAddrMax, true) || INITRD_MAX) + 1n;
    const piece = { address: placeInitrd(initrd.length, highRam(request, limit), placed), bytes: initrd, memorySize: BigInt(initrd.length) };
    loaded.push(piece);
    placed.push(placedOf('initrd', piece));
    ramdisk = { start: piece.address, size: initrd.length };
  }
  loaded.push(bootParams(request, file.subarray(Header.setupSects, headerEnd), cmdline, ramdisk));
  return { kind: 'bzImage', start, pieces: loaded, placed };
}

/** RAM from 1 MiB to `limit` in the first region. */
export function highRam({ ram }: PcBootRequest, limit: bigint): { readonly base: bigint; readonly size: bigint } {
  const end = ram[0] === undefined ? 0n : ram[0].base + ram[0].size;
  const top = end < limit ? end : limit;
  ensure(top > ONE_MIB, 'InvalidInput', `a PC needs more than 1 MiB of memory, this one has ${end} bytes`);
  return { base: ONE_MIB, size: top - ONE_MIB };
}

/** Where the kernel goes: as asked, or where it prefers, or in small memory where it may be. */
function choosePlace(request: PcBootRequest, view: DataView, memorySize: bigint): bigint {
  const preferred = view.getBigUint64(Header.prefAddress, true);
  if (view.getUint8(Header.relocatable) === 0) return preferred;
  const align = BigInt(view.getUint32(Header.kernelAlignment, true) || 1);
  const wanted = request.loadAddr ?? preferred;
  const { base, size } = highRam(request, 1n << 32n);
  return wanted >= base && wanted + memorySize <= base + size ? alignUp(wanted, align) : alignUp(base, align);
}
