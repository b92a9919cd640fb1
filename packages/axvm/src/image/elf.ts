/** Reads ELF executables of 64 and 32 bits (System V ABI, chapters 4 and 5) as far as loading needs. */
import { axError, ensure } from '@axvisor/axvisor_api/errors';

const PT_LOAD = 1;
const PT_NOTE = 4;
/** Owners that anyone asks about are shorter. */
const OWNER_MAX = 16;
const MACHINES: Readonly<Record<number, string>> = { 3: 'i386', 62: 'x86_64', 183: 'aarch64', 243: 'riscv64' };

/** Offsets that the two classes do not share: in the file header, then in a program header. */
interface Layout {
  readonly headerSize: number;
  readonly phoff: number;
  readonly phentsize: number;
  readonly entrySize: number;
  /** Of p_offset, p_vaddr, p_paddr, p_filesz, p_memsz. */
  readonly fields: readonly number[];
  word(view: DataView, at: number): bigint;
}

const CLASSES: Readonly<Record<number, Layout>> = {
  1: { headerSize: 52, phoff: 28, phentsize: 42, entrySize: 32, fields: [4, 8, 12, 16, 20], word: (view, at) => BigInt(view.getUint32(at, true)) },
  2: { headerSize: 64, phoff: 32, phentsize: 54, entrySize: 56, fields: [8, 16, 24, 32, 40], word: (view, at) => view.getBigUint64(at, true) },
};

/** A loadable segment: file bytes at a physical address, zeros up to `memorySize`. */
export interface ElfSegment {
  readonly physicalAddress: bigint;
  readonly bytes: Uint8Array;
  readonly memorySize: bigint;
}

/** An entry of a note segment. */
export interface ElfNote {
  readonly owner: string;
  readonly type: number;
  readonly description: Uint8Array;
}

export interface ElfImage {
  /** The architecture by our names, or the number. */
  readonly machine: string;
  /** A file of 64 bits, not 32. */
  readonly is64: boolean;
  /** Physical address of the entry point. */
  readonly entry: bigint;
  readonly segments: readonly ElfSegment[];
  readonly notes: readonly ElfNote[];
}

export const isElf = (file: Uint8Array): boolean => file[0] === 0x7f && file[1] === 0x45 && file[2] === 0x4c && file[3] === 0x46;

const check = (condition: boolean, what: string): void => ensure(condition, 'InvalidExecutable', `ELF: ${what}`);

/** @throws {AxError} InvalidExecutable saying what is wrong */
export function readElf(file: Uint8Array): ElfImage {
  const layout = CLASSES[file[4] ?? 0];
  check(isElf(file) && file.length >= (layout?.headerSize ?? 64), 'the header is incomplete');
  if (layout === undefined) throw axError('InvalidExecutable', `ELF: class ${file[4]} is neither 32 nor 64 bits`);
  check(file[5] === 1, 'not little-endian');
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const machine = view.getUint16(18, true);
  const entry = layout.word(view, 24);
  const phoff = layout.word(view, layout.phoff);
  const phentsize = view.getUint16(layout.phentsize, true);
  const phnum = view.getUint16(layout.phentsize + 2, true);
  check(phnum > 0, 'no program headers');
  check(phentsize >= layout.entrySize && phoff + BigInt(phnum * phentsize) <= BigInt(file.length), 'the program headers are truncated');
  const segments: ElfSegment[] = [];
  const notes: ElfNote[] = [];
  let physicalEntry: bigint | undefined;
  for (let i = 0; i < phnum; i++) {
    const at = Number(phoff) + i * phentsize;
    const type = view.getUint32(at, true);
    if (type !== PT_LOAD && type !== PT_NOTE) continue;
    const [offset, vaddr, paddr, filesz, memsz] = layout.fields.map((o) => layout.word(view, at + o)) as [bigint, bigint, bigint, bigint, bigint];
    check(offset + filesz <= BigInt(file.length), `segment ${i} is truncated: it ends at byte ${offset + filesz} of ${file.length}`);
    const bytes = file.subarray(Number(offset), Number(offset + filesz));
    if (type === PT_NOTE) {
      notes.push(...readNotes(bytes));
      continue;
    }
    check(filesz <= memsz, `segment ${i} is larger in the file than in memory`);
    check(paddr + memsz <= 1n << 64n, `segment ${i} wraps around the address space`);
    if (entry >= vaddr && entry < vaddr + memsz) physicalEntry ??= entry - vaddr + paddr;
    if (memsz > 0n) segments.push({ physicalAddress: paddr, bytes, memorySize: memsz });
  }
  if (segments.length === 0) throw axError('InvalidExecutable', 'ELF: nothing to load');
  return { machine: MACHINES[machine] ?? `machine ${machine}`, is64: file[4] === 2, entry: physicalEntry ?? entry, segments, notes };
}

/** Notes are padded to words in files of both classes. What is cut off is not read. */
function readNotes(bytes: Uint8Array): ElfNote[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const padded = (n: number): number => (n + 3) & ~3;
  const notes: ElfNote[] = [];
  for (let at = 0; at + 12 <= bytes.length; ) {
    const [nameSize, size, type] = [view.getUint32(at, true), view.getUint32(at + 4, true), view.getUint32(at + 8, true)] as const;
    const description = at + 12 + padded(nameSize);
    const end = description + padded(size);
    if (nameSize > bytes.length || size > bytes.length || description + size > bytes.length) break;
    const owner = String.fromCharCode(...bytes.subarray(at + 12, at + 12 + Math.min(OWNER_MAX, Math.max(0, nameSize - 1))));
    notes.push({ owner, type, description: bytes.subarray(description, description + size) });
    at = end;
  }
  return notes;
}
