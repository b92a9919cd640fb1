/**
 * Invalidation after changes of a page table: one request for all changes of an operation, and only then are the frames that
 * were taken out given back. The processor may use old translations up to that point.
 */
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { deallocContiguousFrames, deallocFrame } from '@axvisor/axvisor_api/memory';
import { invalidateNested } from '@axvisor/axvisor_api/processor';

/** Gives frames back. */
export type Release = (hpa: number, count: number) => void;

/** Gives frames back to the host's allocator. */
export const releaseToHost: Release = (hpa, count) => {
  const start = BigInt(hpa) as HostPhysAddr;
  if (count === 1) deallocFrame(start);
  else deallocContiguousFrames(start, count);
};

export class Shootdown {
  readonly #vmid: number;
  #depth = 0;
  #low = Infinity;
  #high = 0;
  #retired: { readonly hpa: number; readonly count: number; readonly release: Release }[] = [];

  constructor(vmid: number) {
    this.#vmid = vmid;
  }

  /** Runs `f` as one operation. Operations nest; the outermost invalidates, also when `f` throws. */
  batch<T>(f: () => T): T {
    this.#depth++;
    try {
      return f();
    } finally {
      if (--this.#depth === 0) this.#flush();
    }
  }

  /** The translation of [gpa, gpa + size) has changed. */
  changed(gpa: number, size: number): void {
    if (gpa < this.#low) this.#low = gpa;
    if (gpa + size > this.#high) this.#high = gpa + size;
  }

  /** `count` frames at `hpa` are no longer referred to. */
  retire(hpa: number, count: number, release: Release = releaseToHost): void {
    this.#retired.push({ hpa, count, release });
  }

  #flush(): void {
    const low = this.#low;
    const size = this.#high - low;
    const retired = this.#retired;
    this.#low = Infinity;
    this.#high = 0;
    this.#retired = [];
    if (size > 0) invalidateNested(this.#vmid, BigInt(low), BigInt(size));
    for (const { hpa, count, release } of retired) release(hpa, count);
  }
}
