/**
 * Which registers a region holds in locals, which of them must be loaded where it is entered, and which may differ from the
 * state block at the beginning of each block.
 *
 * Leaving a region writes back what may have been written on any way there, so it counts as a use of those registers.
 */
import type { Isa } from '../isa.ts';
import type { Block, Step } from './discover.ts';

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
  /** Registers to be loaded at the entry. */
  readonly liveIn: readonly number[];
  /** By block: registers that may have been written before it. */
  readonly dirty: readonly Uint8Array[];
  writes(step: Step): readonly number[];
}

/**
 * @param successors - by block, within the region.
 * @param checks - by block: the region may be left at its beginning.
 */
export function planRegisters(isa: Isa, field: ReadField, blocks: readonly Block[], successors: readonly (readonly number[])[], checks: (block: number) => boolean): RegisterPlan {
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
  const readBy = (step: Step): number[] => operands(step, step.shape.reads, step.shape.pinnedReads);
  const writtenBy = (step: Step): number[] => operands(step, step.shape.writes, step.shape.pinnedWrites);
  const uses = blocks.map((block) => block.steps.map((step) => ({ reads: readBy(step), writes: writtenBy(step), leaves: step.shape.leaves })));
  const count = offsets.length;
  const fresh = (): Uint8Array[] => blocks.map(() => new Uint8Array(count));

  const written = fresh();
  const exposed = fresh();
  uses.forEach((steps, b) => {
    const w = written[b] as Uint8Array;
    const x = exposed[b] as Uint8Array;
    for (const { reads, writes } of steps) {
      for (const r of reads) if (w[r] === 0) x[r] = 1;
      for (const r of writes) w[r] = 1;
    }
  });

  const dirty = fresh();
  for (let changed = true; changed; ) {
    changed = false;
    blocks.forEach((_, b) => {
      for (const to of successors[b] as readonly number[]) {
        const target = dirty[to] as Uint8Array;
        for (let r = 0; r < count; r++) {
          if (target[r] === 0 && ((dirty[b] as Uint8Array)[r] === 1 || (written[b] as Uint8Array)[r] === 1)) {
            target[r] = 1;
            changed = true;
          }
        }
      }
    });
  }

  const live = fresh();
  for (let changed = true; changed; ) {
    changed = false;
    for (let b = blocks.length - 1; b >= 0; b--) {
      const inside = successors[b] as readonly number[];
      const block = blocks[b] as Block;
      const leaves = checks(b) || inside.length < Math.max(1, block.targets.length) || (uses[b] as { readonly leaves: boolean }[]).some((use) => use.leaves);
      const into = live[b] as Uint8Array;
      for (let r = 0; r < count; r++) {
        if (into[r] === 1) continue;
        const through = (written[b] as Uint8Array)[r] === 0 && inside.some((to) => (live[to] as Uint8Array)[r] === 1);
        if ((exposed[b] as Uint8Array)[r] === 1 || through || (leaves && (dirty[b] as Uint8Array)[r] === 1)) {
          into[r] = 1;
          changed = true;
        }
      }
    }
  }
  const first = live[0] as Uint8Array;
  return {
    offsets,
    numbers,
    liveIn: offsets.map((_, r) => r).filter((r) => first[r] === 1),
    dirty,
    writes: writtenBy,
  };
}
