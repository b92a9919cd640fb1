/** Exception entry, routing and return (Arm ARM, chapter D1, "Exceptions", and the pseudocode AArch64.TakeException, ELRet). */

import { toNumber } from '@axvisor/softcpu';
import type { AbortVector } from '@axvisor/axvisor_api/arch/arm';
import { ELR_EL1, ELR_EL2, ESR_EL1, ESR_EL2, EXCL_VALID, FAR_EL1, FAR_EL2, MMU, MMU_IDX, PC, SPSR_EL1, SPSR_EL2 } from '../state.ts';
import type { ExceptionRecord } from './exception_record.ts';
import { AbortIss, Ec, ESR_IL, Fsc, Hcr, Sctlr, Spsr } from './fields.ts';
import { Access, Status } from './interface.ts';
import { Interrupt, type Interrupts } from './interrupts.ts';
import { STEP, type State } from './registers.ts';
import { slot } from './stored.ts';
import { instructionSyndrome, isAtomic, ISS_FP } from './syndrome.ts';
import { Purpose } from './access_rights.ts';
import type { Translation } from './translation.ts';

const { SCTLR_EL1, HCR_EL2, HPFAR_EL2 } = slot;

/** The registers of each Exception level that exceptions are taken to: fields of the state block, and the vectors' slot. */
const bank = [
  undefined,
  { esr: ESR_EL1, far: FAR_EL1, elr: ELR_EL1, spsr: SPSR_EL1, vbar: slot.VBAR_EL1 },
  { esr: ESR_EL2, far: FAR_EL2, elr: ELR_EL2, spsr: SPSR_EL2, vbar: slot.VBAR_EL2 },
] as const;

/** Offsets of the vectors of each kind of exception from the first of their group. */
const Vector = { synchronous: 0, irq: 0x80, fiq: 0x100, serror: 0x180 } as const;
type Vector = (typeof Vector)[keyof typeof Vector];

/** Exception classes that are one more when taken without a change of Exception level. */
const hasSameLevelClass: ReadonlySet<number> = new Set([Ec.instructionAbort, Ec.dataAbort, Ec.softwareStep]);
/** Exception classes that set FAR_ELx. */
const setsFar: ReadonlySet<number> = new Set([Ec.instructionAbort, Ec.dataAbort, Ec.pcAlignment]);

/** Takes exceptions and returns from them. */
export class Exceptions {
  /** Synchronous exceptions taken so far. */
  taken = 0;
  /** Hosted: what EL2 does first with data aborts at stage 2. */
  abortVector: AbortVector | undefined;

  private readonly state: State;
  private readonly interrupts: Interrupts;
  private readonly exception: ExceptionRecord;
  private readonly translation: Translation;

  constructor(state: State, interrupts: Interrupts, exception: ExceptionRecord, translation: Translation) {
    this.state = state;
    this.interrupts = interrupts;
    this.exception = exception;
    this.translation = translation;
  }

  /** Takes the recorded exception of the instruction `bits` at PC. */
  take(bits: number): Status {
    const { exception, state } = this;
    if (exception.ec === Ec.dataAbort && (exception.iss & (AbortIss.CM | AbortIss.WnR)) === AbortIss.WnR && bits !== 0 && isAtomic(bits)) this.clearWrite();
    let { iss } = exception;
    if (exception.stage2) {
      // Only explicit accesses at stage 2 have an instruction syndrome, so neither walks (S1PTW) nor cache maintenance (CM).
      if (exception.ec === Ec.dataAbort && (iss & (AbortIss.S1PTW | AbortIss.CM)) === 0 && bits !== 0) iss |= instructionSyndrome(bits);
      if ((iss & AbortIss.ISV) !== 0 && this.isAnswered(iss)) return this.answered();
      // FIPA is bits 47:12 of the address in bits 39:4.
      state.sys[HPFAR_EL2] = (exception.ipaLo >>> 8) & ~0xf | (exception.ipaHi << 24);
      state.sys[HPFAR_EL2 + 1] = (exception.ipaHi & 0xffff) >>> 8;
    }
    const target = exception.stage2 ? 2 : this.target(1);
    return this.synchronous(target, exception.ec, iss);
  }

  /** Whether native EL2 carries the access out at once. */
  private isAnswered(iss: number): boolean {
    const { exception, state, abortVector } = this;
    return abortVector !== undefined && !state.stepActive && abortVector(iss, toNumber(exception.ipaLo, exception.ipaHi), state);
  }

  /** What an exception to EL2 and the return behind the instruction leave. */
  private answered(): Status {
    const { state, exception } = this;
    exception.ec = -1;
    state.words[state.at(EXCL_VALID)] = 0;
    state.event = true;
    state.advancePc();
    const status = this.interrupt();
    return status === Status.next ? Status.refetch : status;
  }

  /** WnR of an atomic is 0 if a read would have faulted too, which it would but for permissions. */
  private clearWrite(): void {
    const { exception, state } = this;
    if ((exception.iss & 0x3c) === Fsc.permission) {
      const { ec, iss, farLo, farHi, ipaLo, ipaHi, stage2 } = exception;
      const readable = this.translation.translate(farLo, farHi, Access.load, 1, 0, state.words[state.at(MMU_IDX)]!, Purpose.at) >= 0;
      exception.set(ec, iss, farLo, farHi);
      Object.assign(exception, { ipaLo, ipaHi, stage2 });
      if (readable) return;
    }
    exception.iss &= ~AbortIss.WnR;
  }

  /** Where an exception for EL1 goes: never down, and with HCR_EL2.TGE to EL2. */
  target(wanted: number): number {
    const { state } = this;
    return Math.max(wanted, state.el, state.tge ? 2 : 1);
  }

  /** Takes a synchronous exception of the instruction at PC, for which `wanted` is the lowest Exception level. */
  raise(wanted: number, ec: number, iss: number): Status {
    return this.synchronous(this.target(wanted), ec, iss);
  }

  /** The instruction at PC is UNDEFINED. */
  undefined(): Status {
    return this.raise(1, Ec.unknown, 0);
  }

  /** A trap of an SIMD&FP instruction. What HCR_EL2.TGE takes away from EL1 is reported as unknown ("AArch64.AdvSIMDFPAccessTrap"). */
  fpTrap(): Status {
    const wanted = this.state.fpTarget();
    if (wanted === 1 && this.state.tge) return this.undefined();
    return this.raise(wanted, Ec.fp, ISS_FP);
  }

  private synchronous(target: number, ec: number, iss: number): Status {
    const { state, exception } = this;
    const { esr, far } = bank[target]!;
    this.taken++;
    exception.ec = -1;
    state.put(esr, (((ec + (target === state.el && hasSameLevelClass.has(ec) ? 1 : 0)) << 26) | ESR_IL | iss) | 0, 0);
    if (setsFar.has(ec)) state.put(far, exception.farLo, exception.farHi);
    return this.enter(target, Vector.synchronous);
  }

  /** AArch64.TakeException, without the syndrome. */
  private enter(target: number, vector: Vector): Status {
    const { state } = this;
    const { sys, words } = state;
    const { elr, spsr, vbar } = bank[target]!;
    const offset = target > state.el ? 0x400 : state.spSel !== 0 ? 0x200 : 0;
    const pc = state.at(PC);
    state.put(elr, words[pc]!, words[pc + 1]!);
    state.put(spsr, state.pstate, 0);
    state.waiting = false;
    state.setMode(target, 1);
    state.daif = Spsr.DAIF;
    state.uao = state.ss = state.il = 0;
    state.stepSyndrome = STEP;
    if (target === 1 && (sys[SCTLR_EL1]! & Sctlr.SPAN) === 0) state.pan = 1;
    if (target === 2 && state.hosted) {
      state.exited = true;
      state.exitVector = vector;
      return Status.leave;
    }
    state.stateChanged();
    state.setPc((sys[vbar]! & ~0x7ff) + offset + vector, sys[vbar + 1]!);
    return Status.refetch;
  }

  /** Takes the interrupt, or the pending software step, that must be taken before the instruction at PC. */
  interrupt(): Status {
    const { state } = this;
    if (state.stepActive && state.ss === 0) return this.raise(state.debugTarget, Ec.softwareStep, state.stepSyndrome);
    switch (this.interrupts.select()) {
      case Interrupt.none:
        return Status.next;
      case Interrupt.irq:
        return this.enter(this.interrupts.target, Vector.irq);
      case Interrupt.fiq:
        return this.enter(this.interrupts.target, Vector.fiq);
      default:
        return this.serror(this.interrupts.target);
    }
  }

  private serror(target: number): Status {
    const { state, interrupts } = this;
    const { esr } = bank[target]!;
    if (interrupts.virtual) state.sys[HCR_EL2]! &= ~Hcr.VSE;
    else interrupts.serrorTaken();
    // Without RAS the rest of the syndrome is not described: ISS is 0.
    state.put(esr, ((Ec.serror << 26) | ESR_IL) | 0, 0);
    return this.enter(target, Vector.serror);
  }

  /** ERET in EL1 or EL2. */
  eret(): Status {
    const { state } = this;
    const { words } = state;
    const { elr, spsr } = bank[state.el]!;
    const saved = words[state.at(spsr)]!;
    const legal = this.returnIsLegal(saved);
    words[state.at(EXCL_VALID)] = 0;
    state.event = true;
    state.setPc(words[state.at(elr)]!, words[state.at(elr) + 1]!);
    const from = state.el;
    state.nzcv = saved;
    state.pan = (saved >>> 22) & 1;
    if (legal) {
      state.il = (saved >>> 20) & 1;
      state.setMode((saved >>> 2) & 3, saved & 1);
    } else state.il = 1;
    state.uao = (saved >>> 23) & 1;
    state.daif = saved;
    // A step is due only when software step was not active where the exception was handled.
    state.ss = 0;
    if ((saved & Spsr.SS) !== 0 && from >= state.debugTarget && state.stepActive) state.ss = 1;
    state.stateChanged();
    return this.resume();
  }

  /** Whether SPSR_ELx describes a state that may be returned to ("IllegalExceptionReturn"). */
  returnIsLegal(saved: number): boolean {
    const { state } = this;
    const el = (saved >>> 2) & 3;
    if ((saved & (Spsr.nRW | 2)) !== 0 || el > state.el) return false;
    if (el === 0) return (saved & 1) === 0;
    return !(el === 1 && state.tge);
  }

  /** What happens before the first instruction at a new PC. */
  private resume(): Status {
    const status = this.interrupt();
    if (status !== Status.next) return status;
    if (this.state.il === 0) return Status.refetch;
    // An Illegal Execution state exception; aborts and misalignment of the fetch come first.
    const pc = this.state.at(PC);
    const { words } = this.state;
    if (this.fetch(words[pc]!, words[pc + 1]!) < 0) return this.take(0);
    return this.raise(1, Ec.illegalState, 0);
  }

  /** Translates the fetch of the instruction at an address; -1 with an exception recorded. */
  fetch(vaLo: number, vaHi: number): number {
    const { state, exception } = this;
    if ((vaLo & 3) !== 0) {
      exception.set(Ec.pcAlignment, 0, vaLo, vaHi);
      return -1;
    }
    return this.translation.translate(vaLo, vaHi, Access.fetch, 4, 0, state.el === 2 ? MMU.el2 : state.el === 0 ? MMU.el0 : MMU.el1);
  }
}
