import { describe, expect, test } from 'vitest';
import { bench as benchAt, PLACES, type Bench } from './support.ts';

describe.each(PLACES)('%s', (place) => {
  const bench = benchAt.bind(undefined, place);

  const GICC = { CTLR: 0, PMR: 4, BPR: 8, IAR: 0xc, EOIR: 0x10, RPR: 0x14, HPPIR: 0x18, ABPR: 0x1c, AIAR: 0x20, AEOIR: 0x24, AHPPIR: 0x28, IIDR: 0xfc, DIR: 0x1000 };
  const SPURIOUS = 1023;

  /** Set up as Linux does: everything in group 0, signalled as IRQ. */
  const ready = (cpus = 1): Bench => {
    const b = bench(2, cpus);
    b.setGicd(0, 1);
    for (b.cpu = cpus - 1; b.cpu >= 0; b.cpu--) {
      b.setGicc(GICC.PMR, 0xf0);
      b.setGicc(GICC.CTLR, 1);
      if (b.cpu === 0) break;
    }
    return b;
  };

  const enable = (b: Bench, intid: number, targets = 1, priority = 0xa0): void => {
    b.setGicd(0x400 + intid, priority, 1);
    b.setGicd(0x800 + intid, targets, 1);
    b.setGicd(0x100 + 4 * (intid >> 5), 1 << (intid & 31));
  };

  test('what the registers say of the controller', () => {
    const b = bench(2, 4, { sources: 100 });
    expect(b.gicd(4)).toBe(4 | (3 << 5));
    expect(b.gicd(0xfe8)).toBe(0x2b);
    expect(b.gicc(GICC.IIDR)).toBe(0x2_043b);
    expect(b.gicc(GICC.BPR)).toBe(2);
    for (b.cpu = 0; b.cpu < 4; b.cpu++) expect(b.gicd(0x800)).toBe(0x0101_0101 << b.cpu);
    b.cpu = 0;
    b.setGicd(0xc00, 0);
    expect(b.gicd(0xc00)).toBe(0xaaaa_aaaa);
  });

  test('a level interrupt from wire to end', () => {
    const b = ready(2);
    enable(b, 40, 0b10);
    b.line(40, true);
    expect(b.pins).toEqual([0, 1]);
    expect(b.gicc(GICC.IAR)).toBe(SPURIOUS);
    b.cpu = 1;
    expect(b.gicc(GICC.HPPIR)).toBe(40);
    expect(b.gicc(GICC.IAR)).toBe(40);
    expect(b.gicc(GICC.RPR)).toBe(0xa0);
    expect(b.pins).toEqual([0, 0]);
    b.line(40, false);
    b.setGicc(GICC.EOIR, 40);
    expect(b.pins).toEqual([0, 0]);
    expect(b.gicc(GICC.RPR)).toBe(0xff);
  });

  test('SGIs know their sender; two senders are two interrupts', () => {
    const b = ready(3);
    for (b.cpu = 2; b.cpu > 0; b.cpu--) b.setGicd(0x100, 0xffff);
    b.setGicd(0x100, 0xffff);
    b.cpu = 1;
    b.setGicd(0xf00, (1 << 16) | 5);
    b.cpu = 2;
    b.setGicd(0xf00, (1 << 24) | 5);
    expect(b.pins).toEqual([1, 1, 0]);
    b.cpu = 0;
    expect([b.gicd(0xf10 + 5, 1), b.gicd(0xf20 + 5, 1)]).toEqual([0b110, 0b110]);
    expect(b.gicd(0x200)).toBe(1 << 5);
    expect(b.gicc(GICC.IAR)).toBe(5 | (1 << 10));
    b.setGicc(GICC.EOIR, 5 | (1 << 10));
    expect(b.gicc(GICC.IAR)).toBe(5 | (2 << 10));
    b.setGicc(GICC.EOIR, 5 | (2 << 10));
    expect(b.gicc(GICC.IAR)).toBe(SPURIOUS);
    b.setGicd(0xf00, (2 << 24) | 6);
    expect(b.gicc(GICC.IAR)).toBe(6);
    b.setGicd(0xf20 + 7, 0b100, 1);
    expect(b.pins[0]).toBe(0);
    b.setGicc(GICC.EOIR, 6);
    expect(b.pins[0]).toBe(1);
    b.setGicd(0xf10 + 7, 0xff, 1);
    expect(b.pins[0]).toBe(0);
    // The pending registers do not touch SGIs.
    b.setGicd(0x200, 0xffff);
    expect(b.gicd(0x200)).toBe(0);
  });

  test('banked registers are those of the CPU that accesses them', () => {
    const b = ready(2);
    b.setGicd(0x100, 1 << 27);
    expect(b.gicd(0x100)).toBe(1 << 27);
    b.cpu = 1;
    expect(b.gicd(0x100)).toBe(0);
    expect(b.port(0).useListRegisters()).toBe(false);
    b.port(1).setPrivateLine(27, true);
    expect(b.pins).toEqual([0, 0]);
    b.port(0).setPrivateLine(27, true);
    expect(b.pins).toEqual([1, 0]);
  });

  test('groups: FIQEn makes group 0 a FIQ, AckCtl lets the first register acknowledge group 1', () => {
    const b = ready();
    enable(b, 40);
    enable(b, 41, 1, 0xb0);
    b.setGicd(0x84, 1 << 9);
    b.setGicd(0, 3);
    b.setGicc(GICC.CTLR, 3 | 8);
    b.line(40, true);
    expect(b.pins).toEqual([2]);
    b.line(41, true);
    b.line(40, false);
    expect(b.pins).toEqual([1]);
    expect([b.gicc(GICC.HPPIR), b.gicc(GICC.IAR), b.gicc(GICC.AHPPIR)]).toEqual([1022, 1022, 41]);
    b.setGicc(GICC.CTLR, 3 | 4);
    expect(b.gicc(GICC.IAR)).toBe(41);
    b.setGicc(GICC.EOIR, 41);
    expect(b.gicc(GICC.RPR)).toBe(0xff);
    b.setGicc(GICC.CTLR, 3);
    expect(b.gicc(GICC.AIAR)).toBe(41);
    b.line(41, false);
    b.setGicc(GICC.AEOIR, 41);
    expect(b.gicc(GICC.AIAR)).toBe(SPURIOUS);
  });

  test('EOImode splits the end', () => {
    const b = ready();
    enable(b, 40);
    b.setGicc(GICC.CTLR, 0x201);
    b.line(40, true);
    b.gicc(GICC.IAR);
    b.setGicc(GICC.EOIR, 40);
    expect([b.gicc(GICC.RPR), b.pins[0]]).toEqual([0xff, 0]);
    b.setGicc(GICC.DIR, 40);
    expect(b.pins[0]).toBe(1);
  });
});
