/** Arithmetic with its flags (SDM vol. 1, 3.4.3.1; vol. 2, the instructions). */
import { Rflags } from '@axvisor/axvisor_api/arch/x86';
import { truncate, type Size } from './machine.ts';

/** The six status flags. */
export const STATUS: bigint = Rflags.CF | Rflags.PF | Rflags.AF | Rflags.ZF | Rflags.SF | Rflags.OF;

export interface Outcome {
  readonly value: bigint;
  readonly flags: bigint;
}

const top = (value: bigint, size: Size): bigint => (value >> BigInt(8 * size - 1)) & 1n;

function parity(value: bigint): bigint {
  let bits = Number(value & 0xffn);
  bits ^= bits >> 4;
  bits ^= bits >> 2;
  bits ^= bits >> 1;
  return (bits & 1) === 0 ? Rflags.PF : 0n;
}

/** SF, ZF and PF of a result. */
const resultFlags = (value: bigint, size: Size): bigint => parity(value) | (value === 0n ? Rflags.ZF : 0n) | (top(value, size) !== 0n ? Rflags.SF : 0n);

export function add(a: bigint, b: bigint, carry: bigint, size: Size): Outcome {
  const sum = a + b + carry;
  const value = truncate(sum, size);
  const carries = sum >> BigInt(8 * size) !== 0n ? Rflags.CF : 0n;
  const overflow = top((a ^ value) & (b ^ value), size) !== 0n ? Rflags.OF : 0n;
  const half = ((a ^ b ^ value) & 0x10n) !== 0n ? Rflags.AF : 0n;
  return { value, flags: resultFlags(value, size) | carries | overflow | half };
}

export function subtract(a: bigint, b: bigint, borrow: bigint, size: Size): Outcome {
  const value = truncate(a - b - borrow, size);
  const borrows = a < b + borrow ? Rflags.CF : 0n;
  const overflow = top((a ^ b) & (a ^ value), size) !== 0n ? Rflags.OF : 0n;
  const half = ((a ^ b ^ value) & 0x10n) !== 0n ? Rflags.AF : 0n;
  return { value, flags: resultFlags(value, size) | borrows | overflow | half };
}

export const logic = (value: bigint, size: Size): Outcome => ({ value, flags: resultFlags(value, size) });

/** ADD, OR, ADC, SBB, AND, SUB, XOR, CMP: by bits 5:3 of the opcode. CMP writes no result. */
export const ARITHMETIC: readonly ((a: bigint, b: bigint, carry: bigint, size: Size) => Outcome)[] = [
  (a, b, _, size) => add(a, b, 0n, size),
  (a, b, _, size) => logic(a | b, size),
  add,
  subtract,
  (a, b, _, size) => logic(a & b, size),
  (a, b, _, size) => subtract(a, b, 0n, size),
  (a, b, _, size) => logic(a ^ b, size),
  (a, b, _, size) => subtract(a, b, 0n, size),
];
export const AND = 4;
export const CMP = 7;

/** Condition `cc` of Jcc, SETcc, CMOVcc. */
export function condition(cc: number, flags: bigint): boolean {
  const is = (flag: bigint): boolean => (flags & flag) !== 0n;
  const holds = [
    () => is(Rflags.OF),
    () => is(Rflags.CF),
    () => is(Rflags.ZF),
    () => is(Rflags.CF | Rflags.ZF),
    () => is(Rflags.SF),
    () => is(Rflags.PF),
    () => is(Rflags.SF) !== is(Rflags.OF),
    () => is(Rflags.ZF) || is(Rflags.SF) !== is(Rflags.OF),
  ][cc >> 1]?.();
  return holds === ((cc & 1) === 0);
}
