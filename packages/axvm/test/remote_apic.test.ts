/** A local APIC by calls does what it does at hand. */
import { createComponent as axhost } from '@axvisor/axhost';
import { resolve } from '@axvisor/axvisor_api';
import { createInterruptController, type LocalApic } from '@axvisor/axvisor_api/intc';
import { currentTicks, skipTo } from '@axvisor/axvisor_api/time';
import { component as memoryAddr } from '@axvisor/memory_addr';
import { component as percpu } from '@axvisor/percpu';
import { component as vlapic } from '@axvisor/x86_vlapic';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ownTsc, RemoteLocalApic } from '../src/threads/remote_apic.ts';

/** Works with a controller of two CPUs; `calls` are what the second one asked of it. */
function withApics(work: (near: LocalApic, far: LocalApic, twin: LocalApic) => void): void {
  resolve([vlapic, memoryAddr, percpu, axhost({ memory: 16 << 20, clock: 'virtual' })]).run(() => {
    const make = (): ((n: number) => LocalApic) => {
      const controller = createInterruptController({ base: 0xfee0_0000n }, { vmId: 1, vcpuCount: 2, setVcpuInterrupt: () => {} });
      return (n) => controller.localApic!(n);
    };
    const one = make();
    work(one(0), ownTsc(one(1)), make()(1));
  });
}

const step = fc.oneof(
  fc.record({ kind: fc.constant('write' as const), offset: fc.nat(0x3f).map((n) => 16 * n), value: fc.oneof(fc.nat(0xff), fc.nat(0x7ffff)) }),
  fc.record({ kind: fc.constant('msr' as const), msr: fc.oneof(fc.integer({ min: 0x802, max: 0x83f }), fc.constant(0x1b)), value: fc.oneof(fc.nat(0xff).map(BigInt), fc.constantFrom(0xfee0_0c00n, 0xfee0_0800n, 0xfed0_0800n, 0n)) }),
  fc.record({ kind: fc.constant('self' as const), vector: fc.integer({ min: 16, max: 255 }) }),
  fc.record({ kind: fc.constant('take' as const), action: fc.nat(5) }),
  fc.record({ kind: fc.constant('tpr' as const), value: fc.nat(255) }),
);

test('whatever is done, it answers as one at hand', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) =>
      withApics((_near, far, twin) => {
        const both = (f: (apic: LocalApic) => unknown): void => expect(f(far)).toEqual(f(twin));
        both((a) => a.write(0xf0, 4, 0x1ffn));
        for (const s of steps) {
          switch (s.kind) {
            case 'write':
              both((a) => a.write(s.offset, 4, BigInt(s.value)));
              break;
            case 'msr':
              both((a) => a.writeMsr(s.msr, s.value));
              break;
            case 'self':
              both((a) => a.write(0x300, 4, BigInt(0x4_0000 | s.vector)));
              break;
            case 'tpr':
              both((a) => (a.tpr = s.value));
              break;
            default:
              both((a) => [() => a.acknowledge(), () => a.take('nmi'), () => a.take('init'), () => a.take('sipi'), () => a.raise('thermal'), () => a.raise('performance')][s.action]!());
          }
          both((a) => [a.base, a.tpr, a.pending(), a.highestRequest(), a.nextTimer(), a.offsetOf(0xfee0_0080n), a.offsetOf(0xfed0_0080n), a.read(0x80, 4), a.readMsr(0x808), a.readMsr(0x1b)]);
        }
      }),
    ),
    { numRuns: 200 },
  );
});

test('events from other CPUs', () =>
  withApics((near, far) => {
    near.write(0xf0, 4, 0x1ffn);
    for (const low of [0x400n, 0x4500n, 0x4612n]) {
      near.write(0x310, 4, 1n << 24n);
      near.write(0x300, 4, low);
    }
    expect([far.id, far.take('nmi'), far.take('init'), far.take('sipi'), far.take('sipi')]).toEqual([1, true, true, 0x12, undefined]);
  }));

test('commands for others and deadlines are posted, all else is answered', () => {
  const posted: string[] = [];
  const called: string[] = [];
  const text = (args: readonly bigint[]): string => args.map((a) => a.toString(16)).join(' ');
  let base = 0xfee0_0800n;
  const apic = new RemoteLocalApic(1, (...args) => (args[0] === 0n ? base : (called.push(text(args)), 1n)), (...args) => (posted.push(text(args)), true));
  const both = (): readonly [string[], string[]] => [posted.splice(0), called.splice(0)];
  apic.write(0x300, 4, 0x4040n);
  // Nobody knows for whom.
  expect(both()).toEqual([[], ['2 300 4 4040']]);
  apic.write(0x310, 4, 2n << 24n);
  apic.write(0x300, 4, 0x4040n);
  apic.write(0x300, 4, 0xc4500n);
  expect(both()).toEqual([['2 310 4 2000000', '2 300 4 4040', '2 300 4 c4500'], []]);
  // Itself by number, as one of a set or of all, by shorthand; the end of an interrupt.
  apic.write(0x310, 4, 1n << 24n);
  for (const command of [0x4040n, 0x4840n, 0x4_4040n, 0x8_4040n]) apic.write(0x300, 4, command);
  apic.write(0x310, 4, 0xffn << 24n);
  apic.write(0x300, 4, 0x4040n);
  apic.write(0xb0, 4, 0n);
  expect(both()).toEqual([['2 310 4 1000000', '2 310 4 ff000000'], ['2 300 4 4040', '2 300 4 4840', '2 300 4 44040', '2 300 4 84040', '2 300 4 4040', '2 b0 4 0']]);
  // The MSR exists in x2APIC mode only, and has reserved bits.
  apic.writeMsr(0x830, (2n << 32n) | 0x4040n);
  base = 0xfee0_0c00n;
  apic.forget();
  apic.writeMsr(0x830, (2n << 32n) | 0x4040n);
  apic.writeMsr(0x830, (2n << 32n) | 0x10_4040n);
  apic.writeMsr(0x830, 0x1_0000_4040n);
  // Logical: with its own bit, without, of another cluster, all.
  for (const destination of [0x3n, 0xdn, 0x1_0002n, 0xffff_ffffn]) apic.writeMsr(0x830, (destination << 32n) | 0x4840n);
  apic.writeMsr(0x6e0, 5n);
  expect(both()).toEqual([
    ['4 830 200004040', '4 830 d00004840', '4 830 1000200004840', '4 6e0 5'],
    ['4 830 200004040', '4 830 200104040', '4 830 100004040', '4 830 300004840', '4 830 ffffffff00004840'],
  ]);
});

test("deadlines go by the vCPU's own counter", () =>
  withApics((_near, far) => {
    far.write(0xf0, 4, 0x1ffn);
    far.write(0x320, 4, 0x4_0040n);
    far.useTsc({ read: () => 3n * currentTicks() + 100n, ticksAt: (tsc) => (tsc <= 100n ? 0n : (tsc - 100n + 2n) / 3n) });
    expect(far.writeMsr(0x6e0, 3100n)).toBe(true);
    expect([far.readMsr(0x6e0), far.nextTimer(), far.pending()]).toEqual([3100n, 1000n, undefined]);
    skipTo(1000n);
    expect([far.readMsr(0x6e0), far.pending()]).toEqual([0n, 0x40]);
    far.acknowledge();
    far.write(0xb0, 4, 0n);
    far.writeMsr(0x6e0, 50n);
    expect(far.pending()).toBe(0x40);
    far.acknowledge();
    far.write(0xb0, 4, 0n);
    far.writeMsr(0x6e0, 1_000_000n);
    far.writeMsr(0x6e0, 0n);
    expect([far.readMsr(0x6e0), far.nextTimer()]).toEqual([0n, undefined]);
  }));
