import { resolve } from '@axvisor/axvisor_api';
import type { GuestPhysAddr } from '@axvisor/axvisor_api/addr';
import type { Device, DeviceRegion } from '@axvisor/axvisor_api/device';
import { component as axerrno } from '@axvisor/axerrno';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bus } from '../src/index.ts';

const g = (n: bigint): GuestPhysAddr => n as GuestPhysAddr;
const mmio = (start: bigint, size: bigint): DeviceRegion => ({ space: 'mmio', range: { start: g(start), end: g(start + size) } });

function mock(name: string, ...regions: DeviceRegion[]): Device & { readonly log: unknown[] } {
  const log: unknown[] = [];
  return {
    name, model: 'mock', regions, log,
    read: (offset, width, region) => (log.push(['r', offset, width, region]), 0xdead_beef_cafe_f00dn),
    write: (offset, width, value, region) => void log.push(['w', offset, width, value, region]),
    reset: () => void log.push('reset'),
  };
}

test('an access reaches the device of its address with offset, width and region', () => {
  const bus = new Bus();
  const a = mock('a', mmio(0x1000n, 0x100n), { space: 'port', first: 0x3f8, last: 0x3ff }, { space: 'sysreg', first: 0x3a3016, last: 0x3a3016 });
  bus.add(a);
  expect(bus.mmioRead(g(0x1010n), 4)).toBe(0xcafe_f00dn);
  expect(bus.mmioRead(g(0x10ffn), 1)).toBe(0x0dn);
  expect(bus.mmioWrite(g(0x1000n), 8, 5n)).toBe(true);
  expect(bus.portRead(0x3ff, 1)).toBe(0x0dn);
  expect(bus.portWrite(0x3f8, 1, 0x141n)).toBe(true);
  expect(bus.sysRegRead(0x3a3016)).toBe(0xdead_beef_cafe_f00dn);
  bus.reset();
  expect(a.log).toEqual([['r', 0x10, 4, 0], ['r', 0xff, 1, 0], ['w', 0, 8, 5n, 0], ['r', 7, 1, 1], ['w', 0, 1, 0x41n, 1], ['r', 0, 8, 2], 'reset']);
});

test('nobody answers outside, across an end, or after removal', () => {
  const bus = new Bus();
  bus.add(mock('a', mmio(0x1000n, 0x100n)));
  expect(bus.mmioRead(g(0xfffn), 1)).toBeUndefined();
  expect(bus.mmioRead(g(0x10fen), 4)).toBeUndefined();
  expect(bus.mmioWrite(g(0x1100n), 1, 0n)).toBe(false);
  expect(bus.portRead(0x1000, 1)).toBeUndefined();
  expect(bus.mmioRead(g(0x1000n), 1)).toBeDefined();
  bus.remove('a');
  expect(bus.mmioRead(g(0x1000n), 1)).toBeUndefined();
  expect(() => bus.remove('a')).toThrow('there is no device a');
});

test('overlaps are refused and name both devices with their addresses', () => {
  resolve([axerrno]).run(() => {
    const bus = new Bus();
    bus.add(mock('uart', mmio(0x1000n, 0x100n)));
    expect(() => bus.add(mock('rtc', mmio(0x10ffn, 0x10n)))).toThrow('device rtc (0x10ff to 0x110e) overlaps device uart (0x1000 to 0x10ff)');
    expect(() => bus.add(mock('self', mmio(0x2000n, 0x10n), mmio(0x2008n, 0x10n)))).toThrow(/overlaps device self/);
    expect(() => bus.add(mock('uart', mmio(0x9000n, 0x10n)))).toThrow('there is a device uart already');
    expect(() => bus.add(mock('none', mmio(0x9000n, 0n)))).toThrow('region 0 is empty');
    expect(bus.devices().map((d) => d.name)).toEqual(['uart']);
  });
});

test('dispatch agrees with a naive search', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 8 })), { maxLength: 12 }), fc.array(fc.tuple(fc.integer({ min: 0, max: 70 }), fc.constantFrom(1, 2, 4, 8) as fc.Arbitrary<1 | 2 | 4 | 8>), { maxLength: 30 }), (regions, accesses) => {
      const bus = new Bus();
      const added: { start: number; end: number; d: ReturnType<typeof mock> }[] = [];
      regions.forEach(([start, size], i) => {
        const overlap = added.some((o) => start < o.end && o.start < start + size);
        const d = mock(`d${i}`, mmio(BigInt(start), BigInt(size)));
        if (overlap) expect(() => bus.add(d)).toThrow('overlaps');
        else {
          bus.add(d);
          added.push({ start, end: start + size, d });
        }
      });
      for (const [address, width] of accesses) {
        const owner = added.find((o) => address >= o.start && address + width <= o.end);
        expect(bus.mmioRead(g(BigInt(address)), width) !== undefined).toBe(owner !== undefined);
        if (owner !== undefined) expect(owner.d.log.at(-1)).toEqual(['r', address - owner.start, width, 0]);
      }
    }),
  );
});
