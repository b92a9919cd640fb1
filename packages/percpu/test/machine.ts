/** A host for the tests: shared memory with a bump allocator, and a current CPU that the test sets. */
import { apiImpl, component, type Component } from '@axvisor/axvisor_api';
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { host } from '@axvisor/axvisor_api/host';
import { memory } from '@axvisor/axvisor_api/memory';

export interface Machine {
  readonly component: Component<typeof host.id | typeof memory.id, never>;
  readonly buffer: SharedArrayBuffer;
  cpu: number;
  cpus: number;
  /** Frames in use, first → count. */
  readonly frames: Map<bigint, number>;
}

const FRAME = 4096;

export function createMachine(cpus = 4, buffer: SharedArrayBuffer = new SharedArrayBuffer(64 * FRAME)): Machine {
  const frames = new Map<bigint, number>();
  let next = FRAME;
  const unused = (): never => { throw new Error('not part of this test'); };
  const alloc = (count: number): HostPhysAddr | undefined => {
    if (next + count * FRAME > buffer.byteLength) return undefined;
    const first = BigInt(next) as HostPhysAddr;
    // Frames have undefined contents.
    new Uint8Array(buffer).fill(0xa5, next, next + count * FRAME);
    next += count * FRAME;
    frames.set(first, count);
    return first;
  };
  const machine: Machine = {
    buffer, cpus, cpu: 0, frames,
    component: component({
      name: 'machine',
      provides: () => [
        apiImpl(memory, {
          allocFrame: () => alloc(1),
          allocContiguousFrames: (count) => alloc(count),
          deallocFrame: unused,
          deallocContiguousFrames: (first, count) => {
            if (frames.get(first) !== count) throw new Error(`${count} frames at ${first} are not allocated`);
            frames.delete(first);
          },
          physToVirt: unused,
          virtToPhys: unused,
          physMemory: () => ({ memory: { buffer, grow: unused }, bytes: new Uint8Array(buffer), words: new Int32Array(buffer), longs: new BigUint64Array(buffer) }),
          frameCounts: unused,
        }),
        apiImpl(host, {
          getHostCpuNum: () => machine.cpus,
          thisCpuId: () => machine.cpu,
          consoleWrite: unused, consoleRead: unused, idle: unused, wake: unused, log: unused,
        }),
      ],
    }),
  };
  return machine;
}
