import { withLinked } from '@axvisor/axvisor_api';
import { component as memoryAddr } from '@axvisor/memory_addr';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CONTEXT_BASE, CONTEXT_STRIDE, ENABLE_BASE, ENABLE_STRIDE, PENDING_BASE, Plic } from '../src/index.ts';

const S0 = 1; // the S-mode context of hart 0

function make(vcpuCount = 1, sources = 95) {
  const out: boolean[] = Array.from({ length: vcpuCount }, () => false);
  const plic = withLinked([memoryAddr], () => new Plic({ base: 0xc00_0000n, sources }, { vmId: 1, vcpuCount, setVcpuInterrupt: (vcpu, vector, level) => { expect(vector).toBe(10); out[vcpu] = level; } }));
  const w = (offset: number, value: number) => plic.write(offset, 4, BigInt(value));
  return {
    plic, out, w,
    r: (offset: number) => Number(plic.read(offset, 4)),
    priority: (source: number, value: number) => w(4 * source, value),
    enable: (context: number, source: number, on = true) => {
      const at = ENABLE_BASE + context * ENABLE_STRIDE + 4 * (source >> 5);
      const old = Number(plic.read(at, 4));
      w(at, on ? old | (1 << (source & 31)) : old & ~(1 << (source & 31)));
    },
    threshold: (context: number, value: number) => w(CONTEXT_BASE + context * CONTEXT_STRIDE, value),
    claim: (context: number) => Number(plic.read(CONTEXT_BASE + context * CONTEXT_STRIDE + 4, 4)),
    complete: (context: number, source: number) => w(CONTEXT_BASE + context * CONTEXT_STRIDE + 4, source),
    line: (source: number) => withLinked([memoryAddr], () => plic.line(source)),
  };
}

test('a level interrupt is delivered, claimed, held back, and delivered again while the level lasts', () => {
  const { priority, enable, line, out, claim, complete, r } = make();
  priority(10, 1);
  enable(S0, 10);
  const uart = line(10);
  uart.set(true);
  expect(out[0]).toBe(true);
  expect(r(PENDING_BASE)).toBe(1 << 10);
  expect(claim(S0)).toBe(10);
  expect(out[0]).toBe(false);
  expect(claim(S0)).toBe(0);
  complete(S0, 10);
  expect(out[0]).toBe(true);
  uart.set(false);
  expect(out[0]).toBe(false);
  expect(claim(S0)).toBe(0);
});

test('the highest priority wins, then the lowest number; the threshold masks delivery but not claims', () => {
  const { priority, enable, line, out, claim, threshold } = make();
  for (const [source, p] of [[33, 3], [5, 3], [7, 2]] as const) {
    priority(source, p);
    enable(S0, source);
    line(source).set(true);
  }
  threshold(S0, 3);
  expect(out[0]).toBe(false);
  expect(claim(S0)).toBe(5);
  threshold(S0, 2);
  expect(out[0]).toBe(true);
  expect([claim(S0), claim(S0), claim(S0)]).toEqual([33, 7, 0]);
});

test('priority 0, disabled sources and foreign contexts deliver nothing; a completion needs the enable bit', () => {
  const { enable, priority, line, out, claim, complete } = make(2);
  enable(S0, 4);
  line(4).set(true);
  expect(out).toEqual([false, false]);
  priority(4, 1);
  expect(out).toEqual([true, false]);
  expect(claim(3)).toBe(0);
  expect(claim(S0)).toBe(4);
  complete(3, 4);
  expect(out[0]).toBe(false);
  complete(S0, 4);
  expect(out[0]).toBe(true);
});

test('bits of sources that do not exist are not writable, and reset keeps the wires', () => {
  const { w, r, plic, line, enable, priority, claim } = make(1, 40);
  w(ENABLE_BASE + ENABLE_STRIDE, -1);
  w(ENABLE_BASE + ENABLE_STRIDE + 4, -1);
  expect(r(ENABLE_BASE + ENABLE_STRIDE)).toBe(0xffff_fffe);
  expect(r(ENABLE_BASE + ENABLE_STRIDE + 4)).toBe(0x1ff);
  line(3).set(true);
  plic.reset();
  enable(S0, 3);
  priority(3, 9);
  expect(r(12)).toBe(1);
  expect(claim(S0)).toBe(3);
});

test('whatever is written where, nothing throws and claims are consistent', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.oneof(fc.integer({ min: 0, max: 0x60_0000 }), fc.constantFrom(0x20_1004, 0x20_1000, 0x2080, 0x2084, 4, 8, 40)), fc.constantFrom(1, 2, 4, 8), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.boolean()), { maxLength: 60 }),
      fc.array(fc.tuple(fc.integer({ min: 1, max: 95 }), fc.boolean()), { maxLength: 20 }),
      (accesses, wires) => {
        const { plic, line, claim, out } = make(2);
        for (const [source, level] of wires) line(source).set(level);
        for (const [offset, width, value, write] of accesses) write ? plic.write(offset, width as 1 | 2 | 4 | 8, value) : plic.read(offset, width as 1 | 2 | 4 | 8);
        if (out[0]) expect(claim(S0)).toBeGreaterThan(0);
      },
    ),
    { numRuns: 200 },
  );
});
