import type { BlockBackend } from '@axvisor/axvisor_api/device';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bench, RAM_BASE, type Bench } from './fixture.ts';

const R = { magic: 0, version: 4, deviceId: 8, devFeat: 0x10, devFeatSel: 0x14, drvFeat: 0x20, drvFeatSel: 0x24, qSel: 0x30, qMax: 0x34, qNum: 0x38, qReady: 0x44, notify: 0x50, isr: 0x60, ack: 0x64, status: 0x70 };
const DESC = 0x1000;
const AVAIL = 0x2000;
const USED = 0x3000;
const DATA = 0x8000;
const QUEUE = 8;

/** A small driver: one queue, descriptors written by hand. */
class Driver {
  readonly b: Bench;
  readonly view: DataView;
  avail = 0;

  constructor(b: Bench, queues = 1, features = 1n << 32n) {
    this.b = b;
    this.view = new DataView(b.bytes.buffer);
    b.write(R.status, 1);
    b.write(R.status, 3);
    b.write(R.drvFeatSel, 0);
    b.write(R.drvFeat, Number(features & 0xffff_ffffn));
    b.write(R.drvFeatSel, 1);
    b.write(R.drvFeat, Number(features >> 32n));
    b.write(R.status, 0xb);
    for (let q = 0; q < queues; q++) {
      b.write(R.qSel, q);
      b.write(R.qNum, QUEUE);
      const area = (low: number, offset: number) => {
        b.write(low, Number(RAM_BASE) + offset);
        b.write(low + 4, 0);
      };
      area(0x80, DESC);
      area(0x90, AVAIL);
      area(0xa0, USED);
      b.write(R.qReady, 1);
    }
    b.write(R.status, 0xf);
    b.settle();
  }

  desc(i: number, offset: number, length: number, flags: number, next = 0): void {
    const at = DESC + 16 * i;
    this.view.setBigUint64(at, RAM_BASE + BigInt(offset), true);
    this.view.setUint32(at + 8, length, true);
    this.view.setUint16(at + 12, flags, true);
    this.view.setUint16(at + 14, next, true);
  }

  submit(head: number): void {
    this.view.setUint16(AVAIL + 4 + 2 * (this.avail++ % QUEUE), head, true);
    this.view.setUint16(AVAIL + 2, this.avail, true);
    this.b.write(R.notify, 0);
    this.b.settle();
  }

  get used(): number {
    return this.view.getUint16(USED + 2, true);
  }

  usedLength(i: number): number {
    return this.view.getUint32(USED + 4 + 8 * i + 4, true);
  }
}

function disk(sectors = 16, readOnly = false): BlockBackend & { readonly bytes: Uint8Array; flushes: number; broken: boolean; closed: boolean } {
  const bytes = Uint8Array.from({ length: 512 * sectors }, (_, i) => (i >> 9) + i);
  const check = () => { if (d.broken) throw new Error('EIO'); };
  const d = {
    sectors, readOnly, bytes, flushes: 0, broken: false, closed: false,
    read: (s: number, into: Uint8Array) => (check(), into.set(bytes.subarray(512 * s, 512 * s + into.length))),
    write: (s: number, from: Uint8Array) => (check(), bytes.set(from, 512 * s)),
    flush: () => { check(); d.flushes++; },
    close: () => { d.closed = true; },
  };
  return d;
}

function request(d: Driver, type: number, sector: number, data: number, deviceWrites: boolean): number {
  d.view.setUint32(DATA, type, true);
  d.view.setBigUint64(DATA + 8, BigInt(sector), true);
  d.view.setUint8(DATA + 0x4000, 0xff);
  d.desc(0, DATA, 16, 1, data > 0 ? 1 : 2);
  d.desc(1, DATA + 0x100, data, 1 | (deviceWrites ? 2 : 0), 2);
  d.desc(2, DATA + 0x4000, 1, 2);
  d.submit(0);
  return d.view.getUint8(DATA + 0x4000);
}

test('identification, feature negotiation and status follow the specification', () => {
  const b = bench({ model: 'virtio-blk', block: disk() });
  expect([b.read(R.magic), b.read(R.version), b.read(R.deviceId), b.read(R.qMax)]).toEqual([0x7472_6976, 2, 2, 256]);
  b.write(R.devFeatSel, 1);
  expect(b.read(R.devFeat)).toBe(1);
  b.write(R.devFeatSel, 7);
  expect(b.read(R.devFeat)).toBe(0);
  expect(b.read(0x100, 4) + 2 ** 32 * b.read(0x104)).toBe(16);
  b.write(R.status, 0xb);
  expect(b.read(R.status)).toBe(3); // without VERSION_1
  b.write(R.drvFeatSel, 1);
  b.write(R.drvFeat, 0x101);
  b.write(R.status, 0xb);
  expect(b.read(R.status)).toBe(3); // with what was not offered
  b.write(R.drvFeat, 1);
  b.write(R.status, 0xb);
  expect(b.read(R.status)).toBe(0xb);
  b.write(R.status, 0);
  expect(b.read(R.status)).toBe(0);
});

test('reads, writes, flushes and identifies', () => {
  const block = disk();
  const b = bench({ model: 'virtio-blk', block });
  const d = new Driver(b, 1, (1n << 32n) | (1n << 9n));
  expect(request(d, 0, 3, 1024, true)).toBe(0);
  expect(b.bytes.slice(DATA + 0x100, DATA + 0x500)).toEqual(block.bytes.slice(3 * 512, 5 * 512));
  expect([d.used, d.usedLength(0), b.irq, b.read(R.isr)]).toEqual([1, 1025, true, 1]);
  b.write(R.ack, 1);
  expect(b.irq).toBe(false);
  b.bytes.fill(0x77, DATA + 0x100, DATA + 0x300);
  expect(request(d, 1, 15, 512, false)).toBe(0);
  expect(block.bytes[15 * 512]).toBe(0x77);
  expect([d.usedLength(1), block.flushes]).toEqual([1, 0]);
  expect([request(d, 4, 0, 0, false), block.flushes]).toEqual([0, 1]);
  expect(request(d, 8, 0, 20, true)).toBe(0);
  expect(String.fromCharCode(...b.bytes.subarray(DATA + 0x100, DATA + 0x108))).toBe('axvisor-');
  expect(request(d, 99, 0, 0, false)).toBe(2);
});

test('without the flush feature every write is made stable', () => {
  const block = disk();
  const d = new Driver(bench({ model: 'virtio-blk', block }));
  expect(request(d, 1, 0, 512, false)).toBe(0);
  expect(block.flushes).toBe(1);
});

test('beyond the end, odd sizes, read-only and failing disks are I/O errors of the request', () => {
  const block = disk();
  const d = new Driver(bench({ model: 'virtio-blk', block }));
  expect(request(d, 0, 15, 1024, true)).toBe(1);
  expect(request(d, 0, 0, 100, true)).toBe(1);
  block.broken = true;
  expect(request(d, 0, 0, 512, true)).toBe(1);
  expect(request(d, 1, 0, 512, false)).toBe(1);
  const ro = disk(4, true);
  expect(request(new Driver(bench({ model: 'virtio-blk', block: ro })), 1, 0, 512, false)).toBe(1);
});

test('a disk that fails for a while loses nothing, whatever it throws, and is closed although it cannot be flushed', async () => {
  const block = disk(300);
  const before = block.bytes.slice();
  const d = new Driver(bench({ model: 'virtio-blk', block }));
  d.view.setUint8(DATA + 0x100, 0xaa);
  block.broken = true;
  expect([request(d, 1, 3, 512, false), request(d, 4, 0, 0, false)]).toEqual([1, 1]);
  expect(block.bytes).toEqual(before);
  block.broken = false;
  expect([request(d, 1, 3, 512, false), request(d, 4, 0, 0, false)]).toEqual([0, 0]);
  expect(block.bytes[3 * 512]).toBe(0xaa);
  // Guest memory throws such errors too; from a disk they are the request's all the same.
  block.read = () => d.b.image.run(() => { throw Object.assign(new Error('gone'), { name: 'AxError' }); });
  expect(request(d, 0, 3, 512, true)).toBe(1);
  expect(d.b.read(R.status) & 64).toBe(0);
  block.broken = true;
  await expect(d.b.device.close?.()).rejects.toThrow('EIO');
  expect(block.closed).toBe(true);
});

test('a header in pieces, a status glued to the data, and indirect descriptors are served alike', () => {
  const block = disk();
  const b = bench({ model: 'virtio-blk', block });
  const d = new Driver(b, 1, (1n << 32n) | (1n << 28n));
  d.view.setUint32(DATA, 0, true);
  d.view.setBigUint64(DATA + 8, 2n, true);
  d.desc(0, DATA, 5, 1, 1);
  d.desc(1, DATA + 5, 11, 1, 2);
  d.desc(2, DATA + 0x100, 513, 2);
  d.submit(0);
  expect(b.bytes.slice(DATA + 0x100, DATA + 0x300)).toEqual(block.bytes.slice(1024, 1536));
  expect(b.bytes[DATA + 0x300]).toBe(0);
  b.bytes.fill(0, DATA + 0x100, DATA + 0x400);
  b.bytes.copyWithin(DATA + 0x800, DESC, DESC + 48);
  d.desc(5, DATA + 0x800, 48, 4);
  d.submit(5);
  expect(b.bytes.slice(DATA + 0x100, DATA + 0x300)).toEqual(block.bytes.slice(1024, 1536));
  expect(d.used).toBe(2);
});

test('the event index suppresses interrupts until the driver wants one', () => {
  const b = bench({ model: 'virtio-blk', block: disk() });
  const d = new Driver(b, 1, (1n << 32n) | (1n << 29n) | (1n << 9n));
  d.view.setUint16(AVAIL + 4 + 2 * QUEUE, 1, true); // tell me after the second
  request(d, 4, 0, 0, false);
  expect(b.irq).toBe(false);
  request(d, 4, 0, 0, false);
  expect(b.irq).toBe(true);
  expect(d.view.getUint16(USED + 4 + 8 * QUEUE, true)).toBe(2); // avail_event: tell me about the next
});

test.each([
  ['a loop', (d: Driver) => { d.desc(0, DATA, 16, 1, 0); d.submit(0); }],
  ['an index out of the table', (d: Driver) => { d.desc(0, DATA, 16, 1, 200); d.submit(0); }],
  ['readable after writable', (d: Driver) => { d.desc(0, DATA, 16, 3, 1); d.desc(1, DATA, 16, 0); d.submit(0); }],
  ['a buffer outside memory', (d: Driver) => { d.desc(0, -0x100000, 16, 1, 1); d.desc(1, DATA, 1, 2); d.submit(0); }],
  ['no status byte', (d: Driver) => { d.desc(0, DATA, 16, 0); d.submit(0); }],
  ['an index far ahead', (d: Driver) => { d.avail = 900; d.submit(0); }],
])('%s makes the device need a reset and nothing else', (_name, misbehave) => {
  const b = bench({ model: 'virtio-blk', block: disk() });
  misbehave(new Driver(b));
  expect(b.read(R.status) & 64).toBe(64);
  expect(b.read(R.isr) & 2).toBe(2);
  b.write(R.status, 0);
  b.bytes.fill(0, AVAIL, USED + 0x100);
  const d = new Driver(b);
  expect(request(d, 0, 0, 512, true)).toBe(0);
});

test('the entropy source fills buffers', () => {
  const b = bench({ model: 'virtio-rng' });
  const d = new Driver(b);
  d.desc(0, DATA, 64, 2);
  d.submit(0);
  expect(d.usedLength(0)).toBe(64);
  expect(new Set(b.bytes.subarray(DATA, DATA + 64)).size).toBeGreaterThan(16);
});

test('the console prints and receives', () => {
  const b = bench({ model: 'virtio-console' });
  const d = new Driver(b, 1);
  d.desc(0, DATA, 64, 2);
  d.submit(0);
  expect(d.used).toBe(0);
  b.type('ls\n');
  b.settle();
  expect([d.used, d.usedLength(0), b.bytes[DATA]]).toEqual([1, 3, 0x6c]);
});

test('whatever a guest writes to the registers and rings, nothing throws', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('virtio-blk', 'virtio-rng', 'virtio-console', 'ns16550a', 'goldfish-rtc', 'sifive-test'),
      fc.array(fc.tuple(fc.oneof(fc.constantFrom(...Object.values(R), 0x80, 0x84, 0x90, 0xa0), fc.integer({ min: 0, max: 0xffc })), fc.oneof(fc.constantFrom(0, 1, 3, 8, 0xb, 0xf, 0x8000_1000, 0x8000_2000, 0x8000_3000), fc.integer()), fc.constantFrom(1, 2, 4, 8)), { maxLength: 80 }),
      fc.uint8Array({ minLength: 64, maxLength: 512 }),
      (model, accesses, garbage) => {
        const b = bench({ model, block: disk() });
        for (let at = 0; at < b.bytes.length; at += garbage.length) b.bytes.set(garbage.subarray(0, Math.min(garbage.length, b.bytes.length - at)), at);
        if (model.startsWith('virtio')) new Driver(b);
        for (const [offset, value, width] of accesses) {
          b.write(offset, value, width as 1 | 2 | 4 | 8);
          b.read(offset, width as 1 | 2 | 4 | 8);
          b.settle();
        }
        b.image.run(() => b.device.reset());
      },
    ),
    { numRuns: 300 },
  );
});
