/** The interrupt controllers of a PC with a clock that tests set, recorded pins, and short names for their registers. */
import { component as memoryAddr } from '@axvisor/memory_addr';
import { apiImpl, component, resolve } from '@axvisor/axvisor_api';
import type { AccessWidth, Device } from '@axvisor/axvisor_api/device';
import { createInterruptController, type IntcOptions, type LocalApic } from '@axvisor/axvisor_api/intc';
import { time, type Time } from '@axvisor/axvisor_api/time';
import { component as vlapic } from '../src/index.ts';
import type { PcInterrupts } from '../src/pc_interrupts.ts';

export const APIC_BASE = 0xfee0_0000n;

/** A clock that tests set. 1 tick is 1 ns. */
export class FakeTime {
  now = 0n;
  timers = new Map<number, { deadline: bigint; callback: (now: bigint) => void }>();
  #next = 1;

  readonly api: Time = {
    isVirtualClock: () => true,
    tickFrequency: () => 1_000_000_000n,
    currentTicks: () => this.now,
    ticksToNanos: (t) => t,
    nanosToTicks: (n) => n,
    wallClock: () => this.now,
    registerTimer: (deadline, callback) => {
      this.timers.set(this.#next, { deadline, callback });
      return this.#next++ as never;
    },
    cancelTimer: (token) => void this.timers.delete(token),
    nextDeadline: () => [...this.timers.values()].map((t) => t.deadline).sort((a, b) => (a < b ? -1 : 1))[0],
    expireTimers: () => {
      const due = [...this.timers].filter(([, t]) => t.deadline <= this.now);
      for (const [token, t] of due) if (this.timers.delete(token)) t.callback(this.now);
      return due.length;
    },
    accountInstructions: () => {},
    instructionsUntil: () => 0,
    skipTo: (deadline) => void (this.now = deadline),
  };
}

export class Bench {
  readonly time = new FakeTime();
  readonly controller: PcInterrupts;
  /** Asserted pins by vCPU: `cpu:pin`. */
  readonly pins = new Set<string>();
  /** How often a pin was asserted. */
  asserted = 0;
  /** Whose accesses devices handle. */
  cpu = 0;
  readonly #image = resolve([vlapic, memoryAddr, component({ name: 'fake-time', provides: () => [apiImpl(time, this.time.api)] })]);

  /** @param shared - words of the local APICs, whose processors are on other threads. */
  constructor(cpus = 1, options: Partial<IntcOptions> = {}, cpuIds?: readonly bigint[], shared?: Int32Array) {
    this.controller = this.run(() =>
      createInterruptController(
        { base: APIC_BASE, ...options },
        {
          vmId: 1, vcpuCount: cpus, currentVcpu: () => this.cpu, ...(cpuIds === undefined ? {} : { cpuIds }), ...(shared === undefined ? {} : { sharedWords: () => shared }),
          setVcpuInterrupt: (cpu, pin, level) => {
            if (level) this.asserted++;
            if (level) this.pins.add(`${cpu}:${pin}`);
            else this.pins.delete(`${cpu}:${pin}`);
          },
        },
      ),
    ) as PcInterrupts;
  }

  run<T>(work: () => T): T {
    const result: { value?: T } = {};
    this.#image.run(() => void (result.value = work()));
    return result.value as T;
  }

  /** Lets time pass, deadline by deadline. */
  advance(nanos: bigint): void {
    const end = this.time.now + nanos;
    for (let next = this.time.api.nextDeadline(); next !== undefined && next <= end; next = this.time.api.nextDeadline()) {
      if (next > this.time.now) this.time.now = next;
      this.run(() => this.time.api.expireTimers());
    }
    this.time.now = end;
  }

  apic(cpu = 0): LocalApic {
    return this.controller.localApic(cpu);
  }

  /** Reads and writes a register of the local APIC page. */
  reg(offset: number, cpu = 0): number {
    return Number(this.run(() => this.apic(cpu).read(offset, 4)));
  }

  set(offset: number, value: number, cpu = 0): void {
    this.run(() => this.apic(cpu).write(offset, 4, BigInt(value >>> 0)));
  }

  msr(msr: number, cpu = 0): bigint | undefined {
    return this.run(() => this.apic(cpu).readMsr(msr));
  }

  setMsr(msr: number, value: bigint, cpu = 0): boolean {
    return this.run(() => this.apic(cpu).writeMsr(msr, value));
  }

  /** Software-enables the local APICs. */
  enable(cpus = 1): this {
    for (let cpu = 0; cpu < cpus; cpu++) this.set(0xf0, 0x1ff, cpu);
    return this;
  }

  pin(cpu: number, pin: number): boolean {
    return this.pins.has(`${cpu}:${pin}`);
  }

  line(irq: number): (level: boolean) => void {
    const line = this.run(() => this.controller.line(irq));
    return (level) => this.run(() => line.set(level));
  }

  take(cpu = 0): number {
    return this.run(() => this.apic(cpu).acknowledge());
  }

  pending(cpu = 0): number | undefined {
    return this.run(() => this.apic(cpu).pending());
  }

  device(model: string): Device {
    const found = this.controller.devices.find((d) => d.model === model);
    if (found === undefined) throw new Error(`no ${model}`);
    return found;
  }

  #port(port: number): { device: Device; region: number; offset: number } {
    for (const device of this.controller.devices)
      for (const [region, r] of device.regions.entries()) if (r.space === 'port' && port >= r.first && port <= r.last) return { device, region, offset: port - r.first };
    throw new Error(`nothing at port 0x${port.toString(16)}`);
  }

  inb(port: number): number {
    const { device, region, offset } = this.#port(port);
    return Number(this.run(() => device.read(offset, 1, region)));
  }

  outb(port: number, ...values: number[]): void {
    const { device, region, offset } = this.#port(port);
    for (const value of values) this.run(() => device.write(offset, 1, BigInt(value), region));
  }

  /** A register of the I/O APIC. */
  io(register: number): number {
    const d = this.device('io-apic');
    this.run(() => d.write(0, 4, BigInt(register), 0));
    return Number(this.run(() => d.read(0x10, 4, 0)));
  }

  setIo(register: number, value: number): void {
    const d = this.device('io-apic');
    this.run(() => d.write(0, 4, BigInt(register), 0));
    this.run(() => d.write(0x10, 4, BigInt(value >>> 0), 0));
  }

  redirect(pin: number, low: number, destination: number): void {
    this.setIo(0x11 + 2 * pin, (destination << 24) >>> 0);
    this.setIo(0x10 + 2 * pin, low);
  }
}

export const WIDTHS: readonly AccessWidth[] = [1, 2, 4, 8];
