/** Sets of registers of a region, by a byte for each: 1 for what is in the set. */

/** How many registers a set has if they are the first ones, else -1. */
export function lengthOf(set: Uint8Array): number {
  let length = 0;
  while (length < set.length && set[length] !== 0) length++;
  for (let r = length + 1; r < set.length; r++) if (set[r] !== 0) return -1;
  return length;
}

/** Tells sets of registers apart. */
export function setKey(set: Uint8Array): string | number {
  const length = lengthOf(set);
  return length < 0 ? set.join('') : length;
}

/** The set with some more registers: itself where it has them. */
export function withAll(set: Uint8Array, registers: readonly number[]): Uint8Array {
  let all = set;
  for (const r of registers) {
    if (all[r] !== 0) continue;
    if (all === set) all = set.slice();
    all[r] = 1;
  }
  return all;
}
