/**
 * Which regions are made anew: those that the processor is in most of its time, with what their returns and computed jumps lead to; and those that are
 * left too often, for what the ISA's assumptions are now, or so that their accesses ask for places.
 */
import { ENGINE, NO_REGION, PAGE_SIZE, REGION_PATIENCE, REGION_SIZE, recordShift } from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import type { Isa } from '../isa.ts';
import type { RecordsHost } from './records.ts';
import { Samples } from './samples.ts';
import { covers } from './slots.ts';
import type { Slot, Slots } from './slots.ts';

/** How often a region is left at accesses until it is made anew: that takes as long as these ways through tier 0. */
const PATIENCE = 512;
/** Slices after which these ways do not count any more: a guest that runs for hours comes to so many everywhere. */
const FORGIVING = 4096;

const NONE: readonly Slot[] = [];

export class Again {
  readonly #host: RecordsHost;
  readonly #isa: Isa;
  readonly #layout: Layout;
  readonly #slots: Slots;
  readonly #patience: number;
  readonly #samples = new Samples();

  /** @param eager - at once. */
  constructor(host: RecordsHost, isa: Isa, layout: Layout, slots: Slots, eager: boolean) {
    this.#host = host;
    this.#isa = isa;
    this.#layout = layout;
    this.#slots = slots;
    this.#patience = eager ? 1 : PATIENCE;
  }

  /** Values that the ISA's assumptions have here. */
  assumptions(): readonly number[] {
    const { words } = this.#host;
    return (this.#isa.assumptions ?? []).map(({ offset, value }) => value ?? (words[(this.#layout.state + offset) >>> 2] as number));
  }

  /** The region of a slot is in the table now, or was left too seldom. */
  restart(slot: Slot, slice: number): void {
    this.#host.words[(this.#layout.regions + slot.number * REGION_SIZE + REGION_PATIENCE) >>> 2] = this.#patience;
    slot.since = slice;
  }

  /** A slice ended that took all its steps: slots whose regions are to be made with what their computed jumps lead to. */
  sampled(): readonly Slot[] {
    if (!this.#samples.isDue()) return NONE;
    const { words, pages } = this.#host;
    const ip = words[(this.#layout.engine + ENGINE.record) >>> 2] as number;
    const page = pages.pageOf(ip) / PAGE_SIZE;
    if (!this.#slots.has(page)) return NONE;
    const offset = (ip - pages.baseOf(ip)) >>> recordShift(this.#isa);
    return this.#slots.on(page).filter((slot) => {
      if (!slot.installed || slot.queued || slot.deep || !covers(slot, slot.extent, page, offset, offset + 1)) return false;
      return (slot.deep = this.#samples.endsOften(slot));
    });
  }

  /** Slots of regions that were left too often. */
  refused(slice: number): readonly Slot[] {
    const { words } = this.#host;
    const impatient = (this.#layout.engine + ENGINE.impatient) >>> 2;
    const number = words[impatient] as number;
    if (number === NO_REGION) return NONE;
    words[impatient] = NO_REGION;
    const slot = this.#slots.byNumber(number);
    if (slot?.installed !== true || slot.queued) return NONE;
    if (slice - slot.since > FORGIVING) {
      this.restart(slot, slice);
      return NONE;
    }
    const assumed = this.assumptions();
    if (assumed.some((value, i) => value !== slot.assumed[i])) slot.assumed = assumed;
    else if (slot.asks) return NONE;
    else slot.asks = true;
    slot.stale = true;
    return [slot];
  }
}
