/** Adds to what generated code decodes by, see `format.ts`. */
import { PAGE_SIZE, recordShift } from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import type { Isa } from '../isa.ts';
import { KEPT_MULTIPLIER, Kept, PLAN, decoderSize, rootOf } from './format.ts';
import type { Decoder } from './format.ts';

/** An instruction that a list of candidates is for. */
export interface CandidateEntry {
  readonly mask: number;
  readonly match: number;
  readonly plan: number;
}

/** Adds to the tables of one processor. Places are offsets in linear memory, of which `words` is a view. */
export class DecodeTables {
  readonly #kept: number;
  readonly #keptBits: number;
  readonly #recordShift: number;
  /** The first table of the tree. */
  readonly root: number;
  readonly #end: number;
  #next: number;

  constructor(isa: Pick<Isa, 'unit' | 'records'> & { readonly decoder: Decoder }, { decoder }: Pick<Layout, 'decoder'>) {
    this.#kept = decoder;
    this.#keptBits = isa.decoder.keptBits;
    this.#recordShift = recordShift(isa);
    this.root = rootOf(decoder, isa.decoder);
    this.#next = this.root;
    this.#end = decoder + decoderSize(isa.decoder);
  }

  /** Bytes that nothing was put into yet. */
  get free(): number {
    return this.#end - this.#next;
  }

  /** @returns the place of the numbers, 0 if there is no room */
  append(words: Int32Array, numbers: readonly number[]): number {
    const at = this.#next;
    if (at + 4 * numbers.length > this.#end) return 0;
    this.#next += 4 * numbers.length;
    words.set(numbers, at >>> 2);
    return at;
  }

  /** Adds a table without children. */
  node(words: Int32Array, shift: number, bits: number): number {
    return this.append(words, [shift, bits, ...new Array<number>(bits + 1).fill(0)]);
  }

  /** Adds a list of candidates, the last of which must fit. @returns what stands for it in a table */
  list(words: Int32Array, candidates: readonly CandidateEntry[]): number {
    return -this.append(words, candidates.flatMap(({ mask, match, plan }) => [mask, match, plan]));
  }

  #keptOf(word: number): number {
    return (this.#kept + (Math.imul(word, KEPT_MULTIPLIER) >>> (32 - this.#keptBits)) * Kept.size) >>> 2;
  }

  /** Keeps the record of an instruction, of a direct jump as if its target were far, with what of {@link PLAN} holds for it. */
  keep(words: Int32Array, word: number, flags: number, first: number, second: number, third: number, fourth: number): void {
    const kept = this.#keptOf(word);
    words[kept] = word;
    words[kept + Kept.flags / 4] = flags | PLAN.valid;
    const at = kept + Kept.record / 4;
    words[at] = first;
    words[at + 1] = second;
    words[at + 2] = third;
    words[at + 3] = fourth;
  }

  /** Writes the record of an instruction that lies at an offset in its page. @returns its flags, 0 if nothing is kept of it */
  write(words: Int32Array, word: number, record: number, offset: number): number {
    const kept = this.#keptOf(word);
    const flags = words[kept + Kept.flags / 4] as number;
    if (flags === 0 || words[kept] !== word) return 0;
    const from = kept + Kept.record / 4;
    const to = record >>> 2;
    const distance = words[from + 2] as number;
    const isNear = (flags & PLAN.direct) !== 0 && offset + distance >= 0 && offset + distance < PAGE_SIZE;
    words[to] = (words[from] as number) + (isNear ? (distance <= 0 ? 2 : 1) : 0);
    words[to + 1] = words[from + 1] as number;
    words[to + 2] = isNear ? distance << this.#recordShift : distance;
    words[to + 3] = words[from + 3] as number;
    return flags;
  }
}
