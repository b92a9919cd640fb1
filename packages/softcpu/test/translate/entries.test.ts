/** Places that are known by the code there. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PAGE_SIZE } from '../../src/index.ts';
import { Entries, entryMark } from '../../src/translate/entries.ts';

const page = fc.uint8Array({ minLength: PAGE_SIZE, maxLength: PAGE_SIZE });
const offsets = fc.uniqueArray(fc.nat({ max: PAGE_SIZE - 1 }), { maxLength: 20 });

test('those of a page are found where they are, wherever the page is', () => {
  fc.assert(
    fc.property(page, offsets, fc.nat({ max: 3 }), fc.constantFrom(1, 2, 4), (code, places, at, unit) => {
      const memory = new Uint8Array((at + 1) * PAGE_SIZE).fill(0xcc);
      memory.set(code, at * PAGE_SIZE);
      const possible = places.filter((offset) => offset % unit === 0);
      const entries = new Entries(Int32Array.from(possible, (offset) => entryMark(code, 0, offset)));
      const found = entries.in(memory, at * PAGE_SIZE, unit);
      expect(found).toEqual(possible.toSorted((a, b) => a - b));
      for (const offset of found) expect(entries.has(entryMark(memory, at * PAGE_SIZE, offset))).toBe(true);
    }),
    { numRuns: 100 },
  );
});

test('elsewhere in a page the same code is another place', () => {
  const code = Uint8Array.from({ length: PAGE_SIZE }, (_, i) => (i * 7) % 64);
  const marks = Int32Array.of(entryMark(code, 0, 0x140));
  expect(new Entries(marks).in(code, 0, 4)).toEqual([0x140]);
});

test('code of a page is known whatever lies behind the page', () => {
  const memory = new Uint8Array(2 * PAGE_SIZE).fill(1);
  const mark = entryMark(memory, 0, PAGE_SIZE - 2);
  memory.fill(2, PAGE_SIZE);
  expect(new Entries(Int32Array.of(mark)).in(memory, 0, 2)).toContain(PAGE_SIZE - 2);
});

test('of very many, those that came last are looked for', () => {
  const code = Uint8Array.from({ length: PAGE_SIZE }, (_, i) => (i * 31) >> 3);
  const last = entryMark(code, 0, 64);
  const marks = new Int32Array(100_000).map((_, i) => i);
  marks.set([entryMark(code, 0, 128)]);
  marks.set([last], marks.length - 1);
  expect(new Entries(marks).in(code, 0, 4)).toEqual([64]);
});
