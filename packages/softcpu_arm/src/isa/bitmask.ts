/** Immediates of the logical instructions (Arm ARM, shared/functions/DecodeBitMasks). */

const ones = (count: number): bigint => (1n << BigInt(count)) - 1n;

/**
 * The value of a logical immediate.
 *
 * @param width 32 or 64
 * @returns unsigned, or undefined if the encoding is reserved
 */
export function decodeBitmask(n: number, immr: number, imms: number, width: 32 | 64): bigint | undefined {
  if (width === 32 && n === 1) return undefined;
  const length = 31 - Math.clz32((n << 6) | (~imms & 0x3f));
  if (length < 1) return undefined;
  const size = 1 << length;
  const s = imms & (size - 1);
  const r = immr & (size - 1);
  if (s === size - 1) return undefined;
  const run = ones(s + 1);
  let element = ((run >> BigInt(r)) | (run << BigInt(size - r))) & ones(size);
  for (let filled = size; filled < width; filled *= 2) element |= element << BigInt(filled);
  return element & ones(width);
}

/** The encoding of a value as a logical immediate, or undefined if it has none. */
export function encodeBitmask(value: bigint, width: 32 | 64): { readonly n: number; readonly immr: number; readonly imms: number } | undefined {
  for (let size = 2; size <= width; size *= 2) {
    const element = value & ones(size);
    let repeated = element;
    for (let filled = size; filled < width; filled *= 2) repeated |= repeated << BigInt(filled);
    if ((repeated & ones(width)) !== value) continue;
    for (let r = 0; r < size; r++) {
      const rotated = ((element << BigInt(r)) | (element >> BigInt(size - r))) & ones(size);
      const count = rotated.toString(2).length;
      if (rotated === 0n || rotated !== ones(count) || count === size) continue;
      return { n: size === 64 ? 1 : 0, immr: r, imms: ((-size << 1) & 0x3f) | (count - 1) };
    }
    return undefined;
  }
  return undefined;
}
