/**
 * Half-open ranges [start, end) of addresses and their algebra.
 *
 * `end` is a bound, not an address: it may be 2^64, so that a range can reach the top of the address space. An empty range
 * (start = end) has a position but no address: it can lie within a range, and it overlaps nothing.
 */
import type { Addr, AddrRange } from '@axvisor/axvisor_api/addr';
import { axError } from '@axvisor/axvisor_api/errors';
import { ADDR_SPACE_SIZE, alignDown, isPowerOfTwo } from './align.ts';

export type { AddrRange };

const text = ({ start, end }: AddrRange): string => `0x${start.toString(16)}..0x${end.toString(16)}`;
const make = <A extends Addr>(start: bigint, end: bigint): AddrRange<A> => ({ start: start as A, end: end as A });
const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);

/** [start, end), or `undefined` if start > end or a bound is not in [0, 2^64]. */
export function tryRange<A extends Addr>(start: A, end: A): AddrRange<A> | undefined {
  return start >= 0n && start <= end && end <= ADDR_SPACE_SIZE ? { start, end } : undefined;
}

/** [start, end). @throws {AxError} InvalidInput if start > end or a bound is not in [0, 2^64] */
export function addrRange<A extends Addr>(start: A, end: A): AddrRange<A> {
  const range = tryRange(start, end);
  if (range === undefined) throw axError('InvalidInput', `${text(make(start, end))} is not a range`);
  return range;
}

/** [start, start + size), or `undefined` if that exceeds 2^64 or size < 0. */
export function tryRangeFromStartSize<A extends Addr>(start: A, size: bigint): AddrRange<A> | undefined {
  return size < 0n ? undefined : tryRange(start, (start + size) as A);
}

/** [start, start + size). @throws {AxError} OutOfRange if that exceeds 2^64; InvalidInput for a negative size */
export function rangeFromStartSize<A extends Addr>(start: A, size: bigint): AddrRange<A> {
  if (size < 0n) throw axError('InvalidInput', `size ${size} is negative`);
  const range = tryRange(start, (start + size) as A);
  if (range === undefined) throw axError('OutOfRange', `0x${size.toString(16)} bytes from 0x${start.toString(16)} exceed the 64-bit space`);
  return range;
}

/** [first, last], both included: the way to name a range that ends at the last address. */
export function rangeInclusive<A extends Addr>(first: A, last: A): AddrRange<A> {
  return addrRange(first, (last + 1n) as A);
}

/** All of the 64-bit space. */
export function fullRange<A extends Addr>(): AddrRange<A> {
  return make(0n, ADDR_SPACE_SIZE);
}

/** Number of addresses. @throws {AxError} InvalidInput if start > end */
export function rangeSize(range: AddrRange): bigint {
  if (range.start > range.end) throw axError('InvalidInput', `${text(range)} is reversed`);
  return range.end - range.start;
}

/** Whether it has no address. */
export function rangeIsEmpty({ start, end }: AddrRange): boolean {
  return start >= end;
}

/** Whether `address` is one of the range's. */
export function rangeContains<A extends Addr>({ start, end }: AddrRange<A>, address: A): boolean {
  return start <= address && address < end;
}

/** Whether `inner` lies within `outer`; an empty range does at any position from start to end, both included. */
export function rangeContainsRange<A extends Addr>(outer: AddrRange<A>, inner: AddrRange<A>): boolean {
  return outer.start <= inner.start && inner.start <= inner.end && inner.end <= outer.end;
}

/** Whether `inner` lies within `outer`. */
export function rangeContainedIn<A extends Addr>(inner: AddrRange<A>, outer: AddrRange<A>): boolean {
  return rangeContainsRange(outer, inner);
}

/** Whether they have an address in common; never with an empty range. */
export function rangesOverlap<A extends Addr>(a: AddrRange<A>, b: AddrRange<A>): boolean {
  return max(a.start, b.start) < min(a.end, b.end);
}

/** Whether one begins where the other ends. */
export function rangesTouch<A extends Addr>(a: AddrRange<A>, b: AddrRange<A>): boolean {
  return a.end === b.start || b.end === a.start;
}

export function rangesEqual<A extends Addr>(a: AddrRange<A>, b: AddrRange<A>): boolean {
  return a.start === b.start && a.end === b.end;
}

/** Orders by start, then by end. */
export function compareRanges<A extends Addr>(a: AddrRange<A>, b: AddrRange<A>): number {
  if (a.start !== b.start) return a.start < b.start ? -1 : 1;
  return a.end < b.end ? -1 : a.end > b.end ? 1 : 0;
}

/** A string that is the same for equal ranges only: a key for maps. */
export function rangeKey(range: AddrRange): string {
  return text(range);
}

/** The addresses in both, or `undefined` if there are none. */
export function rangeIntersection<A extends Addr>(a: AddrRange<A>, b: AddrRange<A>): AddrRange<A> | undefined {
  const start = max(a.start, b.start);
  const end = min(a.end, b.end);
  return start < end ? make(start, end) : undefined;
}

/** The addresses in either, if they are one range: the operands overlap or touch, or one is empty. */
export function rangeUnion<A extends Addr>(a: AddrRange<A>, b: AddrRange<A>): AddrRange<A> | undefined {
  if (rangeIsEmpty(b)) return a;
  if (rangeIsEmpty(a)) return b;
  return rangesOverlap(a, b) || rangesTouch(a, b) ? rangeHull(a, b) : undefined;
}

/** The smallest range with both in it, and what is between them. */
export function rangeHull<A extends Addr>(a: AddrRange<A>, b: AddrRange<A>): AddrRange<A> {
  return make(min(a.start, b.start), max(a.end, b.end));
}

/** The addresses of `a` that are not in `b`: none, one or two ranges, in order, none of them empty. */
export function rangeDifference<A extends Addr>(a: AddrRange<A>, b: AddrRange<A>): AddrRange<A>[] {
  const common = rangeIntersection(a, b);
  if (common === undefined) return rangeIsEmpty(a) ? [] : [a];
  return [make<A>(a.start, common.start), make<A>(common.end, a.end)].filter((r) => !rangeIsEmpty(r));
}

/** [start, at) and [at, end). @throws {AxError} OutOfRange unless start <= at <= end */
export function rangeSplit<A extends Addr>(range: AddrRange<A>, at: A): readonly [before: AddrRange<A>, after: AddrRange<A>] {
  if (at < range.start || at > range.end) throw axError('OutOfRange', `0x${at.toString(16)} is not within ${text(range)}`);
  return [make(range.start, at), make(at, range.end)];
}

/** The smallest range of whole pages with `range` in it. An end in the last page becomes 2^64. */
export function rangeAlignOutward<A extends Addr>({ start, end }: AddrRange<A>, align: bigint): AddrRange<A> {
  return make(alignDown(start, align), alignDown(end + align - 1n, align));
}

/** The largest range of whole pages within `range`, or `undefined` if there is no whole page in it. */
export function rangeAlignInward<A extends Addr>({ start, end }: AddrRange<A>, align: bigint): AddrRange<A> | undefined {
  const first = alignDown(start + align - 1n, align);
  const last = alignDown(end, align);
  return first < last ? make(first, last) : undefined;
}

/**
 * The pieces of `range` that cross no multiple of `size`, in order.
 *
 * @throws {AxError} InvalidInput unless `size` is a power of two
 */
export function rangeChunks<A extends Addr>(range: AddrRange<A>, size: bigint): Iterable<AddrRange<A>> {
  if (!isPowerOfTwo(size)) throw axError('InvalidInput', `size ${size} is not a power of two`);
  return {
    *[Symbol.iterator]() {
      for (let start: bigint = range.start; start < range.end; ) {
        const end = min(alignDown(start, size) + size, range.end);
        yield make<A>(start, end);
        start = end;
      }
    },
  };
}
