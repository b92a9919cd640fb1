/** Which steps access memory near others, as far as the registers that they read tell. */
import type { StepUse } from './dead.ts';

/** How many steps are looked at. */
const NEAR = 12;

/** By step of a block: how many of the next ones may access memory by a register that it reads too. */
export const followersOf = (steps: readonly StepUse[]): number[] =>
  steps.map(({ reads, leaves }, i) => (leaves ? steps.slice(i + 1, i + 1 + NEAR).filter((next) => next.leaves && next.reads.some((r) => reads.includes(r))).length : 0));

/** By step: it may access memory by a register that moves by constants, if at all, when the block is repeated. */
export function steadyOf(steps: readonly StepUse[]): boolean[] {
  const others = new Set(steps.flatMap(({ reads, writes, leaves }) => writes.filter((w) => leaves || reads.some((r) => r !== w))));
  return steps.map(({ reads, leaves }) => leaves && reads.some((r) => !others.has(r)));
}
