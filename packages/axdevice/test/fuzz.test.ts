import type { AccessWidth } from '@axvisor/axvisor_api/device';
import { deviceModels } from '@axvisor/axvisor_api/device';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bench } from './fixture.ts';

/** Those in memory; what is at ports is in pc.test.ts and pci.test.ts. */
const models = bench({ model: 'pl011' }).image.run(() => deviceModels()).filter((m) => m.size >= 0x100n);
const BLOCK = { sectors: 8, readOnly: false, read: () => {}, write: () => {}, flush: () => {}, close: () => {} };

/** Registers are at multiples of 4, and most interesting values are small or all ones. */
const access = (size: bigint) =>
  fc.record({
    offset: fc.oneof(fc.nat(Math.min(Number(size), 0x1000) / 4 - 2).map((n) => 4 * n), fc.nat(Number(size) - 8)),
    width: fc.constantFrom<AccessWidth>(1, 2, 4, 8),
    value: fc.oneof(fc.bigInt(0n, 0xffn), fc.constant(0xffff_ffff_ffff_ffffn), fc.bigInt(0n, 0xffff_ffff_ffff_ffffn)),
    isWrite: fc.boolean(),
    typed: fc.oneof({ weight: 9, arbitrary: fc.constant('') }, { weight: 1, arbitrary: fc.string({ maxLength: 40 }) }),
  });

test.each(models.map((m) => [m.model, m.size] as const))('%s: whatever a guest reads and writes where, nothing throws and values fit', (model, size) => {
  fc.assert(
    fc.property(fc.array(access(size), { maxLength: 150 }), (accesses) => {
      const b = bench({ model, ...(model === 'virtio-blk' ? { block: BLOCK } : {}) });
      for (const { offset, width, value, isWrite, typed } of accesses) {
        if (typed !== '') b.type(typed);
        if (isWrite) b.image.run(() => void b.device.write(offset, width, BigInt.asUintN(8 * width, value), 0));
        else {
          const got = b.image.run(() => b.device.read(offset, width, 0));
          expect(got >= 0n && got < 1n << 64n).toBe(true);
        }
        b.settle();
        b.time.now += 1000n;
        b.image.run(() => void b.time.api.expireTimers());
      }
      b.image.run(() => void b.device.reset());
      expect(b.irq).toBe(false);
    }),
    { numRuns: 60 },
  );
});
