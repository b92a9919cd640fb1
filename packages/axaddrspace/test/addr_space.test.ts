import { createAddrSpace, type AddrSpace, type AddrSpaceOptions } from '@axvisor/axvisor_api/addrspace';
import { allocContiguousFrames, deallocContiguousFrames, frameCounts, physMemory } from '@axvisor/axvisor_api/memory';
import { describe, expect, test } from 'vitest';
import { AddrSpace as OwnAddrSpace } from '../src/index.ts';
import { DEVICE, gpa, hpa, K4, kindOf, linked, M2, MiB, R, RW, RWX, told, usedFrames, USER, VARIANTS, W, withFrames, X } from './fixture.ts';

const BASE = 0x1_0000n;
const SIZE = 0x1_0000n;

/** Runs `f` with a space at 0x10000 of 0x10000 bytes. */
function withSpace(f: (space: AddrSpace) => void, options: Partial<AddrSpaceOptions> = {}, memory?: number): void {
  linked(() => {
    using space = createAddrSpace({ base: gpa(BASE), size: SIZE, format: 'sv39x4', vmid: 7, ...options });
    f(space);
  }, memory);
}

const bytesAt = (a: bigint | undefined, n: number): number[] => [...physMemory().bytes.subarray(Number(a), Number(a) + n)];

describe('creation', () => {
  test('takes the root only, and gives it back', () => {
    linked(() => {
      for (const [variant, frames, address] of [
        [VARIANTS[0]!, 4, 0x4000n], [VARIANTS[1]!, 4, 0x4000n], [VARIANTS[2]!, 2, 0x2000n], [VARIANTS[3]!, 1, 0x1000n], [VARIANTS[4]!, 1, 0x1000n], [VARIANTS[5]!, 1, 0x1000n],
      ] as const) {
        using space = createAddrSpace({ base: gpa(BASE), size: SIZE, vmid: 1, ...variant });
        expect(usedFrames()).toBe(frames);
        expect([space.base, space.size, (space as OwnAddrSpace).end]).toEqual([BASE, SIZE, BASE + SIZE]);
        expect(space.root).toEqual({ ...variant, address });
      }
      expect(usedFrames()).toBe(0);
    });
  });

  test('by default it is as large as the format allows', () => {
    linked(() => {
      const sizes = VARIANTS.map((variant) => {
        using space = createAddrSpace({ vmid: 1, ...variant });
        return space.size;
      });
      expect(sizes).toEqual([41n, 50n, 40n, 48n, 48n, 52n, 48n].map((b) => 1n << b));
      using rest = createAddrSpace({ vmid: 1, format: 'arm-s2', base: gpa(0x1000n) });
      expect(rest.size).toBe((1n << 40n) - 0x1000n);
    });
  });

  test('bad options', () => {
    linked(() => {
      const create = (options: Partial<AddrSpaceOptions>) => () => createAddrSpace({ format: 'sv39x4', vmid: 1, ...options });
      for (const options of [
        { format: 'sv32x4' as never }, { levels: 4 }, { format: 'ept', levels: 3 }, { base: gpa(1n) }, { size: 0n }, { size: 0x1001n },
        { size: (1n << 41n) + 0x1000n }, { base: gpa(0x1000n), size: 1n << 41n }, { base: gpa(-0x1000n) }, { vmid: -1 }, { vmid: 1 << 14 },
      ] as const)
        expect(kindOf(create(options))).toBe('InvalidInput');
      withFrames(3, () => expect(kindOf(create({}))).toBe('NoMemory'));
    });
  });

  test('a space can be disposed of once, and then not be used', () => {
    linked(() => {
      const space = createAddrSpace({ base: gpa(BASE), size: SIZE, format: 'ept', vmid: 1 });
      space.mapAlloc(gpa(BASE), SIZE, RW, { populate: true });
      space[Symbol.dispose]();
      expect(usedFrames()).toBe(0);
      for (const f of [
        () => space[Symbol.dispose](), () => space.mapAlloc(gpa(BASE), 0x1000n, R), () => space.unmap(gpa(BASE), 0x1000n), () => space.clear(),
        () => space.translate(gpa(BASE)), () => space.translateAndLimit(gpa(BASE)), () => space.handlePageFault(gpa(BASE), R),
        () => space.translatedByteBuffer(gpa(BASE), 1), () => space.dirtyRanges(),
      ])
        expect(kindOf(f)).toBe('BadState');
      expect(kindOf(() => space.readValue(gpa(BASE), 4))).toBe('BadAddress');
    });
  });

  test('containsRange', () =>
    withSpace((s) => {
      const space = s as OwnAddrSpace;
      const contains = (start: bigint, size: bigint): boolean => space.containsRange(gpa(start), size);
      expect([contains(BASE, 0x1000n), contains(BASE + 0x1000n, 0x2000n), contains(BASE, SIZE), contains(BASE + SIZE, 0n)]).toEqual([true, true, true, true]);
      expect([contains(BASE - 0x1000n, 0x1000n), contains(BASE + SIZE, 0x1000n), contains(BASE, SIZE + 0x1000n), contains(BASE + 0x3000n, 0xf000n)]).toEqual([false, false, false, false]);
      expect(contains(BASE, (1n << 64n) - BASE)).toBe(false);
    }));
});

describe('mapLinear', () => {
  test('translates at a constant distance, in both directions', () =>
    withSpace((space) => {
      space.mapLinear(gpa(0x1_8000n), hpa(0x1_0000n), 0x8000n, RW);
      expect([space.translate(gpa(0x1_8000n)), space.translate(gpa(0x1_9000n)), space.translate(gpa(0x1_9123n))]).toEqual([0x1_0000n, 0x1_1000n, 0x1_1123n]);
      space.mapLinear(gpa(0x1_0000n), hpa(0x10_0000n), 0x1000n, RW);
      expect(space.translate(gpa(0x1_0fffn))).toBe(0x10_0fffn);
      expect([space.translate(gpa(0x1_7fffn)), space.translate(gpa(0x2_0000n)), space.translate(gpa(0x3_0000n))]).toEqual([undefined, undefined, undefined]);
      expect(space.areas()).toEqual([
        { range: { start: 0x1_0000n, end: 0x1_1000n }, flags: RW, backend: 'linear' },
        { range: { start: 0x1_8000n, end: 0x2_0000n }, flags: RW, backend: 'linear' },
      ]);
      expect(space.handlePageFault(gpa(0x1_2000n), R)).toBe(false);
    }));

  test('with the largest pages that fit', () =>
    withSpace(
      (space) => {
        space.mapLinear(gpa(0x4000_0000n), hpa(0n), 0x1_0000_0000n, RWX);
        expect(usedFrames()).toBe(4);
        space.mapLinear(gpa(0x20_0000n), hpa(0x20_0000n), 0x40_1000n, RWX);
        expect(usedFrames()).toBe(6);
        expect(space.translate(gpa(0x60_0fffn))).toBe(0x60_0fffn);
        space.unmap(gpa(0x4000_0000n), 0x1000n);
        expect(usedFrames()).toBe(8);
        expect([space.translate(gpa(0x4000_0fffn)), space.translate(gpa(0x4000_1000n)), space.translate(gpa(0x8000_0000n))]).toEqual([undefined, 0x1000n, 0x4000_0000n]);
      },
      { base: gpa(0n), size: 1n << 41n },
      4096 * MiB,
    ));

  test('what is wrong with a range', () =>
    withSpace((space) => {
      const map = (g: bigint, h: bigint, size: bigint, flags = RW) => kindOf(() => space.mapLinear(gpa(g), hpa(h), size, flags));
      expect([map(0n, 0n, 0x1000n), map(BASE + SIZE, 0n, 0x1000n), map(BASE, 0n, SIZE + 0x1000n), map(BASE, 0n, 1n << 64n)]).toEqual(Array(4).fill('InvalidInput'));
      expect([map(BASE + 1n, 0n, 0x1000n), map(BASE, 1n, 0x1000n), map(BASE, 0n, 0x1001n), map(BASE, 0n, 0n)]).toEqual(Array(4).fill('InvalidInput'));
      expect([map(BASE, 16n * BigInt(MiB), 0x1000n), map(BASE, 1n << 60n, 0x1000n), map(BASE, -0x1000n, 0x1000n)]).toEqual(Array(3).fill('BadAddress'));
      expect([map(BASE, 0n, 0x1000n, 64), map(BASE, 0n, 0x1000n, W), map(BASE, 0n, 0x1000n, W | X)]).toEqual(Array(3).fill('InvalidInput'));
      expect(map(BASE, 0n, 0x2000n)).toBeUndefined();
      expect([map(BASE + 0x1000n, 0n, 0x1000n), map(BASE, 0n, SIZE)]).toEqual(['AlreadyExists', 'AlreadyExists']);
      expect(space.areas().length).toBe(1);
    }));
});

/** Uses free frames, and gives them back as they are then. */
function soilFrames(): void {
  const first = allocContiguousFrames(32) ?? expect.fail('no frames');
  physMemory().bytes.fill(0xee, Number(first), Number(first) + 32 * K4);
  deallocContiguousFrames(first, 32);
}

describe('mapAlloc', () => {
  test('populated: distinct zeroed frames at once', () =>
    withSpace((space) => {
      soilFrames();
      space.mapAlloc(gpa(BASE), 0x2000n, RW, { populate: true });
      const pages = [space.translate(gpa(BASE)), space.translate(gpa(BASE + 0x1000n))];
      expect(new Set(pages).size).toBe(2);
      for (const page of pages) expect(bytesAt(page, K4).every((b) => b === 0)).toBe(true);
      expect(usedFrames()).toBe(4 + 2 + 2);
      expect(space.areas()[0]?.backend).toBe('alloc');
    }));

  test('populated with 2 MiB pages where alignment and memory allow', () =>
    withSpace(
      (space) => {
        space.mapAlloc(gpa(0x1f_f000n), 0x60_2000n, RWX, { populate: true });
        // Root, level 1, three tables for 4 KiB pages, two of them.
        expect(usedFrames()).toBe(4 + 1 + 2 + 2 + 3 * 512);
        space.unmap(gpa(0x20_1000n), 0x1000n);
        expect(usedFrames()).toBe(4 + 1 + 3 + 2 + 3 * 512 - 1);
        space.unmap(gpa(0x20_0000n), 0x20_0000n);
        expect(usedFrames()).toBe(4 + 1 + 2 + 2 + 2 * 512);
      },
      { base: gpa(0n), size: 1n << 41n },
    ));

  test('populated memory falls back to 4 KiB pages, and to nothing', () =>
    withSpace(
      (space) => {
        const hold = allocContiguousFrames(2048, 0)!;
        const second = allocContiguousFrames(1536 - 16, 0)!;
        const before = usedFrames();
        space.mapAlloc(gpa(0n), 0x20_0000n, RWX, { populate: true });
        expect(usedFrames()).toBe(before + 2 + 512);
        expect(kindOf(() => space.mapAlloc(gpa(0x20_0000n), 0x80_0000n, RWX, { populate: true }))).toBe('NoMemory');
        expect(usedFrames()).toBe(before + 2 + 512);
        expect(space.areas().length).toBe(1);
        deallocContiguousFrames(hold, 2048);
        deallocContiguousFrames(second, 1536 - 16);
      },
      { base: gpa(0n), size: 1n << 41n },
    ));

  test('lazily: nothing until the first access, zeroed then', () =>
    withSpace((space) => {
      soilFrames();
      const before = usedFrames();
      space.mapAlloc(gpa(0x1_3000n), 0x2000n, RW);
      expect([space.translate(gpa(0x1_3000n)), usedFrames()]).toEqual([undefined, before]);
      expect(space.handlePageFault(gpa(0x1_3abcn), R)).toBe(true);
      const page = space.translate(gpa(0x1_3000n));
      expect(bytesAt(page, K4).every((b) => b === 0)).toBe(true);
      expect([space.translate(gpa(0x1_4000n)), usedFrames()]).toEqual([undefined, before + 3]);
    }));
});

describe('handlePageFault', () => {
  test('is idempotent: a page that is present keeps frame and contents', () =>
    withSpace((space) => {
      space.mapAlloc(gpa(0x1_4000n), 0x1000n, RW);
      expect(space.handlePageFault(gpa(0x1_4000n), W)).toBe(true);
      const page = space.translate(gpa(0x1_4000n));
      space.writeValue(gpa(0x1_4000n), 4, 0x1234n);
      const used = usedFrames();
      told.invalidated = [];
      expect(space.handlePageFault(gpa(0x1_4008n), W)).toBe(true);
      expect([space.translate(gpa(0x1_4000n)), space.readValue(gpa(0x1_4000n), 4), usedFrames()]).toEqual([page, 0x1234n, used]);
      expect(told.invalidated).toEqual([{ vmid: 7, gpa: 0x1_4000n, size: 0x1000n }]);
    }));

  test('refuses what the area does not permit, and what is no memory', () =>
    withSpace((space) => {
      space.mapAlloc(gpa(0x1_4000n), 0x1000n, R);
      expect([W, X, RW, 0].map((access) => space.handlePageFault(gpa(0x1_4000n), access))).toEqual([false, false, false, false]);
      expect(space.translate(gpa(0x1_4000n))).toBeUndefined();
      expect([0x1_5000n, 0n, 0x2_0000n, 1n << 63n].map((a) => space.handlePageFault(gpa(a), R))).toEqual([false, false, false, false]);
      expect(space.handlePageFault(gpa(0x1_4000n), R | USER)).toBe(true);
    }));

  test('without a free frame it is NoMemory, and works later', () =>
    withSpace((space) => {
      space.mapAlloc(gpa(0x1_4000n), 0x1000n, R);
      for (const frames of [0, 1, 2]) withFrames(frames, () => expect(kindOf(() => space.handlePageFault(gpa(0x1_4000n), R))).toBe('NoMemory'));
      expect(usedFrames()).toBe(4);
      expect(space.handlePageFault(gpa(0x1_4000n), R)).toBe(true);
    }));
});

describe('unmap, protect, clear', () => {
  test('unmap gives frames and empty tables back', () =>
    withSpace((space) => {
      space.mapAlloc(gpa(0x1_5000n), 0x2000n, RW, { populate: true });
      told.invalidated = [];
      space.unmap(gpa(0x1_5000n), 0x2000n);
      expect([space.translate(gpa(0x1_5000n)), space.translate(gpa(0x1_6000n)), usedFrames()]).toEqual([undefined, undefined, 4]);
      expect(told.invalidated).toEqual([{ vmid: 7, gpa: 0x1_5000n, size: 0x2000n }]);
      expect(space.areas()).toEqual([]);
      space.unmap(gpa(BASE), SIZE);
      expect(kindOf(() => space.unmap(gpa(BASE), 0n))).toBe('InvalidInput');
      expect(kindOf(() => space.unmap(gpa(0n), SIZE))).toBe('InvalidInput');
    }));

  test('one invalidation for an operation on several areas', () =>
    withSpace((space) => {
      space.mapAlloc(gpa(0x1_6000n), 0x1000n, RW, { populate: true });
      space.mapAlloc(gpa(0x1_7000n), 0x1000n, R, { populate: true });
      space.mapLinear(gpa(0x1_a000n), hpa(0n), 0x1000n, RW);
      told.invalidated = [];
      space.protect(gpa(0x1_6000n), 0x5000n, R);
      expect(told.invalidated).toEqual([{ vmid: 7, gpa: 0x1_6000n, size: 0x5000n }]);
      expect(space.areas().map((a) => [a.range.start, a.range.end, a.flags])).toEqual([[0x1_6000n, 0x1_8000n, R], [0x1_a000n, 0x1_b000n, R]]);
      told.invalidated = [];
      space.clear();
      expect(told.invalidated).toEqual([{ vmid: 7, gpa: 0x1_6000n, size: 0x5000n }]);
      expect([space.translate(gpa(0x1_6000n)), space.translate(gpa(0x1_a000n)), usedFrames()]).toEqual([undefined, undefined, 4]);
    }));

  test('a fault gives the block around it: a huge page where nothing is, else the pages that are missing', () =>
    withSpace((space) => {
      const at = 0x400_0000n;
      const HUGE = BigInt(M2);
      space.mapAlloc(gpa(at), 2n * HUGE + 0x3000n, RW, { around: HUGE });
      const before = usedFrames();
      expect(space.handlePageFault(gpa(at + 0x5123n), W)).toBe(true);
      expect(space.translateAndLimit(gpa(at))?.limit).toBe(HUGE);
      expect(usedFrames() - before).toBe(512 + 1);
      expect(space.handlePageFault(gpa(at + 2n * HUGE + 0x1000n), R)).toBe(true);
      expect(space.translate(gpa(at + 2n * HUGE + 0x2000n))).toBeDefined();
      space.unmap(gpa(at + 0x1000n), 0x1000n);
      space.mapAlloc(gpa(at + 0x1000n), 0x1000n, RW, { around: HUGE });
      space.writeValue(gpa(at + 0x2000n), 8, 7n);
      expect(space.handlePageFault(gpa(at + 0x1000n), W)).toBe(true);
      expect([space.readValue(gpa(at + 0x1000n), 8), space.readValue(gpa(at + 0x2000n), 8)]).toEqual([0n, 7n]);
      expect(space.translate(gpa(at + HUGE))).toBeUndefined();
      for (const around of [0n, 0x800n, 0x3000n, 2n * HUGE]) expect(kindOf(() => space.mapAlloc(gpa(at + 0x80_0000n), 0x1000n, RW, { around }))).toBe('InvalidInput');
    }, { base: gpa(0n), size: 0x800_0000n }, 64 * MiB));

  test('a fault is repaired with the last frames, though the block around it is not', () =>
    withSpace((space) => {
      space.mapAlloc(gpa(0x1_0000n), 0x1_0000n, RW, { around: 0x1_0000n });
      const count = frameCounts().free - 6;
      const taken = allocContiguousFrames(count);
      expect(space.handlePageFault(gpa(0x1_8000n), W)).toBe(true);
      expect(space.translate(gpa(0x1_8000n))).toBeDefined();
      expect(taken).toBeDefined();
      if (taken !== undefined) deallocContiguousFrames(taken, count);
    }));

  test('mapping what was not mapped needs no invalidation', () =>
    withSpace((space) => {
      space.mapAlloc(gpa(BASE), SIZE, RW);
      space.handlePageFault(gpa(BASE), W);
      expect(told.invalidated).toEqual([]);
    }));

  test('frames are given back after the invalidation', () =>
    withSpace((space) => {
      space.mapAlloc(gpa(BASE), 0x1000n, RW, { populate: true });
      const free = frameCounts().free;
      let during = -1;
      const { push } = told.invalidated;
      told.invalidated.push = function (...items) {
        during = frameCounts().free;
        return push.apply(this, items);
      };
      space.unmap(gpa(BASE), 0x1000n);
      expect([during, frameCounts().free]).toEqual([free, free + 3]);
    }));

  test('protect applies to lazy pages and cuts areas', () =>
    withSpace((space) => {
      space.mapAlloc(gpa(BASE), 0x4000n, RW);
      space.handlePageFault(gpa(BASE + 0x1000n), W);
      space.writeValue(gpa(BASE + 0x1000n), 1, 0x55n);
      space.protect(gpa(BASE + 0x1000n), 0x2000n, R);
      expect(space.areas().map((a) => [a.range.start - BASE, a.range.end - BASE, a.flags])).toEqual([[0n, 0x1000n, RW], [0x1000n, 0x3000n, R], [0x3000n, 0x4000n, RW]]);
      for (const at of [0x1000n, 0x2000n]) {
        expect(space.handlePageFault(gpa(BASE + at), W)).toBe(false);
        expect(kindOf(() => space.writeValue(gpa(BASE + at), 1, 0n))).toBe('BadAddress');
        expect(space.readValue(gpa(BASE + at), 1)).toBe(at === 0x1000n ? 0x55n : 0n);
      }
      space.protect(gpa(BASE), 0x4000n, RW);
      expect(space.areas().length).toBe(1);
      expect(kindOf(() => space.protect(gpa(BASE), 0x1000n, W))).toBe('InvalidInput');
      expect(kindOf(() => space.protect(gpa(BASE), 0n, R))).toBe('InvalidInput');
    }));

  test('without permissions memory is kept, but not accessible', () => {
    for (const variant of VARIANTS)
      withSpace((space) => {
        space.mapAlloc(gpa(BASE), 0x1000n, RW, { populate: true });
        space.writeValue(gpa(BASE), 8, 0xdeadn);
        const at = space.translate(gpa(BASE));
        const used = usedFrames();
        space.protect(gpa(BASE), 0x1000n, 0);
        expect([space.translate(gpa(BASE)), space.handlePageFault(gpa(BASE), R), kindOf(() => space.readValue(gpa(BASE), 1)), usedFrames()]).toEqual([undefined, false, 'BadAddress', used]);
        space.protect(gpa(BASE), 0x1000n, RW | DEVICE);
        expect([space.translate(gpa(BASE)), space.readValue(gpa(BASE), 8)]).toEqual([at, 0xdeadn]);
      }, variant);
  });

  test('a split without memory leaves everything as it was', () =>
    withSpace(
      (space) => {
        space.mapLinear(gpa(0x20_0000n), hpa(0x20_0000n), 0x20_0000n, RWX);
        const used = usedFrames();
        withFrames(0, () => {
          expect(kindOf(() => space.unmap(gpa(0x20_0000n), 0x1000n))).toBe('NoMemory');
          expect(kindOf(() => space.protect(gpa(0x30_0000n), 0x1000n, R))).toBe('NoMemory');
        });
        expect([usedFrames(), space.areas().length, space.translate(gpa(0x20_0000n))]).toEqual([used, 1, 0x20_0000n]);
        space.writeValue(gpa(0x30_0000n), 1, 0n);
      },
      { base: gpa(0n), size: 1n << 41n },
    ));
});

test('an unmap of several areas that fails at the last keeps the contents of the first', () =>
  withSpace(
    (space) => {
      space.mapAlloc(gpa(0x1f_f000n), 0x1000n, RW);
      space.writeValue(gpa(0x1f_f000n), 4, 0x77n);
      space.mapLinear(gpa(0x20_0000n), hpa(0x20_0000n), 0x20_0000n, RWX);
      told.invalidated = [];
      withFrames(0, () => expect(kindOf(() => space.unmap(gpa(0x1f_f000n), 0x2000n))).toBe('NoMemory'));
      expect([space.readValue(gpa(0x1f_f000n), 4), space.areas().length, told.invalidated]).toEqual([0x77n, 2, []]);
    },
    { base: gpa(0n), size: 1n << 41n },
  ));

test('neighbours are joined where they could have been mapped as one', () =>
  withSpace((space) => {
    space.mapLinear(gpa(BASE), hpa(0x8000n), 0x1000n, RW);
    space.mapLinear(gpa(BASE + 0x2000n), hpa(0xa000n), 0x1000n, RW);
    space.mapLinear(gpa(BASE + 0x1000n), hpa(0x9000n), 0x1000n, RW);
    expect(space.areas()).toEqual([{ range: { start: BASE, end: BASE + 0x3000n }, flags: RW, backend: 'linear' }]);
    space.mapLinear(gpa(BASE + 0x3000n), hpa(0xc000n), 0x1000n, RW);
    space.mapLinear(gpa(BASE + 0x4000n), hpa(0xd000n), 0x1000n, R);
    space.mapAlloc(gpa(BASE + 0x5000n), 0x1000n, R);
    space.mapAlloc(gpa(BASE + 0x6000n), 0x1000n, R, { populate: true });
    space.mapAlloc(gpa(BASE + 0x7000n), 0x1000n, R, { populate: true });
    expect(space.areas().map((a) => Number(a.range.end - a.range.start))).toEqual([0x3000, 0x1000, 0x1000, 0x1000, 0x2000]);
  }));

describe('translateAndLimit', () => {
  test('is what remains, up to the next discontinuity', () =>
    withSpace((space) => {
      space.mapLinear(gpa(0x1_a000n), hpa(0x10_0000n), 0x3000n, RW);
      expect(space.translateAndLimit(gpa(0x1_a000n))).toEqual({ hpa: 0x10_0000n, limit: 0x3000n });
      expect(space.translateAndLimit(gpa(0x1_b234n))).toEqual({ hpa: 0x10_1234n, limit: 0x1dccn });
      space.mapLinear(gpa(0x1_d000n), hpa(0x20_0000n), 0x1000n, RW);
      expect(space.translateAndLimit(gpa(0x1_c000n))?.limit).toBe(0x1000n);
      space.mapLinear(gpa(0x1_f000n), hpa(0x20_0000n), 0x1000n, RW);
      expect(space.translateAndLimit(gpa(0x1_ffffn))).toEqual({ hpa: 0x20_0fffn, limit: 1n });
      expect([space.translateAndLimit(gpa(0x1_e000n)), space.translateAndLimit(gpa(0x3_0000n))]).toEqual([undefined, undefined]);
    }));
});

describe('translatedByteBuffer', () => {
  test('one view for each consecutive piece, aliasing memory', () =>
    withSpace((space) => {
      space.mapLinear(gpa(0x1_9000n), hpa(0x10_0000n), 0x1000n, RW);
      space.mapLinear(gpa(0x1_a000n), hpa(0x20_0000n), 0x1000n, R);
      const views = space.translatedByteBuffer(gpa(0x1_9000n), 0x1100)!;
      expect(views.map((v) => [v.byteOffset, v.length])).toEqual([[0x10_0000, 0x1000], [0x20_0000, 0x100]]);
      views[0]![5] = 99;
      expect(space.readValue(gpa(0x1_9005n), 1)).toBe(99n);
      expect(space.translatedByteBuffer(gpa(0x1_9000n), 0x3000)).toBeUndefined();
      expect(space.translatedByteBuffer(gpa(0x1_d000n), 1)).toBeUndefined();
      expect(space.translatedByteBuffer(gpa(0x1_9000n), 0)).toEqual([]);
      expect(kindOf(() => space.translatedByteBuffer(gpa(0x1_9000n), -1))).toBe('InvalidInput');
    }));

  test('lazy memory is populated', () =>
    withSpace((space) => {
      space.mapAlloc(gpa(0x1_9000n), 0x3000n, RW);
      const views = space.translatedByteBuffer(gpa(0x1_9800n), 0x2000)!;
      expect(views.reduce((n, v) => n + v.length, 0)).toBe(0x2000);
      expect(space.translate(gpa(0x1_b000n))).toBeDefined();
    }));
});

describe('mapShared', () => {
  test('the same memory in two spaces, until the last drops it', () => {
    linked(() => {
      using a = createAddrSpace({ format: 'sv39x4', vmid: 1 });
      const b = createAddrSpace({ format: 'ept', vmid: 2 });
      a.mapAlloc(gpa(0x1000n), 0x3000n, RW);
      a.writeValue(gpa(0x2000n), 4, 0x1111n);
      b.mapShared(gpa(0x8000n), { space: a, gpa: gpa(0x1000n) }, 0x3000n, R);
      expect([b.readValue(gpa(0x9000n), 4), b.translate(gpa(0x8000n)), b.areas()[0]?.backend]).toEqual([0x1111n, a.translate(gpa(0x1000n)), 'shared']);
      expect(kindOf(() => b.writeValue(gpa(0x9000n), 4, 0n))).toBe('BadAddress');
      b.mapShared(gpa(0x10_0000n), { space: b, gpa: gpa(0x9000n) }, 0x1000n, RW);
      b.writeValue(gpa(0x10_0000n), 4, 0x2222n);
      expect(a.readValue(gpa(0x2000n), 4)).toBe(0x2222n);
      a.unmap(gpa(0x1000n), 0x3000n);
      b.unmap(gpa(0x8000n), 0x1000n);
      expect([b.readValue(gpa(0x9000n), 4), b.readValue(gpa(0x10_0000n), 4)]).toEqual([0x2222n, 0x2222n]);
      b[Symbol.dispose]();
      expect(usedFrames()).toBe(4);
    });
  });

  test('2 MiB pages are shared as such, and split when either side is cut', () => {
    linked(() => {
      using a = createAddrSpace({ format: 'sv39x4', vmid: 1 });
      using b = createAddrSpace({ format: 'sv39x4', vmid: 2 });
      a.mapAlloc(gpa(0x20_0000n), 0x20_0000n, RW, { populate: true });
      b.mapShared(gpa(0x40_0000n), { space: a, gpa: gpa(0x20_0000n) }, 0x20_0000n, RW);
      expect(usedFrames()).toBe(512 + 2 * (4 + 1));
      a.unmap(gpa(0x20_0000n), 0x10_0000n);
      expect(usedFrames()).toBe(512 + 2 * (4 + 1) + 1);
      b.unmap(gpa(0x40_1000n), 0x1f_f000n);
      expect(usedFrames()).toBe(257 + 2 * (4 + 1) + 2);
    });
  });

  test('what cannot be shared', () => {
    linked(() => {
      using a = createAddrSpace({ format: 'sv39x4', vmid: 1 });
      using b = createAddrSpace({ format: 'sv39x4', vmid: 2 });
      a.mapLinear(gpa(0x1000n), hpa(0x1000n), 0x1000n, RW);
      a.mapAlloc(gpa(0x2000n), 0x2000n, RW);
      const share = (from: bigint, size: bigint, space: AddrSpace = a) => kindOf(() => b.mapShared(gpa(0n), { space, gpa: gpa(from) }, size, RW));
      expect([share(0x1000n, 0x1000n), share(0x2000n, 0x3000n), share(0x2001n, 0x1000n), share(0x2000n, 0x1000n, {} as AddrSpace)]).toEqual(['BadAddress', 'BadAddress', 'InvalidInput', 'InvalidInput']);
      withFrames(1, () => expect(share(0x2000n, 0x2000n)).toBe('NoMemory'));
      expect(b.areas()).toEqual([]);
      expect(b.translate(gpa(0n))).toBeUndefined();
      expect(share(0x2000n, 0x2000n)).toBeUndefined();
    });
  });
});

describe('dirty tracking', () => {
  const ranges = (space: AddrSpace, reset: boolean) => space.dirtyRanges({ reset }).map((r) => [r.start - BASE, r.end - BASE]);

  test('pages written by guest faults, the host, and new pages, in every format', () => {
    for (const variant of VARIANTS)
      withSpace((space) => {
        space.mapAlloc(gpa(BASE), 0x8000n, RW, { populate: true });
        space.mapLinear(gpa(BASE + 0xc000n), hpa(0x10_0000n), 0x1000n, R);
        expect(ranges(space, false)).toEqual([[0n, 0x8000n], [0xc000n, 0xd000n]]);
        told.invalidated = [];
        expect(ranges(space, true)).toEqual([[0n, 0x8000n], [0xc000n, 0xd000n]]);
        expect(told.invalidated).toEqual([{ vmid: 7, gpa: BASE, size: 0xd000n }]);
        expect(ranges(space, true)).toEqual([]);
        expect(told.invalidated.length).toBe(1);
        // A processor that does not set the dirty bit itself faults.
        expect(space.handlePageFault(gpa(BASE + 0x1008n), W)).toBe(true);
        expect(space.handlePageFault(gpa(BASE + 0x4000n), R)).toBe(true);
        space.readValue(gpa(BASE + 0x5000n), 8);
        space.writeValue(gpa(BASE + 0x2000n), 1, 0n);
        space.writeBuffer(gpa(BASE + 0x6ffen), new Uint8Array(4));
        space.mapAlloc(gpa(BASE + 0x8000n), 0x1000n, RW);
        space.handlePageFault(gpa(BASE + 0x8000n), R);
        expect(ranges(space, false)).toEqual([[0x1000n, 0x3000n], [0x6000n, 0x9000n]]);
        // Permissions come and go, the dirty state stays.
        space.protect(gpa(BASE + 0x2000n), 0x1000n, R);
        space.protect(gpa(BASE + 0x6000n), 0x1000n, 0);
        expect(space.handlePageFault(gpa(BASE + 0x2000n), W)).toBe(false);
        expect(ranges(space, true)).toEqual([[0x1000n, 0x3000n], [0x6000n, 0x9000n]]);
        space.protect(gpa(BASE + 0x2000n), 0x5000n, RW);
        expect(ranges(space, true)).toEqual([]);
        space.writeValue(gpa(BASE + 0x2000n), 1, 0n);
        expect(ranges(space, true)).toEqual([[0x2000n, 0x3000n]]);
      }, variant);
  });

  test('a large page counts as a whole, its pieces for themselves', () =>
    withSpace(
      (space) => {
        space.mapAlloc(gpa(0n), BigInt(M2), RW, { populate: true });
        space.dirtyRanges({ reset: true });
        space.writeValue(gpa(5n), 1, 1n);
        expect(space.dirtyRanges({ reset: true })).toEqual([{ start: 0n, end: BigInt(M2) }]);
        space.protect(gpa(0x1000n), 0x1000n, R);
        space.writeValue(gpa(5n), 1, 1n);
        expect(space.dirtyRanges({ reset: true })).toEqual([{ start: 0n, end: 0x1000n }]);
      },
      { base: gpa(0n), size: 1n << 30n },
    ));
});
