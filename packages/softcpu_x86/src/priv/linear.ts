/**
 * Linear memory as system instructions and event delivery access it: descriptor tables and TSS by implicit supervisor accesses, stacks and operands as the
 * privilege level says. What fails aborts the instruction.
 */
import { MMU } from '../state.ts';
import { ABORT } from './abort.ts';
import { CR4, SEG, V } from './fields.ts';
import { Access, Permission } from './interface.ts';
import type { Paging } from './paging.ts';
import type { Physical } from './physical.ts';
import { slot, type Registers } from './registers.ts';
import { Flag } from '../state.ts';

/** Entries of the cache of translations to RAM; a power of two. */
const ENTRIES = 256;
const EMPTY = -1;

/** Data breakpoints. */
interface Watch {
  readonly onData: boolean;
  data(lo: number, hi: number, size: number, write: boolean): void;
}

/** Reads and writes of 1, 2, 4 and 8 bytes. */
export class Linear {
  /** High word of the last read. */
  hi = 0;
  private readonly tags = new Float64Array(ENTRIES).fill(EMPTY);
  /** By entry, and the one in force: address spaces are entered so often that forgetting them all must not take long. */
  private readonly generations = new Int32Array(ENTRIES);
  private generation = 0;
  private readonly places = new Float64Array(ENTRIES);
  private readonly regs: Registers;
  private readonly paging: Paging;
  private readonly physical: Physical;
  /** Told before an access of data, where there are data breakpoints. */
  watch: Watch | undefined;

  constructor(regs: Registers, paging: Paging, physical: Physical) {
    this.regs = regs;
    this.paging = paging;
    this.physical = physical;
    regs.translations.flushed = () => this.forget();
  }

  private forget(): void {
    this.generation = (this.generation + 1) | 0;
    if (this.generation === 0) this.tags.fill(EMPTY);
  }

  /** How an explicit access at privilege level `cpl` is checked. */
  mmu(cpl: number): number {
    if (cpl === 3) return MMU.user;
    const { regs } = this;
    return (regs.sys[slot.cr4]! & CR4.SMAP) !== 0 && (regs.systemFlags & Flag.AC) === 0 ? MMU.supervisorSmap : MMU.supervisor;
  }

  /** Low word; {@link hi} is the high one. */
  read(lo: number, hi: number, size: number, mmu: number): number {
    if ((lo & 0xfff) + size > 4096) return this.readCrossing(lo, hi, size, mmu);
    if (this.watch?.onData === true) this.watch.data(lo, hi, size, false);
    const place = this.place(lo, hi, Access.load, mmu);
    const { physical } = this;
    const value = place >= 0 ? physical.load(place, size) : physical.read(this.physicalAddress, size);
    this.hi = physical.hi;
    return value;
  }

  write(lo: number, hi: number, size: number, mmu: number, valueLo: number, valueHi: number): void {
    if ((lo & 0xfff) + size > 4096) {
      this.writeCrossing(lo, hi, size, mmu, valueLo, valueHi);
      return;
    }
    if (this.watch?.onData === true) this.watch.data(lo, hi, size, true);
    const place = this.place(lo, hi, Access.store, mmu);
    if (place >= 0) this.physical.store(place, size, valueLo, valueHi);
    else this.physical.write(this.physicalAddress, size, valueLo, valueHi);
  }

  /**
   * Index among the words of linear memory of `size` bytes that are pushed, the last quadword first; -1 where that must be done one by one: they are not in one
   * page, not aligned, no RAM, or watched. There may be code: that has been taken care of.
   */
  pushed(lo: number, hi: number, size: number, mmu: number): number {
    if ((lo & 0xfff) + size > 4096 || (lo & 7) !== 0 || this.watch?.onData === true) return -1;
    const last = this.place(lo + size - 8, hi, Access.store, mmu);
    if (last < 0) return -1;
    const place = last - (size - 8);
    this.regs.host.stored(place, size);
    return place >> 2;
  }

  /** Reads words in a row from an address that is a multiple of 8, an even number of them. */
  readWords(lo: number, hi: number, mmu: number, target: Int32Array, at: number, count: number): void {
    const { physical, regs } = this;
    for (let done = 0; done < count; ) {
      const from = this.end(lo, hi, 4 * done);
      const fromHi = this.endHi;
      const some = Math.min(count - done, (4096 - (from & 0xfff)) >> 2);
      if (this.watch?.onData === true) this.watch.data(from, fromHi, 4 * some, false);
      const place = this.place(from, fromHi, Access.load, mmu);
      if (place >= 0) {
        const { words } = regs;
        for (let i = 0; i < some; i++) target[at + done + i] = words[(place >> 2) + i]!;
      } else {
        for (let i = 0; i < some; i += 2) {
          target[at + done + i] = physical.read(this.physicalAddress + 4 * i, 8);
          target[at + done + i + 1] = physical.hi;
        }
      }
      done += some;
    }
  }

  /** The same of writes. */
  writeWords(lo: number, hi: number, mmu: number, source: Int32Array, at: number, count: number): void {
    const { physical, regs } = this;
    for (let done = 0; done < count; ) {
      const to = this.end(lo, hi, 4 * done);
      const toHi = this.endHi;
      const some = Math.min(count - done, (4096 - (to & 0xfff)) >> 2);
      if (this.watch?.onData === true) this.watch.data(to, toHi, 4 * some, true);
      const place = this.place(to, toHi, Access.store, mmu);
      if (place >= 0) {
        regs.host.stored(place, 4 * some);
        const { words } = regs;
        for (let i = 0; i < some; i++) words[(place >> 2) + i] = source[at + done + i]!;
      } else {
        for (let i = 0; i < some; i += 2) physical.write(this.physicalAddress + 4 * i, 8, source[at + done + i]!, source[at + done + i + 1]!);
      }
      done += some;
    }
  }

  /** Checks that `size` bytes (less than a page) could be written, without writing them. */
  probeWrite(lo: number, hi: number, size: number, mmu: number): void {
    this.place(lo, hi, Access.store, mmu);
    const end = this.end(lo, hi, size - 1);
    if ((lo & 0xfff) + size > 4096) this.place(end, this.endHi, Access.store, mmu);
  }

  private physicalAddress = 0;
  private endHi = 0;

  /** Offset in linear memory, or -1 if it is no RAM ({@link physicalAddress}). */
  private place(lo: number, hi: number, access: Access, mmu: number): number {
    // Bits 47:12 and the kind: below 2^53. Addresses of one page that differ above bit 47 are not canonical but one.
    const store = access === Access.store ? 1 : 0;
    const tag = ((hi & 0x1ff_ffff) * 0x10_0000 + (lo >>> 12)) * 8 + mmu * 2 + store;
    const i = ((lo >>> 12) ^ (lo >>> 20) ^ (mmu << 6) ^ (store << 5)) & (ENTRIES - 1);
    if (this.tags[i] === tag && this.generations[i] === this.generation) return this.places[i]! + (lo & 0xfff);
    const pa = this.paging.translate(lo, hi, access, mmu);
    if (pa < 0) throw ABORT;
    this.physicalAddress = pa;
    const place = this.physical.place(pa, 1);
    if (place >= 0 && (this.paging.permissions & (store !== 0 ? Permission.write : Permission.read)) !== 0) {
      this.tags[i] = tag;
      this.generations[i] = this.generation;
      this.places[i] = place - (lo & 0xfff);
    }
    return place;
  }

  private end(lo: number, hi: number, distance: number): number {
    const sum = (lo >>> 0) + distance;
    this.endHi = sum > 0xffff_ffff && this.regs.long ? (hi + 1) | 0 : hi;
    return sum | 0;
  }

  private readCrossing(lo: number, hi: number, size: number, mmu: number): number {
    let low = 0;
    let high = 0;
    for (let i = 0; i < size; i++) {
      const at = this.end(lo, hi, i);
      const byte = this.read(at, this.endHi, 1, mmu);
      if (i < 4) low |= byte << (8 * i);
      else high |= byte << (8 * (i - 4));
    }
    this.hi = high;
    return low;
  }

  /** Both pages are translated before anything is written. */
  private writeCrossing(lo: number, hi: number, size: number, mmu: number, valueLo: number, valueHi: number): void {
    this.probeWrite(lo, hi, size, mmu);
    for (let i = 0; i < size; i++) {
      const at = this.end(lo, hi, i);
      this.write(at, this.endHi, 1, mmu, i < 4 ? valueLo >>> (8 * i) : valueHi >>> (8 * (i - 4)), 0);
    }
  }

  // ── operands in segments ──

  private linearLo = 0;
  private linearHi = 0;

  /** Linear address of `size` bytes at an offset in a segment, checked as the mode demands; #GP(0) or #SS(0). */
  address(segment: number, lo: number, hi: number, size: number, write: boolean): void {
    const { regs } = this;
    const vector = segment === SEG.ss ? V.SS : V.GP;
    if (regs.code64) {
      let baseLo = 0;
      let baseHi = 0;
      if (segment >= SEG.fs) {
        baseLo = regs.baseLo(segment);
        baseHi = regs.baseHi(segment);
      }
      const sum = (lo >>> 0) + (baseLo >>> 0);
      this.linearLo = sum | 0;
      this.linearHi = (hi + baseHi + (sum > 0xffff_ffff ? 1 : 0)) | 0;
      if (!canonical(this.linearHi, regs.cr4)) regs.fault.raise(vector, 0);
      return;
    }
    if (!this.inSegment(segment, lo >>> 0, size, write)) regs.fault.raise(vector, 0);
    this.linearLo = (lo + regs.baseLo(segment)) | 0;
    this.linearHi = 0;
  }

  /** Whether a segment lets `size` bytes at an offset be read or written (SDM vol. 3, 5.3 and 5.5). */
  private inSegment(segment: number, offset: number, size: number, write: boolean): boolean {
    const { regs } = this;
    const rights = regs.rights[segment]!;
    const limit = regs.limits[segment]!;
    const last = offset + size - 1;
    if (!regs.real) {
      if ((rights & 0x1_0000) !== 0) return false;
      const code = (rights & 8) !== 0;
      if (write ? code || (rights & 2) === 0 : code && (rights & 2) === 0) return false;
    }
    if ((rights & 0xc) === 4) return offset > limit && last <= ((rights & 0x4000) !== 0 ? 0xffff_ffff : 0xffff);
    return last <= limit;
  }

  /** Reads an operand at the current privilege level. */
  load(segment: number, lo: number, hi: number, size: number): number {
    this.address(segment, lo, hi, size, false);
    return this.read(this.linearLo, this.linearHi, size, this.mmu(this.regs.cpl));
  }

  /** Writes an operand at the current privilege level. */
  store(segment: number, lo: number, hi: number, size: number, valueLo: number, valueHi: number): void {
    this.address(segment, lo, hi, size, true);
    this.write(this.linearLo, this.linearHi, size, this.mmu(this.regs.cpl), valueLo, valueHi);
  }

  /** Linear address of the last {@link address}. */
  get atLo(): number {
    return this.linearLo;
  }

  get atHi(): number {
    return this.linearHi;
  }
}

/** Whether an address is canonical, by its high word. */
export function canonical(hi: number, cr4: number): boolean {
  const sign = hi >> ((cr4 & CR4.LA57) !== 0 ? 24 : 15);
  return sign === 0 || sign === -1;
}

/**
 * Whether registers that hold addresses for later use take one: MSRs, bases, debug registers. They go by the width that the processor has, 57 bits,
 * whatever CR4.LA57 says.
 */
export function storable(hi: number): boolean {
  return canonical(hi, CR4.LA57);
}
