/** What the tests link: the real host with little memory, and a processor that records what it is told. */
import { apiImpl, component, withLinked, type Component } from '@axvisor/axvisor_api';
import type { GuestPhysAddr, HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { MappingFlags, type NestedPageTableFormat } from '@axvisor/axvisor_api/addrspace';
import { allocFrame, deallocFrame, frameCounts } from '@axvisor/axvisor_api/memory';
import { processor } from '@axvisor/axvisor_api/processor';
import { component as axerrno } from '@axvisor/axerrno';
import { createComponent } from '@axvisor/axhost';
import { component as axaddrspace } from '../src/index.ts';

export const { READ: R, WRITE: W, EXECUTE: X, DEVICE, UNCACHED, USER } = MappingFlags;
export const RW: number = R | W;
export const RWX: number = R | W | X;
export const MiB = 1024 * 1024;
export const K4 = 0x1000;
export const M2 = 0x20_0000;
export const G1 = 0x4000_0000;

export const gpa = (a: bigint): GuestPhysAddr => a as GuestPhysAddr;
export const hpa = (a: bigint): HostPhysAddr => a as HostPhysAddr;

/** What the processor was told since the last look. */
export interface Told {
  invalidated: { vmid: number; gpa: bigint; size: bigint }[];
  written: { address: bigint; size: number }[];
}

export const told: Told = { invalidated: [], written: [] };

const fakeProcessor: Component<typeof processor.id, never> = component({
  name: 'recording processor',
  provides: () => {
    told.invalidated = [];
    told.written = [];
    return [
      apiImpl(processor, {
        architecture: () => 'riscv64',
        initProcessor: () => {},
        setHostTimer: () => {},
        kickProcessor: () => {},
        hostWrote: (address, size) => void told.written.push({ address, size }),
        invalidateNested: (vmid, at, size) => void told.invalidated.push({ vmid, gpa: at, size }),
        processorStats: () => ({ instructions: 0n, counters: {} }),
      }),
    ];
  },
});

/** Runs `f` with `memory` bytes of physical memory linked; all frames must be free again at its end. */
export function linked(f: () => void, memory: number = 16 * MiB): void {
  withLinked([axerrno, createComponent({ memory }), fakeProcessor, axaddrspace], () => {
    f();
    const { total, free } = frameCounts();
    if (free !== total) throw new Error(`${total - free} frames were not given back`);
  });
}

/** The kind of the error that `f` throws. */
export function kindOf(f: () => unknown): string | undefined {
  try {
    f();
  } catch (e) {
    return (e as { kind?: string }).kind ?? String(e);
  }
  return undefined;
}

/** Takes all frames but `leave`, runs `f`, and gives them back. */
export function withFrames(leave: number, f: () => void): void {
  const taken: HostPhysAddr[] = [];
  while (frameCounts().free > leave) taken.push(allocFrame()!);
  try {
    f();
  } finally {
    for (const frame of taken) deallocFrame(frame);
  }
}

/** Frames in use. */
export const usedFrames = (): number => frameCounts().total - frameCounts().free;

/** Every format with its numbers of levels. */
export const VARIANTS: readonly { format: NestedPageTableFormat; levels: number }[] = [
  { format: 'sv39x4', levels: 3 },
  { format: 'sv48x4', levels: 4 },
  { format: 'arm-s2', levels: 3 },
  { format: 'arm-s2', levels: 4 },
  { format: 'ept', levels: 4 },
  { format: 'ept', levels: 5 },
  { format: 'npt', levels: 4 },
];
