/** Hardware task switches between 16- and 32-bit TSSs (SDM vol. 3, 8.3). */
import { Flag, MMU } from '../state.ts';
import { Descriptor, DescriptorTables } from './descriptors.ts';
import { AR, CR0, CR4, DR6, SEG, SYS, V } from './fields.ts';
import { TaskSource } from './guest.ts';
import type { Linear } from './linear.ts';
import type { Paging } from './paging.ts';
import { slot, type Registers } from './registers.ts';
import type { Segments } from './segments.ts';

/** Offsets in a TSS: link, CR3, instruction pointer, flags, registers, segments, LDT; and bytes of a register. */
const LAYOUT = {
  wide: { size: 4, limit: 103, cr3: 28, ip: 32, flags: 36, registers: 40, segments: 72, ldt: 96, names: [SEG.es, SEG.cs, SEG.ss, SEG.ds, SEG.fs, SEG.gs] },
  narrow: { size: 2, limit: 43, cr3: -1, ip: 14, flags: 16, registers: 18, segments: 34, ldt: 42, names: [SEG.es, SEG.cs, SEG.ss, SEG.ds] },
} as const;

export class Tasks {
  private readonly regs: Registers;
  private readonly linear: Linear;
  private readonly paging: Paging;
  private readonly segments: Segments;
  private readonly target = new Descriptor();
  private readonly other = new Descriptor();

  constructor(regs: Registers, linear: Linear, paging: Paging, segments: Segments) {
    this.regs = regs;
    this.linear = linear;
    this.paging = paging;
    this.segments = segments;
  }

  private read(base: number, offset: number, size: number): number {
    return this.linear.read((base + offset) | 0, 0, size, MMU.implicit);
  }

  private write(base: number, offset: number, size: number, value: number): void {
    this.linear.write((base + offset) | 0, 0, size, MMU.implicit, value, 0);
  }

  /** Reads and checks the TSS descriptor of a switch. IRET faults with #TS, all others with #GP. */
  check(selector: number, source: TaskSource, ext: number): Descriptor {
    const { regs, target } = this;
    const error = (selector & 0xfffc) | ext;
    const vector = source === TaskSource.iret ? V.TS : V.GP;
    if (DescriptorTables.isNull(selector)) regs.fault.raise(vector, ext);
    if ((selector & 4) !== 0) regs.fault.raise(vector, error);
    this.segments.tables.fetch(selector, target, vector, ext);
    const busy = source === TaskSource.iret ? 2 : 0;
    if (target.isSegment || (target.type !== (SYS.tss16 | busy) && target.type !== (SYS.tss | busy))) regs.fault.raise(vector, error);
    if (!target.present) regs.fault.raise(V.NP, error);
    if (target.limit < ((target.type & 8) !== 0 ? LAYOUT.wide : LAYOUT.narrow).limit) regs.fault.raise(V.TS, error);
    return target;
  }

  /**
   * Switches to the task of `selector`; `nextIp` is where the old task goes on. Faults up to the commit point belong to the old task, later ones to the
   * new one.
   */
  switch(selector: number, source: TaskSource, nextIp: number, ext: number): void {
    const { regs, segments } = this;
    const { tables } = segments;
    const target = this.check(selector, source, ext);
    const layout = (target.type & 8) !== 0 ? LAYOUT.wide : LAYOUT.narrow;
    const { size } = layout;
    const { base } = target;
    const old = (regs.rights[SEG.tr]! & 8) !== 0 ? LAYOUT.wide : LAYOUT.narrow;
    const oldBase = regs.baseLo(SEG.tr);
    const oldSelector = regs.trSelector;

    // The new task's state is read before anything is written, so that most faults find the old task as it was.
    const values = new Int32Array(8);
    const selectors = new Int32Array(6);
    const cr3 = layout.cr3 < 0 ? 0 : this.read(base, layout.cr3, 4);
    const ip = this.read(base, layout.ip, size);
    let flags = this.read(base, layout.flags, size);
    for (let i = 0; i < 8; i++) values[i] = this.read(base, layout.registers + i * size, size);
    layout.names.forEach((segment, i) => (selectors[segment] = this.read(base, layout.segments + i * size, 2)));
    const ldt = this.read(base, layout.ldt, 2);
    this.linear.probeWrite((oldBase + old.ip) | 0, 0, old.limit - old.ip, MMU.implicit);

    if (source === TaskSource.jump || source === TaskSource.iret) {
      tables.fetch(oldSelector, this.other, V.TS, 0);
      tables.clearType(this.other, 2);
    }
    let oldFlags = regs.flags;
    if (source === TaskSource.iret) oldFlags &= ~Flag.NT;
    this.write(oldBase, old.ip, old.size, nextIp);
    this.write(oldBase, old.flags, old.size, oldFlags);
    for (let i = 0; i < 8; i++) this.write(oldBase, old.registers + i * old.size, old.size, regs.lo(i));
    old.names.forEach((segment, i) => this.write(oldBase, old.segments + i * old.size, 2, regs.selector(segment)));
    const nested = source === TaskSource.call || source === TaskSource.gate;
    if (nested) {
      this.write(base, 0, 2, oldSelector);
      flags |= Flag.NT;
    }
    if (source !== TaskSource.iret) tables.setType(target, 2);
    regs.setSegment(SEG.tr, selector, base, 0, target.limit, target.rights | 2);
    regs.sys[slot.cr0] = regs.sys[slot.cr0]! | CR0.TS;

    // The commit point: from here on faults are the new task's.
    if (layout.cr3 >= 0 && (regs.cr0 & CR0.PG) !== 0) {
      if ((regs.cr4 & CR4.PAE) !== 0 && this.paging.loadPdptes(cr3) !== true) regs.fault.raise(V.GP, 0);
      regs.set('cr3', cr3, 0);
      regs.translations.flush();
    }
    for (let i = 0; i < 8; i++) regs.setSized(i, size, values[i]!, 0);
    if (size === 2) flags = (regs.flags & ~0xffff) | (flags & 0xffff);
    regs.flags = (flags & 0x003f_7fd5) | 2;
    regs.sys[slot.dr7] = regs.sys[slot.dr7]! & ~0x55;
    const v86 = (flags & Flag.VM) !== 0;
    for (let i = 0; i < 6; i++) regs.setSegment(i, selectors[i]!, v86 ? selectors[i]! << 4 : 0, 0, v86 ? 0xffff : 0, v86 ? 0xf3 : AR.unusable);
    regs.setSegment(SEG.ldtr, ldt, 0, 0, 0, AR.unusable);
    regs.cpl = v86 ? 3 : selectors[SEG.cs]! & 3;
    regs.modeChanged();
    regs.setRip(ip, 0);
    this.loadLdt(ldt, ext);
    if (!v86) this.loadSegments(selectors, ext);
    regs.modeChanged();
    regs.setRip(ip, 0);
    if (ip >>> 0 > regs.limits[SEG.cs]!) regs.fault.raise(V.GP, ext);
    if (layout.cr3 >= 0 && (this.read(base, 100, 2) & 1) !== 0) regs.pendingDebug |= DR6.BT;
  }

  private loadLdt(selector: number, ext: number): void {
    const { regs, other } = this;
    if (DescriptorTables.isNull(selector)) return;
    const error = (selector & 0xfffc) | ext;
    if ((selector & 4) !== 0 || !this.segments.tables.read(selector, other) || other.isSegment || other.type !== SYS.ldt || !other.present) {
      regs.fault.raise(V.TS, error);
    }
    this.segments.tables.load(SEG.ldtr, selector, other);
  }

  private loadSegments(selectors: Int32Array, ext: number): void {
    const { regs, other } = this;
    const { tables } = this.segments;
    const { fault, cpl } = regs;
    const cs = selectors[SEG.cs]!;
    if (DescriptorTables.isNull(cs)) fault.raise(V.TS, ext);
    tables.fetch(cs, other, V.TS, ext);
    const csError = (cs & 0xfffc) | ext;
    if (!other.isCode || (other.conforming ? other.dpl > cpl : other.dpl !== cpl)) fault.raise(V.TS, csError);
    if (!other.present) fault.raise(V.NP, csError);
    tables.load(SEG.cs, cs, other);
    const ss = selectors[SEG.ss]!;
    if (DescriptorTables.isNull(ss)) fault.raise(V.TS, ext);
    tables.fetch(ss, other, V.TS, ext);
    this.segments.checkStack(ss, other, cpl, V.TS, ext);
    tables.load(SEG.ss, ss, other);
    for (const segment of [SEG.es, SEG.ds, SEG.fs, SEG.gs]) {
      const selector = selectors[segment]!;
      if (DescriptorTables.isNull(selector)) {
        tables.loadNull(segment, selector);
        continue;
      }
      tables.fetch(selector, other, V.TS, ext);
      const error = (selector & 0xfffc) | ext;
      const hidden = !(other.isCode && other.conforming) && ((selector & 3) > other.dpl || cpl > other.dpl);
      if (!other.isSegment || (other.isCode && !other.accessible) || hidden) fault.raise(V.TS, error);
      if (!other.present) fault.raise(V.NP, error);
      tables.load(segment, selector, other);
    }
  }
}
