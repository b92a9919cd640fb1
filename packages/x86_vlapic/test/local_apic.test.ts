/** Local APIC against Intel SDM volume 3, chapter 11. */
import { ApicPin } from '@axvisor/axvisor_api/intc';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Bench } from './support.ts';

const R = { id: 0x20, version: 0x30, tpr: 0x80, ppr: 0xa0, eoi: 0xb0, ldr: 0xd0, dfr: 0xe0, svr: 0xf0, isr: 0x100, tmr: 0x180, irr: 0x200, esr: 0x280, icr: 0x300, icrHigh: 0x310, timer: 0x320, lint0: 0x350, lint1: 0x360, error: 0x370, initial: 0x380, current: 0x390, divide: 0x3e0 } as const;

const APIC_BASE_MSR = 0x1b;
const TSC_DEADLINE = 0x6e0;
const X2 = 0xfee0_0d00n;

/** Sends an interrupt by the ICR of `from`. */
const ipi = (b: Bench, from: number, low: number, destination = 0): void => {
  b.set(R.icrHigh, destination << 24, from);
  b.set(R.icr, low, from);
};
const SELF = 0x4_0000;

test('registers after power-up (11.4.7.1)', () => {
  const b = new Bench(2);
  expect([R.id, R.version, R.tpr, R.ppr, R.ldr, R.dfr, R.svr, R.esr, R.icr, R.timer, R.lint0, R.lint1, R.error, R.initial, R.current, R.divide].map((r) => b.reg(r, 1))).toEqual([
    0x0100_0000, 0x0105_0014, 0, 0, 0, 0xffff_ffff, 0xff, 0, 0, 0x1_0000, 0x1_0000, 0x1_0000, 0x1_0000, 0, 0, 0,
  ]);
  expect([b.msr(APIC_BASE_MSR, 0), b.msr(APIC_BASE_MSR, 1)]).toEqual([0xfee0_0900n, 0xfee0_0800n]);
});

test('a requested vector is delivered by class, taken into service, and ends with EOI', () => {
  const b = new Bench().enable();
  for (const vector of [0x31, 0x52, 0x33]) ipi(b, 0, SELF | vector);
  expect([b.pin(0, ApicPin.intr), b.pending(), b.take()]).toEqual([true, 0x52, 0x52]);
  // 0x33 and 0x31 are of a lower class than what is in service.
  expect([b.pin(0, ApicPin.intr), b.pending(), b.reg(R.ppr), b.reg(R.isr + 0x20), b.reg(R.irr + 0x10)]).toEqual([false, undefined, 0x50, 1 << 0x12, (1 << 0x13) | (1 << 0x11)]);
  b.set(R.eoi, 0);
  expect([b.pin(0, ApicPin.intr), b.take(), b.pending()]).toEqual([true, 0x33, undefined]);
  b.set(R.eoi, 0);
  expect(b.take()).toBe(0x31);
  b.set(R.eoi, 0);
  expect([b.take(), b.reg(R.ppr)]).toEqual([0xff, 0]);
});

test('the task priority holds back its class and those below; CR8 is its upper half', () => {
  const b = new Bench().enable();
  ipi(b, 0, SELF | 0x4f);
  b.set(R.tpr, 0x45);
  expect([b.pin(0, ApicPin.intr), b.pending(), b.reg(R.ppr), b.run(() => b.apic().highestRequest())]).toEqual([false, undefined, 0x45, 0x4f]);
  b.run(() => void (b.apic().tpr = 3 << 4));
  expect([b.pin(0, ApicPin.intr), b.pending(), b.reg(R.tpr)]).toEqual([true, 0x4f, 0x30]);
});

test('against a naive model: requests, priorities, acknowledge and EOI in any order', () => {
  const op = fc.oneof(
    fc.record({ kind: fc.constant('request' as const), vector: fc.integer({ min: 16, max: 255 }), cpu: fc.nat(1) }),
    fc.record({ kind: fc.constant('tpr' as const), value: fc.nat(255), cpu: fc.nat(1) }),
    fc.record({ kind: fc.constant('take' as const), cpu: fc.nat(1) }),
    fc.record({ kind: fc.constant('eoi' as const), cpu: fc.nat(1) }),
  );
  fc.assert(
    fc.property(fc.array(op, { maxLength: 60 }), fc.boolean(), (ops, x2) => {
      const b = new Bench(2).enable(2);
      if (x2) for (const cpu of [0, 1]) b.setMsr(APIC_BASE_MSR, X2 - (cpu === 0 ? 0n : 0x100n), cpu);
      const model = [0, 1].map(() => ({ irr: new Set<number>(), isr: new Set<number>(), tpr: 0 }));
      const max = (s: Set<number>): number => Math.max(0, ...s);
      const next = (m: (typeof model)[number]): number | undefined => {
        const threshold = Math.max(m.tpr >> 4, max(m.isr) >> 4);
        return max(m.irr) >> 4 > threshold ? max(m.irr) : undefined;
      };
      for (const o of ops) {
        const m = model[o.cpu] as (typeof model)[number];
        switch (o.kind) {
          case 'request':
            m.irr.add(o.vector);
            if (x2) expect(b.setMsr(0x830, (BigInt(o.cpu) << 32n) | BigInt(o.vector), 1 - o.cpu)).toBe(true);
            else ipi(b, 1 - o.cpu, o.vector, o.cpu);
            break;
          case 'tpr':
            m.tpr = o.value;
            if (x2) b.setMsr(0x808, BigInt(o.value), o.cpu);
            else b.set(R.tpr, o.value, o.cpu);
            break;
          case 'take': {
            const expected = next(m);
            expect(b.take(o.cpu)).toBe(expected ?? 0xff);
            if (expected === undefined) break;
            m.irr.delete(expected);
            m.isr.add(expected);
            break;
          }
          default:
            m.isr.delete(max(m.isr));
            if (x2) b.setMsr(0x80b, 0n, o.cpu);
            else b.set(R.eoi, 0, o.cpu);
        }
        expect([b.pending(o.cpu), b.pin(o.cpu, ApicPin.intr)]).toEqual([next(m), next(m) !== undefined]);
      }
      for (const [cpu, m] of model.entries())
        for (const [set, first] of [[m.isr, 0x10], [m.irr, 0x20]] as const)
          for (let i = 0; i < 8; i++) {
            const word = x2 ? Number(b.msr(0x800 + first + i, cpu)) : b.reg(16 * (first + i), cpu);
            expect(word).toBe([...set].filter((v) => v >> 5 === i).reduce((w, v) => (w | (1 << (v & 31))) >>> 0, 0));
          }
    }),
    { numRuns: 300 },
  );
});

describe('destinations (11.6.2)', () => {
  const receivers = (b: Bench, cpus: number): number[] => Array.from({ length: cpus }, (_, i) => i).filter((i) => b.pending(i) !== undefined);

  test.each([
    ['physical', 0x0040, 2, [2]],
    ['physical broadcast', 0x0040, 0xff, [0, 1, 2, 3]],
    ['flat logical', 0x0840, 0b0101, [0, 2]],
    ['flat logical, nobody', 0x0840, 0xf0, []],
    ['self', 0x4_0040, 3, [1]],
    ['all including self', 0x8_0040, 0, [0, 1, 2, 3]],
    ['all excluding self', 0xc_0040, 0, [0, 2, 3]],
  ])('%s', (_name, low, destination, expected) => {
    const b = new Bench(4).enable(4);
    for (let i = 0; i < 4; i++) b.set(R.ldr, (1 << i) << 24, i);
    ipi(b, 1, low, destination);
    expect(receivers(b, 4)).toEqual(expected);
  });

  test('cluster model: four CPUs in each of 15 clusters', () => {
    const b = new Bench(5).enable(5);
    for (let i = 0; i < 5; i++) {
      b.set(R.dfr, 0, i);
      b.set(R.ldr, (((i >> 2) << 4) | (1 << (i & 3))) << 24, i);
    }
    expect(b.reg(R.dfr, 3)).toBe(0x0fff_ffff);
    ipi(b, 0, 0x0850, 0x06);
    expect(receivers(b, 5)).toEqual([1, 2]);
    ipi(b, 0, 0x0860, 0x11);
    expect(receivers(b, 5)).toEqual([1, 2, 4]);
  });

  test('x2APIC: IDs of 32 bits; clusters of 16 in logical mode, for which the LDR is given (11.12.9, 11.12.10)', () => {
    const ids = [0n, 5n, 0x10n, 0x123n];
    const b = new Bench(4, {}, ids).enable(4);
    for (let i = 0; i < 4; i++) expect(b.setMsr(APIC_BASE_MSR, i === 0 ? X2 : X2 - 0x100n, i)).toBe(true);
    expect(ids.map((_, i) => [b.msr(0x802, i), b.msr(0x80d, i)])).toEqual([[0n, 1n], [5n, 0x20n], [0x10n, 0x1_0001n], [0x123n, 0x12_0008n]]);
    b.setMsr(0x830, (0x123n << 32n) | 0x41n, 0);
    expect(receivers(b, 4)).toEqual([3]);
    b.setMsr(0x830, (0x21n << 32n) | 0x842n, 2);
    expect(receivers(b, 4)).toEqual([0, 1, 3]);
    b.setMsr(0x830, (0xffff_ffffn << 32n) | 0x43n, 2);
    expect(receivers(b, 4)).toEqual([0, 1, 2, 3]);
  });

  test('lowest priority goes to the CPU with the lowest processor priority; equals take turns', () => {
    const b = new Bench(3).enable(3);
    for (let i = 0; i < 3; i++) b.set(R.ldr, (1 << i) << 24, i);
    b.set(R.tpr, 0x30, 0);
    b.set(R.tpr, 0x20, 1);
    b.set(R.tpr, 0x40, 2);
    ipi(b, 0, 0x0980 | 0x100, 0x07);
    expect(receivers(b, 3)).toEqual([1]);
    b.set(R.tpr, 0x20, 0);
    const hits = [0, 0, 0];
    for (let i = 0; i < 8; i++) {
      ipi(b, 2, 0x0990, 0x07);
      for (const cpu of [0, 1]) {
        b.set(R.tpr, 0, cpu);
        while (b.pending(cpu) !== undefined) {
          if (b.take(cpu) === 0x90) hits[cpu] = (hits[cpu] as number) + 1;
          b.set(R.eoi, 0, cpu);
        }
        b.set(R.tpr, 0x20, cpu);
      }
    }
    expect(hits).toEqual([4, 4, 0]);
  });

  test('of NMIs that come before one is taken, two are kept', () => {
    const b = new Bench(2).enable(1);
    for (let i = 0; i < 3; i++) ipi(b, 0, 0x400, 1);
    const taken = [1, 2, 3].map(() => [b.pin(1, ApicPin.nmi), b.run(() => b.apic(1).take('nmi'))]);
    expect(taken).toEqual([[true, true], [true, true], [false, false]]);
  });

  test('a software-disabled APIC takes no fixed interrupt, but NMI, INIT and start-up (11.4.7.2)', () => {
    const b = new Bench(2).enable(1);
    for (const low of [0x40, 0x140, 0x400, 0x4500, 0x612]) ipi(b, 0, low, 1);
    expect([b.pending(1), [ApicPin.nmi, ApicPin.init, ApicPin.sipi].map((p) => b.pin(1, p))]).toEqual([undefined, [true, true, true]]);
    expect(b.run(() => [b.apic(1).take('nmi'), b.apic(1).take('init'), b.apic(1).take('sipi')])).toEqual([true, true, 0x12]);
    expect(b.run(() => [b.apic(1).take('nmi'), b.apic(1).take('init'), b.apic(1).take('sipi')])).toEqual([false, false, undefined]);
    expect(b.pins.size).toBe(0);
  });
});

test('INIT puts all but ID and base in the power-up state, and forgets a start-up IPI that came before', () => {
  const b = new Bench(2).enable(2);
  b.set(R.tpr, 0x20, 1);
  ipi(b, 0, 0x4033, 1);
  ipi(b, 0, 0x4602, 1);
  ipi(b, 0, 0x4500, 1);
  ipi(b, 0, 0x4607, 1);
  ipi(b, 0, 0x4608, 1);
  expect(b.run(() => b.apic(1).take('init'))).toBe(true);
  expect([b.reg(R.svr, 1), b.reg(R.tpr, 1), b.reg(R.irr + 0x10, 1), b.reg(R.id, 1)]).toEqual([0xff, 0, 0, 0x0100_0000]);
  expect(b.run(() => b.apic(1).take('sipi'))).toBe(7);
  // INIT level de-assert is nothing.
  ipi(b, 0, 0x8500, 1);
  expect(b.pin(1, ApicPin.init)).toBe(false);
});

test('errors: illegal vectors sent and received, illegal registers; ESR shows them after a write, and the error interrupt comes', () => {
  const b = new Bench(2).enable(2);
  b.set(R.error, 0xe1);
  ipi(b, 0, 0x4005, 1);
  expect([b.reg(R.esr), b.pending()]).toEqual([0, 0xe1]);
  b.set(R.esr, 0);
  expect(b.reg(R.esr)).toBe(0x20);
  b.reg(0x40);
  b.set(R.esr, 0);
  expect(b.reg(R.esr)).toBe(0x80);
  b.set(R.esr, 0);
  expect(b.reg(R.esr)).toBe(0);
  b.run(() => b.controller.writeMsi(0xfee0_1000n, 7));
  b.set(R.esr, 0, 1);
  expect(b.reg(R.esr, 1)).toBe(0x40);
  // With an illegal vector of its own the error interrupt is no error.
  b.set(R.error, 0x05);
  b.reg(0x40);
  b.set(R.esr, 0);
  expect(b.reg(R.esr)).toBe(0x80);
});

test('clearing SVR.8 masks the local vector table, and it stays masked', () => {
  const b = new Bench().enable();
  b.set(R.timer, 0x20031);
  expect(b.reg(R.timer)).toBe(0x2_0031);
  b.set(R.svr, 0xff);
  expect([b.reg(R.timer), b.reg(R.lint0)]).toEqual([0x3_0031, 0x1_0000]);
  b.set(R.timer, 0x31);
  expect(b.reg(R.timer)).toBe(0x1_0031);
});

describe('timer (11.5.4), counting nanoseconds', () => {
  test('one-shot by every divisor', () => {
    for (const [code, divisor] of [[0, 2n], [1, 4n], [2, 8n], [3, 16n], [8, 32n], [9, 64n], [10, 128n], [11, 1n]] as const) {
      const b = new Bench().enable();
      b.set(R.timer, 0x40);
      b.set(R.divide, code);
      b.set(R.initial, 100_000);
      b.advance(40_000n * divisor);
      expect([b.reg(R.current), b.pending()]).toEqual([60_000, undefined]);
      b.advance(60_000n * divisor - 1n);
      expect(b.pending()).toBe(undefined);
      b.advance(1n);
      expect([b.pending(), b.reg(R.current), b.reg(R.initial)]).toEqual([0x40, 0, 100_000]);
      b.take();
      b.set(R.eoi, 0);
      b.advance(10_000_000n * divisor);
      expect(b.pending()).toBe(undefined);
    }
  });

  test('periodic, without drift; a count of 0 stops it', () => {
    const b = new Bench().enable();
    b.set(R.divide, 0xb);
    b.set(R.timer, 0x2_0050);
    b.set(R.initial, 1_000_000);
    let ticks = 0;
    for (let i = 0; i < 100; i++) {
      b.advance(333_333n);
      if (b.pending() === undefined) continue;
      expect(b.take()).toBe(0x50);
      b.set(R.eoi, 0);
      ticks++;
    }
    expect([ticks, b.reg(R.current)]).toEqual([33, 34_000_000 - 33_333_300]);
    b.set(R.initial, 0);
    b.advance(5_000_000n);
    expect([b.pending(), b.reg(R.current), b.time.timers.size]).toEqual([undefined, 0, 0]);
  });

  test('masked it counts and does not interrupt', () => {
    const b = new Bench().enable();
    b.set(R.timer, 0x1_0050);
    b.set(R.initial, 1000);
    expect(b.run(() => b.apic().nextTimer())).toBe(undefined);
    b.advance(10_000n);
    expect([b.pending(), b.reg(R.current)]).toEqual([undefined, 0]);
  });

  test('a tiny period is merged, not a storm on the host', () => {
    const b = new Bench().enable();
    b.set(R.divide, 0xb);
    b.set(R.timer, 0x2_0050);
    b.set(R.initial, 1);
    let calls = 0;
    const expire = b.time.api.expireTimers;
    b.time.api.expireTimers = () => (calls++, expire());
    b.advance(1_000_000n);
    expect(calls).toBeLessThanOrEqual(51);
    expect(b.pending()).toBe(0x50);
  });

  test('TSC deadline: only in its mode, reads as 0 once it has fired, and goes by the counter of the CPU', () => {
    const b = new Bench().enable();
    b.run(() => b.apic().useTsc({ read: () => 3n * b.time.now + 7n, ticksAt: (tsc) => (tsc - 7n + 2n) / 3n }));
    expect(b.setMsr(TSC_DEADLINE, 5n)).toBe(true);
    expect(b.msr(TSC_DEADLINE)).toBe(0n);
    b.set(R.timer, 0x4_0060);
    b.set(R.initial, 55);
    expect(b.reg(R.initial)).toBe(0);
    b.setMsr(TSC_DEADLINE, 3007n);
    expect([b.msr(TSC_DEADLINE), b.run(() => b.apic().nextTimer())]).toEqual([3007n, 1000n]);
    b.advance(999n);
    expect(b.pending()).toBe(undefined);
    b.advance(1n);
    expect([b.pending(), b.msr(TSC_DEADLINE)]).toEqual([0x60, 0n]);
    b.take();
    b.set(R.eoi, 0);
    // A deadline in the past is due at once; 0 disarms.
    b.setMsr(TSC_DEADLINE, 1n);
    expect(b.pending()).toBe(0x60);
    b.take();
    b.set(R.eoi, 0);
    b.setMsr(TSC_DEADLINE, 9_000_000n);
    b.setMsr(TSC_DEADLINE, 0n);
    b.advance(100_000_000n);
    expect(b.pending()).toBe(undefined);
  });
});

describe('modes (11.12.5)', () => {
  test.each([
    ['xAPIC to x2APIC', [0xfee0_0d00n], [true]],
    ['straight back is #GP', [0xfee0_0d00n, 0xfee0_0900n], [true, false]],
    ['by way of disabled', [0xfee0_0d00n, 0xfee0_0100n, 0xfee0_0900n], [true, true, true]],
    ['disabled to x2APIC is #GP', [0xfee0_0100n, 0xfee0_0d00n], [true, false]],
    ['EXTD without EN is #GP', [0xfee0_0500n], [false]],
    ['reserved bits are #GP', [0xfee0_0900n | 1n, 0xfee0_0900n | (1n << 52n), 0xfee0_0b00n], [false, false, false]],
  ])('%s', (_name, values, expected) => {
    const b = new Bench();
    expect(values.map((v) => b.setMsr(APIC_BASE_MSR, v))).toEqual(expected);
  });

  test('the page can be moved, and is closed in x2APIC mode and when disabled', () => {
    const b = new Bench();
    const at = (address: bigint): number | undefined => b.apic().offsetOf(address);
    expect([at(0xfee0_0080n), at(0xfee0_1080n), at(0xfedf_ffffn)]).toEqual([0x80, undefined, undefined]);
    b.setMsr(APIC_BASE_MSR, 0x2_0000_0900n);
    expect([at(0xfee0_0080n), at(0x2_0000_0080n)]).toEqual([undefined, 0x80]);
    b.setMsr(APIC_BASE_MSR, 0x2_0000_0d00n);
    expect(at(0x2_0000_0080n)).toBe(undefined);
  });

  test('MSRs: only in x2APIC mode; read-only, write-only, reserved and missing ones are #GP (table 11-6)', () => {
    const b = new Bench();
    expect([b.msr(0x802), b.setMsr(0x80b, 0n)]).toEqual([undefined, false]);
    b.setMsr(APIC_BASE_MSR, X2);
    b.setMsr(0x80f, 0x1ffn);
    const readable: number[] = [];
    const writable: number[] = [];
    for (let i = 0; i < 0x100; i++) {
      if (b.msr(0x800 + i) !== undefined) readable.push(i);
      if (b.setMsr(0x800 + i, i === 0x0f ? 0x1ffn : 0n)) writable.push(i);
    }
    const range = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);
    expect(readable).toEqual([2, 3, 8, 0xa, 0xd, 0xf, ...range(0x10, 24), 0x28, 0x30, ...range(0x32, 8), 0x3e]);
    expect(writable).toEqual([8, 0xb, 0xf, 0x28, 0x30, ...range(0x32, 7), 0x3e, 0x3f]);
    expect([b.setMsr(0x808, 0x100n), b.setMsr(0x80b, 1n), b.setMsr(0x828, 1n), b.setMsr(0x838, 1n << 32n), b.setMsr(0x832, 0x8_0000n), b.setMsr(0x830, 0x2000n), b.setMsr(0x83e, 4n)]).toEqual(Array(7).fill(false));
    expect(b.setMsr(0x83f, 0x77n)).toBe(true);
    expect(b.take()).toBe(0x77);
  });

  test('hardware-disabled, LINT0 is INTR and LINT1 is NMI', () => {
    const b = new Bench();
    b.setMsr(APIC_BASE_MSR, 0xfee0_0100n);
    b.outb(0x20, 0x11);
    b.outb(0x21, 0x08, 0x04, 0x01, 0x00);
    b.line(4)(true);
    expect([b.pending(), b.take()]).toEqual([0x0c, 0x0c]);
    b.run(() => (b.controller as unknown as { localApic(n: number): { setLint(n: 0 | 1, level: boolean): void } }).localApic(0).setLint(1, true));
    expect(b.pin(0, ApicPin.nmi)).toBe(true);
  });
});

test('the performance counter interrupt masks itself; thermal interrupts do not', () => {
  const b = new Bench().enable();
  b.set(0x340, 0x400);
  b.set(0x330, 0x55);
  b.run(() => b.apic().raise('performance'));
  b.run(() => b.apic().raise('thermal'));
  expect([b.pin(0, ApicPin.nmi), b.reg(0x340), b.reg(0x330), b.pending()]).toEqual([true, 0x1_0400, 0x55, 0x55]);
});

test('LINT0 level-triggered and fixed: again after EOI as long as it is asserted', () => {
  const b = new Bench().enable();
  b.outb(0x20, 0x11);
  b.outb(0x21, 0x08, 0x04, 0x01, 0x00);
  const line = b.line(4);
  b.set(R.lint0, 0x8000 | 0x71);
  line(true);
  expect([b.take(), b.reg(R.lint0), b.pending()]).toEqual([0x71, 0xc071, undefined]);
  b.set(R.eoi, 0);
  expect([b.pending(), b.reg(R.tmr + 0x30) >>> 17]).toEqual([0x71, 1]);
  b.take();
  line(false);
  b.set(R.eoi, 0);
  expect([b.pending(), b.reg(R.lint0)]).toEqual([undefined, 0x8071]);
});
