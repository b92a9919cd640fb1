/**
 * A cache of stage 2 translations by page of the intermediate physical address space. Most of a two-stage walk is finding the
 * stage 1 tables again, whose places only TLB maintenance of stage 2 and its controls can change.
 */

const ENTRIES = 256;
const EMPTY = -1;

/** Direct-mapped; the result of the last {@link find} is in the fields. */
export class GuestPages {
  /** Physical address of the page. */
  page = 0;
  /** What stage 2 permits; write only once the page is dirty. */
  permissions = 0;
  /** MemAttr of the leaf. */
  attributes = 0;
  /** Size of the leaf in bytes. */
  size = 0;

  private readonly tags = new Float64Array(ENTRIES).fill(EMPTY);
  private readonly pages = new Float64Array(ENTRIES);
  private readonly sizes = new Float64Array(ENTRIES);
  private readonly rights = new Uint8Array(ENTRIES);

  find(ipaLo: number, ipaHi: number): boolean {
    const number = pageNumber(ipaLo, ipaHi);
    const i = number % ENTRIES;
    if (this.tags[i] !== number) return false;
    this.page = this.pages[i]!;
    this.permissions = this.rights[i]! & 7;
    this.attributes = this.rights[i]! >>> 4;
    this.size = this.sizes[i]!;
    return true;
  }

  add(ipaLo: number, ipaHi: number, page: number, permissions: number, attributes: number, size: number): void {
    const number = pageNumber(ipaLo, ipaHi);
    const i = number % ENTRIES;
    this.tags[i] = number;
    this.pages[i] = page;
    this.rights[i] = permissions | (attributes << 4);
    this.sizes[i] = size;
  }

  clear(): void {
    this.tags.fill(EMPTY);
  }
}

/** Below 2^52. */
function pageNumber(lo: number, hi: number): number {
  return (hi >>> 0) * 0x10_0000 + (lo >>> 12);
}
