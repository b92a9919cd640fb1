/** The binary interchange formats of IEEE 754-2019 (3.4), bfloat16, and the 80-bit extended format of the x87. */

/** A binary floating-point format: the widths of its fields, from which everything else follows. */
export interface Format {
  /** The name IEEE 754 gives it. */
  readonly name: string;
  /** Width of the biased exponent in bits. */
  readonly exponentBits: number;
  /** Width of the trailing significand in bits, without the leading bit, stored or not. */
  readonly fractionBits: number;
  /** True when the leading significand bit is stored (x87 extended), false when the exponent implies it. */
  readonly explicitInteger: boolean;
}

/** Half precision: 1 + 5 + 10 bits. */
export const binary16: Format = { name: 'binary16', exponentBits: 5, fractionBits: 10, explicitInteger: false };
/** Brain floating point: the upper half of binary32, 1 + 8 + 7 bits. */
export const bfloat16: Format = { name: 'bfloat16', exponentBits: 8, fractionBits: 7, explicitInteger: false };
/** Single precision: 1 + 8 + 23 bits. */
export const binary32: Format = { name: 'binary32', exponentBits: 8, fractionBits: 23, explicitInteger: false };
/** Double precision: 1 + 11 + 52 bits. */
export const binary64: Format = { name: 'binary64', exponentBits: 11, fractionBits: 52, explicitInteger: false };
/** Double extended precision of the x87: 1 + 15 + 1 + 63 bits. */
export const extended80: Format = { name: 'extended80', exponentBits: 15, fractionBits: 63, explicitInteger: true };

/** Precision p: significand digits with the leading one. */
export function precision(format: Format): number {
  return format.fractionBits + 1;
}

/** Exponent bias, which is also the largest exponent emax. */
export function bias(format: Format): number {
  return 2 ** (format.exponentBits - 1) - 1;
}

/** Smallest exponent of a normal number, emin = 1 - emax. */
export function minExponent(format: Format): number {
  return 1 - bias(format);
}

/** Width of an encoding in bits. */
export function width(format: Format): number {
  return 1 + format.exponentBits + (format.explicitInteger ? 1 : 0) + format.fractionBits;
}
