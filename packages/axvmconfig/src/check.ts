/** Checks between the values of a guest description: lengths, overlaps, names, what needs what. */
import type { Located } from './decode.ts';
import { type Path, pathText } from './toml/path.ts';
import type { Problems } from './toml/problems.ts';

/** A range of guest physical addresses, and whose it is. */
export interface Claim {
  readonly kind: 'memory' | 'device' | 'passthrough';
  readonly start: bigint;
  readonly size: bigint;
  readonly path: Path;
}

const hex = (n: bigint): string => `0x${n.toString(16)}`;
const rangeText = ({ start, size }: Claim): string => `${hex(start)}..${hex(start + size)}`;

/**
 * Reports ranges that leave the 64-bit space or overlap. What is passed through may overlap itself: such ranges are merged
 * when they are mapped.
 *
 * @param claims - in the order of the file: of two that overlap, the later is reported
 */
export function checkOverlaps(claims: readonly Claim[], problems: Problems): void {
  const order = new Map(claims.map((claim, i) => [claim, i]));
  const isLater = (a: Claim, b: Claim): boolean => (order.get(a) as number) > (order.get(b) as number);
  let open: Claim[] = [];
  for (const claim of claims.toSorted((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0))) {
    if (claim.size === 0n) continue;
    if (claim.start + claim.size > 1n << 64n) problems.add(claim.path, `${rangeText(claim)} exceeds 64 bits`);
    open = open.filter((other) => other.start + other.size > claim.start);
    const clash = open.find((other) => other.kind !== 'passthrough' || claim.kind !== 'passthrough');
    if (clash !== undefined) {
      const [first, later] = isLater(claim, clash) ? [clash, claim] : [claim, clash];
      problems.add(later.path, `${rangeText(later)} overlaps ${pathText(first.path)} (${rangeText(first)}, line ${problems.lineOf(first.path)})`);
    }
    open.push(claim);
  }
}

/** Reports lists with another number of elements than there are vCPUs. */
export function checkCpuLists(cpuNum: number | undefined, lists: Readonly<Record<string, readonly bigint[] | undefined>>, problems: Problems): void {
  for (const [name, list] of Object.entries(lists)) {
    if (list === undefined || cpuNum === undefined || list.length === cpuNum) continue;
    problems.add(['base', name], `it has ${list.length} elements for ${cpuNum} vCPUs`);
  }
}

/** Reports guest CPU numbers that are given twice. */
export function checkCpuIds(ids: readonly bigint[] | undefined, problems: Problems): void {
  ids?.forEach((id, i) => {
    if (ids.indexOf(id) < i) problems.add(['base', 'phys_cpu_ids', i], `${hex(id)} is the number of vCPU ${ids.indexOf(id)} already`);
  });
}

/** Reports names that are given twice. */
export function checkNames(names: readonly Located<string | undefined>[], problems: Problems): void {
  const seen = new Map<string, Path>();
  for (const { value, path } of names) {
    if (value === undefined) continue;
    const first = seen.get(value);
    if (first === undefined) seen.set(value, path);
    else problems.add(path, `the name ${JSON.stringify(value)} is taken by ${pathText(first)} (line ${problems.lineOf(first)})`);
  }
}
