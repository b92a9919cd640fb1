/** Sums within vectors: HADDPS and its like, ADDSUBPS, DPPS and DPPD, MPSADBW (SDM vol. 2). */
import { f32x4, f64x2, i16x8, i32, i32x4, i64, i64x2, i8x16, v128 } from '@axvisor/softcpu';
import type { I32, V128 } from '@axvisor/softcpu';
import type { Definition, Definitions } from '../define.ts';
import { simd } from './define.ts';
import { floats, isDouble, quickSum, result, rounded, settleName, slowly } from './float.ts';
import { ZERO } from './operands.ts';

type Packed = 'ps' | 'pd';

/** Lanes of two vectors, numbered through. */
const lanes = (bytes: 4 | 8, which: readonly number[]) => (a: V128, b: V128): V128 =>
  i8x16.shuffle(a, b, which.flatMap((lane) => Array.from({ length: bytes }, (_, i) => lane * bytes + i)));

/** Sums and differences of lanes of both operands: the first lanes of pairs and the second ones, which are subtracted or added. */
const paired = (kind: Packed, pairs: (a: V128, b: V128) => readonly [V128, V128]): Definition =>
  simd((o) => {
    const { e } = o;
    const d = isDouble(kind);
    const b = o.get(1);
    const a = o.get(0);
    const [first, second] = pairs(a, b);
    const [x, y] = [e.let(first), e.let(second)];
    const value = e.let(floats[d].add(x, y));
    rounded(o, kind, 'add', [a, b], [x, y], value, quickSum(d, x, y, value));
  });

const SIGNS = { ps: v128.const((1n << 95n) | (1n << 31n)), pd: v128.const(1n << 63n) } as const;
const horizontal = (kind: Packed, subtract: boolean): Definition => {
  const [even, odd] = kind === 'ps' ? [lanes(4, [0, 2, 4, 6]), lanes(4, [1, 3, 5, 7])] : [lanes(8, [0, 2]), lanes(8, [1, 3])];
  return paired(kind, (a, b) => [even(a, b), subtract ? floats[isDouble(kind)].neg(odd(a, b)) : odd(a, b)]);
};
/** Even lanes are subtracted. */
const alternating = (kind: Packed): Definition => paired(kind, (a, b) => [a, v128.xor(b, SIGNS[kind])]);

// ── products ──

const BITS = { ps: v128.const((8n << 96n) | (4n << 64n) | (2n << 32n) | 1n), pd: v128.const((2n << 64n) | 1n) } as const;
/** A mask of the lanes whose bits are set. */
const chosen = (kind: Packed, bits: I32): V128 =>
  kind === 'ps' ? i32x4.ne(v128.and(i32x4.splat(bits), BITS.ps), ZERO) : i64x2.ne(v128.and(i64x2.splat(i64.extend_i32_u(bits)), BITS.pd), ZERO);

/** What is summed with what, and the lanes whose sums count, step by step; behind the last one all lanes are the same. */
const STEPS = {
  ps: [
    { first: lanes(4, [0, 2, 0, 2]), second: lanes(4, [1, 3, 1, 3]) },
    { first: lanes(4, [0, 0, 0, 0]), second: lanes(4, [1, 1, 1, 1]) },
  ],
  pd: [{ first: lanes(8, [0, 0]), second: lanes(8, [1, 1]) }],
} as const;

/** Products of lanes that the upper bits of the immediate choose, summed in pairs, to the lanes that the lower ones choose. */
const dotProduct = (kind: Packed): Definition =>
  simd((o) => {
    const { e, imm } = o;
    const d = isDouble(kind);
    const b = o.get(1);
    const a = o.get(0);
    const multiplied = e.let(chosen(kind, i32.shr_u(imm, i32.const(4))));
    const sum = e.variable(e.let(v128.and((d === 1 ? f64x2 : f32x4).mul(a, b), multiplied)));
    const settled = e.variable(e.call(settleName('mul', d), 'i32', [a, b, sum.get, v128.not(multiplied)]));
    for (const { first, second } of STEPS[kind]) {
      e.if(settled.get, () => {
        const [x, y] = [e.let(first(sum.get, sum.get)), e.let(second(sum.get, sum.get))];
        e.assign(sum, floats[d].add(x, y));
        e.assign(settled, e.call(settleName('add', d), 'i32', [x, y, sum.get, ZERO]));
      }, undefined, true);
    }
    e.if(settled.get, () => o.set(0, e.let(v128.and(sum.get, chosen(kind, imm)))), () => {
      slowly(o, a, b);
      o.set(0, result(o));
    }, true);
  });

// ── distances ──

/** Numbers of bytes from 0 on. */
const NUMBERS = v128.const(0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100n);

/** MPSADBW: the distances of four bytes of the second operand from those at eight places of the first one. Of the upper half the upper bits of the immediate count. */
const distances: Definition = simd((o) => {
  const { e } = o;
  const b = o.get(1);
  const a = o.get(0);
  const imm = e.let(o.immOfHalf(3));
  const from = e.let(i32.and(imm, i32.const(4)));
  const block = e.let(i32.shl(i32.and(imm, i32.const(3)), i32.const(2)));
  const sum = e.variable(ZERO);
  for (let k = 0; k < 4; k++) {
    const window = e.let(i8x16.swizzle(a, i8x16.add(NUMBERS, i8x16.splat(i32.add(from, i32.const(k))))));
    const byte = e.let(i8x16.swizzle(b, i8x16.splat(i32.add(block, i32.const(k)))));
    const distance = i8x16.sub(i8x16.max_u(window, byte), i8x16.min_u(window, byte));
    e.assign(sum, i16x8.add(sum.get, i16x8.extend_low_i8x16_u(distance)));
  }
  o.set(0, sum.get);
});

export const sums: Definitions = Object.fromEntries([
  ...(['ps', 'pd'] as const).flatMap((kind): [string, Definition][] => [
    [`hadd${kind}`, horizontal(kind, false)], [`hsub${kind}`, horizontal(kind, true)], [`addsub${kind}`, alternating(kind)], [`dp${kind}`, dotProduct(kind)],
  ]),
  ['mpsadbw', distances],
]);
