/// <reference lib="es2025" />
import type { Addr, AddrRange } from '@axvisor/axvisor_api/addr';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ADDR_MAX, ADDR_SPACE_SIZE, addrRange, compareRanges, fullRange, gpa, hva, Pages, pages, pages1G, pages2M, pages4K, rangeAlignInward, rangeAlignOutward,
  rangeChunks, rangeContainedIn, rangeContains, rangeContainsRange, rangeDifference, rangeFromStartSize, rangeHull, rangeInclusive, rangeIntersection,
  rangeIsEmpty, rangeKey, RangeSet, rangesEqual, rangeSize, rangesOverlap, rangeSplit, rangesTouch, rangeUnion, tryPages, tryRange, tryRangeFromStartSize,
} from '../src/index.ts';

type Va = ReturnType<typeof hva>;
const va = (start: bigint, end: bigint): AddrRange<Va> => ({ start: start as Va, end: end as Va });
const r = va(0x1000n, 0x2000n);

describe('ranges', () => {
  test('are made from bounds, sizes, and the last address', () => {
    expect(addrRange(hva(0x1000n), hva(0x2000n))).toEqual(r);
    expect(rangeFromStartSize(hva(0x1000n), 0x1000n)).toEqual(r);
    expect(rangeInclusive(hva(0x1000n), hva(0x1fffn))).toEqual(r);
    expect(rangeSize(r)).toBe(0x1000n);
    expect(rangeSize(rangeInclusive(hva.zero, hva.max))).toBe(ADDR_SPACE_SIZE);
    expect(fullRange()).toEqual({ start: 0n, end: ADDR_SPACE_SIZE });
    expect(rangeFromStartSize(hva(ADDR_MAX), 1n)).toEqual(va(ADDR_MAX, ADDR_SPACE_SIZE));
    expect(rangeFromStartSize(hva(ADDR_MAX), 0n)).toEqual(va(ADDR_MAX, ADDR_MAX));
  });

  test('refuse reversed bounds and overflow', () => {
    expect(() => addrRange(hva(0x2000n), hva(0x1000n))).toThrow(expect.objectContaining({ kind: 'InvalidInput', message: '0x2000..0x1000 is not a range' }));
    expect(tryRange(hva(0x2000n), hva(0x1000n))).toBeUndefined();
    expect(tryRange(hva(5n), hva(5n))).toEqual(va(5n, 5n));
    expect(() => rangeFromStartSize(hva(0x1000n), ADDR_MAX)).toThrow(expect.objectContaining({ kind: 'OutOfRange' }));
    expect(() => rangeFromStartSize(hva(0x1000n), -1n)).toThrow(expect.objectContaining({ kind: 'InvalidInput' }));
    expect(tryRangeFromStartSize(hva(0x1000n), ADDR_MAX)).toBeUndefined();
    expect(tryRangeFromStartSize(hva(0x1000n), -1n)).toBeUndefined();
    expect(() => rangeSize(va(2n, 1n))).toThrow(expect.objectContaining({ kind: 'InvalidInput' }));
    expect(rangeIsEmpty(va(2n, 1n))).toBe(true);
  });

  test('are printed with both ends', () => {
    const range = va(0xfec000n, 0xfff000n);
    expect([hva.formatRange(range), hva.formatRangeUpper(range)]).toEqual(['VA:0xfec000..VA:0xfff000', 'VA:0xFEC000..VA:0xFFF000']);
    expect(gpa.formatRange(addrRange(gpa(1n), gpa(2n)))).toBe('GPA:0x1..GPA:0x2');
  });

  test('contain addresses', () => {
    expect([0xfffn, 0x1000n, 0x1080n, 0x1fffn, 0x2000n].map((a) => rangeContains(r, hva(a)))).toEqual([false, true, true, true, false]);
    const q = rangeFromStartSize(hva(0x8765_4000n), 0x1000n);
    expect(rangeContains(q, hva(0x8765_4321n))).toBe(true);
  });

  test('contain ranges', () => {
    for (const [start, end] of [[0xfffn, 0x1fffn], [0xfffn, 0x2000n], [0xfffn, 0x2001n], [0x1000n, 0x2001n], [0x1001n, 0x2001n], [0xfffn, 0x1000n], [0x2000n, 0x2001n]] as const)
      expect(rangeContainsRange(r, va(start, end))).toBe(false);
    for (const [start, end] of [[0x1000n, 0x1fffn], [0x1000n, 0x2000n], [0x1001n, 0x1fffn], [0x1001n, 0x2000n]] as const)
      expect(rangeContainsRange(r, va(start, end))).toBe(true);
    for (const [start, end] of [[0xfffn, 0x2000n], [0x1000n, 0x2000n], [0x1000n, 0x2001n]] as const) expect(rangeContainedIn(r, va(start, end))).toBe(true);
    expect([0xfffn, 0x1000n, 0x1800n, 0x2000n, 0x2001n].map((a) => rangeContainsRange(r, va(a, a)))).toEqual([false, true, true, true, false]);
    expect(rangeContainsRange(r, va(0x1800n, 0x1000n))).toBe(false);
  });

  test('overlap', () => {
    for (const [start, end] of [[0x800n, 0x1000n], [0x2000n, 0x2800n], [0xfffn, 0xfffn], [0x2000n, 0x2000n], [0xfffn, 0x1000n], [0x1800n, 0x1800n]] as const)
      expect(rangesOverlap(r, va(start, end))).toBe(false);
    for (const [start, end] of [[0x800n, 0x1001n], [0x1800n, 0x2000n], [0x1800n, 0x2001n], [0xfffn, 0x2001n], [0x1fffn, 0x2001n]] as const)
      expect(rangesOverlap(r, va(start, end))).toBe(true);
  });

  test('intersect, unite, subtract, split', () => {
    expect(rangeIntersection(r, va(0x1800n, 0x3000n))).toEqual(va(0x1800n, 0x2000n));
    expect(rangeIntersection(r, va(0x2000n, 0x3000n))).toBeUndefined();
    expect(rangeUnion(r, va(0x2000n, 0x3000n))).toEqual(va(0x1000n, 0x3000n));
    expect(rangeUnion(r, va(0x2001n, 0x3000n))).toBeUndefined();
    expect(rangeUnion(r, va(0x5000n, 0x5000n))).toEqual(r);
    expect(rangeUnion(va(0x5000n, 0x5000n), r)).toEqual(r);
    expect(rangeHull(r, va(0x5000n, 0x6000n))).toEqual(va(0x1000n, 0x6000n));
    expect(rangesTouch(r, va(0x800n, 0x1000n))).toBe(true);
    expect(rangeDifference(r, va(0x1400n, 0x1800n))).toEqual([va(0x1000n, 0x1400n), va(0x1800n, 0x2000n)]);
    expect(rangeDifference(r, va(0x1000n, 0x1800n))).toEqual([va(0x1800n, 0x2000n)]);
    expect(rangeDifference(r, va(0x1400n, 0x5000n))).toEqual([va(0x1000n, 0x1400n)]);
    expect(rangeDifference(r, va(0n, 0x5000n))).toEqual([]);
    expect(rangeDifference(va(3n, 3n), r)).toEqual([]);
    expect(rangeSplit(r, hva(0x1234n))).toEqual([va(0x1000n, 0x1234n), va(0x1234n, 0x2000n)]);
    expect(rangeSplit(r, hva(0x2000n))).toEqual([r, va(0x2000n, 0x2000n)]);
    for (const at of [0xfffn, 0x2001n]) expect(() => rangeSplit(r, hva(at))).toThrow(expect.objectContaining({ kind: 'OutOfRange' }));
  });

  test('are aligned outward and inward', () => {
    expect(rangeAlignOutward(va(0x1234n, 0x2001n), 0x1000n)).toEqual(va(0x1000n, 0x3000n));
    expect(rangeAlignOutward(va(ADDR_MAX, ADDR_SPACE_SIZE), 0x1000n)).toEqual(va(ADDR_MAX - 0xfffn, ADDR_SPACE_SIZE));
    expect(rangeAlignInward(va(0x1234n, 0x4fffn), 0x1000n)).toEqual(va(0x2000n, 0x4000n));
    expect(rangeAlignInward(va(0x1234n, 0x2fffn), 0x1000n)).toBeUndefined();
    expect([...rangeChunks(va(0x1ff0n, 0x4010n), 0x1000n)]).toEqual([va(0x1ff0n, 0x2000n), va(0x2000n, 0x3000n), va(0x3000n, 0x4000n), va(0x4000n, 0x4010n)]);
    expect([...rangeChunks(va(8n, 8n), 0x1000n)]).toEqual([]);
    expect(() => rangeChunks(r, 0n)).toThrow(expect.objectContaining({ kind: 'InvalidInput' }));
  });

  test('have an order and keys', () => {
    const sorted = [va(2n, 3n), va(1n, 4n), va(1n, 2n), va(1n, 2n)].toSorted(compareRanges);
    expect(sorted.map(rangeKey)).toEqual(['0x1..0x2', '0x1..0x2', '0x1..0x4', '0x2..0x3']);
    expect([rangesEqual(va(1n, 2n), va(1n, 2n)), rangesEqual(va(1n, 2n), va(1n, 3n))]).toEqual([true, false]);
  });
});

describe('pages', () => {
  test('one after the other', () => {
    expect([...pages(va(0x1000n, 0x3000n))]).toEqual([0x1000n, 0x2000n]);
    expect([...pages(va(0x1000n, 0x3000n)).reversed()]).toEqual([0x2000n, 0x1000n]);
    expect([...pages(va(0x3000n, 0x1000n))]).toEqual([]);
    expect([...pages(va(0x3000n, 0x1000n)).reversed()]).toEqual([]);
    expect([...pages(va(0n, 0x1000n)).reversed()]).toEqual([0n]);
    expect([pages4K(va(0n, 0x40_0000n)).length, pages2M(va(0n, 0x40_0000n)).length, pages1G(va(0n, 1n << 32n)).length]).toEqual([1024n, 2n, 4n]);
  });

  test('only of aligned ranges and of powers of two', () => {
    for (const [range, size] of [[va(0x1000n, 0x3001n), 0x1000n], [va(0x1001n, 0x3000n), 0x1000n], [va(0x1000n, 0x3000n), 0x1001n], [va(0x1000n, 0x3000n), 0n]] as const) {
      expect(tryPages(range, size)).toBeUndefined();
      expect(() => pages(range, size)).toThrow(expect.objectContaining({ kind: 'InvalidInput' }));
    }
    expect(tryPages(va(0x1000n, 0x3000n))).toBeInstanceOf(Pages);
  });

  test('to the last page of the space', () => {
    const top = rangeInclusive(hva(ADDR_MAX - 0x1fffn), hva.max);
    expect([...pages(top)]).toEqual([ADDR_MAX - 0x1fffn, ADDR_MAX - 0xfffn]);
    expect([...pages(top).reversed()]).toEqual([ADDR_MAX - 0xfffn, ADDR_MAX - 0x1fffn]);
    expect(pages(fullRange<Addr>(), 1n << 63n).at(-1n)).toBe(1n << 63n);
    expect(pages(fullRange<Addr>()).length).toBe(1n << 52n);
    expect([0n, 1n, 2n, -1n, -2n, -3n].map((i) => pages(top).at(i))).toEqual([ADDR_MAX - 0x1fffn, ADDR_MAX - 0xfffn, undefined, ADDR_MAX - 0xfffn, ADDR_MAX - 0x1fffn, undefined]);
  });
});

/** Against the naive model: a range is the set of its addresses. */
const SPACE = 24;
const small = fc.tuple(fc.integer({ min: 0, max: SPACE }), fc.integer({ min: 0, max: SPACE })).map(([a, b]) => va(BigInt(Math.min(a, b)), BigInt(Math.max(a, b))));
const members = (...ranges: AddrRange<Va>[]): Set<bigint> => new Set(Array.from({ length: SPACE }, (_, i) => BigInt(i)).filter((i) => ranges.some((x) => rangeContains(x, i as Va))));

describe('properties', () => {
  test('the algebra of ranges is that of sets', () => {
    fc.assert(fc.property(small, small, fc.integer({ min: 0, max: 3 }), (a, b, power) => {
      const [A, B] = [members(a), members(b)];
      expect(members(rangeIntersection(a, b) ?? va(0n, 0n))).toEqual(A.intersection(B));
      expect(rangesOverlap(a, b)).toBe(!A.isDisjointFrom(B));
      expect(members(...rangeDifference(a, b))).toEqual(A.difference(B));
      expect(rangeDifference(a, b).some(rangeIsEmpty)).toBe(false);
      const union = rangeUnion(a, b);
      if (union !== undefined) expect(members(union)).toEqual(A.union(B));
      else expect(members(rangeHull(a, b)).size).toBeGreaterThan(A.union(B).size);
      expect(rangeSize(a)).toBe(BigInt(A.size));
      if (A.size > 0 && B.size > 0) expect(rangeContainsRange(a, b)).toBe(B.isSubsetOf(A));
      const size = 1n << BigInt(power);
      const chunks = [...rangeChunks(a, size)];
      expect(members(...chunks)).toEqual(A);
      expect(chunks.every((c) => c.start / size === ((c.end as bigint) - 1n) / size)).toBe(true);
      const inward = rangeAlignInward(a, size);
      expect(A.isSubsetOf(members(rangeAlignOutward(a, size)))).toBe(true);
      if (inward !== undefined) expect(members(inward).isSubsetOf(A)).toBe(true);
    }));
  });

  test('a RangeSet is a set, kept as the fewest ranges', () => {
    fc.assert(fc.property(fc.array(fc.tuple(fc.boolean(), small), { maxLength: 12 }), small, fc.integer({ min: 1, max: 6 }), (steps, window, size) => {
      const set = new RangeSet<Va>();
      let model = new Set<bigint>();
      for (const [add, range] of steps) {
        if (add) set.add(range);
        else set.delete(range);
        model = add ? model.union(members(range)) : model.difference(members(range));
        const list = [...set];
        expect(members(...list)).toEqual(model);
        expect(list.every((x, i) => !rangeIsEmpty(x) && (i === 0 || x.start > (list.at(i - 1) as AddrRange<Va>).end))).toBe(true);
        expect([set.size, set.addresses]).toEqual([list.length, BigInt(model.size)]);
      }
      for (let i = 0n; i < SPACE; i++) expect(set.has(i as Va)).toBe(model.has(i));
      expect(set.overlaps(window)).toBe(!model.isDisjointFrom(members(window)));
      expect(set.containsRange(window)).toBe(members(window).isSubsetOf(model));
      expect(members(...set.intersection(window))).toEqual(model.intersection(members(window)));
      expect(members(...set.complement(window))).toEqual(members(window).difference(model));
      const gap = set.findGap(BigInt(size), 2n, window);
      const gaps = [...members(window)].filter((s) => s % 2n === 0n && members(va(s, s + BigInt(size))).isSubsetOf(members(window).difference(model)) && s + BigInt(size) <= window.end);
      expect(gap?.start).toBe(gaps[0]);
      set.clear();
      expect([...set]).toEqual([]);
      expect(set.complement().addresses).toBe(ADDR_SPACE_SIZE);
    }));
  });
});
