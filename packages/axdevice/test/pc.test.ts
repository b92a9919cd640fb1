/** Devices of a PC against their data sheets. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bench, RAM_BASE, type Bench } from './fixture.ts';

const at = (model: string, base: bigint, options: Readonly<Record<string, unknown>> = {}): Bench => bench({ model, base, options }, 1);

const settle = (b: Bench, nanos: bigint): void => {
  const end = b.time.now + nanos;
  for (;;) {
    const next = [...b.time.timers.values()].map((t) => t.deadline).sort((x, y) => (x < y ? -1 : 1))[0];
    if (next === undefined || next > end) break;
    if (next > b.time.now) b.time.now = next;
    b.image.run(() => void b.time.api.expireTimers());
  }
  b.time.now = end;
};

test('the UART at I/O ports', () => {
  const u = at('ns16550a', 0x3f8n, { space: 'port' });
  expect(u.device.regions).toEqual([{ space: 'port', first: 0x3f8, last: 0x3ff }]);
  u.write(0, 0x41);
  expect([u.printed, u.read(5)]).toEqual([[0x41], 0x60]);
  expect(() => at('ns16550a', 0x3f8n, { space: 'fast' })).toThrow("option space is 'mmio' or 'port'");
  expect(() => at('ns16550a', 0xfffcn, { space: 'port' })).toThrow('there is no port');
});

describe('MC146818', () => {
  /** 2023-11-14 22:13:20 UTC, a Tuesday. */
  const rtc = (options: Readonly<Record<string, unknown>> = {}): Bench => at('mc146818', 0x70n, options);
  const get = (b: Bench, index: number): number => {
    b.write(0, index);
    return b.read(1);
  };
  const set = (b: Bench, index: number, value: number): void => {
    b.write(0, index);
    b.write(1, value);
  };
  const time = (b: Bench): number[] => [0x32, 9, 8, 7, 6, 4, 2, 0].map((r) => get(b, r));

  test('the time in BCD and binary, 24 and 12 hours', () => {
    const b = rtc();
    expect(time(b)).toEqual([0x20, 0x23, 0x11, 0x14, 3, 0x22, 0x13, 0x20]);
    set(b, 0xb, 6);
    expect(time(b)).toEqual([20, 23, 11, 14, 3, 22, 13, 20]);
    set(b, 0xb, 4);
    expect(get(b, 4)).toBe(0x8a);
    set(b, 0xb, 0);
    expect(get(b, 4)).toBe(0x90);
    settle(b, 2n * 3600n * 1_000_000_000n);
    expect([get(b, 4), get(b, 7)]).toEqual([0x12, 0x15]);
  });

  test('setting: SET holds the clock and its bytes; any order of bytes gives the date', () => {
    const b = rtc();
    set(b, 0xb, 0x82);
    settle(b, 5_000_000_000n);
    expect(get(b, 0)).toBe(0x20);
    // The 31st is written while the month still has 30 days.
    for (const [r, v] of [[7, 0x31], [8, 0x12], [9, 0x99], [0x32, 0x19], [4, 0x23], [2, 0x59], [0, 0x58]] as const) set(b, r, v);
    expect(get(b, 7)).toBe(0x31);
    set(b, 0xb, 2);
    expect(time(b)).toEqual([0x19, 0x99, 0x12, 0x31, 6, 0x23, 0x59, 0x58]);
    settle(b, 2_000_000_000n);
    expect(time(b)).toEqual([0x20, 0x00, 0x01, 0x01, 7, 0, 0, 0]);
  });

  test('after the divider was held the first second is half as long', () => {
    const b = rtc();
    set(b, 0xa, 0x76);
    set(b, 0, 0x30);
    set(b, 0xa, 0x26);
    settle(b, 499_000_000n);
    expect(get(b, 0)).toBe(0x30);
    settle(b, 2_000_000n);
    expect(get(b, 0)).toBe(0x31);
  });

  test('UIP for the last 244 us before an update', () => {
    const b = rtc();
    settle(b, 999_000_000n);
    expect(get(b, 0xa)).toBe(0x26);
    settle(b, 800_000n);
    expect(get(b, 0xa)).toBe(0xa6);
    settle(b, 200_000n);
    expect([get(b, 0xa), get(b, 0)]).toEqual([0x26, 0x21]);
  });

  test('update-ended interrupt, cleared by reading C', () => {
    const b = rtc();
    settle(b, 300_000_000n);
    set(b, 0xb, 0x12);
    settle(b, 699_000_000n);
    expect(b.irq).toBe(false);
    settle(b, 2_000_000n);
    expect([b.irq, get(b, 0xc), b.irq, get(b, 0xc)]).toEqual([true, 0xd0, false, 0]);
  });

  test.each([
    ['at a time of day', [0x22, 0x14, 0x05], 45],
    ['every hour', [0xff, 0x14, 0x05], 45],
    ['every minute', [0xc0, 0xff, 0x05], 45],
    ['every second', [0xff, 0xff, 0xff], 1],
    ['tomorrow', [0x22, 0x13, 0x20], 86_400],
  ])('alarm %s', (_name, [hour, minute, second], after) => {
    const b = rtc();
    for (const [r, v] of [[5, hour], [3, minute], [1, second]] as const) set(b, r, v as number);
    set(b, 0xb, 0x22);
    settle(b, BigInt(after) * 1_000_000_000n - 1_000_000n);
    expect(b.irq).toBe(false);
    settle(b, 2_000_000n);
    expect([b.irq, get(b, 0xc) & 0xa0]).toEqual([true, 0xa0]);
  });

  test('an alarm that names no time never comes', () => {
    const b = rtc();
    set(b, 1, 0x99);
    set(b, 0xb, 0x22);
    settle(b, 200_000_000_000_000n);
    expect([b.irq, get(b, 0xc)]).toEqual([false, 0x50]);
  });

  test.each([[1, 256], [2, 128], [3, 8192], [6, 1024], [15, 2]])('periodic interrupt, rate %d: %d Hz (data sheet, table 5)', (rate, hz) => {
    const b = rtc();
    set(b, 0xa, 0x20 | rate);
    set(b, 0xb, 0x42);
    let count = 0;
    const step = 1_000_000_000n / BigInt(hz) / 4n;
    for (let i = 0; i < 4 * hz; i++) {
      settle(b, step);
      if (!b.irq) continue;
      count++;
      expect(get(b, 0xc) & 0xc0).toBe(0xc0);
    }
    expect(Math.abs(count - hz)).toBeLessThanOrEqual(1);
  });

  test('a wire that stays asserted costs the host nothing; enables are cleared by RESET, the time is not', () => {
    const b = rtc();
    set(b, 0xa, 0x23);
    set(b, 0xb, 0x42);
    settle(b, 10_000_000n);
    expect([b.irq, b.time.timers.size]).toEqual([true, 0]);
    b.image.run(() => b.device.reset());
    expect([b.irq, get(b, 0xb), get(b, 0)]).toEqual([false, 2, 0x20]);
  });

  test('memory sizes for firmware, and bytes that keep what is written', () => {
    const b = rtc({ memory: 3 * 2 ** 30, memoryAbove4G: 5 * 2 ** 30 });
    const word = (r: number): number => get(b, r) | (get(b, r + 1) << 8);
    expect([word(0x15), word(0x17), word(0x30), word(0x34), word(0x5b), get(b, 0x5d), get(b, 0xd)]).toEqual([640, 0xffff, 0xffff, 0xbf00, 0x4000, 1, 0x80]);
    set(b, 0x8f, 0x5a);
    expect(get(b, 0x0f)).toBe(0x5a);
    expect(() => rtc({ memory: 'much' })).toThrow('option memory is a number');
  });
});

describe('i8042', () => {
  const kbd = (): { b: Bench; command(...c: number[]): void; data(...d: number[]): void; status(): number; take(): number } => {
    const b = at('i8042', 0x60n);
    const access = (region: number, values: readonly number[]): void => b.image.run(() => values.forEach((v) => b.device.write(0, 1, BigInt(v), region)));
    return {
      b,
      command: (...c) => access(1, c),
      data: (...d) => access(0, d),
      status: () => Number(b.image.run(() => b.device.read(0, 1, 1))),
      take: () => Number(b.image.run(() => b.device.read(0, 1, 0))),
    };
  };

  test('self test, interface test, command byte, and no second port', () => {
    const k = kbd();
    k.command(0xaa);
    expect([k.status(), k.take(), k.status()]).toEqual([0x1d, 0x55, 0x1c]);
    k.command(0xab);
    expect(k.take()).toBe(0);
    k.command(0xa9);
    expect(k.take()).not.toBe(0);
    k.command(0x60);
    k.data(0x47);
    k.command(0x20);
    expect(k.take()).toBe(0x47);
    k.command(0xad);
    k.command(0x20);
    expect(k.take()).toBe(0x57);
  });

  test('a keyboard that is not there times out; the interrupt follows the output buffer', () => {
    const k = kbd();
    k.command(0x60);
    k.data(0x01);
    k.data(0xf2);
    expect([k.b.irq, k.status() & 0x41, k.take(), k.b.irq, k.status() & 0x41]).toEqual([true, 0x41, 0xfe, false, 0]);
  });

  test('the output port: A20 and reset', () => {
    const k = kbd();
    k.command(0xd0);
    expect(k.take() & 3).toBe(3);
    k.command(0xdd, 0xd0);
    expect(k.take() & 3).toBe(1);
    k.command(0xd1);
    k.data(0xdf);
    k.command(0xd0);
    expect(k.take() & 3).toBe(3);
    expect(k.b.power).toEqual([]);
    k.command(0xfe);
    k.command(0xff);
    k.command(0xd1);
    k.data(0xfe);
    expect(k.b.power).toEqual([{ action: 'reset', code: 0 }, { action: 'reset', code: 0 }]);
  });
});

test('ports 92h and 80h, and the test device', () => {
  const a = at('port92', 0x92n);
  expect(a.read(0)).toBe(2);
  a.write(0, 0);
  a.write(0, 3);
  expect([a.read(0), a.power]).toEqual([2, [{ action: 'reset', code: 0 }]]);
  const p = at('port80', 0x80n);
  p.write(0, 0x5a);
  expect(p.read(0)).toBe(0x5a);
  const e = at('isa-debug-exit', 0xf4n);
  e.write(0, 0x10, 4);
  expect([e.read(0), e.power]).toEqual([0, [{ action: 'poweroff', code: 0x21 }]]);
});

describe('ACPI PM', () => {
  test('power-off: 0x2000 to port 0x604 in a word or its upper byte; other sleep types are not there', () => {
    const b = at('acpi-pm', 0x600n);
    b.write(4, 0x2400, 2);
    expect([b.power, b.read(4, 2)]).toEqual([[], 0x0401]);
    b.write(4, 0x2000, 2);
    b.write(5, 0x20);
    expect(b.power).toEqual([{ action: 'poweroff', code: 0 }, { action: 'poweroff', code: 0 }]);
    expect(b.read(4, 2)).toBe(1);
  });

  test('the timer: 24 bits at 3.579545 MHz; its event is a change of the highest one', () => {
    const b = at('acpi-pm', 0x600n);
    settle(b, 1_000_000_000n);
    expect(b.read(8, 4)).toBe(3_579_545);
    b.write(2, 1, 2);
    expect([b.irq, b.read(0, 2)]).toEqual([false, 0]);
    settle(b, 1_343_000_000n);
    expect(b.irq).toBe(false);
    settle(b, 1_000_000n);
    expect([b.irq, b.read(0, 2)]).toEqual([true, 1]);
    b.write(0, 1, 2);
    expect([b.irq, b.read(0, 2)]).toEqual([false, 0]);
    settle(b, 2_344_000_000n);
    expect([b.irq, b.read(8, 4) < 0x100_0000]).toEqual([true, true]);
  });

  test('reserved enables do not stay', () => {
    const b = at('acpi-pm', 0x600n);
    b.write(2, 0xffff, 2);
    expect([b.read(2, 2), b.read(0, 2)]).toEqual([0x0721, 0]);
  });
});

describe('fw-cfg', () => {
  const cfg = (): Bench => at('fw-cfg', 0x510n, { cpus: 3, memory: 0x1234_5678, files: { 'etc/a': Uint8Array.of(1, 2, 3), 'etc/bb': Uint8Array.from({ length: 5000 }, (_, i) => i & 0xff) } });
  const item = (b: Bench, key: number, length: number): number[] => {
    b.write(0, key, 2);
    return Array.from({ length }, () => b.read(1));
  };
  const big32 = (n: number): number => new DataView(Uint8Array.of(n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255).buffer).getUint32(0, true);
  /** A request at RAM_BASE. */
  const dma = (b: Bench, control: number, length: number, address: bigint): number => {
    [control, length, Number(address >> 32n), Number(address & 0xffff_ffffn)].forEach((n, i) => b.memory.writeValue((RAM_BASE + BigInt(4 * i)) as never, 4, BigInt(big32(n))));
    b.write(4, big32(0), 4);
    b.write(8, big32(Number(RAM_BASE)), 4);
    return big32(Number(b.memory.readValue(RAM_BASE as never, 4)));
  };

  test('items byte for byte, zeros behind their end', () => {
    const b = cfg();
    expect([item(b, 0, 5), item(b, 1, 4), item(b, 3, 8), item(b, 4, 2), item(b, 5, 3), item(b, 0x4444, 2)]).toEqual([
      [0x51, 0x45, 0x4d, 0x55, 0], [3, 0, 0, 0], [0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0], [1, 0], [3, 0, 0], [0, 0],
    ]);
  });

  test('the directory, and files by it', () => {
    const b = cfg();
    const directory = item(b, 0x19, 4 + 128);
    expect([directory.slice(0, 12), String.fromCharCode(...directory.slice(12, 18)), directory.slice(68, 74)]).toEqual([[0, 0, 0, 2, 0, 0, 0, 3, 0, 0x20, 0, 0], 'etc/a\0', [0, 0, 0x13, 0x88, 0, 0x21]]);
    expect(item(b, 0x20, 4)).toEqual([1, 2, 3, 0]);
  });

  test('DMA: select, skip and read; errors for what is not memory or cannot be', () => {
    const b = cfg();
    expect([b.read(4, 4), b.read(8, 4)]).toEqual([0x554d_4551, 0x4746_4320]);
    expect(dma(b, 0x21_000a, 4097, RAM_BASE + 0x100n)).toBe(0);
    expect([...b.bytes.subarray(0x100, 0x104), b.bytes[0x100 + 4096]]).toEqual([0, 1, 2, 3, 0]);
    expect(dma(b, 4, 2, 0n)).toBe(0);
    expect(dma(b, 2, 1, RAM_BASE + 0x100n)).toBe(0);
    expect(b.bytes[0x100]).toBe(4099 & 0xff);
    expect([dma(b, 2, 1, 0n), dma(b, 2, 0xffff_ffff, RAM_BASE)]).toEqual([1, 1]);
    b.write(4, 0xffff_ffff, 4);
    b.write(8, 0xffff_ffff, 4);
  });

  test('options are checked', () => {
    expect(() => at('fw-cfg', 0x510n, { files: { x: 'text' } })).toThrow('file x has no content');
    expect(() => at('fw-cfg', 0x510n, { files: 5 })).toThrow('option files is an object');
  });
});

test.each([['fw-cfg', 0x510n, {}], ['ns16550a', 0x3f8n, { space: 'port' }], ['mc146818', 0x70n, {}], ['i8042', 0x60n, {}], ['port92', 0x92n, {}], ['port80', 0x80n, {}], ['acpi-pm', 0x600n, {}], ['isa-debug-exit', 0xf4n, {}]] as const)(
  'garbage at %s',
  (model, base, options) => {
    const step = fc.record({ offset: fc.nat(0xff), region: fc.nat(3), width: fc.constantFrom(1, 2, 4, 8), value: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), write: fc.boolean(), wait: fc.nat(2_000_000_000) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const b = at(model, base, options);
        for (const s of steps) {
          const region = s.region % b.device.regions.length;
          const r = b.device.regions[region]!;
          const size = r.space === 'mmio' ? 1 : r.last - r.first + 1;
          const width = ([8, 4, 2, 1] as const).find((w) => w <= s.width && w <= size) ?? 1;
          const offset = s.offset % (size - width + 1);
          b.image.run(() => {
            if (s.write) b.device.write(offset, width, BigInt.asUintN(8 * width, s.value), region);
            else expect(b.device.read(offset, width, region) >> BigInt(8 * width)).toBe(0n);
          });
          if (s.wait % 3 === 0) settle(b, BigInt(s.wait % 2_000_000));
          else b.time.now += BigInt(s.wait);
          expect(b.time.timers.size).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 150 },
    );
  },
);
