/** Decides where initrd and device tree lie in guest memory, and that nothing overlaps or sticks out. */
import { axError, ensure } from '@axvisor/axvisor_api/errors';

/** A piece of guest RAM. */
export interface RamRegion {
  readonly base: bigint;
  readonly size: bigint;
}

/** Something placed in RAM. `what` is its name in messages. */
export interface Placed {
  readonly what: string;
  readonly start: bigint;
  readonly end: bigint;
}

const DTB_ALIGN = 0x20_0000n;
const INITRD_ALIGN = 0x1000n;
/** Boot firmware and early kernels map only the first part of RAM, so the device tree stays below this offset. */
const DTB_LIMIT = 0x2000_0000n;

const hex = (value: bigint): string => `0x${value.toString(16)}`;
const alignDown = (value: bigint, align: bigint): bigint => value - (value % align);

/** @throws {AxError} InvalidInput naming what does not fit, with sizes */
export function checkPlaced(placed: readonly Placed[], ram: readonly RamRegion[]): void {
  for (const { what, start, end } of placed)
    ensure(
      ram.some((r) => start >= r.base && end <= r.base + r.size),
      'InvalidInput',
      `the ${what} (${hex(start)} to ${hex(end)}, ${end - start} bytes) does not fit in the guest's memory (${ram.map((r) => `${hex(r.base)} to ${hex(r.base + r.size)}`).join(', ')})`,
    );
  for (const [i, a] of placed.entries())
    for (const b of placed.slice(i + 1))
      ensure(a.end <= b.start || b.end <= a.start, 'InvalidInput', `the ${a.what} (${hex(a.start)} to ${hex(a.end)}) overlaps the ${b.what} (${hex(b.start)} to ${hex(b.end)})`);
}

/** The highest 2 MiB aligned place for the device tree in the region `ram`. */
export function placeDtb(size: number, ram: RamRegion): bigint {
  const top = ram.base + (ram.size < DTB_LIMIT ? ram.size : DTB_LIMIT);
  const at = alignDown(top - BigInt(size), DTB_ALIGN);
  return at < ram.base ? alignDown(top - BigInt(size), 8n) : at;
}

/** The highest page-aligned place for an initrd below everything in `placed` that lies above its middle. */
export function placeInitrd(size: number, ram: RamRegion, placed: readonly Placed[]): bigint {
  const length = BigInt(size);
  const tops = [ram.base + ram.size, ...placed.map((p) => p.start)].sort((a, b) => (a < b ? 1 : -1));
  for (const top of tops) {
    const at = alignDown(top - length, INITRD_ALIGN);
    if (at >= ram.base && placed.every((p) => at + length <= p.start || at >= p.end)) return at;
  }
  throw axError('InvalidInput', `the initrd (${size} bytes) does not fit in the guest's memory (${ram.size} bytes, kernel and device tree included)`);
}
