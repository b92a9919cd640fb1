/**
 * What generated code decodes by, in linear memory: records as they were, a tree of tables that finds an instruction by its bits, and plans that say
 * how its record is written. JavaScript, which can decode everything, adds what it meets, see `tables.ts`.
 */
import type { Block } from '../ir/emitter.ts';
import type { I32 } from '../ir/expr.ts';

/** Where records are kept follows from the upper bits of an instruction times this. */
export const KEPT_MULTIPLIER = 0x9e37_79b1;
/** Byte offsets in such an entry: the instruction, {@link PLAN} flags with {@link PLAN.valid}, the record, of direct jumps as if the target were far. */
export const Kept = { bits: 0, flags: 4, record: 8, size: 24 } as const;

/** Byte offsets in a table of the tree: how far the instruction is shifted and which bits then choose among the children: tables, or minus lists of candidates. */
export const Node = { shift: 0, bits: 4, children: 8 } as const;

/** Byte offsets in a candidate: bits that are fixed and their values, and the plan, 0 if JavaScript must be asked. The last one of a list fits. */
export const Candidate = { mask: 0, match: 4, plan: 8, size: 12 } as const;

/**
 * A plan: flags with the number of steps above them, then the record to which the steps add, its handler being the one for far targets. `bits`:
 * the last word is the instruction. `direct`: a jump or branch by as many bytes as the third word says. `ends`: execution does not go on behind it.
 */
export const PLAN = { bits: 1, direct: 2, ends: 4, valid: 8, countShift: 4, record: 4, steps: 20 } as const;
/** Of a plan: what is behind the instruction is decoded when it is executed. */
export const BLOCK_ENDS: number = PLAN.direct | PLAN.ends;

/**
 * A step: which word it adds to (`target`, as an offset in bytes), and what: a field, taken out by a shift to the left and then (eight bits further up) to the
 * right, times a number, or one of the `values` at a place. `times`: that is multiplied by one of other values, by another field. `computed`: what
 * {@link Decoder.compute} says instead.
 */
export const STEP = { target: 12, signed: 16, values: 32, times: 64, computed: 128, field: 4, number: 8, byField: 12, byValues: 16, size: 20 } as const;

/** What an instruction set adds to it. Its records fill one place each, with 16 bytes. Its `Machine.decode` adds to the {@link DecodeTables} of the processor. */
export interface Decoder {
  /** log2 of the number of records that are kept. */
  readonly keptBits: number;
  /** Whether what begins with a word is an instruction of two bytes. Absent: all have four. */
  readonly isShort?: (word: I32) => I32;
  /** Absent: nothing but records is kept. */
  readonly plans?: {
    /** What tables, lists and plans may take. */
    readonly bytes: number;
    /** Defines what steps add that a field and a factor do not tell, from an instruction and the number that the step has. */
    readonly compute: (b: Block, word: I32, number: I32) => I32;
  };
}

/** Where the first table of the tree is. */
export const rootOf = (decoder: number, { keptBits }: Decoder): number => decoder + 2 ** keptBits * Kept.size;

/** Bytes for all of it. */
export const decoderSize = (decoder: Decoder): number => rootOf(0, decoder) + (decoder.plans?.bytes ?? 0);
