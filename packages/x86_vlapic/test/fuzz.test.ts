/** Whatever a guest writes wherever, nothing throws, values fit their widths, and the host is called rarely. */
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import { ApicPin } from '@axvisor/axvisor_api/intc';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bench, WIDTHS } from './support.ts';

const value = fc.oneof(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.nat(0xff).map(BigInt), fc.nat(0x1ffff).map(BigInt), fc.constantFrom(0n, 0xfee0_0900n, 0xfee0_0d00n, 0xfee0_0100n, 0x1ffn));
const width = fc.constantFrom<AccessWidth>(...WIDTHS);
const step = fc.oneof(
  fc.record({ kind: fc.constant('device' as const), device: fc.nat(3), offset: fc.oneof(fc.nat(0xfff), fc.nat(4), fc.constantFrom(0, 0x10, 0x40)), region: fc.nat(2), width, value, write: fc.boolean() }),
  fc.record({ kind: fc.constant('apic' as const), cpu: fc.nat(2), offset: fc.oneof(fc.nat(0xfff), fc.nat(0x40).map((n) => 16 * n)), width, value, write: fc.boolean() }),
  fc.record({ kind: fc.constant('msr' as const), cpu: fc.nat(2), msr: fc.oneof(fc.integer({ min: 0x800, max: 0x8ff }), fc.constantFrom(0x1b, 0x6e0), fc.nat()), value, write: fc.boolean() }),
  fc.record({ kind: fc.constant('line' as const), irq: fc.integer({ min: 3, max: 23 }), level: fc.boolean() }),
  fc.record({ kind: fc.constant('msi' as const), address: fc.nat(0xf_ffff).map((n) => 0xfee0_0000n | BigInt(n)), data: fc.nat() }),
  fc.record({ kind: fc.constant('cpu' as const), cpu: fc.nat(2), action: fc.nat(5) }),
  fc.record({ kind: fc.constant('time' as const), nanos: fc.integer({ min: 0, max: 300_000 }) }),
);

test('garbage everywhere', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), fc.boolean(), (steps, firmwareState) => {
      const b = new Bench(3, { firmwareState }).enable(3);
      const lines = new Map<number, (level: boolean) => void>();
      let calls = 0;
      let passed = 0;
      const expire = b.time.api.expireTimers;
      b.time.api.expireTimers = () => (calls++, expire());
      for (const s of steps) {
        switch (s.kind) {
          case 'device': {
            const device = b.controller.devices[s.device]!;
            const region = s.region % device.regions.length;
            const r = device.regions[region]!;
            // The bus lets only accesses through that lie in the region.
            const size = r.space === 'mmio' ? 0x1000 : r.last - r.first + 1;
            const w = Math.min(s.width, size) as AccessWidth;
            const offset = s.offset % (size - w + 1);
            b.cpu = s.offset % 3;
            if (s.write) b.run(() => device.write(offset, w, BigInt.asUintN(8 * w, s.value), region));
            else expect(b.run(() => device.read(offset, w, region)) >> BigInt(8 * w)).toBe(0n);
            break;
          }
          case 'apic':
            if (s.write) b.run(() => b.apic(s.cpu).write(s.offset, s.width, BigInt.asUintN(8 * s.width, s.value)));
            else expect(b.run(() => b.apic(s.cpu).read(s.offset, s.width)) >> BigInt(8 * s.width)).toBe(0n);
            break;
          case 'msr':
            if (s.write) b.setMsr(s.msr, s.value, s.cpu);
            else expect((b.msr(s.msr, s.cpu) ?? 0n) >> 64n).toBe(0n);
            break;
          case 'line': {
            let line = lines.get(s.irq);
            if (line === undefined) lines.set(s.irq, (line = b.line(s.irq)));
            line(s.level);
            break;
          }
          case 'msi':
            b.run(() => b.controller.writeMsi(s.address, s.data));
            break;
          case 'time':
            b.advance(BigInt(s.nanos));
            passed += s.nanos;
            break;
          default: {
            const apic = b.apic(s.cpu);
            b.run(() => {
              if (s.action === 0) apic.take('nmi');
              else if (s.action === 1) apic.take('init');
              else if (s.action === 2) apic.take('sipi');
              else if (s.action === 3) apic.raise('performance');
              else {
                const vector = apic.pending();
                const taken = apic.acknowledge();
                expect(taken >= 0 && taken <= 255).toBe(true);
                if (vector !== undefined) expect(taken).toBe(vector);
              }
            });
          }
        }
        for (const cpu of [0, 1, 2]) {
          const pending = b.pending(cpu) !== undefined;
          expect(b.pin(cpu, ApicPin.intr)).toBe(pending);
        }
      }
      // Four timers, each at most every 20 us, and once for each of a guest's writes.
      expect(calls).toBeLessThanOrEqual(4 * (passed / 20_000 + 1) + 2 * steps.length);
      b.run(() => {
        for (const device of b.controller.devices) device.reset();
      });
      expect([b.time.timers.size, b.reg(0xf0, 2)]).toEqual([0, 0xff]);
    }),
    {
      numRuns: 600,
      // A read in error, whose interrupt is not masked.
      examples: [[[{ kind: 'apic', cpu: 1, offset: 0x370, width: 8, value: 16n, write: true }, { kind: 'apic', cpu: 1, offset: 0, width: 1, value: 0n, write: false }], false]],
    },
  );
});
