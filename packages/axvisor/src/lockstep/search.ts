/** Runs two sides next to each other and finds the first instruction after which they differ. */
import { differences, type Difference, type MachineState, type Side } from './state.ts';

export interface SearchOptions {
  /** Starts both sides anew. */
  readonly start: () => readonly [Side, Side];
  /** Instructions between two comparisons. */
  readonly interval: bigint;
  /** Where to stop if nothing differs. */
  readonly limit?: bigint | undefined;
  readonly note?: (line: string) => void;
}

/** What came of it. */
export interface SearchResult {
  /** Instructions that both sides agreed on. */
  readonly agreed: bigint;
  /** The divergence; absent if both came to the same end, or to the limit. */
  readonly divergence?: {
    readonly names: readonly [string, string];
    /** The last state in which they agreed; its next instruction made the difference. */
    readonly before: MachineState;
    readonly after: readonly [MachineState, MachineState];
    readonly differences: readonly Difference[];
  };
}

/** Parts that an interval with a difference is divided in, each time around. Sides only run forward, so fewer parts mean more starts. */
const PARTS = 64n;

/** No run retires so many. */
const FOREVER = 1n << 64n;

/** A stretch of instructions; the sides agree at its start and not at its end. */
interface Stretch {
  readonly before: MachineState;
  readonly after: readonly [MachineState, MachineState];
}

/** Compares every `step` instructions from `from` to `to`. */
async function scan(start: SearchOptions['start'], from: bigint, to: bigint | undefined, step: bigint, note: (at: bigint) => void): Promise<{ readonly names: readonly [string, string]; readonly agreed: MachineState; readonly stretch?: Stretch }> {
  const sides = start();
  const names = [sides[0].name, sides[1].name] as const;
  try {
    const both = (count: bigint): Promise<[MachineState, MachineState]> => Promise.all([sides[0].run({ to: count }), sides[1].run({ to: count })]);
    let at = from;
    let [before, other] = await both(at);
    if (differences(before, other).length > 0) return { names, agreed: before, stretch: { before, after: [before, other] } };
    const end = to ?? FOREVER;
    while (!before.ended && at < end) {
      at = at + step > end ? end : at + step;
      const after = await both(at);
      if (differences(...after).length > 0) return { names, agreed: before, stretch: { before, after } };
      [before, other] = after;
      if (!before.ended) note(at);
    }
    return { names, agreed: before };
  } finally {
    await Promise.all(sides.map((side) => side.close()));
  }
}

export async function search({ start, interval, limit, note }: SearchOptions): Promise<SearchResult> {
  const say = note ?? ((): void => {});
  const first = await scan(start, 0n, limit, interval, (at) => say(`${at} instructions agree`));
  let { stretch } = first;
  if (stretch === undefined) return { agreed: first.agreed.instructions };
  let step = interval;
  while (step > 1n) {
    const from = stretch.before.instructions;
    // Where a side ended early it retired less than was asked for.
    const to: bigint = from + step;
    step = (step + PARTS - 1n) / PARTS;
    say(`they differ between ${from} and ${to}`);
    const { stretch: narrower } = await scan(start, from, to, step, () => {});
    if (narrower === undefined) throw new Error('the sides differed, and in another run they did not: a side is not deterministic');
    stretch = narrower;
  }
  return {
    agreed: stretch.before.instructions,
    divergence: { names: first.names, before: stretch.before, after: stretch.after, differences: differences(...stretch.after) },
  };
}
