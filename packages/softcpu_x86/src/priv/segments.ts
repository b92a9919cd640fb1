/** Loading and examining segment registers and descriptor tables: MOV, POP, LDS …, LLDT, LTR, LGDT, LIDT, VERR, VERW, LAR, LSL (SDM vol. 2; vol. 3, chapter 5). */
import { Descriptor, DescriptorTables } from './descriptors.ts';
import { AR, SEG, SYS, V } from './fields.ts';
import { storable, type Linear } from './linear.ts';
import { slot, type Registers } from './registers.ts';

/** System descriptor types that LAR and LSL accept, one bit each: outside and inside IA-32e mode. */
const LAR_TYPES = 0b0001_1010_0011_1110;
const LAR_TYPES_LONG = 0b0001_1010_0000_0100;
const LSL_TYPES = 0b0000_1010_0000_1110;
const LSL_TYPES_LONG = 0b0000_1010_0000_0100;

/** Segment registers of one logical processor, as software loads them. */
export class Segments {
  readonly tables: DescriptorTables;
  private readonly regs: Registers;
  private readonly linear: Linear;
  private readonly descriptor = new Descriptor();

  constructor(regs: Registers, linear: Linear) {
    this.regs = regs;
    this.linear = linear;
    this.tables = new DescriptorTables(regs, linear);
  }

  /** Loads ES, SS, DS, FS or GS; {@link Registers.modeChanged} must follow. */
  load(segment: number, selector: number): void {
    const { regs } = this;
    if (regs.real) {
      this.loadReal(segment, selector);
      return;
    }
    if (DescriptorTables.isNull(selector)) {
      if (segment === SEG.ss && (!regs.code64 || regs.cpl === 3 || (selector & 3) !== regs.cpl)) regs.fault.raise(V.GP, 0);
      this.tables.loadNull(segment, selector);
      return;
    }
    const { descriptor } = this;
    this.tables.fetch(selector, descriptor);
    if (segment === SEG.ss) this.checkStack(selector, descriptor, regs.cpl, V.GP, 0);
    else this.checkData(selector, descriptor);
    this.tables.load(segment, selector, descriptor);
  }

  /** In real-address mode the limit and the rights stay (SDM vol. 3, 21.1.1); in virtual-8086 mode they are fixed. */
  loadReal(segment: number, selector: number): void {
    const { regs } = this;
    if (regs.v86) regs.setSegment(segment, selector, selector << 4, 0, 0xffff, 0xf3);
    else {
      regs.setSelector(segment, selector);
      regs.setBase(segment, selector << 4, 0);
      if (segment === SEG.cs) {
        // A limit beyond 1 MiB has the granularity of pages, in whatever mode it was loaded; VM entries insist on that.
        regs.rights[segment] = 0x9b | (regs.rights[segment]! & 0x8000);
        regs.limits[segment] = Math.max(regs.limits[segment]!, 0xffff);
      } else if (regs.unusable(segment)) regs.setSegment(segment, selector, selector << 4, 0, 0xffff, 0x93);
    }
  }

  /** Checks a stack segment for privilege level `cpl`. */
  checkStack(selector: number, d: Descriptor, cpl: number, vector: number, ext: number): void {
    const { fault } = this.regs;
    if ((selector & 3) !== cpl || !d.isSegment || d.isCode || !d.accessible || d.dpl !== cpl) fault.raise(vector, (selector & 0xfffc) | ext);
    if (!d.present) fault.raise(V.SS, (selector & 0xfffc) | ext);
  }

  private checkData(selector: number, d: Descriptor): void {
    const { fault, cpl } = this.regs;
    const error = selector & 0xfffc;
    if (!d.isSegment || (d.isCode && !d.accessible)) fault.raise(V.GP, error);
    if (!(d.isCode && d.conforming) && ((selector & 3) > d.dpl || cpl > d.dpl)) fault.raise(V.GP, error);
    if (!d.present) fault.raise(V.NP, error);
  }

  /** After a return to a less privileged level: what it may not use becomes null, but for its base, as in processors: kernels rely on that of GS. */
  dropPrivileged(): void {
    const { regs } = this;
    for (const segment of [SEG.es, SEG.ds, SEG.fs, SEG.gs]) {
      const rights = regs.rights[segment]!;
      if ((rights & AR.unusable) !== 0) continue;
      const conforming = (rights & 12) === 12;
      if (conforming || regs.dpl(segment) >= regs.cpl) continue;
      regs.setSelector(segment, 0);
      regs.limits[segment] = 0;
      regs.rights[segment] = AR.unusable;
    }
  }

  lldt(selector: number): void {
    const { regs, tables, descriptor } = this;
    if (DescriptorTables.isNull(selector)) {
      tables.loadNull(SEG.ldtr, selector);
      return;
    }
    const error = selector & 0xfffc;
    if ((selector & 4) !== 0) regs.fault.raise(V.GP, error);
    tables.fetch(selector, descriptor);
    if (descriptor.isSegment || descriptor.type !== SYS.ldt) regs.fault.raise(V.GP, error);
    if (!descriptor.present) regs.fault.raise(V.NP, error);
    if (regs.long && !(tables.readUpper(selector, descriptor) && storable(descriptor.upper))) regs.fault.raise(V.GP, error);
    tables.load(SEG.ldtr, selector, descriptor);
  }

  ltr(selector: number): void {
    const { regs, tables, descriptor } = this;
    const error = selector & 0xfffc;
    if (DescriptorTables.isNull(selector)) regs.fault.raise(V.GP, 0);
    if ((selector & 4) !== 0) regs.fault.raise(V.GP, error);
    tables.fetch(selector, descriptor);
    const available = descriptor.type === SYS.tss || (descriptor.type === SYS.tss16 && !regs.long);
    if (descriptor.isSegment || !available) regs.fault.raise(V.GP, error);
    if (!descriptor.present) regs.fault.raise(V.NP, error);
    if (regs.long && !(tables.readUpper(selector, descriptor) && storable(descriptor.upper))) regs.fault.raise(V.GP, error);
    tables.setType(descriptor, 2);
    tables.load(SEG.tr, selector, descriptor);
  }

  /** LGDT, LIDT: the operand is 2 bytes of limit and a base of 3, 4 or 8. */
  loadTable(idt: boolean, segment: number, lo: number, hi: number, opSize: number): void {
    const { regs, linear } = this;
    const limit = linear.load(segment, lo, hi, 2);
    const baseAt = (lo >>> 0) + 2;
    const baseHi = regs.code64 ? (hi + (baseAt > 0xffff_ffff ? 1 : 0)) | 0 : 0;
    let base = linear.load(segment, baseAt | 0, baseHi, regs.code64 ? 8 : 4);
    let upper = linear.hi;
    if (!regs.code64) {
      upper = 0;
      if (opSize === 2) base &= 0xff_ffff;
    } else if (!storable(upper)) {
      regs.fault.raise(V.GP, 0);
    }
    regs.set(idt ? 'idtrBase' : 'gdtrBase', base, upper);
    if (idt) regs.idtrLimit = limit;
    else regs.gdtrLimit = limit;
  }

  /** SGDT, SIDT. */
  storeTable(idt: boolean, segment: number, lo: number, hi: number): void {
    const { regs, linear } = this;
    const at = idt ? slot.idtrBase : slot.gdtrBase;
    const baseAt = (lo >>> 0) + 2;
    linear.store(segment, lo, hi, 2, idt ? regs.idtrLimit : regs.gdtrLimit, 0);
    const baseHi = regs.code64 ? (hi + (baseAt > 0xffff_ffff ? 1 : 0)) | 0 : 0;
    linear.store(segment, baseAt | 0, baseHi, regs.code64 ? 8 : 4, regs.sys[at]!, regs.sys[at + 1]!);
  }

  /** VERR, VERW: ZF. */
  verify(selector: number, write: boolean): boolean {
    const d = this.descriptor;
    if (DescriptorTables.isNull(selector) || !this.tables.read(selector, d) || !d.isSegment) return false;
    if (write ? d.isCode || !d.accessible : d.isCode && !d.accessible) return false;
    return (d.isCode && d.conforming) || this.visible(selector, d);
  }

  private visible(selector: number, d: Descriptor): boolean {
    return d.dpl >= this.regs.cpl && d.dpl >= (selector & 3);
  }

  /** LAR: the access rights, or -1 with ZF clear. */
  accessRights(selector: number): number {
    const d = this.descriptor;
    if (!this.inspect(selector, LAR_TYPES, LAR_TYPES_LONG)) return -1;
    return d.hi & 0x00f0_ff00;
  }

  /** LSL: the limit, or -1 with ZF clear. */
  segmentLimit(selector: number): number {
    return this.inspect(selector, LSL_TYPES, LSL_TYPES_LONG) ? this.descriptor.limit : -1;
  }

  private inspect(selector: number, types: number, typesLong: number): boolean {
    const d = this.descriptor;
    if (DescriptorTables.isNull(selector) || !this.tables.read(selector, d)) return false;
    if (!d.isSegment && (((this.regs.long ? typesLong : types) >>> d.type) & 1) === 0) return false;
    if (!d.isSegment && this.regs.long && !this.tables.readUpper(selector, d)) return false;
    return (d.isCode && d.conforming) || this.visible(selector, d);
  }
}
