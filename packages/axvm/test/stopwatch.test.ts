import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Stopwatch } from '../src/stopwatch.ts';

/** The clock, in ms. */
let now = 0;

beforeEach(() => void vi.spyOn(performance, 'now').mockImplementation(() => now));
afterEach(() => void vi.restoreAllMocks());

function work(ms: number): void {
  now += ms;
}

test('parts add up to the time that passed, and the part of exits is estimated well', () => {
  const watch = new Stopwatch();
  const start = now;
  watch.enter('guest');
  for (let i = 0; i < 4000; i++) {
    work(0.006);
    watch.beginExit();
    work(0.006);
    watch.endExit();
  }
  watch.enter('idle');
  work(5);
  watch.enter(undefined);
  const total = (now - start) / 1000;
  const { guest, exits, idle, host } = watch.seconds;
  expect(guest + exits + idle).toBeCloseTo(total, 9);
  expect([idle, host]).toEqual([expect.closeTo(0.005, 9), 0]);
  expect(exits / (guest + exits)).toBeGreaterThan(0.25);
  expect(exits / (guest + exits)).toBeLessThan(0.75);
});

test('exits never take more than there was', () => {
  const watch = new Stopwatch();
  watch.enter('guest');
  watch.beginExit();
  work(2);
  watch.endExit();
  watch.enter(undefined);
  const { guest, exits } = watch.seconds;
  expect(guest).toBeGreaterThanOrEqual(0);
  expect(exits).toBeLessThan(1);
});
