/**
 * Data flow over the blocks of a region, by sets of registers of a byte each: which may have been written before a block, and which are read behind
 * its beginning before they are written. What is executed for each pair of sets is a function of its own, which is optimized once; in one with the
 * loops around it, compilers optimize every loop anew while it is running.
 */

/** By block: a byte for each register, 0 or 1. */
export type Sets = readonly Uint8Array[];

/** Whether anything of two sets was not in a third one yet, which has it then. */
function add(target: Uint8Array, a: Uint8Array, b: Uint8Array): boolean {
  let more = 0;
  for (let r = 0; r < target.length; r++) {
    const all = (target[r] as number) | (a[r] as number) | (b[r] as number);
    more |= all ^ (target[r] as number);
    target[r] = all;
  }
  return more !== 0;
}

/** The same of what is in one set and not in the other. */
export function addWithout(target: Uint8Array, set: Uint8Array, other: Uint8Array): boolean {
  let more = 0;
  for (let r = 0; r < target.length; r++) {
    const all = (target[r] as number) | ((set[r] as number) & ~(other[r] as number));
    more |= all ^ (target[r] as number);
    target[r] = all;
  }
  return more !== 0;
}

/** Registers that may have been written before each block, from those that each writes. */
export function writtenBefore(written: Sets, successors: readonly (readonly number[])[]): Uint8Array[] {
  const before = written.map(({ length }) => new Uint8Array(length));
  for (let changed = true; changed; ) {
    changed = false;
    for (const [b, list] of successors.entries()) {
      for (const to of list) if (add(before[to] as Uint8Array, before[b] as Uint8Array, written[b] as Uint8Array)) changed = true;
    }
  }
  return before;
}

/** Adds to the registers that each block reads before it defines them those that are read behind it. */
export function readBehind(exposed: Sets, defined: Sets, successors: readonly (readonly number[])[]): Sets {
  for (let changed = true; changed; ) {
    changed = false;
    for (let b = exposed.length - 1; b >= 0; b--) {
      for (const to of successors[b] as readonly number[]) if (addWithout(exposed[b] as Uint8Array, exposed[to] as Uint8Array, defined[b] as Uint8Array)) changed = true;
    }
  }
  return exposed;
}
