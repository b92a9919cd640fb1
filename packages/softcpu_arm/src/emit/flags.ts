/** The condition flags: setting them, and the conditions on them (Arm ARM, C1.2.4, AddWithCarry). */
import { i32 } from '@axvisor/softcpu';
import type { Block, Emitter, Expr, I32 } from '@axvisor/softcpu';
import { C, N, VF, Z } from '../state.ts';
import type { Width } from './width.ts';

const flag = (b: Pick<Block, 'state'>, offset: number): I32 => b.state('i32.load', offset);
const not = (x: I32): I32 => i32.eqz(x);

/** Whether a condition holds, 0 or 1. */
export function condition(e: Pick<Block, 'state'>, number: number): I32 {
  const positive = ((): I32 => {
    switch (number >> 1) {
      case 0: return flag(e, Z);
      case 1: return flag(e, C);
      case 2: return flag(e, N);
      case 3: return flag(e, VF);
      case 4: return i32.gt_u(flag(e, C), flag(e, Z));
      case 5: return i32.eq(flag(e, N), flag(e, VF));
      case 6: return i32.gt_u(i32.eq(flag(e, N), flag(e, VF)), flag(e, Z));
      default: return i32.const(1);
    }
  })();
  return (number & 1) === 1 && number !== 15 ? not(positive) : positive;
}

/** Sets all four flags. */
export function setFlags(e: Emitter, n: I32, z: I32, c: I32, v: I32): void {
  e.setState('i32.store', N, n);
  e.setState('i32.store', Z, z);
  e.setState('i32.store', C, c);
  e.setState('i32.store', VF, v);
}

/** Sets the flags from the bits of an immediate nzcv, kept in a field. */
export function setFlagsFrom(e: Emitter, nzcv: I32): void {
  const bit = (n: number): I32 => i32.and(i32.shr_u(nzcv, i32.const(n)), i32.const(1));
  setFlags(e, bit(3), bit(2), bit(1), bit(0));
}

/** Flags of a logical result. */
export function logicalFlags<T extends 'i32' | 'i64'>(e: Emitter, w: Width<T>, result: Expr<T>): void {
  setFlags(e, w.lt_s(result, w.const(0)), w.eqz(result), i32.const(0), i32.const(0));
}

/** Flags of `result = a + b`; all three bound. */
export function addFlags<T extends 'i32' | 'i64'>(e: Emitter, w: Width<T>, a: Expr<T>, b: Expr<T>, result: Expr<T>): void {
  setFlags(e, w.lt_s(result, w.const(0)), w.eqz(result), w.lt_u(result, a), w.lt_s(w.and(w.xor(a, result), w.xor(b, result)), w.const(0)));
}

/** Flags of `result = a - b`; all three bound. */
export function subFlags<T extends 'i32' | 'i64'>(e: Emitter, w: Width<T>, a: Expr<T>, b: Expr<T>, result: Expr<T>): void {
  setFlags(e, w.lt_s(result, w.const(0)), w.eqz(result), w.ge_u(a, b), w.lt_s(w.and(w.xor(a, b), w.xor(a, result)), w.const(0)));
}
