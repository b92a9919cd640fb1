/** What the engine must be told about an instruction set: data, except for the definitions of the instructions. */
import type { Decoder } from './decode/format.ts';
import type { Emit, FunctionDefinition } from './ir/emitter.ts';
import type { PageWalk } from './tlb/walk.ts';
import type { MemoryOp } from './wasm/opcodes.ts';

/**
 * The decoded records of a page of code. Each unit of code has a place for the record of the instruction that begins there. A record that is longer
 * than that goes on in the places of the next units of the same instruction.
 */
export interface RecordLayout {
  /** Bytes of the longest record. */
  readonly size: number;
  /** Bytes of a place, a power of two. The first two are a handler number in the place where an instruction begins, zeros in those where its record goes on; the rest is the ISA's. */
  readonly place: number;
  /** Offset in a record of an i32 that may hold an address, or a distance from one: what of it is far from zero depends on where the code was put. */
  readonly address?: number;
}

/** Where a field lies in the record (not where a place begins) and how it is read. */
export interface Field {
  readonly offset: number;
  readonly op: MemoryOp & `i32.load${string}`;
}

/** Field of the record (unsigned) that holds the length in bytes of instructions that occur with any length. */
export const LENGTH = 'length';

export interface Instruction {
  readonly name: string;
  readonly emit: Emit;
  /** Encoded lengths in bytes it occurs with; each gets its own handler. `any`: one handler, which finds the length in field {@link LENGTH}. */
  readonly lengths: readonly number[] | 'any';
  /**
   * Of `any`: lengths it mostly has, the most frequent one last. Each gets a number of its own, and all of them one handler, which then knows
   * without reading the record where the next one is: processors follow branches they expect, but wait for what they read.
   */
  readonly usual?: readonly number[];
  /** Uses `branch` or `jump`: gets a second handler for targets inside the same page, which skips the look-up. */
  readonly direct?: boolean;
  /** Compiled as a function of its own, to keep the interpreter loop small. */
  readonly outline?: boolean;
  /** Never translated, since it may fault behind its first effect: tier 0 stores every effect at once. */
  readonly interpreted?: boolean;
}

/** Byte offsets in the state block of what the engine itself reads and writes. */
export interface StateLayout {
  /** i64: the pc, valid whenever JavaScript is running. */
  readonly pc: number;
  /** i32: steps left before the interpreter leaves. */
  readonly budget: number;
  /** i32: which of the {@link MMU_MODES} sets of TLB tables data accesses use. */
  readonly mmuIdx: number;
  /** i32 below 16: tag that keeps fetch translations of different modes apart. */
  readonly fetchIdx: number;
  /**
   * i32, nonzero while addresses that are not aligned, or what they point to, must be asked about every time. With or without it, pages
   * where they must be asked about always are not to be cached at all.
   */
  readonly aligned?: number;
  /** The register that reads as zero. */
  readonly zero?: number;
  /** Where writes to it land. */
  readonly sink?: number;
  /** Registers that hold return addresses, where an instruction can link through any. */
  readonly links?: readonly number[];
  /**
   * i64 words beside the registers that many instructions read and write, such as condition flags: translated code keeps them in
   * locals. Definitions use them whole, with `i64.load` and `i64.store`, and not in functions.
   */
  readonly pinned?: readonly number[];
  /** Registers that mostly hold double-precision numbers: from this offset to before that one. */
  readonly doubles?: readonly [number, number];
}

/** A word of the state block that only services change and that nearly always holds the same value. */
export interface Assumption {
  /** Byte offset in the state block of an i32. */
  readonly offset: number;
  /** Absent: what it is where code becomes hot. */
  readonly value?: number;
}

/** Sets of data TLB tables: `mmuIdx` is below this. */
export const MMU_MODES = 4;

export interface Isa {
  readonly name: string;
  /** Bytes of code per record: the instruction alignment. */
  readonly unit: 1 | 2 | 4;
  readonly records: RecordLayout;
  /** Records a page may need behind its last one: an instruction that begins in the page's last unit ends there. */
  readonly maxLength: number;
  readonly fields: Readonly<Record<string, Field>>;
  readonly state: StateLayout;
  /** What translated code takes for granted after one test where it is entered. */
  readonly assumptions?: readonly Assumption[];
  readonly instructions: readonly Instruction[];
  /**
   * Outlined instructions, all of one length or all of any, are called through a table, by one handler in common: with thousands of them, that halves the loop
   * which V8 has to optimize, for about a nanosecond of each.
   */
  readonly manyOutlined?: boolean;
  /** Steps that tier 0 takes from a place on before it is translated, where one processor runs; fewer where a step takes it longer. Default: 150,000. */
  readonly threshold?: number;
  readonly functions: Readonly<Record<string, FunctionDefinition>>;
  /** Finds translations in page tables. Absent: JavaScript does. */
  readonly walk?: PageWalk;
  /** Decodes in generated code. Absent: JavaScript does. */
  readonly decoder?: Decoder;
  /** A processor's own stores are seen by its next instructions. Absent: behind a fence only. */
  readonly coherentFetch?: true;
  /** Names of the JavaScript helpers that `service` may call. */
  readonly services: readonly string[];
}
