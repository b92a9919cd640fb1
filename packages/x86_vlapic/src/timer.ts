/** The local APIC's timer (Intel SDM volume 3, 11.5.4): one-shot, periodic and TSC-deadline. */
import { OneShotTimer, currentTicks, nanosToTicks, ticksToNanos, type Ticks } from '@axvisor/axvisor_api/time';
import type { TscClock } from '@axvisor/axvisor_api/intc';

/** Bits 18:17 of the LVT timer register. */
export const TimerMode = { oneShot: 0, periodic: 1, tscDeadline: 2 } as const;

/** The timer counts nanoseconds: a bus clock of 1 GHz, in ticks a second. */
export const TIMER_HZ = 1_000_000_000;

/** The host is called at most this often; a guest that asks for more gets its interrupts merged, as edges that follow each other are. */
const MIN_INTERVAL_NANOS = 20_000n;

/** Divisors by the divide configuration register's bits 3, 1 and 0. */
const divisorOf = (dcr: number): bigint => {
  const code = ((dcr >>> 1) & 4) | (dcr & 3);
  return code === 7 ? 1n : 2n << BigInt(code);
};

const hostTicks: TscClock = { read: currentTicks, ticksAt: (tsc) => tsc };

export class ApicTimer {
  readonly #expired: () => void;
  #tsc: TscClock = hostTicks;
  #mode: number = TimerMode.oneShot;
  #divide = 0;
  #initial = 0;
  /** IA32_TSC_DEADLINE; 0: disarmed. */
  #deadlineTsc = 0n;
  /** When the count was as #initial says. */
  #start: Ticks = 0n;
  /** When it will expire next; `undefined`: not armed. */
  #deadline: Ticks | undefined;
  readonly #timer: OneShotTimer = new OneShotTimer(() => {
    this.poll();
    // The clock may have been read with less precision than the deadline has.
    if (this.#deadline !== undefined && this.#timer.deadline === undefined) this.#timer.set(this.#deadline);
  });

  constructor(expired: () => void) {
    this.#expired = expired;
  }

  get mode(): number {
    return this.#mode;
  }

  get divide(): number {
    return this.#divide;
  }

  /** Reads as 0 in TSC-deadline mode. */
  get initialCount(): number {
    return this.#mode === TimerMode.tscDeadline ? 0 : this.#initial;
  }

  /** When it expires next. */
  get deadline(): Ticks | undefined {
    return this.#deadline;
  }

  useTsc(tsc: TscClock): void {
    this.#tsc = tsc;
    if (this.#mode === TimerMode.tscDeadline && this.#deadlineTsc !== 0n) this.#arm(tsc.ticksAt(this.#deadlineTsc));
  }

  reset(): void {
    this.#disarm();
    this.#mode = TimerMode.oneShot;
    this.#divide = this.#initial = 0;
    this.#deadlineTsc = 0n;
  }

  /** The mode is that of the LVT register. Going to or from TSC-deadline mode disarms the timer. */
  setMode(mode: number): void {
    if (mode === this.#mode) return;
    this.poll();
    if (mode === TimerMode.tscDeadline || this.#mode === TimerMode.tscDeadline) {
      this.#disarm();
      this.#deadlineTsc = 0n;
      this.#initial = 0;
    }
    this.#mode = mode;
  }

  setInitialCount(count: number): void {
    if (this.#mode === TimerMode.tscDeadline) return;
    this.#initial = count >>> 0;
    this.#begin(this.#initial, currentTicks());
  }

  /** Takes effect at once: the rest of the count runs at the new rate. */
  setDivide(dcr: number): void {
    this.poll();
    const rest = this.currentCount();
    this.#divide = dcr & 0xb;
    if (rest > 0) this.#begin(rest, currentTicks());
  }

  currentCount(): number {
    this.poll();
    if (this.#mode === TimerMode.tscDeadline || this.#deadline === undefined) return 0;
    const left = ticksToNanos(this.#deadline - currentTicks()) / divisorOf(this.#divide);
    // The deadline of a merged interrupt is later than a period.
    return Number(left > BigInt(this.#initial) ? BigInt(this.#initial) : left < 1n ? 1n : left);
  }

  readTscDeadline(): bigint {
    this.poll();
    return this.#deadlineTsc;
  }

  /** Ignored unless the timer is in TSC-deadline mode. */
  writeTscDeadline(value: bigint): void {
    if (this.#mode !== TimerMode.tscDeadline) return;
    this.#deadlineTsc = value;
    if (value === 0n) this.#disarm();
    else this.#arm(this.#tsc.ticksAt(value));
    this.poll();
  }

  /** Expires if it is due: whoever looks sees no late timer, however seldom the host's timers run. */
  poll(): void {
    if (this.#deadline !== undefined && currentTicks() >= this.#deadline) this.#expire();
  }

  #begin(count: number, now: Ticks): void {
    this.#disarm();
    if (count === 0) return;
    this.#start = now;
    this.#arm(now + nanosToTicks(BigInt(count) * divisorOf(this.#divide)));
  }

  #expire(): void {
    this.#disarm();
    this.#deadlineTsc = 0n;
    if (this.#mode === TimerMode.periodic && this.#initial > 0) {
      // From the start, so that periods do not drift; those that were missed are one interrupt.
      const period = BigInt(this.#initial) * divisorOf(this.#divide);
      const elapsed = ticksToNanos(currentTicks() - this.#start);
      const next = (elapsed / period + 1n) * period;
      const earliest = elapsed + MIN_INTERVAL_NANOS;
      this.#arm(this.#start + nanosToTicks(next > earliest ? next : ((earliest + period - 1n) / period) * period));
    }
    this.#expired();
  }

  #arm(deadline: Ticks): void {
    this.#deadline = deadline;
    this.#timer.set(deadline);
  }

  #disarm(): void {
    this.#timer.cancel();
    this.#deadline = undefined;
  }
}
