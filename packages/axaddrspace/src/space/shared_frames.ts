/**
 * Which frames more than one mapping owns. A frame is given back when its last owner drops it; the count is kept for shared frames
 * only, in one table for each physical memory.
 */
import { physMemory, type PhysMemory } from '@axvisor/axvisor_api/memory';
import { releaseToHost } from '../npt/shootdown.ts';

const PAGE = 4096;

export class SharedFrames {
  /** Owners of a frame beyond the first. */
  readonly #further = new Map<number, number>();

  /** Adds an owner to each frame of [hpa, hpa + size). */
  share(hpa: number, size: number): void {
    for (let at = hpa; at < hpa + size; at += PAGE) this.#further.set(at, (this.#further.get(at) ?? 0) + 1);
  }

  /** Takes an owner from `count` frames, and gives back those that have no other. */
  release(hpa: number, count: number): void {
    if (this.#further.size === 0) {
      releaseToHost(hpa, count);
      return;
    }
    for (let at = hpa; at < hpa + count * PAGE; at += PAGE) {
      const further = this.#further.get(at);
      if (further === undefined) releaseToHost(at, 1);
      else if (further === 1) this.#further.delete(at);
      else this.#further.set(at, further - 1);
    }
  }
}

const all = new WeakMap<PhysMemory, SharedFrames>();

/** The shared frames of the physical memory that is linked now. */
export function sharedFrames(): SharedFrames {
  const memory = physMemory();
  let frames = all.get(memory);
  if (frames === undefined) all.set(memory, (frames = new SharedFrames()));
  return frames;
}
