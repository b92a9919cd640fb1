/** Exceptions and interrupts in their order: what is taken, what becomes of a fault on the way, double and triple faults (SDM vol. 3, chapter 6). */
import { Flag } from '../state.ts';
import { ABORT, Fault } from './abort.ts';
import { Delivery } from './delivery.ts';
import { DR6, DR7, EVENT, INFO, V } from './fields.ts';
import type { DeliveredEvent, GuestMode } from './guest.ts';
import { Status, Waiting } from './interface.ts';
import type { Linear } from './linear.ts';
import { slot, type Registers } from './registers.ts';
import type { Segments } from './segments.ts';
import type { Tasks } from './tasks.ts';
import type { Tss } from './tss.ts';

/** Vectors whose delivery pushes an error code. */
const WITH_ERROR = 0x0002_7d00;
/** Contributory exceptions: #DE, #TS, #NP, #SS, #GP. */
const CONTRIBUTORY = (1 << V.DE) | (1 << V.TS) | (1 << V.NP) | (1 << V.SS) | (1 << V.GP);

/** Faults return with RF set; aborts, #DB by an instruction breakpoint, traps and interrupts with RF as it is. */
export const setsResume = (vector: number): boolean => vector !== V.DB && vector !== V.DF && vector !== V.MC;

export class Events {
  /** The event whose delivery is under way, as IDT-vectoring information: 0 if none. */
  vectoring = 0;
  vectoringError = 0;
  vectoringLength = 0;
  /** Exceptions taken by instructions. */
  taken = 0;
  guest: GuestMode | undefined;

  private readonly regs: Registers;
  private readonly delivery: Delivery;

  constructor(regs: Registers, linear: Linear, segments: Segments, tss: Tss, tasks: Tasks) {
    this.regs = regs;
    this.delivery = new Delivery(this, regs, linear, segments, tss, tasks);
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
        return regs.exited || regs.waiting !== Waiting.no ? Status.leave : Status.refetch;
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

  /**
   * What follows an exception during the delivery of an event (SDM vol. 3, table 6-5). It may leave the guest, and a page fault changes CR2, before
   * it is found to be a double or a triple fault.
   */
  private next(): void {
    const { fault } = this.regs;
    if (fault.kind === Fault.stage2) {
      this.guest?.secondStageFault();
      return;
    }
    const { vector } = fault;
    if (!this.hasError(vector)) fault.errorCode = 0;
    const combination = this.combined(vector);
    if (combination === undefined) {
      this.exception(vector, EVENT.hardware, fault.errorCode, 0);
      return;
    }
    this.guest?.exception({ vector, kind: EVENT.hardware, hasError: this.hasError(vector), errorCode: fault.errorCode, length: 0 });
    if (vector === V.PF) this.pageFault();
    if (combination === 'double') this.exception(V.DF, EVENT.hardware, 0, 0);
    else this.shutdown();
  }

  /** What an exception makes of the one that is being delivered; undefined if it is the next to be delivered. */
  private combined(second: number): 'double' | 'triple' | undefined {
    if (this.vectoring === 0 || ((this.vectoring >>> 8) & 7) !== EVENT.hardware) return undefined;
    const first = this.vectoring & 0xff;
    const contributes = (vector: number): boolean => ((CONTRIBUTORY >>> vector) & 1) !== 0;
    if (!contributes(second) && (second !== V.PF || contributes(first))) return undefined;
    return first === V.DF ? 'triple' : first === V.PF || contributes(first) ? 'double' : undefined;
  }

  private pageFault(): void {
    const { sys, fault } = this.regs;
    sys[slot.cr2] = fault.lo;
    sys[slot.cr2 + 1] = fault.hi;
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
    if (vector === V.PF && kind === EVENT.hardware) this.pageFault();
    else if (vector === V.DB) {
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
    const { regs, delivery } = this;
    this.vectoring = vector | (kind << 8) | (hasError ? INFO.errorValid : 0) | INFO.valid;
    this.vectoringError = hasError ? errorCode : 0;
    this.vectoringLength = length;
    regs.waiting = Waiting.no;
    const soft = kind >= EVENT.softInt && kind <= EVENT.softException;
    const returnLo = (regs.ripLo() + (soft ? length : 0)) | 0;
    const returnHi = regs.code64 ? regs.ripHi() + (returnLo >>> 0 < length && soft ? 1 : 0) : 0;
    let flags = regs.flags;
    if (kind === EVENT.hardware && setsResume(vector)) flags |= Flag.RF;
    const ext = kind === EVENT.softInt || kind === EVENT.softException ? 0 : 1;
    if (!regs.protectedMode) delivery.real(vector, returnLo, flags);
    else if (regs.long) delivery.long(vector, ext, hasError, errorCode, returnLo, returnHi, flags);
    else delivery.protected(vector, kind, ext, hasError, errorCode, returnLo, flags, length);
    regs.clearShadow();
  }
}
