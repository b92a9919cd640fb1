import { expect, test } from 'vitest';
import { i32, i64, local } from '../../src/ir/expr.ts';
import type { I64 } from '../../src/ir/expr.ts';
import { Distances } from '../../src/translate/distances.ts';

const at = (index: number): I64 => local('i64', index);
const low = (value: I64): I64 => i64.and(value, i64.const(0xffff_ffff));

/** How far the second local is from the first. */
function between(known: Distances, a: number, b: number): number | undefined {
  const [x, y] = [known.known(a), known.known(b)];
  return x === undefined || y === undefined || x.from !== y.from ? undefined : y.bytes - x.bytes;
}

test('sums with constants are known distances apart, whatever becomes of the value that they were made of', () => {
  const known = new Distances();
  known.note(1, i64.add(at(0), i64.const(8)));
  known.note(2, i64.sub(at(1), i64.const(24)));
  known.note(0, i64.add(at(0), i64.const(100)));
  expect(between(known, 1, 2)).toBe(-24);
  expect(between(known, 1, 0)).toBe(92);
  known.forget(0);
  expect(between(known, 1, 0)).toBeUndefined();
  known.note(1, i64.add(at(3), at(4)));
  expect(between(known, 1, 2)).toBeUndefined();
});

test('sums of 32 bits are a family of their own', () => {
  const known = new Distances();
  known.note(1, low(i64.add(at(0), i64.const(-8))));
  known.note(2, low(i64.add(at(1), i64.const(-8))));
  known.note(3, low(at(0)));
  known.note(4, i64.add(at(0), i64.const(-8)));
  known.note(5, i64.add(at(1), i64.const(8)));
  expect(between(known, 1, 2)).toBe(-8);
  expect(between(known, 3, 2)).toBe(-16);
  expect(between(known, 1, 4)).toBeUndefined();
  expect(between(known, 1, 5)).toBeUndefined();
  known.note(6, i64.extend_i32_u(i32.sub(i32.wrap_i64(at(3)), i32.const(-0x7fff_ffff))));
  known.note(6, i64.extend_i32_u(i32.sub(i32.wrap_i64(at(6)), i32.const(-0x7fff_ffff))));
  expect(between(known, 3, 6)).toBe(-2);
});

test('nothing is known of copies once they are cleared, and of one what the other learns', () => {
  const known = new Distances();
  known.note(1, at(0));
  const copy = new Distances(known);
  known.clear();
  expect(between(copy, 0, 1)).toBe(0);
  expect(between(known, 0, 1)).toBeUndefined();
});
