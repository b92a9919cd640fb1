import { expect, test } from 'vitest';
import { bench, type Bench } from './fixture.ts';

const Uart = { dr: 0, rsr: 4, fr: 0x18, ilpr: 0x20, ibrd: 0x24, fbrd: 0x28, lcrH: 0x2c, cr: 0x30, ifls: 0x34, imsc: 0x38, ris: 0x3c, mis: 0x40, icr: 0x44, dmacr: 0x48 } as const;
const RX = 0x10;
const TX = 0x20;
const RT = 0x40;
const text = (bytes: readonly number[]): string => String.fromCharCode(...bytes);
const idOf = (b: Bench): number[] => Array.from({ length: 8 }, (_, i) => b.read(0xfe0 + 4 * i));

/** A UART with FIFOs that sends and receives. */
function uart(): Bench {
  const u = bench({ model: 'pl011' });
  u.write(Uart.lcrH, 0x70);
  u.write(Uart.cr, 0x301);
  return u;
}

test.each([['pl011', [0x11, 0x10, 0x34, 0]], ['pl031', [0x31, 0x10, 0x04, 0]], ['pl061', [0x61, 0x10, 0x04, 0]]] as const)('%s says what it is', (model, id) => {
  const b = bench({ model });
  expect(idOf(b)).toEqual([...id, 0x0d, 0xf0, 0x05, 0xb1]);
  b.write(0xfe0, 0);
  expect(b.read(0xfe0, 1)).toBe(id[0]);
});

test('the UART has the values of the manual at reset, and keeps the bits that exist', () => {
  const u = bench({ model: 'pl011' });
  expect([Uart.rsr, Uart.fr, Uart.lcrH, Uart.cr, Uart.ifls, Uart.imsc, Uart.ris, Uart.dmacr].map((r) => u.read(r))).toEqual([0, 0x97, 0, 0x300, 0x12, 0, 0, 0]);
  for (const r of [Uart.ilpr, Uart.ibrd, Uart.fbrd, Uart.lcrH, Uart.ifls, Uart.imsc, Uart.dmacr]) u.write(r, 0xffff_ffff);
  expect([Uart.ilpr, Uart.ibrd, Uart.fbrd, Uart.lcrH, Uart.ifls, Uart.imsc, Uart.dmacr].map((r) => u.read(r))).toEqual([0xff, 0xffff, 0x3f, 0xff, 0x3f, 0x7ff, 7]);
  u.device.reset();
  expect([u.read(Uart.cr), u.read(Uart.imsc)]).toEqual([0x300, 0]);
});

test('the UART prints, and says when it has', () => {
  const u = uart();
  for (const c of 'hi\n') u.write(Uart.dr, c.charCodeAt(0), c === 'h' ? 1 : 4);
  expect(text(u.printed)).toBe('hi\n');
  expect([u.read(Uart.ris), u.read(Uart.mis), u.irq]).toEqual([TX, 0, false]);
  u.write(Uart.imsc, TX);
  expect([u.read(Uart.mis), u.irq]).toEqual([TX, true]);
  u.write(Uart.icr, TX);
  expect([u.read(Uart.ris), u.irq]).toEqual([0, false]);
});

test('the UART interrupts at the trigger level and for what is left, and loses nothing', () => {
  const u = uart();
  u.write(Uart.imsc, RX | RT);
  u.write(Uart.ifls, 2 << 3); // half: 8
  u.type('abc');
  expect([u.read(Uart.mis), u.irq]).toEqual([RT, true]);
  u.type('defghijklmnopqrstuvwxyz');
  expect(u.read(Uart.mis)).toBe(RX | RT);
  expect(u.read(Uart.fr) & 0x50).toBe(0x40); // full
  let got = '';
  while ((u.read(Uart.fr) & 0x10) === 0) got += String.fromCharCode(u.read(Uart.dr));
  expect(got).toBe('abcdefghijklmnopqrstuvwxyz');
  expect([u.read(Uart.ris), u.irq]).toEqual([0, false]);
});

test('without FIFOs one character is a level, and nothing comes in while it is off', () => {
  const u = bench({ model: 'pl011' });
  u.type('xy');
  expect(u.read(Uart.fr) & 0x10).toBe(0x10);
  u.write(Uart.cr, 0x301);
  expect([u.read(Uart.fr) & 0x50, u.read(Uart.ris)]).toEqual([0x40, RX | RT]);
  expect([u.read(Uart.dr), u.read(Uart.dr), u.read(Uart.dr)]).toEqual([0x78, 0x79, 0]);
});

test('looped back: characters, overrun, break and modem lines', () => {
  const u = uart();
  u.write(Uart.cr, 0x381);
  for (let i = 0; i < 17; i++) u.write(Uart.dr, i);
  expect(text(u.printed)).toBe('');
  expect([u.read(Uart.rsr), u.read(Uart.ris) & 0x400]).toEqual([8, 0x400]);
  u.write(Uart.rsr, 0);
  expect(Array.from({ length: 16 }, () => u.read(Uart.dr))).toEqual(Array.from({ length: 16 }, (_, i) => i));
  u.write(Uart.lcrH, 0x71);
  expect([u.read(Uart.ris) & 0x200, u.read(Uart.dr), u.read(Uart.rsr)]).toEqual([0x200, 0x400, 4]);
  u.write(Uart.icr, 0x7ff);
  u.write(Uart.cr, 0x381 | 0x800 | 0x2000); // RTS, OUT2
  expect([u.read(Uart.fr) & 0x107, u.read(Uart.ris) & 0xf]).toEqual([0x101, 3]);
});

test('the clock tells the time, can be set, and its alarm interrupts at the second', () => {
  const r = bench({ model: 'pl031' });
  expect([r.read(0), r.read(0x0c)]).toEqual([1_700_000_000, 1]);
  r.write(8, 1_800_000_000);
  expect([r.read(0), r.read(8)]).toEqual([1_800_000_000, 1_800_000_000]);
  r.write(0x10, 1);
  r.write(4, 1_800_000_003);
  const at = (ns: bigint): unknown[] => {
    r.time.now = ns;
    r.image.run(() => void r.time.api.expireTimers());
    return [r.read(0x14), r.read(0x18), r.irq];
  };
  expect(at(2_999_999_999n)).toEqual([0, 0, false]);
  expect(at(3_000_000_000n)).toEqual([1, 1, true]);
  expect(r.read(0)).toBe(1_800_000_003);
  r.write(0x1c, 1);
  expect([r.read(0x14), r.irq]).toEqual([0, false]);
  r.write(4, 1_800_000_003);
  expect(r.irq).toBe(true);
});

test('GPIO: masked data, and the power button as an edge and as a level', () => {
  const g = bench({ model: 'pl061' });
  g.write(0x400, 0xf0);
  g.write(0x3fc, 0xff);
  expect([g.read(0x3fc), g.read(0x030 << 2)]).toEqual([0xf0, 0x30]);
  g.write(0x010 << 2, 0);
  expect(g.read(0x3fc)).toBe(0xe0);
  g.write(0x40c, 8); // rising edges of line 3
  g.write(0x410, 8);
  g.pressPowerButton();
  expect([g.read(0x414), g.read(0x418), g.irq]).toEqual([8, 8, true]);
  g.write(0x41c, 8);
  expect([g.read(0x414), g.irq]).toEqual([0, false]);
  g.write(0x40c, 0); // low level
  g.write(0x404, 8);
  expect([g.read(0x414), g.irq]).toEqual([0xf & 8, true]);
  g.device.reset();
  expect([g.read(0x404), g.irq]).toEqual([0, false]);
});

test('flash: query, identification, erased, programmed, buffered, erased again', () => {
  const f = bench({ model: 'cfi-flash', size: 0x8_0000n });
  const both = (value: number): number => (value << 16) | value;
  f.write(0x55 * 4, both(0x98));
  expect([0x10, 0x11, 0x12].map((i) => f.read(4 * i))).toEqual([0x51, 0x52, 0x59].map(both));
  expect([f.read(4 * 0x27), f.read(4 * 0x2d), f.read(4 * 0x30)]).toEqual([18, 1, 2].map(both)); // 256 KiB a chip, two blocks of 128 KiB
  f.write(0, both(0x90));
  expect(f.read(0)).toBe(both(0x89));
  f.write(0, both(0xff));
  expect(f.read(0x100) >>> 0).toBe(0xffff_ffff);
  f.write(0x100, both(0x40));
  f.write(0x100, 0x1234_5678);
  expect(f.read(0)).toBe(both(0x80));
  f.write(0, both(0xff));
  f.write(0x100, both(0x10));
  f.write(0x100, 0x00ff_ffff);
  f.write(0, both(0xff));
  expect(f.read(0x100)).toBe(0x0034_5678);
  f.write(0x200, both(0xe8));
  f.write(0x200, both(1));
  f.write(0x200, 1);
  f.write(0x204, 2);
  f.write(0x200, both(0xd0));
  f.write(0, both(0xff));
  expect([f.read(0x200), f.read(0x204), f.read(0x102, 1)]).toEqual([1, 2, 0x34]);
  f.write(0x100, both(0x20));
  f.write(0x100, both(0x98));
  expect(f.read(0)).toBe(both(0xb0)); // no confirmation
  f.write(0, both(0x50));
  f.write(0x100, both(0x20));
  f.write(0x100, both(0xd0));
  expect(f.read(0)).toBe(both(0x80));
  f.write(0, both(0xff));
  expect([f.read(0x100) >>> 0, f.read(0x200) >>> 0]).toEqual([0xffff_ffff, 0xffff_ffff]);
  expect(() => bench({ model: 'cfi-flash', size: 3n })).toThrow('a cfi-flash has a power of two');
});
