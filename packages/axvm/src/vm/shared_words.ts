/** Words of physical memory that the monitor and the threads of a VM's vCPUs share. */
import { hpa, type HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { axError } from '@axvisor/axvisor_api/errors';
import { allocContiguousFrames, deallocContiguousFrames, physMemory } from '@axvisor/axvisor_api/memory';

const FRAME = 4096;

export class SharedWords implements Disposable {
  /** Where they are; nothing is there before {@link SharedWords.take}. */
  place: HostPhysAddr = hpa(0n);
  count = 0;

  /** Zeroed words, once. @throws {AxError} NoMemory */
  take(count: number): Int32Array {
    const place = allocContiguousFrames(Math.ceil((4 * count) / FRAME));
    if (place === undefined) throw axError('NoMemory', `no frames for ${count} words that threads share`);
    this.place = place;
    this.count = count;
    const first = Number(place) / 4;
    return physMemory().words.subarray(first, first + count).fill(0);
  }

  [Symbol.dispose](): void {
    if (this.count > 0) deallocContiguousFrames(this.place, Math.ceil((4 * this.count) / FRAME));
    this.count = 0;
  }
}
