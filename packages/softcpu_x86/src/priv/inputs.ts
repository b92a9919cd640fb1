/** What comes to a processor between two instructions, in the order of priority: INIT and SIPI, debug traps, NMIs, interrupts (SDM vol. 3, 6.9). */
import { HOST_INTERRUPT_VECTOR } from '@axvisor/axvisor_api/arch/x86';
import { Flag } from '../state.ts';
import type { Events } from './events.ts';
import { DR6, SEG, SHADOW, V } from './fields.ts';
import type { GuestMode } from './guest.ts';
import { Status, Waiting, type LocalApic } from './interface.ts';
import type { Registers } from './registers.ts';

/** What they act on. */
export interface InputParts {
  readonly regs: Registers;
  readonly events: Events;
  readonly apic: LocalApic | undefined;
  /** INIT outside of guests. */
  init(): void;
}

/** The pins, and the host's interrupt. */
export class Inputs {
  guest: GuestMode | undefined;
  private readonly p: InputParts;
  private nmi = false;
  private initPending = false;
  private sipi = -1;
  private hostInterrupt = false;

  constructor(parts: InputParts) {
    this.p = parts;
  }

  reset(): void {
    this.guest = undefined;
    this.nmi = this.initPending = this.hostInterrupt = false;
    this.sipi = -1;
  }

  /** Takes the host's interrupt: its vector. */
  acknowledge(): number {
    this.hostInterrupt = false;
    return HOST_INTERRUPT_VECTOR;
  }

  pendingEvent(): Status {
    const { guest } = this;
    const { regs, events } = this.p;
    if (regs.exited) return Status.leave;
    if (this.initPending || this.sipi >= 0) {
      const status = this.signals();
      if (status !== Status.next) return status;
    }
    const shadow = regs.currentShadow();
    const down = regs.waiting === Waiting.shutdown || regs.waiting === Waiting.sipi;
    if (regs.pendingDebug !== 0 && (shadow & SHADOW.movSs) === 0 && !down) {
      const bits = regs.pendingDebug & DR6.defined;
      regs.pendingDebug = 0;
      if (bits !== 0) return events.debugTrap(bits);
    }
    if (guest?.poll() === true) return Status.leave;
    if (this.nmi && this.nmiOpen(shadow)) {
      this.nmi = false;
      if (guest?.interrupt(true) === true) return Status.leave;
      if (regs.waiting === Waiting.sipi) return Status.leave;
      return events.interrupt(V.NMI, true);
    }
    if (guest?.virtualNmi() === true) return events.interrupt(V.NMI, true);
    const status = this.maskable(shadow, down);
    if (status !== Status.next) return status;
    return regs.waiting === Waiting.no ? Status.next : Status.leave;
  }

  private nmiOpen(shadow: number): boolean {
    const { guest } = this;
    const { regs } = this.p;
    if (guest?.blocksVirtualNmis === true) return true;
    if (regs.nmiBlocked) return false;
    if (shadow === 0) return true;
    regs.host.endSlice();
    return false;
  }

  private maskable(shadow: number, down: boolean): Status {
    const { guest } = this;
    const { regs, events, apic } = this.p;
    const enabled = (regs.systemFlags & Flag.IF) !== 0;
    if (this.hostInterrupt && guest !== undefined && (guest.kind === 'vmx' || guest.hostMasksInterrupts || enabled)) {
      if (guest.interrupt(false)) return Status.leave;
      if (enabled && shadow === 0 && !down) return events.interrupt(this.acknowledge(), false);
    }
    if (down) return Status.next;
    if (guest !== undefined) {
      const vector = guest.virtualInterrupt();
      if (vector >= 0) return events.interrupt(vector, false);
    }
    if (apic !== undefined && enabled && apic.pending() >= 0) {
      if (shadow === 0) return events.interrupt(apic.acknowledge(), false);
      regs.host.endSlice();
    }
    return Status.next;
  }

  /** INIT and SIPI. */
  private signals(): Status {
    const { guest } = this;
    const { regs } = this.p;
    if (this.initPending) {
      this.initPending = false;
      if (guest !== undefined) return guest.signal(true, 0) ? Status.leave : Status.next;
      this.p.init();
      return regs.waiting === Waiting.no ? Status.refetch : Status.leave;
    }
    const vector = this.sipi;
    this.sipi = -1;
    if (guest !== undefined) return guest.signal(false, vector) ? Status.leave : Status.next;
    if (regs.waiting !== Waiting.sipi) return Status.next;
    regs.waiting = Waiting.no;
    regs.setSegment(SEG.cs, vector << 8, vector << 12, 0, 0xffff, 0x9b);
    regs.modeChanged();
    regs.setRip(0, 0);
    return Status.refetch;
  }

  wakeable(): boolean {
    const { guest } = this;
    const { regs, apic } = this.p;
    if (regs.exited || this.initPending || this.sipi >= 0 || this.hostInterrupt) return true;
    if (this.nmi && !regs.nmiBlocked) return true;
    if (guest?.pollable() === true) return true;
    if (regs.waiting === Waiting.shutdown || regs.waiting === Waiting.sipi) return false;
    if (regs.pendingDebug !== 0) return true;
    return (regs.systemFlags & Flag.IF) !== 0 && apic !== undefined && apic.pending() >= 0;
  }

  setNmi(): void {
    this.nmi = true;
    this.p.regs.host.endSlice();
  }

  setInit(): void {
    this.initPending = true;
    this.p.regs.host.endSlice();
  }

  setSipi(vector: number): void {
    this.sipi = vector & 0xff;
    this.p.regs.host.endSlice();
  }

  setHostInterrupt(pending: boolean): void {
    this.hostInterrupt = pending;
    if (pending) this.p.regs.host.endSlice();
  }
}
