/** What the definitions of the floating-point instructions share: when they trap, rounding modes, NaN boxing, flags, the slow path. */
import { f32, f64, i32, i64, select } from '@axvisor/softcpu';
import type { Block, Emit, Emitter, F32, F64, I32, I64 } from '@axvisor/softcpu';
import { op } from '../isa/table.ts';
import type { InsnName } from '../isa/table.ts';
import { FFLAGS, FP_OFF, FRM, FS_DIRTY } from '../state.ts';

/** Service of the hart that raises the illegal-instruction exception; it never answers 0. */
export const ILLEGAL = 'illegal';
/** JavaScript function of the hart, an `FpExec`. */
export const EXEC = 'fpExec';

/** Value of the rm field that stands for frm. */
const DYNAMIC = 7;
/** Rounding modes from here on are reserved, except {@link DYNAMIC} in the rm field. */
const RESERVED = 5;
/** fflags.NX. */
const INEXACT = 1;

/** Defines an instruction that is illegal while floating point is off. */
export function guarded(body: Emit): Emit {
  return (e) => {
    e.if(e.state('i32.load', FP_OFF), () => e.service(ILLEGAL), undefined, false);
    body(e);
  };
}

/** The rounding mode in effect. Reserved ones are found by {@link slow} and {@link checkMode}. */
export function mode(e: Emitter): I32 {
  return e.let(select(i32.eq(e.field('rm'), i32.const(DYNAMIC)), e.state('i32.load', FRM), e.field('rm')));
}

/** True when the mode is RNE, the host's. */
export function isNearestEven(rounding: I32): I32 {
  return i32.eqz(rounding);
}

/** Raises the exception if the mode is reserved: for conversions that cannot round. */
export function checkMode(e: Emitter, rounding: I32): void {
  e.if(i32.ge_u(rounding, i32.const(RESERVED)), () => e.service(ILLEGAL), undefined, false);
}

/** Has JavaScript execute the instruction; without `rounding`, one that has no rounding mode. */
export function slow(e: Emitter, name: InsnName, rounding?: I32): void {
  if (rounding !== undefined) checkMode(e, rounding);
  const registers = (['rd', 'rs1', 'rs2', 'rs3'] as const).map((field) => e.field(field));
  e.call(EXEC, 'i32', [i32.const(op[name]), ...registers, rounding ?? i32.const(0)]);
}

/** Notes that a floating-point register or fflags was written. */
export function markDirty(b: Block): void {
  b.setState('i32.store', FS_DIRTY, i32.const(1));
}

/** Raises NX. */
export function raiseInexact(b: Block): void {
  b.setState('i32.store', FFLAGS, i32.or(b.state('i32.load', FFLAGS), i32.const(INEXACT)));
  markDirty(b);
}

/** Raises NX if the condition holds. */
export function raiseInexactIf(b: Block, condition: I32): void {
  b.if(condition, () => raiseInexact(b));
}

/** fflags.NX as 0 or 1. */
export function inexactRaised(b: Block): I32 {
  return i32.and(b.state('i32.load', FFLAGS), i32.const(INEXACT));
}

/** Upper half of a NaN-boxed single-precision value. */
const BOX = i64.const(-0x1_0000_0000);

/** True when all of these registers hold NaN-boxed values. */
export function boxed(first: I64, ...others: readonly I64[]): I32 {
  return i64.ge_u(others.reduce((a, b) => i64.and(a, b), first), BOX);
}

/** Reads an operand as single precision, which it is only where {@link boxed} holds. */
export function single(bits: I64): F32 {
  return f32.reinterpret_i32(i32.wrap_i64(bits));
}

export function double(bits: I64): F64 {
  return f64.reinterpret_i64(bits);
}

/** Writes single-precision bits to rd. */
export function setSingleBits(e: Emitter, bits: I32): void {
  e.setReg('rd', i64.or(i64.extend_i32_u(bits), BOX));
  markDirty(e);
}

export function setSingle(e: Emitter, value: F32): void {
  setSingleBits(e, i32.reinterpret_f32(value));
}

export function setDouble(e: Emitter, value: F64): void {
  e.setReg('rd', i64.reinterpret_f64(value));
  markDirty(e);
}

/** Conjunction of conditions that are 0 or 1. */
export function all(first: I32, ...others: readonly I32[]): I32 {
  return others.reduce((a, b) => i32.and(a, b), first);
}
