/** The 8254 against a model that goes clock by clock as its data sheet tells, and what a PC makes of it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PIT_HZ } from '../src/index.ts';
import { haveQemu, qtest } from './qtest.ts';
import { Bench } from './support.ts';

/** Puts the clock of the bench just after clock `n` of the timer. */
const toClock = (b: Bench, n: number): void => b.advance((BigInt(n) * 1_000_000_000n) / BigInt(PIT_HZ) + 2n - b.time.now);

/** A counter, one clock at a time (data sheet, "Mode Definitions"). */
class Model {
  cr = 0;
  ce: number | undefined;
  out = true;
  gate = false;
  loadNext = false;
  trigger = false;
  strobe = false;
  stopped = false;
  running = false;
  readonly mode: number;

  constructor(mode: number) {
    this.mode = mode;
    this.out = mode !== 0;
  }

  firstByte(): void {
    if (this.mode !== 0 || this.ce === undefined) return;
    this.stopped = true;
    this.out = false;
  }

  write(count: number): void {
    this.cr = count;
    this.stopped = false;
    if (this.mode === 0 || this.mode === 4) this.loadNext = true;
    else if (this.mode !== 1 && this.mode !== 5 && this.ce === undefined) this.loadNext = true;
  }

  setGate(level: boolean): void {
    if (level && !this.gate) this.trigger = true;
    this.gate = level;
    if (!level) this.trigger = this.mode === 1 || this.mode === 5 ? this.trigger : false;
    if (!level && (this.mode === 2 || this.mode === 3)) this.out = true;
  }

  clock(): void {
    const start = this.mode === 1 || this.mode === 5 ? this.trigger : this.mode === 2 || this.mode === 3 ? this.loadNext || (this.trigger && this.ce !== undefined) : this.loadNext;
    if (start) {
      this.ce = this.mode === 3 ? this.cr & ~1 : this.cr;
      this.loadNext = this.trigger = false;
      this.running = true;
      this.out = this.mode !== 0 && this.mode !== 1;
      // A square wave of an odd count is high for one clock longer.
      this.#extra = this.mode === 3 && (this.cr & 1) === 1;
      if (this.mode === 2 && this.gate && this.ce === 1) this.out = false;
      return;
    }
    this.trigger = false;
    if (this.ce === undefined || !this.running) return;
    switch (this.mode) {
      case 0:
        if (!this.gate || this.stopped) return;
        this.ce = (this.ce - 1) & 0xffff;
        if (this.ce === 0) this.out = true;
        return;
      case 1:
        this.ce = (this.ce - 1) & 0xffff;
        if (this.ce === 0) this.out = true;
        return;
      case 2:
        if (!this.gate) return;
        if (this.ce === 1) this.ce = this.cr;
        else this.ce--;
        this.out = this.ce !== 1;
        return;
      case 3:
        if (!this.gate) return;
        if (this.ce === 2 && this.out && this.#extra) {
          this.ce = 0;
          return;
        }
        if (this.ce > 2) {
          this.ce -= 2;
          return;
        }
        this.out = !this.out;
        this.ce = this.cr & ~1;
        this.#extra = this.out && (this.cr & 1) === 1;
        return;
      default:
        if (this.mode === 4 && !this.gate) return;
        this.ce = (this.ce - 1) & 0xffff;
        if (this.ce === 0 && !this.#struck) {
          this.out = false;
          return;
        }
        this.out = true;
    }
  }

  #extra = false;
  #struck = false;
}

test.each([0, 1, 2, 3, 4, 5])('mode %d: output and count at every clock, whatever GATE and the CPU do', (mode) => {
  const op = fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), clocks: fc.integer({ min: 1, max: 9 }) }) },
    fc.record({ kind: fc.constant('count' as const), value: fc.integer({ min: 2, max: 12 }), clocks: fc.nat(2) }),
    fc.record({ kind: fc.constant('gate' as const), level: fc.boolean() }),
  );
  fc.assert(
    fc.property(fc.array(op, { maxLength: 25 }), (ops) => {
      const b = new Bench();
      const model = new Model(mode);
      let clock = 1;
      toClock(b, clock);
      b.outb(0x43, 0xb0 | (mode << 1));
      const wait = (clocks: number): void => {
        for (let i = 0; i < clocks; i++) {
          toClock(b, ++clock);
          model.clock();
          expect((b.inb(0x61) >> 5) & 1, `OUT at clock ${clock}`).toBe(model.out ? 1 : 0);
          if (model.ce === undefined) continue;
          b.outb(0x43, 0x80);
          expect(b.inb(0x42) | (b.inb(0x42) << 8), `count at clock ${clock}`).toBe(model.ce);
        }
      };
      for (const o of ops) {
        if (o.kind === 'wait') wait(o.clocks);
        else if (o.kind === 'gate') {
          b.outb(0x61, o.level ? 1 : 0);
          model.setGate(o.level);
          wait(1);
        } else {
          b.outb(0x42, o.value);
          model.firstByte();
          wait(o.clocks);
          b.outb(0x42, 0);
          model.write(o.value);
          wait(1);
        }
      }
    }),
    { numRuns: 400 },
  );
});

test('counts of four decimal digits; 0 is the largest', () => {
  const b = new Bench();
  b.outb(0x61, 1);
  b.outb(0x43, 0xb1);
  b.outb(0x42, 0x00, 0x00);
  toClock(b, 1);
  b.outb(0x43, 0x80);
  expect(b.inb(0x42) | (b.inb(0x42) << 8)).toBe(0);
  toClock(b, 2);
  b.outb(0x43, 0x80);
  expect(b.inb(0x42) | (b.inb(0x42) << 8)).toBe(0x9999);
  toClock(b, 1 + 10_000);
  expect(b.inb(0x61) & 0x20).toBe(0x20);
});

test('read-back latches status before count, and keeps the first of two latches', () => {
  const b = new Bench();
  b.outb(0x43, 0x36);
  b.outb(0x40, 0x00);
  b.outb(0x43, 0xe2);
  expect(b.inb(0x40)).toBe(0xf6);
  b.outb(0x40, 0x10);
  toClock(b, 5);
  b.outb(0x43, 0xc2);
  toClock(b, 50);
  b.outb(0x43, 0xc2);
  expect([b.inb(0x40), b.inb(0x40), b.inb(0x40)]).toEqual([0xb6, 0xf8, 0x0f]);
});

describe('as interrupt 0', () => {
  const rate = (mode: number, count: number, nanos: bigint): number => {
    const b = new Bench(1, { firmwareState: true });
    b.outb(0x20, 0x11);
    b.outb(0x21, 0x08, 4, 3, 0);
    b.outb(0x43, 0x30 | (mode << 1));
    if (mode === 3 || mode === 2) while (b.pending() !== undefined) b.take();
    b.outb(0x40, count & 0xff, count >> 8);
    let ticks = 0;
    for (let i = 0; i < 1000; i++) {
      b.advance(nanos / 1000n);
      for (; b.pending() !== undefined; ticks++) expect(b.take()).toBe(0x08);
    }
    return ticks;
  };

  test.each([2, 3])('periodic in mode %d: 100 Hz', (mode) => expect(rate(mode, 11_931, 1_000_000_000n)).toBe(100));
  test('18.2 Hz', () => expect(rate(3, 0, 10_000_000_000n)).toBe(182));
  test('once in mode 0', () => expect(rate(0, 1000, 1_000_000_000n)).toBe(1));
  test('once in mode 4, besides the rise when the mode is set', () => expect(rate(4, 10_000, 1_000_000_000n)).toBe(2));

  test('a tiny count is merged, not a storm on the host', () => {
    const b = new Bench();
    b.outb(0x43, 0x34);
    b.outb(0x40, 2, 0);
    let calls = 0;
    const expire = b.time.api.expireTimers;
    b.time.api.expireTimers = () => (calls++, expire());
    b.advance(1_000_000n);
    expect(calls).toBeLessThanOrEqual(60);
  });
});

test('port 61h: gate, speaker, the refresh bit every 15 us', () => {
  const b = new Bench();
  b.outb(0x61, 0xff);
  expect(b.inb(0x61) & 0xcf).toBe(0x0f);
  let changes = 0;
  for (let i = 0, before = b.inb(0x61) & 0x10; i < 1000; i++) {
    b.advance(1000n);
    const now = b.inb(0x61) & 0x10;
    if (now !== before) changes++;
    before = now;
  }
  expect(changes).toBe(66);
});

test('reset and close stop everything', () => {
  const b = new Bench();
  b.outb(0x43, 0x34);
  b.outb(0x40, 0, 1);
  b.run(() => b.device('i8254').reset());
  expect(b.time.timers.size).toBe(0);
  b.outb(0x43, 0x34);
  b.outb(0x40, 0, 1);
  b.run(() => void b.device('i8254').close?.());
  expect(b.time.timers.size).toBe(0);
});

describe.runIf(haveQemu)('as QEMU, while time stands still', () => {
  test('access modes, latches and status', async () => {
    const byte = fc.nat(255);
    // QEMU has no decimal counts and no null count; of the output before a count begins it has its own idea, and of odd square waves, too.
    const op = fc.oneof(
      fc.record({ kind: fc.constant('control' as const), value: fc.nat(0xbf).map((v) => v & 0xfe) }),
      fc.record({ kind: fc.constant('back' as const), value: fc.nat(0x3f).map((v) => 0xc0 | v) }),
      fc.record({ kind: fc.constant('count' as const), counter: fc.nat(2), low: byte.map((v) => v & 0xfe), high: byte }),
      fc.record({ kind: fc.constant('read' as const), counter: fc.nat(2), times: fc.integer({ min: 1, max: 3 }) }),
    );
    const commands: string[] = [];
    const ours: number[] = [];
    for (const ops of fc.sample(fc.array(op, { minLength: 10, maxLength: 60 }), { numRuns: 200, seed: 8254 })) {
      const b = new Bench();
      const out = (port: number, value: number): void => {
        b.outb(port, value);
        commands.push(`outb ${port} ${value}`);
      };
      const access = [3, 3, 3];
      for (const i of [0, 1, 2]) {
        // What the last sequence left latched there.
        for (let n = 0; n < 3; n++) {
          commands.push(`inb ${0x40 + i}`);
          ours.push(-1);
        }
        out(0x43, 0x34 | (i << 6));
        out(0x40 + i, 0x10);
        out(0x40 + i, 0x20);
      }
      /** A status byte is waiting: only its mode and access are compared. */
      const status = [false, false, false];
      const read = (counter: number): void => {
        const value = b.inb(0x40 + counter);
        commands.push(`inb ${0x40 + counter}`);
        ours.push(status[counter] ? 0x1_0000 | value : value);
        status[counter] = false;
      };
      for (const o of ops) {
        if (o.kind === 'control') {
          const counter = o.value >> 6;
          if ((o.value & 0x30) !== 0) {
            // A control word ends latches, which there outlive it.
            for (let i = 0; i < 3; i++) read(counter);
            access[counter] = (o.value >> 4) & 3;
            status[counter] = false;
          }
          out(0x43, o.value);
          // Before a count is written the counter holds the old one there, here the register.
          if ((o.value & 0x30) !== 0) for (let i = access[counter] === 3 ? 2 : 1; i > 0; i--) out(0x40 + counter, 0x40);
        } else if (o.kind === 'back') {
          out(0x43, o.value);
          for (const i of [0, 1, 2]) if (((o.value >> (i + 1)) & 1) === 1 && (o.value & 0x10) === 0) status[i] = true;
        } else if (o.kind === 'read')
          for (let i = 0; i < o.times; i++) read(o.counter);
      }
    }
    const theirs = await qtest(commands);
    expect(ours.map((v, i) => (v >= 0x1_0000 ? [v & 0x3f, Number(theirs[i]) & 0x3f] : [v, Number(theirs[i])])).filter(([a, t]) => a !== -1 && a !== t)).toEqual([]);
  });
});
