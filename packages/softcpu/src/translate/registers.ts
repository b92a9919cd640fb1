/**
 * Which registers a region holds in locals, which of them must be loaded where it is entered, and which may differ from the
 * state block at the beginning of each block.
 *
 * Leaving a region writes back what may have been written on any way there, so it counts as a use of those registers. Places where an
 * instruction cannot be finished share the code for that: registers are numbered in the order in which they are first written, so
 * that those to be written back mostly are the first ones, some more at one place than at another.
 */
import type { Isa } from '../isa.ts';
import type { Block, Step } from './discover.ts';
import { deadBehind } from './dead.ts';
import { addWithout, readBehind, writtenBefore } from './liveness.ts';
import { followersOf, steadyOf } from './followers.ts';
import { holdVectors, vectorUse } from './vectors.ts';
import type { Held, VectorUse } from './vectors.ts';

/** Reads a field of a record. */
export type ReadField = (record: number, field: string) => number;

/** State-block offsets of registers. */
export interface Operands {
  readonly reads: readonly number[];
  readonly writes: readonly number[];
}

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
  readonly exits: ReadonlyMap<string, Uint8Array>;
  /** By block and step: registers that nobody reads before they are written again. */
  readonly dead: readonly (readonly (ReadonlySet<number> | undefined)[])[];
  /** By block and step: how many of the next ones may access memory by a register that it reads too. */
  readonly followers: readonly (readonly number[])[];
  /** By block and step: it may access memory by a register that moves by constants, if at all, when the block is repeated. */
  readonly steady: readonly (readonly boolean[])[];
  /** Registers that differ from the state block after a step. */
  writes(step: Step): readonly number[];
}

/** How many registers a set has if they are the first ones, else -1. */
export function lengthOf(set: Uint8Array): number {
  const length = set.indexOf(0);
  if (length < 0) return set.length;
  return set.indexOf(1, length) < 0 ? length : -1;
}

/** Tells sets of registers apart. */
export function setKey(set: Uint8Array): string {
  const length = lengthOf(set);
  return length < 0 ? set.join('') : `${length}`;
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
  const operands = (step: Step, fields: readonly string[], pinned: readonly number[]): number[] => [
    ...fields.map((name) => field(step.record, name)).filter((offset) => offset !== zero && offset !== sink).map(number),
    ...pinned.map(number),
  ];
  const vectors = blocks.map(({ steps }) => steps.map((step) => vectorUse(field, step)));
  const held = holdVectors(vectors, order, successors);
  const numbersOf = (registers: readonly number[], how: (held: Held) => boolean): number[] => {
    const list: number[] = [];
    for (const r of registers) {
      const own = held.get(r);
      if (own !== undefined && how(own)) list.push(number(r));
    }
    return list;
  };
  const differing = (own: Held): boolean => own === 'vector';
  const any = (): boolean => true;
  const readBy = (step: Step, use: VectorUse): number[] => [...operands(step, step.shape.reads, step.shape.pinnedReads), ...numbersOf(use.reads, any), ...numbersOf(use.spilled, differing)];
  const writtenBy = (step: Step, use: VectorUse): number[] => [...operands(step, step.shape.writes, step.shape.pinnedWrites), ...numbersOf(use.writes, differing)];
  for (const b of order) (blocks[b] as Block).steps.forEach((step, i) => writtenBy(step, (vectors[b] as VectorUse[])[i] as VectorUse));
  const uses = blocks.map((block, b) => block.steps.map((step, i) => {
    const use = (vectors[b] as VectorUse[])[i] as VectorUse;
    return {
      reads: readBy(step, use),
      writes: writtenBy(step, use),
      /** Registers that the step leaves as the state block has them. */
      equal: [...numbersOf(use.writes, (own) => own === 'stored'), ...numbersOf(use.reloaded, any)],
      leaves: step.shape.leaves,
    };
  }));
  const count = offsets.length;
  const fresh = (): Uint8Array[] => blocks.map(() => new Uint8Array(count));

  const written = fresh();
  /** The same with those that are as the state block has them. */
  const defined = fresh();
  uses.forEach((steps, b) => {
    for (const { writes, equal } of steps) {
      for (const r of writes) (written[b] as Uint8Array)[r] = (defined[b] as Uint8Array)[r] = 1;
      for (const r of equal) (defined[b] as Uint8Array)[r] = 1;
    }
  });

  const dirty = writtenBefore(written, successors);
  const exposed = fresh();
  const exits = new Map<string, Uint8Array>();
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
    for (const { reads, writes, equal, leaves } of steps) {
      if (leaves && isNew) leave();
      for (const r of reads) if (w[r] === 0) x[r] = 1;
      for (const r of equal) w[r] = 1;
      for (const r of writes) {
        w[r] = 1;
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
    held: offsets.map((offset) => held.get(offset) ?? 'word'),
    liveIn: offsets.map((_, r) => r).filter((r) => first[r] === 1),
    dirty,
    exits,
    dead: uses.map(deadBehind),
    followers: uses.map(followersOf),
    steady: uses.map(steadyOf),
    writes: (step) => writtenBy(step, vectorUse(field, step)),
  };
}
