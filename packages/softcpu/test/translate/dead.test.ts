import { expect, test } from 'vitest';
import { deadBehind } from '../../src/translate/dead.ts';
import type { StepUse } from '../../src/translate/dead.ts';

const use = (reads: number[], writes: number[], leaves = false): StepUse => ({ reads, writes, leaves });
const dead = (...steps: StepUse[]): number[][] => deadBehind(steps).map((set) => [...(set ?? [])].toSorted());

test('what is written again before it is read is dead', () => {
  expect(dead(use([], [1]), use([2], [3]), use([], [1]))).toEqual([[1, 3], [1], []]);
});

test('reading comes before writing in a step', () => {
  expect(dead(use([], [1]), use([1], [1]))).toEqual([[], []]);
});

test('where the region may be left everything is read, before the step writes', () => {
  expect(dead(use([], [1]), use([], [1], true), use([], [1]))).toEqual([[], [1], []]);
});

test('nothing is dead at the end of a block', () => {
  expect(dead(use([], [1]))).toEqual([[]]);
});
