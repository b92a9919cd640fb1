/** The high-precision event timers (IA-PC HPET specification 1.0a). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Bench } from './support.ts';

const BASE = 0xfed0_0000n;
const make = (): Bench => new Bench(1, { hpetBase: BASE, firmwareState: true }).enable();
const get = (b: Bench, at: number, width: 4 | 8 = 8): bigint => b.run(() => b.device('hpet').read(at, width, 0));
const set = (b: Bench, at: number, value: bigint, width: 4 | 8 = 8): void => b.run(() => b.device('hpet').write(at, width, value, 0));
const vectors = (b: Bench): number => {
  let n = 0;
  for (; b.pending() !== undefined; n++) {
    b.take();
    b.set(0xb0, 0);
  }
  return n;
};

test('capabilities, and what is kept of what is written', () => {
  const b = make();
  expect([get(b, 0), get(b, 0, 4), get(b, 4, 4)]).toEqual([0x0098_9680_8086_a201n, 0x8086_a201n, 10_000_000n]);
  set(b, 0x100, (1n << 64n) - 1n);
  set(b, 0x10, (1n << 64n) - 1n);
  expect([get(b, 0x100), get(b, 0x10)]).toEqual([0x00f0_0000_0000_017en & ~0x3e00n, 3n]);
  set(b, 0x120, (21n << 9n) | 4n);
  expect(get(b, 0x120)).toBe(0x00f0_0000_0000_2a34n);
});

test('the counter: halted it can be set, running it counts 100 MHz', () => {
  const b = make();
  set(b, 0xf0, 0xffff_fff0n);
  b.advance(1000n);
  expect(get(b, 0xf0)).toBe(0xffff_fff0n);
  set(b, 0x10, 1n);
  b.advance(1_000_000n);
  set(b, 0xf0, 0n);
  expect([get(b, 0xf0), get(b, 0xf4, 4)]).toEqual([0x1_0001_8690n, 1n]);
  set(b, 0x10, 0n);
  b.advance(1000n);
  expect(get(b, 0xf0)).toBe(0x1_0001_8690n);
});

describe('timers', () => {
  test('once, edge-triggered at a pin', () => {
    const b = make();
    b.redirect(20, 0x40, 0);
    set(b, 0x100, (20n << 9n) | 4n);
    set(b, 0x108, 1000n);
    set(b, 0x10, 1n);
    b.advance(9_999n);
    expect(b.pending()).toBe(undefined);
    b.advance(2n);
    expect([vectors(b), get(b, 0x20)]).toEqual([1, 0n]);
    b.advance(1_000_000_000n);
    expect(vectors(b)).toBe(0);
    // In 32-bit mode the counter comes by again.
    set(b, 0x100, (20n << 9n) | 0x104n);
    b.advance(42_949_672_960n);
    expect(vectors(b)).toBe(1);
  });

  test('periodic in place of the 8254, as Linux sets it, with words of 32 bits', () => {
    const b = make();
    b.redirect(2, 0x30, 0);
    b.outb(0x43, 0x34);
    b.outb(0x40, 0, 1);
    set(b, 0x10, 3n, 4);
    set(b, 0x100, 0x14cn, 4);
    set(b, 0x108, 500_000n, 4);
    set(b, 0x108, 100_000n, 4);
    vectors(b);
    let ticks = 0;
    for (let i = 0; i < 1004; i++) {
      b.advance(1_000_001n);
      ticks += vectors(b);
    }
    expect([ticks, get(b, 0x108) > 100_000_000n]).toEqual([1000, true]);
    // Without it the 8254 is heard again.
    set(b, 0x10, 0n);
    vectors(b);
    b.advance(1_000_000n);
    expect(vectors(b)).toBeGreaterThan(0);
  });

  test('level-triggered: status until it is cleared', () => {
    const b = make();
    b.redirect(21, 0x8041, 0);
    set(b, 0x120, (21n << 9n) | 6n);
    set(b, 0x128, 100n);
    set(b, 0x10, 1n);
    b.advance(2000n);
    expect([b.take(), get(b, 0x20)]).toEqual([0x41, 2n]);
    b.set(0xb0, 0);
    expect(b.take()).toBe(0x41);
    set(b, 0x20, 2n, 4);
    b.set(0xb0, 0);
    expect([b.pending(), get(b, 0x20)]).toEqual([undefined, 0n]);
  });

  test('timer 1 in place of the clock, whose wire is not heard then', () => {
    const b = make();
    b.redirect(8, 0x48, 0);
    const clock = b.line(8);
    set(b, 0x10, 3n);
    clock(true);
    expect(b.pending()).toBe(undefined);
    clock(false);
    set(b, 0x120, 4n);
    set(b, 0x128, get(b, 0xf0) + 100n);
    b.advance(2000n);
    expect(b.pending()).toBe(0x48);
  });

  test('a tiny period is merged, not a storm on the host', () => {
    const b = make();
    let calls = 0;
    const expire = b.time.api.expireTimers;
    b.time.api.expireTimers = () => (calls++, expire());
    set(b, 0x100, (20n << 9n) | 0x4cn);
    set(b, 0x108, 1n);
    set(b, 0x108, 1n);
    set(b, 0x10, 1n);
    b.advance(1_000_000n);
    expect(calls).toBeLessThanOrEqual(55);
  });
});

test('garbage', () => {
  const step = fc.record({ at: fc.nat(0x3ff), width: fc.constantFrom(1, 2, 4, 8), value: fc.oneof(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.nat(0x14f).map(BigInt)), write: fc.boolean(), wait: fc.nat(1_000_000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const b = make();
      const d = b.device('hpet');
      for (const s of steps) {
        const at = Math.min(s.at, 0x400 - s.width);
        if (s.write) b.run(() => d.write(at, s.width as 4, BigInt.asUintN(8 * s.width, s.value), 0));
        else expect(b.run(() => d.read(at, s.width as 4, 0)) >> BigInt(8 * s.width)).toBe(0n);
        b.advance(BigInt(s.wait));
        expect(b.time.timers.size).toBeLessThanOrEqual(3);
      }
      b.run(() => d.reset());
      expect(b.time.timers.size).toBe(0);
    }),
    { numRuns: 200 },
  );
});
