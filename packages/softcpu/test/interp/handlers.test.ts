/** Numbers of handlers: each is told from all others, and what it stands for is found by it. */
import { expect, test } from 'vitest';
import { Handlers } from '../../src/interp/handlers.ts';
import { FIRST_HANDLER } from '../../src/interp/layout.ts';
import type { Instruction, Isa } from '../../src/isa.ts';
import { toyIsa } from './toy.ts';

const emit = (): void => {};
const instructions: readonly Instruction[] = [
  { name: 'rare', lengths: 'any', outline: true, emit },
  { name: 'frequent', lengths: 'any', usual: [7, 3], emit },
  { name: 'left', lengths: 'any', outline: true, interpreted: true, emit },
  { name: 'branch', lengths: 'any', usual: [2], direct: true, emit },
  { name: 'plain', lengths: 'any', emit },
  { name: 'fixed', lengths: [2, 4], emit },
];
const isa: Isa = { ...toyIsa, manyOutlined: true, instructions };
const handlers = new Handlers(isa);

test('an instruction has numbers for its usual lengths, and one for the others', () => {
  const numbers = [3, 7, 0].map((length) => handlers.handler(1, length, false));
  expect(new Set(numbers).size).toBe(3);
  expect(handlers.handler(1, 5, false)).toBe(handlers.handler(1, 0, false));
  expect(numbers.map((number) => handlers.slot(number))).toEqual([3, 7, 0].map((entered) => ({ instruction: 1, entered, variant: { length: 0, near: false, back: false } })));
  expect(handlers.slot(handlers.handler(3, 2, true, true))).toEqual({ instruction: 3, entered: 2, variant: { length: 0, near: true, back: true } });
  expect(handlers.slot(handlers.handler(5, 4, false))).toMatchObject({ instruction: 5, entered: 4, variant: { length: 4 } });
});

test('outlined instructions come last, those that are interpreted only behind the others', () => {
  const order = Array.from({ length: handlers.count - FIRST_HANDLER }, (_, i) => handlers.slot(FIRST_HANDLER + i)?.instruction);
  expect(order).toEqual([1, 1, 1, 3, 3, 3, 3, 3, 3, 4, 5, 5, 0, 2]);
  expect([handlers.outlined, handlers.interpreted]).toEqual([handlers.handler(0, 0, false), handlers.handler(2, 0, false)]);
});
