/** The upper half of a product of 64-bit numbers, which WebAssembly does not have. */
import { i64 } from '@axvisor/softcpu';
import type { Block, I64 } from '@axvisor/softcpu';

const word = (value: I64): I64 => i64.and(value, i64.const(0xffff_ffff));
const half = (value: I64): I64 => i64.shr_u(value, i64.const(32));

/** Of unsigned numbers, bound: from four 32-bit partial products. */
export function multiplyHigh(block: Pick<Block, 'let'>, a: I64, b: I64): I64 {
  const middle = block.let(i64.add(i64.mul(half(a), word(b)), half(i64.mul(word(a), word(b)))));
  const other = block.let(i64.add(i64.mul(word(a), half(b)), word(middle)));
  return i64.add(i64.add(i64.mul(half(a), half(b)), half(middle)), half(other));
}
