/** Which steps access memory near others, as far as the registers that they read tell. */
import type { StepUse } from './dead.ts';

/** How many steps are looked at. */
const NEAR = 12;

const shares = (a: readonly number[], b: readonly number[]): boolean => {
  for (const r of a) if (b.includes(r)) return true;
  return false;
};

/** By step of a block: how many of the next ones may access memory by a register that it reads too. */
export const followersOf = (steps: readonly StepUse[]): number[] =>
  steps.map(({ reads, leaves }, i) => {
    if (!leaves) return 0;
    let count = 0;
    for (let j = i + 1; j < steps.length && j <= i + NEAR; j++) {
      const next = steps[j] as StepUse;
      if (next.leaves && shares(next.reads, reads)) count++;
    }
    return count;
  });

/** By step: it may access memory by a register that moves by constants, if at all, when the block is repeated. */
export function steadyOf(steps: readonly StepUse[]): boolean[] {
  const others = new Set<number>();
  for (const { reads, writes, leaves } of steps) {
    for (const w of writes) if (leaves || reads.some((r) => r !== w)) others.add(w);
  }
  return steps.map(({ reads, leaves }) => leaves && reads.some((r) => !others.has(r)));
}
