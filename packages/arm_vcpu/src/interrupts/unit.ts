/**
 * The interrupts of one vCPU: timers, pins and the pending interrupts of its controller, brought to the guest through list registers, or through
 * HCR_EL2.VI and VF where a controller has the CPU interface itself.
 */
import { CpuPin, Ppi, SYSREG, sysRegWrite } from '@axvisor/axvisor_api/arch/arm';
import type { CpuInterrupts } from '@axvisor/axvisor_api/intc';
import { currentTicks, type Ticks } from '@axvisor/axvisor_api/time';
import { Control } from '../context.ts';
import { ALL_ONES, Hcr, IchHcr, IchVmcr, TimerCtl } from '../fields.ts';
import type { GuestState } from '../guest_state.ts';
import type { Pe } from '../pes.ts';
import type { SavedKey } from '../saved.ts';
import { ListRegisters } from './list_registers.ts';
import { PendingQueue } from './queue.ts';

interface GuestTimer {
  readonly intid: number;
  readonly ctl: SavedKey;
  readonly cval: SavedKey;
  /** It counts from CNTVOFF_EL2 on. */
  readonly virtual: boolean;
}

const TIMERS: readonly GuestTimer[] = [
  { intid: Ppi.virtualTimer, ctl: 'CNTV_CTL_EL0', cval: 'CNTV_CVAL_EL0', virtual: true },
  { intid: Ppi.physicalTimer, ctl: 'CNTP_CTL_EL0', cval: 'CNTP_CVAL_EL0', virtual: false },
];

const PINS: Readonly<Record<number, { readonly bit: number; readonly hcr: bigint }>> = {
  [CpuPin.virq]: { bit: 1, hcr: Hcr.VI },
  [CpuPin.vfiq]: { bit: 2, hcr: Hcr.VF },
};
const PIN_BITS = Object.values(PINS);

const AP_REGISTERS = [
  ['ICH_AP0R0', 'ICH_AP1R0'], ['ICH_AP0R1', 'ICH_AP1R1'], ['ICH_AP0R2', 'ICH_AP1R2'], ['ICH_AP0R3', 'ICH_AP1R3'],
] as const;

export class InterruptUnit {
  readonly #guest: GuestState;
  readonly #lrs = new ListRegisters();
  readonly #queue = new PendingQueue();
  #source: CpuInterrupts = this.#queue;
  /** The controller fills list registers; otherwise it drives the pins. */
  #usesLists = true;
  /** The virtual CPU interface has to be set up for this vCPU. */
  #stale = true;
  /** The list registers were given back to the controller. */
  #collected = false;
  /** The pins as they were driven last. */
  #driven = 0;

  constructor(guest: GuestState) {
    this.#guest = guest;
  }

  get source(): CpuInterrupts {
    return this.#source;
  }

  /** Nobody but the hypervisor delivers what this vCPU sends. */
  get isAlone(): boolean {
    return this.#source === this.#queue;
  }

  /** The guest's CPU interface is system registers: the processing element's own, or the controller's. */
  get hasSystemRegisters(): boolean {
    return this.#usesLists || this.#source.systemRegisters === true;
  }

  attach(source: CpuInterrupts, hasListRegisters: boolean): void {
    this.#source = source;
    this.#usesLists = hasListRegisters && source.useListRegisters();
    this.#stale = true;
  }

  /** Asserts or clears an interrupt or a pin, from any thread for pins. @throws {AxError} InvalidInput */
  set(vector: number, level: boolean): void {
    const pin = PINS[vector];
    if (pin === undefined) return this.#source.setPending(vector, level);
    const { control } = this.#guest.context;
    if (level) Atomics.or(control, Control.pins, pin.bit);
    else Atomics.and(control, Control.pins, ~pin.bit);
  }

  reset(): void {
    this.#queue.clear();
    this.#stale = true;
  }

  /** Registers were loaded that may be another vCPU's. */
  loaded(): void {
    this.#stale = true;
  }

  /** Before the guest runs on `pe`, whose registers hold it. */
  deliver({ features: { listRegisters } }: Pe): void {
    this.#updateTimers();
    if (listRegisters === undefined) return this.#drivePins();
    if (!this.#usesLists) {
      if (this.#stale) sysRegWrite(SYSREG.ICH_HCR_EL2, IchHcr.TC | IchHcr.TALL0 | IchHcr.TALL1 | IchHcr.TDIR);
      this.#stale = false;
      return this.#drivePins();
    }
    if (this.#stale) this.#lrs.forget(listRegisters.count);
    else if (!this.#source.changed && !this.#collected) return;
    this.#stale = this.#collected = false;
    this.#lrs.flush(this.#source, listRegisters.count);
  }

  /** Something has come for the guest since {@link deliver}. Can be asked while it runs. */
  get isDue(): boolean {
    return this.#usesLists ? this.#source.changed : this.#pins !== this.#driven;
  }

  get #pins(): number {
    return Atomics.load(this.#guest.context.control, Control.pins);
  }

  /** After the guest has run, and before the controller is asked for anything. */
  collect({ features: { listRegisters } }: Pe): void {
    if (listRegisters === undefined || !this.#usesLists) return;
    if (this.#lrs.collect(this.#source)) this.#collected = true;
  }

  #drivePins(): void {
    const pins = (this.#driven = this.#pins);
    const before = this.#guest.reg('HCR_EL2');
    const hcr = PIN_BITS.reduce((value, { bit, hcr: mask }) => ((pins & bit) === 0 ? value & ~mask : value | mask), before);
    if (hcr !== before) this.#guest.setReg('HCR_EL2', hcr);
  }

  /** The virtual counter is this much behind the host's. */
  #offset(timer: GuestTimer): bigint {
    return timer.virtual ? this.#guest.reg('CNTVOFF_EL2') : 0n;
  }

  /** The wires of the timers, as they are now. */
  #updateTimers(): void {
    for (const timer of TIMERS) {
      const ctl = this.#guest.reg(timer.ctl);
      const enabled = (ctl & (TimerCtl.ENABLE | TimerCtl.IMASK)) === TimerCtl.ENABLE;
      const due = enabled && BigInt.asUintN(64, currentTicks() - this.#offset(timer)) >= this.#guest.reg(timer.cval);
      this.#source.setPrivateLine(timer.intid, due);
    }
  }

  /** When the next timer makes its wire go high. One that is high already counts only if that ends a wait. */
  nextTimer(preemptionBits: number | undefined): Ticks | undefined {
    let next: Ticks | undefined;
    const now = currentTicks();
    const wakes = this.hasPending(preemptionBits);
    for (const timer of TIMERS) {
      if ((this.#guest.reg(timer.ctl) & (TimerCtl.ENABLE | TimerCtl.IMASK)) !== TimerCtl.ENABLE) continue;
      const at = this.#guest.reg(timer.cval) + this.#offset(timer);
      if (at > ALL_ONES || (at <= now && !wakes)) continue;
      if (next === undefined || at < next) next = at;
    }
    return next;
  }

  /** Whether the CPU interface signals an interrupt to the guest, whatever PSTATE masks: what ends a WFI (Arm ARM, D1.7.2). */
  hasPending(preemptionBits: number | undefined): boolean {
    this.#updateTimers();
    if (!this.#usesLists || preemptionBits === undefined) return this.#pins !== 0;
    const pending = this.#source.highestPending();
    if (pending === undefined) return false;
    const vmcr = this.#guest.reg('ICH_VMCR_EL2');
    const enabled = (vmcr & (pending.group === 1 ? IchVmcr.VENG1 : IchVmcr.VENG0)) !== 0n;
    return enabled && pending.priority < Number((vmcr >> IchVmcr.VPMR_SHIFT) & 0xffn) && pending.priority < this.#runningPriority(preemptionBits);
  }

  /** The priority of the most urgent active interrupt, 256 if there is none. */
  #runningPriority(preemptionBits: number): number {
    for (const [i, keys] of AP_REGISTERS.entries()) {
      if (i >= 1 << Math.max(0, preemptionBits - 5)) break;
      const active = keys.reduce((bits, key) => bits | Number(BigInt.asUintN(32, this.#guest.reg(key))), 0) >>> 0;
      if (active !== 0) return (32 * i + 31 - Math.clz32(active & -active)) << (8 - preemptionBits);
    }
    return 256;
  }
}
