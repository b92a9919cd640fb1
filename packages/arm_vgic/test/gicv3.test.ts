import fc from 'fast-check';
import { SYSREG } from '@axvisor/axvisor_api/arch/arm';
import { describe, expect, test } from 'vitest';
import { bench as benchAt, PLACES, enable3, open3, type Bench } from './support.ts';

describe.each(PLACES)('%s', (place) => {
  const bench = benchAt.bind(undefined, place);

  const { ICC_IAR0_EL1, ICC_IAR1_EL1, ICC_EOIR1_EL1, ICC_DIR_EL1, ICC_RPR_EL1, ICC_HPPIR1_EL1, ICC_PMR_EL1, ICC_CTLR_EL1, ICC_SRE_EL1, ICC_BPR1_EL1 } = SYSREG;
  const SPURIOUS = 1023;

  const ready = (cpus = 1, ids?: readonly bigint[]): Bench => {
    const b = bench(3, cpus, {}, ids);
    b.setGicd(0, 3);
    for (b.cpu = cpus - 1; b.cpu > 0; b.cpu--) open3(b);
    open3(b);
    return b;
  };

  test('what the registers say of the controller', () => {
    const b = bench(3, 3, { sources: 100, itsBase: 0x808_0000n }, [0n, 1n, 0x12_0034_5607n]);
    expect(b.gicd(0)).toBe(0x50);
    b.setGicd(0, 0xffff_ffff);
    expect(b.gicd(0)).toBe(0x53);
    // 160 interrupts, 16-bit INTIDs, LPIs, A3V, RSS.
    expect(b.gicd(4)).toBe(4 | (1 << 17) | (15 << 19) | (1 << 24) | (1 << 26));
    expect(b.gicd(8) & 0xfff).toBe(0x43b);
    expect(b.gicd(0xffe8)).toBe(0x3b);
    expect(b.gic.sources).toBe(159);
    expect([0, 1, 2].map((cpu) => [b.gicr(cpu, 8), b.gicr(cpu, 12)])).toEqual([[1, 0], [0x101, 1], [0x211, 0x1234_5607]]);
    expect(b.gicr(0, 0xffe8)).toBe(0x3b);
    expect(b.gicr(1, 0x14)).toBe(6);
    b.setGicr(1, 0x14, 0);
    expect([b.gicr(1, 0x14), b.gicr(0, 0x14)]).toEqual([0, 6]);
    expect(b.gicd(0x6000 + 8 * 31)).toBe(0);
    expect(b.icc(ICC_SRE_EL1)).toBe(7);
  });

  test('a level interrupt: routed by affinity, masked by priority, active, ended, pending again while the wire is high', () => {
    const b = ready(2, [0n, 0x100n]);
    enable3(b, 40, { cpu: 0x100 });
    b.line(40, true);
    expect(b.pins).toEqual([0, 1]);
    b.cpu = 1;
    b.setIcc(ICC_PMR_EL1, 0xa0);
    expect(b.pins).toEqual([0, 0]);
    b.setIcc(ICC_PMR_EL1, 0xa8);
    expect(b.pins).toEqual([0, 1]);
    expect(b.icc(ICC_HPPIR1_EL1)).toBe(40);
    expect(b.icc(ICC_IAR0_EL1)).toBe(SPURIOUS);
    expect(b.icc(ICC_IAR1_EL1)).toBe(40);
    expect(b.pins).toEqual([0, 0]);
    expect(b.icc(ICC_RPR_EL1)).toBe(0xa0);
    expect(b.gicd(0x304)).toBe(1 << 8);
    b.setIcc(ICC_EOIR1_EL1, 40);
    expect(b.pins).toEqual([0, 1]);
    expect(b.icc(ICC_RPR_EL1)).toBe(0xff);
    b.line(40, false);
    expect(b.pins).toEqual([0, 0]);
    expect(b.icc(ICC_IAR1_EL1)).toBe(SPURIOUS);
  });

  test('an edge is taken once, and again if it came while active', () => {
    const b = ready();
    enable3(b, 33, { edge: true });
    b.line(33, true);
    b.line(33, false);
    expect(b.gicd(0x204)).toBe(2);
    expect(b.icc(ICC_IAR1_EL1)).toBe(33);
    b.line(33, true);
    expect(b.pins).toEqual([0]);
    b.setIcc(ICC_EOIR1_EL1, 33);
    expect(b.icc(ICC_IAR1_EL1)).toBe(33);
    b.setIcc(ICC_EOIR1_EL1, 33);
    expect(b.icc(ICC_IAR1_EL1)).toBe(SPURIOUS);
  });

  test('urgency: lower priority values first, lower numbers among equals; only higher groups of priorities preempt', () => {
    const b = ready();
    for (const [intid, priority] of [[50, 0x80], [45, 0x80], [60, 0x40], [61, 0x48]] as const) enable3(b, intid, { priority });
    for (const intid of [50, 45]) b.line(intid, true);
    expect(b.icc(ICC_IAR1_EL1)).toBe(45);
    expect(b.icc(ICC_IAR1_EL1)).toBe(SPURIOUS);
    b.line(60, true);
    expect(b.icc(ICC_IAR1_EL1)).toBe(60);
    b.line(61, true);
    expect(b.pins).toEqual([0]);
    b.line(60, false);
    b.setIcc(ICC_EOIR1_EL1, 60);
    expect(b.pins).toEqual([1]);
    b.setIcc(ICC_BPR1_EL1, 7);
    // Binary point 7: only the top bit tells groups apart.
    expect(b.pins).toEqual([1]);
    b.line(61, false);
    b.line(45, false);
    b.setIcc(ICC_EOIR1_EL1, 45);
    expect(b.icc(ICC_IAR1_EL1)).toBe(50);
  });

  test('EOImode 1: the end drops the priority, DIR deactivates', () => {
    const b = ready();
    enable3(b, 40);
    b.setIcc(ICC_CTLR_EL1, 2);
    b.line(40, true);
    b.icc(ICC_IAR1_EL1);
    b.setIcc(ICC_EOIR1_EL1, 40);
    expect(b.icc(ICC_RPR_EL1)).toBe(0xff);
    expect(b.gicd(0x304)).toBe(1 << 8);
    expect(b.pins).toEqual([0]);
    b.setIcc(ICC_DIR_EL1, 40);
    expect(b.pins).toEqual([1]);
  });

  test('group 0 is FIQ, disabled groups and interrupts are silent', () => {
    const b = ready();
    enable3(b, 40, { group: 0 });
    b.line(40, true);
    expect(b.pins).toEqual([2]);
    b.setGicd(0, 2);
    expect(b.pins).toEqual([0]);
    b.setGicd(0, 3);
    b.setGicd(0x184, 1 << 8);
    expect(b.pins).toEqual([0]);
    b.setGicd(0x104, 1 << 8);
    expect(b.icc(ICC_IAR0_EL1)).toBe(40);
  });

  test('private interrupts and SGIs: list, range, broadcast, group', () => {
    const ids = [0n, 1n, 0x11n, 0x100n];
    const b = ready(4, ids);
    for (let cpu = 0; cpu < 4; cpu++) {
      b.setGicr(cpu, 0x1_0080, 0xffff_ffff);
      b.setGicr(cpu, 0x1_0100, 0xffff_ffff);
    }
    b.port(0).sendSgi({ intid: 3, group: 1, targets: { affinity: 0n, range: 0, list: 0b10 } });
    expect(b.pins).toEqual([0, 1, 0, 0]);
    b.port(0).sendSgi({ intid: 3, group: 1, targets: { affinity: 0n, range: 1, list: 0b10 } });
    expect(b.pins).toEqual([0, 1, 1, 0]);
    b.port(0).sendSgi({ intid: 4, group: 1, targets: { affinity: 0x100n, range: 0, list: 0b11 } });
    expect(b.pins).toEqual([0, 1, 1, 1]);
    b.port(1).sendSgi({ intid: 5, group: 0, targets: 'others' });
    expect(b.gicr(0, 0x1_0200)).toBe(0);
    b.port(1).sendSgi({ intid: 5, group: 1, targets: 'others' });
    expect([0, 1, 2, 3].map((cpu) => b.gicr(cpu, 0x1_0200))).toEqual([0x20, 0x8, 0x28, 0x30]);
    b.port(2).setPrivateLine(27, true);
    expect(b.gicr(2, 0x1_0200)).toBe(0x0800_0028);
    b.port(2).setPrivateLine(27, false);
    expect(b.gicr(2, 0x1_0200)).toBe(0x28);
    b.port(2).setPrivateLine(40, true);
    expect(() => b.port(0).setPending(5000, true)).toThrow('no interrupt 5000');
    expect(() => b.port(4)).toThrow('number 4');
    expect(() => b.gic.line(31)).toThrow('wires');
  });

  test('SPIs of any CPU go to one that is there; those of nobody wait', () => {
    const b = ready(2);
    enable3(b, 40, { cpu: 9 });
    b.line(40, true);
    expect(b.pins).toEqual([0, 0]);
    b.device(0).write(0x6000 + 8 * 40, 8, 1n << 31n, 0);
    expect(b.pins).toEqual([1, 0]);
    b.device(0).write(0x6000 + 8 * 40, 4, 1n, 0);
    expect(b.pins).toEqual([0, 1]);
    expect(b.device(0).read(0x6000 + 8 * 40, 8, 0)).toBe(1n);
  });

  test('what comes while a list register has it, or is more urgent than what a waiting CPU knows of, is told at once', () => {
    const b = ready(2);
    const port = b.port(1);
    port.useListRegisters();
    b.setGicr(1, 0x1_0080, 0xffff_ffff);
    b.setGicr(1, 0x1_0100, 0xffff_ffff);
    const sgi = (): void => b.port(0).sendSgi({ intid: 3, group: 1, targets: { affinity: 0n, range: 0, list: 0b10 } });
    const toldBy = (work: () => void): boolean => {
      const before = b.signals[1] as number;
      work();
      return (b.signals[1] as number) > before;
    };
    expect(toldBy(sgi)).toBe(true);
    expect(port.flush(4).interrupts).toHaveLength(1);
    expect(b.pins).toEqual([0, 0]);
    expect(toldBy(sgi)).toBe(true);
    expect([port.changed, b.pins[1]]).toEqual([true, 1]);
    port.sync([{ intid: 3, pending: false, active: true }], 0);
    expect(port.flush(4).interrupts).toMatchObject([{ intid: 3, pending: true, active: true }]);
    port.sync([{ intid: 3, pending: false, active: false }], 0);
    // A level that was up when the register took it is looked at when that ends; one that was not, is told.
    enable3(b, 40, { cpu: 1, priority: 0x80 });
    b.setGicd(0x204, 1 << 8);
    expect(port.flush(4).interrupts).toMatchObject([{ intid: 40, notifyEnd: false }]);
    expect(toldBy(() => b.line(40, true))).toBe(true);
    port.sync([{ intid: 40, pending: true, active: false }], 0);
    expect(port.flush(4).interrupts).toMatchObject([{ intid: 40, notifyEnd: true }]);
    expect(toldBy(() => (b.line(40, false), b.line(40, true)))).toBe(false);
    port.sync([{ intid: 40, pending: true, active: false }], 0);
    // The CPU waits because its mask is 0x80, say.
    enable3(b, 41, { cpu: 1, priority: 0x40 });
    expect(b.pins[1]).toBe(1);
    expect(toldBy(() => b.line(41, true))).toBe(true);
    expect(toldBy(sgi)).toBe(true);
  });

  test('list registers: active first, then by urgency; what comes back decides', () => {
    const b = ready();
    const port = b.port(0);
    expect(port.useListRegisters()).toBe(true);
    for (const [intid, priority] of [[40, 0x80], [41, 0x40], [42, 0x60]] as const) enable3(b, intid, { priority, edge: intid === 42 });
    for (const intid of [40, 41, 42]) b.line(intid, true);
    expect(b.pins).toEqual([1]);
    expect(port.changed).toBe(true);
    const { interrupts, more } = port.flush(2);
    expect(more).toBe(true);
    expect(interrupts.map(({ intid, pending, active, notifyEnd }) => [intid, pending, active, notifyEnd])).toEqual([[41, true, false, true], [42, true, false, false]]);
    expect(port.changed).toBe(false);
    // 40 waits, so the pin stays; the ones in the registers show as pending where they were latched.
    expect(b.pins).toEqual([1]);
    expect(b.gicd(0x204)).toBe(0x700);
    port.sync([{ intid: 41, pending: false, active: true }, { intid: 42, pending: false, active: false }], 0);
    expect(b.gicd(0x304)).toBe(1 << 9);
    const next = port.flush(4);
    expect(next.interrupts.map(({ intid, pending, active }) => [intid, pending, active])).toEqual([[41, false, true], [40, true, false]]);
    expect(next.more).toBe(false);
    expect(b.pins).toEqual([0]);
    port.sync([{ intid: 41, pending: false, active: false }, { intid: 40, pending: true, active: false }], 0);
    expect(port.highestPending()).toMatchObject({ priority: 0x40, group: 1 });
    b.line(41, false);
    b.line(40, false);
    expect(port.highestPending()).toBeUndefined();
    // An active one that found no register and was ended all the same.
    b.setGicd(0x304, 1 << 8);
    port.sync([], 1);
    expect(b.gicd(0x304)).toBe(0);
  });

  test('reset leaves wires as they are and everything else as after power-on', () => {
    const b = ready();
    enable3(b, 40);
    b.line(40, true);
    expect(b.pins).toEqual([1]);
    b.gic.devices[0]!.reset();
    expect(b.pins).toEqual([0]);
    expect([b.gicd(0x104), b.gicd(0x204), b.gicd(0)]).toEqual([0, 1 << 8, 0x50]);
  });

  test('options that make no controller', () => {
    expect(() => bench(3, 0)).toThrow('1 to 512');
    expect(() => bench(2, 9)).toThrow('1 to 8');
    expect(() => bench(3, 1, { sources: 0 })).toThrow('1 to 988');
    expect(() => bench(3, 2, {}, [0n])).toThrow('1 affinities');
    expect(() => bench(2, 1, { itsBase: 0n })).toThrow('ITS');
  });

  /** Delivery by definition: enabled, pending, not active, of an enabled group, for this CPU, more urgent than the mask and than what is active. */
  test('delivery agrees with a naive model', () => {
    const SPIS = [32, 33, 63, 64, 95];
    const op = fc.oneof(
      fc.record({ op: fc.constant('line' as const), n: fc.nat(4), on: fc.boolean() }),
      fc.record({ op: fc.constant('enable' as const), n: fc.nat(4), on: fc.boolean() }),
      fc.record({ op: fc.constant('priority' as const), n: fc.nat(4), value: fc.nat(255) }),
      fc.record({ op: fc.constant('route' as const), n: fc.nat(4), cpu: fc.nat(2) }),
      fc.record({ op: fc.constant('edge' as const), n: fc.nat(4), on: fc.boolean() }),
      fc.record({ op: fc.constant('mask' as const), cpu: fc.nat(1), value: fc.nat(255) }),
      fc.record({ op: fc.constant('take' as const), cpu: fc.nat(1) }),
      fc.record({ op: fc.constant('end' as const), cpu: fc.nat(1) }),
    );
    fc.assert(
      fc.property(fc.array(op, { maxLength: 80 }), (ops) => {
        const b = ready(2);
        const model = SPIS.map((intid) => ({ intid, line: false, latch: false, enabled: false, priority: 0, cpu: 0, edge: false, active: false }));
        for (const intid of SPIS) b.setGicd(0x80 + 4 * (intid >> 5), 0xffff_ffff);
        const masks = [0xf8, 0xf8];
        const stacks: number[][] = [[], []];
        const best = (cpu: number): (typeof model)[number] | undefined => {
          const running = Math.min(256, ...(stacks[cpu] as number[]).map((intid) => levels.get(intid) as number));
          return model
            .filter((m) => m.enabled && !m.active && m.cpu === cpu && (m.latch || (!m.edge && m.line)))
            .sort((x, y) => x.priority - y.priority || x.intid - y.intid)
            .slice(0, 1)
            .find((m) => m.priority < (masks[cpu] as number) && m.priority < running);
        };
        const levels = new Map<number, number>();
        for (const o of ops) {
          const m = 'n' in o ? (model[o.n] as (typeof model)[number]) : undefined;
          if (m !== undefined) {
            const word = 4 * (m.intid >> 5);
            const bit = 1 << (m.intid & 31);
            if (o.op === 'line') {
              if (o.on && !m.line && m.edge) m.latch = true;
              m.line = o.on;
              b.line(m.intid, o.on);
            } else if (o.op === 'enable') {
              m.enabled = o.on;
              b.setGicd((o.on ? 0x100 : 0x180) + word, bit);
            } else if (o.op === 'priority') {
              m.priority = o.value & 0xf8;
              b.setGicd(0x400 + m.intid, o.value, 1);
            } else if (o.op === 'route') {
              m.cpu = o.cpu;
              b.device(0).write(0x6000 + 8 * m.intid, 8, BigInt(o.cpu), 0);
            } else if (o.op === 'edge') {
              m.edge = o.on;
              const config = 0xc00 + 4 * (m.intid >> 4);
              const shift = 2 * (m.intid & 15) + 1;
              b.setGicd(config, (b.gicd(config) & ~(1 << shift)) | ((o.on ? 1 : 0) << shift));
            }
          } else if (o.op === 'mask') {
            masks[o.cpu] = o.value & 0xf8;
            b.cpu = o.cpu;
            b.setIcc(ICC_PMR_EL1, o.value);
          } else if (o.op === 'take') {
            b.cpu = o.cpu;
            const expected = best(o.cpu);
            expect(b.icc(ICC_IAR1_EL1)).toBe(expected?.intid ?? SPURIOUS);
            if (expected !== undefined) {
              expected.active = true;
              expected.latch = false;
              levels.set(expected.intid, expected.priority);
              stacks[o.cpu]?.push(expected.intid);
            }
          } else if (o.op === 'end') {
            const intid = stacks[o.cpu]?.pop();
            if (intid === undefined) continue;
            b.cpu = o.cpu;
            b.setIcc(ICC_EOIR1_EL1, intid);
            const ended = model.find((x) => x.intid === intid);
            if (ended !== undefined) ended.active = false;
          }
          expect(b.pins).toEqual([0, 1].map((cpu) => (best(cpu) === undefined ? 0 : 1)));
        }
      }),
      { numRuns: 400 },
    );
  });

  /** A guest with few list registers, by definition: what it takes and ends, in the order of urgency, with edges merged and levels looked at again. */
  test('list registers lose and invent nothing, by a naive model', () => {
    const INTIDS = [20, 27, 40, 41, 70];
    const isEdge = (intid: number): boolean => intid === 41 || intid === 70;
    const op = fc.oneof(
      fc.record({ op: fc.constant('line' as const), n: fc.nat(4), on: fc.boolean() }),
      fc.record({ op: fc.constant('run' as const), count: fc.integer({ min: 1, max: 4 }), takes: fc.nat(3), ends: fc.nat(3), during: fc.option(fc.tuple(fc.nat(4), fc.boolean())) }),
    );
    fc.assert(
      fc.property(fc.array(op, { maxLength: 60 }), (ops) => {
        const b = ready();
        const port = b.port(0);
        port.useListRegisters();
        b.setGicr(0, 0x1_0080, 0xffff_ffff);
        b.setGicr(0, 0x1_0100, 0xffff_ffff);
        for (const intid of INTIDS.filter((i) => i >= 32)) enable3(b, intid, { edge: isEdge(intid), priority: 0 });
        const lines = new Set<number>();
        const latched = new Set<number>();
        const active = new Set<number>();
        const wire = (intid: number, on: boolean): void => {
          if (isEdge(intid) && on && !lines.has(intid)) latched.add(intid);
          if (on) lines.add(intid);
          else lines.delete(intid);
          if (intid < 32) port.setPrivateLine(intid, on);
          else b.line(intid, on);
        };
        const pending = (intid: number): boolean => (isEdge(intid) ? latched.has(intid) : lines.has(intid));
        for (const o of ops) {
          if (o.op === 'line') {
            wire(INTIDS[o.n] as number, o.on);
            continue;
          }
          const { interrupts, more } = port.flush(o.count);
          const wanted = [...INTIDS.filter((i) => active.has(i)), ...INTIDS.filter((i) => !active.has(i) && pending(i))];
          expect(interrupts.map((i) => i.intid)).toEqual(wanted.slice(0, o.count));
          expect(more).toBe(wanted.length > o.count);
          const registers = interrupts.map(({ intid, pending: p, active: a }) => ({ intid, pending: p, active: a }));
          for (const r of registers) expect([r.intid, r.pending]).toEqual([r.intid, active.has(r.intid) ? latched.has(r.intid) : true]);
          for (const r of registers.filter((x) => x.pending && !x.active).slice(0, o.takes)) {
            r.pending = false;
            r.active = true;
            active.add(r.intid);
            latched.delete(r.intid);
          }
          if (o.during !== null) wire(INTIDS[o.during[0]] as number, o.during[1]);
          for (const r of registers.filter((x) => x.active).slice(0, o.ends)) {
            r.active = false;
            active.delete(r.intid);
          }
          port.sync(registers, 0);
          expect(b.pins).toEqual([INTIDS.some((i) => pending(i) && !active.has(i)) ? 1 : 0]);
        }
      }),
      { numRuns: 400 },
    );
  });
});
