/**
 * A cache of G-stage translations by guest physical page. Most of a two-stage walk is finding the VS-stage tables again, whose
 * places HFENCE.GVMA, hgatp, menvcfg and PMP alone can change.
 */

const ENTRIES = 256;
const EMPTY = -1;

/** Direct-mapped; the result of the last {@link find} is in the fields. */
export class GuestPages {
  /** Physical address of the page. */
  page = 0;
  /** What the G-stage leaf permits without MXR; write only once D is set. */
  permissions = 0;
  /** Size of the leaf in bytes. */
  size = 0;

  private readonly tags = new Float64Array(ENTRIES).fill(EMPTY);
  private readonly pages = new Float64Array(ENTRIES);
  private readonly sizes = new Float64Array(ENTRIES);
  private readonly rights = new Uint8Array(ENTRIES);

  find(gpaLo: number, gpaHi: number): boolean {
    const number = pageNumber(gpaLo, gpaHi);
    const i = number % ENTRIES;
    if (this.tags[i] !== number) return false;
    this.page = this.pages[i]!;
    this.permissions = this.rights[i]!;
    this.size = this.sizes[i]!;
    return true;
  }

  add(gpaLo: number, gpaHi: number, page: number, permissions: number, size: number): void {
    const number = pageNumber(gpaLo, gpaHi);
    const i = number % ENTRIES;
    this.tags[i] = number;
    this.pages[i] = page;
    this.rights[i] = permissions;
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
