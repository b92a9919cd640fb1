/** The MC146818 real-time clock with 128 bytes of memory (Motorola MC146818 data sheet) at ports 70h and 71h, as PCs have it. */
import type { DeviceContext, DeviceSpec, IrqLine } from '@axvisor/axvisor_api/device';
import { OneShotTimer, currentTicks, nanosToTicks, wallClock } from '@axvisor/axvisor_api/time';
import type { Model } from '../models/model.ts';
import { numberOption, PortDevice, portOf, ports } from './port_device.ts';
import { nextAlarm, SECOND, secondsOf, timeByte, TimeReg, type Format } from './rtc_fields.ts';

const Reg = { a: 0x0a, b: 0x0b, c: 0x0c, d: 0x0d } as const;
const A = { updateInProgress: 0x80, divider: 0x70, held: 0x60, rate: 0x0f } as const;
const B = { set: 0x80, periodic: 0x40, alarm: 0x20, update: 0x10, binary: 4, hours24: 2 } as const;
/** The flags of register C are in the places of their enables in B. */
const C_ANY = 0x80;
const D_VALID = 0x80;
const A_RESET = 0x26;

/** The bit UIP is set so long before an update. */
const UIP_NANOS = 244_141n;
/** The oscillator, 32.768 kHz: the periodic interrupt comes every power of two of its clocks. */
const OSCILLATOR_HZ = 32_768n;
const SIZE = 128;
const TIME_REGISTERS: readonly number[] = [TimeReg.seconds, TimeReg.minutes, TimeReg.hours, TimeReg.dayOfWeek, TimeReg.day, TimeReg.month, TimeReg.year, TimeReg.century];

/** Where firmware leaves the size of memory: below 640 KiB, above 1 MiB in KiB, above 16 MiB and above 4 GiB in units of 64 KiB. */
const Memory = { base: 0x15, extended: [0x17, 0x30], above16M: 0x34, above4G: 0x5b } as const;
const MIB = 0x10_0000;
/** How many CPUs firmware waits for beyond the first. */
const CPUS = 0x5f;

class CmosRtc extends PortDevice {
  readonly #irq: IrqLine | undefined;
  readonly #bytes: Uint8Array;
  #index = 0;
  /** What the guest added to the wall clock, in nanoseconds. */
  #offset = 0n;
  /** The clock stands still, and its bytes are memory: SET, or the divider is held. */
  #stopped = false;
  /** The second, and the period, up to which the flags have been brought. */
  #seen = 0;
  #seenPeriod = 0n;
  #flags = 0;
  readonly #timer: OneShotTimer = new OneShotTimer(() => {
    this.#collect();
    this.#update();
  });

  constructor(spec: DeviceSpec, { irq }: DeviceContext) {
    super(spec, [ports(portOf(spec, 2), 2)]);
    this.#irq = irq;
    this.#bytes = initialMemory(numberOption(spec, 'memory', 0), numberOption(spec, 'memoryAbove4G', 0), numberOption(spec, 'cpus', 1));
    this.#seen = this.#seconds;
  }

  reset(): void {
    // The battery keeps time and memory; RESET clears the interrupt enables and flags.
    this.#bytes[Reg.b] = this.#b & ~(B.periodic | B.alarm | B.update);
    this.#index = this.#flags = 0;
    this.#update();
  }

  async close(): Promise<void> {
    this.#timer.cancel();
  }

  get #b(): number {
    return this.#bytes[Reg.b] as number;
  }

  get #format(): Format {
    return { binary: (this.#b & B.binary) !== 0, hours24: (this.#b & B.hours24) !== 0 };
  }

  get #now(): bigint {
    return wallClock() + this.#offset;
  }

  get #seconds(): number {
    return this.#stopped ? this.#seen : Number(this.#now / SECOND);
  }

  /** Nanoseconds between periodic interrupts; 0n: none. They go by the oscillator, whatever the time is set to. */
  get #period(): bigint {
    const rate = (this.#bytes[Reg.a] as number) & A.rate;
    // Rates 1 and 2 are those of 8 and 9.
    return rate === 0 ? 0n : (SECOND << BigInt(rate < 3 ? rate + 6 : rate - 1)) / OSCILLATOR_HZ;
  }

  protected readByte(offset: number): number {
    if (offset === 0) return 0xff;
    const index = this.#index;
    if (index === Reg.a) return ((this.#bytes[index] as number) & ~A.updateInProgress) | (this.#updating ? A.updateInProgress : 0);
    if (index === Reg.c) return this.#readC();
    if (index === Reg.d) return D_VALID;
    return (this.#stopped ? undefined : timeByte(index, this.#seconds, this.#format)) ?? (this.#bytes[index] as number);
  }

  protected writeByte(offset: number, value: number): void {
    if (offset === 0) {
      // Bit 7 masks NMIs, of which this machine has none from outside.
      this.#index = value & 0x7f;
      return;
    }
    this.#collect();
    const index = this.#index;
    if (index === Reg.c || index === Reg.d) return;
    if (!this.#stopped && TIME_REGISTERS.includes(index)) this.#setTime((r) => (r === index ? value : (timeByte(r, this.#seen, this.#format) ?? 0)));
    else {
      const before = { a: this.#bytes[Reg.a] as number, b: this.#b };
      this.#bytes[index] = index === Reg.a ? value & ~A.updateInProgress : value;
      if (index === Reg.a || index === Reg.b) this.#control(before);
    }
    this.#update();
  }

  get #updating(): boolean {
    return !this.#stopped && SECOND - (this.#now % SECOND) <= UIP_NANOS;
  }

  /** Sets the clock; a byte that is no number of its kind carries over. What is no date at all is not taken. */
  #setTime(byte: (register: number) => number): void {
    const seconds = secondsOf(byte, this.#format);
    if (!Number.isFinite(seconds)) return;
    this.#offset += BigInt(seconds) * SECOND - (this.#now / SECOND) * SECOND;
    this.#seen = seconds;
  }

  #control(before: { readonly a: number; readonly b: number }): void {
    const held = (a: number): boolean => (a & A.divider) >= A.held;
    const a = this.#bytes[Reg.a] as number;
    const stop = (this.#b & B.set) !== 0 || held(a);
    if (stop && !this.#stopped) for (const r of TIME_REGISTERS) this.#bytes[r] = timeByte(r, this.#seen, this.#format) ?? 0;
    if (!stop && this.#stopped) {
      this.#setTime((r) => this.#bytes[r] as number);
      // The first update is half a second after the divider is let go; SET does not touch the divider.
      if (held(before.a)) this.#offset += SECOND / 2n - (this.#now % SECOND);
    }
    this.#stopped = stop;
    // Setting SET clears the enable of the update interrupt.
    if ((this.#b & B.set) !== 0) this.#bytes[Reg.b] = this.#b & ~B.update;
    const period = this.#period;
    if (((a ^ before.a) & (A.rate | A.divider)) !== 0) this.#seenPeriod = period === 0n ? 0n : wallClock() / period;
  }

  /** Reading register C clears it. */
  #readC(): number {
    this.#collect();
    const flags = this.#flags | (this.#asserted ? C_ANY : 0);
    this.#flags = 0;
    this.#update();
    return flags;
  }

  get #asserted(): boolean {
    return (this.#flags & this.#b & (B.periodic | B.alarm | B.update)) !== 0;
  }

  /** Sets the flags of what has happened since the last time. */
  #collect(): void {
    const seconds = this.#seconds;
    if (seconds > this.#seen) {
      this.#flags |= B.update;
      const alarm = nextAlarm(this.#seen, (r) => this.#bytes[r] as number, this.#format);
      if (alarm !== undefined && alarm <= seconds) this.#flags |= B.alarm;
    }
    this.#seen = seconds;
    const period = this.#period;
    if (period === 0n) return;
    const periods = wallClock() / period;
    if (periods > this.#seenPeriod) this.#flags |= B.periodic;
    this.#seenPeriod = periods;
  }

  /** Drives the wire, and arms the host's timer for the next event that would interrupt. */
  #update(): void {
    this.#irq?.set(this.#asserted);
    this.#timer.cancel();
    // An asserted wire stays so until C is read.
    if (this.#asserted) return;
    const now = this.#now;
    const waits: bigint[] = [];
    const period = this.#period;
    if ((this.#b & B.periodic) !== 0 && period > 0n) waits.push(period - (wallClock() % period));
    if (!this.#stopped) {
      if ((this.#b & B.update) !== 0) waits.push(SECOND - (now % SECOND));
      const alarm = (this.#b & B.alarm) === 0 ? undefined : nextAlarm(this.#seen, (r) => this.#bytes[r] as number, this.#format);
      if (alarm !== undefined) waits.push(BigInt(alarm) * SECOND - now);
    }
    const wait = waits.sort((a, b) => (a < b ? -1 : 1))[0];
    if (wait === undefined) return;
    this.#timer.set(currentTicks() + nanosToTicks(wait > 0n ? wait : 0n) + 1n);
  }
}

/** Memory as firmware leaves it: 24 hours, BCD, the sizes of memory below and above 4 GiB in bytes. */
function initialMemory(memory: number, above4G: number, cpus: number): Uint8Array {
  const bytes = new Uint8Array(SIZE);
  bytes[Reg.a] = A_RESET;
  bytes[Reg.b] = B.hours24;
  const view = new DataView(bytes.buffer);
  const clamp = (n: number): number => Math.min(0xffff, Math.max(0, Math.floor(n)));
  view.setUint16(Memory.base, clamp(Math.min(memory / 1024, 640)), true);
  for (const at of Memory.extended) view.setUint16(at, clamp((memory - MIB) / 1024), true);
  view.setUint16(Memory.above16M, clamp((memory - 16 * MIB) / 0x1_0000), true);
  const high = Math.min(0xff_ffff, Math.floor(above4G / 0x1_0000));
  view.setUint16(Memory.above4G, high & 0xffff, true);
  view.setUint8(Memory.above4G + 2, high >> 16);
  view.setUint8(CPUS, Math.min(0xff, cpus - 1));
  return bytes;
}

export const cmosRtc: Model = {
  model: 'mc146818',
  summary: 'PC real-time clock with alarm and CMOS memory',
  size: 2n,
  options: [
    { name: 'memory', summary: 'bytes of RAM below 4 GiB, for firmware' },
    { name: 'memoryAbove4G', summary: 'bytes of RAM above 4 GiB, for firmware' },
    { name: 'cpus', summary: 'number of CPUs, for firmware' },
  ],
  create: (spec, context) => new CmosRtc(spec, context),
};
