/** The floating-point environment: rounding direction, exception flags and what IEEE 754-2019 leaves to the architecture. */

/** Rounding directions (IEEE 754-2019, 4.3). The first five have the numbers of RISC-V's frm. */
export const rounding = {
  /** To nearest, ties to even. */
  RNE: 0,
  /** Towards zero. */
  RTZ: 1,
  /** Down, towards minus infinity. */
  RDN: 2,
  /** Up, towards plus infinity. */
  RUP: 3,
  /** To nearest, ties to the larger magnitude. */
  RMM: 4,
  /** To odd: an inexact result becomes the neighbour with an odd significand, so that a second rounding is correct (Arm FCVTXN). */
  ODD: 5,
} as const;

/** One of {@link rounding}. */
export type Rounding = (typeof rounding)[keyof typeof rounding];

/** Exception flags (IEEE 754-2019, 7), as bits in the order of RISC-V's fflags. */
export const flag = {
  /** Inexact. */
  NX: 1,
  /** Underflow: tiny and inexact. */
  UF: 2,
  /** Overflow. */
  OF: 4,
  /** Division by zero. */
  DZ: 8,
  /** Invalid operation. */
  NV: 16,
} as const;

/** What an operation delivers that has a NaN operand or no value (IEEE 754-2019, 6.2.3 and the architectures' manuals). */
export interface NanPolicy {
  /** Sign bit of the default NaN. */
  readonly defaultSign: 0 | 1;
  /**
   * Which operand's payload survives: none (the default NaN is delivered), the first NaN operand, or the first
   * signaling NaN before the first quiet one.
   */
  readonly propagate: 'none' | 'first' | 'signaling-first';
  /** Fused multiply-add only: true when the addend comes first in the order of operands. */
  readonly addendFirst: boolean;
  /** Fused multiply-add of infinity × zero + quiet NaN: true when it is an invalid operation that delivers the default NaN. */
  readonly infinityTimesZeroInvalid: boolean;
}

/** RISC-V (unprivileged specification, "NaN Generation and Propagation"): always the canonical NaN. */
export const nanRiscv: NanPolicy = { defaultSign: 0, propagate: 'none', addendFirst: false, infinityTimesZeroInvalid: true };
/** Arm with FPCR.DN = 1 (Arm ARM, FPProcessNaNs and FPDefaultNaN). */
export const nanArmDefault: NanPolicy = { defaultSign: 0, propagate: 'none', addendFirst: true, infinityTimesZeroInvalid: true };
/** Arm with FPCR.DN = 0. */
export const nanArm: NanPolicy = { defaultSign: 0, propagate: 'signaling-first', addendFirst: true, infinityTimesZeroInvalid: true };
/** x86 SSE and AVX (Intel SDM volume 1, 4.8.3.5 and 14.5.2). */
export const nanX86: NanPolicy = { defaultSign: 1, propagate: 'first', addendFirst: false, infinityTimesZeroInvalid: false };

/** What a conversion to an integer delivers when the value does not fit. */
export interface IntegerRule {
  /** Of a NaN: the largest integer, zero, or the "integer indefinite" (smallest signed, largest unsigned). */
  readonly nan: 'largest' | 'zero' | 'indefinite';
  /** Beyond the range: the nearest bound, or the "integer indefinite". */
  readonly overflow: 'saturate' | 'indefinite';
}

/** RISC-V's table "Domains of float-to-integer conversions and behavior for invalid inputs". */
export const integerRiscv: IntegerRule = { nan: 'largest', overflow: 'saturate' };
/** Arm's FPToFixed. */
export const integerArm: IntegerRule = { nan: 'zero', overflow: 'saturate' };
/** x86's CVTSD2SI and its relatives. */
export const integerX86: IntegerRule = { nan: 'indefinite', overflow: 'indefinite' };

/** The context object of every operation: what it obeys, and the two things it leaves behind. */
export interface FloatEnv {
  /** Direction of the next operation. */
  rounding: Rounding;
  /** Union of the {@link flag} bits raised; operations only ever set bits. */
  flags: number;
  /** Upper and lower 32 bits (as int32) of the last 64-bit result of the `f64` functions and of conversions to 64-bit integers. */
  hi: number;
  lo: number;
  /** True when tininess is detected before rounding (Arm), false when after (RISC-V, x86). IEEE 754-2019, 7.5. */
  readonly tininessBefore: boolean;
  readonly nan: NanPolicy;
  readonly integer: IntegerRule;
}

/**
 * A fresh environment, rounding to nearest even with no flag raised.
 *
 * @example
 * const env = createFloatEnv({ tininessBefore: false, nan: nanRiscv, integer: integerRiscv });
 * f32.div(env, 0x3f800000, 0x40400000); // 0x3eaaaaab, and env.flags is flag.NX
 */
export function createFloatEnv(isa: Pick<FloatEnv, 'tininessBefore' | 'nan' | 'integer'>): FloatEnv {
  return { rounding: rounding.RNE, flags: 0, hi: 0, lo: 0, tininessBefore: isa.tininessBefore, nan: isa.nan, integer: isa.integer };
}

/** The positive or negative classes an operand can be in, numbered as the bits of RISC-V's fclass result. */
export const floatClass = {
  negativeInfinity: 0,
  negativeNormal: 1,
  negativeSubnormal: 2,
  negativeZero: 3,
  positiveZero: 4,
  positiveSubnormal: 5,
  positiveNormal: 6,
  positiveInfinity: 7,
  signalingNan: 8,
  quietNan: 9,
} as const;

/**
 * The minimum and maximum operations in use.
 * `number2008`: minNum of IEEE 754-2008, 5.3.1: a number beats a quiet NaN, a signaling NaN makes the result a NaN.
 * `number2019`: minimumNumber of IEEE 754-2019, 9.6: a number beats any NaN; a signaling NaN still raises NV (RISC-V fmin, Arm FMINNM is 2008).
 * `nan2019`: minimum of IEEE 754-2019, 9.6: any NaN makes the result a NaN (RISC-V fminm, Arm FMIN).
 * All order -0 below +0.
 */
export type MinMaxKind = 'number2008' | 'number2019' | 'nan2019';
