/** The generic timers CNTP, CNTV and CNTHP (Arm ARM, chapter D11). */

import { highWord, lowWord, toBigint } from '@axvisor/softcpu';
import { TimerCtl } from './fields.ts';
import { Ppi, type PrivilegedHost } from './interface.ts';
import type { State } from './registers.ts';
import { slot, type StoredReg } from './stored.ts';

/** One comparator. Its condition is count - offset >= CVAL, unsigned. */
export class Timer {
  /** CNTx_CTL without ISTATUS. */
  control = 0;
  /** Level of the output as it was last reported. */
  level = false;

  readonly ppi: number;
  readonly cval: number;
  readonly virtual: boolean;

  constructor(ppi: number, cval: StoredReg, virtual: boolean) {
    this.ppi = ppi;
    this.cval = slot[cval];
    this.virtual = virtual;
  }
}

/** The timers of one processing element. */
export class Timers {
  readonly cntp: Timer = new Timer(Ppi.cntp, 'CNTP_CVAL_EL0', false);
  readonly cntv: Timer = new Timer(Ppi.cntv, 'CNTV_CVAL_EL0', true);
  readonly cnthp: Timer = new Timer(Ppi.cnthp, 'CNTHP_CVAL_EL2', false);
  private readonly all = [this.cntp, this.cntv, this.cnthp];

  private readonly state: State;
  private readonly host: PrivilegedHost;
  private readonly report: (ppi: number, level: boolean) => void;

  constructor(state: State, report: (ppi: number, level: boolean) => void) {
    this.state = state;
    this.host = state.host;
    this.report = report;
  }

  reset(): void {
    for (const timer of this.all) timer.control = 0;
    this.poll();
  }

  private get offset(): bigint {
    const { sys } = this.state;
    return toBigint(sys[slot.CNTVOFF_EL2]!, sys[slot.CNTVOFF_EL2 + 1]!);
  }

  /** CNTPCT_EL0 or CNTVCT_EL0. */
  count(virtual: boolean, now: bigint = this.host.now()): bigint {
    return virtual ? BigInt.asUintN(64, now - this.offset) : now;
  }

  private compare(timer: Timer): bigint {
    const { sys } = this.state;
    return toBigint(sys[timer.cval]!, sys[timer.cval + 1]!);
  }

  /** CNTx_CTL; ISTATUS is 0 while the timer is disabled, where it is UNKNOWN. */
  readControl(timer: Timer): number {
    const met = (timer.control & TimerCtl.ENABLE) !== 0 && this.count(timer.virtual) >= this.compare(timer);
    return timer.control | (met ? TimerCtl.ISTATUS : 0);
  }

  writeControl(timer: Timer, value: number): void {
    timer.control = value & (TimerCtl.ENABLE | TimerCtl.IMASK);
    this.poll();
  }

  /** CNTx_TVAL: signed 32-bit distance to CVAL. */
  readValue(timer: Timer): number {
    return Number(BigInt.asIntN(32, this.compare(timer) - this.count(timer.virtual)));
  }

  writeValue(timer: Timer, value: number): void {
    const compare = this.count(timer.virtual) + BigInt(value | 0);
    this.state.sys[timer.cval] = lowWord(compare);
    this.state.sys[timer.cval + 1] = highWord(compare);
    this.poll();
  }

  /** Compares the timers with the count and reports outputs that changed. */
  poll(): void {
    let now: bigint | undefined;
    for (const timer of this.all) {
      const level = timer.control === TimerCtl.ENABLE && this.count(timer.virtual, (now ??= this.host.now())) >= this.compare(timer);
      if (level === timer.level) continue;
      timer.level = level;
      this.report(timer.ppi, level);
    }
  }

  /** The physical count at which the next output rises, or undefined. */
  next(): bigint | undefined {
    const now = this.host.now();
    let next: bigint | undefined;
    for (const timer of this.all) {
      if (timer.control !== TimerCtl.ENABLE) continue;
      const count = this.count(timer.virtual, now);
      const compare = this.compare(timer);
      // A virtual count that wraps before it gets there is further away than any other clock reaches.
      if (compare <= count) continue;
      const due = now + (compare - count);
      if (next === undefined || due < next) next = due;
    }
    return next;
  }
}
