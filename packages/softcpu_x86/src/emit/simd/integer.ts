/** Packed integers: arithmetic, comparisons, logic, packing, shifts (SDM vol. 2; SSE2 to SSE4.2 and their MMX forms). */
import { i16x8, i32, i32x4, i64, i64x2, i8x16, select, v128 } from '@axvisor/softcpu';
import type { I32, V128 } from '@axvisor/softcpu';
import type { Definition, Definitions } from '../define.ts';
import { zeroCarryFlags } from '../flags.ts';
import { binaries, byFile, simd, unaries, whole } from './define.ts';
import type { Binary, Body } from './define.ts';
import { ZERO, low64 } from './operands.ts';

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);
/** Bytes of elements of `size` bytes, for a shuffle. */
const elements = (size: number, numbers: readonly number[]): number[] => numbers.flatMap((n) => range(size).map((k) => n * size + k));
const shuffle = (a: V128, b: V128, size: number, numbers: readonly number[]): V128 => i8x16.shuffle(a, b, elements(size, numbers));
/** Even or odd elements of a and b one behind the other. */
const alternate = (size: number, odd: 0 | 1): readonly number[] => range(16 / size).map((i) => 2 * i + odd);

const upperProducts = (sign: 's' | 'u'): Binary => (a, b) =>
  i8x16.shuffle(i32x4[`extmul_low_i16x8_${sign}`](a, b), i32x4[`extmul_high_i16x8_${sign}`](a, b), elements(2, alternate(2, 1)));
/** Products of the even doublewords. */
const wideProducts = (sign: 's' | 'u'): Binary => (a, b) => {
  const even = (x: V128): V128 => shuffle(x, x, 4, [0, 2, 0, 2]);
  return i64x2[`extmul_low_i32x4_${sign}`](even(a), even(b));
};
const MINIMUM_16 = v128.const(0x8000_8000_8000_8000_8000_8000_8000_8000n);
/** Rounded products of fractions; -1 × -1 is not saturated. */
const roundedProducts: Binary = (a, b) => v128.xor(i16x8.q15mulr_sat_s(a, b), v128.and(i16x8.eq(a, MINIMUM_16), i16x8.eq(b, MINIMUM_16)));
const EVEN_BYTES = v128.const(0x00ff_00ff_00ff_00ff_00ff_00ff_00ff_00ffn);
/** Unsigned bytes times signed ones, neighbours added with saturation. */
const mixedProducts: Binary = (a, b) => {
  const eight = i32.const(8);
  const even = i16x8.mul(v128.and(a, EVEN_BYTES), i16x8.shr_s(i16x8.shl(b, eight), eight));
  return i16x8.add_sat_s(even, i16x8.mul(i16x8.shr_u(a, eight), i16x8.shr_s(b, eight)));
};
const LOW_WORDS = v128.const((0xffff_ffffn << 64n) | 0xffff_ffffn);
/** Sums of the distances of eight bytes each. */
const distances: Binary = (a, b) => {
  const words = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(i8x16.sub(i8x16.max_u(a, b), i8x16.min_u(a, b))));
  return i64x2.add(v128.and(words, LOW_WORDS), i64x2.shr_u(words, i32.const(32)));
};
const sign = (s: typeof i8x16 | typeof i16x8 | typeof i32x4): Binary => (a, b) => {
  const negated = v128.bitselect(s.neg(a), a, s.lt_s(b, ZERO));
  return v128.andnot(negated, s.eq(b, ZERO));
};

/** Operations by lane, and by groups of lanes of 64 bits: the same on MMX registers. */
const lanewise: Readonly<Record<string, Binary>> = {
  paddb: i8x16.add, paddw: i16x8.add, paddd: i32x4.add, paddq: i64x2.add, psubb: i8x16.sub, psubw: i16x8.sub, psubd: i32x4.sub, psubq: i64x2.sub,
  paddsb: i8x16.add_sat_s, paddsw: i16x8.add_sat_s, paddusb: i8x16.add_sat_u, paddusw: i16x8.add_sat_u,
  psubsb: i8x16.sub_sat_s, psubsw: i16x8.sub_sat_s, psubusb: i8x16.sub_sat_u, psubusw: i16x8.sub_sat_u,
  pmullw: i16x8.mul, pmulld: i32x4.mul, pmulhw: upperProducts('s'), pmulhuw: upperProducts('u'), pmulhrsw: roundedProducts, pmaddwd: i32x4.dot_i16x8_s,
  pmaddubsw: mixedProducts, pmuludq: wideProducts('u'), pmuldq: wideProducts('s'), psadbw: distances,
  pavgb: i8x16.avgr_u, pavgw: i16x8.avgr_u, pminub: i8x16.min_u, pmaxub: i8x16.max_u, pminsw: i16x8.min_s, pmaxsw: i16x8.max_s,
  pminsb: i8x16.min_s, pmaxsb: i8x16.max_s, pminuw: i16x8.min_u, pmaxuw: i16x8.max_u, pminsd: i32x4.min_s, pmaxsd: i32x4.max_s, pminud: i32x4.min_u, pmaxud: i32x4.max_u,
  pcmpeqb: i8x16.eq, pcmpeqw: i16x8.eq, pcmpeqd: i32x4.eq, pcmpeqq: i64x2.eq, pcmpgtb: i8x16.gt_s, pcmpgtw: i16x8.gt_s, pcmpgtd: i32x4.gt_s, pcmpgtq: i64x2.gt_s,
  pand: v128.and, por: v128.or, pxor: v128.xor, pandn: (a, b) => v128.andnot(b, a),
  andps: v128.and, andpd: v128.and, orps: v128.or, orpd: v128.or, xorps: v128.xor, xorpd: v128.xor, andnps: (a, b) => v128.andnot(b, a), andnpd: (a, b) => v128.andnot(b, a),
  psignb: sign(i8x16), psignw: sign(i16x8), psignd: sign(i32x4),
  punpcklbw: (a, b) => shuffle(a, b, 1, range(16).map((i) => (i >> 1) + (i & 1) * 16)),
  punpcklwd: (a, b) => shuffle(a, b, 2, range(8).map((i) => (i >> 1) + (i & 1) * 8)),
  punpckldq: (a, b) => shuffle(a, b, 4, [0, 4, 1, 5]),
  unpcklps: (a, b) => shuffle(a, b, 4, [0, 4, 1, 5]), unpckhps: (a, b) => shuffle(a, b, 4, [2, 6, 3, 7]),
  punpcklqdq: (a, b) => shuffle(a, b, 8, [0, 2]), punpckhqdq: (a, b) => shuffle(a, b, 8, [1, 3]),
  unpcklpd: (a, b) => shuffle(a, b, 8, [0, 2]), unpckhpd: (a, b) => shuffle(a, b, 8, [1, 3]),
  packusdw: i16x8.narrow_i32x4_u,
};

/** What takes the halves of MMX registers for those of XMM ones: the second operand comes behind the lower half of the first. */
const joined = (f: Binary): Definition =>
  byFile(
    (o) => {
      const b = o.get(1);
      const both = o.e.let(shuffle(o.get(0), b, 8, [0, 2]));
      o.set(0, f(both, both));
    },
    (o) => {
      const b = o.get(1);
      o.set(0, f(o.get(0), b));
    },
  );
/** The upper halves interleaved: of MMX registers the upper half of all interleaved. */
const interleavedHigh = (size: number): Definition => {
  const half = 8 / size;
  const from = (first: number): Binary => (a, b) => shuffle(a, b, size, range(2 * half).map((i) => first + (i >> 1) + (i & 1) * 2 * half));
  return byFile(
    (o) => {
      const b = o.get(1);
      o.set(0, shuffle(o.e.let(from(0)(o.get(0), b)), ZERO, 8, [1, 2]));
    },
    (o) => {
      const b = o.get(1);
      o.set(0, from(half)(o.get(0), b));
    },
  );
};
const pairs = (size: number, f: Binary): Definition => joined((a, b) => f(shuffle(a, b, size, alternate(size, 0)), shuffle(a, b, size, alternate(size, 1))));

// ── shifts ──

type Shifted = (s: V128, count: I32) => V128;
/** Logical shifts leave nothing beyond the size of an element; arithmetic ones the sign. */
const shifts: Readonly<Record<string, readonly [bits: number, shift: Shifted, arithmetic: boolean]>> = {
  psllw: [16, i16x8.shl, false], pslld: [32, i32x4.shl, false], psllq: [64, i64x2.shl, false],
  psrlw: [16, i16x8.shr_u, false], psrld: [32, i32x4.shr_u, false], psrlq: [64, i64x2.shr_u, false],
  psraw: [16, i16x8.shr_s, true], psrad: [32, i32x4.shr_s, true],
};
const shift = (name: string): Definition => {
  const [bits, by, arithmetic] = shifts[name] as (typeof shifts)[string];
  return simd((o) => {
    const isImmediate = o.row.operands.some(({ kind }) => kind === 'I');
    const count = o.e.let(isImmediate ? i64.extend_i32_u(o.imm) : i64x2.extract_lane(o.get(1), 0));
    const value = o.get(0);
    const beyond = i64.gt_u(count, i64.const(bits - 1));
    const amount = i32.wrap_i64(count);
    o.set(0, arithmetic ? by(value, select(beyond, i32.const(bits - 1), amount)) : select(beyond, ZERO, by(value, amount)));
  });
};
const IOTA = v128.const(0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100n);
/** Bytes from `from` on; those out of 0 … 15 are zero. The host takes numbers from 16 to 255 for that. */
const bytesFrom = (a: V128, from: I32): V128 => i8x16.swizzle(a, i8x16.add(IOTA, i8x16.splat(from)));
const shiftBytes = (left: boolean): Definition =>
  simd((o) => {
    const count = o.e.let(select(i32.gt_u(o.imm, i32.const(16)), i32.const(16), o.imm));
    o.set(0, bytesFrom(o.get(0), left ? i32.sub(i32.const(0), count) : count));
  });
const alignRight: Definition = byFile(
  (o) => {
    const b = o.get(1);
    const both = o.e.let(shuffle(b, o.get(0), 8, [0, 2]));
    o.set(0, bytesFrom(both, select(i32.gt_u(o.imm, i32.const(16)), i32.const(16), o.imm)));
  },
  (o) => {
    const b = o.get(1);
    const from = o.e.let(select(i32.gt_u(o.imm, i32.const(32)), i32.const(32), o.imm));
    o.set(0, v128.or(bytesFrom(b, from), bytesFrom(o.get(0), i32.sub(from, i32.const(16)))));
  },
);
const SHUFFLE_XMM = v128.const(0x8f8f_8f8f_8f8f_8f8f_8f8f_8f8f_8f8f_8f8fn);
const SHUFFLE_MMX = v128.const(0x8787_8787_8787_8787_8787_8787_8787_8787n);
const shuffleBytes = (mask: V128): Body => (o) => {
  const b = o.get(1);
  o.set(0, i8x16.swizzle(o.get(0), v128.and(b, mask)));
};

// ── extensions, tests, blends ──

const extensions: Readonly<Record<string, readonly ((a: V128) => V128)[]>> = {
  sxbw: [i16x8.extend_low_i8x16_s], sxwd: [i32x4.extend_low_i16x8_s], sxdq: [i64x2.extend_low_i32x4_s],
  zxbw: [i16x8.extend_low_i8x16_u], zxwd: [i32x4.extend_low_i16x8_u], zxdq: [i64x2.extend_low_i32x4_u],
  sxbd: [i16x8.extend_low_i8x16_s, i32x4.extend_low_i16x8_s], sxwq: [i32x4.extend_low_i16x8_s, i64x2.extend_low_i32x4_s],
  zxbd: [i16x8.extend_low_i8x16_u, i32x4.extend_low_i16x8_u], zxwq: [i32x4.extend_low_i16x8_u, i64x2.extend_low_i32x4_u],
  sxbq: [i16x8.extend_low_i8x16_s, i32x4.extend_low_i16x8_s, i64x2.extend_low_i32x4_s],
  zxbq: [i16x8.extend_low_i8x16_u, i32x4.extend_low_i16x8_u, i64x2.extend_low_i32x4_u],
};

/** ZF and CF: no bits of `relevant` in both operands, none in the second alone. */
export const testBits = (relevant: (bits: V128) => V128): Definition =>
  whole((o) => {
    const operands = o.halves.map((half) => [o.part(1, half), o.part(0, half)] as const);
    const none = (f: Binary): I32 => i32.eqz(v128.any_true(relevant(operands.map(([b, a]) => f(b, a)).reduce((x, y) => v128.or(x, y)))));
    zeroCarryFlags(o.e, none(v128.and), none(v128.andnot));
  });
/** Bits of all halves one behind the other, `lanes` of each. */
const mask = (lanes: number, bits: (a: V128) => I32): Body => (o) => {
  const all = o.halves.map((half) => i32.shl(bits(o.part(1, half)), i32.const(half * lanes))).reduce((low, high) => i32.or(low, high));
  o.setGeneral(0, 32, i64.extend_i32_u(all));
};

/** Lanes chosen by the sign of those of XMM0. */
const variableBlend = (signs: (mask: V128) => V128): Definition =>
  simd((o) => {
    const b = o.get(1);
    o.set(0, v128.bitselect(b, o.get(0), signs(o.get(2))));
  });
/** Lanes chosen by bits of the immediate, so many of each half. */
const blend = (bitsOfHalf: number, spread: (imm: I32) => V128): Definition =>
  simd((o) => {
    const b = o.get(1);
    o.set(0, v128.bitselect(b, o.get(0), spread(o.immOfHalf(bitsOfHalf))));
  });
const bitsOfLanes = (s: typeof i16x8 | typeof i32x4, bits: number) => (imm: I32): V128 => {
  const each = v128.const(range(128 / bits).reduce((all, i) => all | (1n << BigInt(bits * i + i)), 0n));
  return s.ne(v128.and(s.splat(imm), each), ZERO);
};
const bitsOfDoubles = (imm: I32): V128 => {
  const each = v128.const((2n << 64n) | 1n);
  return i64x2.ne(v128.and(i64x2.splat(i64.extend_i32_u(imm)), each), ZERO);
};

/** The least unsigned word and its number. */
const leastWord: Definition = simd((o) => {
  const a = o.get(1);
  const least = o.e.variable(i32.const(0xffff));
  const index = o.e.variable(i32.const(0));
  for (let i = 7; i >= 0; i--) {
    const word = o.e.let(i16x8.extract_lane_u(a, i));
    const less = o.e.let(i32.le_u(word, least.get));
    o.e.assign(least, select(less, word, least.get));
    o.e.assign(index, select(less, i32.const(i), index.get));
  }
  o.set(0, low64(i64.extend_i32_u(i32.or(least.get, i32.shl(index.get, i32.const(16))))));
});

export const integers: Definitions = {
  ...binaries(lanewise),
  ...unaries({ pabsb: i8x16.abs, pabsw: i16x8.abs, pabsd: i32x4.abs }),
  packsswb: joined(i8x16.narrow_i16x8_s), packuswb: joined(i8x16.narrow_i16x8_u), packssdw: joined(i16x8.narrow_i32x4_s),
  punpckhbw: interleavedHigh(1), punpckhwd: interleavedHigh(2), punpckhdq: interleavedHigh(4),
  phaddw: pairs(2, i16x8.add), phaddd: pairs(4, i32x4.add), phaddsw: pairs(2, i16x8.add_sat_s),
  phsubw: pairs(2, i16x8.sub), phsubd: pairs(4, i32x4.sub), phsubsw: pairs(2, i16x8.sub_sat_s),
  ...Object.fromEntries(Object.keys(shifts).map((name) => [name, shift(name)])),
  pslldq: shiftBytes(true), psrldq: shiftBytes(false), palignr: alignRight,
  pshufb: byFile(shuffleBytes(SHUFFLE_MMX), shuffleBytes(SHUFFLE_XMM)),
  ...unaries(Object.fromEntries(Object.entries(extensions).map(([name, steps]) => [`pmov${name}`, (a: V128) => steps.reduce((value, step) => step(value), a)]))),
  ptest: testBits((bits) => bits),
  pmovmskb: whole((o) => mask(16, (a) => (o.isMmx(1) ? i32.and(i8x16.bitmask(a), i32.const(0xff)) : i8x16.bitmask(a)))(o)),
  movmskps: whole(mask(4, i32x4.bitmask)), movmskpd: whole(mask(2, i64x2.bitmask)),
  pblendvb: variableBlend((m) => i8x16.shr_s(m, i32.const(7))), blendvps: variableBlend((m) => i32x4.shr_s(m, i32.const(31))), blendvpd: variableBlend((m) => i64x2.shr_s(m, i32.const(63))),
  pblendw: blend(0, bitsOfLanes(i16x8, 16)), blendps: blend(4, bitsOfLanes(i32x4, 32)), pblendd: blend(4, bitsOfLanes(i32x4, 32)), blendpd: blend(2, bitsOfDoubles),
  phminposuw: leastWord,
};
