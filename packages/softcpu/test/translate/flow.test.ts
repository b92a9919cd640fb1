/** Flow graphs of regions against their definitions. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { analyzeFlow, cutsOf, repeated } from '../../src/translate/flow.ts';

/** A random graph of blocks with at most two successors, all reachable from block 0. */
const graphs = fc.integer({ min: 1, max: 14 }).chain((count) =>
  fc.array(fc.array(fc.nat(count - 1), { maxLength: 2 }), { minLength: count, maxLength: count }).map((successors) => {
    // Whatever is not reachable is entered from the block before.
    const seen = new Set<number>();
    const visit = (block: number): void => {
      if (seen.has(block)) return;
      seen.add(block);
      for (const to of successors[block] as number[]) visit(to);
    };
    visit(0);
    for (let block = 1; block < count; block++) {
      if (seen.has(block)) continue;
      (successors[block - 1] as number[]).push(block);
      visit(block);
    }
    return successors;
  }),
);

/** Blocks that can be reached from the entry without passing `without`. */
function reachable(successors: readonly (readonly number[])[], without: number): Set<number> {
  const seen = new Set<number>();
  const visit = (block: number): void => {
    if (block === without || seen.has(block)) return;
    seen.add(block);
    for (const to of successors[block] as readonly number[]) visit(to);
  };
  visit(0);
  return seen;
}

test('order, dominators, loops and cut edges', () => {
  fc.assert(
    fc.property(graphs, (successors) => {
      const flow = analyzeFlow(successors);
      const count = successors.length;
      expect([...flow.order].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
      const dominates = (a: number, b: number): boolean => a === b || !reachable(successors, a).has(b);
      for (let block = 1; block < count; block++) {
        const idom = flow.idom[block] as number;
        expect(idom !== block && dominates(idom, block)).toBe(true);
        for (let other = 0; other < count; other++) if (other !== block && dominates(other, block)) expect(dominates(other, idom)).toBe(true);
      }
      const isCut = cutsOf(successors);
      successors.forEach((list, from) => {
        for (const to of list) {
          const backward = (flow.rank[to] as number) <= (flow.rank[from] as number);
          expect(flow.isCut(from, to)).toBe(backward && !dominates(to, from));
          expect(isCut(from, to)).toBe(flow.isCut(from, to));
          if (backward && dominates(to, from)) expect(flow.isHeader[to]).toBe(true);
        }
      });
    }),
  );
});

test('blocks that are executed again', () => {
  fc.assert(
    fc.property(graphs, (successors) => {
      const { order, isCut } = analyzeFlow(successors);
      const inside = successors.map((list, from) => list.filter((to) => !isCut(from, to)));
      const again = repeated(order, inside);
      inside.forEach((list, block) => {
        const behind = new Set<number>();
        const visit = (to: number): void => {
          if (behind.has(to)) return;
          behind.add(to);
          (inside[to] as number[]).forEach(visit);
        };
        list.forEach(visit);
        if (behind.has(block)) expect(again.has(block)).toBe(true);
      });
    }),
  );
  expect(repeated([0, 1, 2], [[1, 2], [2], []]).size).toBe(0);
});
