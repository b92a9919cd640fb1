/** RFLAGS as one word, from and to the lazy form of the state block (see `state.ts`). Works on int32 words; for JavaScript. */
import { ADJ, AUX, EFLAGS, Flag, RES } from './state.ts';

const ARITHMETIC = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF;

/** Whether a byte has an even number of ones. */
function evenParity(byte: number): boolean {
  let folded = byte ^ (byte >>> 4);
  folded ^= folded >>> 2;
  return ((folded ^ (folded >>> 1)) & 1) === 0;
}

/**
 * RFLAGS, bit 1 set.
 *
 * @param words - linear memory.
 * @param state - byte offset of the state block.
 */
export function readEflags(words: Int32Array, state: number): number {
  const at = (offset: number): number => words[(state + offset) >>> 2] as number;
  const low = at(RES);
  const high = at(RES + 4);
  const aux = at(AUX + 4);
  const adj = at(ADJ + 4);
  let flags = at(EFLAGS) | 2 | (at(ADJ) & Flag.AF);
  if (aux < 0) flags |= Flag.CF;
  if ((aux ^ (aux << 1)) < 0) flags |= Flag.OF;
  if ((low | high) === 0) flags |= Flag.ZF;
  if ((high ^ adj) < 0) flags |= Flag.SF;
  if (evenParity(low & 0xff) !== ((adj & 0x4000_0000) !== 0)) flags |= Flag.PF;
  return flags;
}

/** Sets RFLAGS: all of it. What follows from changed system bits is the caller's. */
export function writeEflags(words: Int32Array, state: number, flags: number): void {
  const put = (offset: number, value: number): void => {
    words[(state + offset) >>> 2] = value;
  };
  const bit = (flag: number): number => ((flags & flag) !== 0 ? 1 : 0);
  put(EFLAGS, flags & ~(ARITHMETIC | 2));
  // RES: 0 for ZF, else 1 (odd parity, positive); the differences go to ADJ.
  const zero = bit(Flag.ZF);
  put(RES, 1 - zero);
  put(RES + 4, 0);
  put(AUX, 0);
  put(AUX + 4, (bit(Flag.CF) << 31) | ((bit(Flag.CF) ^ bit(Flag.OF)) << 30));
  put(ADJ, flags & Flag.AF);
  put(ADJ + 4, (bit(Flag.SF) << 31) | ((bit(Flag.PF) ^ zero) << 30));
}
