/** The performance monitors: PMUv3 with the cycle counter, which counts instructions, and no event counters (Arm ARM, chapter D11). */

import type { Guards } from './guards.ts';
import { Ppi } from './interface.ts';
import type { State } from './registers.ts';
import { RO0, RW0, RW1, WO0, longReg, R0W1, wordReg, type Encoding, type Guard, type Parts, type SysReg } from './sysreg.ts';

/** PMCR_EL0: enable, cycle counter reset, divide by 64, no export, long counter; N, bits 15:11, is 0. */
const Pmcr = { E: 1, C: 4, D: 8, X: 16, DP: 32, LC: 64 } as const;
/** The cycle counter's bit in the enable and overflow registers. */
const CYCLE = 1 << 31;
/** PMCCFILTR_EL0: not at EL1, not at EL0, also at EL2. */
const Filter = { P: 1 << 31, U: 1 << 30, NSH: 1 << 27 } as const;
/** PMCEID0_EL0: CPU_CYCLES (0x11) is there. */
const CEID0 = 1 << 17;
/** PMSELR_EL0.SEL that means PMCCFILTR_EL0. */
const SEL_CYCLE = 31;

/** The counter of one processing element. */
export class Pmu {
  /** PMUSERENR_EL0. */
  userEnable = 0;
  private control = 0;
  private selected = 0;
  private enabled = false;
  private interrupts = false;
  private overflow = false;
  private filter = 0;
  /** The count when it was last brought up to date, and the instructions retired then, or their 64ths. */
  private count = 0n;
  private since = 0;
  private level = false;

  private readonly state: State;
  private readonly report: (ppi: number, level: boolean) => void;

  constructor(state: State, report: (ppi: number, level: boolean) => void) {
    this.state = state;
    this.report = report;
  }

  reset(): void {
    this.userEnable = this.control = this.selected = this.filter = 0;
    this.enabled = this.interrupts = this.overflow = false;
    this.control = Pmcr.LC;
    this.count = 0n;
    this.state.leavingEl = undefined;
    this.poll();
  }

  /** The counter advances at the current Exception level. */
  private get counting(): boolean {
    if (!this.enabled || (this.control & Pmcr.E) === 0) return false;
    const { el } = this.state;
    if (el === 2) return (this.filter & Filter.NSH) !== 0;
    return (this.filter & (el === 1 ? Filter.P : Filter.U)) === 0;
  }

  private get ticks(): number {
    const retired = this.state.host.retired();
    return (this.control & (Pmcr.D | Pmcr.LC)) === Pmcr.D ? Math.floor(retired / 64) : retired;
  }

  /** Brings the count up to date. To be called before anything that decides whether it advances changes. */
  private sync(): void {
    const { ticks } = this;
    if (this.counting && ticks !== this.since) {
      const bits = (this.control & Pmcr.LC) !== 0 ? 64 : 32;
      const next = this.count + BigInt(ticks - this.since);
      if (next >> BigInt(bits) !== this.count >> BigInt(bits)) this.overflow = true;
      this.count = BigInt.asUintN(64, next);
    }
    this.since = ticks;
  }

  /** Brings the count up to date, makes a change, and looks at the interrupt. */
  private change(make: () => void): void {
    this.sync();
    make();
    this.since = this.ticks;
    // While it runs, a filter makes it depend on the Exception level.
    this.state.leavingEl = this.enabled ? () => this.sync() : undefined;
    this.poll();
  }

  /** Reports the overflow interrupt if it changed. */
  poll(): void {
    if (this.enabled) this.sync();
    const level = this.overflow && this.interrupts && (this.control & Pmcr.E) !== 0;
    if (level === this.level) return;
    this.level = level;
    this.report(Ppi.pmu, level);
  }

  regs(parts: Parts, guards: Guards): SysReg[] {
    const { pmu, pmccntr, pmselr, pmxevcntr, pmuserenr } = guards;
    const set = (make: (bit: boolean) => void) => (lo: number): void => {
      if ((lo & CYCLE) !== 0) this.change(() => make(true));
    };
    const clear = (make: (bit: boolean) => void) => (lo: number): void => {
      if ((lo & CYCLE) !== 0) this.change(() => make(false));
    };
    const flag = (value: boolean): number => (value ? CYCLE : 0);
    const enable = (bit: boolean): void => {
      this.enabled = bit;
    };
    const interrupt = (bit: boolean): void => {
      this.interrupts = bit;
    };
    const overflow = (bit: boolean): void => {
      this.overflow = bit;
    };
    const overflowed = (): number => {
      this.poll();
      return flag(this.overflow);
    };
    const writeFilter = (lo: number): void =>
      this.change(() => {
        this.filter = lo & (Filter.P | Filter.U | Filter.NSH);
      });
    const zero = (name: string, encoding: Encoding, guard: Guard): SysReg => wordReg(parts, name, encoding, RW0, () => 0, undefined, guard);
    return [
      wordReg(parts, 'PMCR_EL0', [3, 3, 9, 12, 0], RW0, () => this.control, (lo) =>
        this.change(() => {
          this.control = lo & (Pmcr.E | Pmcr.D | Pmcr.X | Pmcr.DP | Pmcr.LC);
          if ((lo & Pmcr.C) !== 0) this.count = 0n;
        }), guards.pmcr),
      wordReg(parts, 'PMCNTENSET_EL0', [3, 3, 9, 12, 1], RW0, () => flag(this.enabled), set(enable), pmu),
      wordReg(parts, 'PMCNTENCLR_EL0', [3, 3, 9, 12, 2], RW0, () => flag(this.enabled), clear(enable), pmu),
      wordReg(parts, 'PMOVSCLR_EL0', [3, 3, 9, 12, 3], RW0, overflowed, clear(overflow), pmu),
      wordReg(parts, 'PMSWINC_EL0', [3, 3, 9, 12, 4], WO0, () => 0, undefined, guards.pmswinc),
      wordReg(parts, 'PMSELR_EL0', [3, 3, 9, 12, 5], RW0, () => this.selected, (lo) => {
        this.selected = lo & 31;
      }, pmselr),
      wordReg(parts, 'PMCEID0_EL0', [3, 3, 9, 12, 6], RO0, () => CEID0, undefined, pmu),
      wordReg(parts, 'PMCEID1_EL0', [3, 3, 9, 12, 7], RO0, () => 0, undefined, pmu),
      longReg(parts, 'PMCCNTR_EL0', [3, 3, 9, 13, 0], RW0, () => {
        this.sync();
        return this.count;
      }, (lo, hi) =>
        this.change(() => {
          this.count = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
        }), pmccntr),
      wordReg(parts, 'PMXEVTYPER_EL0', [3, 3, 9, 13, 1], RW0, () => (this.selected === SEL_CYCLE ? this.filter : 0), (lo) => {
        if (this.selected === SEL_CYCLE) writeFilter(lo);
      }, pmu),
      zero('PMXEVCNTR_EL0', [3, 3, 9, 13, 2], pmxevcntr),
      wordReg(parts, 'PMUSERENR_EL0', [3, 3, 9, 14, 0], R0W1, () => this.userEnable, (lo) => {
        this.userEnable = lo & 15;
      }, pmuserenr),
      wordReg(parts, 'PMOVSSET_EL0', [3, 3, 9, 14, 3], RW0, overflowed, set(overflow), pmu),
      wordReg(parts, 'PMINTENSET_EL1', [3, 0, 9, 14, 1], RW1, () => flag(this.interrupts), set(interrupt), pmu),
      wordReg(parts, 'PMINTENCLR_EL1', [3, 0, 9, 14, 2], RW1, () => flag(this.interrupts), clear(interrupt), pmu),
      wordReg(parts, 'PMCCFILTR_EL0', [3, 3, 14, 15, 7], RW0, () => this.filter, writeFilter, pmu),
    ];
  }
}
