/**
 * The cycle and instret counters of a vCPU. A guest reads the hart's own counters, until the SBI PMU extension gives one a
 * value or stops it: then hcounteren takes it from the guest, and its reads are emulated.
 */
import { CSR, csrRead } from '@axvisor/axvisor_api/arch/riscv';

/** The counters by SBI PMU index, with the event each counts (SBI 2.0, PMU hardware general events). */
export const COUNTERS: readonly { readonly csr: number; readonly event: number }[] = [
  { csr: CSR.cycle, event: 1 },
  { csr: CSR.instret, event: 2 },
];

class Counter {
  /** Reads of the guest are emulated. */
  emulated = false;
  /** Started through the PMU extension. */
  running = false;
  #value = 0n;
  #since = 0n;
  readonly #csr: number;

  constructor(csr: number) {
    this.#csr = csr;
  }

  get value(): bigint {
    if (!this.emulated) return csrRead(this.#csr);
    return this.running ? BigInt.asUintN(64, this.#value + csrRead(this.#csr) - this.#since) : this.#value;
  }

  start(initial: bigint | undefined): void {
    this.emulated = true;
    if (initial !== undefined) this.#value = initial;
    this.#since = csrRead(this.#csr);
    this.running = true;
  }

  stop(): void {
    this.#value = this.value;
    this.emulated = true;
    this.running = false;
  }

  /** Back to the hart's counter. */
  release(): void {
    this.emulated = false;
    this.running = false;
    this.#value = 0n;
  }

  set(value: bigint): void {
    this.emulated = true;
    this.#value = value;
    this.#since = csrRead(this.#csr);
  }
}

export class GuestCounters {
  readonly counters: readonly Counter[] = COUNTERS.map(({ csr }) => new Counter(csr));

  /** hcounteren that traps the reads to be emulated. */
  get hcounteren(): bigint {
    return COUNTERS.reduce((mask, { csr }, i) => (this.counters[i]?.emulated === true ? mask & ~(1n << BigInt(csr - CSR.cycle)) : mask), 0xffff_ffffn);
  }

  /** The counter behind a CSR number. */
  byCsr(csr: number): Counter | undefined {
    return this.counters[COUNTERS.findIndex((c) => c.csr === csr)];
  }

  reset(): void {
    for (const counter of this.counters) counter.release();
  }
}
export type { Counter };
