/**
 * Shape of a region's flow graph: reverse postorder, dominators (Cooper, Harvey and Kennedy, "A Simple, Fast Dominance
 * Algorithm"), loop headers, merge points, and the edges that no structured code has.
 */

export interface Flow {
  /** Blocks in reverse postorder. */
  readonly order: readonly number[];
  /** Position in {@link order} by block. */
  readonly rank: readonly number[];
  /** Merge points that a block dominates immediately, the last in reverse postorder first. */
  readonly merges: readonly (readonly number[])[];
  readonly isMerge: readonly boolean[];
  readonly isHeader: readonly boolean[];
  /** Edges from below into each header. */
  readonly backEdges: readonly number[];
  /** Immediate dominators. */
  readonly idom: readonly number[];
  /** Makes a block a merge point of a dominator. */
  join(block: number, dominator: number): void;
  /** An edge against the order into a block that does not dominate its source: it leaves the region instead. */
  isCut(from: number, to: number): boolean;
}

function reversePostorder(successors: readonly (readonly number[])[]): number[] {
  const order: number[] = [];
  const seen = new Uint8Array(successors.length);
  /** By block: its successors that were gone to. */
  const gone = new Int32Array(successors.length);
  const stack = [0];
  seen[0] = 1;
  while (stack.length > 0) {
    const block = stack.at(-1) as number;
    const list = successors[block] as readonly number[];
    const next = gone[block] as number;
    if (next === list.length) {
      order.push(block);
      stack.pop();
      continue;
    }
    gone[block] = next + 1;
    const to = list[next] as number;
    if (seen[to] !== 0) continue;
    seen[to] = 1;
    stack.push(to);
  }
  return order.reverse();
}

/** Immediate dominators by block; the entry's is itself. */
function dominators(order: readonly number[], rank: readonly number[], predecessors: readonly (readonly number[])[]): number[] {
  // In terms of ranks until the end: a dominator has a lower one.
  const idom = new Int32Array(order.length).fill(-1);
  idom[0] = 0;
  for (let changed = true; changed; ) {
    changed = false;
    for (let i = 1; i < order.length; i++) {
      let dominator = -1;
      for (const p of predecessors[order[i] as number] as readonly number[]) {
        let other = rank[p] as number;
        if (idom[other] === -1) continue;
        if (dominator === -1) {
          dominator = other;
          continue;
        }
        while (dominator !== other) {
          while (dominator > other) dominator = idom[dominator] as number;
          while (other > dominator) other = idom[other] as number;
        }
      }
      if (idom[i] !== dominator) {
        idom[i] = dominator;
        changed = true;
      }
    }
  }
  return rank.map((r) => order[idom[r] as number] as number);
}

function rankOf(order: readonly number[]): number[] {
  const rank = new Array<number>(order.length).fill(0);
  for (let i = 0; i < order.length; i++) rank[order[i] as number] = i;
  return rank;
}

function predecessorsOf(successors: readonly (readonly number[])[]): number[][] {
  const predecessors: number[][] = [];
  for (let block = 0; block < successors.length; block++) predecessors.push([]);
  for (let from = 0; from < successors.length; from++) {
    for (const to of successors[from] as readonly number[]) (predecessors[to] as number[]).push(from);
  }
  return predecessors;
}

function dominates(idom: readonly number[], rank: readonly number[], a: number, b: number): boolean {
  let x = b;
  while ((rank[x] as number) > (rank[a] as number)) x = idom[x] as number;
  return x === a;
}

/** Whether an edge leads back to a block other than the entry, which dominates all. */
const hasInnerLoop = (successors: readonly (readonly number[])[], rank: readonly number[]): boolean =>
  successors.some((list, from) => list.some((to) => to !== 0 && (rank[to] as number) <= (rank[from] as number)));

/** {@link Flow.isCut} alone. Most graphs have nothing to cut, as their order says already. */
export function cutsOf(successors: readonly (readonly number[])[]): Flow['isCut'] {
  const order = reversePostorder(successors);
  const rank = rankOf(order);
  if (!hasInnerLoop(successors, rank)) return () => false;
  const idom = dominators(order, rank, predecessorsOf(successors));
  return (from, to) => (rank[to] as number) <= (rank[from] as number) && !dominates(idom, rank, to, from);
}

/** @param successors - by block, all reachable from block 0. */
export function analyzeFlow(successors: readonly (readonly number[])[]): Flow {
  const count = successors.length;
  const order = reversePostorder(successors);
  const rank = rankOf(order);
  const predecessors = predecessorsOf(successors);
  const idom = dominators(order, rank, predecessors);
  const isBackward = (from: number, to: number): boolean => (rank[to] as number) <= (rank[from] as number);
  const isCut = (from: number, to: number): boolean => isBackward(from, to) && !dominates(idom, rank, to, from);
  const backEdges = predecessors.map((list, block) => list.filter((p) => isBackward(p, block) && !isCut(p, block)).length);
  const isHeader = backEdges.map((edges) => edges > 0);
  const isMerge = new Array<boolean>(count).fill(false);
  const merges: number[][] = Array.from({ length: count }, () => []);
  for (let i = count - 1; i >= 0; i--) {
    const block = order[i] as number;
    const forward = (predecessors[block] as number[]).filter((p) => !isBackward(p, block));
    isMerge[block] = forward.length > 1;
    if (isMerge[block]) (merges[idom[block] as number] as number[]).push(block);
  }
  const join = (block: number, dominator: number): void => {
    if (isMerge[block]) {
      const old = merges[idom[block] as number] as number[];
      old.splice(old.indexOf(block), 1);
    }
    idom[block] = dominator;
    isMerge[block] = true;
    const list = merges[dominator] as number[];
    list.push(block);
    list.sort((a, b) => (rank[b] as number) - (rank[a] as number));
  };
  return { order, rank, merges, isMerge, isHeader, backEdges, isCut, idom, join };
}

/** Blocks that are executed again without leaving the region, and perhaps some among them. */
export function repeated(order: readonly number[], successors: readonly (readonly number[])[]): ReadonlySet<number> {
  const rank = new Map(order.map((block, i) => [block, i]));
  const blocks = new Set<number>();
  order.forEach((block, last) => {
    for (const to of successors[block] as readonly number[]) {
      for (let i = rank.get(to) as number; i <= last; i++) blocks.add(order[i] as number);
    }
  });
  return blocks;
}
