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
