import { deviceModels } from '@axvisor/axvisor_api/device';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bench } from './fixture.ts';

const text = (bytes: readonly number[]): string => String.fromCharCode(...bytes);

test('the UART prints, loops back, and reports an empty transmitter', () => {
  const u = bench({ model: 'ns16550a' }, 1);
  for (const c of 'hi\n') u.write(0, c.charCodeAt(0));
  expect(text(u.printed)).toBe('hi\n');
  expect(u.read(5)).toBe(0x60);
  u.write(4, 0x10);
  u.write(0, 0x5a);
  expect(u.read(5) & 1).toBe(1);
  expect(u.read(0)).toBe(0x5a);
  expect(text(u.printed)).toBe('hi\n');
});

test('the UART interrupts for input: trigger level, time-out, and nothing is lost when the FIFO is full', () => {
  const u = bench({ model: 'ns16550a' }, 1);
  u.write(2, 0x81); // FIFO on, trigger at 8
  u.write(1, 1);
  u.type('abc');
  expect(u.irq).toBe(true);
  expect(u.read(2)).toBe(0xcc);
  u.type('defghijklmnopqrstuvwxyz0123456789');
  expect(u.read(2)).toBe(0xc4);
  let got = '';
  while ((u.read(5) & 1) === 1) got += String.fromCharCode(u.read(0));
  expect(got).toBe('abcdefghijklmnopqrstuvwxyz0123456789');
  expect(u.irq).toBe(false);
  expect(u.read(2)).toBe(0xc1);
});

test('the UART interrupts for an empty transmitter, once for each cause', () => {
  const u = bench({ model: 'ns16550a' }, 1);
  u.write(1, 2);
  expect(u.irq).toBe(true);
  expect(u.read(2)).toBe(2);
  expect(u.irq).toBe(false);
  u.write(0, 0x41);
  expect(u.read(2)).toBe(2);
  expect(u.read(2)).toBe(1);
});

test('the divisor latch hides data and interrupt enable; scratch and line control keep what is written', () => {
  const u = bench({ model: 'ns16550a' }, 1);
  u.write(3, 0x83);
  u.write(0, 0x34);
  u.write(1, 0x12);
  expect([u.read(0), u.read(1)]).toEqual([0x34, 0x12]);
  u.write(3, 0x03);
  expect(u.read(1)).toBe(0);
  u.write(7, 0xa5);
  expect([u.read(3), u.read(7)]).toEqual([3, 0xa5]);
  expect(u.printed).toEqual([]);
});

test('a latched register has the value that a read gives, and a late write to a posted one makes no difference to it', () => {
  const u = bench({ model: 'ns16550a' }, 1);
  const latched = u.device.latched?.[0];
  expect(latched).toMatchObject({ offset: 5, width: 1 });
  fc.assert(
    fc.property(fc.array(fc.record({ offset: fc.nat(7), value: fc.nat(255), read: fc.boolean(), typed: fc.string({ maxLength: 2 }) }), { maxLength: 40 }), (accesses) => {
      for (const { offset, value, read, typed } of accesses) {
        u.type(typed);
        if (read) u.read(offset);
        else {
          const before = latched?.value();
          u.write(offset, value);
          if (before !== undefined && u.device.posted?.includes(offset) === true) expect(latched?.value()).toBe(before);
        }
        const now = latched?.value();
        if (now === undefined) continue;
        expect(u.read(5)).toBe(now);
        expect(latched?.value()).toBe(now);
      }
    }),
    { numRuns: 200 },
  );
});

test('the clock tells the time, can be set, and its alarm interrupts', () => {
  const r = bench({ model: 'goldfish-rtc' });
  const now = () => BigInt(r.read(0)) | (BigInt(r.read(4)) << 32n);
  expect(now()).toBe(1_700_000_000_000_000_000n);
  const wanted = 1_800_000_000_000_000_000n;
  r.write(4, Number(wanted >> 32n));
  r.write(0, Number(wanted & 0xffff_ffffn));
  expect(now()).toBe(wanted);
  const alarm = wanted + 5_000n;
  r.write(0x10, 1);
  r.write(0x0c, Number(alarm >> 32n));
  r.write(0x08, Number(alarm & 0xffff_ffffn));
  expect(r.read(0x18)).toBe(1);
  r.time.now = 4_999n;
  expect(r.image.run(() => r.time.api.expireTimers())).toBe(0);
  r.time.now = 5_000n;
  expect(r.image.run(() => r.time.api.expireTimers())).toBe(1);
  expect([r.irq, r.read(0x18)]).toEqual([true, 0]);
  r.write(0x1c, 0);
  expect(r.irq).toBe(false);
});

test('the test finisher powers off, reports failure, and resets', () => {
  const t = bench({ model: 'sifive-test' });
  t.write(0, 0x5555);
  t.write(0, 0x0007_3333);
  t.write(0, 0x7777);
  t.write(0, 0x1234);
  t.write(4, 0x5555);
  expect(t.power).toEqual([{ action: 'poweroff', code: 0 }, { action: 'poweroff', code: 7 }, { action: 'reset', code: 0 }]);
});

test('unknown models and options are named', () => {
  const { image } = bench({ model: 'ns16550a' });
  expect(image.run(() => deviceModels()).map((m) => m.model)).toContain('virtio-blk');
  expect(() => bench({ model: 'floppy' })).toThrow("there is no device model 'floppy'; there are ns16550a");
  expect(() => bench({ model: 'ns16550a', options: { baud: 9600 } })).toThrow("device model ns16550a has no option 'baud'");
  expect(() => bench({ model: 'virtio-blk' })).toThrow('needs a disk');
});
