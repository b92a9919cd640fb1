/** Trap entry, delegation and trap return (machine chapter, "Trap-Return Instructions"; hypervisor chapter, "Traps"). */

import type { FaultVector } from '@axvisor/axvisor_api/arch/riscv';
import { toNumber } from '@axvisor/softcpu';
import { PC, RES_VALID } from '../state.ts';
import { ADDRESS_CAUSES, Cause, Hstatus, MEMORY_CAUSES, MPP_SHIFT, Mstatus, MstatusHi } from './fields.ts';
import { Access, Status, type PendingException } from './interface.ts';
import { Target, type Interrupts } from './interrupts.ts';
import { slot, type State } from './registers.ts';
import { transform } from './tinst.ts';

const {
  mstatus: MSTATUS, mtvec: MTVEC, mepc: MEPC, mcause: MCAUSE, mtval: MTVAL, mtval2: MTVAL2, mtinst: MTINST, medeleg: MEDELEG,
  stvec: STVEC, sepc: SEPC, scause: SCAUSE, stval: STVAL, hstatus: HSTATUS, htval: HTVAL, htinst: HTINST, hedeleg: HEDELEG,
  vsstatus: VSSTATUS, vstvec: VSTVEC, vsepc: VSEPC, vscause: VSCAUSE, vstval: VSTVAL,
} = slot;
const MSTATUS_HI = MSTATUS + 1;
const INTERRUPT = 1 << 31;

const accessFaults = [Cause.loadAccessFault, Cause.storeAccessFault, Cause.instructionAccessFault, Cause.loadAccessFault] as const;
const pageFaults = [Cause.loadPageFault, Cause.storePageFault, Cause.instructionPageFault, Cause.loadPageFault] as const;
const guestPageFaults = [
  Cause.loadGuestPageFault, Cause.storeGuestPageFault, Cause.instructionGuestPageFault, Cause.loadGuestPageFault,
] as const;

/** An exception on its way to its handler. */
export class ExceptionRecord implements PendingException {
  cause = -1;
  tvalLo = 0;
  tvalHi = 0;
  gpaLo = 0;
  gpaHi = 0;
  tinst = 0;
  gva = false;
  /** Distance of tval from the address of the access. */
  offset = 0;

  set(cause: number, tvalLo: number, tvalHi: number, gva: boolean, offset: number): void {
    this.cause = cause;
    this.tvalLo = tvalLo;
    this.tvalHi = tvalHi;
    this.gpaLo = 0;
    this.gpaHi = 0;
    this.tinst = 0;
    this.gva = gva;
    this.offset = offset;
  }
}

/** Exception code of an access, by what went wrong. */
export const causeOf: {
  accessFault(access: Access): number;
  pageFault(access: Access): number;
  guestPageFault(access: Access): number;
} = {
  accessFault: (access) => accessFaults[access],
  pageFault: (access) => pageFaults[access],
  guestPageFault: (access) => guestPageFaults[access],
};

/** Takes traps and returns from them. */
export class Traps {
  readonly exception: ExceptionRecord = new ExceptionRecord();
  /** Exceptions taken so far. */
  taken = 0;
  /** Hosted: what HS-mode does first with guest page faults of loads and stores. */
  faultVector: FaultVector | undefined;
  /** Interrupts taken in HS-mode, and in VS-mode. */
  hypervisorInterrupts = 0;
  guestInterrupts = 0;

  private readonly state: State;
  private readonly interrupts: Interrupts;

  constructor(state: State, interrupts: Interrupts) {
    this.state = state;
    this.interrupts = interrupts;
  }

  /** Records an exception of the current instruction. */
  raise(cause: number, tvalLo: number, tvalHi: number, offset: number): void {
    const { state } = this;
    const v = cause === Cause.breakpoint || cause === Cause.instructionAccessFault || cause === Cause.instructionPageFault ? state.v : state.dataMode() & 1;
    this.exception.set(cause, tvalLo, tvalHi, v !== 0 && (ADDRESS_CAUSES & (1 << cause)) !== 0, offset);
  }

  /** Takes the recorded exception of the instruction `bits` at PC. */
  take(bits: number): Status {
    const { state, exception } = this;
    const { csr, prv, v } = state;
    const { cause } = exception;
    exception.cause = -1;
    this.taken++;
    const mask = 1 << cause;
    const { tvalLo, tvalHi } = exception;
    const delegated = prv !== 3 && (csr[MEDELEG]! & mask) !== 0;
    if (delegated && v !== 0 && (csr[HEDELEG]! & mask) !== 0) return this.enterVs(cause, 0, tvalLo, tvalHi);
    // Guest physical addresses are reported shifted right by 2.
    const gpaLo = (exception.gpaLo >>> 2) | (exception.gpaHi << 30);
    const gpaHi = exception.gpaHi >>> 2;
    let tinst = exception.tinst;
    if (tinst === 0 && (MEMORY_CAUSES & mask) !== 0 && bits !== 0) {
      tinst = transform(bits, exception.offset);
      if (this.isAnswered(cause, tinst)) return this.answered(bits);
    }
    return delegated
      ? this.enterHs(cause, 0, tvalLo, tvalHi, gpaLo, gpaHi, tinst, exception.gva)
      : this.enterM(cause, 0, tvalLo, tvalHi, gpaLo, gpaHi, tinst, exception.gva);
  }

  /** Whether native HS-mode carries out at once what raised a guest page fault. */
  private isAnswered(cause: number, tinst: number): boolean {
    const { exception, state, faultVector } = this;
    if (faultVector === undefined || state.v === 0 || (cause !== Cause.loadGuestPageFault && cause !== Cause.storeGuestPageFault)) return false;
    // Page offsets are the same in both addresses, and a page is what the guest physical address is known by.
    return faultVector(tinst, toNumber(exception.gpaLo & ~3, exception.gpaHi) + (exception.tvalLo & 3), state);
  }

  /** What a trap to HS-mode and the return behind the instruction leave. */
  private answered(bits: number): Status {
    this.begin();
    this.state.advancePc((bits & 3) === 3 ? 4 : 2);
    const status = this.interrupt();
    return status === Status.next ? Status.refetch : status;
  }

  /** Takes the interrupt that must be taken now, if there is one. */
  interrupt(): Status {
    const irq = this.interrupts.select();
    if (irq === 0) return Status.next;
    switch (this.interrupts.target) {
      case Target.M:
        return this.enterM(irq, INTERRUPT, 0, 0, 0, 0, 0, false);
      case Target.HS:
        this.hypervisorInterrupts++;
        return this.enterHs(irq, INTERRUPT, 0, 0, 0, 0, 0, false);
      default:
        this.guestInterrupts++;
        // VS-level interrupts 2, 6, 10 appear to the guest as 1, 5, 9.
        return this.enterVs(irq - 1, INTERRUPT, 0, 0);
    }
  }

  private begin(): void {
    const { state } = this;
    state.syncFs();
    state.waiting = false;
    state.words[state.base + (RES_VALID >> 2)] = 0;
  }

  private savePc(at: number): void {
    const { words, base, csr } = this.state;
    csr[at] = words[base + (PC >> 2)]!;
    csr[at + 1] = words[base + (PC >> 2) + 1]!;
  }

  /** Jumps to xtvec: BASE, or BASE + 4 * cause for interrupts in vectored mode. */
  private vector(at: number, cause: number, interrupt: number): Status {
    const { state } = this;
    const tvec = state.csr[at]!;
    state.setPc(tvec & ~3, state.csr[at + 1]!);
    if (interrupt !== 0 && (tvec & 1) !== 0) state.advancePc(4 * cause);
    return Status.refetch;
  }

  private enterM(
    cause: number, interrupt: number, tvalLo: number, tvalHi: number, gpaLo: number, gpaHi: number, tinst: number, gva: boolean,
  ): Status {
    this.begin();
    const { state } = this;
    const { csr, prv, v } = state;
    this.savePc(MEPC);
    csr[MCAUSE] = cause;
    csr[MCAUSE + 1] = interrupt;
    csr[MTVAL] = tvalLo;
    csr[MTVAL + 1] = tvalHi;
    csr[MTVAL2] = gpaLo;
    csr[MTVAL2 + 1] = gpaHi;
    csr[MTINST] = tinst;
    csr[MTINST + 1] = 0;
    const mstatus = csr[MSTATUS]!;
    csr[MSTATUS] =
      (mstatus & ~(Mstatus.MPP | Mstatus.MPIE | Mstatus.MIE)) | (prv << MPP_SHIFT) | ((mstatus & Mstatus.MIE) !== 0 ? Mstatus.MPIE : 0);
    csr[MSTATUS_HI] =
      (csr[MSTATUS_HI]! & ~(MstatusHi.GVA | MstatusHi.MPV)) | (gva ? MstatusHi.GVA : 0) | (v !== 0 ? MstatusHi.MPV : 0);
    state.prv = 3;
    state.v = 0;
    state.modeChanged();
    return this.vector(MTVEC, cause, interrupt);
  }

  private enterHs(
    cause: number, interrupt: number, tvalLo: number, tvalHi: number, gpaLo: number, gpaHi: number, tinst: number, gva: boolean,
  ): Status {
    this.begin();
    const { state } = this;
    const { csr, prv, v } = state;
    this.savePc(SEPC);
    csr[SCAUSE] = cause;
    csr[SCAUSE + 1] = interrupt;
    csr[STVAL] = tvalLo;
    csr[STVAL + 1] = tvalHi;
    csr[HTVAL] = gpaLo;
    csr[HTVAL + 1] = gpaHi;
    csr[HTINST] = tinst;
    csr[HTINST + 1] = 0;
    csr[MSTATUS] = stackS(csr[MSTATUS]!, prv);
    let hstatus = csr[HSTATUS]! & ~(Hstatus.GVA | Hstatus.SPV);
    if (gva) hstatus |= Hstatus.GVA;
    if (v !== 0) hstatus = (hstatus & ~Hstatus.SPVP) | Hstatus.SPV | (prv !== 0 ? Hstatus.SPVP : 0);
    csr[HSTATUS] = hstatus;
    state.prv = 1;
    state.v = 0;
    if (state.hosted) {
      state.exited = true;
      return Status.leave;
    }
    state.modeChanged();
    return this.vector(STVEC, cause, interrupt);
  }

  private enterVs(cause: number, interrupt: number, tvalLo: number, tvalHi: number): Status {
    this.begin();
    const { state } = this;
    const { csr } = state;
    this.savePc(VSEPC);
    csr[VSCAUSE] = cause;
    csr[VSCAUSE + 1] = interrupt;
    csr[VSTVAL] = tvalLo;
    csr[VSTVAL + 1] = tvalHi;
    csr[VSSTATUS] = stackS(csr[VSSTATUS]!, state.prv);
    state.prv = 1;
    state.modeChanged();
    return this.vector(VSTVEC, cause, interrupt);
  }

  /** MRET in M-mode. */
  mret(): Status {
    const { state } = this;
    const { csr } = state;
    state.syncFs();
    let mstatus = csr[MSTATUS]!;
    const prv = (mstatus & Mstatus.MPP) >>> MPP_SHIFT;
    if (prv !== 3) mstatus &= ~Mstatus.MPRV;
    csr[MSTATUS] = (mstatus & ~(Mstatus.MPP | Mstatus.MIE)) | Mstatus.MPIE | ((mstatus & Mstatus.MPIE) !== 0 ? Mstatus.MIE : 0);
    state.v = prv !== 3 && (csr[MSTATUS_HI]! & MstatusHi.MPV) !== 0 ? 1 : 0;
    csr[MSTATUS_HI]! &= ~MstatusHi.MPV;
    state.prv = prv;
    return this.resume(MEPC);
  }

  /** SRET in M-, HS- or VS-mode. */
  sret(): Status {
    const { state } = this;
    const { csr } = state;
    state.syncFs();
    if (state.v !== 0) {
      const vsstatus = csr[VSSTATUS]!;
      state.prv = (vsstatus & Mstatus.SPP) !== 0 ? 1 : 0;
      csr[VSSTATUS] = unstackS(vsstatus);
      return this.resume(VSEPC);
    }
    const mstatus = csr[MSTATUS]!;
    state.prv = (mstatus & Mstatus.SPP) !== 0 ? 1 : 0;
    state.v = (csr[HSTATUS]! & Hstatus.SPV) !== 0 ? 1 : 0;
    csr[HSTATUS]! &= ~Hstatus.SPV;
    csr[MSTATUS] = unstackS(mstatus) & ~Mstatus.MPRV;
    return this.resume(SEPC);
  }

  private resume(epc: number): Status {
    const { state } = this;
    state.setPc(state.csr[epc]!, state.csr[epc + 1]!);
    state.modeChanged();
    const status = this.interrupt();
    return status === Status.next ? Status.refetch : status;
  }
}

/** The supervisor interrupt-enable and privilege stack on trap entry from mode `prv`. */
function stackS(status: number, prv: number): number {
  return (
    (status & ~(Mstatus.SPP | Mstatus.SPIE | Mstatus.SIE)) |
    (prv !== 0 ? Mstatus.SPP : 0) |
    ((status & Mstatus.SIE) !== 0 ? Mstatus.SPIE : 0)
  );
}

/** The same on SRET. */
function unstackS(status: number): number {
  return (status & ~(Mstatus.SPP | Mstatus.SIE)) | Mstatus.SPIE | ((status & Mstatus.SPIE) !== 0 ? Mstatus.SIE : 0);
}
