/** RFLAGS as one word, from and to the lazy form of the state block (see `state.ts`). Works on int32 words where it can; for JavaScript. */
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

/** Words of a difference or a sum of `bits` bits: operands in halves, and what else is subtracted or added, 0 or 1. */
function wordsOf(difference: boolean, bits: number, aLow: number, aHigh: number, bLow: number, bHigh: number, more: number): Words {
  const sumLow = difference ? (aLow >>> 0) - (bLow >>> 0) - more : (aLow >>> 0) + (bLow >>> 0) + more;
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

/** CF and OF as the upper half of the carries. */
const carriesOf = (carry: boolean, overflow: boolean): number => (carry ? 0x8000_0000 | 0 : 0) | (carry === overflow ? 0 : 0x4000_0000);

const combine = (low: number, high: number): bigint => (BigInt(high) << 32n) | BigInt(low >>> 0);

/** Words of a shift or a product. */
function wideWords(kind: number, bits: number, a: bigint, b: bigint): Words {
  const signed = (value: bigint): bigint => BigInt.asIntN(bits, value);
  const words = (result: bigint, carry: boolean, overflow: boolean): Words => {
    const cut = signed(result);
    return { low: Number(BigInt.asIntN(32, cut)), high: Number(BigInt.asIntN(32, cut >> 32n)), carries: carriesOf(carry, overflow), adjust: 0, adjustHigh: 0 };
  };
  const isSet = (value: bigint, bit: number): boolean => ((value >> BigInt(bit)) & 1n) !== 0n;
  const count = Number(b);
  const value = BigInt.asUintN(bits, a);
  switch (kind) {
    case FlagKind.left: {
      const result = value << b;
      return words(result, isSet(result, bits), isSet(result, bits) !== isSet(result, bits - 1));
    }
    case FlagKind.right:
      return words(value >> b, isSet(value, count - 1), isSet(value >> b, bits - 2));
    case FlagKind.rightSigned:
      return words(signed(a) >> b, isSet(signed(a), count - 1), false);
    default: {
      const product = signed(a) * signed(b);
      const overflow = product !== signed(product);
      return words(product, overflow, overflow);
    }
  }
}

/** Words of any kind but `words` from those of the state block. */
function wordsOfKind(kind: number, bits: number, aLow: number, aHigh: number, bLow: number, bHigh: number, third: number): Words {
  switch (kind) {
    case FlagKind.difference:
    case FlagKind.sum:
      return wordsOf(kind === FlagKind.difference, bits, aLow, aHigh, bLow, bHigh, 0);
    case FlagKind.borrow:
    case FlagKind.carry:
      return wordsOf(kind === FlagKind.borrow, bits, aLow, aHigh, bLow, bHigh, third);
    case FlagKind.increment:
    case FlagKind.decrement: {
      const words = wordsOf(kind === FlagKind.decrement, bits, aLow, aHigh, 1, 0, 0);
      return { ...words, carries: carriesOf(bHigh < 0, (words.carries ^ (words.carries << 1)) < 0) };
    }
    default:
      return wideWords(kind, bits, combine(aLow, aHigh), combine(bLow, bHigh));
  }
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
      : wordsOfKind(kind & 0xff, 64 - (kind >> 8), at(RES), at(RES + 4), at(AUX), at(AUX + 4), at(ADJ));
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
