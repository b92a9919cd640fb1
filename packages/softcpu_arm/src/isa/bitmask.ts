/** Immediates of the logical instructions (Arm ARM, shared/functions/DecodeBitMasks). */

const ones = (count: number): bigint => (1n << BigInt(count)) - 1n;

/** log2 of the size of the elements, of which each is the same. */
const sizeLog = (n: number, imms: number): number => 31 - Math.clz32((n << 6) | (~imms & 0x3f));

/** The lower or upper half (int32) of a logical immediate of 64 bits that exists. */
export function bitmaskWord(n: number, immr: number, imms: number, upper: boolean): number {
  const log = sizeLog(n, imms);
  const mask = (1 << log) - 1;
  const length = (imms & mask) + 1;
  const right = immr & mask;
  if (log === 6) {
    const run = (from: number): number => (length - from >= 32 ? -1 : length > from ? (1 << (length - from)) - 1 : 0);
    // The word that its bit 0 comes from, and the next one.
    const isSwapped = upper !== right >= 32;
    const low = run(isSwapped ? 32 : 0);
    return (right & 31) === 0 ? low : (low >>> right) | (run(isSwapped ? 0 : 32) << -right);
  }
  const size = 1 << log;
  const run = length === 32 ? -1 : (1 << length) - 1;
  let word = right === 0 ? run : (run >>> right) | (run << (size - right));
  if (size < 32) word &= (1 << size) - 1;
  for (let filled = size; filled < 32; filled *= 2) word |= word << filled;
  return word;
}

/**
 * The value of a logical immediate.
 *
 * @param width 32 or 64
 * @returns unsigned, or undefined if the encoding is reserved
 */
export function decodeBitmask(n: number, immr: number, imms: number, width: 32 | 64): bigint | undefined {
  const log = sizeLog(n, imms);
  if (log < 1 || (width === 32 && n === 1) || (~imms & ((1 << log) - 1)) === 0) return undefined;
  const word = (upper: boolean): bigint => BigInt(bitmaskWord(n, immr, imms, upper) >>> 0);
  return width === 32 ? word(false) : (word(true) << 32n) | word(false);
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
