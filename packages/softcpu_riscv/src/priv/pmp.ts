/** Physical memory protection (machine chapter, "Physical Memory Protection"): 16 entries of 4-byte grain. */

import { Permission } from './interface.ts';

const R = 1;
const W = 2;
const A_SHIFT = 3;
const A_MASK = 3;
const L = 0x80;
/** Bits 5 and 6 of a configuration byte are reserved. */
const CFG_MASK = 0x9f;
const Mode = { off: 0, tor: 1, na4: 2, napot: 3 } as const;

interface Range {
  readonly start: number;
  readonly end: number;
  /** Permission bits for S- and U-mode. */
  readonly permissions: number;
  /** Permission bits for M-mode: all, unless the entry is locked. */
  readonly machine: number;
}

/** No physical address that is checked reaches this. */
const MEMORY_END = 2 ** 53;

const all = Permission.read | Permission.write | Permission.execute;

/** The PMP entries of a hart and the check against them. */
export class Pmp {
  /** Permissions common to the whole 4 KiB page of the last {@link check}, or 0 if entries divide it. */
  pagePermissions: number = all;

  private readonly cfg: Uint8Array;
  /** pmpaddr: bits 55:2 of an address, as a number (54 bits, so the odd ones above 2^53 are rounded; no RAM is there). */
  private readonly addrLo: Int32Array;
  private readonly addrHi: Int32Array;
  private ranges: readonly Range[] = [];
  /** Every access is permitted: there are no entries, or the first that matches anything is open to all of memory. */
  private open = false;

  readonly entries: number;

  constructor(entries: number) {
    this.entries = entries;
    this.cfg = new Uint8Array(entries);
    this.addrLo = new Int32Array(entries);
    this.addrHi = new Int32Array(entries);
    this.update();
  }

  reset(): void {
    this.cfg.fill(0);
    this.addrLo.fill(0);
    this.addrHi.fill(0);
    this.update();
  }

  /** Low word of pmpaddr`i`. */
  addressLo(i: number): number {
    return this.addrLo[i]!;
  }

  addressHi(i: number): number {
    return this.addrHi[i]!;
  }

  /** Writes pmpaddr`i`, unless its entry is locked, or the next one is a locked TOR entry. */
  writeAddress(i: number, lo: number, hi: number): void {
    const next = this.cfg[i + 1] ?? 0;
    if ((this.cfg[i]! & L) !== 0) return;
    if ((next & L) !== 0 && ((next >> A_SHIFT) & A_MASK) === Mode.tor) return;
    this.addrLo[i] = lo;
    this.addrHi[i] = hi & 0x3f_ffff;
    this.update();
  }

  /** The four configuration bytes from entry `first` on. */
  config(first: number): number {
    return this.cfg[first]! | (this.cfg[first + 1]! << 8) | (this.cfg[first + 2]! << 16) | (this.cfg[first + 3]! << 24);
  }

  /** Writes four configuration bytes; locked entries keep theirs, W without R (reserved) loses W. */
  writeConfig(first: number, value: number): void {
    for (let i = 0; i < 4; i++) {
      if ((this.cfg[first + i]! & L) !== 0) continue;
      const byte = (value >>> (8 * i)) & CFG_MASK;
      this.cfg[first + i] = (byte & R) !== 0 ? byte : byte & ~W;
    }
    this.update();
  }

  /**
   * Checks one access.
   *
   * @param pa physical address, below 2^53
   * @param prv 0, 1 or 3
   * @param need the permission bits it needs
   * @returns whether it may go ahead; {@link pagePermissions} then holds for the page
   */
  check(pa: number, size: number, prv: number, need: number): boolean {
    if (this.open) {
      this.pagePermissions = all;
      return true;
    }
    const end = pa + size;
    const page = pa - (pa % 4096);
    let uniform = true;
    for (const range of this.ranges) {
      if (range.start >= page + 4096 || range.end <= page) continue;
      const covers = range.start <= page && range.end >= page + 4096;
      if (!covers) uniform = false;
      if (range.start >= end || range.end <= pa) continue;
      const permissions = prv === 3 ? range.machine : range.permissions;
      this.pagePermissions = uniform ? permissions : 0;
      return range.start <= pa && range.end >= end && (permissions & need) === need;
    }
    this.pagePermissions = uniform ? all : 0;
    return prv === 3 || this.entries === 0;
  }

  private update(): void {
    const ranges: Range[] = [];
    for (let i = 0; i < this.entries; i++) {
      const cfg = this.cfg[i]!;
      const mode = (cfg >> A_SHIFT) & A_MASK;
      if (mode === Mode.off) continue;
      const [start, end] = mode === Mode.tor ? [i === 0 ? 0 : this.bytes(i - 1), this.bytes(i)] : this.napot(i, mode);
      if (start >= end) continue;
      const permissions = cfg & all;
      ranges.push({ start, end, permissions, machine: (cfg & L) !== 0 ? permissions : all });
    }
    this.ranges = ranges;
    const first = ranges[0];
    this.open =
      this.entries === 0 || (first !== undefined && first.start === 0 && first.end >= MEMORY_END && first.permissions === all && first.machine === all);
  }

  private bytes(i: number): number {
    return ((this.addrHi[i]! >>> 0) * 0x1_0000_0000 + (this.addrLo[i]! >>> 0)) * 4;
  }

  private napot(i: number, mode: number): readonly [number, number] {
    const address = (BigInt(this.addrHi[i]! >>> 0) << 32n) | BigInt(this.addrLo[i]! >>> 0);
    if (mode === Mode.na4) return [Number(address) * 4, Number(address) * 4 + 4];
    // yyy0111 names the 2^(n+3)-byte region whose number is yyy, n being the count of trailing ones.
    const ones = address & ~(address + 1n);
    const start = Number((address & ~ones) * 4n);
    return [start, start + Number(ones + 1n) * 8];
  }
}
