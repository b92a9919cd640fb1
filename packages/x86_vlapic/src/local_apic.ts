/**
 * A local APIC (Intel SDM volume 3, chapter 11): interrupts requested and in service, priorities, local sources, and the events that it keeps for its
 * processor. Its registers are in registers.ts.
 */
import { ApicPin, type LocalApic, type TscClock } from '@axvisor/axvisor_api/intc';
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import type { Ticks } from '@axvisor/axvisor_api/time';
import { Delivery, type Message } from './message.ts';
import { accessPage, EsrBit, readX2apic, writeX2apic, type ApicState, type Shorthand } from './registers.ts';
import { ApicTimer } from './timer.ts';
import { VectorSet } from './vector_set.ts';

/** What a local APIC is connected with. */
export interface ApicBus {
  /** Sends an interprocessor interrupt; `self` and `others` say which shorthand of the ICR is used. */
  send(from: LocalApicUnit, message: Message, shorthand: Shorthand): void;
  /** The end of a level-triggered interrupt, for the I/O APICs. */
  endOfInterrupt(vector: number): void;
  /** The INTA cycle of an external interrupt: the 8259 gives the vector. */
  acknowledgeExternal(): number;
  /** What that would be now. */
  peekExternal(): number;
  setPin(cpu: number, pin: ApicPin, level: boolean): void;
}

const MSR = { apicBase: 0x1b, tscDeadline: 0x6e0, x2apicFirst: 0x800, x2apicLast: 0x8ff } as const;

/** IA32_APIC_BASE (11.4.4). */
const Base = { bsp: 1n << 8n, extd: 1n << 10n, enable: 1n << 11n } as const;
/** Physical addresses have 52 bits; the bits between are reserved. */
const BASE_VALID: bigint = ((1n << 52n) - 0x1000n) | 0xd00n;

/** Local vector table entries, in the order of their registers from 0x320. */
export const Lvt = { timer: 0, thermal: 1, performance: 2, lint0: 3, lint1: 4, error: 5 } as const;
export const LVT_MASKED = 0x1_0000;
const LVT_LEVEL = 0x8000;
const LVT_REMOTE_IRR = 0x4000;
/** Bits that can be written, by entry; delivery status and remote IRR are read-only. */
const LVT_WRITABLE: readonly number[] = [0x7_00ff, 0x1_07ff, 0x1_07ff, 0x1_a7ff, 0x1_a7ff, 0x1_00ff];

export const SVR_ENABLE = 0x100;
const SVR_SUPPRESS_EOI_BROADCAST = 0x1000;
const SVR_WRITABLE = 0x13ff;

const FIRST_LEGAL_VECTOR = 16;

export class LocalApicUnit implements LocalApic, ApicState {
  readonly id: number;
  readonly #cpu: number;
  readonly #bus: ApicBus;
  readonly #initialBase: bigint;
  readonly #virtualWire: boolean;
  readonly irr: VectorSet = new VectorSet();
  readonly isr: VectorSet = new VectorSet();
  readonly tmr: VectorSet = new VectorSet();
  readonly timer: ApicTimer;
  readonly lvt: Uint32Array = new Uint32Array(6);
  #base: bigint;
  #tpr = 0;
  svr = 0xff;
  ldr = 0;
  dfr = 0xffff_ffff;
  /** ICR; the destination is in its upper half. */
  icr = 0n;
  /** What software reads, and what was found since it last wrote. */
  esr = 0;
  #errors = 0;
  #lint: [boolean, boolean] = [false, false];
  /** An I/O APIC sent an ExtINT. */
  #external = false;
  #nmi = false;
  #init = false;
  #sipi: number | undefined;
  #pins = 0;

  /** @param base - where the register page is at power-on */
  constructor(bus: ApicBus, cpu: number, id: number, base: bigint, virtualWire: boolean) {
    this.id = id;
    this.#cpu = cpu;
    this.#bus = bus;
    this.#initialBase = base | Base.enable | (cpu === 0 ? Base.bsp : 0n);
    this.#virtualWire = virtualWire && cpu === 0;
    this.#base = this.#initialBase;
    this.timer = new ApicTimer(() => {
      this.#local(Lvt.timer);
      this.update();
    });
    this.#initRegisters();
  }

  /** Power-up or RESET. */
  reset(): void {
    this.#base = this.#initialBase;
    this.#nmi = this.#init = false;
    this.#sipi = undefined;
    this.#initRegisters();
    if (this.#virtualWire) {
      this.svr |= SVR_ENABLE;
      this.lvt[Lvt.lint0] = Delivery.extInt << 8;
      this.lvt[Lvt.lint1] = Delivery.nmi << 8;
    }
    this.update();
  }

  /** The state after power-up, RESET and INIT (11.4.7.1, 11.4.7.3): all but the ID and IA32_APIC_BASE. */
  #initRegisters(): void {
    this.irr.clear();
    this.isr.clear();
    this.tmr.clear();
    this.timer.reset();
    this.lvt.fill(LVT_MASKED);
    this.#tpr = this.esr = this.#errors = 0;
    this.svr = 0xff;
    this.ldr = this.x2apic ? this.#x2apicLdr : 0;
    this.dfr = 0xffff_ffff;
    this.icr = 0n;
    this.#external = false;
  }

  // --- Modes (11.4.3, 11.12.1)

  get base(): bigint {
    return this.#base;
  }

  get enabled(): boolean {
    return (this.#base & Base.enable) !== 0n;
  }

  get x2apic(): boolean {
    return (this.#base & (Base.enable | Base.extd)) === (Base.enable | Base.extd);
  }

  get softwareEnabled(): boolean {
    return this.enabled && (this.svr & SVR_ENABLE) !== 0;
  }

  /** The ID that messages name. */
  get apicId(): number {
    return this.x2apic ? this.id : this.id & 0xff;
  }

  get #x2apicLdr(): number {
    return (((this.id >>> 4) << 16) | (1 << (this.id & 15))) >>> 0;
  }

  #writeBase(value: bigint): boolean {
    if ((value & ~BASE_VALID) !== 0n) return false;
    const before = this.#base & (Base.enable | Base.extd);
    const after = value & (Base.enable | Base.extd);
    if (after === Base.extd) return false;
    // Out of x2APIC mode it goes only by way of the disabled state, and into it only from xAPIC mode.
    if (before === (Base.enable | Base.extd) && after === Base.enable) return false;
    if (before === 0n && after === (Base.enable | Base.extd)) return false;
    this.#base = value;
    if (before !== after) {
      if (after === 0n || before === 0n) this.#initRegisters();
      else this.ldr = this.#x2apicLdr;
      this.icr = 0n;
    }
    this.update();
    return true;
  }

  // --- Registers

  offsetOf(address: bigint): number | undefined {
    if (!this.enabled || this.x2apic || address >> 12n !== this.#base >> 12n) return undefined;
    return Number(address & 0xfffn);
  }

  read(offset: number, width: AccessWidth): bigint {
    return accessPage(this, offset, width);
  }

  write(offset: number, width: AccessWidth, value: bigint): void {
    accessPage(this, offset, width, value);
    this.update();
  }

  readMsr(msr: number): bigint | undefined {
    if (msr === MSR.apicBase) return this.#base;
    if (msr === MSR.tscDeadline) return this.timer.readTscDeadline();
    if (msr < MSR.x2apicFirst || msr > MSR.x2apicLast || !this.x2apic) return undefined;
    return readX2apic(this, msr - MSR.x2apicFirst);
  }

  writeMsr(msr: number, value: bigint): boolean {
    if (msr === MSR.apicBase) return this.#writeBase(value);
    let done = false;
    if (msr === MSR.tscDeadline) {
      this.timer.writeTscDeadline(value);
      done = true;
    } else if (msr >= MSR.x2apicFirst && msr <= MSR.x2apicLast && this.x2apic) done = writeX2apic(this, msr - MSR.x2apicFirst, value);
    this.update();
    return done;
  }

  get tpr(): number {
    return this.#tpr;
  }

  set tpr(value: number) {
    this.#tpr = value & 0xff;
    this.update();
  }

  setSvr(value: number): void {
    this.svr = value & SVR_WRITABLE;
    // While the APIC is disabled by software, all local interrupts are masked (11.4.7.2).
    if (!this.softwareEnabled) for (const i of this.lvt.keys()) this.lvt[i] = (this.lvt[i] as number) | LVT_MASKED;
  }

  setLvt(entry: number, value: number): void {
    const writable = LVT_WRITABLE[entry] as number;
    if (entry === Lvt.timer) this.timer.setMode((value >>> 17) & 3);
    const kept = (this.lvt[entry] as number) & LVT_REMOTE_IRR;
    this.lvt[entry] = (value & writable) | kept | (this.softwareEnabled ? 0 : LVT_MASKED);
    // A wire that is asserted is seen when its entry is opened.
    if (entry === Lvt.lint0 || entry === Lvt.lint1) this.#levelLint(entry);
  }

  lvtValid(entry: number): number {
    return (LVT_WRITABLE[entry] as number) | 0x1000 | (entry === Lvt.lint0 || entry === Lvt.lint1 ? LVT_REMOTE_IRR : 0);
  }

  latchErrors(): void {
    this.esr = this.#errors;
    this.#errors = 0;
  }

  error(bit: number): void {
    this.#errors |= bit;
    const entry = this.lvt[Lvt.error] as number;
    // An error interrupt whose own vector is illegal would report itself without end.
    if ((entry & LVT_MASKED) === 0 && (entry & 0xff) >= FIRST_LEGAL_VECTOR) this.#request(entry & 0xff, false);
  }

  send(message: Message, shorthand: Shorthand): void {
    this.#bus.send(this, message, shorthand);
  }

  // --- Priorities (11.8.3)

  /** The processor priority: the task priority, or the class of what is in service if that is higher. */
  get ppr(): number {
    const inService = (this.isr.highest() ?? 0) & 0xf0;
    return (this.#tpr & 0xf0) >= inService ? this.#tpr : inService;
  }

  get #externalPending(): boolean {
    if (!this.enabled) return this.#lint[0];
    const lint0 = this.lvt[Lvt.lint0] as number;
    return this.#external || (this.#lint[0] && (lint0 & (LVT_MASKED | 0x700)) === Delivery.extInt << 8);
  }

  #deliverable(): number | undefined {
    if (!this.softwareEnabled) return undefined;
    const vector = this.irr.highest();
    return vector !== undefined && (vector & 0xf0) > (this.ppr & 0xf0) ? vector : undefined;
  }

  pending(): number | undefined {
    this.timer.poll();
    return this.#externalPending ? this.#bus.peekExternal() : this.#deliverable();
  }

  highestRequest(): number | undefined {
    this.timer.poll();
    return this.softwareEnabled ? this.irr.highest() : undefined;
  }

  acknowledge(): number {
    if (this.#externalPending) {
      this.#external = false;
      const vector = this.#bus.acknowledgeExternal();
      this.update();
      return vector;
    }
    const vector = this.#deliverable();
    if (vector === undefined) return this.svr & 0xff;
    this.irr.set(vector, false);
    this.isr.set(vector, true);
    this.update();
    return vector;
  }

  endOfInterrupt(): void {
    const vector = this.isr.highest();
    if (vector === undefined) return;
    this.isr.set(vector, false);
    if (!this.tmr.has(vector)) return;
    for (const entry of [Lvt.lint0, Lvt.lint1]) {
      const value = this.lvt[entry] as number;
      if ((value & LVT_REMOTE_IRR) === 0 || (value & 0xff) !== vector) continue;
      this.lvt[entry] = value & ~LVT_REMOTE_IRR;
      this.#levelLint(entry);
    }
    if ((this.svr & SVR_SUPPRESS_EOI_BROADCAST) === 0) this.#bus.endOfInterrupt(vector);
  }

  // --- Interrupts that come in

  /** A message for this APIC. Whether it took it. */
  accept({ vector, delivery, level }: Message): boolean {
    if (!this.enabled) return false;
    const taken = this.#accept(vector, delivery, level);
    this.update();
    return taken;
  }

  #accept(vector: number, delivery: number, level: boolean): boolean {
    switch (delivery) {
      case Delivery.fixed:
      case Delivery.lowestPriority:
        if (!this.softwareEnabled) return false;
        if (vector >= FIRST_LEGAL_VECTOR) return this.#request(vector, level);
        this.error(EsrBit.receiveIllegalVector);
        return false;
      case Delivery.nmi:
        return (this.#nmi = true);
      case Delivery.init:
        // What was to be started before it, is not.
        this.#sipi = undefined;
        return (this.#init = true);
      case Delivery.startUp:
        this.#sipi ??= vector;
        return true;
      case Delivery.extInt:
        return (this.#external = true);
      default:
        // There is no system-management mode to enter.
        return delivery === Delivery.smi;
    }
  }

  #request(vector: number, level: boolean): boolean {
    this.irr.set(vector, true);
    this.tmr.set(vector, level);
    return true;
  }

  /** The wires LINT0 and LINT1. */
  setLint(n: 0 | 1, asserted: boolean): void {
    if (this.#lint[n] === asserted) return;
    this.#lint[n] = asserted;
    const entry = n === 0 ? Lvt.lint0 : Lvt.lint1;
    if (!this.enabled) {
      // Then they are the processor's pins INTR and NMI.
      if (n === 1 && asserted) this.#nmi = true;
    } else if (asserted) {
      const value = this.lvt[entry] as number;
      const isLevel = ((value >>> 8) & 7) === Delivery.fixed && (value & LVT_LEVEL) !== 0;
      if (isLevel) this.#levelLint(entry);
      else if (((value >>> 8) & 7) !== Delivery.extInt) this.#local(entry);
    }
    this.update();
  }

  /** A level-triggered wire asks again as long as it is asserted and its last interrupt has ended. */
  #levelLint(entry: number): void {
    const value = this.lvt[entry] as number;
    const asserted = this.#lint[entry === Lvt.lint0 ? 0 : 1];
    if (!asserted || (value & (LVT_MASKED | LVT_REMOTE_IRR | 0x700 | LVT_LEVEL)) !== LVT_LEVEL) return;
    if (this.#accept(value & 0xff, Delivery.fixed, true)) this.lvt[entry] = value | LVT_REMOTE_IRR;
  }

  raise(source: 'thermal' | 'performance'): void {
    this.#local(Lvt[source]);
    // The counter's interrupt masks its own entry (20.6.3.5.8).
    if (source === 'performance') this.lvt[Lvt.performance] = (this.lvt[Lvt.performance] as number) | LVT_MASKED;
    this.update();
  }

  #local(entry: number): void {
    const value = this.lvt[entry] as number;
    if (!this.enabled || (value & LVT_MASKED) !== 0) return;
    this.#accept(value & 0xff, entry === Lvt.timer || entry === Lvt.error ? Delivery.fixed : (value >>> 8) & 7, false);
  }

  // --- The processor's side

  take(event: 'nmi' | 'init'): boolean;
  take(event: 'sipi'): number | undefined;
  take(event: 'nmi' | 'init' | 'sipi'): boolean | number | undefined {
    let result: boolean | number | undefined;
    if (event === 'sipi') {
      result = this.#sipi;
      this.#sipi = undefined;
    } else if (event === 'nmi') {
      result = this.#nmi;
      this.#nmi = false;
    } else {
      result = this.#init;
      this.#init = false;
      if (result) this.#initRegisters();
    }
    this.update();
    return result;
  }

  nextTimer(): Ticks | undefined {
    return ((this.lvt[Lvt.timer] as number) & LVT_MASKED) === 0 ? this.timer.deadline : undefined;
  }

  useTsc(tsc: TscClock): void {
    this.timer.useTsc(tsc);
  }

  /** Drives the pins; only changes are told. */
  update(): void {
    const pins =
      (this.#externalPending || this.#deliverable() !== undefined ? 1 : 0) | (this.#nmi ? 2 : 0) | (this.#init ? 4 : 0) | (this.#sipi === undefined ? 0 : 8);
    const changed = pins ^ this.#pins;
    if (changed === 0) return;
    this.#pins = pins;
    PINS.forEach((pin, i) => {
      if (((changed >> i) & 1) === 1) this.#bus.setPin(this.#cpu, pin, ((pins >> i) & 1) === 1);
    });
  }
}

const PINS: readonly ApicPin[] = [ApicPin.intr, ApicPin.nmi, ApicPin.init, ApicPin.sipi];
