/** Which large leaves an engine with 4 KiB TLB entries may have cached in pieces: INVLPG of any address in one must drop them all. */

/** More than this many are treated as "anywhere". */
const LIMIT = 4096;
const MIB_2 = 0x20_0000;

/** Number of the block of 2 MiB, and of 1 GiB, that an address is in. */
const blockOf = (lo: number, hi: number): number => (hi & 0x1ff_ffff) * 2048 + (lo >>> 21);
const gibOf = (lo: number, hi: number): number => (hi & 0x1ff_ffff) * 4 + (lo >>> 30);

export class LargePages {
  /** Leaves of 2 MiB that were used, and blocks of 1 GiB in which larger ones were. */
  private readonly blocks = new Set<number>();
  private readonly gibs = new Set<number>();
  private last = -1;

  /** @param size - of the leaf, in bytes */
  add(lo: number, hi: number, size: number): void {
    if (size > MIB_2) {
      if (this.gibs.size < LIMIT) this.gibs.add(gibOf(lo, hi));
      return;
    }
    const block = blockOf(lo, hi);
    if (block === this.last) return;
    this.last = block;
    if (this.blocks.size < LIMIT) this.blocks.add(block);
  }

  has(lo: number, hi: number): boolean {
    const { blocks, gibs } = this;
    return blocks.size >= LIMIT || gibs.size >= LIMIT || blocks.has(blockOf(lo, hi)) || gibs.has(gibOf(lo, hi));
  }

  clear(): void {
    this.blocks.clear();
    this.gibs.clear();
    this.last = -1;
  }
}
