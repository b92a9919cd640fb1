/**
 * Places that were translated in earlier runs, known by what code is there: by the bytes of an entry and its offset in the page, wherever the page is.
 * To be wrong now and then only has a place translated that is not worth it.
 */
import { PAGE_SIZE } from '../interp/layout.ts';

/** Bytes that an entry is known by, fewer at the end of its page. */
const WINDOW = 16;
const FACTOR = 0x0100_0193;
/** What the first byte of a window counts for. */
const LAST: number = Array.from({ length: WINDOW - 1 }, () => FACTOR).reduce((power, factor) => Math.imul(power, factor), 1);
/** Entries that are looked at; those that were kept last. */
const MAX_ENTRIES = 16_384;
/** log2 of the bits that most places which are none are told by. */
const FILTER_BITS = 18;

/** A sum of bytes at an offset, whose high bits differ most. */
const markOf = (sum: number, offset: number): number => (sum + Math.imul(offset, 0x9e37_79b1)) | 0;

/** What an entry at an offset of the page whose bytes begin at `page` is known by. */
export function entryMark(bytes: Uint8Array, page: number, offset: number): number {
  let sum = 0;
  for (let i = offset; i < offset + WINDOW; i++) sum = (Math.imul(sum, FACTOR) + (i < PAGE_SIZE ? (bytes[page + i] as number) : 0)) | 0;
  return markOf(sum, offset);
}

export class Entries {
  readonly #marks: ReadonlySet<number>;
  readonly #filter = new Uint32Array(2 ** FILTER_BITS / 32);

  /** @param marks - of the places that were translated. */
  constructor(marks: Int32Array) {
    this.#marks = new Set(marks.subarray(-MAX_ENTRIES));
    for (const mark of this.#marks) (this.#filter[mark >>> (37 - FILTER_BITS)] as number) |= 1 << (mark >>> (32 - FILTER_BITS));
  }

  get size(): number {
    return this.#marks.size;
  }

  has(mark: number): boolean {
    return this.#marks.has(mark);
  }

  /** Offsets of such places in the page whose bytes begin at `page`, where instructions begin at multiples of `unit`. */
  in(bytes: Uint8Array, page: number, unit: number): readonly number[] {
    const filter = this.#filter;
    const found: number[] = [];
    let sum = 0;
    for (let i = 0; i < WINDOW; i++) sum = (Math.imul(sum, FACTOR) + (bytes[page + i] as number)) | 0;
    for (let offset = 0; offset < PAGE_SIZE; offset++) {
      if (offset % unit === 0) {
        const mark = markOf(sum, offset);
        if ((((filter[mark >>> (37 - FILTER_BITS)] as number) >>> (mark >>> (32 - FILTER_BITS))) & 1) !== 0 && this.#marks.has(mark)) found.push(offset);
      }
      const next = offset + WINDOW;
      sum = (Math.imul((sum - Math.imul(bytes[page + offset] as number, LAST)) | 0, FACTOR) + (next < PAGE_SIZE ? (bytes[page + next] as number) : 0)) | 0;
    }
    return found;
  }
}
