import { expect, test } from 'vitest';
import { i32, i64, local, read } from '../../src/ir/expr.ts';
import { Extensions } from '../../src/translate/extended.ts';

const byte = read('i64.load8_u', i32.const(0));
const value = local('i64', 0);
const sum = (known: Extensions, base: number | bigint, shift: number): bigint | undefined => known.pageOf(i64.add(i64.shl(value, i64.const(shift)), i64.const(base)));

test('an address lies in a known page if its greatest and its least value do', () => {
  const known = new Extensions();
  expect(sum(known, 0x5000, 2)).toBeUndefined();
  known.note(0, byte);
  expect(sum(known, 0x5000, 2)).toBe(5n);
  expect(sum(known, 0x5c00, 2)).toBe(5n);
  expect(sum(known, 0x5c03, 2)).toBe(5n);
  expect(sum(known, 0x5c04, 2)).toBeUndefined();
  expect(sum(known, 0x5000, 5)).toBeUndefined();
  expect(sum(known, -0x1000n, 2)).toBe(-1n);
  expect(sum(known, -0x8000_0000_0000_0000n, 2)).toBe(-0x8_0000_0000_0000n);
  known.forget(0);
  expect(sum(known, 0x5000, 2)).toBeUndefined();
});

test('a sum of 32 bits that overflows lies in no known page', () => {
  const known = new Extensions();
  known.note(0, byte);
  const at = (base: number): bigint | undefined => known.pageOf(i64.and(i64.add(value, i64.const(base)), i64.const(0xffff_ffff)));
  expect(at(0xffff_f000)).toBe(0xf_ffffn);
  expect(at(0xffff_ff00)).toBe(0xf_ffffn);
  expect(at(0xffff_ff80)).toBeUndefined();
});

test('what is known of a value goes on in the local that it is bound to', () => {
  const known = new Extensions();
  known.note(0, byte);
  known.note(1, i64.add(value, i64.const(0x7000)));
  expect(known.pageOf(local('i64', 1))).toBe(7n);
  expect(new Extensions(known).pageOf(local('i64', 1))).toBe(7n);
  known.note(1, local('i64', 2));
  expect(known.pageOf(local('i64', 1))).toBeUndefined();
  known.note(1, i64.const(0x9008));
  known.clear();
  expect(known.pageOf(local('i64', 1))).toBeUndefined();
});
