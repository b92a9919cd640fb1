/** Virtual machines: address space, vCPUs, devices and boot protocol put together. */
export { boardOf, type Board, type BoardOptions, type BoardTree } from './board/board.ts';
export { component } from './component.ts';
export { cells64, isFdt, node, writeFdt, type DeviceTreeNode } from './fdt/writer.ts';
export { isElf, readElf, type ElfImage, type ElfSegment } from './image/elf.ts';
export { planKernel, type LoadPiece, type LoadPlan } from './image/kernel.ts';
export { imageKind, readImage, type ImageKind, type LinuxImage } from './image/linux_image.ts';
export { createRunner } from './threads/runner.ts';
export { MAX_VCPUS } from './vm/build.ts';
