/** What generated code computes of an instruction that it decodes, beside sums of its fields. */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Block, I32 } from '@axvisor/softcpu';
import { bitmaskWord } from '../isa/bitmask.ts';
import type { Operand } from './define.ts';

/** Halves of a bitmask immediate: numbers of what is computed. */
const LOWER = 0;
const UPPER = 1;

const half = (number: number): Operand =>
  Object.assign((get: (field: string) => number) => (number === UPPER && get('sf') === 0 ? 0 : bitmaskWord(get('N'), get('immr'), get('imms'), number === UPPER)), { computed: number });

/** A bitmask immediate's lower and upper 32 bits. */
export const bitmaskLower: Operand = half(LOWER);
export const bitmaskUpper: Operand = half(UPPER);

/** As `Decoder.compute`: halves of a bitmask immediate, as DecodeBitMasks makes it (Arm ARM, shared/functions). */
export function compute(b: Block, word: I32, number: I32): I32 {
  const field = (shift: number, bits: number): I32 => i32.and(i32.shr_u(word, i32.const(shift)), i32.const(bits));
  const imms = b.let(field(10, 0x3f));
  const lengths = i32.or(i32.shl(field(22, 1), i32.const(6)), i32.xor(imms, i32.const(0x3f)));
  const size = b.let(i32.shl(i32.const(1), i32.sub(i32.const(31), i32.clz(lengths))));
  const last = b.let(i32.sub(size, i32.const(1)));
  const ones = b.let(i64.shr_u(i64.const(-1), i64.extend_i32_u(i32.sub(i32.const(64), size))));
  const run = b.let(i64.sub(i64.shl(i64.const(2), i64.extend_i32_u(i32.and(imms, last))), i64.const(1)));
  const right = b.let(i32.and(field(16, 0x3f), last));
  const rotated = i64.or(i64.shr_u(run, i64.extend_i32_u(right)), i64.shl(run, i64.extend_i32_u(i32.sub(size, right))));
  // As many elements as there are, each of them once.
  const value = b.let(i64.mul(i64.and(rotated, ones), i64.div_u(i64.const(-1), ones)));
  const upper = select(i32.lt_s(word, i32.const(0)), i32.wrap_i64(i64.shr_u(value, i64.const(32))), i32.const(0));
  return select(number, upper, i32.wrap_i64(value));
}
