/** Sets of addresses as sorted, disjoint, non-adjacent ranges. */
import type { Addr, AddrRange } from '@axvisor/axvisor_api/addr';
import { fullRange, rangeContains, rangeContainsRange, rangeDifference, rangeHull, rangeIntersection, rangeIsEmpty, rangeSize } from './range.ts';

/**
 * A set of addresses, kept as the fewest ranges.
 *
 * ```ts
 * const free = new RangeSet([addrRange(gpa(0x1000n), gpa(0x5000n))]);
 * free.delete(addrRange(gpa(0x2000n), gpa(0x3000n)));
 * [...free]; // 0x1000..0x2000, 0x3000..0x5000
 * ```
 */
export class RangeSet<A extends Addr> implements Iterable<AddrRange<A>> {
  /** Sorted; between two neighbours there is at least one address that is in neither. */
  #ranges: AddrRange<A>[] = [];

  constructor(ranges: Iterable<AddrRange<A>> = []) {
    for (const range of ranges) this.add(range);
  }

  /** Index of the first range that ends at or after `address`. */
  #find(address: bigint): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle] as AddrRange<A>).end < address) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Index one past the last range that starts at or before `address`. */
  #findAfter(address: bigint, from: number): number {
    let i = from;
    while (i < this.#ranges.length && (this.#ranges[i] as AddrRange<A>).start <= address) i++;
    return i;
  }

  /** Number of ranges. */
  get size(): number {
    return this.#ranges.length;
  }

  /** Number of addresses. */
  get addresses(): bigint {
    return this.#ranges.reduce((sum, range) => sum + rangeSize(range), 0n);
  }

  add(range: AddrRange<A>): this {
    if (rangeIsEmpty(range)) return this;
    const from = this.#find(range.start);
    const to = this.#findAfter(range.end, from);
    this.#ranges.splice(from, to - from, this.#ranges.slice(from, to).reduce(rangeHull, range));
    return this;
  }

  delete(range: AddrRange<A>): this {
    if (rangeIsEmpty(range)) return this;
    const from = this.#find(range.start);
    const to = this.#findAfter(range.end, from);
    this.#ranges.splice(from, to - from, ...this.#ranges.slice(from, to).flatMap((r) => rangeDifference(r, range)));
    return this;
  }

  clear(): void {
    this.#ranges = [];
  }

  /** Whether `address` is in the set. */
  has(address: A): boolean {
    return this.find(address) !== undefined;
  }

  /** The range with `address` in it. */
  find(address: A): AddrRange<A> | undefined {
    // A range that ends at `address` does not have it; the next one may.
    return this.#ranges.slice(this.#find(address), this.#find(address) + 2).find((r) => rangeContains(r, address));
  }

  /** Whether all of `range` is in the set; true for an empty range. */
  containsRange(range: AddrRange<A>): boolean {
    if (rangeIsEmpty(range)) return true;
    const found = this.find(range.start);
    return found !== undefined && rangeContainsRange(found, range);
  }

  /** Whether an address of `range` is in the set. */
  overlaps(range: AddrRange<A>): boolean {
    return !this.intersection(range)[Symbol.iterator]().next().done;
  }

  /** The set's part in `range`. */
  intersection(range: AddrRange<A>): RangeSet<A> {
    const result = new RangeSet<A>();
    const from = this.#find(range.start);
    for (const r of this.#ranges.slice(from, this.#findAfter(range.end, from))) {
      const common = rangeIntersection(r, range);
      if (common !== undefined) result.#ranges.push(common);
    }
    return result;
  }

  /** What of `within` is not in the set. */
  complement(within: AddrRange<A> = fullRange()): RangeSet<A> {
    const result = new RangeSet<A>([within]);
    for (const range of this.intersection(within)) result.delete(range);
    return result;
  }

  /** The first free range of `size` addresses that starts at a multiple of `align` (a power of two) in `within`. */
  findGap(size: bigint, align = 1n, within: AddrRange<A> = fullRange()): AddrRange<A> | undefined {
    for (const { start, end } of this.complement(within)) {
      const aligned = (start + align - 1n) & ~(align - 1n);
      if (aligned + size <= end) return { start: aligned as A, end: (aligned + size) as A };
    }
    return undefined;
  }

  *[Symbol.iterator](): Generator<AddrRange<A>, void, undefined> {
    yield* this.#ranges;
  }
}
