/**
 * A local APIC (Intel SDM volume 3, chapter 11): interrupts requested and in service, priorities, local sources, and the events that it keeps for its
 * processor. Its registers are in registers.ts, its state in apic_words.ts.
 *
 * Every thread may have an object for it. The thread of its processor *owns* it: all others request interrupts and raise events, and only assert its
 * pins. Each side writes first what it has to say, and looks then at what the other said: one of them sees that a pin is to be asserted.
 */
import { ApicPin, type ApicBackplane, type LocalApic, type TscClock } from '@axvisor/axvisor_api/intc';
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import type { Ticks } from '@axvisor/axvisor_api/time';
import { ApicWords, Base, Event, SIPI, SVR_ENABLE, Word } from './apic_words.ts';
import { LVT_ENTRIES, LVT_LEVEL, LVT_MASKED, LVT_REMOTE_IRR, LVT_WRITABLE, Lvt } from './lvt.ts';
import { Delivery, type Message } from './message.ts';
import { accessPage, EsrBit, readX2apic, writeX2apic, type ApicState, type Shorthand } from './registers.ts';
import { ApicTimer } from './timer.ts';

/** What a local APIC is connected with. */
export interface ApicBus {
  /** Sends an interprocessor interrupt; `self` and `others` say which shorthand of the ICR is used. */
  send(from: LocalApicUnit, message: Message, shorthand: Shorthand): void;
  /** The rest of the machine's interrupt controllers, for a processor. */
  controller(cpu: number): ApicBackplane;
  setPin(cpu: number, pin: ApicPin, level: boolean): void;
}

/** What a local APIC is after power-on. */
export interface PowerOn {
  readonly id: number;
  /** Where the register page is. */
  readonly base: bigint;
  /** The first processor hears the 8259, as firmware leaves it. */
  readonly virtualWire: boolean;
}

const MSR = { apicBase: 0x1b, tscDeadline: 0x6e0, x2apicFirst: 0x800, x2apicLast: 0x8ff } as const;

/** Physical addresses have 52 bits; the bits between are reserved. */
const BASE_VALID: bigint = ((1n << 52n) - 0x1000n) | 0xd00n;

const SVR_SUPPRESS_EOI_BROADCAST = 0x1000;
const SVR_WRITABLE = 0x13ff;

const FIRST_LEGAL_VECTOR = 16;

export class LocalApicUnit extends ApicWords implements LocalApic, ApicState {
  readonly timer: ApicTimer;
  readonly #cpu: number;
  readonly #bus: ApicBus;
  readonly #isOwned: boolean;

  /**
   * @param all - the state of all local APICs
   * @param isOwned - this is the thread of its processor
   */
  constructor(bus: ApicBus, cpu: number, all: Int32Array, isOwned: boolean) {
    super(all, cpu);
    this.#bus = bus;
    this.#cpu = cpu;
    this.#isOwned = isOwned;
    this.timer = new ApicTimer(() => {
      this.#local(Lvt.timer);
      this.update();
    });
  }

  /** Power-up or RESET, while the processor stands still. */
  reset({ id, base, virtualWire }: PowerOn): void {
    this.setWord(Word.id, id);
    this.setBase(base | Base.enable | (this.#cpu === 0 ? Base.bsp : 0n));
    this.setWord(Word.events, 0);
    this.setWord(Word.sipi, 0);
    this.#initRegisters();
    if (virtualWire && this.#cpu === 0) {
      this.setWord(Word.svr, this.svr | SVR_ENABLE);
      this.setWord(Word.lvt + Lvt.lint0, Delivery.extInt << 8);
      this.setWord(Word.lvt + Lvt.lint1, Delivery.nmi << 8);
    }
    this.#drive(true);
  }

  /** The state after power-up, RESET and INIT (11.4.7.1, 11.4.7.3): all but the ID and IA32_APIC_BASE. */
  #initRegisters(): void {
    this.irr.clear();
    this.isr.clear();
    this.tmr.clear();
    this.timer.reset();
    for (let entry = 0; entry < LVT_ENTRIES; entry++) this.setWord(Word.lvt + entry, LVT_MASKED);
    for (const word of [Word.tpr, Word.esr, Word.errors]) this.setWord(word, 0);
    this.setWord(Word.svr, 0xff);
    this.ldr = this.x2apic ? this.#x2apicLdr : 0;
    this.dfr = 0xffff_ffff;
    this.icr = 0n;
    this.takeEvents(Event.external);
  }

  // --- Modes (11.4.3, 11.12.1)

  get #x2apicLdr(): number {
    return (((this.id >>> 4) << 16) | (1 << (this.id & 15))) >>> 0;
  }

  #writeBase(value: bigint): boolean {
    if ((value & ~BASE_VALID) !== 0n) return false;
    const before = this.base & (Base.enable | Base.extd);
    const after = value & (Base.enable | Base.extd);
    if (after === Base.extd) return false;
    // Out of x2APIC mode it goes only by way of the disabled state, and into it only from xAPIC mode.
    if (before === (Base.enable | Base.extd) && after === Base.enable) return false;
    if (before === 0n && after === (Base.enable | Base.extd)) return false;
    this.setBase(value);
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
    if (!this.enabled || this.x2apic || address >> 12n !== this.base >> 12n) return undefined;
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
    if (msr === MSR.apicBase) return this.base;
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
    return this.word(Word.tpr);
  }

  set tpr(value: number) {
    this.setWord(Word.tpr, value & 0xff);
    this.update();
  }

  setSvr(value: number): void {
    this.setWord(Word.svr, value & SVR_WRITABLE);
    // While the APIC is disabled by software, all local interrupts are masked (11.4.7.2).
    if (!this.softwareEnabled) for (let entry = 0; entry < LVT_ENTRIES; entry++) this.#mask(entry);
  }

  #mask(entry: number): void {
    this.setBits(Word.lvt + entry, LVT_MASKED);
  }

  setLvt(entry: number, value: number): void {
    const writable = LVT_WRITABLE[entry] as number;
    if (entry === Lvt.timer) this.timer.setMode((value >>> 17) & 3);
    const written = (value & writable) | (this.softwareEnabled ? 0 : LVT_MASKED);
    let before: number;
    // Remote IRR stays, whatever the wire does to it meanwhile on another thread.
    do before = this.lvt(entry);
    while (!this.replace(Word.lvt + entry, before, written | (before & LVT_REMOTE_IRR)));
    // A wire that is asserted is seen when its entry is opened.
    if (entry === Lvt.lint0 || entry === Lvt.lint1) this.#levelLint(entry);
  }

  lvtValid(entry: number): number {
    return (LVT_WRITABLE[entry] as number) | 0x1000 | (entry === Lvt.lint0 || entry === Lvt.lint1 ? LVT_REMOTE_IRR : 0);
  }

  error(bit: number): void {
    this.setBits(Word.errors, bit);
    const entry = this.lvt(Lvt.error);
    // An error interrupt whose own vector is illegal would report itself without end.
    if ((entry & LVT_MASKED) !== 0 || (entry & 0xff) < FIRST_LEGAL_VECTOR) return;
    this.#request(entry & 0xff, false);
    // Reads are errors, too.
    this.update();
  }

  send(message: Message, shorthand: Shorthand): void {
    this.#bus.send(this, message, shorthand);
  }

  // --- Priorities (11.8.3)

  /** The processor priority: the task priority, or the class of what is in service if that is higher. */
  get ppr(): number {
    const inService = (this.isr.highest() ?? 0) & 0xf0;
    const { tpr } = this;
    return (tpr & 0xf0) >= inService ? tpr : inService;
  }

  get #externalPending(): boolean {
    if (!this.enabled) return this.lint(0);
    const lint0 = this.lvt(Lvt.lint0);
    return (this.word(Word.events) & Event.external) !== 0 || (this.lint(0) && (lint0 & (LVT_MASKED | 0x700)) === Delivery.extInt << 8);
  }

  #deliverable(): number | undefined {
    if (!this.softwareEnabled) return undefined;
    const vector = this.irr.highest();
    return vector !== undefined && (vector & 0xf0) > (this.ppr & 0xf0) ? vector : undefined;
  }

  get requests(): boolean {
    return this.#externalPending || this.#deliverable() !== undefined;
  }

  pending(): number | undefined {
    this.timer.poll();
    return this.#externalPending ? this.#bus.controller(this.#cpu).peekExternal() : this.#deliverable();
  }

  highestRequest(): number | undefined {
    this.timer.poll();
    return this.softwareEnabled ? this.irr.highest() : undefined;
  }

  acknowledge(): number {
    if (this.#externalPending) {
      this.takeEvents(Event.external);
      const vector = this.#bus.controller(this.#cpu).acknowledgeExternal();
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
      const value = this.lvt(entry);
      if ((value & LVT_REMOTE_IRR) === 0 || (value & 0xff) !== vector) continue;
      this.clearBits(Word.lvt + entry, LVT_REMOTE_IRR);
      this.#levelLint(entry);
    }
    if ((this.svr & SVR_SUPPRESS_EOI_BROADCAST) === 0) this.#bus.controller(this.#cpu).endOfInterrupt(vector);
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
        return this.latch(Event.nmi);
      case Delivery.init:
        // What was to be started before it, is not.
        this.setWord(Word.sipi, 0);
        return this.latch(Event.init);
      case Delivery.startUp:
        this.replace(Word.sipi, 0, SIPI | vector);
        return true;
      case Delivery.extInt:
        return this.latch(Event.external);
      default:
        // There is no system-management mode to enter.
        return delivery === Delivery.smi;
    }
  }

  #request(vector: number, level: boolean): boolean {
    this.tmr.set(vector, level);
    this.irr.set(vector, true);
    return true;
  }

  /** The wires LINT0 and LINT1. */
  setLint(n: 0 | 1, asserted: boolean): void {
    if (this.lint(n) === asserted) return;
    if (asserted) this.setBits(Word.lint, 1 << n);
    else this.clearBits(Word.lint, 1 << n);
    const entry = n === 0 ? Lvt.lint0 : Lvt.lint1;
    if (!this.enabled) {
      // Then they are the processor's pins INTR and NMI.
      if (n === 1 && asserted) this.latch(Event.nmi);
    } else if (asserted) {
      const value = this.lvt(entry);
      const isLevel = ((value >>> 8) & 7) === Delivery.fixed && (value & LVT_LEVEL) !== 0;
      if (isLevel) this.#levelLint(entry);
      else if (((value >>> 8) & 7) !== Delivery.extInt) this.#local(entry);
    }
    this.update();
  }

  /** A level-triggered wire asks again as long as it is asserted and its last interrupt has ended. */
  #levelLint(entry: number): void {
    const value = this.lvt(entry);
    const asserted = this.lint(entry === Lvt.lint0 ? 0 : 1);
    if (!asserted || (value & (LVT_MASKED | LVT_REMOTE_IRR | 0x700 | LVT_LEVEL)) !== LVT_LEVEL) return;
    if (this.#accept(value & 0xff, Delivery.fixed, true)) this.setBits(Word.lvt + entry, LVT_REMOTE_IRR);
  }

  raise(source: 'thermal' | 'performance'): void {
    this.#local(Lvt[source]);
    // The counter's interrupt masks its own entry (20.6.3.5.8).
    if (source === 'performance') this.#mask(Lvt.performance);
    this.update();
  }

  #local(entry: number): void {
    const value = this.lvt(entry);
    if (!this.enabled || (value & LVT_MASKED) !== 0) return;
    this.#accept(value & 0xff, entry === Lvt.timer || entry === Lvt.error ? Delivery.fixed : (value >>> 8) & 7, false);
  }

  // --- The processor's side

  take(event: 'nmi' | 'init'): boolean;
  take(event: 'sipi'): number | undefined;
  take(event: 'nmi' | 'init' | 'sipi'): boolean | number | undefined {
    let result: boolean | number | undefined;
    if (event === 'sipi') {
      const sipi = this.exchange(Word.sipi, 0);
      result = sipi === 0 ? undefined : sipi & 0xff;
    } else {
      result = (event === 'nmi' && this.takeEvents(Event.nmiAgain)) || this.takeEvents(Event[event]);
      if (result && event === 'init') this.#initRegisters();
    }
    this.update();
    return result;
  }

  nextTimer(): Ticks | undefined {
    return (this.lvt(Lvt.timer) & LVT_MASKED) === 0 ? this.timer.deadline : undefined;
  }

  useTsc(tsc: TscClock): void {
    this.timer.useTsc(tsc);
  }

  /** The state was put back by another thread: forgets the timer, and what it requested meanwhile. Nobody else has, who would first have to be programmed. */
  forget(): void {
    this.timer.reset();
    if (!this.#isOwned) return;
    this.irr.clear();
    this.update();
  }

  /** Drives the pins; only changes are told. */
  update(): void {
    this.#drive(this.#isOwned);
  }

  /** @param all - pins are released, too: whoever is not the processor may see its priorities too late, and so asserts only. */
  #drive(all: boolean): void {
    const before = this.word(Word.pins);
    const pins = this.#wanted;
    this.#assert(pins & ~before);
    const released = before & ~pins;
    if (!all || released === 0) return;
    this.#tell(released, false);
    this.clearBits(Word.pins, released);
    // Who came in between saw them asserted.
    this.#assert(this.#wanted & released);
  }

  #assert(pins: number): void {
    if (pins !== 0) this.#tell(pins & ~this.setBits(Word.pins, pins), true);
  }

  #tell(pins: number, level: boolean): void {
    PINS.forEach((pin, i) => {
      if (((pins >> i) & 1) === 1) this.#bus.setPin(this.#cpu, pin, level);
    });
  }

  /** The pins that its state asserts. */
  get #wanted(): number {
    const events = this.word(Word.events);
    return (this.requests ? 1 : 0) | ((events & (Event.nmi | Event.nmiAgain)) === 0 ? 0 : 2) | ((events & Event.init) === 0 ? 0 : 4) | (this.word(Word.sipi) === 0 ? 0 : 8);
  }
}

const PINS: readonly ApicPin[] = [ApicPin.intr, ApicPin.nmi, ApicPin.init, ApicPin.sipi];
