/** CMPXCHG8B and CMPXCHG16B (SDM vol. 2). WebAssembly exchanges no more than 8 bytes in one step: with LOCK, JavaScript exchanges 16. */
import { SPLIT_EXCHANGE, i32, i64, select } from '@axvisor/softcpu';
import type { I32, I64 } from '@axvisor/softcpu';
import { VT } from '../state.ts';
import { setZero } from './flags.ts';
import { compareExchange, isAligned, splitUpdate } from './locked.ts';
import { gpr, setGpr } from './operands.ts';
import type { Operands } from './operands.ts';
import { constant, zext } from './value.ts';

/** Service that raises #GP(0). */
export const GENERAL_PROTECTION = 'generalProtection';

/** Compares rDX:rAX with memory; replaces it by rCX:rBX, or loads it. `half` is the size of the registers. */
export function exchangePair(o: Operands, half: 32 | 64): void {
  const { e } = o;
  const { linear } = o.address(0, true);
  const zero = e.variable(i32.const(0));
  const join = (high: number, low: number): I64 => e.let(i64.or(i64.shl(gpr(e, high), constant(32)), zext(gpr(e, low), 32)));
  if (half === 32) {
    const expected = join(2, 0);
    const replacement = join(1, 3);
    const old = e.variable(constant(0));
    const result = (found: I64): I64 => select(i64.eq(found, expected), replacement, found);
    if (o.variant.lock) {
      const split = (): void => e.assign(old, splitUpdate(e, 64, linear, result));
      e.if(isAligned(linear, 64), () => e.assign(old, compareExchange(e, 64, e.hostAddress(8, linear), expected, replacement)), split, true);
    } else {
      e.assign(old, e.loadForUpdate('u64', linear));
      e.store(8, linear, result(old.get));
    }
    e.assign(zero, i64.eq(old.get, expected));
    e.if(i32.eqz(zero.get), () => {
      setGpr(e, 0, 32, old.get);
      setGpr(e, 2, 32, i64.shr_u(old.get, constant(32)));
    });
  } else {
    e.if(i32.wrap_i64(i64.and(linear, constant(15))), () => e.fault(GENERAL_PROTECTION), undefined, false);
    const place = e.hostAddress(8, linear);
    const lower = e.variable(e.read('i64.load', place));
    const upper = e.variable(e.read('i64.load', place, 8));
    const matches = (): I32 => i32.and(i64.eq(lower.get, gpr(e, 0)), i64.eq(upper.get, gpr(e, 2)));
    if (o.variant.lock) {
      [gpr(e, 0), gpr(e, 2), gpr(e, 3), gpr(e, 1)].forEach((value, i) => e.setState('i64.store', VT + 8 * i, value));
      e.assign(zero, i32.eqz(e.call(SPLIT_EXCHANGE, 'i32', [place, e.let(i32.add(place, i32.const(15))), i32.const(16)])));
      e.assign(lower, e.state('i64.load', VT));
      e.assign(upper, e.state('i64.load', VT + 8));
    } else {
      e.assign(zero, matches());
      e.if(zero.get, () => {
        e.write('i64.store', place, gpr(e, 3));
        e.write('i64.store', place, gpr(e, 1), 8);
      });
    }
    e.if(i32.eqz(zero.get), () => {
      setGpr(e, 0, 64, lower.get);
      setGpr(e, 2, 64, upper.get);
    });
  }
  setZero(e, zero.get);
}
