/** Puts kernel, firmware, initrd and device tree of a VM into its memory. */
import { gpa } from '@axvisor/axvisor_api/addr';
import type { AddrSpace } from '@axvisor/axvisor_api/addrspace';
import type { VmConfig } from '@axvisor/axvisor_api/config';
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import { architecture } from '@axvisor/axvisor_api/processor';
import type { VmImages } from '@axvisor/axvisor_api/vm';
import { isFdt } from '../fdt/writer.ts';
import type { BootPlan } from '../image/boot_plan.ts';
import { planKernel, type LoadPiece } from '../image/kernel.ts';
import { checkPlaced, placeDtb, placeInitrd, type Placed, type RamRegion } from '../image/placement.ts';

/** An upper bound for a generated tree, so that it can be placed before it is made. */
const dtbRoom = ({ cpuNum, cmdline = '', devices }: VmConfig, given: Uint8Array | undefined): number =>
  given?.length ?? 0x4000 + 0x400 * (cpuNum + devices.length) + 3 * cmdline.length;

/**
 * Plans the start of a kernel that is told about its machine by a device tree.
 *
 * @throws {AxError} InvalidInput or InvalidExecutable naming the image that is wrong
 */
export function planBoot(config: VmConfig, images: VmImages, ram: readonly RamRegion[], ramBase: bigint): BootPlan {
  const main = ram[0];
  if (main === undefined) throw axError('InvalidInput', `VM ${config.id} has no memory`);
  if (images.dtb !== undefined) ensure(isFdt(images.dtb), 'InvalidData', `${config.dtb?.path ?? 'the device tree'} is not a flattened device tree, or is truncated`);
  const pieces: LoadPiece[] = [];
  let entry = config.entryPoint;
  const placed: Placed[] = [];
  const place = (what: string, piece: LoadPiece): void => {
    pieces.push(piece);
    placed.push({ what, start: piece.address, end: piece.address + piece.memorySize });
  };
  const whole = (bytes: Uint8Array, address: bigint): LoadPiece => ({ address, bytes, memorySize: BigInt(bytes.length) });

  if (images.kernel !== undefined) {
    const plan = planKernel(images.kernel, { arch: architecture(), ramBase, loadAddr: config.kernel?.loadAddr });
    for (const piece of plan.pieces) place('kernel', piece);
    entry ??= plan.entry;
  }
  if (images.bios !== undefined) {
    const address = config.bios?.loadAddr ?? ramBase;
    place('firmware', whole(images.bios, address));
    entry ??= address;
  }
  if (entry === undefined) throw axError('InvalidInput', `VM ${config.id} has neither a kernel nor firmware nor an entry point`);
  const room = dtbRoom(config, images.dtb);
  const dtbAddress = config.dtb?.loadAddr ?? config.dtbLoadAddr ?? placeDtb(room, main);
  placed.push({ what: 'device tree', start: dtbAddress, end: dtbAddress + BigInt(room) });
  let initrd: BootPlan['initrd'];
  if (images.ramdisk !== undefined && images.ramdisk.length > 0) {
    const start = config.ramdisk?.loadAddr ?? placeInitrd(images.ramdisk.length, main, placed);
    place('initrd', whole(images.ramdisk, start));
    initrd = { start, end: start + BigInt(images.ramdisk.length) };
  }
  checkPlaced(placed, ram);
  return { entry, dtbAddress, initrd, pieces, placed };
}

/** Writes the pieces; memory beyond their bytes is zero already. */
export function loadPieces(space: AddrSpace, pieces: readonly LoadPiece[]): void {
  for (const { address, bytes } of pieces) space.writeBuffer(gpa(address), bytes);
}
