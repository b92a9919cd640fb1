/** Addresses at which devices answer beside guest physical memory: I/O ports and system registers, with inclusive ranges. */
import { ensure } from '@axvisor/axvisor_api/errors';
import type { AccessWidth } from '@axvisor/axvisor_api/device';

export type { AccessWidth } from '@axvisor/axvisor_api/device';

declare const kind: unique symbol;
/** An x86 I/O port, 16 bits. */
export type Port = number & { readonly [kind]: 'port' };
/** The number of a system register or MSR, 32 bits. */
export type SysRegAddr = number & { readonly [kind]: 'sysreg' };

/** The widths of a device access, in bytes. */
export const ACCESS_WIDTHS: readonly AccessWidth[] = [1, 2, 4, 8];

/** `bytes` as a width, `undefined` if a device access cannot be that wide. */
export function accessWidth(bytes: number): AccessWidth | undefined {
  return ACCESS_WIDTHS.find((w) => w === bytes);
}

/** @throws {AxError} OutOfRange unless `number` has 16 bits */
export function port(number: number): Port {
  ensure(Number.isInteger(number) && number >= 0 && number <= 0xffff, 'OutOfRange', `I/O port ${number}`);
  return number as Port;
}

/** @throws {AxError} OutOfRange unless `number` has 32 bits */
export function sysReg(number: number): SysRegAddr {
  ensure(Number.isInteger(number) && number >= 0 && number <= 0xffff_ffff, 'OutOfRange', `system register ${number}`);
  return number as SysRegAddr;
}

/** All ports or registers from `first` to `last`, both included. */
export class DeviceAddrRange<A extends Port | SysRegAddr> {
  readonly first: A;
  readonly last: A;

  /** @throws {AxError} InvalidInput if `last` is below `first` */
  constructor(first: A, last: A) {
    ensure(first <= last, 'InvalidInput', `0x${first.toString(16)} to 0x${last.toString(16)} is no range`);
    this.first = first;
    this.last = last;
  }

  contains(address: A): boolean {
    return address >= this.first && address <= this.last;
  }

  overlaps(other: DeviceAddrRange<A>): boolean {
    return this.first <= other.last && other.first <= this.last;
  }

  toString(): string {
    return `0x${this.first.toString(16)}..=0x${this.last.toString(16)}`;
  }
}
