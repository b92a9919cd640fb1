/** The 8254 interval timer of a PC (Intel 8254 data sheet) and port 61h: counter 0 is interrupt 0, counter 2 the speaker. */
import type { AccessWidth, Device, DeviceRegion } from '@axvisor/axvisor_api/device';
import { OneShotTimer, currentTicks, nanosToTicks, ticksToNanos } from '@axvisor/axvisor_api/time';
import { PitCounter } from './pit_counter.ts';

/** 14.31818 MHz / 12. */
export const PIT_HZ = 1_193_182;
const SECOND = 1_000_000_000n;

/** Clocks between calls of the host at least, 20 us; a guest that asks for more gets its interrupts merged. */
const MIN_INTERVAL = 24;

const CONTROL = 3;
const READ_BACK = 3;
/** Read-back command: bits that are clear select what is latched. */
const ReadBack = { count: 0x20, status: 0x10 } as const;

/** Port 61h (PC AT technical reference): what is written, and what is read. */
const Port61 = { gate2: 1, speaker: 2, writable: 0x0f, refresh: 0x10, out2: 0x20 } as const;
/** The refresh bit changes with every output of the refresh timer, each 15.085 us. */
const REFRESH_NANOS = 15_085n;

export class Pit implements Device {
  readonly name = 'pit';
  readonly model = 'i8254';
  readonly regions: readonly DeviceRegion[] = [
    { space: 'port', first: 0x40, last: 0x43 },
    { space: 'port', first: 0x61, last: 0x61 },
  ];
  readonly #irq: (level: boolean) => void;
  readonly #counters: readonly PitCounter[];
  #port61 = 0;
  readonly #timer: OneShotTimer = new OneShotTimer(() => this.#rise());
  /** The clock of the last rise that was delivered. */
  #delivered = 0;

  constructor(irq: (level: boolean) => void) {
    this.#irq = irq;
    const now = (): number => Number((ticksToNanos(currentTicks()) * BigInt(PIT_HZ)) / SECOND);
    this.#counters = [new PitCounter(now, true), new PitCounter(now, true), new PitCounter(now, false)];
    this.#clock = now;
  }

  readonly #clock: () => number;

  reset(): void {
    this.#counters.forEach((c, i) => c.reset(i !== 2));
    this.#port61 = 0;
    this.#timer.cancel();
    this.#irq(false);
  }

  async close(): Promise<void> {
    this.#timer.cancel();
  }

  read(offset: number, width: AccessWidth, region: number): bigint {
    if (region === 1) return BigInt(this.#readPort61());
    let value = 0n;
    for (let i = 0; i < width; i++) value |= BigInt(this.#counters[offset + i]?.read() ?? 0xff) << BigInt(8 * i);
    return value;
  }

  write(offset: number, width: AccessWidth, value: bigint, region: number): void {
    if (region === 1) {
      this.#port61 = Number(value) & Port61.writable;
      this.#counters[2]?.setGate((this.#port61 & Port61.gate2) !== 0);
      return;
    }
    for (let i = 0; i < width; i++) this.#writeByte(offset + i, Number((value >> BigInt(8 * i)) & 0xffn));
  }

  #readPort61(): number {
    const refresh = (ticksToNanos(currentTicks()) / REFRESH_NANOS) & 1n;
    return this.#port61 | (refresh === 1n ? Port61.refresh : 0) | (this.#counters[2]?.out === true ? Port61.out2 : 0);
  }

  #writeByte(port: number, byte: number): void {
    if (port !== CONTROL) {
      this.#counters[port]?.write(byte);
      if (port === 0) this.#drive();
      return;
    }
    const select = byte >> 6;
    if (select !== READ_BACK) {
      this.#counters[select]?.control(byte & 0x3f);
      if (select === 0 && (byte & 0x30) !== 0) this.#drive();
      return;
    }
    this.#counters.forEach((counter, i) => {
      if (((byte >> (i + 1)) & 1) === 0) return;
      if ((byte & ReadBack.count) === 0) counter.latchCount();
      if ((byte & ReadBack.status) === 0) counter.latchStatus();
    });
  }

  /** Counter 0 has changed: its output now, and when it rises. */
  #drive(): void {
    const counter = this.#counters[0] as PitCounter;
    // The low part of a wave lasts a clock in mode 2 and half the period in mode 3; its end is what counts, and it is made there.
    this.#irq(counter.mode === 0 ? counter.out : true);
    this.#delivered = this.#clock();
    this.#arm(this.#delivered);
  }

  #arm(after: number): void {
    this.#timer.cancel();
    const rise = this.#counters[0]?.nextRise(after);
    if (rise === undefined) return;
    const nanos = (BigInt(rise) * SECOND) / BigInt(PIT_HZ) + 1n;
    this.#timer.set(nanosToTicks(nanos) + 1n);
  }

  #rise(): void {
    const now = this.#clock();
    const rise = this.#counters[0]?.nextRise(this.#delivered);
    if (rise !== undefined && rise <= now) {
      this.#irq(false);
      this.#irq(true);
      this.#delivered = now;
    }
    this.#arm(Math.max(now, this.#delivered + MIN_INTERVAL));
  }
}
