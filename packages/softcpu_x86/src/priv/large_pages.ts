/** Which large leaves an engine with 4 KiB TLB entries may have cached in pieces: INVLPG of any address in one must drop them all. */

/** More than this many are treated as "anywhere". */
const LIMIT = 4096;

/** Numbers of 1 GiB blocks in which a large leaf was used. */
export class LargePages {
  private readonly blocks = new Set<number>();
  private last = -1;

  add(lo: number, hi: number): void {
    const block = (hi & 0x1ff_ffff) * 4 + (lo >>> 30);
    if (block === this.last) return;
    this.last = block;
    if (this.blocks.size < LIMIT) this.blocks.add(block);
  }

  has(lo: number, hi: number): boolean {
    return this.blocks.size >= LIMIT || this.blocks.has((hi & 0x1ff_ffff) * 4 + (lo >>> 30));
  }

  clear(): void {
    this.blocks.clear();
    this.last = -1;
  }
}
