/** Fields that name registers and the sizes of their elements (Arm ARM, C1.2.5, C4.1). */
import type { Writer } from './operand.ts';

/** Field of each register by its letter. */
export const places: Readonly<Record<string, string>> = { d: 'Rd', n: 'Rn', m: 'Rm', a: 'Ra', t: 'Rt', t2: 'Rt2', s: 'Rs' };

/** Names of element sizes by their logarithm. */
export const LETTERS: string = 'bhsdq';

export const highest = (value: number): number => 31 - Math.clz32(value);
/** The element size that imm5's lowest set bit stands for. */
export const size5 = (imm5: number): number => highest(imm5 & -imm5);

/** An element size 0 … 3 that the shift operand will put into immh. */
export function setShiftSize(w: Writer, size: number): boolean {
  return size >= 0 && size < 4 && w.set('esize', size);
}
