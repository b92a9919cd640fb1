/** The search for a free range among areas. */
import { ensure } from '@axvisor/axvisor_api/errors';

/** What is searched for. */
export interface FreeRangeRequest {
  /** Bytes. */
  readonly size: bigint;
  /** The range [start, end) in which the result lies as a whole. */
  readonly limit: { readonly start: bigint; readonly end: bigint };
  /** The search goes upward from here. Default: the start of the limit. */
  readonly hint?: bigint;
  /** A power of two of which the start is a multiple. Default: 1. */
  readonly align?: bigint;
  /** Searches downward from the end of the limit, not below the hint. */
  readonly topDown?: boolean;
}

/** What is asked of the set: what is not covered in a range, in ascending order. */
interface WithGaps {
  gaps(start: bigint, size: bigint): { readonly start: bigint; readonly end: bigint }[];
}

/**
 * The start of a free range, `undefined` if there is none.
 *
 * @throws {AxError} InvalidInput for size 0, or an alignment that is no power of two
 */
export function findFreeRange(set: WithGaps, { size, limit, hint = limit.start, align = 1n, topDown = false }: FreeRangeRequest): bigint | undefined {
  ensure(size > 0n, 'InvalidInput', 'a range has at least one byte');
  ensure(align > 0n && (align & (align - 1n)) === 0n, 'InvalidInput', `alignment ${align} is no power of two`);
  const from = hint > limit.start ? hint : limit.start;
  if (from >= limit.end) return undefined;
  const gaps = set.gaps(from, limit.end - from);
  if (topDown) gaps.reverse();
  for (const gap of gaps) {
    const lowest = (gap.start + align - 1n) & -align;
    const highest = (gap.end - size) & -align;
    if (lowest <= highest) return topDown ? highest : lowest;
  }
  return undefined;
}
