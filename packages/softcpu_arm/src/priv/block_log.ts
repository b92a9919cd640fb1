/**
 * Remembers which blocks, large pages and contiguous ranges an engine with 4 KiB TLB entries may have cached in pieces: TLB
 * maintenance of any address of one must drop it whole.
 */

/** More than this many are treated as "anything may be cached". */
const LIMIT = 4096;
const SMALL = 0x1_0000;
const MEGA = 0x20_0000;
const GIGA = 0x4000_0000;

/** Blocks of at most 64 KiB by the largest size seen; of at most 2 MiB and 1 GiB by number. */
export class BlockLog {
  /** 4 KiB pages of the largest small block noted. */
  smallPages = 1;
  private readonly mega = new Set<number>();
  private readonly giga = new Set<number>();
  /** A block above 1 GiB, or too many of them. */
  private unbounded = false;

  /** Notes a block of `size` bytes, a power of two above 4 KiB, over an address. */
  add(vaLo: number, vaHi: number, size: number): void {
    if (size <= SMALL) this.smallPages = Math.max(this.smallPages, size / 4096);
    else if (size > GIGA || this.mega.size + this.giga.size >= LIMIT) this.unbounded = true;
    else if (size > MEGA) this.giga.add(block(vaLo, vaHi, 30));
    else this.mega.add(block(vaLo, vaHi, 21));
  }

  /** Whether an address may lie in a noted block above 64 KiB. */
  largeHas(vaLo: number, vaHi: number): boolean {
    return this.unbounded || this.mega.has(block(vaLo, vaHi, 21)) || this.giga.has(block(vaLo, vaHi, 30));
  }

  clear(): void {
    this.smallPages = 1;
    this.mega.clear();
    this.giga.clear();
    this.unbounded = false;
  }
}

/** The number of the 2^shift-byte block an address lies in, without the top byte, which may be a tag. */
function block(lo: number, hi: number, shift: number): number {
  return (hi & 0xff_ffff) * 2 ** (32 - shift) + (lo >>> shift);
}
