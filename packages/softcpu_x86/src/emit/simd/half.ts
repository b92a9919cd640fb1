/**
 * F16C: conversions from and to half precision (SDM vol. 2, VCVTPH2PS, VCVTPS2PH). JavaScript does what raises more than the precision flag: signaling
 * NaNs, and results of half precision that are no ordinary numbers.
 */
import { f32, f32x4, i32, i32x4, i8x16, select, v128 } from '@axvisor/softcpu';
import type { V128 } from '@axvisor/softcpu';
import { MXCSR } from '../../state.ts';
import type { Definition, Definitions } from '../define.ts';
import { simd } from './define.ts';
import { PE, byScript, plainMode } from './float.ts';
import { ZERO } from './operands.ts';

const splat = (value: number): V128 => i32x4.splat(i32.const(value));

/** Bits of significands that half precision has not. */
const SHIFT = 13;
/** Infinity of half precision, and the bit that tells quiet NaNs from signaling ones. */
const HALF_INFINITY = 0x7c00;
const HALF_QUIET = 0x200;
/** Single precision: infinity, the sign, and the encodings of 2^-14 and of the least number that is rounded to infinity. */
const INFINITY = 0x7f80_0000;
const SIGN = 0x8000_0000 | 0;
const SMALLEST = 0x3880_0000;
const TOO_LARGE = 0x477f_f000;
/** What the exponents of single precision are biased by more, as an encoding. */
const BIAS = 112 << 23;

/** Denormal numbers are what they are, whatever MXCSR.DAZ says: a multiplication gives all of them their exponents. */
const fromHalf: Definition = simd((o) => {
  const { e } = o;
  const b = o.get(1);
  const half = e.let(i32x4.extend_low_i16x8_u(b));
  const magnitude = e.let(v128.and(half, splat(0x7fff)));
  const isSignaling = v128.and(i32x4.gt_u(magnitude, splat(HALF_INFINITY)), i32x4.eq(v128.and(magnitude, splat(HALF_QUIET)), ZERO));
  e.if(v128.any_true(isSignaling), () => byScript(o, 'whole', b), () => {
    const number = f32x4.mul(i32x4.shl(magnitude, i32.const(SHIFT)), f32x4.splat(f32.const(2 ** 112)));
    const special = v128.and(i32x4.ge_u(magnitude, splat(HALF_INFINITY)), splat(INFINITY));
    const sign = i32x4.shl(v128.xor(half, magnitude), i32.const(16));
    o.set(0, e.let(v128.or(v128.or(number, special), sign)));
  }, false);
});

/** Zeros, and what is an ordinary number of half precision, to nearest: an immediate of 0, or of 4 where MXCSR says so. */
const toHalf: Definition = simd((o) => {
  const { e, imm } = o;
  const b = o.get(1);
  const magnitude = e.let(v128.and(b, splat(~SIGN)));
  const isZero = e.let(i32x4.eq(magnitude, ZERO));
  const isOrdinary = i32x4.lt_u(i32x4.sub(magnitude, splat(SMALLEST)), splat(TOO_LARGE - SMALLEST));
  const isNearest = i32.or(i32.and(imm, i32.const(4)), i32.eqz(i32.and(imm, i32.const(3))));
  const right = i32.and(i32.and(plainMode(o), i32.ne(isNearest, i32.const(0))), i32x4.all_true(v128.or(isZero, isOrdinary)));
  e.if(right, () => {
    const isInexact = v128.any_true(v128.and(magnitude, splat((1 << SHIFT) - 1)));
    e.setState('i32.store', MXCSR, i32.or(e.state('i32.load', MXCSR), select(isInexact, i32.const(PE), i32.const(0))));
    const odd = v128.and(i32x4.shr_u(magnitude, i32.const(SHIFT)), splat(1));
    const rounded = i32x4.add(i32x4.add(magnitude, splat((1 << (SHIFT - 1)) - 1)), odd);
    const number = v128.andnot(i32x4.shr_u(i32x4.sub(rounded, splat(BIAS)), i32.const(SHIFT)), isZero);
    const half = e.let(v128.or(number, i32x4.shr_u(v128.and(b, splat(SIGN)), i32.const(16))));
    o.set(0, e.let(i8x16.shuffle(half, ZERO, [0, 1, 4, 5, 8, 9, 12, 13, 16, 16, 16, 16, 16, 16, 16, 16])));
  }, () => byScript(o, 'whole', b), true);
});

export const halfPrecision: Definitions = { cvtph2ps: fromHalf, cvtps2ph: toHalf };
