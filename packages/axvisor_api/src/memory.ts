/**
 * The host's physical memory: frames, and the bytes themselves. Physical memory is one linear memory; a host physical
 * address is an offset in it.
 */
import type { HostPhysAddr, HostVirtAddr } from './addr.ts';
import { apiDef, required, type AxApiDef } from './registry/api.ts';

/** The part of `WebAssembly.Memory` that components use, so that no DOM typings are needed. */
export interface WasmMemory {
  readonly buffer: ArrayBufferLike;
  grow(pages: number): number;
}

/** The host's physical memory. It never grows, so the views stay valid. */
export interface PhysMemory {
  /** The `WebAssembly.Memory`, shared where the runtime allows it. */
  readonly memory: WasmMemory;
  /** Bytes; the index is the host physical address. */
  readonly bytes: Uint8Array;
  /** 32-bit words, little-endian; the index is the address / 4. */
  readonly words: Int32Array;
  /** 64-bit words, little-endian; the index is the address / 8. */
  readonly longs: BigUint64Array;
}

/** The functions of the `memory` API. */
export interface Memory {
  /** One 4 KiB frame (contents undefined), or `undefined` when memory is exhausted. Never address 0. */
  allocFrame(): HostPhysAddr | undefined;
  /** `count` consecutive frames whose first is aligned to 4 KiB << `alignPow2` (0: 4 KiB, 1: 8 KiB). */
  allocContiguousFrames(count: number, alignPow2?: number): HostPhysAddr | undefined;
  /**
   * As {@link Memory.allocContiguousFrames}, and all bytes are zero. The default fills them; a host that knows which frames nobody
   * has used yet leaves those alone, so that they cost it nothing until they are written.
   */
  allocZeroedFrames(count: number, alignPow2?: number): HostPhysAddr | undefined;
  /** Gives one frame back, also one of a contiguous run. @throws {AxError} BadState if it is not allocated, InvalidInput if misaligned */
  deallocFrame(frame: HostPhysAddr): void;
  /** Gives `count` frames of one {@link Memory.allocContiguousFrames} back. @throws {AxError} as {@link Memory.deallocFrame} */
  deallocContiguousFrames(first: HostPhysAddr, count: number): void;
  /** @throws {AxError} BadAddress outside physical memory */
  physToVirt(address: HostPhysAddr): HostVirtAddr;
  /** @throws {AxError} BadAddress outside the direct map */
  virtToPhys(address: HostVirtAddr): HostPhysAddr;
  /** Physical memory itself. */
  physMemory(): PhysMemory;
  /** Frames in all and free now. */
  frameCounts(): { readonly total: number; readonly free: number };
}

export let allocFrame: Memory['allocFrame'];
export let allocContiguousFrames: Memory['allocContiguousFrames'];
export let allocZeroedFrames: Memory['allocZeroedFrames'];
export let deallocFrame: Memory['deallocFrame'];
export let deallocContiguousFrames: Memory['deallocContiguousFrames'];
export let physToVirt: Memory['physToVirt'];
export let virtToPhys: Memory['virtToPhys'];
export let physMemory: Memory['physMemory'];
export let frameCounts: Memory['frameCounts'];

/** Bytes. */
const FRAME_SIZE = 4096;

export const memory: AxApiDef<'memory', Memory, 'allocZeroedFrames'> = apiDef({
  name: 'memory',
  functions: {
    allocFrame: required, allocContiguousFrames: required, deallocFrame: required, deallocContiguousFrames: required,
    physToVirt: required, virtToPhys: required, physMemory: required, frameCounts: required,
    allocZeroedFrames: (count, alignPow2) => {
      const first = allocContiguousFrames(count, alignPow2);
      if (first !== undefined) physMemory().bytes.fill(0, Number(first), Number(first) + count * FRAME_SIZE);
      return first;
    },
  },
  bind: (f: Memory) =>
    ({
      allocFrame, allocContiguousFrames, allocZeroedFrames, deallocFrame, deallocContiguousFrames,
      physToVirt, virtToPhys, physMemory, frameCounts,
    } = f),
  providers: ['@axvisor/axhost'],
});
