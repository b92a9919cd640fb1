/** The decoder: nested tables over runs of instruction bits, made from the instruction table when this module is loaded. */
import { insns, isAllocated } from './table.ts';

/** Widest run of bits that one table branches on. */
const MAX_WIDTH = 6;
/** Lists of this length are searched. */
const SHORT = 2;

/** A table: [shift, mask, child for each value]; a child is the place of another table, or -1 - n for list n of candidates. */
const nodes: number[] = [];
const lists: (readonly number[])[] = [];

/** Of all runs of bits, the one that leaves the fewest candidates in the fullest part, and among those the narrowest. */
function chooseRun(candidates: readonly number[]): { readonly shift: number; readonly width: number; readonly fullest: number } {
  let best = { shift: 0, width: 0, fullest: candidates.length };
  for (let width = 1; width <= MAX_WIDTH; width++) {
    for (let shift = 0; shift + width <= 32; shift++) {
      const counts = new Uint16Array(1 << width);
      let fullest = 0;
      for (const index of candidates) {
        const { match, mask } = insns[index]!;
        const m = (mask >>> shift) & (counts.length - 1);
        const v = (match >>> shift) & (counts.length - 1);
        for (let value = 0; value < counts.length; value++) if ((value & m) === v) fullest = Math.max(fullest, ++counts[value]!);
        if (fullest >= best.fullest) break;
      }
      if (fullest < best.fullest) best = { shift, width, fullest };
    }
  }
  return best;
}

function build(candidates: readonly number[]): number {
  const { shift, width } = candidates.length <= SHORT ? { shift: 0, width: 0 } : chooseRun(candidates);
  if (width === 0) return -lists.push(candidates);
  const at = nodes.length;
  nodes.push(shift, (1 << width) - 1, ...Array<number>(1 << width).fill(0));
  for (let value = 0; value < 1 << width; value++) {
    nodes[at + 2 + value] = build(candidates.filter((index) => {
      const { match, mask } = insns[index]!;
      return (value & (mask >>> shift) & ((1 << width) - 1)) === ((match >>> shift) & ((1 << width) - 1));
    }));
  }
  return at;
}

const root = build(insns.map((_, index) => index));
const table = Int32Array.from(nodes);

/**
 * Finds the instruction that a word is.
 *
 * @param word int32
 * @returns its op number, or -1 if the encoding is unallocated
 */
export function decode(word: number): number {
  let at = root;
  while (at >= 0) at = table[at + 2 + ((word >>> table[at]!) & table[at + 1]!)]!;
  for (const index of lists[-1 - at]!) {
    const insn = insns[index]!;
    if ((word & insn.mask) === insn.match && isAllocated(insn, word)) return index;
  }
  return -1;
}
