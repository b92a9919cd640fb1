/** Physical memory as the privileged architecture reads and writes it: RAM windows, and the bus outside them. Everything is little-endian. */
import { placeIn, type RamWindow } from '@axvisor/softcpu';
import type { PhysBus, PrivilegedOptions } from './interface.ts';
import { toBigint, type Registers } from './registers.ts';

/** Reads and writes by physical address. What is not RAM and nobody answers reads as ones. */
export class Physical {
  /** High word of the last {@link read64}. */
  hi = 0;
  private readonly regs: Registers;
  readonly ram: readonly RamWindow[];
  private readonly bus: PhysBus | undefined;

  constructor(regs: Registers, options: PrivilegedOptions) {
    this.regs = regs;
    this.ram = options.ram;
    this.bus = options.bus;
  }

  /** The linear memory. */
  get words(): Int32Array {
    return this.regs.words;
  }

  /** Byte offset in linear memory of `size` bytes of RAM, or -1. */
  place(pa: number, size: number): number {
    return placeIn(this.ram, pa, size);
  }

  /** Low word of 8 bytes at `pa`, a multiple of 8, that others may replace at any time; {@link hi} is the high one. */
  read64(pa: number): number {
    const place = this.place(pa, 8);
    if (place < 0) return this.readBus(pa, 8);
    const { words, shared } = this.regs;
    const at = place >> 2;
    if (!shared) {
      this.hi = words[at + 1]!;
      return words[at]!;
    }
    for (;;) {
      const lo = Atomics.load(words, at);
      this.hi = Atomics.load(words, at + 1);
      if (Atomics.load(words, at) === lo) return lo;
    }
  }

  read32(pa: number): number {
    const place = this.place(pa, 4);
    return place < 0 ? this.readBus(pa, 4) : this.regs.view.getInt32(place, true);
  }

  /** `size` bytes, up to 8, as {@link read64}. */
  read(pa: number, size: number): number {
    const place = this.place(pa, size);
    if (place < 0) return this.readBus(pa, size);
    return this.load(place, size);
  }

  /** `size` bytes (1, 2, 4, 8) of linear memory; {@link hi} is the high word. */
  load(place: number, size: number): number {
    const { view } = this.regs;
    this.hi = 0;
    if (size === 1) return view.getUint8(place);
    if (size === 2) return view.getUint16(place, true);
    if (size === 8) this.hi = view.getInt32(place + 4, true);
    return view.getInt32(place, true);
  }

  /** Writes `size` bytes (1, 2, 4, 8) of linear memory. */
  store(place: number, size: number, lo: number, hi: number): void {
    const { view, host } = this.regs;
    host.stored(place, size);
    if (size === 1) view.setUint8(place, lo);
    else if (size === 2) view.setUint16(place, lo, true);
    else view.setInt32(place, lo, true);
    if (size === 8) view.setInt32(place + 4, hi, true);
  }

  write(pa: number, size: number, lo: number, hi: number): void {
    const place = this.place(pa, size);
    if (place >= 0) this.store(place, size, lo, hi);
    else this.bus?.write(pa, size, BigInt.asUintN(8 * size, toBigint(lo, hi)));
  }

  /** Sets bits of the low word at `pa` if it is still what was read; false if another processor changed it. */
  update(pa: number, old: number, value: number): boolean {
    const place = this.place(pa, 4);
    if (place < 0) return true;
    const { words, host, shared } = this.regs;
    host.stored(place, 4);
    if (!shared) {
      words[place >> 2] = value;
      return true;
    }
    return Atomics.compareExchange(words, place >> 2, old, value) === old;
  }

  private readBus(pa: number, size: number): number {
    const value = this.bus?.read(pa, size) ?? -1n;
    this.hi = size === 8 ? Number(BigInt.asIntN(32, value >> 32n)) : 0;
    return size < 4 ? Number(BigInt.asUintN(8 * size, value)) : Number(BigInt.asIntN(32, value));
  }
}
