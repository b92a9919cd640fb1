/** Kinds of addresses: constructors and formatters. The four kinds of a hypervisor, and a factory for more. */
import type { Addr, AddrRange, GuestPhysAddr, GuestVirtAddr, HostPhysAddr, HostVirtAddr } from '@axvisor/axvisor_api/addr';
import { axError } from '@axvisor/axvisor_api/errors';
import { ADDR_MAX } from './align.ts';

/** A kind of addresses. Call it to make an address. */
export interface AddrKind<A extends Addr> {
  /** The address `value`. @throws {AxError} OutOfRange unless 0 <= value < 2^64 */
  (value: bigint): A;
  /** E.g. `GPA`. */
  readonly kind: string;
  /** The address 0. */
  readonly zero: A;
  /** The address 2^64 - 1. */
  readonly max: A;
  /** The address `value`, or `undefined` unless 0 <= value < 2^64. */
  tryFrom(this: void, value: bigint): A | undefined;
  /** The address `value` mod 2^64: for register values, which may be signed. */
  wrapping(this: void, value: bigint): A;
  /** The template with lower-case hexadecimal digits: `GPA:0x1abc`. */
  format(this: void, address: A): string;
  /** The template with upper-case digits: `GPA:0x1ABC`. */
  formatUpper(this: void, address: A): string;
  /** Both ends: `GPA:0x1000..GPA:0x2000`. */
  formatRange(this: void, range: AddrRange<A>): string;
  formatRangeUpper(this: void, range: AddrRange<A>): string;
}

/**
 * Defines a kind of addresses that mixes with no other.
 *
 * @param kind - the brand, e.g. `'DMA'`
 * @param template - how it is printed; `{}` stands for the number. Default: `KIND:{}`
 * @throws {AxError} InvalidInput if `template` has no `{}`
 *
 * ```ts
 * type DmaAddr = Addr<'DMA'>;
 * const dma: AddrKind<DmaAddr> = defineAddr('DMA', 'dma@{}');
 * dma.format(dma(0x1abcn)); // 'dma@0x1abc'
 * ```
 */
export function defineAddr<K extends string>(kind: K, template = `${kind}:{}`): AddrKind<Addr<K>> {
  type A = Addr<K>;
  const hole = template.indexOf('{}');
  if (hole < 0) throw axError('InvalidInput', `the template '${template}' of ${kind} has no '{}'`);
  const before = `${template.slice(0, hole)}0x`;
  const after = template.slice(hole + 2);
  const format = (address: A): string => before + address.toString(16) + after;
  const formatUpper = (address: A): string => before + address.toString(16).toUpperCase() + after;
  const make = (value: bigint): A => {
    if (value < 0n || value > ADDR_MAX) throw axError('OutOfRange', `${kind} ${value} is not in [0, 2^64)`);
    return value as A;
  };
  return Object.assign(make, {
    kind,
    zero: 0n as A,
    max: ADDR_MAX as A,
    tryFrom: (value: bigint): A | undefined => (value < 0n || value > ADDR_MAX ? undefined : (value as A)),
    wrapping: (value: bigint): A => BigInt.asUintN(64, value) as A,
    format,
    formatUpper,
    formatRange: ({ start, end }: AddrRange<A>): string => `${format(start)}..${format(end)}`,
    formatRangeUpper: ({ start, end }: AddrRange<A>): string => `${formatUpper(start)}..${formatUpper(end)}`,
  });
}

/** Guest virtual addresses, printed `GVA:0x…`. */
export const gva: AddrKind<GuestVirtAddr> = defineAddr('GVA');
/** Guest physical addresses, printed `GPA:0x…`. */
export const gpa: AddrKind<GuestPhysAddr> = defineAddr('GPA');
/** Host virtual addresses, printed `VA:0x…`. */
export const hva: AddrKind<HostVirtAddr> = defineAddr('HVA', 'VA:{}');
/** Host physical addresses, printed `PA:0x…`. */
export const hpa: AddrKind<HostPhysAddr> = defineAddr('HPA', 'PA:{}');
