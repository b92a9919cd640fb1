/** The VMCB in memory (APM vol. 2, appendix B), and moving segments between it and the processor. */
import { VmcbSegment, fromVmcbAttributes, toVmcbAttributes } from '@axvisor/axvisor_api/arch/x86';
import { toBigint, type Registers } from '../registers.ts';

export class VmcbView {
  /** Byte offset in linear memory. */
  place = 0;
  private readonly regs: Registers;

  constructor(regs: Registers) {
    this.regs = regs;
  }

  lo(offset: number): number {
    return this.regs.words[(this.place + offset) >> 2]!;
  }

  hi(offset: number): number {
    return this.regs.words[((this.place + offset) >> 2) + 1]!;
  }

  get(offset: number): bigint {
    return toBigint(this.lo(offset), this.hi(offset));
  }

  set(offset: number, lo: number, hi = 0): void {
    const at = (this.place + offset) >> 2;
    this.regs.words[at] = lo;
    this.regs.words[at + 1] = hi;
  }

  set32(offset: number, value: number): void {
    this.regs.words[(this.place + offset) >> 2] = value;
  }

  byte(offset: number): number {
    return this.regs.view.getUint8(this.place + offset);
  }

  setByte(offset: number, value: number): void {
    this.regs.view.setUint8(this.place + offset, value);
  }

  /** A bit of a 4-byte field. */
  has(offset: number, bit: number): boolean {
    return (this.lo(offset) & bit) !== 0;
  }

  loadSegment(segment: number, offset: number): void {
    const { view } = this.regs;
    const at = this.place + offset;
    this.regs.setSegment(
      segment,
      view.getUint16(at + VmcbSegment.selector, true),
      view.getInt32(at + VmcbSegment.base, true),
      view.getInt32(at + VmcbSegment.base + 4, true),
      view.getUint32(at + VmcbSegment.limit, true),
      fromVmcbAttributes(view.getUint16(at + VmcbSegment.attributes, true)),
    );
  }

  saveSegment(segment: number, offset: number): void {
    const { regs } = this;
    const { view } = regs;
    const at = this.place + offset;
    view.setUint16(at + VmcbSegment.selector, regs.selector(segment), true);
    view.setUint16(at + VmcbSegment.attributes, toVmcbAttributes(regs.rights[segment]!), true);
    view.setUint32(at + VmcbSegment.limit, regs.limits[segment]!, true);
    view.setInt32(at + VmcbSegment.base, regs.baseLo(segment), true);
    view.setInt32(at + VmcbSegment.base + 4, regs.baseHi(segment), true);
  }
}
