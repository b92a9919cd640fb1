/** Decimal adjustments (SDM vol. 2: DAA, DAS, AAA, AAS, AAM, AAD), which 64-bit mode does not have. */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Emitter, I32, I64 } from '@axvisor/softcpu';
import { Flag } from '../state.ts';
import { DIVIDE_ERROR } from './arithmetic.ts';
import { define } from './define.ts';
import type { Definition, Definitions } from './define.ts';
import { carriesOf, logicFlags, packFlags, setWords } from './flags.ts';
import { gpr, setGpr } from './operands.ts';
import { constant as c, fromBool, sext, zext } from './value.ts';

const al = (e: Emitter): I64 => e.let(zext(gpr(e, 0), 8));

/** CF and AF as told (0 or 1), OF 0, the others of a byte. */
function adjusted(e: Emitter, result: I64, carry: I32, auxiliary: I32): void {
  const carries = e.let(carriesOf(i64.shl(fromBool(carry), c(63)), c(0)));
  setWords(e, sext(result, 8), carries, i64.shl(fromBool(auxiliary), c(4)));
}

/** DAA and DAS: 6 for the lower digit, 60H for the upper. */
const packed = (sign: 1 | -1): Definition =>
  define(({ e }) => {
    const flags = e.let(packFlags(e));
    const old = al(e);
    const lower = e.let(i32.or(i64.gt_u(i64.and(old, c(15)), c(9)), i32.ne(i32.and(flags, i32.const(Flag.AF)), i32.const(0))));
    const upper = e.let(i32.or(i64.gt_u(old, c(0x99)), i32.and(flags, i32.const(Flag.CF))));
    const first = e.let(i64.add(old, select(lower, c(6 * sign), c(0))));
    const result = e.let(i64.add(first, select(upper, c(0x60 * sign), c(0))));
    // DAS: the borrow of the first step counts.
    const carry = sign === 1 ? upper : i32.or(upper, i32.and(lower, i64.lt_s(first, c(0))));
    const bound = e.let(carry);
    setGpr(e, 0, 8, result);
    adjusted(e, result, bound, lower);
  }, { outline: true });

/** AAA and AAS: 6 for the digit, one for AH. */
const unpacked = (sign: 1 | -1): Definition =>
  define(({ e }) => {
    const flags = e.let(packFlags(e));
    const old = e.let(zext(gpr(e, 0), 16));
    const adjust = e.let(i32.or(i64.gt_u(i64.and(old, c(15)), c(9)), i32.ne(i32.and(flags, i32.const(Flag.AF)), i32.const(0))));
    const sum = e.let(i64.add(old, select(adjust, c(0x106 * sign), c(0))));
    const result = e.let(i64.and(sum, c(0xff0f)));
    setGpr(e, 0, 16, result);
    adjusted(e, result, adjust, adjust);
  }, { outline: true });

export const decimal: Definitions = {
  daa: packed(1),
  das: packed(-1),
  aaa: unpacked(1),
  aas: unpacked(-1),
  aam: define((o) => {
    const { e } = o;
    const base = o.bound(0);
    e.if(i64.eqz(base), () => e.fault(DIVIDE_ERROR), undefined, false);
    const old = al(e);
    const quotient = e.let(i64.div_u(old, base));
    const remainder = e.let(i64.sub(old, i64.mul(quotient, base)));
    setGpr(e, 0, 16, i64.or(i64.shl(quotient, c(8)), remainder));
    logicFlags(e, 8, remainder);
  }, { outline: true, bySize: true }),
  aad: define((o) => {
    const { e } = o;
    const old = e.let(gpr(e, 0));
    const result = e.let(zext(i64.add(old, i64.mul(zext(i64.shr_u(old, c(8)), 8), o.get(0))), 8));
    setGpr(e, 0, 16, result);
    logicFlags(e, 8, result);
  }, { outline: true, bySize: true }),
};
