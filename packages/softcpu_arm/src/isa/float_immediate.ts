/** Eight-bit floating-point immediates (Arm ARM, shared/functions/float/VFPExpandImm): ±(16 … 31)/16 × 2^(-3 … 4). */

/** The value of an immediate; the same in every format. */
export function decodeFloatImmediate(imm8: number): number {
  const exponent = ((imm8 >> 4) & 3) - ((imm8 & 0x40) === 0 ? -1 : 3);
  const magnitude = (1 + (imm8 & 15) / 16) * 2 ** exponent;
  return (imm8 & 0x80) === 0 ? magnitude : -magnitude;
}

/** The immediate of a value, or undefined if it has none. */
export function encodeFloatImmediate(value: number): number | undefined {
  for (let imm8 = 0; imm8 < 256; imm8++) if (decodeFloatImmediate(imm8) === value) return imm8;
  return undefined;
}
