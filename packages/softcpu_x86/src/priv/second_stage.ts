/** What a second stage of translation is to paging: EPT of VMX, nested paging of SVM. */
import type { Access } from './interface.ts';

/** A table walk reads (and, for accessed and dirty flags, writes) paging structures; everything else is what the linear address leads to. */
export interface SecondStage {
  /** Of the last successful translation: {@link Permission} bits, and bytes that map linearly. */
  permissions: number;
  size: number;
  /**
   * Host physical address of a guest physical one, or -1 with the fault record filled in (but for the linear address).
   * `tableWalk`: the access is to a paging structure; `access` is then ignored where the architecture makes it a write.
   */
  translate(gpa: number, access: Access, tableWalk: boolean): number;
  /** Forgets what is cached. */
  flush(): void;
}

const ENTRIES = 512;
const EMPTY = -1;

/**
 * A cache of second-stage translations by guest physical page. Most of a two-stage walk is finding the guest's tables again, whose places only
 * the hypervisor can change, and then it invalidates.
 */
export class GuestPages {
  page = 0;
  permissions = 0;
  size = 0;
  private readonly tags = new Float64Array(ENTRIES).fill(EMPTY);
  private readonly pages = new Float64Array(ENTRIES);
  private readonly sizes = new Float64Array(ENTRIES);
  private readonly rights = new Uint8Array(ENTRIES);

  /** Looks a page number up; the result is in the fields. */
  find(number: number): boolean {
    const i = (number ^ (number >>> 9)) & (ENTRIES - 1);
    if (this.tags[i] !== number) return false;
    this.page = this.pages[i]!;
    this.permissions = this.rights[i]!;
    this.size = this.sizes[i]!;
    return true;
  }

  add(number: number, page: number, permissions: number, size: number): void {
    const i = (number ^ (number >>> 9)) & (ENTRIES - 1);
    this.tags[i] = number;
    this.pages[i] = page;
    this.rights[i] = permissions;
    this.sizes[i] = size;
  }

  clear(): void {
    this.tags.fill(EMPTY);
  }
}
