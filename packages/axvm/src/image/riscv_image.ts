/** The RISC-V Linux `Image` header (Linux, Documentation/arch/riscv/boot-image-header). */
import { ensure } from '@axvisor/axvisor_api/errors';

const MAGIC = 0x5643_5349_52n; // "RISCV"
const MAGIC2 = 0x0543_5352; // "RSC\x05"
const PE_SIGNATURE = 0x4550; // "PE"

export interface RiscvImage {
  /** Where it wants to be, from the start of RAM. */
  readonly textOffset: bigint;
  /** Bytes of memory it occupies, bss included. */
  readonly imageSize: bigint;
}

export function isRiscvImage(file: Uint8Array): boolean {
  if (file.length < 64) return false;
  const view = new DataView(file.buffer, file.byteOffset);
  return view.getUint32(56, true) === MAGIC2 || view.getBigUint64(48, true) === MAGIC;
}

/** @throws {AxError} InvalidExecutable for a big-endian or a truncated image */
export function readRiscvImage(file: Uint8Array): RiscvImage {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  ensure((view.getBigUint64(24, true) & 1n) === 0n, 'InvalidExecutable', 'RISC-V Image: a big-endian kernel');
  const needed = peFileSize(view);
  ensure(file.length >= needed, 'InvalidExecutable', `RISC-V Image: truncated, ${file.length} bytes of at least ${needed}`);
  const size = view.getBigUint64(16, true);
  return { textOffset: view.getBigUint64(8, true), imageSize: size > BigInt(file.length) ? size : BigInt(file.length) };
}

/** How many bytes the file must have by its PE/COFF section table; kernels with an EFI stub have one. */
function peFileSize(view: DataView): number {
  const pe = view.getUint32(60, true);
  if (view.getUint16(0, true) !== 0x5a4d || pe === 0 || pe > view.byteLength - 24 || view.getUint32(pe, true) !== PE_SIGNATURE) return 64;
  const sections = view.getUint16(pe + 6, true);
  const table = pe + 24 + view.getUint16(pe + 20, true);
  let end = 64;
  for (let i = 0; i < sections; i++) {
    const at = table + 40 * i;
    if (at + 40 > view.byteLength) return at + 40;
    const size = view.getUint32(at + 16, true);
    if (size > 0) end = Math.max(end, size + view.getUint32(at + 20, true));
  }
  return end;
}
