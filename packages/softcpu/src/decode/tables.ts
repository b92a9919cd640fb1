/**
 * What generated code decodes by, in linear memory: a tree of tables that finds an instruction by its bits, plans that say how its record is
 * written, and records as they were for instructions of which there is no plan. JavaScript, which can decode everything, adds what it meets.
 */
import { MAX_REGIONS, type Layout } from '../interp/layout.ts';
import type { Block } from '../ir/emitter.ts';
import type { I32 } from '../ir/expr.ts';

/** Bytes by number of the handler: JavaScript has seen a record with it. */
export const SEEN_SIZE: number = Math.ceil((2 ** 16 - MAX_REGIONS) / 64) * 64;

/** Entries for records that are kept, by a hash of the instruction: {@link Kept}. */
export const KEPT_BITS = 12;
export const KEPT_MULTIPLIER = 0x9e37_79b1;
/** Byte offsets in such an entry: the instruction, {@link PLAN} flags with {@link PLAN.valid}, the record. */
export const Kept = { bits: 0, flags: 4, record: 8, size: 24 } as const;

/** Byte offsets in a table of the tree: how far the instruction is shifted and which bits then choose among the children: tables, or minus lists of candidates. */
export const Node = { shift: 0, bits: 4, children: 8 } as const;

/** Byte offsets in a candidate: bits that are fixed and their values, and the plan, 0 if JavaScript must be asked. The last one of a list fits. */
export const Candidate = { mask: 0, match: 4, plan: 8, size: 12 } as const;

/**
 * A plan: flags with the number of steps above them, then the record to which the steps add, its handler being the one for far targets. `bits`:
 * the last word is the instruction. `direct`: a jump by as many bytes as the third word says. `ends`: execution does not go on behind it.
 */
export const PLAN = { bits: 1, direct: 2, ends: 4, valid: 8, countShift: 4, record: 4, steps: 20 } as const;

/**
 * A step: which word it adds to (`target`, as an offset in bytes), and what: a field, taken out by a shift to the left and then (eight bits further up) to the
 * right, times a number, or one of the `values` at a place. `times`: that is multiplied by one of other values, by another field. `computed`: what
 * {@link Decoder.compute} says instead.
 */
export const STEP = { target: 12, signed: 16, values: 32, times: 64, computed: 128, field: 4, number: 8, byField: 12, byValues: 16, size: 20 } as const;

/** What an instruction set adds to it. All its instructions have `unit` bytes, which are four, and `Machine.decode` adds to the {@link DecodeTables}. */
export interface Decoder {
  /** Bytes of each processor that the tables may take. */
  readonly bytes: number;
  /** Defines what steps add that a field and a factor do not tell, from an instruction and the number that the step has. */
  readonly compute: (b: Block, word: I32, number: I32) => I32;
}

/** An instruction that a list of candidates is for. */
export interface CandidateEntry {
  readonly mask: number;
  readonly match: number;
  readonly plan: number;
}

/** Adds to the tables of one processor. Places are offsets in linear memory, of which `words` is a view. */
export class DecodeTables {
  readonly #kept: number;
  /** The first table of the tree. */
  readonly root: number;
  readonly #end: number;
  #next: number;

  constructor({ decoder, decoderEnd }: Pick<Layout, 'decoder' | 'decoderEnd'>) {
    this.#kept = decoder + SEEN_SIZE;
    this.root = rootOf(decoder);
    this.#next = this.root;
    this.#end = decoderEnd;
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

  /** The entry for an instruction's record, and whether the record is there. */
  kept(word: number): number {
    return this.#kept + (Math.imul(word, KEPT_MULTIPLIER) >>> (32 - KEPT_BITS)) * Kept.size;
  }
}

/** Where the first table of the tree is. */
export const rootOf = (decoder: number): number => decoder + SEEN_SIZE + 2 ** KEPT_BITS * Kept.size;
