/**
 * RCPPS, RSQRTPS and their scalar forms (SDM vol. 2). What the last bits are is a processor's choice: here 12 bits of the significand are those of the
 * exact value, rounded, the others zero. No exceptions; denormal numbers are zeros, before and behind.
 */
import { f32, f32x4, i32, i32x4, v128 } from '@axvisor/softcpu';
import type { V128 } from '@axvisor/softcpu';
import type { Definition, Definitions } from '../define.ts';
import { simd } from './define.ts';
import { ZERO } from './operands.ts';

const splat = (value: number): V128 => i32x4.splat(i32.const(value));
const ONE = f32x4.splat(f32.const(1));
const NORMAL = f32x4.splat(f32.const(2 ** -126));
const SIGN = splat(0x8000_0000);
const QUIET = splat(0x40_0000);
const NOT_A_NUMBER = splat(0xffc0_0000);
/** Bits that are left out. */
const LOW = 11;

const estimate = (isRoot: boolean, isScalar: boolean): Definition => simd((o) => {
  const { e } = o;
  const withZeros = (value: V128): V128 => e.let(v128.bitselect(v128.and(value, SIGN), value, f32x4.lt(f32x4.abs(value), NORMAL)));
  const b = o.get(1);
  const operand = withZeros(b);
  const exact = withZeros(e.let(f32x4.div(ONE, isRoot ? f32x4.sqrt(operand) : operand)));
  const rounded = v128.and(i32x4.add(exact, splat(1 << (LOW - 1))), splat(-1 << LOW));
  const ofNumbers = isRoot ? v128.bitselect(NOT_A_NUMBER, rounded, f32x4.lt(operand, ZERO)) : rounded;
  const value = e.let(v128.bitselect(v128.or(b, QUIET), ofNumbers, f32x4.ne(b, b)));
  if (isScalar) o.setLow(0, 4, value);
  else o.set(0, value);
});

export const estimates: Definitions = { rcpps: estimate(false, false), rcpss: estimate(false, true), rsqrtps: estimate(true, false), rsqrtss: estimate(true, true) };
