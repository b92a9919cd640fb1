/** The segments of one direction of a request as one stream of bytes: devices do not depend on how a driver cuts them up (2.7.4). */
import type { GuestPhysAddr } from '@axvisor/axvisor_api/addr';
import type { GuestMemoryAccessor } from '@axvisor/axvisor_api/addrspace';
import type { Segment } from './queue.ts';

export class SegmentStream {
  readonly #memory: GuestMemoryAccessor;
  readonly #segments: readonly Segment[];
  /** Bytes left. */
  remaining: number;
  #index = 0;
  #offset = 0;

  constructor(memory: GuestMemoryAccessor, segments: readonly Segment[]) {
    this.#memory = memory;
    this.#segments = segments;
    this.remaining = segments.reduce((sum, s) => sum + s.length, 0);
  }

  /** Fills `into` from guest memory; the stream must have that many bytes left. */
  read(into: Uint8Array): void {
    this.#advance(into.length, (address, from, to) => this.#memory.readBuffer(address, into.subarray(from, to)));
  }

  /** Writes `from` to guest memory. */
  write(from: Uint8Array): void {
    this.#advance(from.length, (address, start, end) => this.#memory.writeBuffer(address, from.subarray(start, end)));
  }

  skip(count: number): void {
    this.#advance(count, () => {});
  }

  #advance(count: number, transfer: (address: GuestPhysAddr, from: number, to: number) => void): void {
    if (count > this.remaining) throw new RangeError(`${count} bytes of a request that has ${this.remaining} left`);
    for (let done = 0; done < count; ) {
      const segment = this.#segments[this.#index] as Segment;
      const n = Math.min(count - done, segment.length - this.#offset);
      if (n > 0) transfer(BigInt.asUintN(64, segment.address + BigInt(this.#offset)) as GuestPhysAddr, done, done + n);
      done += n;
      this.#offset += n;
      this.remaining -= n;
      if (this.#offset === segment.length) {
        this.#index++;
        this.#offset = 0;
      }
    }
  }
}
