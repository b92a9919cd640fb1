/**
 * Remembers which superpages an engine with 4 KiB TLB entries may have cached in pieces: SFENCE.VMA with any address of a
 * superpage must drop them all.
 */

/** More than this many are treated as "anything may be cached". */
const LIMIT = 4096;

/** Numbers of the cached 2 MiB blocks of 2 MiB leaves, and of the 1 GiB blocks of larger ones. */
export class SuperpageLog {
  private readonly mega = new Set<number>();
  private readonly giga = new Set<number>();
  /** A leaf above 1 GiB, or too many leaves. */
  private unbounded = false;

  /** Notes a leaf of `size` bytes over an address. */
  add(vaLo: number, vaHi: number, size: number): void {
    if (size > 2 ** 30 || this.mega.size + this.giga.size >= LIMIT) this.unbounded = true;
    else if (size === 2 ** 30) this.giga.add(block(vaLo, vaHi, 30));
    else this.mega.add(block(vaLo, vaHi, 21));
  }

  /** Whether an address may lie in a noted leaf. */
  has(vaLo: number, vaHi: number): boolean {
    return this.unbounded || this.mega.has(block(vaLo, vaHi, 21)) || this.giga.has(block(vaLo, vaHi, 30));
  }

  clear(): void {
    this.mega.clear();
    this.giga.clear();
    this.unbounded = false;
  }
}

/** The number of the 2^shift-byte block an address lies in; unique, as it is below 2^43. */
function block(lo: number, hi: number, shift: number): number {
  return (hi >>> 0) * 2 ** (32 - shift) + (lo >>> shift);
}
