/** Reads ELF64 little-endian executables (System V ABI, "Object Files"): segments by physical address, and symbols. */

export interface ElfSegment {
  /** p_paddr. */
  readonly physical: number;
  readonly bytes: Uint8Array;
  /** p_memsz: what lies behind `bytes` is zero. */
  readonly size: number;
}

export interface Elf {
  readonly entry: bigint;
  readonly segments: readonly ElfSegment[];
  /** Symbols and sections by name: their addresses. A symbol wins over a section. */
  readonly symbols: ReadonlyMap<string, bigint>;
}

const EM_RISCV = 243;
const PT_LOAD = 1;
const SHT_SYMTAB = 2;

/** @throws {RangeError} it is not an ELF64 executable for RISC-V. */
export function parseElf(file: Uint8Array): Elf {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const u16 = (at: number): number => view.getUint16(at, true);
  const u32 = (at: number): number => view.getUint32(at, true);
  const u64 = (at: number): bigint => view.getBigUint64(at, true);
  const offset = (at: number): number => Number(u64(at));
  if (u32(0) !== 0x464c457f || file[4] !== 2 || file[5] !== 1 || u16(18) !== EM_RISCV) throw new RangeError('not an ELF64 file for RISC-V');
  const text = (at: number): string => {
    let end = at;
    while (file[end] !== 0) end++;
    return String.fromCharCode(...file.subarray(at, end));
  };

  const segments: ElfSegment[] = [];
  for (let i = 0, at = offset(32); i < u16(56); i++, at += u16(54)) {
    if (u32(at) !== PT_LOAD) continue;
    const start = offset(at + 8);
    segments.push({ physical: offset(at + 24), bytes: file.subarray(start, start + offset(at + 32)), size: offset(at + 40) });
  }

  const symbols = new Map<string, bigint>();
  const sections = offset(40);
  const section = (i: number): number => sections + i * u16(58);
  const count = u16(60);
  const names = count === 0 ? 0 : offset(section(u16(62)) + 24);
  for (let i = 0; i < count; i++) symbols.set(text(names + u32(section(i))), u64(section(i) + 16));
  for (let i = 0; i < count; i++) {
    const at = section(i);
    if (u32(at + 4) !== SHT_SYMTAB) continue;
    const strings = offset(section(u32(at + 40)) + 24);
    for (let symbol = offset(at + 24), end = symbol + offset(at + 32); symbol < end; symbol += 24) {
      const name = text(strings + u32(symbol));
      if (name !== '') symbols.set(name, u64(symbol + 8));
    }
  }
  return { entry: u64(24), segments, symbols };
}
