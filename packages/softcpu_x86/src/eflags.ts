/** RFLAGS as one word, from and to the lazy form of the state block (see `state.ts`). Works on int32 words; for JavaScript. */
import { ADJ, AUX, EFLAGS, FLAG_KIND, Flag, FlagKind, RES } from './state.ts';

const ARITHMETIC = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF;

/** Whether a byte has an even number of ones. */
function evenParity(byte: number): boolean {
  let folded = byte ^ (byte >>> 4);
  folded ^= folded >>> 2;
  return ((folded ^ (folded >>> 1)) & 1) === 0;
}

/** The three words of kind `words`, halves as int32. */
interface Words {
  readonly low: number;
  readonly high: number;
  /** The upper half alone of the carries. */
  readonly carries: number;
  readonly adjust: number;
  readonly adjustHigh: number;
}

/** Words of a difference or a sum of `bits` bits: operands in halves. */
function wordsOf(difference: boolean, bits: number, aLow: number, aHigh: number, bLow: number, bHigh: number): Words {
  const sumLow = difference ? (aLow >>> 0) - (bLow >>> 0) : (aLow >>> 0) + (bLow >>> 0);
  const low = sumLow | 0;
  const high = (difference ? aHigh - bHigh - (sumLow < 0 ? 1 : 0) : aHigh + bHigh + (sumLow > 0xffff_ffff ? 1 : 0)) | 0;
  const chain = aLow ^ bLow ^ low;
  const chainHigh = aHigh ^ bHigh ^ high;
  const adjust = chain & Flag.AF;
  if (bits === 64) {
    const [first, last] = difference ? [~aHigh, high] : [aHigh, ~high];
    return { low, high, carries: (first & bHigh) | ((first | bHigh) & last), adjust, adjustHigh: 0 };
  }
  // Carry out of and into the top bit, in the two highest.
  const shift = 63 - bits;
  const carries = shift === 31 ? (chain >>> 1) | (chainHigh << 31) : chain << (shift - 32);
  const cut = (low << (32 - bits)) >> (32 - bits);
  return { low: cut, high: cut >> 31, carries, adjust, adjustHigh: 0 };
}

/**
 * RFLAGS, bit 1 set.
 *
 * @param words - linear memory.
 * @param state - byte offset of the state block.
 */
export function readEflags(words: Int32Array, state: number): number {
  const at = (offset: number): number => words[(state + offset) >>> 2] as number;
  const kind = at(FLAG_KIND);
  const { low, high, carries, adjust, adjustHigh } =
    kind === FlagKind.words
      ? { low: at(RES), high: at(RES + 4), carries: at(AUX + 4), adjust: at(ADJ), adjustHigh: at(ADJ + 4) }
      : wordsOf((kind & 0xff) === FlagKind.difference, 64 - (kind >> 8), at(RES), at(RES + 4), at(AUX), at(AUX + 4));
  let flags = at(EFLAGS) | 2 | (adjust & Flag.AF);
  if (carries < 0) flags |= Flag.CF;
  if ((carries ^ (carries << 1)) < 0) flags |= Flag.OF;
  if ((low | high) === 0) flags |= Flag.ZF;
  if ((high ^ adjustHigh) < 0) flags |= Flag.SF;
  if (evenParity(low & 0xff) !== ((adjustHigh & 0x4000_0000) !== 0)) flags |= Flag.PF;
  return flags;
}

/** Sets RFLAGS: all of it. What follows from changed system bits is the caller's. */
export function writeEflags(words: Int32Array, state: number, flags: number): void {
  const put = (offset: number, value: number): void => {
    words[(state + offset) >>> 2] = value;
  };
  const bit = (flag: number): number => ((flags & flag) !== 0 ? 1 : 0);
  put(EFLAGS, flags & ~(ARITHMETIC | 2));
  put(FLAG_KIND, FlagKind.words);
  put(FLAG_KIND + 4, 0);
  // RES: 0 for ZF, else 1 (odd parity, positive); the differences go to ADJ.
  const zero = bit(Flag.ZF);
  put(RES, 1 - zero);
  put(RES + 4, 0);
  put(AUX, 0);
  put(AUX + 4, (bit(Flag.CF) << 31) | ((bit(Flag.CF) ^ bit(Flag.OF)) << 30));
  put(ADJ, flags & Flag.AF);
  put(ADJ + 4, (bit(Flag.SF) << 31) | ((bit(Flag.PF) ^ zero) << 30));
}
