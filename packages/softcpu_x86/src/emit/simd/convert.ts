/**
 * SSE conversions between floating-point formats and integers, and rounding to integral values (SDM vol. 1, 11.4; vol. 2). As in `float.ts`, the
 * host's instruction gives the result where nothing but the precision flag may be raised. JavaScript does the rest.
 */
import { f32, f32x4, f64, f64x2, i32, i32x4, i64, i64x2, select, v128 } from '@axvisor/softcpu';
import type { I32, V128 } from '@axvisor/softcpu';
import { MXCSR } from '../../state.ts';
import type { Definition, Definitions } from '../define.ts';
import { simd } from './define.ts';
import { KINDS, PE, byScript, comparable, everywhere, inexactRaised, isDouble, isScalar, plainAndInexact, plainMode, result, slowly, writeAs } from './float.ts';
import type { Kind, Write } from './float.ts';
import { ZERO, low64 } from './operands.ts';
import type { SimdOperands } from './operands.ts';

/** `value` where it is right, else what JavaScript finds. */
const either = (o: SimdOperands, how: Write, b: V128, value: V128, right: I32): void => o.e.if(right, () => writeAs(o, how, value), () => byScript(o, how, b), true);

const scripted = (how: Write): Definition => simd((o) => byScript(o, how, o.get(1)));

/** The two low lanes of a mask of 32-bit ones. */
const lowHalf = (lanes: V128): I32 => i32.eq(i32.and(i32x4.bitmask(lanes), i32.const(3)), i32.const(3));

// ── between the formats ──

/** To double precision, which is exact: subnormal numbers and NaNs raise exceptions. */
const widened = (how: 'whole' | 8): Definition =>
  simd((o) => {
    const b = o.get(1);
    const usual = comparable(0, b);
    either(o, how, b, f64x2.promote_low_f32x4(b), how === 8 ? everywhere('ss', usual) : lowHalf(usual));
  });

const SMALLEST = f64x2.splat(f64.const(2 ** -126));
const INFINITY = f64x2.splat(f64.const(Infinity));

/** To single precision. A result above the smallest normal number is not tiny before rounding either. */
const narrowed = (kind: 'pd' | 'sd', how: 'whole' | 4): Definition =>
  simd((o) => {
    const { e } = o;
    const b = o.get(1);
    const value = e.let(f32x4.demote_f64x2_zero(b));
    const back = e.let(f64x2.promote_low_f32x4(value));
    const size = e.let(f64x2.abs(back));
    const right = v128.or(f64x2.eq(b, ZERO), v128.and(f64x2.gt(size, SMALLEST), f64x2.lt(size, INFINITY)));
    e.if(i32.and(plainMode(o), everywhere(kind, right)), () => {
      const exact = everywhere(kind, f64x2.eq(back, b));
      e.setState('i32.store', MXCSR, i32.or(e.state('i32.load', MXCSR), select(exact, i32.const(0), i32.const(PE))));
      writeAs(o, how, value);
    }, () => byScript(o, how, b), true);
  });

// ── from integers ──

/** Numbers up to this are exact in double and in single precision. */
const EXACT = { sd: 2n ** 53n, ss: 2n ** 24n } as const;

/** From an integer register: double precision holds 32 bits exactly. */
const fromInteger = (kind: 'ss' | 'sd'): Definition =>
  simd((o) => {
    const { e } = o;
    const size = o.wide;
    const source = e.let(o.general(1, size));
    if (size === 32 && kind === 'sd') {
      o.setLow(0, 8, low64(i64.reinterpret_f64(f64.convert_i32_s(i32.wrap_i64(source)))));
      return;
    }
    const number = size === 32 ? e.let(i64.extend32_s(source)) : source;
    const bits = kind === 'sd' ? i64.reinterpret_f64(f64.convert_i64_s(number)) : i64.extend_i32_u(i32.reinterpret_f32(f32.convert_i64_s(number)));
    const value = e.let(low64(bits));
    const exact = i64.le_u(i64.add(number, i64.const(EXACT[kind])), i64.const(2n * EXACT[kind]));
    e.if(i32.or(plainAndInexact(o), exact), () => o.setLow(0, kind === 'sd' ? 8 : 4, value), () => {
      slowly(o, low64(i64.const(size)), low64(source));
      o.setLow(0, kind === 'sd' ? 8 : 4, result(o));
    }, true);
  }, { bySize: true });

const LARGEST_EXACT = Number(EXACT.ss);
/** To single precision. */
const singlesFromIntegers: Definition = simd((o) => {
  const b = o.get(1);
  const exact = i32x4.le_u(i32x4.add(b, i32x4.splat(i32.const(LARGEST_EXACT))), i32x4.splat(i32.const(2 * LARGEST_EXACT)));
  either(o, 'whole', b, f32x4.convert_i32x4_s(b), i32.or(plainAndInexact(o), everywhere('ps', exact)));
});
const doublesFromIntegers: Definition = simd((o) => o.set(0, f64x2.convert_low_i32x4_s(o.get(1))));

// ── to integers ──

/** To an integer register; JavaScript is told the size in the first operand. */
const toInteger = (kind: 'ss' | 'sd', truncate: boolean): Definition =>
  simd((o) => {
    const { e } = o;
    const size = o.wide;
    const b = o.get(1);
    const value = e.let(kind === 'sd' ? f64x2.extract_lane(b, 0) : f64.promote_f32(f32x4.extract_lane(b, 0)));
    const rounded = e.let(truncate ? f64.trunc(value) : f64.nearest(value));
    const limit = size === 64 ? 2 ** 63 : 2 ** 31;
    const inRange = i32.and(f64.ge(rounded, f64.const(-limit)), f64.lt(rounded, f64.const(limit)));
    const silent = i32.or(f64.eq(rounded, value), inexactRaised(o));
    e.if(i32.and(i32.and(plainMode(o), inRange), silent), () => o.setGeneral(0, size, i64.trunc_sat_f64_s(rounded)), () => {
      slowly(o, low64(i64.const(size)), b);
      o.setGeneral(0, size, i64x2.extract_lane(result(o), 0));
    }, true);
  }, { bySize: true });

const floats = [f32x4, f64x2] as const;
const LIMITS = [
  [f32x4.splat(f32.const(-(2 ** 31))), f32x4.splat(f32.const(2 ** 31))],
  [f64x2.splat(f64.const(-(2 ** 31))), f64x2.splat(f64.const(2 ** 31))],
] as const;

/** Lanes to integers of 32 bits; of double precision to the lower half. */
const toIntegers = (kind: 'ps' | 'pd', truncate: boolean): Definition =>
  simd((o) => {
    const { e } = o;
    const d = isDouble(kind);
    const b = o.get(1);
    const rounded = e.let(truncate ? floats[d].trunc(b) : floats[d].nearest(b));
    const [low, high] = LIMITS[d];
    const inRange = v128.and(floats[d].ge(rounded, low), floats[d].lt(rounded, high));
    const silent = i32.or(plainAndInexact(o), everywhere(kind, floats[d].eq(rounded, b)));
    const value = d === 1 ? i32x4.trunc_sat_f64x2_s_zero(rounded) : i32x4.trunc_sat_f32x4_s(rounded);
    either(o, 'whole', b, value, i32.and(silent, everywhere(kind, inRange)));
  });

// ── to integral values ──

/** ROUNDxx: in the direction of the immediate, 0 to nearest, 1 down, 2 up, 3 towards zero, or with bit 2 that of MXCSR; bit 3 keeps the precision flag. */
const rounding = (kind: Kind): Definition =>
  simd((o) => {
    const { e, imm } = o;
    const d = isDouble(kind);
    const b = o.get(1);
    const value = e.variable(ZERO);
    const direction = e.let(select(i32.and(imm, i32.const(4)), i32.const(0), i32.and(imm, i32.const(3))));
    (['nearest', 'floor', 'ceil', 'trunc'] as const).forEach((name, n) => e.if(i32.eq(direction, i32.const(n)), () => e.assign(value, floats[d][name](b))));
    const unflagged = i32.or(i32.and(imm, i32.const(8)), inexactRaised(o));
    const silent = i32.or(everywhere(kind, floats[d].eq(value.get, b)), i32.and(plainMode(o), i32.ne(unflagged, i32.const(0))));
    const how = isScalar(kind) ? (d === 1 ? 8 : 4) : 'whole';
    either(o, how, b, value.get, i32.and(silent, everywhere(kind, floats[d].eq(b, b))));
  });

export const conversions: Definitions = Object.fromEntries<Definition>([
  ['cvtps2pd', widened('whole')], ['cvtss2sd', widened(8)], ['cvtpd2ps', narrowed('pd', 'whole')], ['cvtsd2ss', narrowed('sd', 4)],
  ['cvtsi2ss', fromInteger('ss')], ['cvtsi2sd', fromInteger('sd')], ['cvtdq2ps', singlesFromIntegers], ['cvtdq2pd', doublesFromIntegers],
  ['cvttss2si', toInteger('ss', true)], ['cvttsd2si', toInteger('sd', true)], ['cvtss2si', toInteger('ss', false)], ['cvtsd2si', toInteger('sd', false)],
  ['cvtps2dq', toIntegers('ps', false)], ['cvttps2dq', toIntegers('ps', true)], ['cvtpd2dq', toIntegers('pd', false)], ['cvttpd2dq', toIntegers('pd', true)],
  ...KINDS.map((kind) => [`round${kind}`, rounding(kind)] as const),
  ...['cvttps2pi', 'cvttpd2pi', 'cvtps2pi', 'cvtpd2pi', 'cvtpi2pd'].map((name) => [name, scripted('whole')] as const),
  ['cvtpi2ps', scripted(8)],
]);
