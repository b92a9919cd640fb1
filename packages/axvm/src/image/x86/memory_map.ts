/** The memory map that boot protocols hand over: RAM, and what systems may not use (ACPI 6.5, 15: types of the E820 interface). */
import type { RamRegion } from '../placement.ts';

export const MemoryType = { ram: 1, reserved: 2 } as const;

export interface MemoryRange extends RamRegion {
  readonly type: number;
}

/** The extended BIOS data area, and the area of video memory, option ROMs and firmware up to 1 MiB. */
const HOLE = { base: 0x9_fc00n, end: 0x10_0000n } as const;

/** RAM without the hole below 1 MiB, and `reserved`, in the order of addresses. */
export function memoryMap(ram: readonly RamRegion[], reserved: readonly RamRegion[]): MemoryRange[] {
  const ranges: MemoryRange[] = [];
  for (const { base, size } of ram) {
    const end = base + size;
    const pieces = [[base, end < HOLE.base ? end : HOLE.base], [base > HOLE.end ? base : HOLE.end, end]] as const;
    for (const [from, to] of pieces) if (from < to) ranges.push({ base: from, size: to - from, type: MemoryType.ram });
  }
  ranges.push({ base: HOLE.base, size: HOLE.end - HOLE.base, type: MemoryType.reserved });
  for (const { base, size } of reserved) ranges.push({ base, size, type: MemoryType.reserved });
  return ranges.sort((a, b) => (a.base < b.base ? -1 : 1));
}
