/** Two spaces that share memory, against a model of single pages: random operations, some of which run out of frames. */
import { createAddrSpace, type AddrSpace } from '@axvisor/axvisor_api/addrspace';
import { allocContiguousFrames, deallocContiguousFrames, physMemory } from '@axvisor/axvisor_api/memory';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gpa, hpa, kindOf, linked, R, RW, RWX, told, usedFrames, VARIANTS, W, withFrames } from './fixture.ts';
import { hardwareWalk } from './hardware_walk.ts';

const PAGES = 48;
/** The pages lie on both sides of a 1 GiB border. */
const BASE = 0x4000_0000n - 20n * 0x1000n;
const address = (page: number): bigint => BASE + BigInt(page) * 0x1000n;

/** Contents of a page, wherever it is mapped. */
interface Cell {
  value: bigint;
}

interface Page {
  readonly kind: 'linear' | 'alloc' | 'shared';
  readonly flags: number;
  readonly cell: Cell;
  readonly populated: boolean;
  readonly dirty: boolean;
}

const operation = fc.record({
  op: fc.constantFrom(...(['linear', 'alloc', 'alloc', 'eager', 'share', 'unmap', 'protect', 'fault', 'write', 'write', 'reset'] as const)),
  /** Which of the spaces. */
  where: fc.integer({ min: 0, max: 1 }),
  from: fc.integer({ min: 0, max: 1 }),
  page: fc.integer({ min: 0, max: PAGES - 1 }),
  count: fc.integer({ min: 1, max: 12 }),
  source: fc.integer({ min: 0, max: PAGES - 1 }),
  flags: fc.constantFrom(R, RW, RWX, 0),
  access: fc.constantFrom(R, W),
  value: fc.bigInt(0n, (1n << 64n) - 1n),
  frames: fc.option(fc.integer({ min: 0, max: 8 })),
});

test('all or nothing, nothing leaks, nothing goes stale', () => {
  fc.assert(
    fc.property(fc.constantFrom(...VARIANTS), fc.constantFrom(...VARIANTS), fc.array(operation, { maxLength: 50 }), (one, two, operations) =>
      linked(() => {
        const host = Number(allocContiguousFrames(PAGES));
        physMemory().bytes.fill(0, host, host + PAGES * 0x1000);
        const hostCells: Cell[] = Array.from({ length: PAGES }, () => ({ value: 0n }));
        {
          using a = createAddrSpace({ vmid: 1, ...one });
          using b = createAddrSpace({ vmid: 2, ...two });
          const spaces = [a, b] as const;
          let models: (Page | undefined)[][] = [[], []];

          for (const { op, where, from, page, source, flags, access, value, frames, ...o } of operations) {
            const space: AddrSpace = spaces[where]!;
            const model = models[where]!;
            const count = Math.min(o.count, PAGES - page, PAGES - source);
            const at = gpa(address(page));
            const size = BigInt(count) * 0x1000n;
            const range = Array.from({ length: count }, (_, i) => page + i);
            const next = models.map((m) => [...m]);
            const mine = next[where]!;
            const set = (p: number, change: Partial<Page>): void => void (mine[p] = { ...mine[p]!, ...change });
            let expected: string | undefined;
            let act: () => void;
            /** Pages whose translations the processor has to forget. */
            let stale: number[] = [];

            if (op === 'linear' || op === 'alloc' || op === 'eager' || op === 'share') {
              if (range.some((p) => model[p] !== undefined)) expected = 'AlreadyExists';
            }
            if (op === 'linear') {
              act = () => space.mapLinear(at, hpa(BigInt(host + source * 0x1000)), size, flags);
              range.forEach((p, i) => (mine[p] = { kind: 'linear', flags, cell: hostCells[source + i]!, populated: true, dirty: true }));
            } else if (op === 'alloc' || op === 'eager') {
              const populate = op === 'eager';
              act = () => space.mapAlloc(at, size, flags, { populate });
              for (const p of range) mine[p] = { kind: 'alloc', flags, cell: { value: 0n }, populated: populate, dirty: populate };
            } else if (op === 'share') {
              const sources = range.map((_, i) => source + i);
              if (expected === undefined && sources.some((p) => models[from]![p] === undefined || models[from]![p].kind === 'linear')) expected = 'BadAddress';
              // Sharing populates its source, also where it fails later.
              const lazy = sources.filter((p) => models[from]![p]?.kind === 'alloc' && !models[from]![p].populated);
              if (expected !== undefined && lazy.length > 0) continue;
              if (lazy.some((p) => (models[from]![p]!.flags & R) === 0)) continue;
              for (const p of lazy) {
                spaces[from]!.readValue(gpa(address(p)), 1);
                next[from]![p] = models[from]![p] = { ...models[from]![p]!, populated: true, dirty: true };
              }
              act = () => space.mapShared(at, { space: spaces[from]!, gpa: gpa(address(source)) }, size, flags);
              if (expected === undefined) range.forEach((p, i) => (mine[p] = { kind: 'shared', flags, cell: models[from]![source + i]!.cell, populated: true, dirty: true }));
            } else if (op === 'unmap') {
              act = () => space.unmap(at, size);
              stale = range.filter((p) => model[p]?.populated === true);
              for (const p of range) mine[p] = undefined;
            } else if (op === 'protect') {
              act = () => space.protect(at, size, flags);
              stale = range.filter((p) => model[p]?.populated === true && model[p].flags !== flags);
              for (const p of range) if (mine[p] !== undefined) set(p, { flags });
            } else if (op === 'fault') {
              const target = model[page];
              const can = target !== undefined && (target.flags & access) !== 0;
              act = () => expect(space.handlePageFault(gpa(at + 0x123n), access)).toBe(can);
              if (can) set(page, { populated: true, dirty: target.dirty || !target.populated || access === W });
            } else if (op === 'write') {
              const target = model[page];
              act = () => space.writeValue(at, 8, value);
              if (target === undefined || (target.flags & W) === 0) expected = 'BadAddress';
              else {
                set(page, { populated: true, dirty: true });
              }
            } else {
              const dirty = model.flatMap((p, i) => (p?.populated === true && p.dirty ? [i] : []));
              act = () => {
                const found = space.dirtyRanges({ reset: true });
                const listed = found.flatMap((r) => Array.from({ length: Number((r.end - r.start) / 0x1000n) }, (_, i) => Number((r.start - BASE) / 0x1000n) + i));
                expect(listed).toEqual(dirty);
              };
              stale = dirty;
              for (const p of dirty) set(p, { dirty: false });
            }

            told.invalidated = [];
            let error: string | undefined;
            if (frames === null) error = kindOf(act);
            else withFrames(frames, () => (error = kindOf(act)));
            if (error === 'NoMemory') expect(frames).not.toBeNull();
            else expect(error).toBe(expected);
            if (error === undefined) {
              models = next;
              if (op === 'write') models[where]![page]!.cell.value = value;
              if (stale.length > 0) {
                expect(told.invalidated).toEqual([{ vmid: where + 1, gpa: address(stale[0]!), size: address(stale.at(-1)! + 1) - address(stale[0]!) }]);
              }
            }
            spaces.forEach((s, n) => check(s, models[n]!));
          }
          expect(usedFrames()).toBeGreaterThanOrEqual(PAGES);
        }
        expect(usedFrames()).toBe(PAGES);
        deallocContiguousFrames(hpa(BigInt(host)), PAGES);
      }, 2 * 1024 * 1024),
    ),
    { numRuns: 250 },
  );
});

function check(space: AddrSpace, model: readonly (Page | undefined)[]): void {
  const areas = space.areas();
  for (let p = 0; p < PAGES; p++) {
    const page = model[p];
    const walked = hardwareWalk(space.root, address(p));
    const area = areas.find((x) => x.range.start <= address(p) && address(p) < x.range.end);
    expect(area === undefined ? undefined : [area.backend, area.flags]).toEqual(page === undefined ? undefined : [page.kind, page.flags]);
    expect(walked !== undefined).toBe(page !== undefined && page.populated && page.flags !== 0);
    if (walked === undefined || page === undefined) continue;
    expect([walked.r, walked.w, walked.x]).toEqual([R, W, 4].map((f) => (page.flags & f) !== 0));
    expect(physMemory().longs[Number(walked.hpa) / 8]).toBe(page.cell.value);
    expect(space.translate(gpa(address(p)))).toBe(walked.hpa);
    // A page that is not writable may keep its dirty state where the processor does not look.
    if (walked.w) expect(walked.dirty).toBe(page.dirty);
  }
}
