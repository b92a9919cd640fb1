/** Encodings taken apart into sign, integral significand and exponent, and put together again. */
import { bias, minExponent, width } from '../format.ts';
import type { Format } from '../format.ts';

/** What an encoding stands for; a finite number is (-1)^sign × significand × 2^exponent, exactly. */
export interface Value {
  readonly kind: 'zero' | 'finite' | 'infinity' | 'nan';
  readonly sign: 0 | 1;
  /** Of a NaN: its fraction field. */
  readonly significand: bigint;
  readonly exponent: number;
  /** True of a signaling NaN, and of the encodings the x87 does not support, which it treats as invalid operands. */
  readonly signaling: boolean;
}

/** Decodes `bits`, whose bits above the format's width are ignored. */
export function unpack(format: Format, bits: bigint): Value {
  const { fractionBits, exponentBits, explicitInteger } = format;
  const fraction = BigInt.asUintN(fractionBits, bits);
  const integer = explicitInteger ? Number((bits >> BigInt(fractionBits)) & 1n) : -1;
  const exponentShift = fractionBits + (explicitInteger ? 1 : 0);
  const field = Number(BigInt.asUintN(exponentBits, bits >> BigInt(exponentShift)));
  const sign = ((bits >> BigInt(width(format) - 1)) & 1n) === 1n ? 1 : 0;
  const unsupported = integer === 0 && field !== 0;
  if (unsupported) return { kind: 'nan', sign, significand: fraction, exponent: 0, signaling: true };
  if (field === 2 ** exponentBits - 1) {
    if (fraction === 0n) return { kind: 'infinity', sign, significand: 0n, exponent: 0, signaling: false };
    const signaling = ((fraction >> BigInt(fractionBits - 1)) & 1n) === 0n;
    return { kind: 'nan', sign, significand: fraction, exponent: 0, signaling };
  }
  const hasInteger = explicitInteger ? integer === 1 : field !== 0;
  const significand = hasInteger ? fraction | (1n << BigInt(fractionBits)) : fraction;
  if (significand === 0n) return { kind: 'zero', sign, significand, exponent: 0, signaling: false };
  const exponent = Math.max(field, 1) - bias(format) - fractionBits;
  return { kind: 'finite', sign, significand, exponent, signaling: false };
}

/** Encodes from the three fields; `fraction` is without the leading bit, which `field` implies. */
export function encode(format: Format, sign: number, field: number, fraction: bigint): bigint {
  const { fractionBits, exponentBits, explicitInteger } = format;
  const integer = explicitInteger && field !== 0 ? 1n << BigInt(fractionBits) : 0n;
  const shift = BigInt(fractionBits + (explicitInteger ? 1 : 0));
  return (((BigInt(sign) << BigInt(exponentBits)) | BigInt(field)) << shift) | integer | fraction;
}

export function zero(format: Format, sign: number): bigint {
  return encode(format, sign, 0, 0n);
}

export function infinity(format: Format, sign: number): bigint {
  return encode(format, sign, 2 ** format.exponentBits - 1, 0n);
}

export function largestFinite(format: Format, sign: number): bigint {
  return encode(format, sign, 2 ** format.exponentBits - 2, (1n << BigInt(format.fractionBits)) - 1n);
}

/** Encodes the number significand × 2^exponent, which the format must be able to represent: 0 ≤ significand ≤ 2^p, exponent ≥ emin - p + 1. */
export function encodeFinite(format: Format, sign: number, significand: bigint, exponent: number): bigint {
  const leading = 1n << BigInt(format.fractionBits);
  let normalized = significand;
  let scale = exponent;
  if (normalized === leading << 1n) {
    normalized = leading;
    scale += 1;
  }
  const lowest = minExponent(format) - format.fractionBits;
  while (normalized < leading && scale > lowest) {
    normalized <<= 1n;
    scale -= 1;
  }
  if (normalized < leading) return encode(format, sign, 0, normalized);
  return encode(format, sign, scale + format.fractionBits + bias(format), normalized - leading);
}
