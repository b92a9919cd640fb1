import { SYSREG } from '@axvisor/axvisor_api/arch/arm';
import { describe, expect, test } from 'vitest';
import { bench as benchAt, PLACES, ITS_BASE, open3, RAM, type Bench } from './support.ts';

describe.each(PLACES)('%s', (place) => {
  const bench = benchAt.bind(undefined, place);

  const QUEUE = RAM;
  const DEVICES = RAM + 0x1_0000n;
  const COLLECTIONS = RAM + 0x2_0000n;
  const ITT = RAM + 0x3_0000n;
  const CONFIG = RAM + 0x4_0000n;
  const PENDING = (cpu: number): bigint => RAM + 0x6_0000n + 0x1_0000n * BigInt(cpu);
  const VALID = 1n << 63n;

  interface ItsBench extends Bench {
    readonly its: (offset: number) => bigint;
    readonly setIts: (offset: number, value: bigint, width?: 4 | 8) => void;
    readonly command: (...words: bigint[]) => void;
    readonly configure: (lpi: number, byte: number) => void;
    readonly take: (cpu: number) => number;
  }

  const make = (cpus = 2): ItsBench => {
    const b = bench(3, cpus, { itsBase: ITS_BASE });
    const its = (offset: number): bigint => b.device(3).read(offset, 8, 0);
    const setIts = (offset: number, value: bigint, width: 4 | 8 = 8): void => b.device(3).write(offset, width, value, 0);
    let writer = 0n;
    const command = (...words: bigint[]): void => {
      words.forEach((word, i) => new DataView(b.memory.buffer).setBigUint64(Number(QUEUE - RAM + writer) + 8 * i, word, true));
      writer = (writer + 32n) % 0x1000n;
      setIts(0x88, writer);
      expect(its(0x90)).toBe(writer);
    };
    return Object.assign(b, {
      its, setIts, command,
      configure: (lpi: number, byte: number) => void (b.memory[Number(CONFIG - RAM) + lpi - 8192] = byte),
      take: (cpu: number) => {
        b.cpu = cpu;
        const intid = b.icc(SYSREG.ICC_IAR1_EL1);
        b.setIcc(SYSREG.ICC_EOIR1_EL1, intid);
        return intid;
      },
    });
  };

  const started = (cpus = 2): ItsBench => {
    const b = make(cpus);
    b.setGicd(0, 3);
    for (let cpu = 0; cpu < cpus; cpu++) {
      b.cpu = cpu;
      open3(b);
      b.setGicr(cpu, 0x70, CONFIG | 15n, 8);
      b.setGicr(cpu, 0x78, PENDING(cpu) | (1n << 62n), 8);
      b.setGicr(cpu, 0, 1);
    }
    b.setIts(0x100, VALID | DEVICES | 0xfn);
    b.setIts(0x108, VALID | COLLECTIONS | 0xfn);
    b.setIts(0x80, VALID | QUEUE);
    b.setIts(0, 1n, 4);
    return b;
  };

  const MAPD = (device: bigint, itt: bigint, bits: bigint, valid = true): bigint[] => [0x08n | (device << 32n), bits - 1n, (valid ? VALID : 0n) | itt, 0n];
  const MAPC = (icid: bigint, cpu: bigint, valid = true): bigint[] => [0x09n, 0n, (valid ? VALID : 0n) | (cpu << 16n) | icid, 0n];
  const MAPTI = (device: bigint, event: bigint, lpi: bigint, icid: bigint): bigint[] => [0x0an | (device << 32n), event | (lpi << 32n), icid, 0n];
  const MAPI = (device: bigint, event: bigint, icid: bigint): bigint[] => [0x0bn | (device << 32n), event, icid, 0n];
  const onEvent = (number: bigint) => (device: bigint, event: bigint, icid = 0n): bigint[] => [number | (device << 32n), event, icid, 0n];
  const [MOVI, INT, CLEAR, INV, DISCARD] = [0x01n, 0x03n, 0x04n, 0x0cn, 0x0fn].map(onEvent) as [ReturnType<typeof onEvent>, ReturnType<typeof onEvent>, ReturnType<typeof onEvent>, ReturnType<typeof onEvent>, ReturnType<typeof onEvent>];

  test('what the registers say of the service', () => {
    const b = make();
    expect(b.its(8) & 0xfn).toBe(1n);
    expect((b.its(8) >> 4n) & 0xfn).toBe(7n);
    expect([(b.its(8) >> 8n) & 0x1fn, (b.its(8) >> 13n) & 0x1fn]).toEqual([15n, 15n]);
    expect([(b.its(0x100) >> 56n) & 7n, (b.its(0x108) >> 56n) & 7n, (b.its(0x110) >> 56n) & 7n]).toEqual([1n, 4n, 0n]);
    expect(b.its(0xffe8)).toBe(0x3bn);
    b.setIts(0x100, (1n << 64n) - 1n);
    // Indirect, type and entry size cannot be changed.
    expect((b.its(0x100) >> 48n) & 0x7fffn).toBe(0x39e7n);
    expect(b.its(0) & 0xffff_ffffn).toBe(0x8000_0000n);
  });

  test('a mapped event becomes an LPI with its configured priority', () => {
    const b = started();
    b.configure(8200, 0xa1);
    b.command(...MAPC(1n, 1n));
    b.command(...MAPD(5n, ITT, 4n));
    b.command(...MAPTI(5n, 3n, 8200n, 1n));
    b.command(0x05n, 0n, 1n << 16n, 0n);
    b.gic.signalMsi(5, 3);
    expect(b.pins).toEqual([0, 1]);
    expect(b.take(1)).toBe(8200);
    expect(b.take(1)).toBe(1023);
    // Not mapped: another device, an event outside of the table, an LPI outside of the configuration.
    for (const [device, event] of [[6, 3], [5, 4], [5, 16], [70000, 0], [5, 2 ** 32]] as const) b.gic.signalMsi(device, event);
    b.command(...MAPTI(5n, 4n, 100n, 1n));
    b.gic.signalMsi(5, 4);
    expect(b.pins).toEqual([0, 0]);
  });

  test('INT, CLEAR, MOVI, DISCARD, MOVALL, MAPI', () => {
    const b = started();
    for (let lpi = 8192; lpi < 8300; lpi++) b.configure(lpi, 0x81);
    b.command(...MAPC(0n, 0n));
    b.command(...MAPC(1n, 1n));
    b.command(...MAPD(5n, ITT, 14n));
    b.command(...MAPI(5n, 8195n, 0n));
    b.command(...INT(5n, 8195n));
    expect(b.pins).toEqual([1, 0]);
    b.command(...MOVI(5n, 8195n, 1n));
    expect(b.pins).toEqual([0, 1]);
    b.command(...CLEAR(5n, 8195n));
    expect(b.pins).toEqual([0, 0]);
    b.command(...INT(5n, 8195n));
    b.command(0x0en, 0n, 1n << 16n, 0n << 16n);
    expect(b.pins).toEqual([1, 0]);
    b.command(0x0en, 0n, 0n << 16n, 1n << 16n);
    b.command(...DISCARD(5n, 8195n));
    expect(b.pins).toEqual([0, 0]);
    b.command(...INT(5n, 8195n));
    expect(b.pins).toEqual([0, 0]);
    b.command(...MAPI(5n, 8196n, 1n));
    b.command(...MAPC(1n, 0n, false));
    b.command(...INT(5n, 8196n));
    b.command(...MAPD(5n, 0n, 1n, false));
    expect(b.pins).toEqual([0, 0]);
  });

  test('the queue wraps around', () => {
    const b = started();
    b.command(...MAPC(0n, 0n));
    b.command(...MAPD(1n, ITT, 4n));
    for (let n = 0; n < 300; n++) b.command(0x05n, 0n, 0n, 0n);
    b.configure(8200, 0x81);
    b.command(...MAPTI(1n, 0n, 8200n, 0n));
    b.command(...INT(1n, 0n));
    expect(b.pins).toEqual([1, 0]);
  });

  test('configuration is read once, and again after INV or INVALL', () => {
    const b = started();
    b.command(...MAPC(0n, 0n));
    b.command(...MAPD(1n, ITT, 4n));
    b.command(...MAPTI(1n, 0n, 8192n, 0n));
    b.gic.signalMsi(1, 0);
    expect(b.pins).toEqual([0, 0]);
    b.configure(8192, 0x81);
    b.gic.signalMsi(1, 0);
    expect(b.pins).toEqual([0, 0]);
    b.command(...INV(1n, 0n));
    expect(b.pins).toEqual([1, 0]);
    b.configure(8192, 0x80);
    b.command(0x0dn, 0n, 0n, 0n);
    expect(b.pins).toEqual([0, 0]);
  });

  test('pending LPIs go to the pending table when a redistributor disables them, and come back from it', () => {
    const b = started();
    b.configure(8200, 0x81);
    b.command(...MAPC(0n, 0n));
    b.command(...MAPD(1n, ITT, 4n));
    b.command(...MAPTI(1n, 0n, 8200n, 0n));
    b.gic.signalMsi(1, 0);
    b.setGicr(0, 0, 0);
    expect(b.pins).toEqual([0, 0]);
    expect(b.memory[Number(PENDING(0) - RAM) + 8200 / 8]).toBe(1);
    b.setGicr(0, 0x78, PENDING(0), 8);
    b.setGicr(0, 0, 1);
    expect(b.pins).toEqual([1, 0]);
    expect(b.take(0)).toBe(8200);
  });

  test('LPIs in list registers', () => {
    const b = started();
    b.configure(8200, 0x81);
    b.command(...MAPC(0n, 0n));
    b.command(...MAPD(1n, ITT, 4n));
    b.command(...MAPTI(1n, 0n, 8200n, 0n));
    const port = b.port(0);
    port.useListRegisters();
    b.gic.signalMsi(1, 0);
    expect(port.flush(4).interrupts).toEqual([{ intid: 8200, priority: 0x80, group: 1, pending: true, active: false, notifyEnd: place === 'threads' }]);
    expect(b.pins[0]).toBe(0);
    port.sync([{ intid: 8200, pending: true, active: false }], 0);
    expect(b.pins[0]).toBe(1);
    port.flush(4);
    port.sync([{ intid: 8200, pending: false, active: false }], 0);
    expect(port.highestPending()).toBeUndefined();
    // Signalled again after the guest took it, before that is known.
    b.gic.signalMsi(1, 0);
    port.flush(4);
    b.gic.signalMsi(1, 0);
    port.sync([{ intid: 8200, pending: false, active: false }], 0);
    expect(port.flush(4).interrupts.map((i) => i.intid)).toEqual([8200]);
    b.command(...CLEAR(1n, 0n));
    port.sync([{ intid: 8200, pending: true, active: false }], 0);
    expect(port.highestPending()).toBeUndefined();
  });

  test('as many LPIs at once as there are list registers, the most urgent first; more than a thread is offered come in turn', () => {
    const COUNT = 40;
    const b = started();
    b.command(...MAPC(0n, 0n));
    b.command(...MAPD(1n, ITT, 6n));
    for (let i = 0; i < COUNT; i++) {
      b.configure(8200 + i, (i < 4 ? 0x80 : 0x90) | 1);
      b.command(...MAPTI(1n, BigInt(i), BigInt(8200 + i), 0n));
    }
    const port = b.port(0);
    port.useListRegisters();
    for (let i = COUNT - 1; i >= 0; i--) b.gic.signalMsi(1, i);
    const seen: number[] = [];
    while (port.highestPending() !== undefined) {
      const taken = port.flush(4).interrupts.map(({ intid }) => intid);
      expect(taken).toHaveLength(4);
      seen.push(...taken);
      port.sync(taken.map((intid) => ({ intid, pending: false, active: false })), 0);
    }
    expect(seen).toEqual(Array.from({ length: COUNT }, (_, i) => 8200 + i));
  });

  test('a queue or tables outside of memory, unknown commands and a full queue hang nothing', () => {
    const b = started();
    b.setIts(0, 0n, 4);
    b.setIts(0x80, VALID | 0x7000_0000n | 0xffn);
    b.setIts(0x100, VALID | 0x7000_0000n | 0x300n | 0xffn);
    b.setIts(0, 1n, 4);
    b.setIts(0x88, 0xf_ffe0n);
    // 32767 commands are more than one access pays for: reading on goes on with them.
    let reads = 0;
    while (b.its(0x90) !== 0xf_ffe0n && reads < 100) reads++;
    expect(reads).toBeGreaterThan(20);
    expect(b.its(0x90)).toBe(0xf_ffe0n);
    b.gic.signalMsi(1, 1);
    b.setIts(0x88, (1n << 64n) - 1n);
  });
});
