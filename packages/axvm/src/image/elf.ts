/** Reads ELF64 executables (System V ABI, chapters 4 and 5) as far as loading needs. */
import { axError, ensure } from '@axvisor/axvisor_api/errors';

const PT_LOAD = 1;
const MACHINES: Readonly<Record<number, string>> = { 62: 'x86_64', 183: 'aarch64', 243: 'riscv64' };

/** A loadable segment: file bytes at a physical address, zeros up to `memorySize`. */
export interface ElfSegment {
  readonly physicalAddress: bigint;
  readonly bytes: Uint8Array;
  readonly memorySize: bigint;
}

export interface ElfImage {
  /** The architecture by our names, or the number. */
  readonly machine: string;
  /** Physical address of the entry point. */
  readonly entry: bigint;
  readonly segments: readonly ElfSegment[];
}

export const isElf = (file: Uint8Array): boolean => file[0] === 0x7f && file[1] === 0x45 && file[2] === 0x4c && file[3] === 0x46;

/** @throws {AxError} InvalidExecutable saying what is wrong */
export function readElf(file: Uint8Array): ElfImage {
  const check = (condition: boolean, what: string): void => ensure(condition, 'InvalidExecutable', `ELF: ${what}`);
  check(isElf(file) && file.length >= 64, 'the header is incomplete');
  check(file[4] === 2, 'not a 64-bit file');
  check(file[5] === 1, 'not little-endian');
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const machine = view.getUint16(18, true);
  const entry = view.getBigUint64(24, true);
  const phoff = view.getBigUint64(32, true);
  const phentsize = view.getUint16(54, true);
  const phnum = view.getUint16(56, true);
  check(phnum > 0, 'no program headers');
  check(phentsize >= 56 && phoff + BigInt(phnum * phentsize) <= BigInt(file.length), 'the program headers are truncated');
  const segments: ElfSegment[] = [];
  let physicalEntry: bigint | undefined;
  for (let i = 0; i < phnum; i++) {
    const at = Number(phoff) + i * phentsize;
    if (view.getUint32(at, true) !== PT_LOAD) continue;
    const [offset, vaddr, paddr, filesz, memsz] = [8, 16, 24, 32, 40].map((o) => view.getBigUint64(at + o, true)) as [bigint, bigint, bigint, bigint, bigint];
    check(offset + filesz <= BigInt(file.length), `segment ${i} is truncated: it ends at byte ${offset + filesz} of ${file.length}`);
    check(filesz <= memsz, `segment ${i} is larger in the file than in memory`);
    check(paddr + memsz <= 1n << 64n, `segment ${i} wraps around the address space`);
    if (entry >= vaddr && entry < vaddr + memsz) physicalEntry ??= entry - vaddr + paddr;
    if (memsz > 0n) segments.push({ physicalAddress: paddr, bytes: file.subarray(Number(offset), Number(offset + filesz)), memorySize: memsz });
  }
  if (segments.length === 0) throw axError('InvalidExecutable', 'ELF: nothing to load');
  return { machine: MACHINES[machine] ?? `machine ${machine}`, entry: physicalEntry ?? entry, segments };
}
