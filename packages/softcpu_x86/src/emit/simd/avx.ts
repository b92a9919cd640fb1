/** What AVX and AVX2 have beyond the SSE instructions: broadcasts, permutations, halves, variable shifts, masked moves (SDM vol. 2, V). */
import { i16x8, i32, i32x4, i64, i64x2, i8x16, select, v128 } from '@axvisor/softcpu';
import type { I32, I64, V128 } from '@axvisor/softcpu';
import { YMM } from '../../state.ts';
import type { Definition, Definitions } from '../define.ts';
import { avx, simd } from './define.ts';
import { testBits } from './integer.ts';
import { shuffleLanes } from './move.ts';
import { ZERO, low64 } from './operands.ts';

const splat = (size: 4 | 8, word: bigint): V128 => v128.const(size === 8 ? (word << 64n) | word : word * 0x1_0000_0001_0000_0001_0000_0001n);

/** One element, or one half, wherever it comes from, everywhere. */
const broadcast = (spread: (a: V128) => V128): Definition =>
  avx((o) => {
    const value = o.e.let(spread(o.part(1, 0)));
    for (const half of o.halves) o.put(half, value);
  });

// ── permutations ──

/** Numbers of bytes for a shuffle, from numbers of elements in the low bits of each lane. */
const bytesOf4 = (numbers: V128): V128 => i32x4.add(i32x4.mul(numbers, splat(4, 0x0404_0404n)), splat(4, 0x0302_0100n));
const bytesOf8 = (numbers: I64): I64 => i64.add(i64.mul(numbers, i64.const(0x0808_0808_0808_0808n)), i64.const(0x0706_0504_0302_0100n));

/** Bytes 0 … 31 of both halves. */
function acrossHalves(low: V128, high: V128, bytes: V128): V128 {
  // Numbers that are not of a half are above 15, also where 16 was subtracted from them.
  return v128.or(i8x16.swizzle(low, bytes), i8x16.swizzle(high, i8x16.sub(bytes, splat(8, 0x1010_1010_1010_1010n))));
}

/** VPERMPS and VPERMD: the first source has the numbers. */
const permuteWords: Definition = avx((o) => {
  const [low, high] = [o.part(1, 0), o.part(1, 1)];
  for (const half of o.halves) {
    const bytes = o.e.let(bytesOf4(v128.and(o.part(0, half), splat(4, 7n))));
    o.put(half, acrossHalves(low, high, bytes));
  }
});
/** VPERMQ and VPERMPD: two bits of the immediate for each quadword. */
const permuteQuads: Definition = avx((o) => {
  const [low, high] = [o.part(1, 0), o.part(1, 1)];
  const number = (n: number): I64 => bytesOf8(i64.extend_i32_u(i32.and(i32.shr_u(o.imm, i32.const(2 * n)), i32.const(3))));
  for (const half of o.halves) {
    const bytes = o.e.let(i64x2.replace_lane(low64(number(2 * half)), 1, number(2 * half + 1)));
    o.put(half, acrossHalves(low, high, bytes));
  }
});
/** VPERMILPS and VPERMILPD: within halves, by an immediate or by a vector. */
const permuteSingles: Definition = simd((o) => {
  if (o.row.operands.some(({ kind }) => kind === 'I')) {
    shuffleLanes(4, 0)(o);
    return;
  }
  const b = o.get(1);
  o.set(0, i8x16.swizzle(o.get(0), o.e.let(bytesOf4(v128.and(b, splat(4, 3n))))));
});
const permuteDoubles: Definition = simd((o) => {
  const { e } = o;
  const isImmediate = o.row.operands.some(({ kind }) => kind === 'I');
  const b = o.get(1);
  const a = isImmediate ? b : o.get(0);
  const chosen = (lane: 0 | 1): I64 => {
    const bit = isImmediate ? i32.and(o.immOfHalf(2), i32.const(1 << lane)) : i32.and(i32.wrap_i64(i64x2.extract_lane(b, lane)), i32.const(2));
    return e.let(select(bit, i64x2.extract_lane(a, 1), i64x2.extract_lane(a, 0)));
  };
  const low = chosen(0);
  o.set(0, i64x2.replace_lane(low64(low), 1, chosen(1)));
});
/** VPERM2F128: each half one of the four of both sources, or zero. */
const permuteHalves: Definition = avx((o) => {
  const { e } = o;
  const sources = [o.part(0, 0), o.part(0, 1), o.part(1, 0), o.part(1, 1)] as const;
  for (const half of o.halves) {
    const control = e.let(i32.shr_u(o.imm, i32.const(4 * half)));
    const bit = (n: number): I32 => i32.and(control, i32.const(n));
    const chosen = select(bit(2), select(bit(1), sources[3], sources[2]), select(bit(1), sources[1], sources[0]));
    o.put(half, select(bit(8), ZERO, chosen));
  }
});
const insertHalf: Definition = avx((o) => {
  const value = o.part(1, 0);
  const isHigh = o.e.let(i32.and(o.imm, i32.const(1)));
  o.put(0, select(isHigh, o.part(0, 0), value));
  o.put(1, select(isHigh, value, o.part(0, 1)));
});
const extractHalf: Definition = avx((o) => o.put(0, select(i32.and(o.imm, i32.const(1)), o.part(1, 1), o.part(1, 0))));

// ── shifts by counts of their own ──

type By = 'shl' | 'shr_u' | 'shr_s';
/** Counts beyond the size leave nothing, or of arithmetic shifts the sign. */
const variableShift = (bits: 32 | 64, by: By): Definition =>
  simd((o) => {
    const { e } = o;
    const counts = o.get(1);
    const values = o.get(0);
    let shifted: V128 = ZERO;
    for (let lane = 0; lane < 128 / bits; lane++) {
      if (bits === 64) {
        const count = e.let(i64x2.extract_lane(counts, lane));
        const value = i64[by](i64x2.extract_lane(values, lane), count);
        shifted = i64x2.replace_lane(shifted, lane, select(i64.gt_u(count, i64.const(63)), i64.const(0), value));
      } else {
        const count = e.let(i32x4.extract_lane(counts, lane));
        const isBeyond = i32.gt_u(count, i32.const(31));
        const value = i32x4.extract_lane(values, lane);
        const result = by === 'shr_s' ? i32.shr_s(value, select(isBeyond, i32.const(31), count)) : select(isBeyond, i32.const(0), i32[by](value, count));
        shifted = i32x4.replace_lane(shifted, lane, result);
      }
    }
    o.set(0, shifted);
  });

// ── masked moves ──

/** Elements whose mask is negative, from memory with zeroes elsewhere, or to memory. The others are not accessed. */
const maskedMove = (size: 4 | 8): Definition =>
  avx((o) => {
    const { e } = o;
    const isStore = o.row.operands[0]?.kind === 'M';
    const linear = o.address(16 * o.halves.length, isStore);
    const perHalf = 16 / size;
    for (const half of o.halves) {
      const signs = e.let((size === 4 ? i32x4 : i64x2).bitmask(o.part(0, half)));
      const value = isStore ? undefined : e.variable(ZERO);
      for (let lane = 0; lane < perHalf; lane++) {
        const at = i64.add(linear, i64.const(16 * half + lane * size));
        e.if(i32.and(signs, i32.const(1 << lane)), () => {
          if (value === undefined) e.store(size, at, elementOf(o.part(1, half), size, lane));
          else e.assign(value, withElement(value.get, size, lane, e.load(size === 4 ? 'u32' : 'u64', at)));
        });
      }
      if (value !== undefined) o.put(half, value.get);
    }
  });

/** Element `lane` of `size` bytes, in the low bits. */
const elementOf = (value: V128, size: 4 | 8, lane: number): I64 => (size === 8 ? i64x2.extract_lane(value, lane) : i64.extend_i32_u(i32x4.extract_lane(value, lane)));
const withElement = (value: V128, size: 4 | 8, lane: number, element: I64): V128 =>
  size === 8 ? i64x2.replace_lane(value, lane, element) : i32x4.replace_lane(value, lane, i32.wrap_i64(element));

// ── all registers ──

/** VZEROUPPER and VZEROALL: parts of eight registers outside 64-bit mode, of all 16 there. */
const zero = (offsets: readonly number[]): Definition =>
  avx((o) => {
    for (let register = 0; register < (o.isLong ? 16 : 8); register++) {
      for (const offset of offsets) {
        const at = YMM + 32 * register + offset;
        // Most of them are used by nothing near: those are not worth locals.
        o.e.setState('v128.store', at, ZERO);
        o.e.reload(i32.const(at));
      }
    }
  }, { byMode: true });

const SIGNS = { 4: splat(4, 0x8000_0000n), 8: splat(8, 1n << 63n) } as const;

export const avxDefinitions: Definitions = {
  vbroadcastss: broadcast((a) => i32x4.splat(i32x4.extract_lane(a, 0))), vbroadcastsd: broadcast((a) => i64x2.splat(i64x2.extract_lane(a, 0))),
  vbroadcastf128: broadcast((a) => a), vbroadcasti128: broadcast((a) => a),
  vpbroadcastb: broadcast((a) => i8x16.splat(i8x16.extract_lane_u(a, 0))), vpbroadcastw: broadcast((a) => i16x8.splat(i16x8.extract_lane_u(a, 0))),
  vpbroadcastd: broadcast((a) => i32x4.splat(i32x4.extract_lane(a, 0))), vpbroadcastq: broadcast((a) => i64x2.splat(i64x2.extract_lane(a, 0))),
  vpermps: permuteWords, vpermd: permuteWords, vpermq: permuteQuads, vpermpd: permuteQuads, vpermilps: permuteSingles, vpermilpd: permuteDoubles,
  vperm2f128: permuteHalves, vperm2i128: permuteHalves,
  vinsertf128: insertHalf, vinserti128: insertHalf, vextractf128: extractHalf, vextracti128: extractHalf,
  vpsllvd: variableShift(32, 'shl'), vpsllvq: variableShift(64, 'shl'), vpsrlvd: variableShift(32, 'shr_u'), vpsrlvq: variableShift(64, 'shr_u'), vpsravd: variableShift(32, 'shr_s'),
  vmaskmovps: maskedMove(4), vmaskmovpd: maskedMove(8), vpmaskmovd: maskedMove(4), vpmaskmovq: maskedMove(8),
  vzeroupper: zero([16]), vzeroall: zero([0, 16]),
  vtestps: testBits((bits) => v128.and(bits, SIGNS[4])), vtestpd: testBits((bits) => v128.and(bits, SIGNS[8])),
};
