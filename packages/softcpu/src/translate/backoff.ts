/** How long pages are left to tier 0 that lose their regions again and again. */

/** Invalidations of a page that are forgiven; each one more doubles the slices until it is translated again. */
const FORGIVEN = 4;
const LONGEST = 20;
/** Slices without another invalidation after which they are forgotten. */
const FORGOTTEN = 4096;

/** How often a page lost regions, and until which slice it is left alone. */
interface Losses {
  count: number;
  until: number;
  /** Slice of the last one. */
  last: number;
}

export class Backoff {
  readonly #pages = new Map<number, Losses>();

  /** A page lost regions in a slice. */
  lost(page: number, slice: number): void {
    let losses = this.#pages.get(page);
    if (losses === undefined) this.#pages.set(page, (losses = { count: 0, until: 0, last: 0 }));
    if (slice - Math.max(losses.last, losses.until) > FORGOTTEN) losses.count = 0;
    losses.last = slice;
    losses.count++;
    const doublings = losses.count - FORGIVEN;
    if (doublings > 0) losses.until = slice + 2 ** Math.min(doublings, LONGEST);
  }

  /** Whether a page is to be left alone in a slice. */
  holds(page: number, slice: number): boolean {
    return (this.#pages.get(page)?.until ?? 0) > slice;
  }
}
