/** Addresses of 64 bits in two words. */

/** Address `lo`, `hi` plus a small distance. */
export function advance(lo: number, hi: number, distance: number): readonly [number, number] {
  const sum = (lo >>> 0) + distance;
  return [sum | 0, (hi + (sum > 0xffff_ffff ? 1 : 0)) | 0];
}
