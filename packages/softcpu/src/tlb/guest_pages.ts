/**
 * A cache of second-stage translations by guest physical page. Most of a two-stage walk is finding the guest's own tables again, whose
 * places only the hypervisor can change, and then it invalidates.
 */

const ENTRIES = 512;
const EMPTY = -1;

/** Direct-mapped; the result of the last {@link find} is in the fields. */
export class GuestPages {
  /** Physical address of the page. */
  page = 0;
  /** What the leaf permits, and what else of it is worth keeping: a byte, as it was added. */
  rights = 0;
  /** Size of the leaf in bytes. */
  size = 0;

  private readonly tags = new Float64Array(ENTRIES).fill(EMPTY);
  private readonly pages = new Float64Array(ENTRIES);
  private readonly sizes = new Float64Array(ENTRIES);
  private readonly bytes = new Uint8Array(ENTRIES);

  /** @param number - of the 4 KiB page, from {@link pageNumber}. */
  find(number: number): boolean {
    const i = (number ^ (number >>> 9)) & (ENTRIES - 1);
    if (this.tags[i] !== number) return false;
    this.page = this.pages[i]!;
    this.rights = this.bytes[i]!;
    this.size = this.sizes[i]!;
    return true;
  }

  add(number: number, page: number, rights: number, size: number): void {
    const i = (number ^ (number >>> 9)) & (ENTRIES - 1);
    this.tags[i] = number;
    this.pages[i] = page;
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
