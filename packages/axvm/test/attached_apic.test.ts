/** A local APIC that threads share does what one at hand does, and its interrupts reach it from other threads. */
import { createComponent as axhost } from '@axvisor/axhost';
import { resolve } from '@axvisor/axvisor_api';
import { attachInterruptController, type AttachedIntc } from '@axvisor/axvisor_api/attached_intc';
import { ApicPin, createInterruptController, type InterruptController, type LocalApic } from '@axvisor/axvisor_api/intc';
import { currentTicks, expireTimers, skipTo } from '@axvisor/axvisor_api/time';
import { component as memoryAddr } from '@axvisor/memory_addr';
import { component as percpu } from '@axvisor/percpu';
import { component as vlapic } from '@axvisor/x86_vlapic';
import fc from 'fast-check';
import { expect, test } from 'vitest';

/** A controller whose second CPU's local APIC is on "another thread", with the pins that are asserted. */
interface Shared {
  readonly controller: InterruptController;
  readonly attached: AttachedIntc;
  readonly far: LocalApic;
  readonly pins: Set<string>;
  /** What the far one asked the controller for. */
  readonly asked: string[];
}

const linked = (work: () => void): void => resolve([vlapic, memoryAddr, percpu, axhost({ memory: 16 << 20, clock: 'virtual' })]).run(work);

function share(): Shared {
  const pins = new Set<string>();
  const asked: string[] = [];
  const setVcpuInterrupt = (vcpu: number, pin: number, level: boolean): void => void (level ? pins.add(`${vcpu}:${pin}`) : pins.delete(`${vcpu}:${pin}`));
  let state: Int32Array = new Int32Array();
  const controller = createInterruptController(
    { base: 0xfee0_0000n, firmwareState: true },
    { vmId: 1, vcpuCount: 2, setVcpuInterrupt, sharedWords: (count) => (state = new Int32Array(new SharedArrayBuffer(4 * count))) },
  );
  const { backplane } = controller;
  const attached = attachInterruptController(state, {
    vcpuCount: 2, cpuIds: [0n, 1n], isHere: (vcpu) => vcpu === 1, currentVcpu: () => 1, setVcpuInterrupt,
    controller: (vcpu) => ({
      endOfInterrupt: (vector) => (asked.push(`${vcpu} ended ${vector}`), backplane!.endOfInterrupt(vector)),
      acknowledgeExternal: () => (asked.push(`${vcpu} acknowledges`), backplane!.acknowledgeExternal!()),
      peekExternal: () => backplane!.peekExternal!(),
    }),
  });
  return { controller, attached, far: attached.localApic!(1), pins, asked };
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
      linked(() => {
        const { far } = share();
        const twin = createInterruptController({ base: 0xfee0_0000n, firmwareState: true }, { vmId: 1, vcpuCount: 2, setVcpuInterrupt: () => {} }).localApic!(1);
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
          both((a) => [a.id, a.base, a.tpr, a.requests, a.pending(), a.highestRequest(), a.nextTimer(), a.offsetOf(0xfee0_0080n), a.offsetOf(0xfed0_0080n), a.read(0x80, 4), a.readMsr(0x808), a.readMsr(0x1b)]);
        }
      }),
    ),
    { numRuns: 200 },
  );
});

test('events from other CPUs, and to them', () =>
  linked(() => {
    const { controller, far, pins } = share();
    const near = controller.localApic!(0);
    const send = (from: LocalApic, to: bigint, command: bigint): void => {
      from.write(0x310, 4, to << 24n);
      from.write(0x300, 4, command);
    };
    far.write(0xf0, 4, 0x1ffn);
    for (const command of [0x400n, 0x4500n, 0x4612n, 0x4041n]) send(near, 1n, command);
    expect([...pins].sort()).toEqual([ApicPin.intr, ApicPin.nmi, ApicPin.init, ApicPin.sipi].map((pin) => `1:${pin}`));
    expect([far.pending(), far.take('nmi'), far.take('init'), far.take('sipi'), far.take('sipi'), far.pending()]).toEqual([0x41, true, true, 0x12, undefined, undefined]);
    expect([...pins]).toEqual([]);
    send(far, 0n, 0x4042n);
    expect([[...pins], near.acknowledge()]).toEqual([[`0:${ApicPin.intr}`], 0x42]);
  }));

test('whoever is not its processor asserts pins only: the processor sees that nothing is requested', () =>
  linked(() => {
    const { controller, far, pins } = share();
    const near = controller.localApic!(0);
    far.write(0xf0, 4, 0x1ffn);
    near.write(0x310, 4, 1n << 24n);
    near.write(0x300, 4, 0x4041n);
    // Another thread's view of the same local APIC.
    controller.localApic!(1).tpr = 0xff;
    expect([pins.has(`1:${ApicPin.intr}`), far.requests]).toEqual([true, false]);
    far.tpr = 0xf0;
    expect(pins.size).toBe(0);
    far.tpr = 0;
    expect([pins.has(`1:${ApicPin.intr}`), far.acknowledge(), pins.size]).toEqual([true, 0x41, 0]);
  }));

test('level-triggered and external interrupts are the controller’s', () =>
  linked(() => {
    const { controller, far, asked, pins } = share();
    far.write(0xf0, 4, 0x1ffn);
    const ioApic = controller.devices.find((d) => d.model === 'io-apic')!;
    const set = (register: number, value: number): void => {
      ioApic.write(0, 4, BigInt(register), 0);
      ioApic.write(0x10, 4, BigInt(value), 0);
    };
    set(0x10 + 2 * 20 + 1, 1 << 24);
    set(0x10 + 2 * 20, 0x8055);
    controller.line(20).set(true);
    expect(far.acknowledge()).toBe(0x55);
    far.write(0xb0, 4, 0n);
    // The wire is still asserted.
    expect([asked.splice(0), far.pending()]).toEqual([['1 ended 85'], 0x55]);
    controller.line(20).set(false);
    far.acknowledge();
    const pic = controller.devices.find((d) => d.model === 'i8259')!;
    for (const [offset, value] of [[0, 0x11], [1, 0x30], [1, 4], [1, 1], [1, 0]] as const) pic.write(offset, 1, BigInt(value), 0);
    controller.line(4).set(true);
    far.write(0x350, 4, 0x700n);
    expect([pins.has(`1:${ApicPin.intr}`), far.pending(), far.acknowledge(), asked]).toEqual([true, 0x34, 0x34, ['1 acknowledges']]);
  }));

test('timers and deadlines are those of its thread, by the counter of the vCPU, until it forgets them', () =>
  linked(() => {
    const { attached, far, pins } = share();
    far.write(0xf0, 4, 0x1ffn);
    far.write(0x320, 4, 0x4_0040n);
    far.useTsc({ read: () => 3n * currentTicks() + 100n, ticksAt: (tsc) => (tsc <= 100n ? 0n : (tsc - 100n + 2n) / 3n) });
    expect(far.writeMsr(0x6e0, 3100n)).toBe(true);
    expect([far.readMsr(0x6e0), far.nextTimer(), far.pending()]).toEqual([3100n, 1000n, undefined]);
    skipTo(1000n);
    expireTimers();
    expect([pins.has(`1:${ApicPin.intr}`), far.readMsr(0x6e0), far.acknowledge()]).toEqual([true, 0n, 0x40]);
    far.write(0xb0, 4, 0n);
    far.writeMsr(0x6e0, 1_000_000n);
    attached.forget!(1);
    expect([far.nextTimer(), far.readMsr(0x6e0)]).toEqual([undefined, 0n]);
    skipTo(2_000_000n);
    expireTimers();
    expect(far.pending()).toBeUndefined();
  }));
