/** A hash of a guest's memory that does not depend on where in the host it lies or which of its zeroes are mapped. */
import { createHash } from 'node:crypto';
import { gpa } from '@axvisor/axvisor_api/addr';
import type { AddrSpace } from '@axvisor/axvisor_api/addrspace';
import { physMemory } from '@axvisor/axvisor_api/memory';

const PAGE = 4096;

/**
 * SHA-256 over the address (64 bits, little-endian) and the content of each 4 KiB page that is not all zero, in ascending order.
 * Pages that were never touched are zero.
 */
export function memoryHash(space: AddrSpace): string {
  const hash = createHash('sha256');
  const { bytes, longs } = physMemory();
  /** What is hashed at a time: the address, then the page. Copied, for the hash wants memory that is not shared. */
  const piece = new Uint8Array(8 + PAGE);
  const address = new BigUint64Array(piece.buffer, 0, 1);
  for (const { range } of space.areas()) {
    for (let at: bigint = range.start; at < range.end; ) {
      const found = space.translateAndLimit(gpa(at));
      const pages = found === undefined ? 1 : Math.max(1, Number(found.limit / BigInt(PAGE)));
      const mapped = found === undefined ? 0 : Math.min(pages, Number((range.end - at) / BigInt(PAGE)));
      for (let page = 0; page < mapped; page++) {
        const place = Number(found?.hpa) + page * PAGE;
        if (isZero(longs, place / 8)) continue;
        address[0] = at + BigInt(page * PAGE);
        piece.set(bytes.subarray(place, place + PAGE), 8);
        hash.update(piece);
      }
      at += BigInt(pages * PAGE);
    }
  }
  return hash.digest('hex');
}

function isZero(longs: BigUint64Array, first: number): boolean {
  for (let i = first; i < first + PAGE / 8; i++) if (longs[i] !== 0n) return false;
  return true;
}
