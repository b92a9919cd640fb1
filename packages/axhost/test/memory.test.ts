import { withLinked } from '@axvisor/axvisor_api';
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import {
  allocContiguousFrames, allocFrame, allocZeroedFrames, deallocContiguousFrames, deallocFrame, frameCounts, physMemory, physToVirt, virtToPhys,
} from '@axvisor/axvisor_api/memory';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { component as axerrno } from '@axvisor/axerrno';
import { createComponent } from '../src/index.ts';
import { FrameAllocator } from '../src/memory/frame_allocator.ts';

const linked = (memory: number, f: () => undefined): undefined => withLinked([axerrno, createComponent({ memory })], f);
const MiB = 1024 * 1024;
const at = (a: bigint): HostPhysAddr => a as HostPhysAddr;

describe('memory', () => {
  test('one shared memory that never grows, with views over it', () =>
    linked(MiB, () => {
      const { memory, bytes, words, longs } = physMemory();
      expect(memory.buffer).toBeInstanceOf(SharedArrayBuffer);
      expect([bytes.length, words.length, longs.length]).toEqual([MiB, MiB / 4, MiB / 8]);
      words[2] = 0x01020304;
      expect(bytes[8]).toBe(4);
      expect(physMemory()).toBe(physMemory());
    }));

  test('without SharedArrayBuffer the memory is not shared', () => {
    const saved = globalThis.SharedArrayBuffer;
    Reflect.deleteProperty(globalThis, 'SharedArrayBuffer');
    try {
      linked(MiB, () => void expect(physMemory().memory.buffer).toBeInstanceOf(ArrayBuffer));
    } finally {
      globalThis.SharedArrayBuffer = saved;
    }
  });

  test('zeroed frames are zero, used before or not', () =>
    linked(MiB, () => {
      const { bytes } = physMemory();
      const first = Number(allocContiguousFrames(6));
      bytes.fill(0xee, first, first + 6 * 0x1000);
      deallocFrame(at(BigInt(first + 0x1000)));
      deallocContiguousFrames(at(BigInt(first + 0x3000)), 2);
      expect(Number(allocZeroedFrames(1))).toBe(first + 0x1000);
      const run = Number(allocZeroedFrames(2, 0));
      expect(run).toBe(first + 0x3000);
      for (const [frame, content] of [[0, 0xee], [1, 0], [2, 0xee], [3, 0], [4, 0], [5, 0xee]] as const)
        expect(bytes.subarray(first + frame * 0x1000, first + (frame + 1) * 0x1000).every((b) => b === content)).toBe(true);
      deallocFrame(at(BigInt(first + 0x5000)));
      // One that was used, and further ones that never were.
      const mixed = Number(allocZeroedFrames(100));
      expect(mixed).toBe(first + 0x5000);
      expect(bytes.subarray(mixed, mixed + 100 * 0x1000).every((b) => b === 0)).toBe(true);
      expect(allocZeroedFrames(1 << 20)).toBeUndefined();
    }));

  test('frame 0 is never handed out, every other one is', () =>
    linked(MiB, () => {
      expect(frameCounts()).toEqual({ total: 255, free: 255 });
      const frames = new Set<bigint>();
      for (let f = allocFrame(); f !== undefined; f = allocFrame()) frames.add(f);
      expect(frames.size).toBe(255);
      expect(frames.has(0n)).toBe(false);
      expect([...frames].every((f) => f % 4096n === 0n && f < BigInt(MiB))).toBe(true);
      expect(frameCounts().free).toBe(0);
      expect(allocContiguousFrames(1)).toBeUndefined();
      deallocFrame(at(0x5000n));
      expect(allocFrame()).toBe(0x5000n);
    }));

  test('contiguous frames are aligned; long runs come from the top', () =>
    linked(16 * MiB, () => {
      expect(allocFrame()).toBe(0x1000n);
      expect(allocContiguousFrames(4, 2)).toBe(0x4000n);
      expect(allocContiguousFrames(2)).toBe(0x2000n);
      expect(allocContiguousFrames(1024, 9)).toBe(0xc0_0000n);
      expect(allocFrame()).toBe(0x8000n);
      expect(allocContiguousFrames(4096)).toBeUndefined();
      expect(allocContiguousFrames(512, 20)).toBeUndefined();
      deallocContiguousFrames(at(0xc0_0000n), 1024);
      expect(allocContiguousFrames(3 * 1024, 9)).toBe(0x40_0000n);
    }));

  test('misuse is an error and changes nothing', () =>
    linked(MiB, () => {
      const frame = allocContiguousFrames(4)!;
      const kind = (f: () => void): unknown => {
        try {
          f();
        } catch (e) {
          return (e as { kind: string }).kind;
        }
        return undefined;
      };
      expect(kind(() => deallocFrame(at(frame + 8n)))).toBe('InvalidInput');
      expect(kind(() => deallocFrame(at(0n)))).toBe('BadState');
      expect(kind(() => deallocFrame(at(0x10_0000n)))).toBe('BadState');
      expect(kind(() => deallocContiguousFrames(frame, 5))).toBe('BadState');
      expect(kind(() => deallocContiguousFrames(frame, 0))).toBe('InvalidInput');
      expect(kind(() => allocContiguousFrames(0))).toBe('InvalidInput');
      expect(kind(() => allocContiguousFrames(1, -1))).toBe('InvalidInput');
      expect(frameCounts().free).toBe(251);
      deallocContiguousFrames(frame, 4);
      expect(kind(() => deallocFrame(frame))).toBe('BadState');
      expect(frameCounts().free).toBe(255);
    }));

  test('the direct map is the identity inside physical memory', () =>
    linked(MiB, () => {
      expect(physToVirt(at(0xf_ffffn))).toBe(0xf_ffffn);
      expect(virtToPhys(physToVirt(at(0x1234n)))).toBe(0x1234n);
      expect(() => physToVirt(at(0x10_0000n))).toThrow('outside physical memory');
    }));

  test('sizes out of range', () => {
    for (const memory of [0, -65536, 4096, 65536.5, 2 ** 32 + 65536]) expect(() => linked(memory, () => undefined)).toThrow('64 KiB');
  });
});

describe('frame allocator', () => {
  test('against a naive model', () => {
    const operation = fc.oneof(
      fc.record({ run: fc.constant(1), align: fc.constant(0), free: fc.constant(-1) }),
      fc.record({ run: fc.integer({ min: 1, max: 700 }), align: fc.integer({ min: 0, max: 6 }), free: fc.constant(-1) }),
      fc.record({ run: fc.constant(0), align: fc.constant(0), free: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 2500 }), fc.array(operation, { maxLength: 120 }), (frames, operations) => {
        const allocator = new FrameAllocator(frames);
        const used = new Uint8Array(frames);
        used[0] = 1;
        const live: [number, number][] = [];
        for (const { run, align, free } of operations) {
          if (free >= 0) {
            const [victim] = live.length > 0 ? live.splice(free % live.length, 1) : [];
            if (victim === undefined) continue;
            allocator.free(...victim);
            used.fill(0, victim[0], victim[0] + victim[1]);
          } else {
            const step = 2 ** align;
            const first = allocator.allocRun(run, step);
            if (first === 0) {
              for (let f = 0; f + run <= frames; f += step) if (!used.subarray(f, f + run).includes(1)) throw new Error(`missed ${f}`);
            } else {
              expect(first % step).toBe(0);
              expect(used.subarray(first, first + run).includes(1)).toBe(false);
              expect(first + run).toBeLessThanOrEqual(frames);
              used.fill(1, first, first + run);
              live.push([first, run]);
            }
          }
          expect(allocator.freeCount).toBe(used.reduce((n, u) => n + 1 - u, 0));
        }
      }),
      { numRuns: 150 },
    );
  });
});
