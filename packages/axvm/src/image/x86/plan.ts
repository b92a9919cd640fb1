/** Recognizes a kernel for x86 and plans its start: bzImage, multiboot, PVH, or an ELF file that is started as Linux' 64-bit protocol says. */
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import { isElf, readElf } from '../elf.ts';
import type { LoadPiece } from '../kernel.ts';
import { checkPlaced, placeInitrd } from '../placement.ts';
import { bootParams } from './boot_params.ts';
import { highRam, isBzImage, planBzImage } from './bzimage.ts';
import { multibootHeader, multibootPiece, multibootStart } from './multiboot.ts';
import { pvhEntry, pvhStart } from './pvh.ts';
import { placedOf, type PcBootPlan, type PcBootRequest } from './request.ts';
import { Low, start32, start64, type StartPlan } from './start.ts';
import { Strings } from './strings.ts';

const FOUR_GIB = 0x1_0000_0000n;

/** Whether `file` is of a format that says itself how it is started. */
export const isPcKernel = (file: Uint8Array): boolean => isBzImage(file) || isElf(file) || multibootHeader(file) !== undefined;

/**
 * Plans the start of `request.kernel`.
 *
 * @throws {AxError} InvalidExecutable if it is no kernel for x86; InvalidInput if something does not fit, with sizes
 */
export function planPcBoot(request: PcBootRequest): PcBootPlan {
  const plan = isBzImage(request.kernel) ? planBzImage(request) : planOther(request);
  checkPlaced(plan.placed, request.ram);
  return plan;
}

function planOther(request: PcBootRequest): PcBootPlan {
  const file = request.kernel;
  const header = multibootHeader(file);
  if (header?.addresses !== undefined) {
    const { addresses } = header;
    return load(request, 'multiboot', [multibootPiece(file, header.at, addresses)], (strings, initrd) =>
      multibootStart(request, header, BigInt(addresses.entry), strings, initrd === undefined ? [] : [initrd]),
    );
  }
  if (!isElf(file)) throw axError('InvalidExecutable', 'not a kernel for x86: neither bzImage nor ELF nor multiboot');
  const elf = readElf(file);
  ensure(elf.machine === 'x86_64' || elf.machine === 'i386', 'InvalidExecutable', `ELF: made for ${elf.machine}, this machine is x86_64`);
  const kernel = elf.segments.map((s): LoadPiece => ({ address: s.physicalAddress, bytes: s.bytes, memorySize: s.memorySize }));
  const pvh = pvhEntry(elf);
  if (header !== undefined) {
    return load(request, 'multiboot', kernel, (strings, initrd) => multibootStart(request, header, elf.entry, strings, initrd === undefined ? [] : [initrd]));
  }
  if (pvh !== undefined) return load(request, 'PVH', kernel, (strings, initrd) => pvhStart(request, pvh, strings, initrd));
  return load(request, 'ELF', kernel, (strings, initrd) => {
    const ramdisk = initrd === undefined ? undefined : { start: initrd.address, size: initrd.bytes.length };
    const { start, pieces } = (elf.is64 ? start64 : start32)(elf.entry, { rsi: Low.zeroPage });
    return { start, pieces: [...pieces, bootParams(request, undefined, strings.add(request.cmdline), ramdisk)] };
  });
}

/** Puts kernel, initrd and what the protocol hands over together. */
function load(request: PcBootRequest, kind: PcBootPlan['kind'], kernel: readonly LoadPiece[], begin: (strings: Strings, initrd: LoadPiece | undefined) => StartPlan): PcBootPlan {
  const placed = kernel.map((piece) => placedOf('kernel', piece));
  let initrd: LoadPiece | undefined;
  if (request.initrd !== undefined && request.initrd.length > 0) {
    const bytes = request.initrd;
    initrd = { address: placeInitrd(bytes.length, highRam(request, FOUR_GIB), placed), bytes, memorySize: BigInt(bytes.length) };
    placed.push(placedOf('initrd', initrd));
  }
  const strings = new Strings();
  const { start, pieces } = begin(strings, initrd);
  return { kind, start, pieces: [...kernel, ...(initrd === undefined ? [] : [initrd]), strings.piece(), ...pieces], placed };
}
