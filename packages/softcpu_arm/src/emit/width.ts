/** The two widths of integer instructions, behind one interface (Arm ARM, B1.2.1: W registers are zero-extended when written). */
import { i32, i64 } from '@axvisor/softcpu';
import type { Emitter, Expr, I32, I64 } from '@axvisor/softcpu';

/** Constructors that both integer types have. */
interface Ops<T extends 'i32' | 'i64'> {
  readonly const: (value: number) => Expr<T>;
  readonly eqz: (a: Expr<T>) => I32;
  readonly clz: (a: Expr<T>) => Expr<T>;
}
type Binary = 'add' | 'sub' | 'mul' | 'and' | 'or' | 'xor' | 'shl' | 'shr_s' | 'shr_u' | 'rotr' | 'rotl' | 'div_s' | 'div_u';
type Compare = 'eq' | 'ne' | 'lt_s' | 'lt_u' | 'ge_u' | 'gt_u';

/** Integers of one width. */
export interface Width<T extends 'i32' | 'i64' = 'i32' | 'i64'> extends Ops<T>, Readonly<Record<Binary, (a: Expr<T>, b: Expr<T>) => Expr<T>>>, Readonly<Record<Compare, (a: Expr<T>, b: Expr<T>) => I32>> {
  readonly bits: 32 | 64;
  /** Reads a register. */
  readonly get: (e: Emitter, field: string) => Expr<T>;
  /** Writes a register. */
  readonly set: (e: Emitter, field: string, value: Expr<T>) => void;
  /** A field of the record, sign-extended. */
  readonly field: (e: Emitter, name: string) => Expr<T>;
  readonly from32: (value: I32) => Expr<T>;
  readonly to64: (value: Expr<T>) => I64;
}

export const W: Width<'i32'> = {
  ...i32,
  bits: 32,
  get: (e, field) => i32.wrap_i64(e.reg(field)),
  set: (e, field, value) => e.setReg(field, i64.extend_i32_u(value)),
  field: (e, name) => e.field(name),
  from32: (value) => value,
  to64: (value) => i64.extend_i32_u(value),
};

export const XW: Width<'i64'> = {
  ...i64,
  const: (value) => i64.const(value),
  bits: 64,
  get: (e, field) => e.reg(field),
  set: (e, field, value) => e.setReg(field, value),
  field: (e, name) => e.field64(name),
  from32: (value) => i64.extend_i32_u(value),
  to64: (value) => value,
};
