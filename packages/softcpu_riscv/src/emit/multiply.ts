/** The M extension (unprivileged manual, "M" Extension for Integer Multiplication and Division). */
import { i32, i64 } from '@axvisor/softcpu';
import type { Emit, Emitter, Expr, I32, I64 } from '@axvisor/softcpu';
import { register, registerWord } from './integer.ts';
import type { Definitions } from './integer.ts';

const WORD = i64.const(0xffff_ffff);
const SHIFT = i64.const(32);

/** Upper 64 bits of the unsigned product, from four 32-bit partial products. */
function highUnsigned(e: Emitter, a: I64, b: I64): I64 {
  const aLow = e.let(i64.and(a, WORD));
  const aHigh = e.let(i64.shr_u(a, SHIFT));
  const bLow = e.let(i64.and(b, WORD));
  const bHigh = e.let(i64.shr_u(b, SHIFT));
  const middle = e.let(i64.add(i64.mul(aHigh, bLow), i64.shr_u(i64.mul(aLow, bLow), SHIFT)));
  const other = i64.add(i64.mul(aLow, bHigh), i64.and(middle, WORD));
  return i64.add(i64.add(i64.mul(aHigh, bHigh), i64.shr_u(middle, SHIFT)), i64.shr_u(other, SHIFT));
}

/** What the upper half loses when `a` counts as signed: `b` if `a` is negative. */
const correction = (a: I64, b: I64): I64 => i64.and(i64.shr_s(a, i64.const(63)), b);

/** Upper half of the product; an operand that is signed is corrected for. */
const high =
  (aSigned: boolean, bSigned: boolean): Emit =>
  (e) => {
    const a = e.let(e.reg('rs1'));
    const b = e.let(e.reg('rs2'));
    let result = highUnsigned(e, a, b);
    if (aSigned) result = i64.sub(result, correction(a, b));
    if (bSigned) result = i64.sub(result, correction(b, a));
    e.setReg('rd', result);
  };

/**
 * Division and remainder never trap: by zero gives all ones and the dividend, the overflow of the most negative number
 * by -1 gives the dividend and zero ("Semantics for division by zero and division overflow").
 */
function guarded<T extends 'i32' | 'i64'>(
  e: Emitter,
  zero: Expr<T>,
  isZero: I32,
  overflow: I32 | undefined,
  overflowed: Expr<T>,
  result: () => Expr<T>,
): Expr<T> {
  const value = e.variable(zero);
  e.if(
    isZero,
    () => {},
    () => {
      if (overflow === undefined) e.assign(value, result());
      else e.if(overflow, () => e.assign(value, overflowed), () => e.assign(value, result()), false);
    },
    false,
  );
  return value.get;
}

const divide =
  (signed: boolean, remainder: boolean): Emit =>
  (e) => {
    const a = e.let(e.reg('rs1'));
    const b = e.let(e.reg('rs2'));
    const overflow = signed && !remainder ? i32.and(i64.eq(a, i64.const(-(2n ** 63n))), i64.eq(b, i64.const(-1))) : undefined;
    const operation = remainder ? (signed ? i64.rem_s : i64.rem_u) : signed ? i64.div_s : i64.div_u;
    e.setReg('rd', guarded(e, remainder ? a : i64.const(-1), i64.eqz(b), overflow, a, () => operation(a, b)));
  };

const divideWord =
  (signed: boolean, remainder: boolean): Emit =>
  (e) => {
    const a = e.let(i32.wrap_i64(e.reg('rs1')));
    const b = e.let(i32.wrap_i64(e.reg('rs2')));
    const overflow = signed && !remainder ? i32.and(i32.eq(a, i32.const(-(2 ** 31))), i32.eq(b, i32.const(-1))) : undefined;
    const operation = remainder ? (signed ? i32.rem_s : i32.rem_u) : signed ? i32.div_s : i32.div_u;
    e.setReg('rd', i64.extend_i32_s(guarded(e, remainder ? a : i32.const(-1), i32.eqz(b), overflow, a, () => operation(a, b))));
  };

export const multiply: Definitions = {
  mul: register(i64.mul),
  mulh: high(true, true),
  mulhsu: high(true, false),
  mulhu: high(false, false),
  div: divide(true, false),
  divu: divide(false, false),
  rem: divide(true, true),
  remu: divide(false, true),
  mulw: registerWord(i32.mul),
  divw: divideWord(true, false),
  divuw: divideWord(false, false),
  remw: divideWord(true, true),
  remuw: divideWord(false, true),
};
