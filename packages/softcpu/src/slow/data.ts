/** Data accesses that the TLB did not let through: translating, filling the TLB, devices, and accesses to two pages. */
import type { Engine } from '../engine.ts';
import { ACCESS_EXACT, ACCESS_SIZE, ACCESS_STORE, ACCESS_UPDATE, ENGINE, PAGE_SIZE, type Layout } from '../interp/layout.ts';
import type { Isa } from '../isa.ts';
import { Access, Permission, type Machine } from '../machine.ts';
import { advance } from './advance.ts';
import type { SlowPath } from './fetch.ts';

export class DataPath {
  readonly #engine: Engine;
  readonly #isa: Isa;
  readonly #layout: Layout;
  readonly #machine: Machine;
  readonly #trap: SlowPath['trap'];
  /** The access that {@link probe} found to fault last, as its mode, and the address; -1 when its exception is no longer what is recorded. */
  #faulting = -1;
  #faultingLo = 0;
  #faultingHi = 0;

  constructor(engine: Engine, { isa, layout, machine, trap }: SlowPath) {
    this.#engine = engine;
    this.#isa = isa;
    this.#layout = layout;
    this.#machine = machine;
    this.#trap = trap;
  }

  /** Carries a data access out that the TLB did not let through; the place of its data, or 0 with the status set. */
  access(mode: number): number {
    const address = (this.#layout.engine + ENGINE.address) >>> 2;
    const lo = this.#engine.words[address] as number;
    const hi = this.#engine.words[address + 1] as number;
    const size = mode & ACCESS_SIZE;
    const access = (mode & ACCESS_STORE) !== 0 ? Access.store : Access.load;
    const exact = (mode & ACCESS_EXACT) !== 0;
    const { counters } = this.#engine;
    const refills = counters.tlb_refills;
    const isKnown = mode === this.#faulting && lo === this.#faultingLo && hi === this.#faultingHi;
    this.#faulting = -1;
    const denied = isKnown || ((mode & ACCESS_UPDATE) !== 0 && !this.#mayStore(lo, hi, size));
    const place = denied ? 0 : this.place(lo, hi, size, access, exact);
    counters.tlb_misses++;
    if (counters.tlb_refills === refills) counters[access === Access.store ? 'slow_stores' : 'slow_loads']++;
    if (place === 0) {
      const engine = this.#layout.engine >>> 2;
      this.#engine.words[engine + (ENGINE.status >>> 2)] = this.#trap((this.#engine.words[engine + (ENGINE.record >>> 2)] as number) >>> 0);
    }
    return place;
  }

  /** Whether a store is translated, to both pages that it may touch; else its exception is recorded. */
  #mayStore(lo: number, hi: number, size: number): boolean {
    const first = Math.min(size, PAGE_SIZE - (lo & (PAGE_SIZE - 1)));
    if (this.#machine.translate(lo, hi, Access.store, first, 0) < 0) return false;
    if (first === size) return true;
    const [nextLo, nextHi] = advance(lo, hi, first);
    return this.#machine.translate(nextLo, nextHi, Access.store, size - first, first) >= 0;
  }

  /** Something other than what {@link probe} saw may come next. */
  forgetFault(): void {
    this.#faulting = -1;
  }

  /**
   * The same for translated code: nothing is done that tier 0 would do again, and 0 leaves everything to it.
   * Stores to pages with records are tier 0's, since the region itself may be on them.
   */
  probe(mode: number): number {
    const address = (this.#layout.engine + ENGINE.address) >>> 2;
    const lo = this.#engine.words[address] as number;
    const hi = this.#engine.words[address + 1] as number;
    const size = mode & ACCESS_SIZE;
    const access = (mode & ACCESS_STORE) !== 0 ? Access.store : Access.load;
    const offset = lo & (PAGE_SIZE - 1);
    const exact = (mode & ACCESS_EXACT) !== 0 || this.#layout.strict;
    const misaligned = (offset & (size - 1)) !== 0;
    if (offset + size > PAGE_SIZE || (exact && misaligned)) return 0;
    // The TLB lets aligned accesses through alone: its page may be there.
    if (misaligned && !this.#asksWhenUnaligned) {
      const page = this.#engine.tlb.find(access === Access.store || (mode & ACCESS_UPDATE) !== 0, this.#mmuMode, lo, hi);
      if (page > 0) return page + offset;
    }
    const machine = this.#machine;
    if ((mode & ACCESS_UPDATE) !== 0 && !this.#mayStore(lo, hi, size)) return 0;
    const physical = machine.translate(lo, hi, access, size, 0);
    if (physical < 0) {
      this.#faulting = mode;
      this.#faultingLo = lo;
      this.#faultingHi = hi;
      return 0;
    }
    const place = machine.place(physical);
    if (place <= 0 || (access === Access.store && this.#engine.pages.has(place))) return 0;
    if (access === Access.store) this.#engine.pages.opened(place);
    this.#fill(access, lo, hi, place - offset);
    return place;
  }

  /** Addresses that are not aligned must be asked about, whatever the TLB knows. */
  get #asksWhenUnaligned(): boolean {
    const { aligned } = this.#isa.state;
    return aligned !== undefined && this.#engine.words[(this.#layout.state + aligned) >>> 2] !== 0;
  }

  get #mmuMode(): number {
    return this.#engine.words[(this.#layout.state + this.#isa.state.mmuIdx) >>> 2] as number;
  }

  /** Enters the page of a successful translation into the TLB, if it may be: for stores to code, into the second level alone. */
  #fill(access: Access, lo: number, hi: number, page: number, toCode = false): void {
    const store = access === Access.store;
    const permissions = this.#machine.permissions() & ~Permission.execute;
    if ((permissions & (store ? Permission.write : Permission.read)) === 0) return;
    const global = (permissions & Permission.global) !== 0;
    if (!toCode) {
      this.#engine.counters.tlb_refills++;
      this.#engine.tlb.fill(store, this.#mmuMode, lo, hi, page, global);
    }
    // Who shares memory says before that it is able to write, see `opened`.
    const opened = store || !this.#engine.pages.shared ? permissions : permissions & ~Permission.write;
    this.#engine.tlb.fillSecond(lo, hi, this.#engine.spaces.dataTag(global), page, opened);
  }

  /** Place of the data, in the scratch words where memory itself will not do; 0 with an exception recorded. */
  place(lo: number, hi: number, size: number, access: Access, exact: boolean): number {
    const machine = this.#machine;
    const offset = lo & (PAGE_SIZE - 1);
    if ((exact || this.#layout.strict) && (offset & (size - 1)) !== 0) {
      machine.misaligned(lo, hi, access);
      return 0;
    }
    if (offset + size > PAGE_SIZE) return this.#crossing(lo, hi, size, access);
    const physical = machine.translate(lo, hi, access, size, 0);
    if (physical < 0) return 0;
    const place = machine.place(physical);
    if (place < 0) return this.#device(physical, lo, hi, size, access, exact);
    if (access === Access.store) this.#engine.pages.opened(place);
    const toCode = access === Access.store && this.#engine.pages.has(place);
    if (toCode) this.#engine.pages.written(place, size);
    this.#fill(access, lo, hi, place - offset, toCode);
    // Place 0 means failure.
    return place !== 0 ? place : this.#bytewise(0, 0, size, size, access);
  }

  #device(physical: number, lo: number, hi: number, size: number, access: Access, exact: boolean): number {
    const machine = this.#machine;
    const scratch = this.#layout.engine + ENGINE.scratch;
    const done =
      !exact &&
      physical % size === 0 &&
      (access === Access.store ? machine.deviceWrite(physical, size, this.#layout.engine + ENGINE.value) : machine.deviceRead(physical, size, scratch));
    if (done) return scratch;
    machine.accessFault(lo, hi, access, 0);
    return 0;
  }

  /** An access to two pages: both are translated before anything is written. */
  #crossing(lo: number, hi: number, size: number, access: Access): number {
    const first = PAGE_SIZE - (lo & (PAGE_SIZE - 1));
    const place = this.#part(lo, hi, first, access, 0);
    if (place < 0) return 0;
    const [nextLo, nextHi] = advance(lo, hi, first);
    const next = this.#part(nextLo, nextHi, size - first, access, first);
    return next < 0 ? 0 : this.#bytewise(place, next, first, size, access);
  }

  /** Where a part of an access lies, that begins at a distance from it; -1 with an exception recorded. */
  #part(lo: number, hi: number, size: number, access: Access, distance: number): number {
    const { tlb, pages } = this.#engine;
    const store = access === Access.store;
    const offset = lo & (PAGE_SIZE - 1);
    const known = this.#asksWhenUnaligned ? -1 : tlb.find(store, this.#mmuMode, lo, hi);
    if (known >= 0) return known + offset;
    const machine = this.#machine;
    const physical = machine.translate(lo, hi, access, size, distance);
    if (physical < 0) return -1;
    const place = machine.place(physical);
    if (place < 0) {
      machine.accessFault(lo, hi, access, distance);
      return -1;
    }
    if (store) pages.opened(place);
    if (!store || !pages.has(place)) this.#fill(access, lo, hi, place - offset);
    return place;
  }

  /** Moves `size` bytes between the scratch or value words and memory, the first `split` at one place, the rest at another. */
  #bytewise(place: number, next: number, split: number, size: number, access: Access): number {
    const { bytes, pages } = this.#engine;
    const { engine } = this.#layout;
    if (access === Access.store) {
      pages.opened(place);
      pages.written(place, split);
      if (split < size) {
        pages.opened(next);
        pages.written(next, size - split);
      }
    }
    for (let i = 0; i < size; i++) {
      const at = i < split ? place + i : next + i - split;
      if (access === Access.store) bytes[at] = bytes[engine + ENGINE.value + i] as number;
      else bytes[engine + ENGINE.scratch + i] = bytes[at] as number;
    }
    return engine + ENGINE.scratch;
  }
}
