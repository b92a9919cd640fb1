/** The pages of a range: iteration forwards and backwards, count, indexing. The last page of the 64-bit space is no exception. */
import type { Addr, AddrRange } from '@axvisor/axvisor_api/addr';
import { axError } from '@axvisor/axvisor_api/errors';
import { isAligned, isPowerOfTwo, PAGE_SIZE_1G, PAGE_SIZE_2M, PAGE_SIZE_4K } from './align.ts';
import { rangeIsEmpty, rangeSize } from './range.ts';

/** The first addresses of consecutive pages. */
export class Pages<A extends Addr> implements Iterable<A> {
  readonly range: AddrRange<A>;
  /** A power of two. */
  readonly pageSize: bigint;

  /** @throws {AxError} InvalidInput unless `pageSize` is a power of two and both bounds are multiples of it */
  constructor(range: AddrRange<A>, pageSize: bigint) {
    if (!isPowerOfTwo(pageSize)) throw axError('InvalidInput', `page size ${pageSize} is not a power of two`);
    for (const bound of [range.start, range.end])
      if (!isAligned(bound, pageSize)) throw axError('InvalidInput', `0x${bound.toString(16)} is not aligned to pages of 0x${pageSize.toString(16)}`);
    this.range = range;
    this.pageSize = pageSize;
  }

  /** Number of pages; 0 for an empty or reversed range. */
  get length(): bigint {
    return rangeIsEmpty(this.range) ? 0n : rangeSize(this.range) / this.pageSize;
  }

  /** The page with this index; from the end if negative. `undefined` if there is none. */
  at(index: bigint): A | undefined {
    const i = index < 0n ? index + this.length : index;
    return i >= 0n && i < this.length ? ((this.range.start + i * this.pageSize) as A) : undefined;
  }

  *[Symbol.iterator](): Generator<A, void, undefined> {
    const { start, end } = this.range;
    for (let page: bigint = start; page < end; page += this.pageSize) yield page as A;
  }

  /** From the last page to the first. */
  *reversed(): Generator<A, void, undefined> {
    const { start, end } = this.range;
    for (let page = end - this.pageSize; page >= start; page -= this.pageSize) yield page as A;
  }
}

/** The pages of `range`. @throws {AxError} InvalidInput unless `pageSize` is a power of two and both bounds are multiples of it */
export function pages<A extends Addr>(range: AddrRange<A>, pageSize: bigint = PAGE_SIZE_4K): Pages<A> {
  return new Pages(range, pageSize);
}

/** The pages of `range`, or `undefined` unless `pageSize` is a power of two and both bounds are multiples of it. */
export function tryPages<A extends Addr>(range: AddrRange<A>, pageSize: bigint = PAGE_SIZE_4K): Pages<A> | undefined {
  const fits = isPowerOfTwo(pageSize) && isAligned(range.start, pageSize) && isAligned(range.end, pageSize);
  return fits ? new Pages(range, pageSize) : undefined;
}

export function pages4K<A extends Addr>(range: AddrRange<A>): Pages<A> {
  return pages(range, PAGE_SIZE_4K);
}

export function pages2M<A extends Addr>(range: AddrRange<A>): Pages<A> {
  return pages(range, PAGE_SIZE_2M);
}

export function pages1G<A extends Addr>(range: AddrRange<A>): Pages<A> {
  return pages(range, PAGE_SIZE_1G);
}
