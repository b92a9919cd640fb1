import { deallocFrame, frameCounts } from '@axvisor/axvisor_api/memory';
import { expect, test } from 'vitest';
import { PhysFrame } from '../src/index.ts';
import { kindOf, linked, usedFrames, withFrames } from './fixture.ts';

test('a frame is given back once', () =>
  linked(() => {
    const frame = PhysFrame.alloc();
    expect([frame.start, frame.size, usedFrames()]).toEqual([0x1000n, 4096, 1]);
    frame[Symbol.dispose]();
    expect(usedFrames()).toBe(0);
    for (const f of [() => frame[Symbol.dispose](), () => frame.start, () => frame.bytes, () => frame.fill(1), () => frame.leak()]) expect(kindOf(f)).toBe('BadState');
  }));

test('fill and zero', () =>
  linked(() => {
    {
      using frame = PhysFrame.alloc();
      frame.fill(0xaa);
      expect(frame.bytes.every((b) => b === 0xaa)).toBe(true);
      using next = PhysFrame.alloc();
      next.fill(1);
      expect(frame.bytes.every((b) => b === 0xaa)).toBe(true);
    }
    using zeroed = PhysFrame.allocZero();
    expect([zeroed.start, zeroed.bytes.length, zeroed.bytes.every((b) => b === 0)]).toEqual([0x1000n, 4096, true]);
  }));

test('five frames with patterns stay independent', () =>
  linked(() => {
    const frames = [0xa0, 0xa1, 0xa2, 0xa3, 0xa4].map((pattern) => {
      const frame = PhysFrame.alloc();
      frame.fill(pattern);
      return { frame, pattern };
    });
    for (const { frame, pattern } of frames) expect(frame.bytes.every((b) => b === pattern)).toBe(true);
    expect(usedFrames()).toBe(5);
    for (const { frame } of frames) frame[Symbol.dispose]();
  }));

test('consecutive frames, aligned', () =>
  linked(() => {
    using frames = PhysFrame.allocZero(4, 2);
    expect([frames.start, frames.size, usedFrames()]).toEqual([0x4000n, 0x4000, 4]);
  }));

test('leaking ends the ownership', () =>
  linked(() => {
    const frame = PhysFrame.alloc();
    const start = frame.leak();
    expect([start, usedFrames(), kindOf(() => frame[Symbol.dispose]())]).toEqual([0x1000n, 1, 'BadState']);
    using other = PhysFrame.alloc();
    expect(other.start).toBe(0x2000n);
    // Give the leaked one back, as its new owner would.
    withFrames(0, () => expect(kindOf(() => PhysFrame.alloc())).toBe('NoMemory'));
    expect(frameCounts().free).toBe(frameCounts().total - 2);
    deallocFrame(start);
  }));
