import type { Addr } from '@axvisor/axvisor_api/addr';
import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  ADDR_MAX, addrAdd, addressOf, addrOffset, addrSub, alignDown, alignDown4k, alignOffset, alignOffset4k, alignUp, alignUp4k, checkedAdd, checkedAlignUp,
  checkedSub, checkedSubAddr, defineAddr, gpa, gva, hpa, hva, isAligned, isAligned4k, isPowerOfTwo, offsetFrom, overflowingAdd, overflowingSub,
  overflowingSubAddr, PAGE_SIZE_1G, PAGE_SIZE_2M, PAGE_SIZE_4K, subAddr, viewAt, wrappingAdd, wrappingOffset, wrappingSub, wrappingSubAddr,
  type AddrKind, type GuestPhysAddr,
} from '../src/index.ts';

type ExampleAddr = Addr<'EA'>;
const ea: AddrKind<ExampleAddr> = defineAddr('EA');
const aa: AddrKind<Addr<'AA'>> = defineAddr('AA', 'AA:{}');
const MAX = ADDR_MAX;

const u64 = fc.bigInt({ min: 0n, max: MAX });
/** 64-bit numbers of which many are near the corners. */
const corner = fc.oneof(u64, fc.bigInt({ min: 0n, max: 0x3000n }), fc.bigInt({ min: MAX - 0x3000n, max: MAX }));
const signed = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });
const power = fc.integer({ min: 0, max: 63 }).map((n) => 1n << BigInt(n));

describe('alignment', () => {
  test('of plain numbers', () => {
    expect([PAGE_SIZE_4K, PAGE_SIZE_2M, PAGE_SIZE_1G]).toEqual([0x1000n, 0x20_0000n, 0x4000_0000n]);
    expect([alignDown(0x1234_5678n, 0x1000n), alignUp(0x1234_5678n, 0x1000n), alignOffset(0x1234_5678n, 0x1000n)]).toEqual([0x1234_5000n, 0x1234_6000n, 0x678n]);
    expect([alignDown4k(0x1234_5678n), alignUp4k(0x1234_5678n), alignOffset4k(0x1234_5678n)]).toEqual([0x1234_5000n, 0x1234_6000n, 0x678n]);
    expect([isAligned(0x1234_5000n, 0x1000n), isAligned(0x1234_5678n, 0x1000n), isAligned4k(0x1234_5000n), isAligned4k(0x1234_5678n)]).toEqual([true, false, true, false]);
  });

  test('of addresses', () => {
    const a = ea(0x2000n);
    expect([isAligned4k(a), isAligned(a, 0x1_0000n), alignOffset4k(a), alignDown4k(a), alignUp4k(a)]).toEqual([true, false, 0n, a, a]);
    const b = ea(0x2fffn);
    expect([isAligned4k(b), alignOffset4k(b), alignDown4k(b), alignUp4k(b)]).toEqual([false, 0xfffn, 0x2000n, 0x3000n]);
    const align = 0x10_0000n;
    const c = ea(align * 5n + 0x2000n);
    expect([isAligned4k(c), isAligned(c, align), alignOffset(c, align), alignDown(c, align), alignUp(c, align)]).toEqual([true, false, 0x2000n, align * 5n, align * 6n]);
    const d = ea(0x2123n);
    expect([alignDown(d, 0x1000n), alignUp(d, 0x1000n), alignOffset(d, 0x1000n), alignUp(ea(0x2000n), 0x1000n)]).toEqual([0x2000n, 0x3000n, 0x123n, 0x2000n]);
    expectTypeOf(alignUp(d, align)).toEqualTypeOf<ExampleAddr>();
  });

  test('only to powers of two', () => {
    for (const bad of [0n, 3n, 0x1001n, -1n, -4096n, 1n << 64n]) {
      expect(isPowerOfTwo(bad)).toBe(false);
      for (const f of [alignDown, alignUp, alignOffset, isAligned, checkedAlignUp]) expect(() => f(0x1000n, bad)).toThrow(expect.objectContaining({ kind: 'InvalidInput' }));
    }
    expect(alignUp(0n, 1n << 63n)).toBe(0n);
  });

  test('does not wrap at the top', () => {
    expect(alignUp4k(MAX - 0xfffn)).toBe(MAX - 0xfffn);
    expect(() => alignUp4k(MAX - 0xffen)).toThrow(expect.objectContaining({ kind: 'OutOfRange' }));
    expect(checkedAlignUp(MAX, 0x1000n)).toBeUndefined();
    expect(alignDown4k(MAX)).toBe(MAX - 0xfffn);
  });

  test('down <= a <= up, both multiples, less than `align` away', () => {
    fc.assert(fc.property(corner, power, (a, align) => {
      const down = alignDown(a, align);
      expect(down % align).toBe(0n);
      expect(a - down).toBe(alignOffset(a, align));
      expect(isAligned(a, align)).toBe(down === a);
      const up = checkedAlignUp(a, align);
      if (up === undefined) expect(down + align > MAX && down !== a).toBe(true);
      else expect([up % align, up >= a, up - a < align]).toEqual([0n, true, true]);
    }));
  });
});

describe('kinds', () => {
  test('make, compare and convert', () => {
    expect(ea(0x1234n) < ea(0x5678n)).toBe(true);
    expect(aa(0x9abcn) < aa(0xdef0n)).toBe(true);
    expect(ea(0x1234n) as bigint).toBe(0x1234n);
    expect([ea.zero, ea.max]).toEqual([0n, MAX]);
    expect([ea.tryFrom(5n), ea.tryFrom(-1n), ea.tryFrom(MAX + 1n), ea.tryFrom(MAX)]).toEqual([5n, undefined, undefined, MAX]);
    expect(ea.wrapping(-1n)).toBe(MAX);
    for (const bad of [-1n, MAX + 1n]) expect(() => ea(bad)).toThrow(expect.objectContaining({ kind: 'OutOfRange' }));
  });

  test('do not mix', () => {
    expectTypeOf(gpa(1n)).toEqualTypeOf<GuestPhysAddr>();
    expectTypeOf<GuestPhysAddr>().not.toExtend<ExampleAddr>();
    // @ts-expect-error the distance of addresses of two kinds makes no sense
    expect(subAddr(gpa(3n), hpa(1n))).toBe(2n);
    // @ts-expect-error a number is no address
    const address: GuestPhysAddr = 3n;
    expect(address).toBe(3n);
  });

  test('are printed by their templates', () => {
    expect([ea.format(ea(0x1abcn)), aa.format(aa(0x1abcn)), ea.formatUpper(ea(0x1abcn))]).toEqual(['EA:0x1abc', 'AA:0x1abc', 'EA:0x1ABC']);
    expect([hpa.format(hpa(0x1abcn)), hva.format(hva(0x1abcn)), gpa.format(gpa(0x1abcn)), gva.format(gva(0x1abcn))]).toEqual(['PA:0x1abc', 'VA:0x1abc', 'GPA:0x1abc', 'GVA:0x1abc']);
    expect(defineAddr('DMA', '<{}>').format(0xffn as never)).toBe('<0xff>');
    expect(() => defineAddr('X', 'X:')).toThrow(expect.objectContaining({ kind: 'InvalidInput' }));
    expect(gpa.kind).toBe('GPA');
  });
});

describe('arithmetic', () => {
  const base = ea(0x1234n);
  const moved = ea(0x1334n);

  test('of ordinary addresses, in every manner', () => {
    expect([addrOffset(base, 0x100n), wrappingOffset(base, 0x100n), addrAdd(base, 0x100n), wrappingAdd(base, 0x100n)]).toEqual([moved, moved, moved, moved]);
    expect([addrOffset(moved, -0x100n), wrappingOffset(moved, -0x100n), addrSub(moved, 0x100n), wrappingSub(moved, 0x100n), addrAdd(moved, -0x100n)]).toEqual([base, base, base, base, base]);
    expect([offsetFrom(moved, base), offsetFrom(base, moved), subAddr(moved, base), wrappingSubAddr(moved, base)]).toEqual([0x100n, -0x100n, 0x100n, 0x100n]);
    expect([checkedAdd(base, 0x100n), checkedSub(moved, 0x100n), checkedSubAddr(moved, base)]).toEqual([moved, base, 0x100n]);
    expect([overflowingAdd(base, 0x100n), overflowingSub(moved, 0x100n), overflowingSubAddr(moved, base)]).toEqual([[moved, false], [base, false], [0x100n, false]]);
    expectTypeOf(addrAdd(base, 1n)).toEqualTypeOf<ExampleAddr>();
  });

  test('wraps when asked to', () => {
    const high = ea(MAX - 0x100n);
    const low = wrappingOffset(high, 0x200n);
    expect(low).toBe(0xffn);
    expect([wrappingOffset(low, -0x200n), wrappingAdd(high, 0x200n), wrappingSub(low, 0x200n), wrappingSubAddr(low, high)]).toEqual([high, low, high, 0x200n]);
  });

  test('reports overflow', () => {
    const low = ea(0x100n);
    const high = ea(MAX - 0x100n);
    expect([checkedSub(low, 0x50n), checkedSub(low, 0x200n), checkedAdd(high, 0x50n), checkedAdd(high, 0x200n)]).toEqual([0xb0n, undefined, MAX - 0xb0n, undefined]);
    expect([checkedSubAddr(high, low), checkedSubAddr(low, high)]).toEqual([MAX - 0x200n, undefined]);
    expect([overflowingSub(low, 0x50n), overflowingSub(low, 0x200n)]).toEqual([[0xb0n, false], [MAX - 0xffn, true]]);
    expect([overflowingAdd(high, 0x50n), overflowingAdd(high, 0x200n)]).toEqual([[MAX - 0xb0n, false], [0xffn, true]]);
    expect([overflowingSubAddr(high, low), overflowingSubAddr(low, high)]).toEqual([[MAX - 0x200n, false], [0x201n, true]]);
  });

  test('throws rather than wrap', () => {
    const zero = ea(0n);
    const max = ea(MAX);
    for (const f of [
      () => addrOffset(max, 1n), () => offsetFrom(max, zero), () => offsetFrom(zero, max), () => addrAdd(max, 1n), () => addrSub(zero, 1n),
      () => subAddr(zero, ea(1n)), () => addrOffset(zero, 1n << 63n), () => addrOffset(max, -(1n << 63n) - 1n), () => offsetFrom(ea(1n << 63n), zero),
    ]) expect(f).toThrow(expect.objectContaining({ kind: 'OutOfRange' }));
    expect(offsetFrom(zero, ea(1n << 63n))).toBe(-(1n << 63n));
    expect(() => addrAdd(max, 1n)).toThrow('addrAdd: 0xffffffffffffffff and 0x1 give 0x10000000000000000, which does not fit 64 bits');
    expect(() => addrOffset(zero, -1n)).toThrow('addrOffset: 0x0 and -0x1 give -0x1');
  });

  test('the four manners agree', () => {
    fc.assert(fc.property(corner, corner, (x, n) => {
      const a = ea(x);
      for (const [plain, optional, flagged, wrapping, exact] of [
        [addrAdd, checkedAdd, overflowingAdd, wrappingAdd, x + n],
        [addrSub, checkedSub, overflowingSub, wrappingSub, x - n],
      ] as const) {
        const fits = exact >= 0n && exact <= MAX;
        expect(wrapping(a, n)).toBe(BigInt.asUintN(64, exact));
        expect(flagged(a, n)).toEqual([wrapping(a, n), !fits]);
        expect(optional(a, n)).toBe(fits ? exact : undefined);
        if (fits) expect(plain(a, n)).toBe(exact);
        else expect(() => plain(a, n)).toThrow();
      }
      expect(wrappingSub(wrappingAdd(a, n), n)).toBe(a);
      expect(wrappingAdd(ea(n), wrappingSubAddr(a, ea(n)))).toBe(a);
    }));
  });

  test('offsets undo each other', () => {
    fc.assert(fc.property(corner, signed, (x, n) => {
      const a = ea(x);
      expect(wrappingOffset(wrappingOffset(a, n), -n)).toBe(a);
      const moved = x + n;
      if (moved >= 0n && moved <= MAX) expect(offsetFrom(addrOffset(a, n), a)).toBe(n);
      else expect(() => addrOffset(a, n)).toThrow();
    }));
  });
});

test('views of memory', () => {
  const array = new Uint32Array([1, 2, 3, 4]);
  const second = array.subarray(1);
  const address = addressOf(hva, second);
  expect(address).toBe(4n);
  const view = viewAt(Uint32Array, array.buffer, address, 2);
  expect([...view]).toEqual([2, 3]);
  view[0] = 0xdead_beef;
  viewAt(Uint32Array, array.buffer, hva(12n))[0] = 0xcafe_babe;
  expect([...array]).toEqual([1, 0xdead_beef, 3, 0xcafe_babe]);
  expect(() => viewAt(Uint32Array, array.buffer, hva(2n))).toThrow(expect.objectContaining({ kind: 'InvalidInput' }));
  for (const [at, length] of [[16n, 1], [12n, 2], [MAX - 3n, 1]] as const) expect(() => viewAt(Uint32Array, array.buffer, hva(at), length)).toThrow(expect.objectContaining({ kind: 'BadAddress' }));
});
