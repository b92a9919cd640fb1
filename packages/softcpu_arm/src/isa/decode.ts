/** The decoder: nested tables over runs of instruction bits, made from the instruction table as far as what is decoded needs them. */
import { insns, isAllocated } from './table.ts';

/** Widest run of bits that one table branches on. */
const MAX_WIDTH = 6;
/** Lists of this length are searched. */
const SHORT = 2;

/** What the encodings are divided by first: op0 and a bit more (Arm ARM, C4.1). */
const OP0 = { shift: 24, width: 5 } as const;

/** By number of the instruction: its bits, and whether there is nothing else to be asked. */
const masks = Int32Array.from(insns, ({ mask }) => mask);
const matches = Int32Array.from(insns, ({ match }) => match);
const isPlain = Uint8Array.from(insns, ({ except }) => (except.length === 0 ? 1 : 0));

/** A table: [shift, mask, child for each value]; a child is the place of another table, or -1 - n for list n of candidates. */
const nodes: number[] = [];
const lists: (readonly number[])[] = [];
/** By number of the list: nobody has tried to make a table of it. */
const isOpen: boolean[] = [];

/** A run of bits, and how many candidates are left in the fullest part. */
interface Run {
  readonly shift: number;
  readonly width: number;
  readonly fullest: number;
}

const counts: Uint16Array = new Uint16Array(1 << MAX_WIDTH);

/** The fullest part that a run of bits leaves; any number from `limit` on if it is that or more. */
function fullestPart(candidates: readonly number[], shift: number, width: number, limit: number): number {
  const bits = (1 << width) - 1;
  counts.fill(0, 0, bits + 1);
  let fullest = 0;
  for (const index of candidates) {
    const fixed = (masks[index]! >>> shift) & bits;
    const value = (matches[index]! >>> shift) & fixed;
    // With all values of the bits that the candidate does not fix.
    for (let free = bits & ~fixed; ; free = (free - 1) & ~fixed & bits) {
      fullest = Math.max(fullest, ++counts[value | free]!);
      if (free === 0) break;
    }
    if (fullest >= limit) break;
  }
  return fullest;
}

/** Of the runs of bits within a mask, the one that leaves the fewest candidates in the fullest part, and among those the narrowest. */
function chooseRun(candidates: readonly number[], within: number): Run {
  let best = { shift: 0, width: 0, fullest: candidates.length };
  for (let width = 1; width <= MAX_WIDTH; width++) {
    for (let shift = 0; shift + width <= 32; shift++) {
      if ((~within >>> shift) & ((1 << width) - 1)) continue;
      const fullest = fullestPart(candidates, shift, width, best.fullest);
      if (fullest < best.fullest) best = { shift, width, fullest };
    }
  }
  return best;
}

/** Adds a list of candidates, or of instructions to be compared with. @returns the child that it is */
function list(candidates: readonly number[]): number {
  isOpen.push(candidates.length > SHORT);
  return -lists.push(candidates);
}

/** Adds a table that divides candidates by a run of bits. @returns its place */
function divide(candidates: readonly number[], shift: number, width: number): number {
  const at = nodes.length;
  const bits = (1 << width) - 1;
  nodes.push(shift, bits, ...Array<number>(1 << width).fill(0));
  for (let value = 0; value <= bits; value++) {
    nodes[at + 2 + value] = list(candidates.filter((index) => (value & (masks[index]! >>> shift) & bits) === ((matches[index]! >>> shift) & bits)));
  }
  return at;
}

/** Makes a table of a list, where that tells its candidates apart. @returns the child in its place */
function split(n: number): number {
  isOpen[n] = false;
  const candidates = lists[n]!;
  // Bits that all of them fix are tried first: that is quick, and mostly enough.
  const all = candidates.reduce((common, index) => common & masks[index]!, -1);
  let run = chooseRun(candidates, all);
  if (run.width === 0) run = chooseRun(candidates, -1);
  return run.width === 0 ? -1 - n : divide(candidates, run.shift, run.width);
}

/** The table that everything begins with. */
export const root: number = divide(insns.map((_, index) => index), OP0.shift, OP0.width);

/** The run of bits that a table branches on: how far they are from the lowest, and as many ones. */
export function runOf(table: number): { readonly shift: number; readonly bits: number } {
  return { shift: nodes[table]!, bits: nodes[table + 1]! };
}

/** The child of a table for a word: another table, or if it is negative what {@link candidates} knows. It stays the same. */
export function childOf(table: number, word: number): number {
  const place = table + 2 + ((word >>> nodes[table]!) & nodes[table + 1]!);
  const child = nodes[place]!;
  return child < 0 && isOpen[-1 - child]! ? (nodes[place] = split(-1 - child)) : child;
}

/** Op numbers of the instructions among which a word has to be looked for, by the child that is no table. */
export function candidates(child: number): readonly number[] {
  return lists[-1 - child]!;
}

/**
 * Finds the instruction that a word is.
 *
 * @param word int32
 * @returns its op number, or -1 if the encoding is unallocated
 */
export function decode(word: number): number {
  let at = root;
  while (at >= 0) at = childOf(at, word);
  for (const index of candidates(at)) {
    if ((word & masks[index]!) === matches[index]! && (isPlain[index] === 1 || isAllocated(insns[index]!, word))) return index;
  }
  return -1;
}
