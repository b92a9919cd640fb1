/** Frames of physical memory that are given back when their owner is disposed of. */
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import { allocContiguousFrames, allocZeroedFrames, deallocContiguousFrames, physMemory } from '@axvisor/axvisor_api/memory';

const FRAME_SIZE = 4096;

/**
 * Owns one frame, or consecutive ones.
 *
 * ```ts
 * using frame = PhysFrame.allocZero();
 * frame.bytes[0] = 1;
 * ```
 */
export class PhysFrame implements Disposable {
  readonly #start: HostPhysAddr;
  readonly #count: number;
  #owned = true;

  private constructor(start: HostPhysAddr, count: number) {
    this.#start = start;
    this.#count = count;
  }

  /**
   * Allocates `count` frames whose first is aligned to 4 KiB << `alignPow2`; their contents are undefined.
   *
   * @throws {AxError} NoMemory
   */
  static alloc(count: number = 1, alignPow2: number = 0): PhysFrame {
    return PhysFrame.#of(allocContiguousFrames(count, alignPow2), count);
  }

  static #of(start: HostPhysAddr | undefined, count: number): PhysFrame {
    if (start === undefined) throw axError('NoMemory', `no ${count} free frame(s)`);
    return new PhysFrame(start, count);
  }

  /** As {@link alloc}, filled with zeros. */
  static allocZero(count: number = 1, alignPow2: number = 0): PhysFrame {
    return PhysFrame.#of(allocZeroedFrames(count, alignPow2), count);
  }

  /** Address of the first frame. @throws {AxError} BadState once they are given back */
  get start(): HostPhysAddr {
    ensure(this.#owned, 'BadState', 'this frame was given back');
    return this.#start;
  }

  /** Bytes. */
  get size(): number {
    return this.#count * FRAME_SIZE;
  }

  /** The frames themselves. @throws {AxError} BadState once they are given back */
  get bytes(): Uint8Array {
    const start = Number(this.start);
    return physMemory().bytes.subarray(start, start + this.size);
  }

  fill(byte: number): void {
    this.bytes.fill(byte);
  }

  /** Ends the ownership without giving the frames back, and returns their address. */
  leak(): HostPhysAddr {
    const { start } = this;
    this.#owned = false;
    return start;
  }

  /** Gives the frames back. @throws {AxError} BadState the second time */
  [Symbol.dispose](): void {
    deallocContiguousFrames(this.leak(), this.#count);
  }
}
