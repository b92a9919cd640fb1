/** Physical memory as a processor sees it: windows on linear memory, and what answers outside of them. */
import type { Machine } from './machine.ts';

/** A part of linear memory that a processor sees as main memory. `pa`, `size`, `offset` are multiples of 4096. */
export interface RamWindow {
  /** First physical address, below 2^53. */
  readonly pa: number;
  /** Size in bytes. */
  readonly size: number;
  /** Byte offset of `pa` in linear memory. */
  readonly offset: number;
}

/** What lies at physical addresses outside all RAM windows. `size` is 1, 2, 4 or 8; accesses are aligned. */
export interface PhysBus {
  /** The value, zero-extended; undefined if nothing answers. */
  read(pa: number | bigint, size: number): bigint | undefined;
  /** False if nothing answers. */
  write(pa: number | bigint, size: number, value: bigint): boolean;
}

/** Place in linear memory of `size` bytes at a physical address, or -1 if no memory is there. */
export function placeIn(ram: readonly RamWindow[], pa: number, size: number = 1): number {
  // Walks of page tables ask for every entry: there is no iterator.
  for (let i = 0; i < ram.length; i++) {
    const window = ram[i] as RamWindow;
    const distance = pa - window.pa;
    if (distance >= 0 && distance + size <= window.size) return window.offset + distance;
  }
  return -1;
}

/** A machine's accesses to devices, by a bus. */
export function busAccess(bus: PhysBus | undefined, view: () => DataView): Pick<Machine, 'deviceRead' | 'deviceWrite'> {
  return {
    deviceRead: (pa, size, place) => {
      const value = bus?.read(pa, size);
      if (value === undefined) return false;
      view().setBigUint64(place, value, true);
      return true;
    },
    deviceWrite: (pa, size, place) => bus?.write(pa, size, BigInt.asUintN(8 * size, view().getBigUint64(place, true))) ?? false,
  };
}
