import { expect, test } from 'vitest';
import { accessWidth, DeviceAddrRange, port, sysReg } from '../src/index.ts';
import { kindOf } from './fixture.ts';

test('widths of accesses', () => {
  expect([0, 1, 2, 3, 4, 8, 16].map(accessWidth)).toEqual([undefined, 1, 2, undefined, 4, 8, undefined]);
});

test('ports and registers', () => {
  expect([port(0x3f8), sysReg(0xc000_0080)]).toEqual([0x3f8, 0xc000_0080]);
  for (const f of [() => port(0x1_0000), () => port(-1), () => port(1.5), () => sysReg(2 ** 32)]) expect(kindOf(f)).toBe('OutOfRange');
});

test('ranges include both ends', () => {
  const com1 = new DeviceAddrRange(port(0x3f8), port(0x3ff));
  expect([0x3f7, 0x3f8, 0x3ff, 0x400].map((p) => com1.contains(port(p)))).toEqual([false, true, true, false]);
  expect([com1.overlaps(new DeviceAddrRange(port(0x3ff), port(0x3ff))), com1.overlaps(new DeviceAddrRange(port(0x400), port(0x400)))]).toEqual([true, false]);
  expect(`${com1}`).toBe('0x3f8..=0x3ff');
  expect(kindOf(() => new DeviceAddrRange(port(2), port(1)))).toBe('InvalidInput');
});
