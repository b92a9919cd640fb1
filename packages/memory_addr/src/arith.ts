/**
 * Address arithmetic in four manners: checked (throws), wrapping (modulo 2^64), overflowing (wrapped value and a flag) and
 * optional (`undefined`). Operators on the bigints themselves are not checked; these functions are the way to step.
 */
import { axError } from '@axvisor/axvisor_api/errors';
import { ADDR_SPACE_SIZE } from './align.ts';

const I64_MIN = -(1n << 63n);
const I64_MAX = (1n << 63n) - 1n;

const hex = (n: bigint): string => (n < 0n ? `-0x${(-n).toString(16)}` : `0x${n.toString(16)}`);
const fits = (n: bigint): boolean => n >= 0n && n < ADDR_SPACE_SIZE;
const wrap = (n: bigint): bigint => BigInt.asUintN(64, n);
/** Unbranded on purpose: TypeScript takes the difference of two branded bigints for a number. */
const distanceOf = (a: bigint, b: bigint): bigint => a - b;

function checked(result: bigint, operation: string, a: bigint, b: bigint): bigint {
  if (!fits(result)) throw axError('OutOfRange', `${operation}: ${hex(a)} and ${hex(b)} give ${hex(result)}, which does not fit 64 bits`);
  return result;
}

/** a + n. @throws {AxError} OutOfRange unless the result is in [0, 2^64) */
export function addrAdd<A extends bigint>(a: A, n: bigint): A {
  return checked(a + n, 'addrAdd', a, n) as A;
}

/** a - n. @throws {AxError} OutOfRange unless the result is in [0, 2^64) */
export function addrSub<A extends bigint>(a: A, n: bigint): A {
  return checked(a - n, 'addrSub', a, n) as A;
}

/** a + n for a signed 64-bit `n`. @throws {AxError} OutOfRange if `n` or the result does not fit */
export function addrOffset<A extends bigint>(a: A, n: bigint): A {
  if (n < I64_MIN || n > I64_MAX) throw axError('OutOfRange', `addrOffset: ${hex(n)} is not a signed 64-bit number`);
  return checked(a + n, 'addrOffset', a, n) as A;
}

/** (a + n) mod 2^64 for a signed `n`. */
export function wrappingOffset<A extends bigint>(a: A, n: bigint): A {
  return wrap(a + n) as A;
}

/** The signed distance a - base. @throws {AxError} OutOfRange unless it is in [-2^63, 2^63) */
export function offsetFrom<A extends bigint>(a: A, base: A): bigint {
  const distance = distanceOf(a, base);
  if (distance < I64_MIN || distance > I64_MAX)
    throw axError('OutOfRange', `offsetFrom: the distance from ${hex(base)} to ${hex(a)} is not a signed 64-bit number`);
  return distance;
}

/** (a + n) mod 2^64. */
export function wrappingAdd<A extends bigint>(a: A, n: bigint): A {
  return wrap(a + n) as A;
}

/** (a - n) mod 2^64. */
export function wrappingSub<A extends bigint>(a: A, n: bigint): A {
  return wrap(a - n) as A;
}

/** (a + n) mod 2^64, and whether that is not a + n. */
export function overflowingAdd<A extends bigint>(a: A, n: bigint): readonly [result: A, overflow: boolean] {
  return [wrap(a + n) as A, !fits(a + n)];
}

/** (a - n) mod 2^64, and whether that is not a - n. */
export function overflowingSub<A extends bigint>(a: A, n: bigint): readonly [result: A, overflow: boolean] {
  return [wrap(a - n) as A, !fits(a - n)];
}

/** a + n, or `undefined` if that does not fit. */
export function checkedAdd<A extends bigint>(a: A, n: bigint): A | undefined {
  return fits(a + n) ? ((a + n) as A) : undefined;
}

/** a - n, or `undefined` if that does not fit. */
export function checkedSub<A extends bigint>(a: A, n: bigint): A | undefined {
  return fits(a - n) ? ((a - n) as A) : undefined;
}

/** The distance a - b of two addresses of one kind. @throws {AxError} OutOfRange if b > a */
export function subAddr<A extends bigint>(a: A, b: A): bigint {
  return checked(distanceOf(a, b), 'subAddr', a, b);
}

/** (a - b) mod 2^64. */
export function wrappingSubAddr<A extends bigint>(a: A, b: A): bigint {
  return wrap(distanceOf(a, b));
}

/** (a - b) mod 2^64, and whether b > a. */
export function overflowingSubAddr<A extends bigint>(a: A, b: A): readonly [distance: bigint, overflow: boolean] {
  return [wrap(distanceOf(a, b)), b > a];
}

/** a - b, or `undefined` if b > a. */
export function checkedSubAddr<A extends bigint>(a: A, b: A): bigint | undefined {
  return b > a ? undefined : distanceOf(a, b);
}
