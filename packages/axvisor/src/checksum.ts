/** A checksum of bytes. Not one of Node's own: to load those takes longer than this. */

/** FNV-1a by words of 32 bits; an i32. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0x811c_9dc5 ^ bytes.length;
  const words = new Int32Array(Uint8Array.from(bytes).buffer, 0, bytes.length >>> 2);
  for (let i = 0; i < words.length; i++) sum = Math.imul(sum ^ (words[i] as number), 0x0100_0193);
  for (const byte of bytes.subarray(bytes.length & ~3)) sum = Math.imul(sum ^ byte, 0x0100_0193);
  return sum;
}
