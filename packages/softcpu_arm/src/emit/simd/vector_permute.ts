/** Advanced SIMD on the host's vectors: permutations, pairs of neighbours and table look-up (Arm ARM, C7.2). */
import { i32, i8x16, v128 } from '@axvisor/softcpu';
import type { Emit } from '@axvisor/softcpu';
import { plain, vector } from '../define.ts';
import type { Definition, Definitions, Get } from '../define.ts';
import { guarded, numbered } from './lanes.ts';
import { simdSame } from './same.ts';
import { bySize, read, shapes, smaller, three, two, write } from './vector.ts';
import type { Binary, Compute, Sizes } from './vector.ts';

/** The bytes of elements, given as [of m, number], as a shuffle numbers them; bytes of m are 16 and above. */
export const bytesOf = (log: number, elements: readonly (readonly [boolean, number])[]): number[] => {
  const bytes = elements.flatMap(([ofM, index]) => Array.from({ length: 1 << log }, (_, k) => (ofM ? 16 : 0) + (index << log) + k));
  return [...bytes, ...Array<number>(16 - bytes.length).fill(0)];
};
const lanes = (log: number, q: number): number => (q === 1 ? 16 : 8) >> log;
type Choose = (i: number, lanes: number, part: number) => readonly [boolean, number];
const choices: Readonly<Record<string, Choose>> = {
  zip: (i, n, part) => [(i & 1) === 1, (i >> 1) + part * (n / 2)],
  uzp: (i, n, part) => [i >= n / 2, (i % (n / 2)) * 2 + part],
  trn: (i, _, part) => [(i & 1) === 1, (i & -2) + part],
};
const shuffled = (bytes: readonly number[]): Compute => (_, { n, m }) => i8x16.shuffle(n(), m(), bytes);
const permutation = (choose: Choose, part: number) => (q: number): Sizes =>
  [0, 1, 2, 3].map((log) => {
    const length = lanes(log, q);
    // One doubleword is not a vector: such encodings are unallocated.
    return shuffled(bytesOf(log, Array.from({ length }, (_, i) => (length === 1 ? ([false, 0] as const) : choose(i, length, part)))));
  });
/** Even (0) or odd (1) elements of n and m one behind the other. */
const alternate = (log: number, q: number, odd: number): readonly number[] => bytesOf(log, Array.from({ length: lanes(log, q) }, (_, i) => (choices['uzp'] as Choose)(i, lanes(log, q), odd)));

const pairwise = (operations: readonly (Binary | undefined)[]) => (q: number): Sizes =>
  operations.map((f, log) =>
    f && (lanes(log, q) > 1) ? (e, { n, m }) => {
      const [a, b] = [n(), m()];
      return f(e.let(i8x16.shuffle(a, b, alternate(log, q, 0))), i8x16.shuffle(a, b, alternate(log, q, 1)));
    } : undefined,
  );
const pairs: Readonly<Record<string, readonly (Binary | undefined)[]>> = {
  addp_v: shapes.map((s) => s.add),
  smaxp_v: smaller.map((s) => s.max_s),
  umaxp_v: smaller.map((s) => s.max_u),
  sminp_v: smaller.map((s) => s.min_s),
  uminp_v: smaller.map((s) => s.min_u),
};
const reversed = (group: number): Sizes =>
  [0, 1, 2, 3].map((log): Compute => (_, { n }) => i8x16.shuffle(n(), n(), bytesOf(log, Array.from({ length: 16 >> log }, (_, i) => [false, i ^ ((1 << Math.max(group - log, 0)) - 1)] as const))));

/** TBL: a swizzle for each register of the table; indices outside of it give zero. */
function tableOf(registers: number, q: number): Emit {
  return guarded((e) => {
    const indices = read(e, 'm');
    const parts = Array.from({ length: registers }, (_, k) => {
      const table = e.vector('v128.load', numbered(e, 'n', k));
      return i8x16.swizzle(table, k === 0 ? indices : i8x16.sub(indices, i8x16.splat(i32.const(16 * k))));
    });
    write(e, parts.reduce((a, b) => v128.or(a, b)), q);
  });
}

export const vectorPermute: Definitions = Object.fromEntries([
  ...Object.entries(pairs).map(([name, operations]): [string, Definition] => [name, bySize(simdSame[name], three, pairwise(operations))]),
  ...([1, 2, 3] as const).map((group): [string, Definition] => [`rev${8 << group}_v`, bySize(undefined, two, () => reversed(group))]),
  ...Object.entries(choices).flatMap(([stem, choose]) => [0, 1].map((part): [string, Definition] => [`${stem}${part + 1}`, bySize(undefined, three, permutation(choose, part))])),
  ['tbl', { record: { d: vector('Rd'), n: plain('Rn'), m: vector('Rm') }, variants: [1, 2, 3, 4].flatMap((registers) => [0, 1].map((q) => tableOf(registers, q))), select: (get: Get) => get('len') * 2 + get('Q') }],
]);
