import fc from 'fast-check';
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import { describe, expect, test } from 'vitest';
import { bench as benchAt, PLACES, ITS_BASE, RAM } from './support.ts';

describe.each(PLACES)('%s', (place) => {
  const bench = benchAt.bind(undefined, place);

  const value = fc.oneof(
    fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    fc.constantFrom(0n, 1n, 3n, 0xffff_ffffn, (1n << 64n) - 1n, RAM | (1n << 63n), RAM | (1n << 63n) | 0x1_000fn, RAM | 15n, 0xf_ffe0n, 0x100n),
  );
  const access = fc.record({
    device: fc.nat(3),
    offset: fc.oneof(fc.nat(0x4_0000), fc.nat(0x400).map((n) => 4 * n), fc.nat(0x40).map((n) => 0x6000 + 8 * n), fc.nat(0x400).map((n) => 0x1_0000 + 4 * n), fc.nat(0x40).map((n) => 4 * n), fc.constant(0xffe8)),
    width: fc.constantFrom<AccessWidth>(1, 2, 4, 8),
    value,
    write: fc.boolean(),
    region: fc.nat(17),
    cpu: fc.nat(2),
  });
  const other = fc.oneof(
    fc.record({ kind: fc.constant('line' as const), irq: fc.integer({ min: 32, max: 287 }), level: fc.boolean() }),
    fc.record({ kind: fc.constant('private' as const), cpu: fc.nat(2), irq: fc.nat(40), level: fc.boolean() }),
    fc.record({ kind: fc.constant('lists' as const), cpu: fc.nat(2), count: fc.nat(4), states: fc.array(fc.record({ intid: fc.nat(70000), pending: fc.boolean(), active: fc.boolean() }), { maxLength: 5 }), ended: fc.nat(31) }),
    fc.record({ kind: fc.constant('sgi' as const), cpu: fc.nat(2), intid: fc.nat(40), list: fc.nat(0xffff) }),
    fc.record({ kind: fc.constant('msi' as const), device: fc.nat(70000), event: fc.nat(70000) }),
  );

  test.each([[3], [2]] as const)('GICv%d: whatever is written where, nothing throws, and registers hold what they can hold', (version) => {
    fc.assert(
      fc.property(fc.array(fc.oneof(access, access, other), { maxLength: 80 }), fc.uint8Array({ minLength: 4096, maxLength: 4096 }), (steps, noise) => {
        const b = bench(version, 3, version === 3 ? { itsBase: ITS_BASE } : {});
        b.memory.set(noise);
        for (const s of steps) {
          if ('kind' in s) {
            if (s.kind === 'line') b.line(s.irq, s.level);
            else if (s.kind === 'private') b.port(s.cpu).setPrivateLine(s.irq, s.level);
            else if (s.kind === 'msi') b.gic.signalMsi(s.device, s.event);
            else if (s.kind === 'sgi') b.port(s.cpu).sendSgi({ intid: s.intid, group: 1, targets: { affinity: 0n, range: 0, list: s.list } });
            else {
              const port = b.port(s.cpu);
              if (!port.useListRegisters()) continue;
              const { interrupts } = port.flush(s.count);
              expect(interrupts.length).toBeLessThanOrEqual(s.count);
              for (const i of interrupts) expect(i.pending || i.active).toBe(true);
              port.sync([...interrupts.map((i) => ({ ...i, pending: false })), ...s.states], s.ended);
              port.highestPending();
            }
            continue;
          }
          const device = b.device(s.device % b.gic.devices.length);
          b.cpu = s.cpu;
          const region = s.region % device.regions.length;
          // System registers are accessed whole.
          const width = device.regions[0]?.space === 'sysreg' ? 8 : s.width;
          if (s.write) device.write(s.offset, width, s.value & ((1n << BigInt(8 * width)) - 1n), region);
          else {
            const read = device.read(s.offset, width, region);
            expect(read >= 0n && read < 1n << BigInt(8 * width)).toBe(true);
          }
        }
        for (const cpu of [0, 1, 2]) expect([0, 1, 2, 3]).toContain(b.pins[cpu]);
      }),
      { numRuns: 350 },
    );
  });
});
