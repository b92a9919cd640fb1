import { axError } from '@axvisor/axvisor_api/errors';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryArea, MemorySet, type MappingBackend } from '../src/memory_set/index.ts';
import { kindOf } from './fixture.ts';

const SPACE = 0x10000;

/** A page table of one byte an address; 0 is not mapped. Fails where it should not be called, and when told to. */
class MockTable {
  readonly bytes: Uint8Array = new Uint8Array(SPACE);
  /** Calls until one fails. */
  failIn = Infinity;

  range(start: bigint, size: bigint, expected: 'mapped' | 'free'): Uint8Array {
    if (--this.failIn === 0) throw axError('NoMemory', 'told to fail');
    const range = this.bytes.subarray(Number(start), Number(start + size));
    if (range.some((b) => (b === 0) !== (expected === 'free'))) throw axError('BadState', `not all is ${expected}`);
    return range;
  }
}

class MockBackend implements MappingBackend<number, MockBackend> {
  readonly #table: MockTable;
  /** Where its area must begin: splitting has to tell. */
  readonly start: bigint;
  readonly #merges: boolean;

  constructor(table: MockTable, start: bigint, merges: boolean = false) {
    this.#table = table;
    this.start = start;
    this.#merges = merges;
  }

  map(start: bigint, size: bigint, flags: number): void {
    expect(start).toBe(this.start);
    this.#table.range(start, size, 'free').fill(flags);
  }

  unmap(start: bigint, size: bigint): void {
    expect(start).toBe(this.start);
    this.#table.range(start, size, 'mapped').fill(0);
  }

  protect(start: bigint, size: bigint, flags: number): void {
    expect(start).toBe(this.start);
    this.#table.range(start, size, 'mapped').fill(flags);
  }

  split(offset: bigint): [MockBackend, MockBackend] {
    return [this, new MockBackend(this.#table, this.start + offset, this.#merges)];
  }

  merge(right: MockBackend): MockBackend | undefined {
    return this.#merges && right.#merges ? this : undefined;
  }
}

type Set = MemorySet<number, MockBackend>;
const setup = (): { table: MockTable; set: Set; area: (start: number, size: number, flags: number, merges?: boolean) => MemoryArea<number, MockBackend> } => {
  const table = new MockTable();
  return {
    table,
    set: new MemorySet(),
    area: (start, size, flags, merges) => new MemoryArea(BigInt(start), BigInt(size), flags, new MockBackend(table, BigInt(start), merges)),
  };
};
const list = (set: Set): [number, number, number][] => Array.from(set, (a) => [Number(a.start), Number(a.size), a.flags]);
const evens = Array.from({ length: 8 }, (_, i) => i * 0x2000);
/** `bytes` are what the areas say. */
const expectAgreement = (set: Set, table: MockTable): void => {
  const bytes = new Uint8Array(SPACE);
  let end = 0n;
  for (const area of set) {
    expect(area.start).toBeGreaterThanOrEqual(end);
    expect(area.backend.start).toBe(area.start);
    bytes.fill(area.flags, Number(area.start), Number(area.end));
    end = area.end;
  }
  expect(Buffer.compare(bytes, table.bytes)).toBe(0);
};

describe('the cases of the original', () => {
  test('map and unmap', () => {
    const { table, set, area } = setup();
    for (const start of evens) set.map(area(start, 0x1000, 1));
    for (const start of evens) set.map(area(start + 0x1000, 0x1000, 2));
    expect([set.length, table.bytes.every((b) => b === 1 || b === 2)]).toEqual([16, true]);
    expect(set.find(0x4100n)).toMatchObject({ start: 0x4000n, end: 0x5000n, flags: 1 });
    expect(kindOf(() => set.map(area(0x4000, 0x4000, 3)))).toBe('AlreadyExists');
    set.map(area(0x4000, 0x4000, 3), { replace: true });
    expect([set.length, set.find(0x4100n)?.end, table.bytes.subarray(0x4000, 0x8000).every((b) => b === 3)]).toEqual([13, 0x8000n, true]);
    set.unmap(0x4000n, 0x8000n);
    expect(set.length).toBe(8);
    set.unmap(0n, 0x20000n);
    expect([set.length, table.bytes.every((b) => b === 0)]).toEqual([0, true]);
  });

  test('unmap splits', () => {
    const { table, set, area } = setup();
    for (const start of evens) set.map(area(start, 0x1000, 1));
    for (const start of evens) set.unmap(BigInt(start + 0xc00), 0x1800n);
    expect(list(set)).toEqual(evens.map((k) => (k === 0 ? [0, 0xc00, 1] : [k + 0x400, 0x800, 1])));
    for (const start of evens) set.unmap(BigInt(start + 0x800), 0x100n);
    expect(list(set)).toEqual(evens.flatMap((k) => [k === 0 ? [0, 0x800, 1] : [k + 0x400, 0x400, 1], [k + 0x900, 0x300, 1]]));
    expectAgreement(set, table);
    set.unmap(0n, 0x20000n);
    expect([set.length, table.bytes.every((b) => b === 0)]).toEqual([0, true]);
  });

  test('protect splits', () => {
    const { table, set, area } = setup();
    for (const start of evens) set.map(area(start, 0x1000, 7));
    const update = (flags: number) => (old: number): number | undefined => ((old & 7) === (flags & 7) ? undefined : (old & ~7) | (flags & 7));
    for (const start of evens) set.protect(BigInt(start + 0xc00), 0x1800n, update(1));
    expect(list(set)).toEqual(evens.flatMap((k) => [...(k === 0 ? [[0, 0xc00, 7]] : [[k, 0x400, 1], [k + 0x400, 0x800, 7]]), [k + 0xc00, 0x400, 1]]));
    expect(set.length).toBe(23);
    for (const start of evens) set.protect(BigInt(start + 0x800), 0x100n, update(0x13));
    expect(set.length).toBe(39);
    expect(list(set).filter((a) => a[2] === 3)).toEqual(evens.map((k) => [k + 0x800, 0x100, 3]));
    expect(list(set)[0]).toEqual([0, 0x800, 7]);
    for (const start of evens) set.protect(BigInt(start + 0x880), 0x80n, update(3));
    expect(set.length).toBe(39);
    expectAgreement(set, table);
    set.unmap(0n, 0x20000n);
    expect(set.length).toBe(0);
  });

  test('findFreeArea', () => {
    const { set, area } = setup();
    for (const start of evens) set.map(area(start, 0x1000, 1));
    const limit = { start: 0n, end: 0x10000n };
    const find = (hint: bigint, size: bigint, align: bigint) => set.findFreeArea({ hint, size, limit, align });
    expect([find(0n, 0x1000n, 1n), find(0x800n, 0x800n, 0x800n), find(0x1800n, 0x800n, 0x800n), find(0x1800n, 0x1000n, 0x1000n)]).toEqual([0x1000n, 0x1000n, 0x1800n, 0x3000n]);
    expect([find(0x2000n, 0x1000n, 0x1000n), find(0xf000n, 0x1000n, 0x1000n), find(0xf001n, 0x1000n, 0x1000n)]).toEqual([0x3000n, 0xf000n, undefined]);
  });

  test('an unmap in the middle leaves both ends', () => {
    const { set, area } = setup();
    set.map(area(0x1000, 0x4000, 1));
    set.unmap(0x2000n, 0x2000n);
    expect(list(set)).toEqual([[0x1000, 0x1000, 1], [0x4000, 0x1000, 1]]);
  });
});

describe('defects of the original', () => {
  test('findFreeArea never returns what exceeds the limit', () => {
    const { set, area } = setup();
    set.map(area(0x8000, 0x1000, 1));
    expect(set.findFreeArea({ hint: 0x3000n, size: 0x1000n, limit: { start: 0n, end: 0x2000n }, align: 0x1000n })).toBeUndefined();
    expect(set.findFreeArea({ size: 0x1000n, limit: { start: 0n, end: 0xfffn } })).toBeUndefined();
    expect(set.findFreeArea({ size: 0x1000n, limit: { start: 5n, end: 5n } })).toBeUndefined();
  });

  test('findFreeArea sees areas that are less aligned than the request', () => {
    const { set, area } = setup();
    set.map(area(0x1800, 0x1000, 1));
    set.map(area(0x2900, 0x800, 1));
    expect(set.findFreeArea({ hint: 0x2000n, size: 0x1000n, limit: { start: 0n, end: 0x10000n }, align: 0x1000n })).toBe(0x4000n);
  });

  test('the top of the address space is reached and not crossed', () => {
    const { set } = setup();
    const limit = { start: (1n << 64n) - 0x1800n, end: 1n << 64n };
    expect(set.findFreeArea({ size: 0x1000n, limit, align: 0x1000n })).toBe((1n << 64n) - 0x1000n);
    expect(set.findFreeArea({ size: 0x2000n, limit, align: 0x1000n })).toBeUndefined();
    expect(kindOf(() => new MemoryArea((1n << 64n) - 1n, 2n, 0, undefined))).toBe('OutOfRange');
    expect(new MemoryArea((1n << 64n) - 1n, 1n, 0, undefined).end).toBe(1n << 64n);
  });

  test('empty ranges are rejected everywhere', () => {
    const { set, area } = setup();
    set.map(area(0, 0x1000, 1));
    const limit = { start: 0n, end: 0x1000n };
    for (const f of [
      () => area(0, 0, 1), () => set.unmap(0n, 0n), () => set.protect(0x800n, 0n, () => 3), () => set.findFreeArea({ size: 0n, limit }),
      () => set.findFreeArea({ size: 1n, limit, align: 0n }), () => set.findFreeArea({ size: 1n, limit, align: 3n }), () => set.unmap(1n, 1n << 64n),
    ])
      expect(kindOf(f)).toBe('InvalidInput');
    expect(list(set)).toEqual([[0, 0x1000, 1]]);
  });

  test('update sees only the areas in the range; a failing back end is reported', () => {
    const { table, set, area } = setup();
    for (const start of evens) set.map(area(start, 0x1000, start / 0x2000 + 1));
    const seen: number[] = [];
    set.protect(0x2800n, 0x2000n, (flags) => void seen.push(flags));
    expect(seen).toEqual([2, 3]);
    table.failIn = 2;
    expect(kindOf(() => set.protect(0x2800n, 0x2000n, () => 9))).toBe('NoMemory');
    expect(list(set)).toEqual(evens.map((k) => [k, 0x1000, k / 0x2000 + 1]));
    expectAgreement(set, table);
  });
});

test('what cannot be undone either is BadState, with both reasons', () => {
  const { table, set, area } = setup();
  for (const start of evens) set.map(area(start, 0x1000, 1));
  table.failIn = 3;
  const range = table.range.bind(table);
  table.range = (start, size, expected) => {
    if (table.failIn <= 0 && start === 0n) throw axError('BadState', 'cannot undo');
    return range(start, size, expected);
  };
  let error: (Error & { kind?: string }) | undefined;
  try {
    set.unmap(0n, 0x10000n);
  } catch (e) {
    error = e as Error;
  }
  expect([error?.kind, (error?.cause as AggregateError | undefined)?.errors.map((e: Error) => e.message)]).toEqual(['BadState', ['told to fail', 'cannot undo']]);
});

test('areas, gaps and overlaps of a range', () => {
  const { set, area } = setup();
  for (const start of evens) set.map(area(start, 0x1000, 1));
  expect(set.overlapping(0xfffn, 0x1002n).map((a) => a.start)).toEqual([0n, 0x2000n]);
  expect([set.overlaps(0x1000n, 0x1000n), set.overlaps(0x1000n, 0x1001n)]).toEqual([false, true]);
  expect(set.gaps(0x800n, 0x2000n)).toEqual([{ start: 0x1000n, end: 0x2000n }]);
  expect(set.gaps(0xe800n, 0x2000n)).toEqual([{ start: 0xf000n, end: 0x10800n }]);
  expect(set.findFreeArea({ size: 0x800n, limit: { start: 0n, end: 0xff00n }, align: 0x400n, topDown: true })).toBe(0xf400n);
  set.clear();
  expect([set.length, set.gaps(0n, 5n), set.find(0n)]).toEqual([0, [{ start: 0n, end: 5n }], undefined]);
});

describe('against a naive model', () => {
  const address = fc.integer({ min: 0, max: 63 }).map((p) => p * 0x100);
  const size = fc.integer({ min: 1, max: 24 }).map((p) => p * 0x100);
  const flags = fc.integer({ min: 1, max: 3 });
  const operation = fc.oneof(
    { weight: 3, arbitrary: fc.record({ op: fc.constant('map' as const), start: address, size, flags, replace: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('unmap' as const), start: address, size, flags, replace: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('protect' as const), start: address, size, flags, replace: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('find' as const), start: address, size, flags, replace: fc.boolean() }) },
  );

  test('random operations, some of which fail: all or nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(operation, fc.option(fc.integer({ min: 1, max: 6 }))), { maxLength: 60 }), fc.boolean(), (operations, merges) => {
        const { table, set, area } = setup();
        let model = new Uint8Array(SPACE);
        for (const [{ op, start, size: n, flags: f, replace }, failIn] of operations) {
          const next = model.slice();
          const range = next.subarray(start, start + n);
          if (op === 'find') {
            const at = set.findFreeArea({ hint: BigInt(start), size: BigInt(n), limit: { start: 0x800n, end: 0x5000n }, align: 0x200n, topDown: replace });
            const fits = (a: number): boolean => a >= Math.max(start, 0x800) && a + n <= 0x5000 && !model.subarray(a, a + n).some((b) => b !== 0);
            const all = Array.from({ length: SPACE / 0x200 }, (_, i) => i * 0x200).filter(fits);
            expect(at === undefined ? undefined : Number(at)).toBe(replace ? all.at(-1) : all[0]);
            continue;
          }
          const taken = range.some((b) => b !== 0);
          table.failIn = failIn ?? Infinity;
          const error = kindOf(() => {
            if (op === 'map') set.map(area(start, n, f, merges), { replace });
            else if (op === 'unmap') set.unmap(BigInt(start), BigInt(n));
            else set.protect(BigInt(start), BigInt(n), (old) => (old === 3 ? undefined : f));
          });
          table.failIn = Infinity;
          if (op === 'map' && taken && !replace) expect(error).toBe('AlreadyExists');
          else if (error !== undefined) expect([error, failIn === null]).toEqual(['NoMemory', false]);
          else {
            if (op === 'map') range.fill(f);
            else if (op === 'unmap') range.fill(0);
            else range.forEach((old, i) => (range[i] = old === 0 || old === 3 ? old : f));
            model = next;
          }
          expect(Buffer.compare(table.bytes, model)).toBe(0);
          expectAgreement(set, table);
          if (merges) {
            const areas = list(set);
            areas.forEach(([s, size_, fl], i) => {
              const right = areas[i + 1];
              expect(right !== undefined && right[0] === s + size_ && right[2] === fl).toBe(false);
            });
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
