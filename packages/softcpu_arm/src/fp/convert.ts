/** Conversions between precisions, to integers and fixed point, and back (Arm ARM, FPConvert, FPToFixed, FixedToFP). */
import { binary16, binary32, f64, flag, narrow, rounding } from '@axvisor/softcpu/softfloat';
import type { Rounding } from '@axvisor/softcpu/softfloat';
import { FORMATS } from './unit.ts';
import type { Element, FpLog, FpUnit } from './unit.ts';

const view = new DataView(new ArrayBuffer(8));
function numberOf(x: Element): number {
  view.setInt32(0, x.hi);
  view.setInt32(4, x.lo);
  return view.getFloat64(0);
}
function split(value: number, x: Element): void {
  view.setFloat64(0, value);
  x.hi = view.getInt32(0);
  x.lo = view.getInt32(4);
}

/** Alternative half precision has neither infinities nor NaNs: its largest exponent is one more. */
const ALTERNATIVE_MAX = 0x7fff;

/** From an alternative half-precision encoding to the operand's double. */
function expandAlternative(u: FpUnit): void {
  const { lo } = u.a;
  const exponent = (lo >>> 10) & 31;
  const magnitude = exponent === 0 ? (lo & 0x3ff) * 2 ** -24 : (1 + (lo & 0x3ff) / 1024) * 2 ** (exponent - 15);
  split((lo & 0x8000) === 0 ? magnitude : -magnitude, u.a);
}

/** The operand, a double, to alternative half precision. */
function toAlternative(u: FpUnit): void {
  const { a, env } = u;
  const sign = (a.hi >>> 16) & 0x8000;
  const value = Math.abs(numberOf(a));
  if (!(value < Infinity)) {
    env.flags |= flag.NV;
    return u.narrow(value === Infinity ? sign | ALTERNATIVE_MAX : sign);
  }
  if (value < 2 ** 15) return u.narrow(f64.toFormat(binary16, env, a.hi, a.lo));
  if (value >= 2 ** 18) {
    env.flags |= flag.NV;
    return u.narrow(sign | ALTERNATIVE_MAX);
  }
  // Eight binades down, where half precision rounds to the same number of digits.
  split((sign === 0 ? 1 : -1) * value * 2 ** -8, a);
  const magnitude = (f64.toFormat(binary16, env, a.hi, a.lo) & ALTERNATIVE_MAX) + (8 << 10);
  if (magnitude > ALTERNATIVE_MAX) env.flags = flag.NV;
  u.narrow(sign | Math.min(magnitude, ALTERNATIVE_MAX));
}

/** FPConvert from one precision to another; `odd` is FCVTXN's rounding. */
export function convert(u: FpUnit, from: FpLog, to: FpLog, odd = false): void {
  const { a, env } = u;
  if (from !== 1) u.flushInput(a, from);
  if (odd) env.rounding = rounding.ODD;
  if (u.alternativeHalf && from === 1) {
    expandAlternative(u);
    if (to === 3) {
      u.result.hi = a.hi;
      u.result.lo = a.lo;
    } else u.narrow(f64.toFormat(FORMATS[to], env, a.hi, a.lo));
  } else if (u.alternativeHalf && to === 1) {
    if (from === 2) {
      const nan = u.isNan(a, 2);
      const sign = a.lo & -0x80000000;
      narrow.toBinary64(binary32, env, a.lo);
      // Of a NaN only the sign is left, and it is invalid below whatever it is.
      a.hi = nan ? sign | 0x7ff80000 : env.hi;
      a.lo = env.lo;
      env.flags = 0;
    }
    toAlternative(u);
  } else if (from === 3) u.narrow(f64.toFormat(FORMATS[to], env, a.hi, a.lo));
  else if (to === 3) {
    narrow.toBinary64(FORMATS[from], env, a.lo);
    u.wide();
  } else u.narrow(narrow.toFormat(FORMATS[from], FORMATS[to], env, a.lo));
  // Conversions do not flush half precision results.
  u.settle(to, to !== 1);
}

/** The operand's value, NaN for a NaN; exact in a double. */
function operand(u: FpUnit): number {
  if (u.log === 3) return numberOf(u.a);
  if (u.isNan(u.a)) return Number.NaN;
  narrow.toBinary64(u.format, u.env, u.a.lo);
  view.setInt32(0, u.env.hi);
  view.setInt32(4, u.env.lo);
  return view.getFloat64(0);
}

/** To an integer of `bits` (16, 32, 64) with `fraction` bits behind the point; the result is in `result`. */
export function toFixed(u: FpUnit, bits: number, fraction: number, signed: boolean, mode: Rounding): void {
  const { a, env, result } = u;
  u.flushInput(a);
  split(operand(u) * 2 ** fraction, a);
  env.rounding = mode;
  if (bits === 64) {
    f64.toInt64(env, a.hi, a.lo, signed);
    u.wide();
  } else {
    let value = f64.toInt32(env, a.hi, a.lo, signed);
    if (bits === 16) {
      const exact = signed ? value : value >>> 0;
      const low = signed ? -0x8000 : 0;
      const high = signed ? 0x7fff : 0xffff;
      if (exact < low || exact > high) {
        env.flags = flag.NV;
        value = exact < low ? low : high;
      }
    }
    result.hi = 0;
    result.lo = value;
  }
  u.collect();
}

/** From a 64-bit integer in `a` (extended) with `fraction` bits behind the point to the unit's precision. */
export function fromFixed(u: FpUnit, fraction: number, signed: boolean): void {
  const { a, env } = u;
  if (u.log === 3) {
    f64.fromInt64(env, a.hi, a.lo, signed);
    u.wide();
    split(numberOf(u.result) * 2 ** -fraction, u.result);
    return u.collect();
  }
  // To odd first, so that the rounding to the narrower format is the only one that counts.
  const mode = env.rounding;
  env.rounding = rounding.ODD;
  f64.fromInt64(env, a.hi, a.lo, signed);
  env.rounding = mode;
  env.flags = 0;
  u.wide();
  split(numberOf(u.result) * 2 ** -fraction, a);
  u.narrow(f64.toFormat(u.format, env, a.hi, a.lo));
  u.settle();
}
