/** Fetches that the cache of fetch translations did not answer: translating, decoding, and instructions that end in the next page. */
import type { Engine } from '../engine.ts';
import { ENGINE, Handler, PAGE_SIZE, Status, UNCACHED_RECORD, type Layout } from '../interp/layout.ts';
import { NONE } from '../interp/records.ts';
import type { Isa } from '../isa.ts';
import { Access, Permission, type Machine } from '../machine.ts';
import { advance } from './advance.ts';

/** What a slow path needs beside the engine's own parts. */
export interface SlowPath {
  readonly isa: Isa;
  readonly layout: Layout;
  readonly machine: Machine;
  /** Takes the exception that was recorded, of the instruction of a record. */
  trap(record: number): Status;
}

export class FetchPath {
  /** Place of the record that the last {@link fetch} found, 0 if that is no page's. */
  fetched = 0;
  readonly #engine: Engine;
  readonly #isa: Isa;
  readonly #layout: Layout;
  readonly #machine: Machine;
  readonly #trap: SlowPath['trap'];
  readonly #pc: number;
  readonly #budget: number;
  /** Words of a record before the one that holds where a branch leads. */
  readonly #immediate: number;

  constructor(engine: Engine, { isa, layout, machine, trap }: SlowPath) {
    this.#engine = engine;
    this.#isa = isa;
    this.#layout = layout;
    this.#machine = machine;
    this.#trap = trap;
    this.#pc = (layout.state + isa.state.pc) >>> 2;
    this.#budget = (layout.state + isa.state.budget) >>> 2;
    this.#immediate = (isa.fields['imm']?.offset ?? 0) >>> 2;
  }

  /** Decodes what the record at `ip` stands for. */
  decode(ip: number): Status {
    const { pages } = this.#engine;
    const { store } = pages;
    const index = store.ownerOf(ip);
    if (index < 0) {
      // The records were given up while they were being executed.
      this.#giveStepBack();
      return Status.refetch;
    }
    pages.makeRoom(index);
    const record = this.decodeAt(index, store.offsetOf(ip));
    if (record === NONE) {
      pages.release(index);
      this.#giveStepBack();
      return Status.refetch;
    }
    if (store.place(record) !== ip) store.redirect(ip, record);
    return Status.next;
  }

  /** The record of an offset in the page with a map, by its number, decoded to the end of the basic block if need be; {@link NONE} without room. */
  decodeAt(index: number, begin: number): number {
    const { pages, counters, words } = this.#engine;
    const { store } = pages;
    const text = pages.textOf(index);
    let known = store.find(index, begin);
    if (known !== NONE && store.handler(known) !== Handler.undecoded) return known;
    const first = store.begin(index, begin);
    let record = first;
    for (let offset = begin; record !== NONE; ) {
      const length = this.#decode(text + offset, PAGE_SIZE - offset, store.place(record), offset);
      counters.decoded_instructions++;
      if (length === 0) words[store.word(record)] = Handler.straddle;
      else this.#aim(index, record, offset);
      if (known !== NONE && known !== record) store.resolve(known, record, this.#immediate);
      if (length === 0) {
        store.stop();
        break;
      }
      offset += Math.abs(length);
      if (offset >= PAGE_SIZE) {
        store.leave(index);
        break;
      }
      known = store.find(index, offset);
      if (known !== NONE && (length < 0 || store.handler(known) !== Handler.undecoded)) {
        store.join(index, offset, known);
        break;
      }
      record = length < 0 ? NONE : store.next(index, offset);
      if (record === NONE) store.pause(index, offset);
    }
    this.#engine.later?.make();
    return first;
  }

  /** A branch within the page leads to a record. */
  #aim(index: number, record: number, offset: number): void {
    const { handlers, pages, words } = this.#engine;
    const word = pages.store.word(record);
    const handler = (words[word] as number) & 0xffff;
    const nearness = handlers.nearness[handler] as number;
    if (nearness === 0) return;
    const immediate = word + this.#immediate;
    if (!pages.store.aim(index, record, immediate, offset + (words[immediate] as number))) (words[word] as number) -= nearness;
  }

  /** As `Machine.decode`. */
  #decode(place: number, available: number, record: number, offset: number): number {
    const length = this.#machine.decode(place, available, record, offset);
    if (length !== 0) this.#engine.later?.want((this.#engine.words[record >>> 2] as number) & 0xffff);
    return length;
  }

  /** The same of an instruction whose record is no page's, and is followed by nothing. */
  #decodeAlone(place: number, available: number, record: number, offset: number): number {
    const { words, handlers } = this.#engine;
    const length = this.#decode(place, available, record, offset);
    if (length !== 0) (words[record >>> 2] as number) -= handlers.nearness[(words[record >>> 2] as number) & 0xffff] as number;
    return Math.abs(length);
  }

  /** Translates a fetch; -1 after recording an exception. */
  #fetchPlace(lo: number, hi: number, offset: number): number {
    const physical = this.#machine.translate(lo, hi, Access.fetch, this.#isa.unit, offset);
    if (physical < 0) return -1;
    const place = this.#machine.place(physical);
    if (place < 0) this.#machine.accessFault(lo, hi, Access.fetch, offset);
    return place;
  }

  /** Sees to it that the map of the page of the pc in the state block is in the fetch cache, and the record of the pc in the map. */
  fetch(): Status {
    const { words, pages, spaces } = this.#engine;
    const lo = words[this.#pc] as number;
    const hi = words[this.#pc + 1] as number;
    const offset = lo & (PAGE_SIZE - 1);
    this.fetched = 0;
    let map = pages.fetches.find(lo, hi, spaces.fetchTag);
    if (map === 0) {
      this.#engine.counters.fetch_refills++;
      const place = this.#fetchPlace(lo, hi, 0);
      if (place < 0) return this.#fetchTrap();
      const permissions = this.#machine.permissions();
      if ((permissions & Permission.global) === 0) spaces.ownFetch();
      if ((permissions & Permission.execute) === 0) return this.#fetchUncached(place, lo, hi, offset);
      // First of all, since it may empty the cache.
      map = pages.acquire(place - offset);
      pages.fetches.fill(lo, hi, spaces.fetchTag, map);
    }
    const index = pages.store.indexOf(map);
    pages.makeRoom(index);
    const record = this.decodeAt(index, offset);
    if (record === NONE) pages.release(index);
    else this.fetched = pages.store.place(record);
    return Status.next;
  }

  /** Protection divides the page: this instruction only, and its parts one by one. */
  #fetchUncached(place: number, lo: number, hi: number, offset: number): Status {
    const { bytes, pages, later, spaces } = this.#engine;
    const { store } = pages;
    const { maxLength, unit } = this.#isa;
    const scratch = this.#layout.engine + ENGINE.scratch;
    const parts: number[] = [place];
    pages.fetches.forgetUncached();
    const record = store.alone(UNCACHED_RECORD, offset);
    for (let available: number = unit; ; available += unit) {
      for (let i = 0; i < unit; i++) bytes[scratch + available - unit + i] = bytes[(parts.at(-1) as number) + i] as number;
      const length = this.#decodeAlone(scratch, available, record, offset);
      if (length !== 0 || available >= maxLength) {
        store.behind(UNCACHED_RECORD, offset + length);
        pages.fetches.fillUncached(lo, hi, spaces.fetchTag);
        later?.make();
        return Status.next;
      }
      const [nextLo, nextHi] = advance(lo, hi, available);
      const next = this.#fetchPlace(nextLo, nextHi, available);
      if (next < 0) return this.#fetchTrap();
      parts.push(next);
    }
  }

  /** A failed fetch takes a step of its own: no instruction was dispatched. */
  #fetchTrap(): Status {
    this.#engine.words[this.#budget] = (this.#engine.words[this.#budget] as number) - 1;
    return this.#trap(0);
  }

  /** Decodes the instruction at `ip` that ends in the next page. */
  straddle(ip: number): Status {
    const { words, pages } = this.#engine;
    const lo = words[this.#pc] as number;
    const hi = words[this.#pc + 1] as number;
    const offset = lo & (PAGE_SIZE - 1);
    const available = PAGE_SIZE - offset;
    const [nextLo, nextHi] = advance(lo, hi, available);
    const second = this.#fetchPlace(nextLo, nextHi, available);
    if (second < 0) return this.#trap(0);
    const { store } = pages;
    const index = store.ownerOf(ip);
    const page = pages.pageOf(ip);
    const within = second & (PAGE_SIZE - 1);
    const next = pages.textOf(store.indexOf(pages.acquire(second - within))) + within; // acquired, so that writes to it are noticed
    // That may have taken the records at `ip` back, and given their map to `second`.
    if (page < 0 || pages.pageOf(ip) !== page) {
      this.#giveStepBack();
      return Status.refetch;
    }
    const pair = pages.fetches.fillStraddle(lo, hi, this.#engine.spaces.fetchTag);
    const length = this.#decodeAcross(pages.textOf(index), next, offset, store.alone(pair, offset));
    store.behind(pair, offset + length);
    return Status.next;
  }

  /** Decodes the instruction at an offset of the page whose text is at `text`, which goes on at `next`. */
  #decodeAcross(text: number, next: number, offset: number, record: number): number {
    const { bytes, later } = this.#engine;
    const available = PAGE_SIZE - offset;
    const scratch = this.#layout.engine + ENGINE.scratch;
    for (let i = 0; i < this.#isa.maxLength; i++) bytes[scratch + i] = bytes[i < available ? text + offset + i : next + i - available] as number;
    const length = this.#decodeAlone(scratch, this.#isa.maxLength, record, offset);
    later?.make();
    return length;
  }

  /** The same of pages that have records, by their numbers. */
  decodeAcross(first: number, second: number, offset: number, record: number): void {
    const { pages } = this.#engine;
    const textOf = (page: number): number => pages.textOf(pages.store.indexOf(pages.mapOf(page)));
    const next = textOf(second);
    this.#decodeAcross(textOf(first), next, offset, record);
  }

  /** The helper is not the instruction's: its step is given back. */
  #giveStepBack(): void {
    this.#engine.words[this.#budget] = (this.#engine.words[this.#budget] as number) + 1;
  }
}
