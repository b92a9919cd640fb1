/**
 * How translated code holds vector registers. Those written in loops are in locals like other registers, and written back where the region is
 * left. Others are stored as soon as they are written, which takes fewer instructions than writing them back at every way out; those that are
 * used only once are not held at all.
 */
import { VECTOR_SIZE } from '../ir/lanes.ts';
import type { Step } from './discover.ts';
import type { Place } from './place.ts';
import type { ReadField } from './registers.ts';

/** How a vector register is held: stored where the region is left, or as soon as it is written. */
export type HeldVector = 'vector' | 'storedVector';

/** Vector registers of a step by their offsets. */
export interface VectorUse {
  readonly reads: readonly number[];
  readonly writes: readonly number[];
  readonly spilled: readonly number[];
  readonly reloaded: readonly number[];
}
const NO_VECTORS: VectorUse = { reads: [], writes: [], spilled: [], reloaded: [] };

/** Offset of the register that a place is in. */
export const registerAt = (place: number): number => place & -VECTOR_SIZE;

/** Vector registers that an instruction uses. */
export function vectorUse(field: ReadField, { record, shape }: Step): VectorUse {
  const { vectorReads, vectorWrites, spilled, reloaded } = shape;
  if (vectorReads.length + vectorWrites.length + spilled.length + reloaded.length === 0) return NO_VECTORS;
  const offsets = (places: readonly Place[]): number[] => places.map((place) => registerAt(place((name) => field(record, name))));
  return { reads: offsets(vectorReads), writes: offsets(vectorWrites), spilled: offsets(spilled), reloaded: offsets(reloaded) };
}

/** How each vector register of a region is held, by offset; none that are not. @param loops - blocks that are executed again. */
export function holdVectors(uses: readonly (readonly VectorUse[])[], order: readonly number[], loops: ReadonlySet<number>): ReadonlyMap<number, HeldVector> {
  const held = new Map<number, HeldVector>();
  if (!uses.some((steps) => steps.some((use) => use !== NO_VECTORS))) return held;
  const times = new Map<number, number>();
  for (const b of order) {
    for (const { reads, writes } of uses[b] as readonly VectorUse[]) {
      for (const r of [...reads, ...writes]) times.set(r, (times.get(r) ?? 0) + (loops.has(b) ? 2 : 1));
    }
  }
  for (const b of order) {
    for (const { writes } of uses[b] as readonly VectorUse[]) {
      for (const r of writes) {
        if (loops.has(b)) held.set(r, 'vector');
        else if ((times.get(r) as number) > 1 && !held.has(r)) held.set(r, 'storedVector');
      }
    }
  }
  for (const [r, count] of times) if (count > 1 && !held.has(r)) held.set(r, 'storedVector');
  return held;
}
