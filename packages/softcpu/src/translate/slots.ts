/** The places where regions begin or may begin, by page and by number: who has which number, what was made there, and which numbers may be given away again. */
import { NO_REGION, REGION_MODES } from '../interp/layout.ts';
import type { Block, OtherPage } from './discover.ts';


/** What a region is made of. */
export interface Extent {
  readonly blocks: readonly Block[];
  /** Its accesses ask for the places that the TLB has not. */
  readonly asks: boolean;
  /** The page beside the slot's own that blocks lie in, with its number. */
  readonly other: (OtherPage & { readonly page: number; /** Place of its records. */ readonly records: number }) | undefined;
}

/** A place where a region begins or may begin. */
export interface Slot {
  readonly number: number;
  readonly page: number;
  readonly offset: number;
  readonly mode: number;
  /** What is translated there, or being compiled. */
  extent: Extent | undefined;
  /** What the region was made of that is in the table until one of {@link extent} is. */
  replaced: Extent | undefined;
  /** The table holds its region. */
  installed: boolean;
  queued: boolean;
  /** It is made with what its computed jumps lead to. */
  deep: boolean;
  /** Accesses are to ask for the places that the TLB has not. */
  asks: boolean;
  /** Its region is left too often: it is to be made anew, for other assumptions, or so that accesses ask. */
  stale: boolean;
  /** Slice from which on it is counted how often its region is left. */
  since: number;
  /** It was looked up when it became hot. */
  computed: boolean;
  /** Values of the ISA's assumptions when it became hot. */
  assumed: readonly number[];
}

const overlaps = (blocks: readonly Block[], from: number, to: number): boolean => blocks.some((block) => block.offset < to && block.end > from);

/** Whether what is translated has bytes of a page from an offset to before another one. */
export function covers(slot: Slot, extent: Extent | undefined, page: number, from: number, to: number): boolean {
  if (extent === undefined) return false;
  const { blocks, other } = extent;
  return (slot.page === page && overlaps(blocks, from, to)) || (other?.page === page && overlaps(blocks, other.distance + from, other.distance + to));
}

export class Slots {
  /** By page, by offset * REGION_MODES + mode. */
  readonly #pages = new Map<number, Map<number, Slot>>();
  /** By page: slots of other pages whose regions lie in it too. */
  readonly #guests = new Map<number, Set<Slot>>();
  readonly #byNumber: (Slot | undefined)[] = [];
  readonly #free: number[] = [];
  /** Numbers that are nobody's any more, but may be in the jump caches. */
  readonly #retired: number[] = [];
  readonly #deep: boolean;

  /** @param deep - what slots are at first. */
  constructor(deep: boolean) {
    this.#deep = deep;
  }

  /** Numbers that were given away, as many as the table of regions must have. */
  get length(): number {
    return this.#byNumber.length;
  }

  /** Numbers that wait for the jump caches to be emptied. */
  get retired(): number {
    return this.#retired.length;
  }

  get pages(): readonly number[] {
    return [...this.#pages.keys()];
  }

  /** Whether there are slots of a page, or regions that lie in it. */
  has(page: number): boolean {
    return this.#pages.has(page) || this.#guests.has(page);
  }

  /** Slots of a page, and those of others whose regions lie in it too. */
  on(page: number): readonly Slot[] {
    return [...this.of(page), ...(this.#guests.get(page) ?? [])];
  }

  /** Says what a slot's region is made of. */
  setExtent(slot: Slot, extent: Extent | undefined, replaced?: Extent): void {
    for (const { other } of [slot.extent, slot.replaced].filter((each) => each !== undefined)) {
      if (other === undefined) continue;
      const guests = this.#guests.get(other.page);
      if (guests?.delete(slot) === true && guests.size === 0) this.#guests.delete(other.page);
    }
    slot.extent = extent;
    slot.replaced = replaced;
    for (const { other } of [extent, replaced].filter((each) => each !== undefined)) {
      if (other === undefined) continue;
      let guests = this.#guests.get(other.page);
      if (guests === undefined) this.#guests.set(other.page, (guests = new Set()));
      guests.add(slot);
    }
  }

  of(page: number): readonly Slot[] {
    return [...(this.#pages.get(page)?.values() ?? [])];
  }

  find(page: number, offset: number, mode: number): Slot | undefined {
    return this.#pages.get(page)?.get(offset * REGION_MODES + mode);
  }

  byNumber(number: number): Slot | undefined {
    return this.#byNumber[number];
  }

  /** The slot of a place, which has a number from then on. */
  at(page: number, offset: number, mode: number): Slot {
    let slots = this.#pages.get(page);
    if (slots === undefined) this.#pages.set(page, (slots = new Map()));
    const key = offset * REGION_MODES + mode;
    let slot = slots.get(key);
    if (slot === undefined) {
      const number = this.#free.pop() ?? Math.max(this.#byNumber.length, NO_REGION + 1);
      slot = { number, page, offset, mode, extent: undefined, replaced: undefined, installed: false, queued: false, deep: this.#deep, asks: false, stale: false, since: 0, computed: false, assumed: [] };
      this.#byNumber[number] = slot;
      slots.set(key, slot);
    }
    return slot;
  }

  /** Forgets the slots of a page. Their numbers are free when {@link free} says so. */
  retire(page: number): void {
    for (const { number } of this.of(page)) {
      this.#byNumber[number] = undefined;
      this.#retired.push(number);
    }
    this.#pages.delete(page);
  }

  /** No code and no jump cache knows the numbers that were retired. */
  free(): void {
    for (const number of this.#retired.splice(0)) this.#free.push(number);
  }

  /** Forgets everything, when no code is left that knows any number. */
  clear(): void {
    this.#pages.clear();
    this.#guests.clear();
    this.#byNumber.length = 0;
    this.#free.length = 0;
    this.#retired.length = 0;
  }
}
