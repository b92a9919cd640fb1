/**
 * The interrupt controllers of a PC as one: a local APIC for each vCPU, an I/O APIC, the 8259 pair and the 8254, wired to each other as chipsets with
 * an I/O APIC do (Intel I/O Controller Hub data sheets, chapter "Interrupts").
 */
import { gpa, rangeFromStartSize } from '@axvisor/axvisor_api/addr';
import type { AccessWidth, Device, DeviceRegion, IrqLine } from '@axvisor/axvisor_api/device';
import { ensure } from '@axvisor/axvisor_api/errors';
import type { ApicBackplane, IntcContext, IntcOptions, InterruptController, LocalApic } from '@axvisor/axvisor_api/intc';
import { Apics } from './apics.ts';
import { APIC_WORDS } from './apic_words.ts';
import { Hpet, type HpetRoute } from './hpet.ts';
import { IO_APIC_PINS, IoApic } from './io_apic.ts';
import { LocalApicUnit, type ApicBus, type PowerOn } from './local_apic.ts';
import { decodeMsi, Delivery } from './message.ts';
import { PicPair } from './pic.ts';
import { Pit } from './pit.ts';

const IO_APIC_BASE = 0xfec0_0000n;
const PAGE = 0x1000n;
/** x2APIC IDs have 32 bits; VMs have no more vCPUs than this. */
const MAX_CPUS = 512;

/** ISA interrupts go to both controllers under the same number, except the timer: 0 at the 8259, pin 2 at the I/O APIC. */
const TIMER_IRQ = 0;
const TIMER_PIN = 2;
const CLOCK_IRQ = 8;
const ISA_IRQS = 16;
/** Where PCI interrupts A to D … (global interrupts 16 to 23) are for systems that use the 8259. */
const PCI_ISA_IRQS = [10, 11] as const;
/** Level-triggered as firmware leaves it: the system control interrupt and those of PCI. */
const FIRMWARE_ELCR = (1 << 9) | (1 << 10) | (1 << 11);
/** Pin 0 of the I/O APIC is the 8259's output. */
const PIC_PIN = 0;

/** The register pages of the local APICs on the bus, for accesses that their processors did not take themselves. */
class LocalApicPage implements Device {
  readonly name: string;
  readonly model = 'local-apic';
  readonly regions: readonly DeviceRegion[];
  readonly #base: bigint;
  readonly #apic: () => LocalApicUnit | undefined;
  readonly #msi: (address: bigint, data: number) => void;

  constructor(base: bigint, apic: () => LocalApicUnit | undefined, msi: (address: bigint, data: number) => void) {
    this.name = `local-apic@${base.toString(16)}`;
    this.#base = base;
    this.regions = [{ space: 'mmio', range: rangeFromStartSize(gpa(base), PAGE) }];
    this.#apic = apic;
    this.#msi = msi;
  }

  reset(): void {
    // The controller resets the local APICs.
  }

  read(offset: number, width: AccessWidth): bigint {
    const apic = this.#apic();
    const at = apic?.offsetOf(this.#base + BigInt(offset));
    return at === undefined ? BigInt.asUintN(8 * width, -1n) : (apic as LocalApicUnit).read(at, width);
  }

  write(offset: number, width: AccessWidth, value: bigint): void {
    const apic = this.#apic();
    const at = apic?.offsetOf(this.#base + BigInt(offset));
    if (at !== undefined) apic?.write(at, width, value);
    else if (width === 4) this.#msi(this.#base + BigInt(offset), Number(value));
  }
}

export class PcInterrupts implements InterruptController {
  readonly backplane: ApicBackplane = {
    endOfInterrupt: (vector) => this.#ioApic.endOfInterrupt(vector),
    acknowledgeExternal: () => this.#pic.acknowledge(),
    peekExternal: () => this.#pic.peek(),
  };
  readonly devices: readonly Device[];
  /** Global system interrupts are 0 to 23; devices have 1 to 23. */
  readonly sources: number = IO_APIC_PINS - 1;
  readonly #apics: Apics;
  readonly #powerOn: readonly PowerOn[];
  readonly #ioApic: IoApic;
  readonly #pic: PicPair;
  readonly #hpet: Hpet | undefined;
  /** Its wires to what is not the 8254's. */
  readonly #hpetLines = new Map<number, IrqLine>();
  /** How many wires assert each global system interrupt, and each input of the 8259 pair. */
  readonly #asserted: Uint16Array = new Uint16Array(IO_APIC_PINS);
  readonly #isaAsserted: Uint16Array = new Uint16Array(ISA_IRQS);

  /** @throws {AxError} InvalidInput */
  constructor({ base, ioApicBase = IO_APIC_BASE, hpetBase, firmwareState = false }: IntcOptions, context: IntcContext) {
    const { vcpuCount, cpuIds } = context;
    ensure(vcpuCount >= 1 && vcpuCount <= MAX_CPUS, 'InvalidInput', `there are 1 to ${MAX_CPUS} local APICs, not ${vcpuCount}`);
    ensure(cpuIds === undefined || cpuIds.length === vcpuCount, 'InvalidInput', `${cpuIds?.length} APIC IDs for ${vcpuCount} CPUs`);
    ensure(base % PAGE === 0n && ioApicBase % PAGE === 0n && (hpetBase ?? 0n) % PAGE === 0n, 'InvalidInput', 'the registers of APICs and timers are pages');
    const ids = cpuIds ?? Array.from({ length: vcpuCount }, (_, i) => BigInt(i));
    for (const id of ids) ensure(id >= 0n && id < 0xffff_ffffn, 'InvalidInput', `APIC ID ${id} does not fit in 32 bits`);
    ensure(new Set(ids).size === ids.length, 'InvalidInput', 'APIC IDs must differ');
    this.#powerOn = ids.map((id) => ({ id: Number(id), base, virtualWire: firmwareState }));
    const shared = context.sharedWords?.(vcpuCount * APIC_WORDS);
    const state = shared ?? new Int32Array(vcpuCount * APIC_WORDS);
    const bus: ApicBus = {
      send: (from, message, shorthand) => apics.send(from, message, shorthand),
      controller: () => this.backplane,
      setPin: (cpu, pin, level) => context.setVcpuInterrupt(cpu, pin, level),
    };
    const apics = new Apics(ids.map((_, i) => new LocalApicUnit(bus, i, state, shared === undefined)));
    this.#apics = apics;
    this.#ioApic = new IoApic(ioApicBase, (message) => apics.deliver(message));
    this.#pic = new PicPair(firmwareState ? FIRMWARE_ELCR : 0, (level) => {
      this.#ioApic.setLine(PIC_PIN, level);
      for (const apic of apics.all) apic.setLint(0, level);
    });
    this.#hpet = hpetBase === undefined ? undefined : new Hpet(hpetBase, (route, level) => this.#hpetInterrupt(route, level));
    const timer = new Pit((level) => {
      if (this.#hpet?.replacesLegacy !== true) this.#setTimer(level);
    });
    const page = new LocalApicPage(base, () => apics.all[context.currentVcpu?.() ?? 0], (address, data) => this.writeMsi(address, data));
    // The bus resets devices one by one; the local APICs go with the I/O APIC, without which they hear of nothing.
    const ioApic = this.#ioApic;
    const withCpus: Device = {
      name: ioApic.name, model: ioApic.model, regions: ioApic.regions,
      read: (offset, width) => ioApic.read(offset, width),
      write: (offset, width, value) => ioApic.write(offset, width, value),
      reset: () => this.reset(),
    };
    this.devices = [page, withCpus, this.#pic, timer, ...(this.#hpet === undefined ? [] : [this.#hpet])];
    this.#resetApics();
  }

  #resetApics(): void {
    this.#powerOn.forEach((powerOn, i) => this.#apics.all[i]?.reset(powerOn));
  }

  /** Local and I/O APICs in their power-on state. */
  reset(): void {
    this.#ioApic.reset();
    this.#resetApics();
  }

  /** @throws {AxError} OutOfRange */
  line(irq: number): IrqLine {
    ensure(Number.isInteger(irq) && irq >= 1 && irq <= this.sources && irq !== TIMER_PIN, 'OutOfRange', `wires are 1 to ${this.sources} without 2, not ${irq}`);
    return this.#wire(irq, () => irq !== CLOCK_IRQ || this.#hpet?.replacesLegacy !== true);
  }

  /** @param counts - whether the wire is heard when it is asserted */
  #wire(irq: number, counts: () => boolean): IrqLine {
    const isa = irq < ISA_IRQS ? irq : (PCI_ISA_IRQS[irq & 1] as number);
    let asserted = false;
    return {
      irq,
      set: (level) => {
        if (level === asserted || (level && !counts())) return;
        asserted = level;
        const step = level ? 1 : -1;
        const wires = ((this.#asserted[irq] as number) + step);
        const isaWires = ((this.#isaAsserted[isa] as number) + step);
        this.#asserted[irq] = wires;
        this.#isaAsserted[isa] = isaWires;
        this.#pic.setLine(isa, isaWires > 0);
        this.#ioApic.setLine(irq, wires > 0);
      },
    };
  }

  #setTimer(level: boolean): void {
    this.#pic.setLine(TIMER_IRQ, level);
    this.#ioApic.setLine(TIMER_PIN, level);
  }

  #hpetInterrupt(route: HpetRoute, level: boolean): void {
    if (route === 'timer') return this.#setTimer(level);
    const irq = route === 'clock' ? CLOCK_IRQ : route;
    let line = this.#hpetLines.get(irq);
    if (line === undefined) this.#hpetLines.set(irq, (line = this.#wire(irq, () => true)));
    line.set(level);
  }

  /** @throws {AxError} OutOfRange */
  localApic(vcpu: number): LocalApic {
    const apic = this.#apics.all[vcpu];
    ensure(apic !== undefined, 'OutOfRange', `there are ${this.#apics.all.length} local APICs, not number ${vcpu}`);
    return apic;
  }

  writeMsi(address: bigint, data: number): void {
    const message = decodeMsi(address, data);
    // By a message only those that go to processors can be signalled (11.11.2).
    if (message !== undefined && message.delivery !== 3 && message.delivery !== Delivery.startUp) this.#apics.deliver(message);
  }
}
