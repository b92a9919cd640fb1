/** Addresses of 64 bits in two words. */

/** Address `lo`, `hi` plus a distance of less than 2^32 in either direction. */
export function advance(lo: number, hi: number, distance: number): readonly [number, number] {
  const sum = (lo >>> 0) + distance;
  return [sum | 0, (hi + Math.floor(sum / 0x1_0000_0000)) | 0];
}
