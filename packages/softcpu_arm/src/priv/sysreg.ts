/** What a system register or system instruction is here, and the helpers that build the tables of them. */

import { highWord, lowWord } from '@axvisor/softcpu';
import type { GicCpu } from './gic_cpu.ts';
import type { Interrupts } from './interrupts.ts';
import type { Pmu } from './pmu.ts';
import type { State } from './registers.ts';
import { slot, type StoredReg } from './stored.ts';
import type { Timers } from './timers.ts';

/** Verdict on an access: what it raises, if anything. */
export const Verdict = {
  allowed: 0,
  undefined: 1,
  /** EC 0x18 to EL1, or to EL2 with HCR_EL2.TGE. */
  trapEl1: 2,
  /** EC 0x18 to EL2. */
  trapEl2: 3,
  /** EC 0x07. */
  fp: 4,
} as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** May refuse an access from Exception level `el` that the register's own access rule permits. */
export type Guard = (el: number, write: boolean) => Verdict;

/** The least Exception levels that may read and write. */
export type Rights = readonly [read: number, write: number];
const NEVER = 3;
export const RW0: Rights = [0, 0];
export const RO0: Rights = [0, NEVER];
export const R0W1: Rights = [0, 1];
export const WO0: Rights = [NEVER, 0];
export const RW1: Rights = [1, 1];
export const RO1: Rights = [1, NEVER];
export const WO1: Rights = [NEVER, 1];
export const RW2: Rights = [2, 2];
export const RO2: Rights = [2, NEVER];

/** One system register. */
export interface SysReg {
  readonly key: number;
  /** The manual's name. */
  readonly name: string;
  readonly rights: Rights;
  readonly guard: Guard | undefined;
  /** Returns the low word and leaves the high word in {@link Parts.hi}. */
  readonly read: () => number;
  readonly write: (lo: number, hi: number) => void;
}

/** One system instruction (SYS): its operand is Xt. */
export interface SysOp {
  readonly key: number;
  readonly name: string;
  /** The least Exception level that may execute it. */
  readonly el: number;
  readonly guard: Guard | undefined;
  /** False: it faulted, and the exception is recorded. */
  readonly execute: (lo: number, hi: number) => boolean;
}

/** Operation code as a number: bits 20:5 of MRS, MSR and SYS. */
export function sysRegKey(op0: number, op1: number, crn: number, crm: number, op2: number): number {
  return (op0 << 14) | (op1 << 11) | (crn << 7) | (crm << 3) | op2;
}

/** Operation code as the manual's tables write it. */
export type Encoding = readonly [op0: number, op1: number, crn: number, crm: number, op2: number];

/** What the system registers are made of. */
export class Parts {
  /** High word of the register that was read last. */
  hi = 0;

  readonly state: State;
  readonly interrupts: Interrupts;
  readonly timers: Timers;
  readonly pmu: Pmu;
  readonly gic: GicCpu;

  constructor(state: State, interrupts: Interrupts, timers: Timers, pmu: Pmu, gic: GicCpu) {
    this.state = state;
    this.interrupts = interrupts;
    this.timers = timers;
    this.pmu = pmu;
    this.gic = gic;
  }

  /** Leaves the high word of a value in {@link hi} and returns the low one. */
  split(value: bigint): number {
    this.hi = highWord(value);
    return lowWord(value);
  }
}

/** Which bits of a stored register are writable and which are always one, by word; default: all, none. */
export interface Bits {
  readonly lo?: number;
  readonly hi?: number;
  readonly ones?: number;
  /** Called after a write that changed the value. */
  readonly changed?: (lo: number, hi: number) => void;
}

/** A register that is stored as it is written, but for bits that are fixed. */
export function storedReg(parts: Parts, name: StoredReg, encoding: Encoding, rights: Rights, bits: Bits = {}, guard?: Guard): SysReg {
  const at = slot[name];
  const { sys } = parts.state;
  const { lo: maskLo = -1, hi: maskHi = -1, ones = 0, changed } = bits;
  return {
    key: sysRegKey(...encoding),
    name,
    rights,
    guard,
    read: () => {
      parts.hi = sys[at + 1]!;
      return sys[at]!;
    },
    write: (lo, hi) => {
      const oldLo = sys[at]!;
      const oldHi = sys[at + 1]!;
      const newLo = (lo & maskLo) | ones;
      const newHi = hi & maskHi;
      sys[at] = newLo;
      sys[at + 1] = newHi;
      if (changed !== undefined && (oldLo !== newLo || oldHi !== newHi)) changed(oldLo ^ newLo, oldHi ^ newHi);
    },
  };
}

/** A register of 64 bits in the shared state block; `index` gives the index of its low word, `bits` what is writable. */
export function sharedReg(parts: Parts, name: string, encoding: Encoding, rights: Rights, index: () => number, guard?: Guard, bits: Pick<Bits, 'lo' | 'hi'> = {}): SysReg {
  const { state } = parts;
  const { lo: maskLo = -1, hi: maskHi = -1 } = bits;
  return {
    key: sysRegKey(...encoding),
    name,
    rights,
    guard,
    read: () => {
      const at = index();
      parts.hi = state.words[at + 1]!;
      return state.words[at]!;
    },
    write: (lo, hi) => {
      const at = index();
      state.words[at] = lo & maskLo;
      state.words[at + 1] = hi & maskHi;
    },
  };
}

/** A register of at most 32 bits that is computed. */
export function wordReg(
  parts: Parts, name: string, encoding: Encoding, rights: Rights, read: () => number, write: (lo: number, hi: number) => void = () => undefined, guard?: Guard,
): SysReg {
  return {
    key: sysRegKey(...encoding),
    name,
    rights,
    guard,
    read: () => {
      parts.hi = 0;
      return read();
    },
    write,
  };
}

/** A register of 64 bits that is computed. */
export function longReg(
  parts: Parts, name: string, encoding: Encoding, rights: Rights, read: () => bigint, write: (lo: number, hi: number) => void = () => undefined, guard?: Guard,
): SysReg {
  return { key: sysRegKey(...encoding), name, rights, guard, read: () => parts.split(read()), write };
}
