import type { NestedRoot } from '@axvisor/axvisor_api/addrspace';
import { physMemory } from '@axvisor/axvisor_api/memory';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalFlags, EntryCodec, NestedPageTable, TABLE_FORMATS, tableFormat, type TableFormat } from '../src/index.ts';
import { DEVICE, G1, K4, kindOf, linked, M2, R, RW, RWX, told, UNCACHED, usedFrames, USER, W, withFrames, X } from './fixture.ts';
import { hardwareWalk } from './hardware_walk.ts';

const labelled = TABLE_FORMATS.map((format) => [`${format.entry.name} with ${format.levels} levels`, format] as const);
const rootOf = (table: NestedPageTable): NestedRoot => ({ format: table.format.entry.name, levels: table.format.levels, address: table.root });

function withTable(format: TableFormat, f: (table: NestedPageTable, root: NestedRoot) => void): void {
  linked(() => {
    using table = new NestedPageTable(format, 3);
    f(table, rootOf(table));
  });
}

describe('entries, by the manuals', () => {
  /** The entry that maps guest 0x40201000 (or the block it lies in) to `hpa`. */
  function leaf(format: TableFormat, hpa: number, size: number, flags: number): bigint {
    let entry = 0n;
    withTable(format, (table) => {
      const at = size === K4 ? 0x4020_1000 : size === M2 ? 0x4020_0000 : 0x4000_0000;
      table.map(at, hpa, size, flags);
      table.some(at, size, (i) => {
        entry = physMemory().longs[i / 2]!;
        return true;
      });
    });
    return entry;
  }

  test('EPT: R W X in 2:0, type in 5:3, large page 7, accessed 8, dirty 9', () => {
    const format = tableFormat('ept');
    expect(leaf(format, 0x123_4000, K4, RW)).toBe(0x123_4333n);
    expect(leaf(format, 0x123_4000, K4, RWX)).toBe(0x123_4337n);
    expect(leaf(format, 0x4_c000_0000, G1, RWX)).toBe(0x4_c000_03b7n);
    expect(leaf(format, 0x123_4000, K4, RW | DEVICE)).toBe(0x123_4303n);
    expect(leaf(format, 0x123_4000, K4, R | UNCACHED)).toBe(0x123_4309n);
  });

  test('Sv39x4: V R W X U G A D in 7:0, PPN from bit 10', () => {
    const format = tableFormat('sv39x4');
    expect(leaf(format, 0x8000_0000, K4, RW)).toBe((0x8000_0000n >> 2n) | 0xd7n);
    expect(leaf(format, 0x8000_0000, K4, RWX | USER)).toBe((0x8000_0000n >> 2n) | 0xdfn);
    expect(leaf(format, 0xf_ffff_ffe0_0000, M2, RWX)).toBe((0xf_ffff_ffe0_0000n >> 2n) | 0xdfn);
    expect(leaf(format, 0x8000_0000, K4, X)).toBe((0x8000_0000n >> 2n) | 0xd9n);
    expect(leaf(format, 0x8000_0000, K4, RW | DEVICE)).toBe((0x8000_0000n >> 2n) | 0x1d7n);
  });

  test('Arm stage 2: S2AP 7:6, SH 9:8, AF 10, DBM 51, XN[1] 54', () => {
    const format = tableFormat('arm-s2');
    expect(leaf(format, 0x8000_0000, K4, RWX)).toBe(0x8000_07ffn | (1n << 51n));
    expect(leaf(format, 0x8000_0000, K4, RW)).toBe(0x8000_07ffn | (1n << 51n) | (1n << 54n));
    expect(leaf(format, 0x8000_0000, K4, R) & 0x60_0000_0000_06ffn).toBe(0x40_0000_0000_067fn & 0x60_0000_0000_06ffn);
    expect(leaf(format, 0x8000_0000, M2, RWX)).toBe(0x8000_07fdn | (1n << 51n));
    expect(leaf(format, 0x8000_0000, K4, RW | DEVICE)).toBe(0x8000_06c3n | (1n << 51n) | (1n << 54n));
    expect(leaf(format, 0x8000_0000, K4, RW | UNCACHED)).toBe(0x8000_06d7n | (1n << 51n) | (1n << 54n));
  });

  test.each(labelled)('%s: decoding is the inverse of encoding, and the dirty state is apart', (_, { entry }) => {
    const codec = new EntryCodec(entry);
    for (let flags = 0; flags < 64; flags++)
      for (const level of [0, 1, 2])
        for (const dirty of [false, true]) {
          if (!codec.canExpress(flags)) continue;
          const [lo, hi] = codec.encode(flags, level, dirty);
          expect(codec.decode(lo, hi)).toBe(canonicalFlags(flags));
          expect(codec.isDirty(lo, hi)).toBe(dirty);
          expect((lo & entry.present[0]) !== 0).toBe((flags & RWX) !== 0);
          expect(lo | hi).not.toBe(0);
        }
  });

  test('permissions that a format cannot express', () => {
    const impossible = TABLE_FORMATS.map((format) => [1, 2, 3, 4, 5, 6, 7].filter((p) => !new EntryCodec(format.entry).canExpress(p)));
    expect(impossible).toEqual([[W, W | X], [W, W | X], [X, W | X], [X, W | X], [W, X, W | X], [W, X, W | X], [W, X, W | X]]);
    withTable(tableFormat('ept'), (table) => {
      expect(kindOf(() => table.map(0, 0, K4, W))).toBe('InvalidInput');
      expect(kindOf(() => table.protect(0, K4, X))).toBe('InvalidInput');
      expect(usedFrames()).toBe(1);
    });
  });
});

describe.each(labelled)('%s', (_, format) => {
  const top = 2 ** format.gpaBits;

  test('the whole reach is translated, and nothing aliases', () =>
    withTable(format, (table, root) => {
      const pages = [0, top - K4, top / 2, top / 2 - K4, top / 4];
      pages.forEach((at, n) => table.map(at, n * K4, K4, RW));
      pages.forEach((at, n) => expect(hardwareWalk(root, BigInt(at) + 7n)?.hpa).toBe(BigInt(n * K4 + 7)));
      expect([table.query(top), table.query(-1), table.query(top / 8)]).toEqual([undefined, undefined, undefined]);
    }));

  test('the largest page that alignment, distance and size allow', () =>
    withTable(format, (table, root) => {
      const at = G1 - M2 - K4;
      table.map(at, at, 2 * G1 + 2 * (M2 + K4), RWX);
      const sizeAt = (gpa: number): number => Number(hardwareWalk(root, BigInt(gpa))?.size);
      expect([at, at + K4, G1, 2 * G1, 3 * G1, 3 * G1 + M2].map(sizeAt)).toEqual([K4, M2, G1, G1, M2, K4]);
      table.map(4 * G1, 4 * G1 + M2, G1, RWX);
      table.map(8 * G1, 8 * G1 + K4, M2, RWX);
      table.map(9 * G1, 9 * G1, G1, RWX, false);
      expect([4 * G1, 8 * G1, 9 * G1].map(sizeAt)).toEqual([M2, K4, K4]);
    }));

  test('a piece of a large page is cut out, the rest stays', () =>
    withTable(format, (table, root) => {
      table.map(G1, 5 * G1, G1, RWX);
      const before = usedFrames();
      const freed: [number, number][] = [];
      told.invalidated = [];
      table.unmap(G1 + M2 + K4, 2 * K4, (...leaf) => freed.push(leaf));
      expect(usedFrames()).toBe(before + 2);
      expect(freed).toEqual([[5 * G1 + M2 + K4, K4], [5 * G1 + M2 + 2 * K4, K4]]);
      expect(told.invalidated).toEqual([{ vmid: 3, gpa: BigInt(G1 + M2 + K4), size: BigInt(2 * K4) }]);
      table.protect(2 * G1 - M2, M2, R);
      expect(hardwareWalk(root, BigInt(G1 + M2 + K4))).toBeUndefined();
      expect(hardwareWalk(root, BigInt(G1 + M2 + 5))).toMatchObject({ hpa: BigInt(5 * G1 + M2 + 5), size: 4096n, w: true, x: true, dirty: true });
      expect(hardwareWalk(root, BigInt(G1 + 2 * M2 + 5))).toMatchObject({ hpa: BigInt(5 * G1 + 2 * M2 + 5), size: BigInt(M2) });
      expect(hardwareWalk(root, BigInt(2 * G1 - 1))).toMatchObject({ hpa: BigInt(6 * G1 - 1), size: BigInt(M2), r: true, w: false, x: false });
    }));

  test('misuse', () =>
    withTable(format, (table) => {
      table.map(M2, M2, M2, RW);
      const map = (at: number, hpa: number, size: number) => kindOf(() => table.map(at, hpa, size, RW));
      expect([map(1, 0, K4), map(0, 1, K4), map(0, 0, 1), map(0, 0, 0), map(-K4, 0, K4), map(top, 0, K4), map(0, 0, top + K4), map(0, 2 ** format.hpaBits, K4), map(0, -K4, K4)]).toEqual(
        Array(9).fill('InvalidInput'),
      );
      expect([map(M2, 0, K4), map(M2 + K4, 0, K4), map(0, 0, G1)]).toEqual(Array(3).fill('AlreadyExists'));
      expect([kindOf(() => table.unmap(1, K4)), kindOf(() => table.unmap(0, 0)), kindOf(() => table.protect(top, K4, R))]).toEqual(Array(3).fill('InvalidInput'));
      expect(table.query(M2 + 5)).toEqual({ hpa: M2, gpa: M2, size: M2, flags: RW, dirty: true });
    }));
});

describe('against a naive model', () => {
  const page = fc.oneof(fc.integer({ min: 0, max: 8 }), fc.integer({ min: 508, max: 516 }), fc.constantFrom(0, 512, 1024));
  /** Addresses around 2 MiB, 1 GiB and larger borders. */
  const address = fc
    .record({ huge: fc.constantFrom(0, 1, 2, 511, 512, 513), large: fc.constantFrom(0, 0, 1, 2, 510, 511), page })
    .map(({ huge, large, page: p }) => huge * G1 + large * M2 + p * K4);
  const size = fc.oneof(
    page.map((p) => (p + 1) * K4),
    fc.integer({ min: 1, max: 3 }).map((n) => n * M2),
    fc.integer({ min: 1, max: 2 }).map((n) => n * G1),
  );
  const shift = fc.oneof(fc.constant(0), fc.constantFrom(K4, M2, 3 * M2, G1, 7 * G1));
  const operation = fc.record({
    op: fc.constantFrom('map' as const, 'map' as const, 'map' as const, 'unmap' as const, 'protect' as const),
    start: address,
    size,
    shift,
    flags: fc.constantFrom(R, RW, RWX, R | X, R | DEVICE, RW | UNCACHED, 0),
    huge: fc.boolean(),
    /** Frames that are left for the operation. */
    frames: fc.option(fc.integer({ min: 0, max: 5 })),
  });

  interface Mapped {
    readonly shift: number;
    readonly flags: number;
  }

  const check = (root: NestedRoot, at: number, expected: Mapped | undefined): void => {
    const walked = hardwareWalk(root, BigInt(at));
    const inaccessible = expected === undefined || (expected.flags & RWX) === 0;
    expect(walked === undefined).toBe(inaccessible);
    if (walked === undefined || expected === undefined) return;
    const { flags } = expected;
    expect(walked.hpa).toBe(BigInt(at + expected.shift));
    expect([walked.r, walked.w, walked.x]).toEqual([R, W, X].map((f) => (flags & f) !== 0));
    expect(walked.type).toBe((flags & DEVICE) !== 0 ? 'device' : (flags & UNCACHED) !== 0 ? 'uncached' : 'normal');
  };

  test.each(labelled)('%s: random map, unmap and protect, some without memory', (_, format) => {
    const reach = 2 ** format.gpaBits;
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 25 }), (operations) =>
        withTable(format, (table, root) => {
          // Between two neighbouring borders of any operation all pages are alike.
          const borders = [...new Set(operations.flatMap((o) => [o.start, o.start + o.size]))].filter((b) => b < reach).sort((a, b) => a - b);
          const segments = borders.slice(0, -1).map((start, i) => ({ start, end: borders[i + 1]! }));
          const model: (Mapped | undefined)[] = segments.map(() => undefined);
          for (const { op, start, size: n, shift: s, flags, huge, frames } of operations) {
            if (start + n > reach) continue;
            const inside = segments.flatMap((g, i) => (g.start >= start && g.end <= start + n ? [i] : []));
            const before = usedFrames();
            told.invalidated = [];
            let error: string | undefined;
            const act = (): void => {
              error = kindOf(() => {
                if (op === 'map') table.map(start, start + s, n, flags, huge || n >= G1);
                else if (op === 'unmap') table.unmap(start, n);
                else table.protect(start, n, flags);
              });
            };
            if (frames === null) act();
            else withFrames(frames, act);
            const changed = inside.filter((i) => model[i] !== undefined);
            if (op === 'map' && changed.length > 0) expect(error).toBe('AlreadyExists');
            else if (error !== undefined) {
              expect([error, frames === null]).toEqual(['NoMemory', false]);
              if (op === 'map') expect(usedFrames()).toBe(before);
            } else {
              for (const i of inside)
                if (op === 'map') model[i] = { shift: s, flags };
                else if (model[i] !== undefined) model[i] = op === 'unmap' ? undefined : { shift: model[i].shift, flags };
              // One invalidation with the borders of what was there.
              if (op !== 'map' && changed.length > 0) {
                expect(told.invalidated.length).toBe(1);
                const { gpa: from, size: bytes } = told.invalidated[0]!;
                expect([Number(from), Number(from + bytes)]).toEqual([segments[changed[0]!]!.start, segments[changed.at(-1)!]!.end]);
              } else expect(told.invalidated).toEqual([]);
            }
            segments.forEach((g, i) => {
              for (const at of [g.start, g.end - 1]) {
                check(root, at, model[i]);
                const leaf = table.query(at);
                expect(leaf === undefined ? undefined : { shift: leaf.hpa - leaf.gpa, flags: leaf.flags }).toEqual(model[i]);
              }
            });
          }
          const mapped = segments.reduce((sum, g, i) => sum + (model[i] === undefined ? 0 : g.end - g.start), 0);
          let freed = 0;
          table.unmap(0, reach, (__, bytes) => (freed += bytes));
          expect(freed).toBe(mapped);
          expect(usedFrames()).toBe(Number(format.entry.name.startsWith('sv') ? 4 : format.gpaBits === 40 ? 2 : 1));
        }),
      ),
      { numRuns: 60 },
    );
  });

  test('2048 random 4 KiB operations, three maps to one unmap; every table is freed exactly once', () => {
    for (const format of TABLE_FORMATS)
      linked(() => {
        const table = new NestedPageTable(format, 3);
        const mapped = new Map<number, number>();
        let seed = 12345;
        const random = (n: number): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % n;
        for (let i = 0; i < 2048; i++) {
          const at = random(64) * M2 * 37 + random(128) * K4;
          if (random(4) === 0) {
            table.unmap(at, K4);
            mapped.delete(at);
          } else if (!mapped.has(at)) {
            table.map(at, i * K4, K4, RW);
            mapped.set(at, i * K4);
          }
          expect(table.translate(at)).toBe(mapped.get(at) ?? -1);
        }
        for (const [at, hpa] of mapped) expect(table.translate(at)).toBe(hpa);
        table[Symbol.dispose]();
        expect(usedFrames()).toBe(0);
        expect(kindOf(() => table[Symbol.dispose]())).toBe('BadState');
      });
  });
});
