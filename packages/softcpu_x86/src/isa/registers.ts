/** Names of registers, by number (SDM vol. 1, chapter 3). */
const OLD: readonly string[] = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'];
const NEW: readonly number[] = [8, 9, 10, 11, 12, 13, 14, 15];

/** General-purpose registers by size in bits; of 8 bits as with a REX prefix. */
export const GPR_NAMES: Readonly<Record<number, readonly string[]>> = {
  8: ['al', 'cl', 'dl', 'bl', 'spl', 'bpl', 'sil', 'dil', ...NEW.map((n) => `r${n}b`)],
  16: [...OLD, ...NEW.map((n) => `r${n}w`)],
  32: [...OLD.map((name) => `e${name}`), ...NEW.map((n) => `r${n}d`)],
  64: [...OLD.map((name) => `r${name}`), ...NEW.map((n) => `r${n}`)],
};

/** Bytes 4 … 7 without a REX prefix. */
export const HIGH_NAMES: readonly string[] = ['ah', 'ch', 'dh', 'bh'];

/** Segment registers. */
export const SEGMENT_NAMES: readonly string[] = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];
