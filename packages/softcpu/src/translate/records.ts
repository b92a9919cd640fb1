/** Decoded instructions as the translator reads them, and the places where tier 0 enters regions: their first records. */
import type { CodePages } from '../interp/codepages.ts';
import { fieldOf } from '../interp/fields.ts';
import type { HandlerTable } from '../interp/handlers.ts';
import { FIRST_HANDLER, Handler, REGION_SIZE, recordShift } from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import { LENGTH } from '../isa.ts';
import type { Isa } from '../isa.ts';
import { linkageOf } from './discover.ts';
import type { Step } from './discover.ts';
import { shapesOf } from './shape.ts';
import type { Shape } from './shape.ts';
import type { Slot } from './slots.ts';

/** Where the records are. */
export interface RecordsHost {
  /** Linear memory, as it is now. */
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly pages: CodePages;
  readonly handlers: HandlerTable;
  /** Decodes the instruction of an empty record, unless it overlaps one that is decoded. */
  decode(ip: number): void;
  /** Decodes the instruction that begins at an offset of one page and ends in another one, both with records, into a record that is no page's. */
  decodeAcross(first: number, second: number, offset: number, record: number): void;
}

export class Records {
  readonly #isa: Isa;
  readonly #layout: Pick<Layout, 'regions' | 'borrowed'>;
  readonly #host: RecordsHost;
  readonly #shapes: (instruction: number) => Shape;
  /** log2 of record bytes per code byte. */
  readonly #shift: number;

  constructor(isa: Isa, layout: Pick<Layout, 'regions' | 'borrowed'>, host: RecordsHost) {
    this.#isa = isa;
    this.#layout = layout;
    this.#host = host;
    this.#shapes = shapesOf(isa);
    this.#shift = recordShift(isa);
  }

  /** The instruction at an offset of a page; undefined where only tier 0 can go on, `cut` where it ends in the next page. */
  read(page: number, offset: number): Step | 'cut' | undefined {
    const { pages } = this.#host;
    const base = pages.recordsOf(page);
    if (base === 0 || !pages.isCurrentMode(page)) return undefined;
    const record = base + (offset << this.#shift);
    let handler = this.#handler(record);
    if (handler === Handler.undecoded) {
      this.#host.decode(record);
      handler = this.#handler(record);
    }
    return handler === Handler.straddle ? 'cut' : this.#step(offset, record, handler);
  }

  /** Whether the instruction at an offset of a page is decoded, as is the whole block of each that tier 0 executed. */
  isDecoded(page: number, offset: number): boolean {
    const base = this.#host.pages.recordsOf(page);
    return base !== 0 && this.#handler(base + (offset << this.#shift)) !== Handler.undecoded;
  }

  /** The instruction that begins at an offset of one page and ends in another one. @param borrowed - which of `BORROWED_RECORDS` it takes. */
  readAcross(first: number, second: number, offset: number, borrowed: number): Step | undefined {
    const { pages } = this.#host;
    if (pages.recordsOf(second) === 0 || !pages.isCurrentMode(second)) return undefined;
    const record = this.#layout.borrowed + borrowed * this.#isa.records.size;
    this.#host.decodeAcross(first, second, offset, record);
    return this.#step(offset, record, this.#handler(record));
  }

  #step(offset: number, record: number, handler: number): Step | undefined {
    const { handlers } = this.#host;
    const isa = this.#isa;
    const slot = handler < FIRST_HANDLER ? undefined : handlers.slot(handler);
    if (slot === undefined) return undefined;
    const { instruction, variant } = slot;
    const shape = this.#shapes(instruction);
    const direct = isa.instructions[instruction]?.direct === true;
    const distance = direct ? this.field(record, 'imm') >> (variant.near ? this.#shift : 0) : 0;
    const length = variant.length === 0 ? this.field(record, LENGTH) : variant.length;
    const linkage = linkageOf(isa.state, shape.linkage, (name) => this.field(record, name));
    return { offset, record, instruction, length, shape, target: offset + distance, linkage };
  }

  readonly field = (record: number, name: string): number => fieldOf(this.#isa, this.#host.words, record, name);

  /** The handler of a record, of an entered one the original. */
  #handler(record: number): number {
    const { words, handlers } = this.#host;
    const handler = (words[record >>> 2] as number) & 0xffff;
    const region = handler - handlers.count;
    return region < 0 ? handler : (words[(this.#layout.regions + region * REGION_SIZE) >>> 2] as number) & 0xffff;
  }

  /** Number of the first record's word; -1: its page has no records. */
  #firstWord(slot: Slot): number {
    const base = this.#host.pages.recordsOf(slot.page);
    return base === 0 ? -1 : (base + (slot.offset << this.#shift)) >>> 2;
  }

  /** Puts a region in the place of its first record. */
  enter(slot: Slot): void {
    const { words, handlers } = this.#host;
    const word = this.#firstWord(slot);
    const original = this.#handler(word * 4);
    words[(this.#layout.regions + slot.number * REGION_SIZE) >>> 2] = original | (slot.mode << 16);
    words[word] = ((words[word] as number) & ~0xffff) | (handlers.count + slot.number);
  }

  /** Puts the first record back in its place, if the region still has it. */
  restore(slot: Slot): void {
    const { words, handlers } = this.#host;
    const word = this.#firstWord(slot);
    if (word < 0) return;
    const content = words[word] as number;
    if ((content & 0xffff) !== handlers.count + slot.number) return;
    words[word] = (content & ~0xffff) | this.#handler(word * 4);
  }
}
