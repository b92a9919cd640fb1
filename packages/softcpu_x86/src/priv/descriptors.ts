/** Segment and gate descriptors: reading them from GDT and LDT, and their fields (SDM vol. 3, 3.4.5 and 5.8). */
import { MMU } from '../state.ts';
import { AR, SEG, V } from './fields.ts';
import type { Linear } from './linear.ts';
import { slot, type Registers } from './registers.ts';

/** A descriptor as it was read, and where: 8 bytes, or 16 for system descriptors in long mode. */
export class Descriptor {
  lo = 0;
  hi = 0;
  /** Third word: bits 63:32 of a base or an offset. */
  upper = 0;
  /** Linear address. */
  atLo = 0;
  atHi = 0;

  /** Access rights as the VMCS holds them. */
  get rights(): number {
    return (this.hi >>> 8) & 0xf0ff;
  }

  get type(): number {
    return (this.hi >>> 8) & 15;
  }

  /** A code or data segment: S = 1. */
  get isSegment(): boolean {
    return (this.hi & 0x1000) !== 0;
  }

  get isCode(): boolean {
    return (this.hi & 0x1800) === 0x1800;
  }

  get conforming(): boolean {
    return (this.hi & 0x400) !== 0;
  }

  /** Bit 9: writable data, readable code. */
  get accessible(): boolean {
    return (this.hi & 0x200) !== 0;
  }

  get dpl(): number {
    return (this.hi >>> 13) & 3;
  }

  get present(): boolean {
    return (this.hi & 0x8000) !== 0;
  }

  get long(): boolean {
    return (this.hi & 0x20_0000) !== 0;
  }

  get big(): boolean {
    return (this.hi & 0x40_0000) !== 0;
  }

  get base(): number {
    return (this.hi & 0xff00_0000) | ((this.hi & 0xff) << 16) | (this.lo >>> 16);
  }

  get limit(): number {
    const limit = (this.hi & 0xf_0000) | (this.lo & 0xffff);
    return (this.hi & 0x80_0000) !== 0 ? ((limit << 12) | 0xfff) >>> 0 : limit;
  }

  /** Of a gate. */
  get gateSelector(): number {
    return this.lo >>> 16;
  }

  get gateOffset(): number {
    return (this.hi & 0xffff_0000) | (this.lo & 0xffff);
  }
}

/** Reads descriptors of the current tables. */
export class DescriptorTables {
  private readonly regs: Registers;
  private readonly linear: Linear;

  constructor(regs: Registers, linear: Linear) {
    this.regs = regs;
    this.linear = linear;
  }

  /** Whether a selector is null. */
  static isNull(selector: number): boolean {
    return (selector & 0xfffc) === 0;
  }

  /**
   * Reads the descriptor of a selector that is not null.
   *
   * @returns false if the selector is beyond its table's limit, or the LDT is unusable
   */
  read(selector: number, into: Descriptor): boolean {
    const { regs } = this;
    const offset = selector & 0xfff8;
    const local = (selector & 4) !== 0;
    if (local && regs.unusable(SEG.ldtr)) return false;
    if (offset + 7 > (local ? regs.limits[SEG.ldtr]! : regs.gdtrLimit)) return false;
    const baseLo = local ? regs.baseLo(SEG.ldtr) : regs.sys[slot.gdtrBase]!;
    const baseHi = local ? regs.baseHi(SEG.ldtr) : regs.sys[slot.gdtrBase + 1]!;
    this.at(into, baseLo, baseHi, offset);
    return true;
  }

  /** {@link read}, or an exception with the selector (and `ext`, bit 0) as error code. */
  fetch(selector: number, into: Descriptor, vector: number = V.GP, ext = 0): void {
    if (!this.read(selector, into)) this.regs.fault.raise(vector, (selector & 0xfffc) | ext);
  }

  /** Reads 8 bytes at an offset from a base. */
  at(into: Descriptor, baseLo: number, baseHi: number, offset: number): void {
    const { linear } = this;
    const sum = (baseLo >>> 0) + offset;
    into.atLo = sum | 0;
    into.atHi = this.regs.long ? (baseHi + (sum > 0xffff_ffff ? 1 : 0)) | 0 : 0;
    into.lo = linear.read(into.atLo, into.atHi, 8, MMU.implicit);
    into.hi = linear.hi;
    into.upper = 0;
  }

  /** Reads the upper half of a 16-byte descriptor of long mode; false if the table ends before, or its type field is not 0. */
  readUpper(selector: number, into: Descriptor): boolean {
    const { regs, linear } = this;
    const local = (selector & 4) !== 0;
    if ((selector & 0xfff8) + 15 > (local ? regs.limits[SEG.ldtr]! : regs.gdtrLimit)) return false;
    into.upper = linear.read((into.atLo + 8) | 0, into.atLo >>> 0 > 0xffff_fff7 ? into.atHi + 1 : into.atHi, 8, MMU.implicit);
    return (linear.hi & 0x1f00) === 0;
  }

  /** Sets bits of the descriptor's type (accessed, busy) in memory. */
  setType(descriptor: Descriptor, bits: number): void {
    const byte = ((descriptor.hi >>> 8) & 0xff) | bits;
    if (byte === ((descriptor.hi >>> 8) & 0xff)) return;
    descriptor.hi |= bits << 8;
    this.linear.write(descriptor.atLo + 5, descriptor.atHi, 1, MMU.implicit, byte, 0);
  }

  /** Clears bits of the type, in memory only. */
  clearType(descriptor: Descriptor, bits: number): void {
    this.linear.write(descriptor.atLo + 5, descriptor.atHi, 1, MMU.implicit, ((descriptor.hi >>> 8) & 0xff) & ~bits, 0);
  }

  /** Loads a segment register from a descriptor whose checks passed, marking it accessed. */
  load(segment: number, selector: number, descriptor: Descriptor): void {
    if (descriptor.isSegment) this.setType(descriptor, 1);
    this.regs.setSegment(segment, selector, descriptor.base, descriptor.upper, descriptor.limit, descriptor.rights);
  }

  /** Loads a null selector: unusable. In long mode a null SS keeps its privilege level. */
  loadNull(segment: number, selector: number): void {
    this.regs.setSegment(segment, selector, 0, 0, 0, AR.unusable | ((selector & 3) << 5));
  }
}
