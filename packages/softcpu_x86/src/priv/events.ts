/**
 * Delivery of exceptions and interrupts through the IVT or IDT: real-address, protected, virtual-8086 and long mode, double and triple faults (SDM vol. 3,
 * chapter 6 and 21.1.4; vol. 2, INT n).
 */
import { Flag, MMU } from '../state.ts';
import { ABORT, Fault } from './abort.ts';
import { Descriptor, DescriptorTables } from './descriptors.ts';
import { AR, CR4, DR6, DR7, EVENT, INFO, SEG, SYS, V } from './fields.ts';
import type { DeliveredEvent, GuestMode } from './guest.ts';
import { Status, Waiting } from './interface.ts';
import { canonical, type Linear } from './linear.ts';
import { slot, type Registers } from './registers.ts';
import type { Segments } from './segments.ts';
import { Stack } from './stack.ts';
import type { Tasks } from './tasks.ts';
import { TaskSource } from './guest.ts';
import type { Tss } from './tss.ts';

/** Vectors whose delivery pushes an error code. */
const WITH_ERROR = 0x0002_7d00;
/** Contributory exceptions: #DE, #TS, #NP, #SS, #GP. */
const CONTRIBUTORY = (1 << V.DE) | (1 << V.TS) | (1 << V.NP) | (1 << V.SS) | (1 << V.GP);

export class Events {
  /** The event whose delivery is under way, as IDT-vectoring information: 0 if none. */
  vectoring = 0;
  vectoringError = 0;
  vectoringLength = 0;
  /** Exceptions taken by instructions. */
  taken = 0;
  guest: GuestMode | undefined;

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

  constructor(regs: Registers, linear: Linear, segments: Segments, tss: Tss, tasks: Tasks) {
    this.regs = regs;
    this.linear = linear;
    this.segments = segments;
    this.tss = tss;
    this.tasks = tasks;
    this.stack = new Stack(regs, linear);
  }

  /** Whether an exception has an error code: never in real-address mode. */
  hasError(vector: number): boolean {
    return this.regs.protectedMode && vector < 32 && ((WITH_ERROR >>> vector) & 1) !== 0;
  }

  /**
   * Takes what the fault record describes: an exception of the instruction at PC, a nested fault, or an exit that was completed already. Faults on
   * the way are taken in turn.
   */
  take(): Status {
    const { regs } = this;
    const { fault } = regs;
    if (fault.kind === Fault.exited) {
      fault.clear();
      return Status.leave;
    }
    this.taken++;
    if (fault.kind === Fault.exception && !this.hasError(fault.vector)) fault.errorCode = 0;
    if (fault.kind === Fault.stage2) {
      this.guest?.secondStageFault();
      fault.clear();
      return Status.leave;
    }
    return this.attempt(() => {
      const { vector } = fault;
      this.exception(vector, vector === V.BP || vector === V.OF ? EVENT.softException : EVENT.hardware, fault.errorCode, 0);
    });
  }

  /** Delivers INT n, INT3, INTO or INT1 of the instruction at PC, which is `length` bytes long. */
  software(vector: number, kind: number, length: number): Status {
    this.taken++;
    return this.attempt(() => {
      if (kind === EVENT.softInt) this.deliver(vector, kind, false, 0, length);
      else this.exception(vector, kind, 0, length);
    });
  }

  /** Delivers an external interrupt or NMI before the instruction at PC. */
  interrupt(vector: number, nmi: boolean): Status {
    return this.attempt(() => {
      if (nmi) this.regs.nmiBlocked = true;
      this.deliver(vector, nmi ? EVENT.nmi : EVENT.external, false, 0, 0);
    });
  }

  /** Delivers a debug exception that was pending at an instruction boundary; `bits` go to DR6. */
  debugTrap(bits: number): Status {
    const { fault } = this.regs;
    return this.attempt(() => {
      fault.exception(V.DB, 0);
      fault.lo = bits;
      this.exception(V.DB, EVENT.hardware, 0, 0);
    });
  }

  /** Delivers an event that a VM entry injects. */
  inject(event: DeliveredEvent): Status {
    return this.attempt(() => {
      if (event.kind === EVENT.nmi) this.regs.nmiBlocked = true;
      this.deliver(event.vector, event.kind, event.hasError, event.errorCode, event.length);
    });
  }

  /** Runs a delivery; exceptions in it become further deliveries, double and triple faults. */
  private attempt(first: () => void): Status {
    const { regs } = this;
    const { fault } = regs;
    let run = first;
    for (;;) {
      try {
        run();
        this.vectoring = 0;
        fault.clear();
        return regs.exited || regs.waiting !== Waiting.no ? Status.leave : Status.jump;
      } catch (signal) {
        if (signal !== ABORT) throw signal;
      }
      if (regs.exited) {
        this.vectoring = 0;
        fault.clear();
        return Status.leave;
      }
      run = () => this.next();
    }
  }

  /** What follows an exception during the delivery of an event (SDM vol. 3, table 6-5). */
  private next(): void {
    const { fault } = this.regs;
    if (fault.kind === Fault.stage2) {
      this.guest?.secondStageFault();
      return;
    }
    if (!this.hasError(fault.vector)) fault.errorCode = 0;
    const first = this.vectoring & 0xff;
    const second = fault.vector;
    const wasException = this.vectoring !== 0 && ((this.vectoring >>> 8) & 7) === EVENT.hardware;
    const contributes = (vector: number): boolean => ((CONTRIBUTORY >>> vector) & 1) !== 0;
    if (wasException && first === V.DF && (contributes(second) || second === V.PF)) {
      this.shutdown();
      return;
    }
    const double = wasException && ((contributes(first) && contributes(second)) || (first === V.PF && (contributes(second) || second === V.PF)));
    if (double) this.exception(V.DF, EVENT.hardware, 0, 0);
    else this.exception(second, EVENT.hardware, fault.errorCode, 0);
  }

  /** A triple fault: only INIT, NMI or RESET wake the processor. */
  private shutdown(): void {
    this.guest?.tripleFault();
    this.regs.waiting = Waiting.shutdown;
  }

  private exception(vector: number, kind: number, errorCode: number, length: number): void {
    const { regs, guest } = this;
    const { sys, fault } = regs;
    const hasError = this.hasError(vector) && kind === EVENT.hardware;
    guest?.exception({ vector, kind, hasError, errorCode, length });
    if (vector === V.PF && kind === EVENT.hardware) {
      sys[slot.cr2] = fault.lo;
      sys[slot.cr2 + 1] = fault.hi;
    } else if (vector === V.DB) {
      // What waited behind MOV SS comes with it.
      sys[slot.dr6] = (sys[slot.dr6]! & ~15) | fault.lo | (regs.pendingDebug & DR6.defined);
      regs.pendingDebug = 0;
      sys[slot.dr7] = sys[slot.dr7]! & ~DR7.GD;
      sys[slot.debugctl] = sys[slot.debugctl]! & ~1;
    }
    this.deliver(vector, kind, hasError, errorCode, length);
  }

  /** Delivers an event; soft ones return to the instruction behind. */
  private deliver(vector: number, kind: number, hasError: boolean, errorCode: number, length: number): void {
    const { regs } = this;
    this.vectoring = vector | (kind << 8) | (hasError ? INFO.errorValid : 0) | INFO.valid;
    this.vectoringError = hasError ? errorCode : 0;
    this.vectoringLength = length;
    regs.waiting = Waiting.no;
    const soft = kind >= EVENT.softInt && kind <= EVENT.softException;
    const returnLo = (regs.ripLo() + (soft ? length : 0)) | 0;
    const returnHi = regs.code64 ? regs.ripHi() + (returnLo >>> 0 < length && soft ? 1 : 0) : 0;
    let flags = regs.flags;
    // Faults return with RF set; #DB by an instruction breakpoint, traps and interrupts with RF as it is.
    if (kind === EVENT.hardware && vector !== V.DB && vector !== V.DF && vector !== V.MC) flags |= Flag.RF;
    const ext = kind === EVENT.softInt || kind === EVENT.softException ? 0 : 1;
    if (!regs.protectedMode) this.deliverReal(vector, returnLo, flags);
    else if (regs.long) this.deliverLong(vector, ext, hasError, errorCode, returnLo, returnHi, flags);
    else this.deliverProtected(vector, kind, ext, hasError, errorCode, returnLo, flags, length);
    regs.clearShadow();
  }

  private deliverReal(vector: number, ip: number, flags: number): void {
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

  private deliverLong(
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

  private deliverProtected(
    vector: number, kind: number, ext: number, hasError: boolean, errorCode: number, returnLo: number, flags: number, length: number,
  ): void {
    const { regs, stack, tss } = this;
    const { fault } = regs;
    const { v86 } = regs;
    if (v86 && kind === EVENT.softInt) {
      if ((regs.cr4 & CR4.VME) !== 0 && !tss.redirected(vector)) {
        this.deliverVme(vector, returnLo, flags);
        return;
      }
      if (regs.iopl < 3) fault.raise(V.GP, 0);
    }
    const gate = this.fetchGate(vector, 8, ext);
    if (gate.type === SYS.taskGate) {
      this.deliverTask(gate.gateSelector, ext, hasError, errorCode, kind, returnLo, length);
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
  private deliverVme(vector: number, ip: number, flags: number): void {
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

  private deliverTask(
    selector: number, ext: number, hasError: boolean, errorCode: number, kind: number, returnLo: number, length: number,
  ): void {
    const { stack } = this;
    const soft = kind >= EVENT.softInt && kind <= EVENT.softException;
    this.tasks.check(selector, TaskSource.gate, ext);
    this.guest?.taskSwitch(selector, TaskSource.gate, hasError, errorCode, soft ? length : 0);
    this.tasks.switch(selector, TaskSource.gate, returnLo, ext);
    if (!hasError) return;
    stack.begin();
    stack.push(this.tss.wide ? 4 : 2, errorCode, 0);
    stack.commit();
  }
}
