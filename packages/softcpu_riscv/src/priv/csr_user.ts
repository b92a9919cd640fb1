/** Unprivileged CSRs: floating-point status and counters (Zicntr, Zihpm), and the machine-level counters behind them. */

import { FFLAGS, FRM, FS_DIRTY } from '../state.ts';
import { constantCsr, wordCsr, type Csr, type CsrParts, type Verdict } from './csr.ts';
import { slot } from './registers.ts';

const { mcounteren: MCOUNTEREN, hcounteren: HCOUNTEREN, scounteren: SCOUNTEREN, htimedelta: HTIMEDELTA } = slot;

const CY = 1 << 0;
const TM = 1 << 1;
const IR = 1 << 2;

/** fflags, frm and fcsr; they do not exist while floating point is off. */
export function floatCsrs(parts: CsrParts): Csr[] {
  const { state } = parts;
  const word = (offset: number): number => state.base + (offset >> 2);
  const fflags = word(FFLAGS);
  const frm = word(FRM);
  const guard = (): Verdict => (state.floatOff() ? 2 : 0);
  const set = (flags: number, mode: number): void => {
    state.words[fflags] = flags & 0x1f;
    state.words[frm] = mode & 7;
    state.words[word(FS_DIRTY)] = 1;
  };
  return [
    wordCsr(parts, 0x001, 'fflags', () => state.words[fflags]!, (lo) => set(lo, state.words[frm]!), { guard }),
    wordCsr(parts, 0x002, 'frm', () => state.words[frm]!, (lo) => set(state.words[fflags]!, lo), { guard }),
    wordCsr(parts, 0x003, 'fcsr', () => (state.words[frm]! << 5) | state.words[fflags]!, (lo) => set(lo, lo >>> 5), { guard }),
  ];
}

/** mcycle or minstret: both count retired instructions, from where software set them, while not inhibited. */
class Counter {
  /** Value minus retired instructions, or the value itself while inhibited. */
  private base = 0n;
  inhibited = false;

  private readonly retired: () => number;

  constructor(retired: () => number) {
    this.retired = retired;
  }

  get value(): bigint {
    return BigInt.asUintN(64, this.inhibited ? this.base : this.base + BigInt(this.retired()));
  }

  /** A write takes the place of the increment of the instruction that writes. */
  set(value: bigint): void {
    this.base = this.inhibited ? value : value - BigInt(this.retired() + 1);
  }

  inhibit(inhibited: boolean): void {
    if (inhibited === this.inhibited) return;
    const { value } = this;
    this.inhibited = inhibited;
    this.base = inhibited ? value + 1n : value - BigInt(this.retired() + 1);
  }

  reset(): void {
    this.inhibited = false;
    this.base = -BigInt(this.retired());
  }
}

/** The counters of a hart. */
export class Counters {
  private readonly cycle: Counter;
  private readonly instret: Counter;

  private readonly parts: CsrParts;

  constructor(parts: CsrParts) {
    this.parts = parts;
    const retired = (): number => parts.state.host.retired();
    this.cycle = new Counter(retired);
    this.instret = new Counter(retired);
  }

  reset(): void {
    this.cycle.reset();
    this.instret.reset();
  }

  /** The CSRs: writable at machine level, read-only shadows for all. */
  csrs(): Csr[] {
    const { parts } = this;
    const csrs = [
      this.writable(0xb00, 'mcycle', this.cycle),
      this.writable(0xb02, 'minstret', this.instret),
      wordCsr(parts, 0x320, 'mcountinhibit', () => (this.cycle.inhibited ? CY : 0) | (this.instret.inhibited ? IR : 0), (lo) => {
        this.cycle.inhibit((lo & CY) !== 0);
        this.instret.inhibit((lo & IR) !== 0);
      }),
      this.shadow(0xc00, 'cycle', CY, () => this.cycle.value),
      this.shadow(0xc01, 'time', TM, () => this.time()),
      this.shadow(0xc02, 'instret', IR, () => this.instret.value),
    ];
    for (let i = 3; i < 32; i++) {
      csrs.push(
        constantCsr(parts, 0xb00 + i, `mhpmcounter${i}`),
        constantCsr(parts, 0x320 + i, `mhpmevent${i}`),
        this.shadow(0xc00 + i, `hpmcounter${i}`, 1 << i, () => 0n),
      );
    }
    return csrs;
  }

  /** time: with htimedelta added while V=1. */
  private time(): bigint {
    const { state } = this.parts;
    const now = state.host.now();
    if (state.v === 0) return now;
    return now + ((BigInt(state.csr[HTIMEDELTA + 1]!) << 32n) | BigInt(state.csr[HTIMEDELTA]! >>> 0));
  }

  private split(value: bigint): number {
    this.parts.hi = Number(BigInt.asIntN(32, value >> 32n));
    return Number(BigInt.asIntN(32, value));
  }

  private writable(number: number, name: string, counter: Counter): Csr {
    return {
      number,
      name,
      read: () => this.split(counter.value),
      write: (lo, hi) => counter.set((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)),
    };
  }

  /** A counter that mcounteren, hcounteren and scounteren control by one bit. */
  private shadow(number: number, name: string, bit: number, value: () => bigint): Csr {
    const { csr } = this.parts.state;
    return {
      number,
      name,
      read: () => this.split(value()),
      write: () => undefined,
      guard: (prv, v): Verdict => {
        if (prv === 3) return 0;
        if ((csr[MCOUNTEREN]! & bit) === 0) return 2;
        if (v !== 0 && (csr[HCOUNTEREN]! & bit) === 0) return 22;
        return prv === 0 && (csr[SCOUNTEREN]! & bit) === 0 ? (v !== 0 ? 22 : 2) : 0;
      },
    };
  }
}

