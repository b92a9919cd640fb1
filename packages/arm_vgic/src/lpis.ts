/**
 * LPIs of one redistributor (GIC specification IHI 0069, chapter 5): enabled and prioritized by the configuration table in guest memory, pending in
 * here while they are enabled for the redistributor, in the guest's pending table otherwise.
 */
import { gpa } from '@axvisor/axvisor_api/addr';
import type { GuestMemoryAccessor } from '@axvisor/axvisor_api/addrspace';
import { isAxError } from '@axvisor/axvisor_api/errors';
import { PRIORITY_MASK } from './bank.ts';

export const FIRST_LPI = 8192;
/** INTIDs have 16 bits. */
export const LPI_ID_BITS = 16;
export const LAST_LPI = 0xffff;

/** GICR_PROPBASER and GICR_PENDBASER. */
const PROPBASER = { address: 0xf_ffff_ffff_f000n, idBits: 0x1fn, writable: 0x070f_ffff_ffff_ff9fn } as const;
const PENDBASER = { address: 0xf_ffff_ffff_0000n, zero: 1n << 62n, writable: 0x470f_ffff_ffff_0f80n } as const;

/** A byte of the configuration table that was not read yet. */
const UNKNOWN = -1;

/** An LPI that a CPU may take. */
export interface PendingLpi {
  readonly intid: number;
  readonly priority: number;
}

/** The LPIs of a redistributor as its CPU sees them. */
export interface LpiView {
  readonly enabled: boolean;
  /** Those that are pending and enabled, in no order. */
  waiting(): Iterable<PendingLpi>;
  /** A list register takes it; what is signalled from now on is new. */
  hold(intid: number): void;
  /** The list register gives it back; LPIs are never active. */
  release(intid: number, pending: boolean): void;
  /** The CPU has taken it. */
  acknowledge(intid: number): void;
}

/** Does `access`, and nothing if the guest's table is outside its memory. */
function ifMapped<T>(access: () => T): T | undefined {
  try {
    return access();
  } catch (e) {
    if (isAxError(e)) return undefined;
    throw e;
  }
}

export class Lpis implements LpiView {
  readonly #memory: GuestMemoryAccessor;
  readonly #config = new Int16Array(LAST_LPI + 1 - FIRST_LPI).fill(UNKNOWN);
  /** INTIDs. */
  readonly pending: Set<number> = new Set();
  /** In a list register. */
  readonly held: Set<number> = new Set();
  enabled = false;
  propbaser = 0n;
  pendbaser = 0n;

  constructor(memory: GuestMemoryAccessor) {
    this.#memory = memory;
  }

  reset(): void {
    this.pending.clear();
    this.held.clear();
    this.#config.fill(UNKNOWN);
    this.enabled = false;
    this.propbaser = this.pendbaser = 0n;
  }

  setPropbaser(value: bigint): void {
    if (!this.enabled) this.propbaser = value & PROPBASER.writable;
  }

  /** PTZ reads as zero. */
  readPendbaser(): bigint {
    return this.pendbaser & ~PENDBASER.zero;
  }

  setPendbaser(value: bigint): void {
    if (!this.enabled) this.pendbaser = value & PENDBASER.writable;
  }

  /** GICR_CTLR.EnableLPIs: the pending table is read, or written back. */
  enable(enabled: boolean): void {
    if (enabled === this.enabled) return;
    const table = this.pendbaser & PENDBASER.address;
    const bytes = new Uint8Array((LAST_LPI + 1) / 8);
    if (enabled) {
      this.#config.fill(UNKNOWN);
      this.pending.clear();
      if ((this.pendbaser & PENDBASER.zero) === 0n) ifMapped(() => this.#memory.readBuffer(gpa(table), bytes));
      for (let intid = FIRST_LPI; intid <= this.#last; intid++) if ((((bytes[intid >> 3] as number) >> (intid & 7)) & 1) === 1) this.pending.add(intid);
    } else {
      for (const intid of [...this.pending, ...this.held]) (bytes[intid >> 3] as number) |= 1 << (intid & 7);
      ifMapped(() => this.#memory.writeBuffer(gpa(table + BigInt(FIRST_LPI / 8)), bytes.subarray(FIRST_LPI / 8)));
      this.pending.clear();
      this.held.clear();
    }
    this.enabled = enabled;
  }

  /** The last INTID that the configuration table covers. */
  get #last(): number {
    return Math.min(LAST_LPI, 2 ** (Number(this.propbaser & PROPBASER.idBits) + 1) - 1);
  }

  covers(intid: number): boolean {
    return intid >= FIRST_LPI && intid <= this.#last;
  }

  /** The configuration of an LPI is read again: INV. */
  invalidate(intid: number): void {
    if (intid >= FIRST_LPI && intid <= LAST_LPI) this.#config[intid - FIRST_LPI] = UNKNOWN;
  }

  /** INVALL. */
  invalidateAll(): void {
    this.#config.fill(UNKNOWN);
  }

  setPending(intid: number, pending: boolean): void {
    if (!this.enabled || !this.covers(intid)) return;
    if (pending) this.pending.add(intid);
    else {
      this.pending.delete(intid);
      this.held.delete(intid);
    }
  }

  *waiting(): Generator<PendingLpi> {
    for (const intid of this.pending) {
      const priority = this.held.has(intid) ? undefined : this.priority(intid);
      if (priority !== undefined) yield { intid, priority };
    }
  }

  hold(intid: number): void {
    if (this.pending.delete(intid)) this.held.add(intid);
  }

  release(intid: number, pending: boolean): void {
    if (this.held.delete(intid) && pending) this.pending.add(intid);
  }

  acknowledge(intid: number): void {
    this.setPending(intid, false);
  }

  /** Gives its pending state away, and returns whether it had one. */
  take(intid: number): boolean {
    const was = this.pending.has(intid) || this.held.has(intid);
    this.setPending(intid, false);
    return was;
  }

  /** Priority of an LPI that is enabled, `undefined` if it is not. */
  priority(intid: number): number | undefined {
    let config = this.#config[intid - FIRST_LPI] ?? 0;
    if (config === UNKNOWN) {
      const at = (this.propbaser & PROPBASER.address) + BigInt(intid - FIRST_LPI);
      config = Number(ifMapped(() => this.#memory.readValue(gpa(at), 1)) ?? 0n);
      this.#config[intid - FIRST_LPI] = config;
    }
    return (config & 1) === 1 ? config & PRIORITY_MASK : undefined;
  }
}
