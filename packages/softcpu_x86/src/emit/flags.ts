/**
 * The arithmetic flags, lazily: three pinned words that every instruction which sets all flags replaces, see `state.ts`. All that is
 * written or read of them in definitions goes through here, so that a translator can connect a comparison with the branch behind it.
 */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Block, Emitter, I32, I64 } from '@axvisor/softcpu';
import { ADJ, AUX, Flag, RES } from '../state.ts';
import { TOP, fromBool, sext, zext } from './value.ts';
import type { Size } from './value.ts';

type Flags = Pick<Block, 'state' | 'setState' | 'let'>;

const res = (e: Flags): I64 => e.state('i64.load', RES);
const aux = (e: Flags): I64 => e.state('i64.load', AUX);
const adj = (e: Flags): I64 => e.state('i64.load', ADJ);
const shl = (value: I64, count: number): I64 => i64.shl(value, i64.const(count));
const shr = (value: I64, count: number): I64 => i64.shr_u(value, i64.const(count));
const negative = (value: I64): I32 => i64.lt_s(value, i64.const(0));
const not = (value: I64): I64 => i64.xor(value, i64.const(-1));

/** Sets the three words. */
export function setWords(e: Flags, result: I64, carries: I64, adjust: I64 = i64.const(0)): void {
  e.setState('i64.store', RES, result);
  e.setState('i64.store', AUX, carries);
  e.setState('i64.store', ADJ, adjust);
}

/** Flags of `result = a + b (+ carry)`: operands zero-extended, the result not cut; all bound. */
export function addFlags(e: Flags, size: Size, a: I64, b: I64, result: I64): void {
  const carries = e.let(i64.xor(i64.xor(a, b), result));
  const out = size === 64 ? i64.or(i64.and(a, b), i64.and(i64.or(a, b), not(result))) : shl(carries, 63 - size);
  setWords(e, sext(result, size), out, i64.and(carries, i64.const(Flag.AF)));
}

/** Flags of `result = a - b (- borrow)`, likewise. */
export function subFlags(e: Flags, size: Size, a: I64, b: I64, result: I64): void {
  const borrows = e.let(i64.xor(i64.xor(a, b), result));
  const out = size === 64 ? i64.or(i64.and(not(a), b), i64.and(i64.or(not(a), b), result)) : shl(borrows, 63 - size);
  setWords(e, sext(result, size), out, i64.and(borrows, i64.const(Flag.AF)));
}

/** Flags of a logical result: CF, OF and AF are 0. */
export const logicFlags = (e: Flags, size: Size, result: I64): void => setWords(e, sext(result, size), i64.const(0));

/** Flags of an incremented or decremented value: CF stays. `overflow` has OF in its bit 63. */
export function stepFlags(e: Flags, size: Size, a: I64, result: I64, overflow: I64): void {
  const old = e.let(aux(e));
  const both = i64.or(i64.and(old, TOP), shr(i64.and(i64.xor(old, overflow), TOP), 1));
  setWords(e, sext(result, size), both, i64.and(i64.xor(i64.xor(a, i64.const(1)), result), i64.const(Flag.AF)));
}

/** Carries from CF and OF, each in bit 63. */
export const carriesOf = (carry: I64, overflow: I64): I64 => i64.or(i64.and(carry, TOP), shr(i64.and(i64.xor(carry, overflow), TOP), 1));

/** Sets CF and OF alone, as {@link carriesOf}. */
export const setCarries = (e: Flags, carries: I64): void => e.setState('i64.store', AUX, carries);

/** OF in bit 63. */
export function overflowBit(e: Flags): I64 {
  const carries = e.let(aux(e));
  return i64.xor(carries, shl(carries, 1));
}

/** CF in bit 63; the other bits are any. */
export const carryBit = (e: Flags): I64 => aux(e);

/** Sets CF alone, from bit 63. */
export function setCarry(e: Flags, carry: I64): void {
  const bound = e.let(carry);
  setCarries(e, carriesOf(bound, overflowBit(e)));
}

/** Sets OF alone, from bit 63. */
export function setOverflow(e: Flags, overflow: I64): void {
  const bound = e.let(overflow);
  setCarries(e, carriesOf(e.let(aux(e)), bound));
}

/** ZF and CF (0 or 1) as told, the others 0. */
export function zeroCarryFlags(e: Flags, zero: I32, carry: I32 = i32.const(0)): void {
  const isZero = e.let(fromBool(zero));
  const isCarry = e.let(fromBool(carry));
  setWords(e, i64.xor(isZero, i64.const(1)), i64.or(shl(isCarry, 63), shl(isCarry, 62)), shl(isZero, 62));
}

/** ZF alone (0 or 1); the others stay. */
export function setZero(e: Emitter, zero: I32): void {
  const flags = e.let(packFlags(e));
  unpackFlags(e, i32.or(i32.and(flags, i32.const(~Flag.ZF)), select(zero, i32.const(Flag.ZF), i32.const(0))));
}

/** Name of the function that computes the six flags in their places from the three words. */
export const PACK_FLAGS = 'packFlags';

/** CF, PF, AF, ZF, SF, OF in their places. */
export const packFlags = (e: Emitter): I32 => e.call(PACK_FLAGS, 'i32', [res(e), aux(e), adj(e)]);

/** Body of {@link PACK_FLAGS}. */
export function packFlagsBody(_block: Block, result: I64, carries: I64, adjust: I64): I32 {
  const at = (condition: I32, bit: number): I32 => i32.shl(condition, i32.const(bit));
  const parts = [
    at(negative(carries), 0),
    at(parity(result, adjust), 2),
    i32.and(i32.wrap_i64(adjust), i32.const(Flag.AF)),
    at(i64.eqz(result), 6),
    at(negative(i64.xor(result, adjust)), 7),
    at(negative(i64.xor(carries, shl(carries, 1))), 11),
  ];
  return parts.reduce((all, part) => i32.or(all, part));
}

/** Sets the six flags from their places. */
export function unpackFlags(e: Flags, flags: I32): void {
  const bound = e.let(i64.extend_i32_u(flags));
  const bit = (n: number): I64 => i64.and(shr(bound, n), i64.const(1));
  const zero = e.let(bit(6));
  setWords(
    e,
    i64.xor(zero, i64.const(1)),
    carriesOf(shl(bound, 63), shl(bound, 63 - 11)),
    i64.or(i64.and(bound, i64.const(Flag.AF)), i64.or(shl(bit(7), 63), shl(i64.xor(bit(2), zero), 62))),
  );
}

/** PF: the low byte has an even number of ones. */
function parity(result: I64, adjust: I64): I32 {
  const ones = i64.popcnt(zext(result, 8));
  return i32.wrap_i64(i64.and(i64.xor(i64.xor(ones, shr(adjust, 62)), i64.const(1)), i64.const(1)));
}

/** Whether a condition of Jcc, SETcc, CMOVcc holds, 0 or 1 (SDM vol. 1, appendix B). */
export function condition(e: Flags, number: number): I32 {
  const positive = ((): I32 => {
    const zero = (): I32 => i64.eqz(res(e));
    const less = (): I32 => {
      const carries = e.let(aux(e));
      return negative(i64.xor(i64.xor(res(e), adj(e)), i64.xor(carries, shl(carries, 1))));
    };
    switch (number >> 1) {
      case 0: return negative(overflowBit(e));
      case 1: return negative(aux(e));
      case 2: return zero();
      case 3: return i32.or(negative(aux(e)), zero());
      case 4: return negative(i64.xor(res(e), adj(e)));
      case 5: return parity(res(e), adj(e));
      case 6: return less();
      default: return i32.or(less(), zero());
    }
  })();
  return (number & 1) === 1 ? i32.eqz(positive) : positive;
}
