/** PCLMULQDQ: products of polynomials over GF(2) (SDM vol. 2). */
import { i32, i64, i64x2, select } from '@axvisor/softcpu';
import type { Block, Expr, FunctionDefinition, I64, V128 } from '@axvisor/softcpu';
import type { Definitions } from '../define.ts';
import { simd } from './define.ts';
import { low64 } from './operands.ts';

/** WebAssembly function: two polynomials of degree below 32, in i64. */
const PRODUCT = 'carrylessProduct';

/** Every fourth bit. Of products of such numbers no column sums to more than 8, so that carries stay off the other columns' bits. */
const EVERY_FOURTH = 0x1111_1111_1111_1111n;

function product(b: Block, x: I64, y: I64): I64 {
  const parts = (value: I64): I64[] => [0n, 1n, 2n, 3n].map((n) => b.let(i64.and(value, i64.const((EVERY_FOURTH & 0xffff_ffffn) << n))));
  const [xs, ys] = [parts(x), parts(y)];
  const column = (n: number): I64 => {
    const sum = xs.map((part, i) => i64.mul(part, ys[(n - i) & 3] as I64)).reduce((a, c) => i64.xor(a, c));
    return i64.and(sum, i64.const(BigInt.asIntN(64, EVERY_FOURTH << BigInt(n))));
  };
  return [0, 1, 2, 3].map(column).reduce((a, c) => i64.or(a, c));
}

export const carrylessFunctions: Readonly<Record<string, FunctionDefinition>> = {
  [PRODUCT]: { params: ['i64', 'i64'], result: 'i64', body: (b: Block, x: Expr, y: Expr) => product(b, x as I64, y as I64) },
};

export const carryless: Definitions = {
  pclmulqdq: simd((o) => {
    const { e } = o;
    const second = o.get(1);
    const first = o.get(0);
    const half = (value: V128, bit: number): I64 =>
      e.let(select(i32.and(o.imm, i32.const(bit)), i64x2.extract_lane(value, 1), i64x2.extract_lane(value, 0)));
    const [x, y] = [half(first, 1), half(second, 16)];
    const low = (value: I64): I64 => i64.and(value, i64.const(0xffff_ffff));
    const high = (value: I64): I64 => i64.shr_u(value, i64.const(32));
    const times = (a: I64, c: I64): I64 => e.call(PRODUCT, 'i64', [a, c]);
    // Karatsuba: three products instead of four.
    const bottom = times(low(x), low(y));
    const top = times(high(x), high(y));
    const middle = e.let(i64.xor(times(low(i64.xor(x, high(x))), low(i64.xor(y, high(y)))), i64.xor(bottom, top)));
    o.set(0, i64x2.replace_lane(low64(i64.xor(bottom, i64.shl(middle, i64.const(32)))), 1, i64.xor(top, high(middle))));
  }),
};
