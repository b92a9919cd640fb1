/**
 * Which registers a region holds in locals, which of them must be loaded where it is entered, and which may differ from the
 * state block at the beginning of each block.
 *
 * Those written in loops are written back where the region is left. Others are stored as soon as they are written: every instruction that cannot
 * be finished would be a place where all of them are needed, and bringing them there costs compilers more than the stores cost execution.
 *
 * Leaving a region writes back what may have been written on any way there, so it counts as a use of those registers. Places where an
 * instruction cannot be finished share the code for that: registers are numbered in the order in which they are first written, so
 * that those to be written back mostly are the first ones, some more at one place than at another.
 */
import type { Isa } from '../isa.ts';
import type { Block, Step } from './discover.ts';
import { deadBehind } from './dead.ts';
import { addWithout, readBehind, writtenBefore } from './liveness.ts';
import { repeated } from './flow.ts';
import { followersOf, steadyOf } from './followers.ts';
import { setKey } from './sets.ts';
import { holdVectors, vectorUse } from './vectors.ts';
import type { HeldVector, VectorUse } from './vectors.ts';

/** Reads a field of a record. */
export type ReadField = (record: number, field: string) => number;

/** How a register is held: words and vectors are stored where the region is left, others as soon as they are written. */
export type Held = 'word' | 'storedWord' | HeldVector;

export const isVector = (held: Held): boolean => held === 'vector' || held === 'storedVector';

export interface RegisterPlan {
  /** State-block offset by register number. */
  readonly offsets: readonly number[];
  /** Register number by state-block offset. */
  readonly numbers: ReadonlyMap<number, number>;
  readonly held: readonly Held[];
  /** Registers to be loaded at the entry. */
  readonly liveIn: readonly number[];
  /** By block: registers that may have been written before it. */
  readonly dirty: readonly Uint8Array[];
  /** What is written back where instructions are not finished: the different sets. */
  readonly exits: ReadonlyMap<string | number, Uint8Array>;
  /** By block and step: registers that nobody reads before they are written again. */
  readonly dead: readonly (readonly (readonly number[] | undefined)[])[];
  /** By block and step: how many of the next ones may access memory by a register that it reads too. */
  readonly followers: readonly (readonly number[])[];
  /** By block and step: it may access memory by a register that moves by constants, if at all, when the block is repeated. */
  readonly steady: readonly (readonly boolean[])[];
  /** By block and step: registers that differ from the state block after it. */
  readonly differing: readonly (readonly (readonly number[])[])[];
}

/**
 * @param order - blocks as they are emitted, perhaps without some that are not.
 * @param successors - by block, within the region.
 * @param checks - by block: the region may be left at its beginning. True of the first one, and of those that several ways lead to.
 */
export function planRegisters(isa: Isa, field: ReadField, blocks: readonly Block[], order: readonly number[], successors: readonly (readonly number[])[], checks: (block: number) => boolean): RegisterPlan {
  const { zero, sink } = isa.state;
  const numbers = new Map<number, number>();
  const offsets: number[] = [];
  const number = (offset: number): number => {
    let n = numbers.get(offset);
    if (n === undefined) {
      n = offsets.push(offset) - 1;
      numbers.set(offset, n);
    }
    return n;
  };
  const operands = (record: number, fields: readonly string[], pinned: readonly number[]): number[] => {
    const list: number[] = [];
    for (const name of fields) {
      const offset = field(record, name);
      if (offset !== zero && offset !== sink) list.push(offset);
    }
    list.push(...pinned);
    return list;
  };
  const wordsWritten = blocks.map(({ steps }) => steps.map(({ record, shape }) => operands(record, shape.writes, shape.pinnedWrites)));
  const loops = repeated(order, successors);
  const late = new Set<number>();
  for (const b of loops) for (const words of wordsWritten[b] as number[][]) for (const offset of words) late.add(offset);
  const vectors = blocks.map(({ steps }) => steps.map((step) => vectorUse(field, step)));
  const held = holdVectors(vectors, order, loops);
  const addVectors = (list: number[], registers: readonly number[], how: HeldVector | 'any'): void => {
    for (const r of registers) {
      const own = held.get(r);
      if (own !== undefined && (how === 'any' || own === how)) list.push(number(r));
    }
  };
  const useOf = (block: number, step: number): VectorUse => (vectors[block] as VectorUse[])[step] as VectorUse;
  const readBy = ({ record, shape }: Step, use: VectorUse): number[] => {
    const list = operands(record, shape.reads, shape.pinnedReads).map(number);
    addVectors(list, use.reads, 'any');
    addVectors(list, use.spilled, 'vector');
    return list;
  };
  const writtenBy = (words: readonly number[], use: VectorUse): number[] => {
    const list = words.map(number);
    addVectors(list, use.writes, 'any');
    addVectors(list, use.reloaded, 'any');
    return list;
  };
  /** Registers that the step leaves otherwise than the state block has them. */
  const differingBehind = (words: readonly number[], use: VectorUse): number[] => {
    const list: number[] = [];
    for (const offset of words) if (late.has(offset)) list.push(number(offset));
    addVectors(list, use.writes, 'vector');
    return list;
  };
  const differingIn = (b: number): number[][] => (wordsWritten[b] as number[][]).map((words, i) => differingBehind(words, useOf(b, i)));
  const differingBy: number[][][] = [];
  for (const b of order) differingBy[b] = differingIn(b);
  const uses = blocks.map(({ steps }, b) => {
    const differing = differingBy[b] ?? differingIn(b);
    return steps.map((step, i) => {
      const use = useOf(b, i);
      const writes = writtenBy((wordsWritten[b] as number[][])[i] as number[], use);
      return { reads: readBy(step, use), writes, differing: differing[i] as number[], leaves: step.shape.leaves };
    });
  });
  const count = offsets.length;
  const fresh = (): Uint8Array[] => blocks.map(() => new Uint8Array(count));

  /** Registers that may differ from the state block then. */
  const written = fresh();
  const defined = fresh();
  uses.forEach((steps, b) => {
    for (const { writes, differing } of steps) {
      for (const r of differing) (written[b] as Uint8Array)[r] = 1;
      for (const r of writes) (defined[b] as Uint8Array)[r] = 1;
    }
  });

  const dirty = writtenBefore(written, successors);
  const exposed = fresh();
  const exits = new Map<string | number, Uint8Array>();
  const unwritten = new Uint8Array(count);
  exits.set(setKey(unwritten), unwritten);
  uses.forEach((steps, b) => {
    const x = exposed[b] as Uint8Array;
    const w = new Uint8Array(count);
    const differ = (dirty[b] as Uint8Array).slice();
    let isNew = true;
    // What is written within the block is not loaded for the sake of exits, so the first one settles that.
    let isFirst = true;
    const leave = (): void => {
      isNew = false;
      const key = setKey(differ);
      if (!exits.has(key)) exits.set(key, differ.slice());
      if (isFirst) addWithout(x, differ, w);
      isFirst = false;
    };
    if (checks(b)) leave();
    for (const { reads, writes, differing, leaves } of steps) {
      if (leaves && isNew) leave();
      for (const r of reads) if (w[r] === 0) x[r] = 1;
      for (const r of writes) w[r] = 1;
      for (const r of differing) {
        if (differ[r] === 0) isNew = true;
        differ[r] = 1;
      }
    }
  });

  // Wherever else it is left, for other regions or another page: behind the last check only what is written on the one way from there was added to what differs.
  const live = readBehind(exposed, defined, successors);
  const first = live[0] as Uint8Array;
  return {
    offsets,
    numbers,
    held: offsets.map((offset) => held.get(offset) ?? (late.has(offset) ? 'word' : 'storedWord')),
    liveIn: offsets.map((_, r) => r).filter((r) => first[r] === 1),
    dirty,
    exits,
    dead: uses.map(deadBehind),
    followers: uses.map(followersOf),
    steady: uses.map(steadyOf),
    differing: uses.map((steps) => steps.map(({ differing }) => differing)),
  };
}
