/** Code pages of processors that share memory: what is looked up after a fence is what memory held at the fence. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { copiesSize, PAGE_SIZE, PageWrites, planLayout, type Isa } from '../../src/index.ts';
import { CodePages } from '../../src/interp/codepages.ts';
import { toyIsa } from './toy.ts';

const MEMORY = 1 << 24;
/** Fewer than pages with code. */
const POOL = 4;
const PAGES = 6;
/** More than are compared at a fence. */
const MANY = 60;

class Processors {
  readonly words = new Int32Array(MEMORY / 4);
  readonly writes = new PageWrites(new ArrayBuffer(PageWrites.bytes(MEMORY)));
  readonly all: readonly CodePages[];
  /** How often each forgot what it had looked up, or a page. */
  readonly flushes: number[] = [];
  next = MANY * PAGE_SIZE;

  constructor(numbers: readonly number[], isa: Isa = toyIsa, poolPages: number = POOL) {
    this.all = numbers.map((self, i) => {
      const layout = planLayout(isa, { state: this.next, base: this.next + 1024, memoryBytes: MEMORY, poolPages });
      const copies = Math.ceil(layout.end / PAGE_SIZE) * PAGE_SIZE;
      this.next = copies + copiesSize(layout);
      const pages = new CodePages(this.words, isa, layout, () => {}, () => true, { copies, writes: this.writes, self });
      this.flushes.push(0);
      pages.observer = { written: () => {}, acquired: () => {}, released: () => void this.flushes[i]!++, uses: () => false, remapped: () => void this.flushes[i]!++, remappedPage: () => {} };
      return pages;
    });
  }

  of(i: number): CodePages {
    return this.all[i] as CodePages;
  }

  /** What processor `i` executes in a page that it looks up now. */
  text(i: number, page: number): number {
    const pages = this.of(i);
    return this.words[pages.textOf(pages.acquire(page * PAGE_SIZE)) >>> 2] as number;
  }

  /** Processor `i` stores to a page. */
  store(i: number, page: number, value: number): void {
    const pages = this.of(i);
    pages.opened(page * PAGE_SIZE);
    pages.written(page * PAGE_SIZE, 4);
    this.words[(page * PAGE_SIZE) >>> 2] = value;
  }
}

test('stores of others are seen after a fence, whenever they became able to store', () => {
  const p = new Processors([0, 1]);
  expect(p.text(0, 1)).toBe(0);
  p.of(1).opened(PAGE_SIZE);
  p.of(0).fence();
  expect(p.text(0, 1)).toBe(0);
  // As through its write TLB, which tells nobody.
  p.words[PAGE_SIZE >>> 2] = 7;
  p.of(0).fence();
  expect(p.text(0, 1)).toBe(7);
  p.words[PAGE_SIZE >>> 2] = 8;
  p.of(0).fence();
  expect(p.text(0, 1)).toBe(8);
});

test('who gives up writing has been seen to write before', () => {
  const p = new Processors([0, 1]);
  p.text(0, 1);
  // Able to write, and not any more, between two fences.
  p.store(1, 1, 3);
  p.of(1).closed();
  p.of(0).fence();
  expect(p.text(0, 1)).toBe(3);
  // Able to write when the copy was made.
  p.of(1).opened(2 * PAGE_SIZE);
  expect(p.text(0, 2)).toBe(0);
  p.words[(2 * PAGE_SIZE) >>> 2] = 4;
  p.of(1).closed();
  p.of(0).fence();
  expect(p.text(0, 2)).toBe(4);
  // Able to write when it was compared.
  p.of(1).opened(2 * PAGE_SIZE);
  p.of(0).fence();
  p.words[(2 * PAGE_SIZE) >>> 2] = 5;
  p.of(1).closed();
  p.of(0).fence();
  expect(p.text(0, 2)).toBe(5);
});

test('who is compared with at fence after fence is asked to give up writing, and then costs nothing', () => {
  const p = new Processors([0, 1]);
  p.of(1).opened(PAGE_SIZE);
  p.text(0, 1);
  let fences = 0;
  for (; !p.of(1).isAskedToClose && fences < 10_000; fences++) p.of(0).fence();
  expect(fences).toBeGreaterThan(1);
  expect(fences).toBeLessThan(10_000);
  p.of(1).closed();
  for (let i = 0; i < 10_000; i++) p.of(0).fence();
  expect(p.of(1).isAskedToClose).toBe(false);
});

test('own stores are seen after a fence', () => {
  const p = new Processors([0, 1]);
  p.of(0).fence();
  expect(p.text(0, 1)).toBe(0);
  p.store(0, 1, 9);
  p.of(0).fence();
  expect(p.text(0, 1)).toBe(9);
});

test('a fence costs nothing as long as others write elsewhere', () => {
  const p = new Processors([0, 1]);
  p.text(0, 1);
  p.store(1, 2, 3);
  p.store(0, 3, 4);
  const before = p.flushes[0];
  p.of(0).fence();
  p.of(0).fence();
  expect(p.flushes[0]).toBe(before);
  p.words[PAGE_SIZE >>> 2] = 5;
  p.writes.happened(PAGE_SIZE, 4);
  p.of(0).fence();
  expect(p.flushes[0]).not.toBe(before);
  expect(p.text(0, 1)).toBe(5);
  const after = p.flushes[0];
  p.of(0).fence();
  expect(p.flushes[0]).toBe(after);
});

const coherentIsa: Isa = { ...toyIsa, coherentFetch: true };

test('own stores are seen without a fence where fetches are coherent', () => {
  const p = new Processors([0, 1], coherentIsa);
  p.text(0, 1);
  p.store(0, 1, 9);
  expect(p.text(0, 1)).toBe(9);
  p.store(1, 1, 10);
  p.of(0).fence();
  expect(p.text(0, 1)).toBe(10);
});

test.each([
  { numbers: [0, 1, 2], isa: toyIsa, pages: PAGES, pool: POOL },
  { numbers: [0, 31, 40], isa: toyIsa, pages: PAGES, pool: POOL },
  { numbers: [0, 1, 2], isa: coherentIsa, pages: PAGES, pool: POOL },
  { numbers: [0, 1], isa: coherentIsa, pages: MANY, pool: MANY },
])('processors $numbers, $pages pages: random stores, transfers, fences and look-ups', ({ numbers, isa, pages, pool }) => {
  const processor = fc.nat(numbers.length - 1);
  const page = fc.nat(pages - 1);
  const step = fc.oneof(
    fc.record({ kind: fc.constantFrom('direct' as const, 'close' as const, 'store all' as const, 'look at all' as const), i: processor, page }),
    fc.record({ kind: fc.constant('store' as const), i: processor, page }),
    fc.record({ kind: fc.constant('transfer' as const), i: processor, page }),
    fc.record({ kind: fc.constant('fence' as const), i: processor, page }),
    fc.record({ kind: fc.constant('look' as const), i: processor, page }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const p = new Processors(numbers, isa, pool);
      /** Pages that were written to since the last fence of each: old and new are both right. */
      const stale = numbers.map(() => new Set<number>());
      /** Pages that each may write to without telling: its write TLB. */
      const open = numbers.map(() => new Set<number>());
      const all = Array.from({ length: pages }, (_, n) => n);
      const work = steps.flatMap((s) => (s.kind === 'store all' || s.kind === 'look at all' ? all.map((n) => ({ kind: s.kind === 'store all' ? ('store' as const) : ('look' as const), i: s.i, page: n })) : [s]));
      work.forEach(({ kind: wanted, i, page: at }, time) => {
        const value = time + 1;
        const kind = wanted === 'direct' && !open[i]!.has(at) ? 'store' : wanted;
        if (kind === 'store') {
          p.store(i, at, value);
          if (!p.of(i).has(at * PAGE_SIZE)) open[i]!.add(at);
        }
        if (kind === 'direct') {
          p.words[(at * PAGE_SIZE) >>> 2] = value;
          for (const set of stale) set.add(at);
        }
        if (kind === 'close') {
          open[i]!.clear();
          p.of(i).closed();
        }
        if (kind === 'look') open[i]!.delete(at);
        if (kind === 'transfer') {
          p.words[(at * PAGE_SIZE) >>> 2] = value;
          p.writes.happened(at * PAGE_SIZE, 4);
        }
        if (kind === 'store' || kind === 'transfer') for (const set of stale) set.add(at);
        if (kind === 'store' && isa.coherentFetch === true) stale[i]?.delete(at);
        if (kind === 'fence') {
          p.of(i).fence();
          stale[i]?.clear();
        }
        if (kind === 'look') {
          const text = p.text(i, at);
          if (!(stale[i] as Set<number>).has(at)) expect(text).toBe(p.words[(at * PAGE_SIZE) >>> 2]);
        }
      });
    }),
    { numRuns: 150 },
  );
});
