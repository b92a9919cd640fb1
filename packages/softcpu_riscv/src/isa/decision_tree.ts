/** A decision tree over bit fields that finds which of a set of match/mask patterns a word satisfies. */

/** A pattern: a word `w` satisfies it if `(w & mask) === match`. */
export interface Pattern {
  readonly match: number;
  readonly mask: number;
}

/** A field to branch on: its lowest bit and its width. */
export type Field = readonly [shift: number, width: number];

const ILLEGAL = -1;

/**
 * Builds the tree as one flat table. A node is [shift, mask, child for each value of the field]; a child is the position of another
 * node, or -1 for no pattern, or -2 - i for pattern i, which the caller's word may still fail to match.
 *
 * @param patterns what to find; where several match, the one that fixes more bits wins
 * @param fields in the order in which to branch; a field in which the remaining patterns agree is skipped
 */
export function buildDecisionTree(patterns: readonly Pattern[], fields: readonly Field[]): Int32Array {
  const table: number[] = [];

  function node(candidates: readonly number[], depth: number): number {
    const first = candidates[0];
    if (first === undefined) return ILLEGAL;
    const field = fields[depth];
    if (candidates.length === 1 || field === undefined) return -2 - first;
    const [shift, width] = field;
    const fieldMask = (1 << width) - 1;
    const parts = candidates.map((index) => {
      const { match, mask } = patterns[index]!;
      return { index, match: (match >>> shift) & fieldMask, mask: (mask >>> shift) & fieldMask };
    });
    if (parts.every(({ match, mask }) => match === parts[0]!.match && mask === parts[0]!.mask)) return node(candidates, depth + 1);
    const at = table.length;
    table.push(shift, fieldMask);
    for (let value = 0; value <= fieldMask; value++) table.push(ILLEGAL);
    for (let value = 0; value <= fieldMask; value++) {
      const fitting = parts.filter(({ match, mask }) => (value & mask) === match).map(({ index }) => index);
      table[at + 2 + value] = node(fitting, depth + 1);
    }
    return at;
  }

  const specificity = ({ mask }: Pattern): number => {
    let count = 0;
    for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
    return count;
  };
  const order = patterns.map((_, index) => index).sort((a, b) => specificity(patterns[b]!) - specificity(patterns[a]!));
  node(order, 0);
  return Int32Array.from(table);
}

/**
 * Walks a tree of {@link buildDecisionTree}.
 *
 * @returns the index of the only pattern that the word can match, still to be compared in full, or -1
 */
export function walkDecisionTree(tree: Int32Array, word: number): number {
  let at = 0;
  do at = tree[at + 2 + ((word >>> tree[at]!) & tree[at + 1]!)]!;
  while (at >= 0);
  return -2 - at;
}
