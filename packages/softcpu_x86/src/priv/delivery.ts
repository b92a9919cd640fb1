/**
 * The way into the handler of an event, through the IVT or IDT: real-address, protected, virtual-8086 and long mode (SDM vol. 3, chapter 6 and 21.1.4; vol. 2,
 * INT n).
 */
import { Flag, MMU } from '../state.ts';
import { Descriptor, DescriptorTables } from './descriptors.ts';
import { AR, CR4, EVENT, SEG, SYS, V } from './fields.ts';
import { TaskSource, type GuestMode } from './guest.ts';
import { canonical, type Linear } from './linear.ts';
import { slot, type Registers } from './registers.ts';
import type { Segments } from './segments.ts';
import { Stack } from './stack.ts';
import type { Tasks } from './tasks.ts';
import type { Tss } from './tss.ts';

export class Delivery {
  private readonly owner: { readonly guest: GuestMode | undefined };
  private readonly regs: Registers;
  private readonly linear: Linear;
  private readonly segments: Segments;
  private readonly tss: Tss;
  private readonly stack: Stack;
  private readonly tasks: Tasks;
  /** What is pushed in long mode: error code, RIP, CS, RFLAGS, RSP, SS. */
  private readonly frame = new Int32Array(12);
  private readonly frameWithoutError: Int32Array = this.frame.subarray(2);
  private readonly gate = new Descriptor();
  private readonly code = new Descriptor();
  private readonly stackSegment = new Descriptor();

  constructor(owner: { readonly guest: GuestMode | undefined }, regs: Registers, linear: Linear, segments: Segments, tss: Tss, tasks: Tasks) {
    this.owner = owner;
    this.regs = regs;
    this.linear = linear;
    this.segments = segments;
    this.tss = tss;
    this.tasks = tasks;
    this.stack = new Stack(regs, linear);
  }

  /** By the interrupt vector table of real-address mode. */
  real(vector: number, ip: number, flags: number): void {
    const { regs, linear, stack } = this;
    if (vector * 4 + 3 > regs.idtrLimit) regs.fault.raise(V.GP, 0);
    const entry = linear.read((regs.sys[slot.idtrBase]! + vector * 4) | 0, 0, 4, MMU.implicit);
    stack.begin();
    stack.push(2, flags, 0);
    stack.push(2, regs.selector(SEG.cs), 0);
    stack.push(2, ip, 0);
    stack.commit();
    regs.systemFlags &= ~(Flag.IF | Flag.TF | Flag.AC | Flag.RF);
    this.segments.loadReal(SEG.cs, entry >>> 16);
    regs.modeChanged();
    regs.setRip(entry & 0xffff, 0);
  }

  /** Reads and checks the gate of a vector; DPL matters for software events only. */
  private fetchGate(vector: number, size: number, ext: number): Descriptor {
    const { regs, gate } = this;
    const { fault } = regs;
    const error = vector * 8 + 2 + ext;
    if (vector * size + size - 1 > regs.idtrLimit) fault.raise(V.GP, error);
    this.segments.tables.at(gate, regs.sys[slot.idtrBase]!, regs.sys[slot.idtrBase + 1]!, vector * size);
    const long = size === 16;
    const { type } = gate;
    const known = type === SYS.interruptGate || type === SYS.trapGate || (!long && (type === SYS.interruptGate16 || type === SYS.trapGate16 || type === SYS.taskGate));
    if (gate.isSegment || !known) fault.raise(V.GP, error);
    if (ext === 0 && gate.dpl < regs.cpl) fault.raise(V.GP, error);
    if (!gate.present) fault.raise(V.NP, error);
    return gate;
  }

  /** The code segment of a gate, checked but for its privilege level. */
  private fetchCode(selector: number, ext: number): Descriptor {
    const { regs, code } = this;
    const { fault } = regs;
    if (DescriptorTables.isNull(selector)) fault.raise(V.GP, ext);
    this.segments.tables.fetch(selector, code, V.GP, ext);
    const error = (selector & 0xfffc) | ext;
    if (!code.isCode || code.dpl > regs.cpl) fault.raise(V.GP, error);
    if (regs.long && (!code.long || code.big)) fault.raise(V.GP, error);
    if (!code.present) fault.raise(V.NP, error);
    return code;
  }

  /** By a gate of long mode; the arguments say what is pushed. */
  long(
    vector: number, ext: number, hasError: boolean, errorCode: number, returnLo: number, returnHi: number, flags: number,
  ): void {
    const { regs, stack, linear, tss } = this;
    const { fault } = regs;
    const gate = this.fetchGate(vector, 16, ext);
    const offset = gate.gateOffset;
    const offsetHi = linear.read((gate.atLo + 8) | 0, gate.atLo >>> 0 > 0xffff_fff7 ? gate.atHi + 1 : gate.atHi, 4, MMU.implicit);
    const selector = gate.gateSelector;
    const ist = gate.hi & 7;
    const trapGate = gate.type === SYS.trapGate;
    const code = this.fetchCode(selector, ext);
    const oldCpl = regs.cpl;
    const cpl = code.conforming ? oldCpl : code.dpl;
    const inner = cpl < oldCpl;
    const oldSs = regs.selector(SEG.ss);
    const rspLo = regs.lo(4);
    const rspHi = regs.hi(4);
    let lo = rspLo;
    let hi = rspHi;
    if (inner || ist !== 0) {
      lo = tss.stack64(cpl, ist, ext);
      hi = tss.spHi;
    }
    if (!canonical(hi, regs.cr4)) fault.raise(V.SS, ext);
    if (!canonical(offsetHi, regs.cr4)) fault.raise(V.GP, ext);
    stack.switchTo64(lo & ~15, hi, cpl, ext);
    const { frame } = this;
    frame[0] = errorCode;
    frame[2] = returnLo;
    frame[3] = returnHi;
    frame[4] = regs.selector(SEG.cs);
    frame[6] = flags;
    frame[8] = rspLo;
    frame[9] = rspHi;
    frame[10] = oldSs;
    stack.pushRow(hasError ? frame : this.frameWithoutError, hasError ? 6 : 5);
    this.segments.tables.load(SEG.cs, (selector & ~3) | cpl, code);
    if (inner) {
      regs.setSegment(SEG.ss, cpl, 0, 0, 0, AR.unusable | (cpl << 5));
    }
    regs.cpl = cpl;
    stack.commit();
    regs.systemFlags &= ~(Flag.TF | Flag.NT | Flag.RF | Flag.VM | (trapGate ? 0 : Flag.IF));
    regs.modeChanged();
    regs.setRip(offset, offsetHi);
  }

  /** By a gate of protected mode, from virtual-8086 mode too. */
  protected(
    vector: number, kind: number, ext: number, hasError: boolean, errorCode: number, returnLo: number, flags: number, length: number,
  ): void {
    const { regs, stack, tss } = this;
    const { fault } = regs;
    const { v86 } = regs;
    if (v86 && kind === EVENT.softInt) {
      if ((regs.cr4 & CR4.VME) !== 0 && !tss.redirected(vector)) {
        this.virtual8086(vector, returnLo, flags);
        return;
      }
      if (regs.iopl < 3) fault.raise(V.GP, 0);
    }
    const gate = this.fetchGate(vector, 8, ext);
    if (gate.type === SYS.taskGate) {
      this.task(gate.gateSelector, ext, hasError, errorCode, kind, returnLo, length);
      return;
    }
    const wide = (gate.type & 8) !== 0;
    const trapGate = (gate.type & 1) !== 0;
    const offset = wide ? gate.gateOffset : gate.gateOffset & 0xffff;
    const selector = gate.gateSelector;
    const code = this.fetchCode(selector, ext);
    const codeError = (selector & 0xfffc) | ext;
    const cpl = code.conforming ? regs.cpl : code.dpl;
    if (v86 && cpl !== 0) fault.raise(V.GP, codeError);
    const size = wide ? 4 : 2;
    const inner = cpl < regs.cpl;
    const oldSs = regs.selector(SEG.ss);
    const oldSp = regs.lo(4);
    let ss = 0;
    if (inner) {
      const sp = tss.stack(cpl, ext);
      ss = tss.ss;
      const d = this.stackSegment;
      if (DescriptorTables.isNull(ss)) fault.raise(V.TS, ext);
      this.segments.tables.fetch(ss, d, V.TS, ext);
      this.segments.checkStack(ss, d, cpl, V.TS, ext);
      stack.switchTo(d.base, d.limit, d.rights, cpl, sp, (ss & 0xfffc) | ext);
      if (offset >>> 0 > code.limit) fault.raise(V.GP, ext);
      if (v86) for (const segment of [SEG.gs, SEG.fs, SEG.ds, SEG.es]) stack.push(size, regs.selector(segment), 0);
      stack.push(size, oldSs, 0);
      stack.push(size, oldSp, 0);
    } else {
      if (offset >>> 0 > code.limit) fault.raise(V.GP, ext);
      stack.begin();
    }
    stack.push(size, flags, 0);
    stack.push(size, regs.selector(SEG.cs), 0);
    stack.push(size, returnLo, 0);
    if (hasError) stack.push(size, errorCode, 0);
    if (v86) for (const segment of [SEG.gs, SEG.fs, SEG.ds, SEG.es]) this.segments.tables.loadNull(segment, 0);
    this.segments.tables.load(SEG.cs, (selector & ~3) | cpl, code);
    if (inner) this.segments.tables.load(SEG.ss, ss, this.stackSegment);
    regs.cpl = cpl;
    stack.commit();
    regs.systemFlags &= ~(Flag.TF | Flag.NT | Flag.RF | Flag.VM | (trapGate ? 0 : Flag.IF));
    regs.modeChanged();
    regs.setRip(offset, 0);
  }

  /** INT n in virtual-8086 mode that goes to the 8086 program's own handler (SDM vol. 3, 21.3.3). */
  private virtual8086(vector: number, ip: number, flags: number): void {
    const { regs, linear, stack } = this;
    const entry = linear.read(vector * 4, 0, 4, linear.mmu(3));
    let pushed = flags | Flag.IOPL;
    if (regs.iopl < 3) pushed = (pushed & ~Flag.IF) | ((flags & Flag.VIF) !== 0 ? Flag.IF : 0);
    stack.begin();
    stack.push(2, pushed, 0);
    stack.push(2, regs.selector(SEG.cs), 0);
    stack.push(2, ip, 0);
    stack.commit();
    regs.systemFlags &= ~(Flag.TF | Flag.NT | (regs.iopl < 3 ? Flag.VIF : Flag.IF));
    this.segments.loadReal(SEG.cs, entry >>> 16);
    regs.modeChanged();
    regs.setRip(entry & 0xffff, 0);
  }

  private task(
    selector: number, ext: number, hasError: boolean, errorCode: number, kind: number, returnLo: number, length: number,
  ): void {
    const { stack } = this;
    const soft = kind >= EVENT.softInt && kind <= EVENT.softException;
    this.tasks.check(selector, TaskSource.gate, ext);
    this.owner.guest?.taskSwitch(selector, TaskSource.gate, hasError, errorCode, soft ? length : 0);
    this.tasks.switch(selector, TaskSource.gate, returnLo, ext);
    if (!hasError) return;
    stack.begin();
    stack.push(this.tss.wide ? 4 : 2, errorCode, 0);
    stack.commit();
  }
}
