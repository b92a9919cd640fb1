/** Which registers are written in vain: again in the same block, before anything reads them and before the region can be left. */

/** What a step does with registers, by their numbers. */
export interface StepUse {
  /** Also what is written on some ways only. */
  readonly reads: readonly number[];
  readonly writes: readonly number[];
  /** The region may be left before the step has any effect. */
  readonly leaves: boolean;
}

/** By step of a block: registers that nobody reads behind it before they are written; undefined where that is none. */
export function deadBehind(steps: readonly StepUse[]): readonly (readonly number[] | undefined)[] {
  let dead: readonly number[] = [];
  const behind = new Array<readonly number[] | undefined>(steps.length);
  for (let i = steps.length - 1; i >= 0; i--) {
    const { reads, writes, leaves } = steps[i] as StepUse;
    behind[i] = dead.length === 0 ? undefined : dead;
    if (leaves) dead = [];
    else if (dead.length > 0 || writes.length > 0) dead = [...dead.filter((r) => !writes.includes(r)), ...writes].filter((r) => !reads.includes(r));
  }
  return behind;
}
