/**
 * Pending interrupts of a vCPU without an interrupt controller: whoever injects one queues it here, list registers take the most urgent ones, and
 * what they bring back is kept (GIC specification IHI 0069, chapter 6 "Virtual Interrupt Handling and Prioritization").
 */
import { ensure } from '@axvisor/axvisor_api/errors';
import type { CpuInterrupts, InterruptState, SgiRequest, VirtualInterrupt } from '@axvisor/axvisor_api/intc';

/** SGIs, PPIs and SPIs end here; LPIs are between 8192 and 65535. */
const MAX_SPI = 1019;
const FIRST_LPI = 8192;
const LAST_LPI = 65535;

/** Urgency of interrupts whose priority nobody set. */
export const DEFAULT_PRIORITY = 0xa0;

export const isIntid = (intid: number): boolean => Number.isInteger(intid) && ((intid >= 0 && intid <= MAX_SPI) || (intid >= FIRST_LPI && intid <= LAST_LPI));

interface Entry {
  readonly intid: number;
  /** An edge came and was not taken yet. */
  edge: boolean;
  /** The wire is asserted. */
  level: boolean;
  active: boolean;
  /** It was given to a list register, which knows better; with the edge, if there was one. */
  held: boolean;
  heldEdge: boolean;
}

const isPending = ({ edge, level }: Entry): boolean => edge || level;

export class PendingQueue implements CpuInterrupts {
  readonly #entries = new Map<number, Entry>();
  readonly #priorities = new Map<number, number>();
  #changed = false;

  get changed(): boolean {
    return this.#changed;
  }

  useListRegisters(): boolean {
    return true;
  }

  /** 0 (most urgent) … 255. */
  setPriority(intid: number, priority: number): void {
    this.#check(intid);
    this.#priorities.set(intid, priority & 0xff);
  }

  /** One interrupt at a time: an edge that comes again before the last was taken is merged with it. @throws {AxError} InvalidInput */
  setPending(intid: number, pending: boolean): void {
    const entry = this.#entry(intid);
    entry.edge = pending;
    if (!pending) entry.level = entry.heldEdge = false;
    this.#update(entry);
  }

  setPrivateLine(intid: number, level: boolean): void {
    if (!level && !this.#entries.has(intid)) return;
    const entry = this.#entry(intid);
    if (entry.level === level) return;
    entry.level = level;
    this.#update(entry);
  }

  /** Without a controller the hypervisor delivers them. */
  sendSgi(_request: SgiRequest): void {}

  flush(count: number): { interrupts: readonly VirtualInterrupt[]; more: boolean } {
    this.#changed = false;
    const all = [...this.#entries.values()].sort(
      (a, b) => Number(b.active) - Number(a.active) || this.#priority(a.intid) - this.#priority(b.intid) || a.intid - b.intid,
    );
    const taken = all.slice(0, count);
    const interrupts = taken.map((entry): VirtualInterrupt => {
      const { intid, edge, level, active } = entry;
      entry.held = true;
      entry.heldEdge = edge;
      entry.edge = false;
      // An active interrupt is pending beside that only by a new edge: a level is looked at when it ends.
      return { intid, priority: this.#priority(intid), group: 1, pending: edge || (level && !active), active, notifyEnd: level };
    });
    return { interrupts, more: all.length > count };
  }

  sync(states: readonly InterruptState[], endedElsewhere: number): void {
    for (const { intid, pending, active } of states) {
      const entry = this.#entries.get(intid);
      if (entry?.held !== true) continue;
      entry.held = false;
      entry.active = active;
      entry.edge ||= pending && entry.heldEdge;
      entry.heldEdge = false;
      this.#update(entry);
    }
    const waiting = [...this.#entries.values()].filter(({ active, held }) => active && !held);
    waiting.sort((a, b) => this.#priority(a.intid) - this.#priority(b.intid));
    for (const entry of waiting.slice(0, endedElsewhere)) {
      entry.active = false;
      this.#update(entry);
    }
  }

  highestPending(): { readonly priority: number; readonly group: 1 } | undefined {
    let priority = 256;
    for (const entry of this.#entries.values()) if (isPending(entry) && !entry.active) priority = Math.min(priority, this.#priority(entry.intid));
    return priority === 256 ? undefined : { priority, group: 1 };
  }

  /** Forgets everything but the priorities: the vCPU is reset. */
  clear(): void {
    this.#entries.clear();
    this.#changed = true;
  }

  #priority(intid: number): number {
    return this.#priorities.get(intid) ?? DEFAULT_PRIORITY;
  }

  #check(intid: number): void {
    ensure(isIntid(intid), 'InvalidInput', `there is no interrupt ${String(intid)}: 0 to ${MAX_SPI} and ${FIRST_LPI} to ${LAST_LPI} are`);
  }

  #entry(intid: number): Entry {
    this.#check(intid);
    let entry = this.#entries.get(intid);
    if (entry === undefined) {
      entry = { intid, edge: false, level: false, active: false, held: false, heldEdge: false };
      this.#entries.set(intid, entry);
    }
    return entry;
  }

  #update(entry: Entry): void {
    if (!isPending(entry) && !entry.active && !entry.held) this.#entries.delete(entry.intid);
    this.#changed = true;
  }
}
