/** The `memory` API on one physical memory; the direct map is the identity, so that HVA = HPA. */
import type { HostPhysAddr, HostVirtAddr } from '@axvisor/axvisor_api/addr';
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import type { Memory, PhysMemory } from '@axvisor/axvisor_api/memory';
import { FrameAllocator } from './frame_allocator.ts';

const FRAME_SIZE = 0x1000;

/** Manages the frames of `phys`, which is all zero, with the state that other threads share if it is given. */
export function createMemory(phys: PhysMemory, state?: ArrayBufferLike): Memory {
  const bytes = phys.bytes.length;
  const frames = new FrameAllocator(bytes / FRAME_SIZE, state);
  const size = BigInt(bytes);

  const address = (frame: number): HostPhysAddr | undefined => (frame === 0 ? undefined : (BigInt(frame * FRAME_SIZE) as HostPhysAddr));
  const frameOf = (frame: HostPhysAddr): number => {
    const address = Number(frame);
    if (address % FRAME_SIZE !== 0) throw axError('InvalidInput', `a frame is 4 KiB aligned, 0x${frame.toString(16)} is not`);
    return address / FRAME_SIZE;
  };
  const inMemory = (a: bigint): void => {
    if (a < 0n || a >= size) throw axError('BadAddress', `0x${a.toString(16)} is outside physical memory of 0x${size.toString(16)} bytes`);
  };

  const allocRun = (count: number, alignPow2: number): number => {
    ensure(Number.isInteger(count) && count > 0, 'InvalidInput', `${count} frames cannot be allocated`);
    ensure(Number.isInteger(alignPow2) && alignPow2 >= 0 && alignPow2 <= 20, 'InvalidInput', `alignment 4 KiB << ${alignPow2}`);
    return frames.allocRun(count, 2 ** alignPow2);
  };
  const wipe = (first: number, count: number): void => void phys.bytes.fill(0, first * FRAME_SIZE, (first + count) * FRAME_SIZE);

  return {
    allocFrame: () => address(frames.alloc()),
    allocContiguousFrames: (count, alignPow2 = 0) => address(allocRun(count, alignPow2)),
    allocZeroedFrames: (count, alignPow2 = 0) => {
      const first = allocRun(count, alignPow2);
      if (first !== 0) frames.forUsed(first, count, wipe);
      return address(first);
    },
    deallocFrame: (frame) => {
      frames.free(frameOf(frame), 1);
    },
    deallocContiguousFrames: (first, count) => {
      ensure(Number.isInteger(count) && count > 0, 'InvalidInput', `${count} frames cannot be freed`);
      frames.free(frameOf(first), count);
    },
    physToVirt: (a) => {
      inMemory(a);
      return a as bigint as HostVirtAddr;
    },
    virtToPhys: (a) => {
      inMemory(a);
      return a as bigint as HostPhysAddr;
    },
    physMemory: () => phys,
    frameCounts: () => ({ total: frames.total, free: frames.freeCount }),
  };
}
