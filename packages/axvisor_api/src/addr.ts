/**
 * The address contract: four kinds of 64-bit addresses that never mix, half-open ranges over them, and the checked
 * arithmetic that components need. `@axvisor/memory_addr` provides it.
 */
import { apiDef, required, type AxApiDef } from './registry/api.ts';

declare const brand: unique symbol;

/** An address of kind `K`: a `bigint` in [0, 2^64) at run time. */
export type Addr<K extends string = string> = bigint & { readonly [brand]: K };

/** Guest virtual address (GVA). */
export type GuestVirtAddr = Addr<'GVA'>;
/** Guest physical address (GPA). */
export type GuestPhysAddr = Addr<'GPA'>;
/** Host virtual address (HVA). */
export type HostVirtAddr = Addr<'HVA'>;
/** Host physical address (HPA): an offset in the host's physical memory. */
export type HostPhysAddr = Addr<'HPA'>;

/** The half-open range [start, end). `end` is a bound, not an address: it may be 2^64, so that a range can reach the top. */
export interface AddrRange<A extends Addr = Addr> {
  readonly start: A;
  readonly end: A;
}

export const PAGE_SIZE_4K = 0x1000n;
export const PAGE_SIZE_2M = 0x20_0000n;
export const PAGE_SIZE_1G = 0x4000_0000n;

/** The functions of the `addr` API. All throw `InvalidInput` or `OutOfRange` instead of wrapping. */
export interface Addresses {
  /** The address `value`. @throws {AxError} OutOfRange unless 0 <= value < 2^64 */
  gva(value: bigint): GuestVirtAddr;
  gpa(value: bigint): GuestPhysAddr;
  hva(value: bigint): HostVirtAddr;
  hpa(value: bigint): HostPhysAddr;
  /** The largest multiple of `align` (a power of two) that is <= `a`. @throws {AxError} InvalidInput for another `align` */
  alignDown<A extends bigint>(a: A, align: bigint): A;
  /** The smallest multiple of `align` that is >= `a`. @throws {AxError} OutOfRange at the top of the address space */
  alignUp<A extends bigint>(a: A, align: bigint): A;
  isAligned(a: bigint, align: bigint): boolean;
  /** a + n. @throws {AxError} OutOfRange on overflow or underflow (n may be negative) */
  addrAdd<A extends bigint>(a: A, n: bigint): A;
  /** [start, start + size). @throws {AxError} OutOfRange if the end exceeds 2^64 */
  rangeFromStartSize<A extends Addr>(start: A, size: bigint): AddrRange<A>;
  rangeContains<A extends Addr>(range: AddrRange<A>, address: A): boolean;
  rangeContainsRange<A extends Addr>(outer: AddrRange<A>, inner: AddrRange<A>): boolean;
  /** Whether they have an address in common; never with an empty range. */
  rangesOverlap<A extends Addr>(a: AddrRange<A>, b: AddrRange<A>): boolean;
}

export let gva: Addresses['gva'];
export let gpa: Addresses['gpa'];
export let hva: Addresses['hva'];
export let hpa: Addresses['hpa'];
export let alignDown: Addresses['alignDown'];
export let alignUp: Addresses['alignUp'];
export let isAligned: Addresses['isAligned'];
export let addrAdd: Addresses['addrAdd'];
export let rangeFromStartSize: Addresses['rangeFromStartSize'];
export let rangeContains: Addresses['rangeContains'];
export let rangeContainsRange: Addresses['rangeContainsRange'];
export let rangesOverlap: Addresses['rangesOverlap'];

export const addr: AxApiDef<'addr', Addresses> = apiDef({
  name: 'addr',
  functions: {
    gva: required, gpa: required, hva: required, hpa: required,
    alignDown: required, alignUp: required, isAligned: required, addrAdd: required,
    rangeFromStartSize: required, rangeContains: required, rangeContainsRange: required, rangesOverlap: required,
  },
  bind: (f: Addresses) =>
    ({
      gva, gpa, hva, hpa, alignDown, alignUp, isAligned, addrAdd,
      rangeFromStartSize, rangeContains, rangeContainsRange, rangesOverlap,
    } = f),
  providers: ['@axvisor/memory_addr'],
});
