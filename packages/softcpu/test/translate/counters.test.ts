/** What tier 0 takes for hot, and what is expected to be. */
import { expect, test } from 'vitest';
import { PAGE_SIZE, recordShift } from '../../src/index.ts';
import { COUNTERS } from '../../src/interp/layout.ts';
import type { RecordsHost } from '../../src/translate/records.ts';
import { Counters, thresholdOf } from '../../src/translate/counters.ts';
import { Entries, entryMark } from '../../src/translate/entries.ts';
import { toyIsa } from '../interp/toy.ts';

const RECORDS = 0x4_0000;
const THRESHOLD = 1000;
const bytes = Uint8Array.from({ length: PAGE_SIZE }, (_, i) => (i * 7919) >> 4);
const known = entryMark(bytes, 0, 0x40);
const unknown = entryMark(bytes, 0, 0x80);
/** The record of the place that is known, and one with the same counter. */
const ip = RECORDS + (0x40 << recordShift(toyIsa));
const other = ip + 16 * COUNTERS;

function countersOf(marks: readonly number[]): { readonly counters: Counters; readonly left: () => number } {
  const words = new Int32Array(COUNTERS);
  const pages = { recordsOf: () => RECORDS, textOf: () => 0 } as unknown as RecordsHost['pages'];
  const counters = new Counters({ words, bytes, pages }, toyIsa, { counters: 0 }, THRESHOLD, new Entries(Int32Array.from(marks)));
  counters.expectIn(5);
  return { counters, left: () => words[(ip >>> 4) % COUNTERS] as number };
}

test('what is known is hot sooner, once', () => {
  const { counters, left } = countersOf([known]);
  expect(left()).toBeLessThan(THRESHOLD);
  counters.restart(ip);
  expect(counters.isMistaken(ip, () => known)).toBe(false);
  expect(left()).toBe(THRESHOLD);
  expect(counters.isMistaken(other, () => unknown)).toBe(false);
});

test('others with its counter are passed over a few times, and the known one is not', () => {
  const { counters, left } = countersOf([known]);
  let passed = 0;
  for (; counters.isMistaken(other, () => unknown); counters.restart(other)) {
    passed++;
    expect(passed).toBeLessThan(100);
    if (passed === 3) expect(left()).toBeLessThan(THRESHOLD);
  }
  expect(passed).toBeGreaterThan(3);
  const again = countersOf([known]);
  expect(again.counters.isMistaken(other, () => unknown)).toBe(true);
  expect(again.counters.isMistaken(ip, () => known)).toBe(false);
});

test('what is not known counts as it does', () => {
  const { counters, left } = countersOf([unknown + 1]);
  expect(left()).toBe(THRESHOLD);
  expect(counters.isMistaken(ip, () => known)).toBe(false);
});

test('beside others it takes more to be hot', () => {
  expect(thresholdOf(toyIsa, true)).toBeGreaterThan(thresholdOf(toyIsa, false));
});
