import { component as axerrno } from '@axvisor/axerrno';
import { link } from '@axvisor/axvisor_api';
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import fc from 'fast-check';
import { beforeEach, describe, expect, expectTypeOf, test } from 'vitest';
import {
  array, bool, component, i16, i32, i64, i8, isize, PerCpuAreas, struct, u16, u32, u64, u8, usize, type PerCpuPrimitive, type PerCpuType,
} from '../src/index.ts';
import { createMachine } from './machine.ts';

const machine = createMachine(4, new SharedArrayBuffer(1024 * 4096));
link([axerrno, machine.component, component]);
beforeEach(() => { machine.cpu = 0; machine.cpus = 4; });

const error = (kind: string, more: object = {}): unknown => expect.objectContaining({ name: 'AxError', kind, ...more });
const Pair = struct({ foo: usize, bar: u8 });

/** The variables of the original's tests. */
function variables(areas: PerCpuAreas) {
  return {
    bool: areas.define('bool', bool, true),
    u8: areas.define('u8', u8, 1),
    u16: areas.define('u16', u16, 2),
    u32: areas.define('u32', u32, 3),
    u64: areas.define('u64', u64, 4n),
    usize: areas.define('usize', usize, 5n),
    pair: areas.define('pair', Pair, { foo: 6n, bar: 7 }),
  };
}
type Variables = ReturnType<typeof variables>;
const INITIAL = { bool: true, u8: 1, u16: 2, u32: 3, u64: 4n, usize: 5n, pair: { foo: 6n, bar: 7 } };
const LOCAL = { bool: true, u8: 123, u16: 0xabcd, u32: 0xdead_beef, u64: 0xa2ce_a2ce_a2ce_a2cen, usize: 0xffff_0000n, pair: { foo: 0x2333n, bar: 100 } };
const REMOTE = { bool: false, u8: 222, u16: 0x1234, u32: 0xf00d_f00d, u64: 0xfeed_feed_feed_feedn, usize: 0xffffn, pair: { foo: 0x2333n, bar: 100 } };
const NAMES = Object.keys(INITIAL) as (keyof typeof INITIAL)[];

function check(areas: PerCpuAreas, v: Variables): void {
  for (const name of NAMES) {
    expect(areas.currentBase() + BigInt(v[name].offset)).toBe(v[name].currentAddress());
    expect(Number(v[name].currentAddress()) % v[name].type.align).toBe(0);
    expect(v[name].readCurrent()).toEqual(INITIAL[name]);
    v[name].writeCurrent(LOCAL[name] as never);
    expect(v[name].readCurrent()).toEqual(LOCAL[name]);
  }
  expect(areas.inspect(0)).toEqual(LOCAL);
  for (const cpu of [1, 2, 3]) {
    expect(areas.inspect(cpu)).toEqual(INITIAL);
    for (const name of NAMES) {
      expect(v[name].readRemote(cpu)).toEqual(INITIAL[name]);
      v[name].writeRemote(cpu, REMOTE[name] as never);
      expect(v[name].readRemote(cpu)).toEqual(REMOTE[name]);
      expect(v[name].remoteAddress(cpu)).toBe(areas.areaBase(cpu) + BigInt(v[name].offset));
    }
    machine.cpu = cpu;
    for (const name of NAMES) expect(v[name].readCurrent()).toEqual(REMOTE[name]);
    machine.cpu = 0;
  }
  for (const name of NAMES) {
    expect(v[name].readCurrent()).toEqual(LOCAL[name]);
    v[name].resetToInit();
    expect(v[name].readCurrent()).toEqual(INITIAL[name]);
    v[name].resetRemote(3);
    expect(v[name].readRemote(3)).toEqual(INITIAL[name]);
    expect(v[name].readRemote(2)).toEqual(REMOTE[name]);
  }
  areas.resetArea(2);
  expect(areas.inspect(2)).toEqual(INITIAL);
}

describe('areas', () => {
  test('in place: frames of their own', () => {
    const areas = new PerCpuAreas();
    const v = variables(areas);
    expect(areas.isInitialised).toBe(false);
    expect(areas.initInPlace()).toBe(4);
    expect(areas.count).toBe(4);
    expect(areas.currentBase()).toBe(areas.areaBase(0));
    check(areas, v);
    const { size } = machine.frames;
    areas[Symbol.dispose]();
    expect(machine.frames.size).toBe(size - 1);
    expect(() => v.u8.readCurrent()).toThrow(error('BadState'));
    expect(() => areas[Symbol.dispose]()).toThrow(error('BadState'));
  });

  test('in given memory', () => {
    const areas = new PerCpuAreas({ reserve: 0 });
    const v = variables(areas);
    expect(areas.layoutExpected(4)).toEqual({ size: 4 * 64, align: 64 });
    const base = 0x40n as HostPhysAddr;
    expect(areas.init(base, 4)).toBe(4);
    expect([0, 1, 3].map((cpu) => areas.areaBase(cpu))).toEqual([0x40n, 0x80n, 0x100n]);
    check(areas, v);
  });

  test('on one CPU', () => {
    machine.cpus = 1;
    const areas = new PerCpuAreas();
    const v = variables(areas);
    expect(areas.initInPlace()).toBe(1);
    expect(v.u16.readRemote(0)).toBe(2);
    expect(() => v.u16.readRemote(1)).toThrow(error('InvalidInput'));
  });

  test('are laid out with natural alignment, 64 bytes apart', () => {
    const areas = new PerCpuAreas({ reserve: 0 });
    expect(areas.usedSize).toBe(8); // the area's own address
    const v = variables(areas);
    expect(NAMES.map((name) => v[name].offset)).toEqual([8, 9, 10, 12, 16, 24, 32]);
    expect([areas.usedSize, areas.areaSize]).toEqual([48, 64]);
    const line = areas.define('line', u8, 9, { align: 64 });
    expect([line.offset, areas.usedSize, areas.areaSize]).toEqual([64, 65, 128]);
    expect(() => areas.define('odd', u32, 0, { align: 2 })).toThrow(error('InvalidInput'));
    expect(() => areas.define('huge', u32, 0, { align: 128 })).toThrow(error('InvalidInput'));
    expect(new PerCpuAreas().areaSize).toBe(4096);
  });

  test('refuse bad memory', () => {
    const areas = new PerCpuAreas();
    expect(() => areas.init(0n as HostPhysAddr, 1)).toThrow(error('InvalidInput', { reason: 'InvalidBase' }));
    expect(() => areas.init(0x1001n as HostPhysAddr, 1)).toThrow(error('InvalidInput', { reason: 'UnalignedBase' }));
    expect(() => areas.init(BigInt(machine.buffer.byteLength) as HostPhysAddr, 1)).toThrow(error('BadAddress'));
    expect(() => areas.init(0x1000n as HostPhysAddr, 100_000)).toThrow(error('BadAddress'));
    for (const count of [0, -1, 1.5, NaN]) expect(() => areas.init(0x1000n as HostPhysAddr, count)).toThrow(error('InvalidInput'));
    machine.cpus = 100_000;
    expect(() => areas.initInPlace()).toThrow(error('NoMemory'));
    expect(areas.isInitialised).toBe(false);
  });

  test('cannot be used before they exist, nor by unknown CPUs', () => {
    const areas = new PerCpuAreas();
    const v = areas.define('v', u32, 1);
    const o = areas.defineObject('o', () => ({}));
    for (const f of [() => v.readCurrent(), () => v.writeRemote(0, 1), () => v.resetToInit(), () => v.currentAddress(), () => o.readCurrent(), () => o.readRemote(0), () => areas.count, () => areas.areaBase(0), () => areas.share(), () => areas.inspect(0)])
      expect(f).toThrow(error('BadState'));
    areas.initInPlace();
    for (const cpu of [4, -1, 0.5, NaN])
      for (const f of [() => v.readRemote(cpu), () => v.writeRemote(cpu, 1), () => v.remoteAddress(cpu), () => o.readRemote(cpu), () => areas.areaBase(cpu), () => areas.inspect(cpu)])
        expect(f).toThrow(error('InvalidInput'));
    machine.cpu = 4;
    expect(() => v.readCurrent()).toThrow(error('InvalidInput'));
    expect(() => o.readCurrent()).toThrow(error('InvalidInput'));
  });

  test('initialised again start from the pristine template', () => {
    const areas = new PerCpuAreas();
    const v = variables(areas);
    const o = areas.defineObject('o', (cpu) => [cpu]);
    areas.initInPlace();
    v.u32.writeCurrent(77);
    o.readRemote(2).push(9);
    areas.initInPlace();
    expect(areas.inspect(0)).toEqual(INITIAL);
    expect(o.readRemote(2)).toEqual([2]);
    areas.init(0x40n as HostPhysAddr, 2);
    expect([areas.count, v.u32.readRemote(1), v.u32.currentAddress() < 0x1000n + 64n]).toEqual([2, 3, true]);
  });
});

describe('variables', () => {
  test('can be defined late, as long as there is room', () => {
    const areas = new PerCpuAreas({ reserve: 128 });
    areas.initInPlace();
    const late = areas.define('late', u64, 42n);
    expect([0, 1, 2, 3].map((cpu) => late.readRemote(cpu))).toEqual([42n, 42n, 42n, 42n]);
    areas.define('filler', array(u64, 14), Array<bigint>(14).fill(0n));
    expect(() => areas.define('more', u8, 0)).toThrow(error('NoMemory', { message: "'more' needs 1 bytes, and the per-CPU areas have room for 0 more" }));
  });

  test('have unique names', () => {
    const areas = new PerCpuAreas();
    areas.define('a', u8, 0);
    areas.defineObject('b', () => 0);
    expect(() => areas.define('a', u8, 0)).toThrow(error('AlreadyExists'));
    expect(() => areas.define('b', u8, 0)).toThrow(error('AlreadyExists'));
    expect(() => areas.defineObject('a', () => 0)).toThrow(error('AlreadyExists'));
    expect(() => areas.defineObject('b', () => 0)).toThrow(error('AlreadyExists'));
  });

  test('hold what their types hold, and nothing else', () => {
    const areas = new PerCpuAreas();
    const corners: [PerCpuType<unknown>, (number | bigint)[], (number | bigint)[]][] = [
      [u8, [0, 255], [-1, 256, 0.5, NaN]], [u16, [0, 0xffff], [-1, 0x1_0000]], [u32, [0, 0xffff_ffff], [-1, 2 ** 32]],
      [i8, [-128, 127], [-129, 128]], [i16, [-0x8000, 0x7fff], [-0x8001, 0x8000]], [i32, [-(2 ** 31), 2 ** 31 - 1], [-(2 ** 31) - 1, 2 ** 31]],
      [u64, [0n, 2n ** 64n - 1n], [-1n, 2n ** 64n, 1]], [usize, [0n, 2n ** 64n - 1n], [-1n, 2n ** 64n]],
      [i64, [-(2n ** 63n), 2n ** 63n - 1n], [-(2n ** 63n) - 1n, 2n ** 63n]], [isize, [-(2n ** 63n), 2n ** 63n - 1n], [-(2n ** 63n) - 1n, 2n ** 63n, 1]],
    ];
    const all = corners.map(([type, good, bad], i) => ({ v: areas.define(`v${i}`, type, good[0]), good, bad }));
    areas.initInPlace();
    for (const { v, good, bad } of all) {
      for (const value of good) {
        v.writeCurrent(value);
        expect(v.readCurrent()).toBe(value);
      }
      for (const value of bad) expect(() => v.writeCurrent(value)).toThrow(error('InvalidInput'));
      expect(v.readCurrent()).toBe(good.at(-1));
    }
    const flag = areas.define('flag', bool, false);
    expect(() => flag.writeCurrent(1 as never)).toThrow(error('InvalidInput'));
    new Uint8Array(machine.buffer)[Number(flag.currentAddress())] = 2;
    expect(flag.readCurrent()).toBe(true);
    expect(() => areas.define('bad', u8, 256)).toThrow(error('InvalidInput'));
  });

  test('structs have C layout and variables for fields', () => {
    const Inner = struct({ a: u8, b: u32 });
    const Outer = struct({ flag: bool, inner: Inner, list: array(u16, 3), last: u64 });
    expect([Inner.size, Inner.align, Inner.offsets]).toEqual([8, 4, { a: 0, b: 4 }]);
    expect([Outer.size, Outer.align, Outer.offsets]).toEqual([32, 8, { flag: 0, inner: 4, list: 12, last: 24 }]);
    expect(Outer.signature).toBe('struct{flag:bool,inner:struct{a:u8,b:u32},list:[u16;3],last:u64}');
    const areas = new PerCpuAreas();
    const value = { flag: true, inner: { a: 1, b: 2 }, list: [3, 4, 5], last: 6n };
    const outer = areas.define('outer', Outer, value);
    areas.initInPlace();
    const b: PerCpuPrimitive<number> = outer.field('inner').field('b');
    expect([b.name, b.offset - outer.offset]).toEqual(['outer.inner.b', 8]);
    b.writeRemote(1, 99);
    outer.field('list').writeRemote(1, [7, 8, 9]);
    expect(outer.readRemote(1)).toEqual({ ...value, inner: { a: 1, b: 99 }, list: [7, 8, 9] });
    expect(outer.readCurrent()).toEqual(value);
    b.resetRemote(1);
    expect(outer.readRemote(1)).toEqual({ ...value, list: [7, 8, 9] });
    expect(() => outer.writeCurrent({ ...value, flag: false, last: -1n })).toThrow(error('InvalidInput'));
    expect(outer.readCurrent()).toEqual(value); // checked as a whole before a byte is written
    expect(() => outer.field('list').writeCurrent([1])).toThrow(error('InvalidInput'));
    expectTypeOf(outer.readCurrent().inner.b).toEqualTypeOf<number>();
    expect(() => struct({})).toThrow(error('InvalidInput'));
    expect(() => array(u8, 0)).toThrow(error('InvalidInput'));
  });

  test('are exchanged in one step', () => {
    const areas = new PerCpuAreas();
    const owner = areas.define('owner', u64, 0n);
    const flag = areas.define('flag', bool, false);
    areas.initInPlace();
    expect([owner.compareExchange(2, 0n, 7n), owner.compareExchange(2, 0n, 8n), owner.readRemote(2)]).toEqual([0n, 7n, 7n]);
    expect([flag.compareExchange(1, false, true), flag.readRemote(1)]).toEqual([false, true]);
    expect(() => owner.compareExchange(9, 0n, 1n)).toThrow(error('InvalidInput'));
    expect(() => owner.compareExchange(0, 0n, -1n)).toThrow(error('InvalidInput'));
  });

  test('do not touch each other (property)', () => {
    const types: Record<string, readonly [PerCpuType<unknown>, fc.Arbitrary<unknown>]> = {
      bool: [bool, fc.boolean()], u8: [u8, fc.nat(255)], u16: [u16, fc.nat(0xffff)], u32: [u32, fc.nat(0xffff_ffff)],
      i8: [i8, fc.integer({ min: -128, max: 127 })], i16: [i16, fc.integer({ min: -0x8000, max: 0x7fff })], i32: [i32, fc.integer()],
      u64: [u64, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })], i64: [i64, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
      pair: [Pair, fc.record({ foo: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), bar: fc.nat(255) }, { noNullPrototype: true })],
      list: [array(u16, 3), fc.array(fc.nat(0xffff), { minLength: 3, maxLength: 3 })],
    };
    const typed = fc.constantFrom(...Object.values(types)).chain(([type, value]) => fc.tuple(fc.constant(type), value, fc.array(fc.tuple(fc.nat(2), value), { maxLength: 4 })));
    fc.assert(fc.property(fc.array(typed, { minLength: 1, maxLength: 10 }), (list) => {
      machine.cpus = 3;
      const areas = new PerCpuAreas();
      const vars = list.map(([type, init], i) => areas.define(`v${i}`, type, init));
      areas.init(0x1000n as HostPhysAddr, 3);
      const model = [0, 1, 2].map(() => Object.fromEntries(list.map(([, init], i) => [`v${i}`, init])));
      list.forEach(([, , writes], i) => {
        for (const [cpu, value] of writes) {
          vars[i]?.writeRemote(cpu, value);
          (model[cpu] as Record<string, unknown>)[`v${i}`] = value;
        }
      });
      for (const cpu of [0, 1, 2]) expect(areas.inspect(cpu)).toEqual(model[cpu]);
      for (const cpu of [0, 1, 2]) areas.resetArea(cpu);
      for (const cpu of [0, 1, 2]) expect(areas.inspect(cpu)).toEqual(Object.fromEntries(list.map(([, init], i) => [`v${i}`, init])));
    }), { numRuns: 60 });
  });
});
