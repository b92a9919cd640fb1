/** PCI configuration space, base address registers, MSI-X, and virtio over PCI with a driver that does what the specification tells drivers. */
import { component as memoryAddr } from '@axvisor/memory_addr';
import { apiImpl, component, resolve } from '@axvisor/axvisor_api';
import type { GuestPhysAddr } from '@axvisor/axvisor_api/addr';
import { createBus, createDevice, type AccessWidth, type DeviceBus, type DeviceContext, type DeviceSpec } from '@axvisor/axvisor_api/device';
import { time } from '@axvisor/axvisor_api/time';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { component as axdevice } from '../src/index.ts';
import { FakeTime, flatMemory, RAM_BASE } from './fixture.ts';

const ECAM = 0xe000_0000n;
const gpa = (n: bigint): GuestPhysAddr => n as GuestPhysAddr;

class Machine {
  readonly fake = new FakeTime();
  readonly ram = flatMemory();
  readonly power: string[] = [];
  readonly messages: [bigint, number][] = [];
  readonly deferred: (() => void)[] = [];
  irq = false;
  readonly #image = resolve([axdevice, memoryAddr, component({ name: 'fake-time', provides: () => [apiImpl(time, this.fake.api)] })]);
  readonly bus: DeviceBus;
  readonly context: DeviceContext = {
    vmId: 1,
    memory: this.ram.memory,
    irq: { irq: 17, set: (level) => void (this.irq = level) },
    msi: (address, data) => void this.messages.push([address, data]),
    console: { write: () => {}, read: () => new Uint8Array(0), onInput: () => {} },
    requestPower: (action) => void this.power.push(action),
    defer: (work) => void this.deferred.push(work),
  };

  constructor(specs: readonly DeviceSpec[] = []) {
    this.bus = this.run(() => createBus());
    this.add({ model: 'pci-host', base: ECAM, irq: 0 });
    for (const spec of specs) this.add(spec);
  }

  run<T>(work: () => T): T {
    const result: { value?: T } = {};
    this.#image.run(() => void (result.value = work()));
    return result.value as T;
  }

  add(spec: DeviceSpec, context = this.context): void {
    this.run(() => this.bus.add(createDevice(spec, context)));
  }

  settle(): void {
    while (this.deferred.length > 0) this.run(() => this.deferred.shift()?.());
  }

  in(port: number, width: AccessWidth): number {
    return Number(this.run(() => this.bus.portRead(port, width)) ?? -1n);
  }

  out(port: number, width: AccessWidth, value: number): void {
    this.run(() => this.bus.portWrite(port, width, BigInt(value >>> 0)));
  }

  /** Configuration space by the ports. */
  config(slot: number, offset: number, width: 1 | 2 | 4): number {
    this.out(0xcf8, 4, 0x8000_0000 | (slot << 11) | (offset & 0xfc));
    return this.in(0xcfc + (offset & 3), width);
  }

  setConfig(slot: number, offset: number, width: 1 | 2 | 4, value: number): void {
    this.out(0xcf8, 4, 0x8000_0000 | (slot << 11) | (offset & 0xfc));
    this.out(0xcfc + (offset & 3), width, value);
  }

  read(address: bigint, width: AccessWidth): bigint {
    return this.run(() => this.bus.mmioRead(gpa(address), width)) ?? -1n;
  }

  write(address: bigint, width: AccessWidth, value: bigint): void {
    this.run(() => this.bus.mmioWrite(gpa(address), width, value));
  }
}

const RNG: DeviceSpec = { model: 'virtio-rng', base: 3n, irq: 17, options: { transport: 'pci' } };

describe('configuration space', () => {
  test('by ports and in memory, bytes, words and longs', () => {
    const m = new Machine([RNG]);
    expect([m.config(0, 0, 4), m.config(3, 0, 4), m.config(3, 2, 2), m.config(3, 0xb, 1)]).toEqual([0x1237_8086, 0x1044_1af4, 0x1044, 0x00]);
    expect([m.read(ECAM + 0x1_8000n, 4), m.read(ECAM + 0x1_8000n, 8), m.read(ECAM + 0x1_8001n, 1), m.read(ECAM + 0x1_8101n, 4)]).toEqual([0x1044_1af4n, 0x0010_0000_1044_1af4n, 0x1an, 0xffff_ffffn]);
    expect([m.config(4, 0, 4), m.read(ECAM + 0x2_0000n, 2), m.read(ECAM + 0x1_8100n, 4)]).toEqual([0xffff_ffff, 0xffffn, 0n]);
  });

  test('the address register: enable bit, other buses, only longs', () => {
    const m = new Machine([RNG]);
    m.out(0xcf8, 4, 0x0000_1800);
    expect(m.in(0xcfc, 4)).toBe(0xffff_ffff);
    m.out(0xcf8, 4, 0x8001_1800);
    expect(m.in(0xcfc, 4)).toBe(0xffff_ffff);
    m.out(0xcf8, 4, 0xffff_ffff);
    expect(m.in(0xcf8, 4)).toBe(0x80ff_fffc);
    m.out(0xcf8, 2, 0);
    expect([m.in(0xcf8, 4), m.in(0xcf8, 2)]).toEqual([0x80ff_fffc, 0xffff]);
  });

  test('port CF9h resets when bit 2 is set', () => {
    const m = new Machine();
    m.out(0xcf9, 1, 2);
    m.out(0xcf9, 1, 6);
    m.out(0xcf9, 1, 6);
    expect([m.power, m.in(0xcf9, 1)]).toEqual([['reset'], 6]);
  });

  test('read-only bits stay; the interrupt line is memory', () => {
    const m = new Machine([RNG]);
    const before = Array.from({ length: 64 }, (_, i) => m.config(3, 4 * i, 4));
    for (let i = 0; i < 64; i++) if (i !== 0x21) m.setConfig(3, 4 * i, 4, 0xffff_ffff);
    const after = Array.from({ length: 64 }, (_, i) => m.config(3, 4 * i, 4));
    expect(after.slice(0, 4)).toEqual([before[0], 0x0010_0547, before[2], 0x0000_ffff]);
    expect([after[8], after[9], after[0xf]]).toEqual([(0xffff_8000 | 4) >>> 0, 0xffff_ffff, 0x0000_01ff]);
  });

  test('BARs have addresses in the window, tell their size, and go where the guest puts them', () => {
    const m = new Machine([RNG, { ...RNG, base: 4n }]);
    expect([m.config(3, 0x20, 4), m.config(3, 0x24, 4), m.config(4, 0x20, 4)]).toEqual([0xc000_0004, 0, 0xc000_8004]);
    expect(m.read(0xc000_0012n, 2)).toBe(0xffffn);
    m.setConfig(3, 0x20, 4, 0xffff_ffff);
    expect(m.config(3, 0x20, 4)).toBe(0xffff_8004);
    m.setConfig(3, 0x20, 4, 0xd000_0000);
    m.setConfig(3, 4, 2, 2);
    expect([m.read(0xd000_0012n, 2), m.read(0xc000_0012n, 2)]).toEqual([1n, 0xffffn]);
    m.setConfig(3, 0x24, 4, 1);
    expect(m.read(0xd000_0012n, 2)).toBe(0xffffn);
    m.run(() => m.bus.reset());
    expect([m.config(3, 0x20, 4), m.config(3, 0x24, 4), m.config(3, 4, 2)]).toEqual([0xc000_0004, 0, 0]);
  });

  test('places are taken once; functions need a bridge; what is removed is gone', () => {
    const m = new Machine([RNG]);
    expect(() => m.add({ ...RNG, name: 'other' })).toThrow('there is a PCI function at 3.0 already');
    expect(() => m.add({ ...RNG, base: 32n })).toThrow('PCI device numbers are 1 to 31');
    m.run(() => m.bus.remove('virtio_pci@3'));
    expect(m.config(3, 0, 4)).toBe(0xffff_ffff);
    const bare = new Machine();
    bare.run(() => bare.bus.remove('pci'));
    expect(() => bare.add(RNG)).toThrow('no host bridge on the bus');
    expect(() => m.add({ ...RNG, base: 5n, options: { transport: 'ccw' } })).toThrow("option transport is 'mmio' or 'pci'");
  });

  test('the window is not larger than it is', () => {
    const m = new Machine();
    m.run(() => m.bus.remove('pci'));
    m.add({ model: 'pci-host', base: ECAM, irq: 0, options: { windowSize: 0xc000 } });
    m.add(RNG);
    expect(() => m.add({ ...RNG, base: 4n })).toThrow('no room');
  });
});

/** Capabilities of `slot`: offset and ID. */
function capabilities(m: Machine, slot: number): [number, number][] {
  const found: [number, number][] = [];
  for (let at = m.config(slot, 0x34, 1); at !== 0; at = m.config(slot, at + 1, 1)) found.push([at, m.config(slot, at, 1)]);
  return found;
}

/** A driver of a virtio function: finds its structures by the capabilities (virtio 1.2, 4.1.4). */
class Driver {
  readonly m: Machine;
  readonly slot: number;
  readonly structures = new Map<number, { address: bigint; length: number }>();
  readonly multiplier: number;
  readonly msix: number;

  constructor(m: Machine, slot: number) {
    this.m = m;
    this.slot = slot;
    m.setConfig(slot, 4, 2, 6);
    let multiplier = 0;
    let msix = 0;
    for (const [at, id] of capabilities(m, slot)) {
      if (id === 0x11) msix = at;
      if (id !== 9) continue;
      const bar = BigInt(m.config(slot, 0x10 + 4 * m.config(slot, at + 4, 1), 4) & ~15) & 0xffff_ffffn;
      const type = m.config(slot, at + 3, 1);
      this.structures.set(type, { address: bar + BigInt(m.config(slot, at + 8, 4)), length: m.config(slot, at + 12, 4) });
      if (type === 2) multiplier = m.config(slot, at + 16, 4);
    }
    this.multiplier = multiplier;
    this.msix = msix;
  }

  get(offset: number, width: AccessWidth): number {
    return Number(this.m.read(this.structures.get(1)!.address + BigInt(offset), width));
  }

  set(offset: number, width: AccessWidth, value: number): void {
    this.m.write(this.structures.get(1)!.address + BigInt(offset), width, BigInt(value >>> 0));
  }

  isr(): number {
    return Number(this.m.read(this.structures.get(3)!.address, 1));
  }

  /** Resets, negotiates version 1 alone, and sets queue 0 up at the start of RAM with one buffer the device writes (3.1.1). */
  start({ size = 8, vector = 0xffff }: { size?: number; vector?: number } = {}): void {
    this.set(20, 1, 0);
    expect(this.get(20, 1)).toBe(0);
    this.set(20, 1, 1);
    this.set(20, 1, 3);
    this.set(0, 4, 1);
    expect(this.get(4, 4) & 1).toBe(1);
    this.set(8, 4, 1);
    this.set(12, 4, 1);
    this.set(20, 1, 11);
    expect(this.get(20, 1)).toBe(11);
    this.set(22, 2, 0);
    expect(this.get(24, 2)).toBe(256);
    this.set(24, 2, size);
    this.set(26, 2, vector);
    for (const [at, area] of [[32, 0n], [40, 0x1000n], [48, 0x2000n]] as const) {
      this.set(at, 4, Number(RAM_BASE + area));
      this.set(at + 4, 4, 0);
    }
    this.set(28, 2, 1);
    this.set(20, 1, 15);
    this.m.settle();
  }

  /** Offers a buffer of 16 bytes at RAM + 0x4000, and notifies. Returns whether it was used. */
  request(n: number): boolean {
    const { memory } = this.m.ram;
    const at = (a: bigint): GuestPhysAddr => gpa(RAM_BASE + a);
    memory.writeValue(at(0n), 8, RAM_BASE + 0x4000n);
    memory.writeValue(at(8n), 8, (2n << 32n) | 16n);
    memory.writeValue(at(0x1004n + 2n * BigInt(n % 8)), 2, 0n);
    memory.writeValue(at(0x1002n), 2, BigInt(n + 1));
    const { address } = this.structures.get(2)!;
    this.m.write(address + BigInt(this.multiplier * this.get(30, 2)), 2, 0n);
    this.m.settle();
    return memory.readValue(at(0x2002n), 2) === BigInt(n + 1);
  }
}

describe('virtio over PCI', () => {
  test('identities and capabilities', () => {
    const block = { sectors: 8, readOnly: false, read: () => {}, write: () => {}, flush: () => {}, close: () => {} };
    const m = new Machine([
      { model: 'virtio-blk', base: 1n, irq: 17, block, options: { transport: 'pci' } },
      { model: 'virtio-console', base: 2n, irq: 18, options: { transport: 'pci' } },
      RNG,
    ]);
    expect([1, 2, 3].map((slot) => [m.config(slot, 2, 2), m.config(slot, 8, 4) >>> 8, m.config(slot, 0x3d, 1)])).toEqual([[0x1042, 0x01_0000, 1], [0x1043, 0x07_8000, 1], [0x1044, 0x00_ff00, 1]]);
    expect(capabilities(m, 1).map(([, id]) => id)).toEqual([9, 9, 9, 9, 9, 0x11]);
    const d = new Driver(m, 1);
    expect([...d.structures.keys()]).toEqual([1, 2, 3, 4, 5]);
    expect([d.get(18, 2), m.read(d.structures.get(4)!.address, 8)]).toEqual([1, 8n]);
  });

  test('a request with INTx: status in ISR and configuration, cleared by reading; disabled by the command register', () => {
    const m = new Machine([RNG]);
    const d = new Driver(m, 3);
    d.start();
    expect(d.request(0)).toBe(true);
    expect([m.irq, m.config(3, 6, 2) & 8]).toEqual([true, 8]);
    m.setConfig(3, 4, 2, 0x406);
    expect([m.irq, m.config(3, 6, 2) & 8]).toEqual([false, 8]);
    m.setConfig(3, 4, 2, 6);
    expect([m.irq, d.isr(), m.irq, d.isr()]).toEqual([true, 1, false, 0]);
    expect(m.messages).toEqual([]);
  });

  test('MSI-X: messages by vector, masked ones wait, no INTx', () => {
    const m = new Machine([RNG]);
    const d = new Driver(m, 3);
    const table = 0xc000_4000n;
    expect([m.config(3, d.msix + 2, 2), m.config(3, d.msix + 4, 4), m.config(3, d.msix + 8, 4)]).toEqual([1, 0x4004, 0x5004]);
    m.setConfig(3, d.msix + 2, 2, 0x8000);
    m.write(table + 16n, 8, 0xfee0_1000n);
    m.write(table + 24n, 4, 0x4041n);
    expect(m.read(table + 28n, 4)).toBe(1n);
    d.start({ vector: 1 });
    expect([d.request(0), m.irq, m.messages, m.read(0xc000_5000n, 8)]).toEqual([true, false, [], 2n]);
    m.write(table + 28n, 4, 0n);
    expect([m.messages, m.read(0xc000_5000n, 8)]).toEqual([[[0xfee0_1000n, 0x4041]], 0n]);
    m.setConfig(3, d.msix + 2, 2, 0xc000);
    d.request(1);
    expect(m.messages.length).toBe(1);
    m.setConfig(3, d.msix + 2, 2, 0x8000);
    expect([m.messages.length, m.irq]).toEqual([2, false]);
    d.set(26, 2, 2);
    expect(d.get(26, 2)).toBe(0xffff);
    d.request(2);
    expect(m.messages.length).toBe(2);
    d.set(26, 2, 1);
    d.set(16, 2, 0);
    expect([d.get(26, 2), d.get(16, 2)]).toEqual([1, 0]);
  });

  test('a broken queue asks for a reset by the configuration vector', () => {
    const m = new Machine([RNG]);
    const d = new Driver(m, 3);
    d.start();
    m.ram.memory.writeValue(gpa(RAM_BASE + 0x1002n), 2, 100n);
    m.write(d.structures.get(2)!.address, 2, 0n);
    m.settle();
    expect([d.get(20, 1) & 0x40, m.irq, d.isr()]).toEqual([0x40, true, 2]);
    m.ram.memory.writeValue(gpa(RAM_BASE + 0x1002n), 2, 0n);
    d.start();
    expect(d.get(20, 1)).toBe(15);
  });

  test('fields: parts can be read, only whole ones are written; a live queue keeps its layout; queues that are not there have size 0', () => {
    const m = new Machine([RNG]);
    const d = new Driver(m, 3);
    d.set(0, 4, 0);
    expect([d.get(4, 4), d.get(6, 2), d.get(7, 1)]).toEqual([0x3000_0000, 0x3000, 0x30]);
    d.set(24, 1, 8);
    d.set(24, 2, 12);
    expect(d.get(24, 2)).toBe(256);
    d.start();
    d.set(24, 2, 4);
    d.set(32, 4, 0);
    d.set(28, 2, 0);
    expect([d.get(24, 2), d.get(32, 4), d.get(28, 2)]).toEqual([8, Number(RAM_BASE), 1]);
    d.set(22, 2, 1);
    expect([d.get(24, 2), d.get(26, 2), d.get(30, 2)]).toEqual([0, 0xffff, 0]);
  });

  test('the BAR by way of configuration space', () => {
    const m = new Machine([RNG]);
    const d = new Driver(m, 3);
    const at = capabilities(m, 3).find(([a]) => m.config(3, a + 3, 1) === 5)![0];
    m.setConfig(3, 4, 2, 0);
    const access = (offset: number, length: number): void => {
      m.setConfig(3, at + 4, 1, 4);
      m.setConfig(3, at + 8, 4, offset);
      m.setConfig(3, at + 12, 4, length);
    };
    access(20, 1);
    m.setConfig(3, at + 16, 4, 1);
    expect(m.config(3, at + 16, 1)).toBe(1);
    access(18, 2);
    expect(m.config(3, at + 16, 2)).toBe(1);
    access(0x8000, 4);
    m.setConfig(3, at + 16, 4, 0x55);
    expect(m.config(3, at + 16, 4)).toBe(0x55);
    m.setConfig(3, 4, 2, 2);
    expect(d.get(20, 1)).toBe(1);
  });
});

test('garbage everywhere', () => {
  const step = fc.record({
    what: fc.nat(4), offset: fc.oneof(fc.nat(0x7fff), fc.nat(0x3f), fc.nat(0xff).map((n) => 0x1_8000 + n)), width: fc.constantFrom<AccessWidth>(1, 2, 4, 8),
    value: fc.oneof(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.nat(0xff).map(BigInt), fc.constantFrom(0xc000_0000n, 6n, 15n, 0x8000_1800n, RAM_BASE)),
    write: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), fc.uint8Array({ minLength: 4096, maxLength: 4096 }), (steps, noise) => {
      const m = new Machine([RNG, { model: 'virtio-console', base: 4n, irq: 18, options: { transport: 'pci' } }]);
      m.ram.bytes.set(noise);
      const d = new Driver(m, 3);
      d.start();
      for (const { what, offset, width, value, write } of steps) {
        const v = BigInt.asUintN(8 * width, value);
        const address = what < 2 ? 0xc000_0000n + BigInt(offset) : ECAM + BigInt(offset);
        m.run(() => {
          if (what === 4) {
            const port = 0xcf8 + (offset % 8);
            if (write) m.bus.portWrite(port, width, v);
            else m.bus.portRead(port, width);
          } else if (write) m.bus.mmioWrite(gpa(address), width, v);
          else expect((m.bus.mmioRead(gpa(address), width) ?? 0n) >> BigInt(8 * width)).toBe(0n);
        });
        m.settle();
      }
    }),
    { numRuns: 150 },
  );
});
