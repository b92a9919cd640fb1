/** What a CSR is here, and the helpers that build the tables of CSRs. */

import type { Interrupts } from './interrupts.ts';
import type { Pmp } from './pmp.ts';
import { slot, type State, type StoredCsr } from './registers.ts';

/** Verdict on a CSR access or a privileged instruction: 0, or the cause of the exception it raises (illegal or virtual instruction). */
export type Verdict = 0 | 2 | 22;

/** One control and status register, or a view of one. */
export interface Csr {
  readonly number: number;
  /** The manual's name. */
  readonly name: string;
  /** Returns the low word and leaves the high word in {@link CsrParts.hi}. */
  readonly read: () => number;
  /** Writes by the WARL rules. */
  readonly write: (lo: number, hi: number) => void;
  /** The value CSRRS and CSRRC modify, where it differs from the one they return. */
  readonly readToModify?: () => number;
  /** The accessor's mode (anything its number permits) may still be refused. */
  readonly guard?: (prv: number, v: number) => Verdict;
  /** False: the CSR does not exist below M-mode now. */
  readonly enabled?: () => boolean;
  /** The CSR that is accessed instead while V=1. */
  readonly vs?: Csr;
  /** A write can make an interrupt ready to be taken. */
  readonly interrupts?: true;
  /** Where its value is stored, in words; reading it is nothing else. */
  readonly slot?: number;
}

/** What the CSRs are made of. */
export class CsrParts {
  /** High word of the CSR that was read last. */
  hi = 0;

  readonly state: State;
  readonly interrupts: Interrupts;
  readonly pmp: Pmp;
  readonly hartId: number;

  constructor(state: State, interrupts: Interrupts, pmp: Pmp, hartId: number) {
    this.state = state;
    this.interrupts = interrupts;
    this.pmp = pmp;
    this.hartId = hartId;
  }
}

/** A CSR that is stored as it is written, but for bits that are always 0. */
export function storedCsr(
  parts: CsrParts, number: number, name: StoredCsr, maskLo = -1, maskHi = -1, more: Partial<Csr> = {},
): Csr {
  const at = slot[name];
  const { csr } = parts.state;
  return {
    number,
    name,
    ...(more.read === undefined ? { slot: at } : {}),
    read: () => {
      parts.hi = csr[at + 1]!;
      return csr[at]!;
    },
    write: (lo, hi) => {
      csr[at] = lo & maskLo;
      csr[at + 1] = hi & maskHi;
    },
    ...more,
  };
}

/** A CSR of at most 32 bits that is computed. */
export function wordCsr(
  parts: CsrParts, number: number, name: string, read: () => number, write: (lo: number) => void, more: Partial<Csr> = {},
): Csr {
  return {
    number,
    name,
    read: () => {
      parts.hi = 0;
      return read();
    },
    write,
    ...more,
  };
}

/** A read-only CSR, or one whose WARL fields have a single legal value. */
export function constantCsr(parts: CsrParts, number: number, name: string, lo = 0, hi = 0): Csr {
  return {
    number,
    name,
    read: () => {
      parts.hi = hi;
      return lo;
    },
    write: () => undefined,
  };
}
