/** Operand sizes: extending 64-bit values from them. */
import { i64 } from '@axvisor/softcpu';
import type { AccessSize, GuestAccess, I64 } from '@axvisor/softcpu';

/** Operand size in bits. */
export type Size = 8 | 16 | 32 | 64;

const MASKS: Readonly<Record<Size, bigint>> = { 8: 0xffn, 16: 0xffffn, 32: 0xffff_ffffn, 64: -1n };

/** All ones of a size. */
export const maskOf = (size: Size): I64 => i64.const(MASKS[size]);

/** The low bits of a value, zero-extended. */
export const zext = (value: I64, size: Size): I64 => i64.and(value, maskOf(size));

/** The low bits of a value, sign-extended. */
export function sext(value: I64, size: Size): I64 {
  if (size === 64) return value;
  return size === 32 ? i64.extend32_s(value) : size === 16 ? i64.extend16_s(value) : i64.extend8_s(value);
}

/** Bytes of a memory operand. */
export const bytesOf = (size: Size): AccessSize => (size / 8) as AccessSize;

/** Zero-extending load of a size. */
export const loadOf: Readonly<Record<Size, GuestAccess>> = { 8: 'u8', 16: 'u16', 32: 'u32', 64: 'u64' };

export const constant = (value: number | bigint): I64 => i64.const(value);
/** Bit 63 alone. */
export const TOP: I64 = i64.const(-(1n << 63n));

/** 0 or 1 as i64. */
export const fromBool: typeof i64.extend_i32_u = i64.extend_i32_u;
