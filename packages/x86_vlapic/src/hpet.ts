/** The high-precision event timers (IA-PC HPET specification 1.0a): a counter of 100 MHz and three comparators, the first two also in place of 8254 and clock. */
import { gpa, rangeFromStartSize } from '@axvisor/axvisor_api/addr';
import type { AccessWidth, Device, DeviceRegion } from '@axvisor/axvisor_api/device';
import { OneShotTimer, currentTicks, nanosToTicks, ticksToNanos } from '@axvisor/axvisor_api/time';

const TIMERS = 3;
/** A clock of the counter in nanoseconds, and in femtoseconds as the capabilities have it. */
const CLOCK_NANOS = 10n;
const CLOCK_FEMTOS = 10_000_000n;
/** Clocks between calls of the host at least, 20 us; a guest that asks for more gets its interrupts merged. */
const MIN_INTERVAL = 2000n;

const Reg = { capabilities: 0x00, config: 0x10, status: 0x20, counter: 0xf0, timer: 0x100 } as const;
const TIMER_STRIDE = 0x20;
/** Revision 1, three timers, 64 bits, legacy replacement. */
const HPET_ID = 0x8086_a201;
const Config = { enable: 1n, legacy: 2n } as const;
const Timer = { level: 0x02n, enable: 0x04n, periodic: 0x08n, setValue: 0x40n, only32: 0x100n, writable: 0x3f0en } as const;
/** Periodic and 64-bit capable; can be routed to pins 20 to 23. */
const TIMER_FIXED = 0x00f0_0000_0000_0030n;
const ROUTES = 0x00f0_0000n;

/** Where timer `timer` interrupts: a pin of the I/O APIC, or in place of the 8254 or the clock. */
export type HpetRoute = number | 'timer' | 'clock';

const mask = (bits: bigint): bigint => (1n << bits) - 1n;
const ALL = mask(64n);

class Comparator {
  config = TIMER_FIXED;
  value = ALL;
  /** What the comparator is increased by at each match in periodic mode. */
  period = 0n;
  /** The count up to which matches have been delivered. */
  seen = 0n;
  route: HpetRoute | undefined;
  /** Set for its next match. */
  readonly alarm: OneShotTimer;

  constructor(matched: (comparator: Comparator) => void) {
    this.alarm = new OneShotTimer(() => matched(this));
  }

  has(flag: bigint): boolean {
    return (this.config & flag) !== 0n;
  }

  /** Bits that are compared. */
  get range(): bigint {
    return this.has(Timer.only32) ? mask(32n) : ALL;
  }

  /** Clocks from `count` to the next match, 1 at least. */
  until(count: bigint): bigint {
    const { range } = this;
    const left = (this.value - count) & range;
    return left === 0n ? range + 1n : left;
  }
}

export class Hpet implements Device {
  readonly name: string;
  readonly model = 'hpet';
  readonly regions: readonly DeviceRegion[];
  readonly #interrupt: (route: HpetRoute, level: boolean) => void;
  readonly #timers: readonly Comparator[] = Array.from({ length: TIMERS }, () =>
    new Comparator((timer) => {
      this.#advance(timer);
      this.#arm(timer, MIN_INTERVAL);
    }),
  );
  #config = 0n;
  #status = 0n;
  /** The counter when it was last written or halted, and the host's clock when it was let run. */
  #count = 0n;
  #since = 0n;

  constructor(base: bigint, interrupt: (route: HpetRoute, level: boolean) => void) {
    this.name = `hpet@${base.toString(16)}`;
    this.regions = [{ space: 'mmio', range: rangeFromStartSize(gpa(base), 0x400n) }];
    this.#interrupt = interrupt;
  }

  /** Timers 0 and 1 are in place of the 8254 and the clock, whose interrupts do not count. */
  get replacesLegacy(): boolean {
    return (this.#config & (Config.enable | Config.legacy)) === (Config.enable | Config.legacy);
  }

  reset(): void {
    this.#config = this.#status = this.#count = 0n;
    for (const t of this.#timers) {
      this.#release(t);
      t.config = TIMER_FIXED;
      t.value = ALL;
      t.period = t.seen = 0n;
    }
  }

  async close(): Promise<void> {
    for (const t of this.#timers) t.alarm.cancel();
  }

  get #clock(): bigint {
    return ticksToNanos(currentTicks()) / CLOCK_NANOS;
  }

  get #running(): boolean {
    return (this.#config & Config.enable) !== 0n;
  }

  get #counter(): bigint {
    return (this.#running ? this.#count + this.#clock - this.#since : this.#count) & ALL;
  }

  read(offset: number, width: AccessWidth): bigint {
    const value = this.#register(offset & ~7);
    return BigInt.asUintN(8 * width, value >> BigInt(8 * (offset & 7)));
  }

  /** Registers are accessed in words of 4 or 8 bytes (2.3.2); others are ignored. */
  write(offset: number, width: AccessWidth, value: bigint): void {
    if (width < 4 || offset % width !== 0) return;
    const at = offset & ~7;
    if (width === 8) return this.#setRegister(at, value, value);
    const shift = BigInt(8 * (offset & 4));
    const kept = this.#register(at) & ~(mask(32n) << shift);
    this.#setRegister(at, kept | (value << shift), value << shift);
  }

  #register(at: number): bigint {
    switch (at) {
      case Reg.capabilities:
        return (CLOCK_FEMTOS << 32n) | BigInt(HPET_ID);
      case Reg.config:
        return this.#config;
      case Reg.status:
        return this.#status;
      case Reg.counter:
        return this.#counter;
      default:
    }
    const timer = this.#timers[(at - Reg.timer) / TIMER_STRIDE | 0];
    if (at < Reg.timer || timer === undefined) return 0n;
    this.#advance(timer);
    return at % TIMER_STRIDE === 0 ? timer.config : at % TIMER_STRIDE === 8 ? timer.value & timer.range : 0n;
  }

  /** `written` has zeros where nothing was written. */
  #setRegister(at: number, value: bigint, written: bigint): void {
    switch (at) {
      case Reg.config:
        return this.#setConfig(value);
      case Reg.status:
        this.#status &= ~written;
        for (const [i, t] of this.#timers.entries()) if (((written >> BigInt(i)) & 1n) === 1n && t.has(Timer.level)) this.#drive(t, false);
        return;
      case Reg.counter:
        // While it runs, a write is undefined, and ignored here.
        if (!this.#running) this.#count = value;
        return;
      default:
    }
    const index = Math.floor((at - Reg.timer) / TIMER_STRIDE);
    const timer = this.#timers[index];
    if (at < Reg.timer || timer === undefined) return;
    if (at % TIMER_STRIDE === 0) {
      const route = (value >> 9n) & 31n;
      const routed = ((ROUTES >> route) & 1n) === 1n ? value : value & ~0x3e00n;
      timer.config = TIMER_FIXED | (routed & Timer.writable) | (routed & Timer.setValue);
      if (!timer.has(Timer.level)) this.#status &= ~(1n << BigInt(index));
    } else if (at % TIMER_STRIDE === 8) {
      // In periodic mode what is written is the period, and with the set-value bit also the next match.
      if (timer.has(Timer.periodic)) timer.period = value & timer.range;
      if (!timer.has(Timer.periodic) || timer.has(Timer.setValue)) timer.value = value & timer.range;
      timer.config &= ~Timer.setValue;
    } else return;
    this.#restart(timer);
  }

  #setConfig(value: bigint): void {
    const count = this.#counter;
    this.#config = value & (Config.enable | Config.legacy);
    this.#count = count;
    this.#since = this.#clock;
    for (const t of this.#timers) this.#restart(t);
  }

  #routeOf(timer: Comparator): HpetRoute {
    const index = this.#timers.indexOf(timer);
    if ((this.#config & Config.legacy) !== 0n && index < 2) return index === 0 ? 'timer' : 'clock';
    return Number((timer.config >> 9n) & 31n);
  }

  /** The timer or the counter was set anew. */
  #restart(timer: Comparator): void {
    if (timer.route !== undefined && timer.route !== this.#routeOf(timer)) this.#release(timer);
    timer.seen = this.#counter;
    this.#arm(timer, 0n);
  }

  #arm(timer: Comparator, earliest: bigint): void {
    timer.alarm.cancel();
    if (!this.#running || !timer.has(Timer.enable) || (timer.has(Timer.periodic) && timer.period === 0n)) return;
    const left = timer.until(this.#counter);
    const clocks = left > earliest ? left : earliest;
    timer.alarm.set(nanosToTicks((this.#clock + clocks) * CLOCK_NANOS) + 1n);
  }

  /** Delivers what has come since the last time; several matches are one interrupt. */
  #advance(timer: Comparator): void {
    if (!this.#running) return;
    const count = this.#counter;
    const passed = (count - timer.seen) & ALL;
    const first = timer.until(timer.seen);
    if (passed < first) return;
    if (timer.has(Timer.periodic) && timer.period > 0n) timer.value = (timer.value + ((passed - first) / timer.period + 1n) * timer.period) & timer.range;
    timer.seen = count;
    if (!timer.has(Timer.enable)) return;
    if (timer.has(Timer.level)) this.#status |= 1n << BigInt(this.#timers.indexOf(timer));
    else this.#drive(timer, false);
    this.#drive(timer, true);
  }

  #drive(timer: Comparator, level: boolean): void {
    const route = this.#routeOf(timer);
    // A route that was never chosen leads nowhere.
    if (typeof route === 'number' && ((ROUTES >> BigInt(route)) & 1n) === 0n) return;
    timer.route = route;
    this.#interrupt(route, level);
  }

  #release(timer: Comparator): void {
    timer.alarm.cancel();
    if (timer.route !== undefined) this.#interrupt(timer.route, false);
    timer.route = undefined;
  }
}
