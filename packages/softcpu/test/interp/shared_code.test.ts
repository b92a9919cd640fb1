/** Code pages of processors that share memory: what is looked up after a fence is what memory held at the fence. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { copiesSize, PAGE_SIZE, PageWrites, planLayout, type Isa } from '../../src/index.ts';
import { CodePages } from '../../src/interp/codepages.ts';
import { toyIsa } from './toy.ts';

const MEMORY = 1 << 24;
const POOL = 4;
/** Pages with code. */
const PAGES = 6;

class Processors {
  readonly words = new Int32Array(MEMORY / 4);
  readonly writes = new PageWrites(new ArrayBuffer(PageWrites.bytes(MEMORY)));
  readonly all: readonly CodePages[];
  /** How often each flushed what it had looked up. */
  readonly flushes: number[] = [];
  next = PAGES * PAGE_SIZE;

  constructor(numbers: readonly number[], isa: Isa = toyIsa) {
    this.all = numbers.map((self, i) => {
      const layout = planLayout(isa, { state: this.next, base: this.next + 1024, memoryBytes: MEMORY, poolPages: POOL });
      const copies = Math.ceil(layout.end / PAGE_SIZE) * PAGE_SIZE;
      this.next = copies + copiesSize(layout);
      const pages = new CodePages(this.words, isa, layout, MEMORY, () => {}, () => true, { copies, writes: this.writes, self });
      this.flushes.push(0);
      pages.observer = { written: () => {}, released: () => {}, uses: () => false, remapped: () => void this.flushes[i]!++, remappedPage: () => {} };
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
  { numbers: [0, 1, 2], isa: toyIsa },
  { numbers: [0, 31, 40], isa: toyIsa },
  { numbers: [0, 1, 2], isa: coherentIsa },
])('processors $numbers: random stores, transfers, fences and look-ups', ({ numbers, isa }) => {
  const processor = fc.nat(numbers.length - 1);
  const page = fc.nat(PAGES - 1);
  const step = fc.oneof(
    fc.record({ kind: fc.constant('store' as const), i: processor, page }),
    fc.record({ kind: fc.constant('transfer' as const), i: processor, page }),
    fc.record({ kind: fc.constant('fence' as const), i: processor, page }),
    fc.record({ kind: fc.constant('look' as const), i: processor, page }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const p = new Processors(numbers, isa);
      /** Pages that were written to since the last fence of each: old and new are both right. */
      const stale = numbers.map(() => new Set<number>());
      steps.forEach(({ kind, i, page: at }, time) => {
        const value = time + 1;
        if (kind === 'store') p.store(i, at, value);
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
