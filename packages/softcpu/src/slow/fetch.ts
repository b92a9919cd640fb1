/** Fetches that the cache of fetch translations did not answer: translating, decoding, and instructions that end in the next page. */
import { DecodedBlock } from '../decode/generate.ts';
import type { Engine } from '../engine.ts';
import { ENGINE, Handler, PAGE_SIZE, Status, recordShift, type Layout } from '../interp/layout.ts';
import { Overlaps } from '../interp/overlaps.ts';
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
  readonly #engine: Engine;
  readonly #isa: Isa;
  readonly #layout: Layout;
  readonly #machine: Machine;
  readonly #trap: SlowPath['trap'];
  readonly #pc: number;
  readonly #budget: number;
  readonly #overlaps: Overlaps;
  /** log2 of record bytes per code byte. */
  readonly #shift: number;

  constructor(engine: Engine, { isa, layout, machine, trap }: SlowPath) {
    this.#engine = engine;
    this.#isa = isa;
    this.#layout = layout;
    this.#machine = machine;
    this.#trap = trap;
    this.#pc = (layout.state + isa.state.pc) >>> 2;
    this.#budget = (layout.state + isa.state.budget) >>> 2;
    this.#overlaps = new Overlaps(isa);
    this.#shift = recordShift(isa);
  }

  /** Decodes from the record at `ip` to the end of the basic block. */
  decode(ip: number): Status {
    const { pages } = this.#engine;
    const page = pages.pageOf(ip);
    if (page < 0) {
      // The records were given up while they were being executed, or are for one instruction only.
      this.#giveStepBack();
      return Status.refetch;
    }
    this.decodeBlock(ip);
    return Status.next;
  }

  /** The same, of records that are there. What overlaps the first instruction is not decoded any more; what would overlap others ends the block. */
  decodeBlock(ip: number): void {
    const { pages, words } = this.#engine;
    const offset = (ip - pages.baseOf(ip)) >>> this.#shift;
    this.#overlaps.clear(words, ip, offset);
    this.#decodeFrom(offset, ip);
  }

  /** The same, unless it would take another instruction's place. */
  decodeBeside(ip: number): void {
    const { pages } = this.#engine;
    const offset = (ip - pages.baseOf(ip)) >>> this.#shift;
    if (this.#hasRoom(pages.textOf(ip), ip, offset)) this.#decodeFrom(offset, ip);
  }

  #decodeFrom(from: number, ip: number): void {
    const { pages, words, decodeBlock } = this.#engine;
    const base = pages.baseOf(ip);
    const text = pages.textOf(ip);
    let offset = from;
    let record = ip;
    let decoded = 0;
    let length: number;
    do {
      if (decodeBlock !== undefined) {
        const answer = decodeBlock(text, record, offset);
        const block = Math.abs(answer);
        decoded += block >>> DecodedBlock.countShift;
        offset = block & DecodedBlock.offset;
        if (answer < 0) break;
        record = base + (offset << this.#shift);
      }
      length = this.#decode(text + offset, PAGE_SIZE - offset, record, offset);
      decoded++;
      if (length === 0) words[record >>> 2] = Handler.straddle;
      offset += Math.abs(length);
      record = base + (offset << this.#shift);
    } while (length > 0 && offset < PAGE_SIZE && ((words[record >>> 2] as number) & 0xffff) === Handler.undecoded && this.#hasRoom(text, record, offset));
    this.#engine.counters.decoded_instructions += decoded;
    // The last one may be in two pages, and was not counted.
    pages.decoded(base, from, offset + 1);
    this.#engine.later?.make();
  }

  /** Whether the instruction at an offset of the page whose text is at `text` can be decoded without another one being lost. */
  #hasRoom(text: number, record: number, offset: number): boolean {
    const room = this.#overlaps.room(this.#engine.words, record, offset);
    if (room === this.#isa.maxLength) return true;
    return room > 0 && Math.abs(this.#machine.decode(text + offset, PAGE_SIZE - offset, this.#layout.trial, offset)) <= room;
  }

  /** As `Machine.decode`. */
  #decode(place: number, available: number, record: number, offset: number): number {
    const length = this.#machine.decode(place, available, record, offset);
    if (length === 0) return 0;
    const { words, bytes, later, decodeBlock } = this.#engine;
    const handler = (words[record >>> 2] as number) & 0xffff;
    later?.want(handler);
    if (decodeBlock !== undefined) bytes[this.#layout.seen + handler] = 1;
    return length;
  }

  /** Translates a fetch; -1 after recording an exception. */
  #fetchPlace(lo: number, hi: number, offset: number): number {
    const physical = this.#machine.translate(lo, hi, Access.fetch, this.#isa.unit, offset);
    if (physical < 0) return -1;
    const place = this.#machine.place(physical);
    if (place < 0) this.#machine.accessFault(lo, hi, Access.fetch, offset);
    return place;
  }

  /** Fills the fetch cache for the pc in the state block. */
  fetch(): Status {
    this.#engine.counters.fetch_refills++;
    const { words, pages } = this.#engine;
    const lo = words[this.#pc] as number;
    const hi = words[this.#pc + 1] as number;
    const place = this.#fetchPlace(lo, hi, 0);
    if (place < 0) return this.#fetchTrap();
    const offset = lo & (PAGE_SIZE - 1);
    const permissions = this.#machine.permissions();
    if ((permissions & Permission.global) === 0) this.#engine.spaces.ownFetch();
    if ((permissions & Permission.execute) !== 0) {
      // First of all, since it may empty the cache.
      const records = pages.acquire(place - offset);
      pages.fetches.fill(lo, hi, this.#engine.spaces.fetchTag, records);
      return Status.next;
    }
    // Protection divides the page: this instruction only, and its parts one by one.
    const { maxLength, unit } = this.#isa;
    const scratch = this.#layout.engine + ENGINE.scratch;
    const parts: number[] = [place];
    const record = pages.fetches.alone(offset);
    for (let available: number = unit; ; available += unit) {
      for (let i = 0; i < unit; i++) this.#engine.bytes[scratch + available - unit + i] = this.#engine.bytes[(parts.at(-1) as number) + i] as number;
      if (this.#decode(scratch, available, record, offset) !== 0 || available >= maxLength) {
        this.#engine.later?.make();
        return Status.alone;
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
    const page = pages.pageOf(ip);
    const within = second & (PAGE_SIZE - 1);
    const records = pages.acquire(second - within); // so that writes to it are noticed
    const next = pages.textOf(records) + within;
    // That may have taken the records at `ip` back, and given them to `second`.
    if (page < 0 || pages.pageOf(ip) !== page) {
      this.#giveStepBack();
      return Status.refetch;
    }
    this.#decodeAcross(pages.textOf(ip), next, offset, pages.fetches.fillStraddle(lo, hi, this.#engine.spaces.fetchTag, pages.baseOf(ip), records));
    return Status.next;
  }

  /** Decodes the instruction at an offset of the page whose text is at `text`, which goes on at `next`. */
  #decodeAcross(text: number, next: number, offset: number, record: number): void {
    const { bytes, later } = this.#engine;
    const available = PAGE_SIZE - offset;
    const scratch = this.#layout.engine + ENGINE.scratch;
    for (let i = 0; i < this.#isa.maxLength; i++) bytes[scratch + i] = bytes[i < available ? text + offset + i : next + i - available] as number;
    this.#decode(scratch, this.#isa.maxLength, record, offset);
    later?.make();
  }

  /** The same of pages that have records, by their numbers. */
  decodeAcross(first: number, second: number, offset: number, record: number): void {
    const { pages } = this.#engine;
    const next = pages.textOf(pages.recordsOf(second));
    this.#decodeAcross(pages.textOf(pages.recordsOf(first)), next, offset, record);
  }

  /** The helper is not the instruction's: its step is given back. */
  #giveStepBack(): void {
    this.#engine.words[this.#budget] = (this.#engine.words[this.#budget] as number) + 1;
  }
}
