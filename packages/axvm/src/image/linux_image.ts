/**
 * The header of Linux' `Image` files (Linux, Documentation/arch/arm64/booting and Documentation/arch/riscv/boot-image-header): the architectures
 * have one layout and different magic numbers.
 */
import { ensure } from '@axvisor/axvisor_api/errors';
import type { Architecture } from '@axvisor/axvisor_api/processor';

const HEADER_SIZE = 64;
const Offset = { textOffset: 8, imageSize: 16, flags: 24, magic: 48, magic2: 56, peHeader: 60 } as const;
const BIG_ENDIAN = 1n;
const PE_SIGNATURE = 0x4550; // "PE"
const DOS_SIGNATURE = 0x5a4d; // "MZ"

/** An architecture's kind of Image. */
export interface ImageKind {
  readonly name: string;
  readonly arch: Architecture;
  readonly isMagic: (header: DataView) => boolean;
  /** RAM below the place from which the text offset counts, a multiple of {@link IMAGE_ALIGN}. */
  readonly below: bigint;
  /** The text offset of images without a size, which are older than these fields. */
  readonly oldTextOffset?: bigint;
}

/** Images start at such an address, plus the text offset. */
export const IMAGE_ALIGN: bigint = 0x20_0000n;

export const IMAGE_KINDS: readonly ImageKind[] = [
  {
    name: 'RISC-V Image',
    arch: 'riscv64',
    // "RSC\x05", or "RISCV" in older kernels
    isMagic: (header) => header.getUint32(Offset.magic2, true) === 0x0543_5352 || header.getBigUint64(Offset.magic, true) === 0x56_4353_4952n,
    below: 0n,
  },
  {
    name: 'arm64 Image',
    arch: 'aarch64',
    // "ARM\x64"
    isMagic: (header) => header.getUint32(Offset.magic2, true) === 0x644d_5241,
    // As on QEMU, whose own first instructions are there.
    below: IMAGE_ALIGN,
    oldTextOffset: 0x8_0000n,
  },
];

export interface LinuxImage {
  /** Where it wants to be, from {@link IMAGE_ALIGN}ed RAM on. */
  readonly textOffset: bigint;
  /** Bytes of memory it occupies, bss included. */
  readonly imageSize: bigint;
}

/** The kind of the file, if it has an Image's header. */
export function imageKind(file: Uint8Array): ImageKind | undefined {
  if (file.length < HEADER_SIZE) return undefined;
  const view = new DataView(file.buffer, file.byteOffset, HEADER_SIZE);
  return IMAGE_KINDS.find(({ isMagic }) => isMagic(view));
}

/** @throws {AxError} InvalidExecutable for a big-endian or a truncated image */
export function readImage(file: Uint8Array, { name, oldTextOffset }: ImageKind): LinuxImage {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  ensure((view.getBigUint64(Offset.flags, true) & BIG_ENDIAN) === 0n, 'InvalidExecutable', `${name}: a big-endian kernel`);
  const needed = peFileSize(view);
  ensure(file.length >= needed, 'InvalidExecutable', `${name}: truncated, ${file.length} bytes of at least ${needed}`);
  const size = view.getBigUint64(Offset.imageSize, true);
  const textOffset = size === 0n && oldTextOffset !== undefined ? oldTextOffset : view.getBigUint64(Offset.textOffset, true);
  return { textOffset, imageSize: size > BigInt(file.length) ? size : BigInt(file.length) };
}

/** How many bytes the file must have by its PE/COFF section table; kernels with an EFI stub have one. */
function peFileSize(view: DataView): number {
  const pe = view.getUint32(Offset.peHeader, true);
  if (view.getUint16(0, true) !== DOS_SIGNATURE || pe === 0 || pe > view.byteLength - 24 || view.getUint32(pe, true) !== PE_SIGNATURE) return HEADER_SIZE;
  const sections = view.getUint16(pe + 6, true);
  const table = pe + 24 + view.getUint16(pe + 20, true);
  let end = HEADER_SIZE;
  for (let i = 0; i < sections; i++) {
    const at = table + 40 * i;
    if (at + 40 > view.byteLength) return at + 40;
    const size = view.getUint32(at + 16, true);
    if (size > 0) end = Math.max(end, size + view.getUint32(at + 20, true));
  }
  return end;
}
