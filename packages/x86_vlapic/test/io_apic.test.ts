/** The I/O APIC (82093AA data sheet), its way to the local APICs, and message-signalled interrupts. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { haveQemu, qtest } from './qtest.ts';
import { Bench } from './support.ts';

const EOI = 0xb0;

test('registers: version 0x20 with 24 pins, masked at power-on; reserved and read-only bits', () => {
  const b = new Bench();
  expect([b.io(0), b.io(1), b.io(2), b.io(0x10), b.io(0x3e), b.io(0x40), b.io(0xff)]).toEqual([0, 0x0017_0020, 0, 0x1_0000, 0x1_0000, 0, 0]);
  b.setIo(0, 0xffff_ffff);
  b.setIo(0x12, 0xffff_ffff);
  b.setIo(0x13, 0xffff_ffff);
  expect([b.io(0), b.io(2), b.io(0x12) >>> 0, b.io(0x13) >>> 0]).toEqual([0x0f00_0000, 0x0f00_0000, 0x1_afff, 0xff00_0000]);
});

test('edge: one message for each edge; one on a masked pin is lost', () => {
  const b = new Bench().enable();
  b.redirect(5, 0x1_0045, 0);
  const line = b.line(5);
  line(true);
  b.setIo(0x1a, 0x45);
  expect(b.pending()).toBe(undefined);
  line(false);
  line(true);
  expect([b.take(), b.pending()]).toEqual([0x45, undefined]);
  b.set(EOI, 0);
  line(true);
  expect(b.pending()).toBe(undefined);
});

test('level: remote IRR until EOI, again while the wire is asserted; unmasking shows it', () => {
  const b = new Bench().enable();
  b.redirect(17, 0x1_8051, 0);
  const line = b.line(17);
  line(true);
  expect(b.pending()).toBe(undefined);
  b.setIo(0x32, 0x8051);
  expect([b.io(0x32), b.take(), b.pending()]).toEqual([0xc051, 0x51, undefined]);
  b.set(EOI, 0);
  expect([b.io(0x32), b.take()]).toEqual([0xc051, 0x51]);
  line(false);
  b.set(EOI, 0);
  expect([b.io(0x32), b.pending()]).toEqual([0x8051, undefined]);
});

test('several devices on one wire', () => {
  const b = new Bench().enable();
  b.redirect(18, 0x8052, 0);
  const [a, c] = [b.line(18), b.line(18)];
  a(true);
  c(true);
  b.take();
  a(false);
  b.set(EOI, 0);
  expect(b.take()).toBe(0x52);
  c(false);
  c(false);
  b.set(EOI, 0);
  expect(b.pending()).toBe(undefined);
});

test('directed EOI: with broadcasts suppressed the EOI register ends it', () => {
  const b = new Bench().enable();
  b.set(0xf0, 0x11ff);
  b.redirect(17, 0x8051, 0);
  const line = b.line(17);
  line(true);
  b.take();
  b.set(EOI, 0);
  expect([b.io(0x32), b.pending()]).toEqual([0xc051, undefined]);
  const d = b.device('io-apic');
  b.run(() => d.write(0x40, 4, 0x51n, 0));
  expect(b.take()).toBe(0x51);
});

test('switching to edge clears remote IRR', () => {
  const b = new Bench().enable();
  b.redirect(17, 0x8051, 0);
  b.line(17)(true);
  b.setIo(0x32, 0x1_0051);
  b.setIo(0x32, 0x1_8051);
  expect(b.io(0x32)).toBe(0x1_8051);
});

test('if nobody takes it, a level-triggered pin is not in service', () => {
  const b = new Bench();
  b.redirect(17, 0x8051, 0);
  b.line(17)(true);
  expect(b.io(0x32)).toBe(0x8051);
});

test('the timer is pin 2, the 8259 pin 0 and LINT0', () => {
  const b = new Bench(1, { firmwareState: true }).enable();
  b.redirect(2, 0x30, 0);
  b.outb(0x43, 0x30);
  b.outb(0x40, 0, 1);
  b.advance(1_000_000n);
  expect(b.take()).toBe(0x30);
  b.set(EOI, 0);
  b.outb(0x20, 0x11);
  b.outb(0x21, 0x08, 4, 1, 0xef);
  b.set(0x350, 0x1_0000);
  b.redirect(0, 0x700, 0);
  b.line(4)(true);
  expect([b.pending(), b.take(), b.pending()]).toEqual([0x0c, 0x0c, undefined]);
});

test('PCI interrupts are 10 and 11 at the 8259, level-triggered as firmware leaves it', () => {
  const b = new Bench(1, { firmwareState: true });
  b.outb(0x20, 0x11);
  b.outb(0x21, 0x08, 4, 1, 0);
  b.outb(0xa0, 0x11);
  b.outb(0xa1, 0x70, 2, 1, 0);
  const [a, c] = [b.line(17), b.line(19)];
  a(true);
  c(true);
  expect(b.take()).toBe(0x73);
  a(false);
  b.outb(0xa0, 0x20);
  b.outb(0x20, 0x20);
  expect(b.take()).toBe(0x73);
  c(false);
  b.outb(0xa0, 0x20);
  b.outb(0x20, 0x20);
  expect(b.pending()).toBe(undefined);
});

describe('MSI (SDM volume 3, 11.11)', () => {
  test.each([
    ['physical', 0xfee0_1000n, 0x0055, [false, true]],
    ['logical with redirection hint', 0xfee0_300cn, 0x0055, [true, true]],
    ['logical without it, as Linux does', 0xfee0_1004n, 0x0055, [true, false]],
    ['another address', 0xfed0_1000n, 0x0055, [false, false]],
    ['no such APIC', 0xfee7_7000n, 0x0055, [false, false]],
    ['reserved delivery mode', 0xfee0_1000n, 0x0355, [false, false]],
  ])('%s', (_name, address, data, expected) => {
    const b = new Bench(2).enable(2);
    for (const cpu of [0, 1]) b.set(0xd0, (1 << cpu) << 24, cpu);
    b.run(() => b.controller.writeMsi(address, data));
    expect([0, 1].map((cpu) => b.pending(cpu) === 0x55)).toEqual(expected);
  });

  test('the page on the bus: registers of the CPU that accesses it, messages where it is closed', () => {
    const b = new Bench(2).enable(2);
    const page = b.device('local-apic');
    b.cpu = 1;
    expect(b.run(() => page.read(0x20, 4, 0))).toBe(0x0100_0000n);
    b.setMsr(0x1b, 0xfee0_0c00n, 1);
    expect(b.run(() => page.read(0x20, 4, 0))).toBe(0xffff_ffffn);
    b.run(() => page.write(0, 4, 0x44n, 0));
    expect(b.pending(0)).toBe(0x44);
  });
});

describe.runIf(haveQemu)('as QEMU', () => {
  test('redirection entries keep what is written', async () => {
    const op = fc.record({ register: fc.integer({ min: 0x10, max: 0x41 }), value: fc.nat(0xffff_ffff).map((v) => v | 0x1_0000) });
    const b = new Bench();
    const commands: string[] = [];
    const ours: number[] = [];
    const registers: number[] = [];
    for (const { register, value } of fc.sample(op, { numRuns: 500, seed: 82093 })) {
      b.setIo(register, value);
      ours.push(b.io(register) >>> 0);
      registers.push(register);
      commands.push(`writel 0xfec00000 ${register}`, `writel 0xfec00010 ${value >>> 0}`, 'readl 0xfec00010');
    }
    const theirs = await qtest(commands, 'q35');
    // Reserved bits are kept there.
    expect(ours).toEqual(theirs.map((t, i) => Number(t & (registers[i]! % 2 === 1 ? 0xff00_0000n : 0x1_ffffn))));
  });
});
