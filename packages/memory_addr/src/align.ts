/** Alignment to powers of two, and page sizes. */
import { PAGE_SIZE_1G, PAGE_SIZE_2M, PAGE_SIZE_4K } from '@axvisor/axvisor_api/addr';
import { axError } from '@axvisor/axvisor_api/errors';

export { PAGE_SIZE_1G, PAGE_SIZE_2M, PAGE_SIZE_4K };

/** One more than the largest address, and the largest possible exclusive end of a range. */
export const ADDR_SPACE_SIZE: bigint = 1n << 64n;
/** The largest address. */
export const ADDR_MAX: bigint = ADDR_SPACE_SIZE - 1n;

/** Whether `n` is 2^0 … 2^63. */
export function isPowerOfTwo(n: bigint): boolean {
  return n > 0n && n < ADDR_SPACE_SIZE && (n & (n - 1n)) === 0n;
}

/** `align - 1`, if `align` is a power of two. */
function lowBits(align: bigint): bigint {
  if (!isPowerOfTwo(align)) throw axError('InvalidInput', `alignment ${align} is not a power of two`);
  return align - 1n;
}

/** The largest multiple of `align` that is <= `a`. @throws {AxError} InvalidInput unless `align` is a power of two */
export function alignDown<A extends bigint>(a: A, align: bigint): A {
  return (a & ~lowBits(align)) as A;
}

/**
 * The smallest multiple of `align` that is >= `a`.
 *
 * @throws {AxError} InvalidInput unless `align` is a power of two; OutOfRange if that multiple is 2^64 or more
 */
export function alignUp<A extends bigint>(a: A, align: bigint): A {
  const up = checkedAlignUp(a, align);
  if (up === undefined) throw axError('OutOfRange', `0x${a.toString(16)} has no multiple of 0x${align.toString(16)} above it in 64 bits`);
  return up;
}

/** Like {@link alignUp}, but `undefined` where the result is 2^64 or more. */
export function checkedAlignUp<A extends bigint>(a: A, align: bigint): A | undefined {
  const low = lowBits(align);
  const up = (a + low) & ~low;
  return up < ADDR_SPACE_SIZE ? (up as A) : undefined;
}

/** `a` modulo `align`. */
export function alignOffset(a: bigint, align: bigint): bigint {
  return a & lowBits(align);
}

/** Whether `a` is a multiple of `align`. */
export function isAligned(a: bigint, align: bigint): boolean {
  return (a & lowBits(align)) === 0n;
}

export function alignDown4k<A extends bigint>(a: A): A {
  return alignDown(a, PAGE_SIZE_4K);
}

/** @throws {AxError} OutOfRange in the last page, unless aligned */
export function alignUp4k<A extends bigint>(a: A): A {
  return alignUp(a, PAGE_SIZE_4K);
}

export function alignOffset4k(a: bigint): bigint {
  return alignOffset(a, PAGE_SIZE_4K);
}

export function isAligned4k(a: bigint): boolean {
  return isAligned(a, PAGE_SIZE_4K);
}
