/**
 * A cache of second-stage translations by guest physical page. Most of a two-stage walk is finding the guest's own tables again, whose
 * places only the hypervisor can change, and then it invalidates.
 */

/** Pages, and blocks of larger leaves. */
const PAGES = 512;
const BLOCKS = 256;
/** Pages of a block, and its bytes. */
const BLOCK_PAGES = 512;
const BLOCK_SIZE = 4096 * BLOCK_PAGES;
const EMPTY = -1;

/** Direct-mapped; the result of the last {@link find} is in the fields. */
export class GuestPages {
  /** Physical address of the page. */
  page = 0;
  /** What the leaf permits, and what else of it is worth keeping: a byte, as it was added. */
  rights = 0;
  /** Size of the leaf in bytes. */
  size = 0;

  /** By place: the number of the page or of the block, where it lies, and of what leaf. Blocks stand behind the pages. */
  private readonly tags = new Float64Array(PAGES + BLOCKS).fill(EMPTY);
  private readonly addresses = new Float64Array(PAGES + BLOCKS);
  private readonly sizes = new Float64Array(PAGES + BLOCKS);
  private readonly bytes = new Uint8Array(PAGES + BLOCKS);

  /** @param number - of the 4 KiB page, from {@link pageNumber}. */
  find(number: number): boolean {
    const block = Math.floor(number / BLOCK_PAGES);
    let i = PAGES + (block & (BLOCKS - 1));
    let distance = (number - block * BLOCK_PAGES) * 4096;
    if (this.tags[i] !== block) {
      i = (number ^ (number >>> 9)) & (PAGES - 1);
      if (this.tags[i] !== number) return false;
      distance = 0;
    }
    this.page = this.addresses[i]! + distance;
    this.rights = this.bytes[i]!;
    this.size = this.sizes[i]!;
    return true;
  }

  /** @param size - of the leaf: all of it, or 2 MiB of it, are entered. */
  add(number: number, page: number, rights: number, size: number): void {
    const isLarge = size >= BLOCK_SIZE;
    const block = Math.floor(number / BLOCK_PAGES);
    const i = isLarge ? PAGES + (block & (BLOCKS - 1)) : (number ^ (number >>> 9)) & (PAGES - 1);
    this.tags[i] = isLarge ? block : number;
    this.addresses[i] = isLarge ? page - (number - block * BLOCK_PAGES) * 4096 : page;
    this.bytes[i] = rights;
    this.sizes[i] = size;
  }

  clear(): void {
    this.tags.fill(EMPTY);
  }
}

/** Number of the 4 KiB page of an address in two words, below 2^52. */
export function pageNumber(lo: number, hi: number): number {
  return (hi >>> 0) * 0x10_0000 + (lo >>> 12);
}
