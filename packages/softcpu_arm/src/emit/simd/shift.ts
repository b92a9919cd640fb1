/** Shifts of elements: by a register or an immediate, left, right, rounding, saturating (Arm ARM, C7.2). */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Emitter, I32, I64 } from '@axvisor/softcpu';
import { bitsOf, lowest, highest, noteSaturation, saturate } from './lanes.ts';
import type { Log } from './lanes.ts';

const zero = i64.const(0);

/** a >> n for n in 1 …, 0 or the sign beyond the width. */
export function shiftRight(e: Emitter, a: I64, n: I64, isSigned: boolean, rounding: boolean): I64 {
  const shr = isSigned ? i64.shr_s : i64.shr_u;
  // In two steps, so that a shift by 64 is right.
  const before = e.let(shr(a, i64.sub(n, i64.const(1))));
  const shifted = shr(before, i64.const(1));
  const result = rounding ? i64.add(shifted, i64.and(before, i64.const(1))) : shifted;
  const far = isSigned && !rounding ? i64.shr_s(a, i64.const(63)) : zero;
  return e.let(select(i64.gt_u(n, i64.const(64)), far, result));
}

/** a << n for n in 0 … without saturation. */
function shiftLeft(a: I64, n: I64): I64 {
  return select(i64.gt_u(n, i64.const(63)), zero, i64.shl(a, n));
}

/** a << n saturated to a type of the same width; `a` is extended by its own signedness. */
export function shiftLeftSaturated(e: Emitter, a: I64, n: I64, log: Log, fromSigned: boolean, toSigned: boolean): I64 {
  if (log < 3) {
    const most = i64.const(bitsOf(log));
    const wide = e.let(i64.shl(a, select(i64.gt_u(n, most), most, n)));
    if (fromSigned || log < 2) return saturate(e, wide, log, toSigned);
    const high = i64.const(highest(log, false));
    const over = e.let(i64.gt_u(wide, high));
    noteSaturation(e, over);
    return e.let(select(over, high, wide));
  }
  const far = e.let(i64.gt_u(n, i64.const(63)));
  const result = e.let(shiftLeft(a, n));
  const back = toSigned ? i64.shr_s(result, n) : i64.shr_u(result, n);
  const lost = i32.or(i64.ne(back, a), far);
  const negative = fromSigned ? i64.lt_s(a, zero) : i32.const(0);
  const overflow = e.let(i32.and(i32.or(lost, toSigned ? i32.const(0) : negative), i64.ne(a, zero)));
  noteSaturation(e, overflow);
  const bound = select(negative, i64.const(lowest(3, toSigned)), i64.const(highest(3, toSigned)));
  return e.let(select(overflow, bound, result));
}

/** Shift by the signed low byte of `b`: to the left if it is positive. */
export function shiftByRegister(e: Emitter, a: I64, b: I64, log: Log, isSigned: boolean, rounding: boolean, saturating: boolean): I64 {
  const n = e.let(i64.extend8_s(b));
  const result = e.variable(zero);
  const negative: I32 = i64.lt_s(n, zero);
  e.if(
    negative,
    () => e.assign(result, shiftRight(e, a, e.let(i64.sub(zero, n)), isSigned, rounding)),
    () => e.assign(result, saturating ? shiftLeftSaturated(e, a, n, log, isSigned, isSigned) : shiftLeft(a, n)),
  );
  return result.get;
}
