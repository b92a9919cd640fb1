/**
 * Instruction-specific syndromes (Arm ARM, ESR_EL2): which stage 2 data aborts have a valid instruction syndrome, and the
 * syndromes of trapped system instructions.
 */

import { AbortIss, ISS_COND_ALWAYS } from './fields.ts';

/** ISS of an SIMD&FP trap from AArch64. */
export const ISS_FP: number = ISS_COND_ALWAYS;

/** ISS of a trapped WFI (0) or WFE (1). */
export function wfxIss(wfe: number): number {
  return ISS_COND_ALWAYS | wfe;
}

/** ISS of a trapped MSR, MRS or system instruction: its fields in another order; `bits` is the instruction. */
export function sysregIss(bits: number): number {
  const field = (at: number, mask: number): number => (bits >>> at) & mask;
  return (
    (field(19, 3) << 20) | (field(5, 7) << 17) | (field(16, 7) << 14) | (field(12, 15) << 10) | (field(0, 31) << 5) | (field(8, 15) << 1) |
    field(21, 1)
  );
}

/** SAS, SSE, SRT, SF, AR and ISV of an access of one general-purpose register. */
function valid(size: number, signed: boolean, register: number, wide: boolean, acquire: boolean): number {
  return AbortIss.ISV | (size << 22) | (signed ? 1 << 21 : 0) | (register << 16) | (wide ? 1 << 15 : 0) | (acquire ? 1 << 14 : 0);
}

/** By size and opc: whether LDR (register, immediate) sign-extends, and whether the register is an X. PRFM does not fault. */
function single(bits: number, acquire: boolean): number {
  const size = bits >>> 30;
  const opc = (bits >>> 22) & 3;
  const signed = opc >= 2;
  return valid(size, signed, bits & 31, signed ? opc === 2 : size === 3, acquire);
}

/** One class of encodings with a valid instruction syndrome. */
interface Class {
  readonly mask: number;
  readonly match: number;
  readonly iss: (bits: number) => number;
}

/**
 * Loads and stores of a single general-purpose register without writeback, other than exclusives; acquire and release
 * semantics set AR. V, bit 26, is clear in all of them.
 */
const classes: readonly Class[] = [
  // size 111 0 01 opc imm12 Rn Rt: unsigned immediate.
  { mask: 0x3f00_0000, match: 0x3900_0000, iss: (bits) => single(bits, false) },
  // size 111 0 00 opc 0 imm9 00 Rn Rt: unscaled immediate.
  { mask: 0x3f20_0c00, match: 0x3800_0000, iss: (bits) => single(bits, false) },
  // size 111 0 00 opc 0 imm9 10 Rn Rt: unprivileged.
  { mask: 0x3f20_0c00, match: 0x3800_0800, iss: (bits) => single(bits, false) },
  // size 111 0 00 opc 1 Rm option S 10 Rn Rt: register offset.
  { mask: 0x3f20_0c00, match: 0x3820_0800, iss: (bits) => single(bits, false) },
  // 0x 011 0 00 imm19 Rt and 10 (LDRSW): literal.
  { mask: 0xbf00_0000 | 0, match: 0x1800_0000, iss: (bits) => valid((bits >>> 30) + 2, false, bits & 31, bits >>> 30 === 1, false) },
  { mask: 0xff00_0000 | 0, match: 0x9800_0000 | 0, iss: (bits) => valid(2, true, bits & 31, true, false) },
  // size 001000 1 L 0 Rs 1 Rt2 Rn Rt: LDAR, STLR.
  { mask: 0x3fa0_8000, match: 0x0880_8000, iss: (bits) => valid(bits >>> 30, false, bits & 31, bits >>> 30 === 3, true) },
  // size 111 0 00 101 11111 1 100 00 Rn Rt: LDAPR.
  { mask: 0x3fff_fc00, match: 0x38bf_c000, iss: (bits) => valid(bits >>> 30, false, bits & 31, bits >>> 30 === 3, true) },
];

/** Bits 24:14 of the ISS of a data abort that the instruction `bits` caused at stage 2; 0 where ISV is 0. */
export function instructionSyndrome(bits: number): number {
  for (const { mask, match, iss } of classes) if ((bits & mask) === match) return iss(bits);
  return 0;
}

/** LDADD and its kind with SWP; CAS; CASP: instructions that read and write memory at once. */
const atomics: readonly (readonly [mask: number, match: number])[] = [
  [0x3f20_0c00, 0x3820_0000], // size 111 0 00 A R 1 Rs o3 opc 00 Rn Rt
  [0x3fa0_7c00, 0x08a0_7c00], // size 001000 1 L 1 Rs o0 11111 Rn Rt
  [0xbfa0_7c00 | 0, 0x0820_7c00], // 0 sz 001000 0 L 1 Rs o0 11111 Rn Rt
];

/** Whether an instruction is an atomic: it counts as a write only where a read would not have faulted. */
export function isAtomic(bits: number): boolean {
  return atomics.some(([mask, match]) => (bits & mask) === match);
}
