/** Far JMP, CALL, RET and IRET: code segments, call gates, tasks, stack switches, virtual-8086 mode (SDM vol. 2; vol. 3, 5.8 and 21.2). */
import { Flag, MMU } from '../state.ts';
import { Descriptor, DescriptorTables } from './descriptors.ts';
import { AR, CR4, SEG, SYS, V } from './fields.ts';
import { TaskSource, type GuestMode } from './guest.ts';
import type { SystemInsn } from './interface.ts';
import { canonical, type Linear } from './linear.ts';
import type { Registers } from './registers.ts';
import type { Segments } from './segments.ts';
import { Stack } from './stack.ts';
import type { Tasks } from './tasks.ts';
import type { Tss } from './tss.ts';

/** Flags that IRET and POPF may change besides IF, IOPL, VM, VIF and VIP. */
const COMMON: number = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.TF | Flag.DF | Flag.OF | Flag.NT | Flag.RF | Flag.AC | Flag.ID;

export class Transfers {
  guest: GuestMode | undefined;
  private readonly regs: Registers;
  private readonly linear: Linear;
  private readonly segments: Segments;
  private readonly tables: DescriptorTables;
  private readonly tss: Tss;
  private readonly tasks: Tasks;
  private readonly stack: Stack;
  private readonly code = new Descriptor();
  private readonly inner = new Descriptor();

  constructor(regs: Registers, linear: Linear, segments: Segments, tss: Tss, tasks: Tasks) {
    this.regs = regs;
    this.linear = linear;
    this.segments = segments;
    this.tables = segments.tables;
    this.tss = tss;
    this.tasks = tasks;
    this.stack = new Stack(regs, linear);
  }

  /** Far JMP or CALL to `selector`:`offset`. */
  far(call: boolean, selector: number, lo: number, hi: number, insn: SystemInsn): void {
    const { regs, code } = this;
    const { fault } = regs;
    if (regs.real) {
      this.farReal(call, selector, lo, insn);
      return;
    }
    if (DescriptorTables.isNull(selector)) fault.raise(V.GP, 0);
    this.tables.fetch(selector, code);
    if (!code.isSegment) {
      this.throughSystem(call, selector, insn);
      return;
    }
    this.checkTarget(selector, code, false);
    this.checkOffset(code, lo, hi);
    if (call) this.pushReturn(insn.opSize, insn.length, code.long && regs.long);
    this.enter(selector, code, regs.cpl, lo, hi);
  }

  private farReal(call: boolean, selector: number, lo: number, insn: SystemInsn): void {
    const { regs } = this;
    if (lo >>> 0 > regs.limits[SEG.cs]!) regs.fault.raise(V.GP, 0);
    if (call) this.pushReturn(insn.opSize, insn.length, false);
    this.segments.loadReal(SEG.cs, selector);
    regs.modeChanged();
    regs.setRip(lo, 0);
  }

  /** CS and RIP behind the instruction, on the current stack. */
  private pushReturn(size: number, length: number, wide: boolean): void {
    const { regs, stack } = this;
    const lo = (regs.ripLo() + length) | 0;
    const hi = regs.code64 ? regs.ripHi() + (lo >>> 0 < length ? 1 : 0) : 0;
    const bytes = wide && size === 8 ? 8 : size;
    stack.begin();
    stack.push(bytes, regs.selector(SEG.cs), 0);
    stack.push(bytes, lo, hi);
    stack.commit();
  }

  /** Checks a code segment that JMP, CALL (directly) or a gate names. */
  private checkTarget(selector: number, code: Descriptor, gate: boolean): void {
    const { regs } = this;
    const { fault, cpl } = regs;
    const error = selector & 0xfffc;
    if (!code.isCode) fault.raise(V.GP, error);
    if (code.conforming ? code.dpl > cpl : code.dpl !== cpl || (!gate && (selector & 3) > cpl)) fault.raise(V.GP, error);
    this.checkSize(selector, code);
  }

  private checkSize(selector: number, code: Descriptor): void {
    const { fault, long } = this.regs;
    if (long && code.long && code.big) fault.raise(V.GP, selector & 0xfffc);
    if (!code.present) fault.raise(V.NP, selector & 0xfffc);
  }

  private checkOffset(code: Descriptor, lo: number, hi: number): void {
    const { regs } = this;
    const bad = regs.long && code.long ? !canonical(hi, regs.cr4) : lo >>> 0 > code.limit || (hi !== 0 && regs.long);
    if (bad) regs.fault.raise(V.GP, 0);
  }

  /** Loads CS at privilege level `cpl` and goes to the offset. */
  private enter(selector: number, code: Descriptor, cpl: number, lo: number, hi: number): void {
    const { regs } = this;
    this.tables.load(SEG.cs, (selector & ~3) | cpl, code);
    regs.cpl = cpl;
    regs.modeChanged();
    regs.setRip(lo, hi);
  }

  /** Through a call gate, task gate or TSS. */
  private throughSystem(call: boolean, selector: number, insn: SystemInsn): void {
    const { regs, code: gate } = this;
    const { fault, cpl, long } = regs;
    const error = selector & 0xfffc;
    const { type } = gate;
    const isGate = type === SYS.callGate || (!long && (type === SYS.callGate16 || type === SYS.taskGate));
    const isTss = !long && (type === SYS.tss || type === SYS.tss16 || type === SYS.tssBusy || type === SYS.tss16Busy);
    if (!isGate && !isTss) fault.raise(V.GP, error);
    if (gate.dpl < cpl || gate.dpl < (selector & 3)) fault.raise(V.GP, error);
    if (isTss || type === SYS.taskGate) {
      if (!gate.present) fault.raise(V.NP, error);
      this.toTask(isTss ? selector : gate.gateSelector, call ? TaskSource.call : TaskSource.jump, insn);
      return;
    }
    if (!gate.present) fault.raise(V.NP, error);
    this.throughGate(call, selector, insn);
  }

  private toTask(selector: number, source: TaskSource, insn: SystemInsn): void {
    const { regs } = this;
    this.tasks.check(selector, source, 0);
    this.guest?.taskSwitch(selector, source, false, 0, insn.length);
    this.tasks.switch(selector, source, (regs.ripLo() + insn.length) | 0, 0);
  }

  private throughGate(call: boolean, gateSelector: number, insn: SystemInsn): void {
    const { regs, stack, tss } = this;
    const { fault, long } = regs;
    const gate = this.code;
    const wide = gate.type === SYS.callGate;
    const selector = gate.gateSelector;
    const offset = wide ? gate.gateOffset : gate.gateOffset & 0xffff;
    const count = long ? 0 : gate.hi & 31;
    let offsetHi = 0;
    if (long) {
      if (!this.tables.readUpper(gateSelector, gate)) fault.raise(V.GP, gateSelector & 0xfffc);
      offsetHi = gate.upper;
    }
    if (DescriptorTables.isNull(selector)) fault.raise(V.GP, 0);
    const code = this.inner;
    this.tables.fetch(selector, code);
    const error = selector & 0xfffc;
    if (!code.isCode || code.dpl > regs.cpl) fault.raise(V.GP, error);
    if (!call && !code.conforming && code.dpl !== regs.cpl) fault.raise(V.GP, error);
    if (long && (!code.long || code.big)) fault.raise(V.GP, error);
    if (!code.present) fault.raise(V.NP, error);
    const size = long ? 8 : wide ? 4 : 2;
    if (!call || code.conforming || code.dpl === regs.cpl) {
      this.checkOffset(code, offset, offsetHi);
      if (call) this.pushReturn(size, insn.length, long);
      this.enter(selector, code, regs.cpl, offset, offsetHi);
      return;
    }
    // A call to an inner privilege level switches stacks.
    const cpl = code.dpl;
    const oldSs = regs.selector(SEG.ss);
    const oldCs = regs.selector(SEG.cs);
    const spLo = regs.lo(4);
    const spHi = regs.hi(4);
    const returnLo = (regs.ripLo() + insn.length) | 0;
    const returnHi = regs.code64 ? regs.ripHi() + (returnLo >>> 0 < insn.length ? 1 : 0) : 0;
    if (long) {
      const lo = tss.stack64(cpl, 0, 0);
      const hi = tss.spHi;
      if (!canonical(hi, regs.cr4)) fault.raise(V.SS, 0);
      this.checkOffset(code, offset, offsetHi);
      stack.switchTo64(lo, hi, cpl, 0);
      for (const [low, high] of [[oldSs, 0], [spLo, spHi], [oldCs, 0], [returnLo, returnHi]] as const) stack.push(8, low, high);
      regs.setSegment(SEG.ss, cpl, 0, 0, 0, AR.unusable | (cpl << 5));
      stack.commit();
      this.enter(selector, code, cpl, offset, offsetHi);
      return;
    }
    const sp = tss.stack(cpl, 0);
    const { ss } = tss;
    const d = new Descriptor();
    if (DescriptorTables.isNull(ss)) fault.raise(V.TS, 0);
    this.tables.fetch(ss, d, V.TS);
    this.segments.checkStack(ss, d, cpl, V.TS, 0);
    this.checkOffset(code, offset, 0);
    stack.begin();
    const parameters = new Int32Array(count);
    for (let i = 0; i < count; i++) parameters[i] = stack.peek(i * size, size);
    stack.switchTo(d.base, d.limit, d.rights, cpl, sp, ss & 0xfffc);
    stack.push(size, oldSs, 0);
    stack.push(size, spLo, 0);
    for (let i = count - 1; i >= 0; i--) stack.push(size, parameters[i]!, 0);
    stack.push(size, oldCs, 0);
    stack.push(size, returnLo, 0);
    this.tables.load(SEG.ss, ss, d);
    regs.cpl = cpl;
    stack.commit();
    this.enter(selector, code, cpl, offset, 0);
  }

  /** Far RET; `count` more bytes of parameters are released. */
  ret(size: number, count: number): void {
    const { regs, stack } = this;
    stack.begin();
    const lo = stack.pop(size);
    const hi = stack.hi;
    const selector = stack.pop(size) & 0xffff;
    if (regs.real) {
      if (lo >>> 0 > regs.limits[SEG.cs]!) regs.fault.raise(V.GP, 0);
      stack.move(count);
      stack.commit();
      this.segments.loadReal(SEG.cs, selector);
      regs.modeChanged();
      regs.setRip(lo, 0);
      return;
    }
    this.returnTo(selector, lo, hi, size, count, undefined);
  }

  /** The checks and loads that RET and IRET have in common. Without `flags`: RET. The stack is begun, and popped up to CS or, for IRET, RFLAGS. */
  private returnTo(selector: number, lo: number, hi: number, size: number, count: number, flags: number | undefined): void {
    const { regs, stack, code } = this;
    const { fault, cpl } = regs;
    const iret = flags !== undefined;
    const error = selector & 0xfffc;
    if (DescriptorTables.isNull(selector)) fault.raise(V.GP, 0);
    this.tables.fetch(selector, code);
    const rpl = selector & 3;
    if (!code.isCode || rpl < cpl || (code.conforming ? code.dpl > rpl : code.dpl !== rpl)) fault.raise(V.GP, error);
    this.checkSize(selector, code);
    const to64 = regs.long && code.long;
    stack.move(count);
    const outer = rpl > cpl;
    if (!outer && !(iret && regs.code64)) {
      this.checkOffset(code, lo, hi);
      stack.commit();
      this.tables.load(SEG.cs, selector, code);
    } else {
      const spLo = stack.pop(size);
      const spHi = stack.hi;
      const ss = stack.pop(size) & 0xffff;
      const d = this.inner;
      const nullSs = DescriptorTables.isNull(ss);
      if (nullSs) {
        if (!to64 || rpl === 3 || (ss & 3) !== rpl) fault.raise(V.GP, 0);
      } else {
        this.tables.fetch(ss, d);
        this.segments.checkStack(ss, d, rpl, V.GP, 0);
      }
      this.checkOffset(code, lo, hi);
      if (nullSs) this.tables.loadNull(SEG.ss, ss);
      else this.tables.load(SEG.ss, ss, d);
      this.tables.load(SEG.cs, selector, code);
      // How much of the outer level's stack pointer counts depends on the new segments.
      const sp = (spLo >>> 0) + count;
      if (to64) regs.setGpr(4, sp | 0, size === 8 ? spHi + (sp > 0xffff_ffff ? 1 : 0) : 0);
      else if ((regs.rights[SEG.ss]! & AR.DB) !== 0) regs.setGpr(4, sp | 0, 0);
      else regs.setGpr(4, (regs.lo(4) & ~0xffff) | (sp & 0xffff), regs.hi(4));
    }
    regs.cpl = rpl;
    if (iret) this.restoreFlags(flags, size, cpl);
    if (outer) this.segments.dropPrivileged();
    regs.modeChanged();
    regs.setRip(lo, hi);
  }

  /** Flags popped by IRET at privilege level `cpl`; {@link Registers.modeChanged} must follow. */
  private restoreFlags(flags: number, size: number, cpl: number): void {
    const { regs } = this;
    let mask: number = COMMON;
    if (size === 2) mask &= 0xffff;
    if (cpl <= regs.iopl || !regs.protectedMode) mask |= Flag.IF;
    if (cpl === 0) mask |= Flag.IOPL | (size === 2 ? 0 : Flag.VIF | Flag.VIP);
    regs.flags = (regs.flags & ~mask) | (flags & mask) | 2;
  }

  iret(size: number, insn: SystemInsn): void {
    const { regs, stack } = this;
    const { fault } = regs;
    if (!regs.protectedMode) {
      this.iretReal(size);
      return;
    }
    if (regs.v86) {
      this.iretV86(size);
      return;
    }
    if ((regs.systemFlags & Flag.NT) !== 0) {
      if (regs.long) fault.raise(V.GP, 0);
      const link = this.linear.read(regs.baseLo(SEG.tr), 0, 2, MMU.implicit);
      this.toTask(link, TaskSource.iret, insn);
      return;
    }
    stack.begin();
    const lo = stack.pop(size);
    const hi = stack.hi;
    const selector = stack.pop(size) & 0xffff;
    const flags = stack.pop(size);
    if (!regs.long && size === 4 && (flags & Flag.VM) !== 0 && regs.cpl === 0) {
      this.toV86(lo, selector, flags);
      return;
    }
    this.returnTo(selector, lo, hi, size, 0, flags);
  }

  private iretReal(size: number): void {
    const { regs, stack } = this;
    stack.begin();
    const ip = stack.pop(size);
    const selector = stack.pop(size) & 0xffff;
    const flags = stack.pop(size);
    if (ip >>> 0 > regs.limits[SEG.cs]!) regs.fault.raise(V.GP, 0);
    stack.commit();
    this.segments.loadReal(SEG.cs, selector);
    const mask = size === 2 ? 0x7fd5 : 0x0025_7fd5;
    regs.flags = (regs.flags & ~mask) | (flags & mask) | 2;
    regs.modeChanged();
    regs.setRip(ip, 0);
  }

  /** IRET in virtual-8086 mode: IOPL 3, or CR4.VME with a 16-bit operand (SDM vol. 3, 21.3.1). */
  private iretV86(size: number): void {
    const { regs, stack } = this;
    const { fault } = regs;
    const virtual = regs.iopl < 3;
    if (virtual && ((regs.cr4 & CR4.VME) === 0 || size !== 2)) fault.raise(V.GP, 0);
    stack.begin();
    const ip = stack.pop(size);
    const selector = stack.pop(size) & 0xffff;
    const flags = stack.pop(size);
    if (ip >>> 0 > 0xffff) fault.raise(V.GP, 0);
    let result = regs.flags;
    if (virtual) {
      if ((flags & Flag.TF) !== 0 || ((flags & Flag.IF) !== 0 && (result & Flag.VIP) !== 0)) fault.raise(V.GP, 0);
      const mask = COMMON & 0xffff;
      result = (result & ~(mask | Flag.VIF)) | (flags & mask) | ((flags & Flag.IF) !== 0 ? Flag.VIF : 0);
    } else {
      const mask = (COMMON | Flag.IF) & (size === 2 ? 0xffff : -1);
      result = (result & ~mask) | (flags & mask);
    }
    stack.commit();
    this.segments.loadReal(SEG.cs, selector);
    regs.flags = result | 2;
    regs.modeChanged();
    regs.setRip(ip, 0);
  }

  /** IRET from privilege level 0 to virtual-8086 mode. */
  private toV86(ip: number, cs: number, flags: number): void {
    const { regs, stack } = this;
    const sp = stack.pop(4);
    const selectors: number[] = [];
    for (let i = 0; i < 5; i++) selectors.push(stack.pop(4) & 0xffff);
    const [ss, es, ds, fs, gs] = selectors as [number, number, number, number, number];
    regs.flags = (flags & (COMMON | Flag.IF | Flag.IOPL | Flag.VM | Flag.VIF | Flag.VIP)) | 2;
    regs.cpl = 3;
    const order: readonly (readonly [number, number])[] = [[SEG.es, es], [SEG.cs, cs], [SEG.ss, ss], [SEG.ds, ds], [SEG.fs, fs], [SEG.gs, gs]];
    for (const [segment, selector] of order) regs.setSegment(segment, selector, selector << 4, 0, 0xffff, 0xf3);
    regs.setGpr(4, sp, 0);
    regs.modeChanged();
    regs.setRip(ip & 0xffff, 0);
  }
}
