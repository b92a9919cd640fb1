/** The PC board put together: its devices, controllers and tables agree about ports, addresses and interrupts. */
import { component as axdevice } from '@axvisor/axdevice';
import { createComponent as axhost } from '@axvisor/axhost';
import { resolve } from '@axvisor/axvisor_api';
import type { GuestPhysAddr } from '@axvisor/axvisor_api/addr';
import { createBus, createDevice, type AccessWidth, type Device, type DeviceBus, type DeviceContext, type DeviceSpec } from '@axvisor/axvisor_api/device';
import { createInterruptController, type InterruptController } from '@axvisor/axvisor_api/intc';
import { component as memoryAddr } from '@axvisor/memory_addr';
import { component as percpu } from '@axvisor/percpu';
import { component as vlapic } from '@axvisor/x86_vlapic';
import type { VmConfig } from '@axvisor/axvisor_api/config';
import type { VmImages } from '@axvisor/axvisor_api/vm';
import { createVmConfig } from '@axvisor/axvmconfig';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pcAcpi, pcMemory, pcX86_64 } from '../src/board/pc_x86_64.ts';

const pcRam = (size: bigint) => pcMemory([{ gpa: 0n, size }]).map((r) => ({ base: r.gpa, size: r.size }));
const board = (size: bigint) => pcX86_64({ cpuNum: 1, memoryRegions: pcRam(size).map(({ base, size: s }) => ({ gpa: base, size: s, flags: 7, mapType: 'alloc' as const })) });
const PC_VIRTIO_SLOTS = board(1n << 28n).virtioSlots;

class Pc {
  readonly #image = resolve([axdevice, vlapic, memoryAddr, percpu, axhost({ memory: 16 << 20, clock: 'virtual' })]);
  readonly intc: InterruptController;
  readonly bus: DeviceBus;
  readonly power: [string, number][] = [];
  readonly printed: number[] = [];
  readonly powerButton: ((pressed: boolean) => void)[] = [];
  readonly devices = new Map<string, Device>();

  constructor(size = 256n << 20n) {
    this.intc = this.run(() => createInterruptController(board(size).intc, { vmId: 1, vcpuCount: 1, currentVcpu: () => 0, setVcpuInterrupt: () => {} }));
    this.bus = this.run(() => createBus());
    for (const d of this.intc.devices) this.run(() => this.bus.add(d));
    for (const spec of board(size).devices) this.add(spec);
  }

  add(spec: DeviceSpec): void {
    const context: DeviceContext = {
      vmId: 1,
      memory: { readBuffer: () => {}, writeBuffer: () => {}, readValue: () => 0n, writeValue: () => {} },
      irq: spec.irq === 0 ? undefined : this.run(() => this.intc.line(spec.irq)),
      msi: (address, data) => this.intc.writeMsi?.(address, data),
      console: { write: (b) => void this.printed.push(...b), read: () => new Uint8Array(0), onInput: () => {} },
      requestPower: (action, code) => void this.power.push([action, code]),
      onPowerButton: (listener) => void this.powerButton.push(listener),
      defer: () => {},
    };
    const device = this.run(() => createDevice(spec, context));
    this.run(() => this.bus.add(device));
    this.devices.set(device.name, device);
  }

  run<T>(work: () => T): T {
    const result: { value?: T } = {};
    this.#image.run(() => void (result.value = work()));
    return result.value as T;
  }

  in(port: number, width: AccessWidth = 1): number {
    return Number(this.run(() => this.bus.portRead(port, width)) ?? -1n);
  }

  out(port: number, value: number, width: AccessWidth = 1): void {
    this.run(() => this.bus.portWrite(port, width, BigInt(value)));
  }

  read(address: number, width: AccessWidth = 4): bigint | undefined {
    return this.run(() => this.bus.mmioRead(BigInt(address) as GuestPhysAddr, width));
  }

  write(address: number, value: number, width: AccessWidth = 4): void {
    this.run(() => this.bus.mmioWrite(BigInt(address) as GuestPhysAddr, width, BigInt(value >>> 0)));
  }

  /** Redirects global interrupt `gsi` to vector `vector`, level-triggered. */
  redirect(gsi: number, vector: number): void {
    this.write(0xfec0_0000, 0x11 + 2 * gsi);
    this.write(0xfec0_0010, 0);
    this.write(0xfec0_0000, 0x10 + 2 * gsi);
    this.write(0xfec0_0010, 0x8000 | vector);
  }
}

test('everything has its place, and nothing overlaps', () => {
  const pc = new Pc();
  for (const slot of PC_VIRTIO_SLOTS) pc.add({ model: 'virtio-rng', ...slot });
  const ports = [0x20, 0x40, 0x60, 0x61, 0x64, 0x70, 0x80, 0x92, 0xa0, 0xf4, 0x3f8, 0x4d0, 0x501, 0x600, 0xcf8, 0xcf9, 0xcfc];
  for (const port of ports) expect(pc.run(() => pc.bus.portRead(port, 1)), port.toString(16)).toBeTypeOf('bigint');
  for (const address of [0xfee0_0020, 0xfec0_0000, 0xfed0_0000, 0xc000_0000, 0xc010_0000]) expect(pc.read(address)).toBeTypeOf('bigint');
  expect(pc.run(() => pc.bus.portRead(0x300, 1))).toBe(undefined);
  expect(PC_VIRTIO_SLOTS.map((s) => pc.read(0xc000_0000 + (Number(s.base) << 15)))).toEqual(PC_VIRTIO_SLOTS.map(() => 0x1044_1af4n));
  pc.run(() => pc.bus.reset());
});

describe('interrupts', () => {
  const cpu = (pc: Pc): (() => number | undefined) => {
    const apic = pc.intc.localApic!(0);
    pc.run(() => apic.write(0xf0, 4, 0x1ffn));
    return () => pc.run(() => {
      const vector = apic.pending();
      if (vector === undefined) return undefined;
      const taken = apic.acknowledge();
      apic.write(0xb0, 4, 0n);
      return taken;
    });
  };

  test('the UART at global interrupt 4, the SCI at 9', () => {
    const pc = new Pc();
    const take = cpu(pc);
    pc.redirect(4, 0x44);
    pc.out(0x3f9, 2);
    expect(take()).toBe(0x44);
    expect(pc.in(0x3fa)).toBe(2);
    // It was asserted still when the interrupt ended.
    expect([take(), take()]).toEqual([0x44, undefined]);
    pc.redirect(9, 0x49);
    pc.out(0x602, 0x100, 2);
    pc.run(() => pc.powerButton.forEach((press) => press(true)));
    expect([take(), pc.in(0x600, 2)]).toEqual([0x49, 0x100]);
    pc.out(0x600, 0x100, 2);
    expect([take(), take()]).toEqual([0x49, undefined]);
  });

  test("PCI devices where _PRT says: the routing's packages, and what the slots are wired to, agree", () => {
    const dsdt = pcAcpi([0n]).pieces.map((p) => p.bytes).find((b) => String.fromCharCode(...b.subarray(0, 4)) === 'DSDT')!;
    const aml = [...dsdt];
    for (const { base, irq } of PC_VIRTIO_SLOTS) {
      // Package of 4: slot and any function, INTA, no link device, the interrupt.
      const entry = [4, 0x0c, 0xff, 0xff, Number(base), 0, 0, 0, 0x0a, irq];
      expect(aml.some((_, i) => entry.every((b, j) => aml[i + j] === b))).toBe(true);
    }
  });

  test('firmware state: virtual wire, so that the 8259 is heard', () => {
    const pc = new Pc();
    const apic = pc.intc.localApic!(0);
    for (const [port, value] of [[0x20, 0x11], [0x21, 0x08], [0x21, 4], [0x21, 1], [0x21, 0]] as const) pc.out(port, value);
    pc.out(0x3f9, 2);
    expect(pc.run(() => [apic.pending(), apic.acknowledge()])).toEqual([0x0c, 0x0c]);
  });
});

test('power: ACPI, reset register, keyboard controller, fast reset, test device', () => {
  const pc = new Pc();
  pc.out(0x604, 0x2000, 2);
  pc.out(0xcf9, 6);
  pc.out(0x64, 0xfe);
  pc.out(0x92, 1);
  pc.out(0xf4, 0);
  pc.out(0x501, 1);
  expect(pc.power).toEqual([['poweroff', 0], ['reset', 0], ['reset', 0], ['reset', 0], ['poweroff', 1], ['poweroff', 3]]);
});

test('memory: what does not fit below PCI is above 4 GiB; the clock tells firmware', () => {
  expect(pcRam(1n << 30n)).toEqual([{ base: 0n, size: 1n << 30n }]);
  expect(pcRam(8n << 30n)).toEqual([{ base: 0n, size: 3n << 30n }, { base: 4n << 30n, size: 5n << 30n }]);
  const pc = new Pc(8n << 30n);
  const cmos = (r: number): number => {
    pc.out(0x70, r);
    return pc.in(0x71);
  };
  expect([cmos(0x34), cmos(0x35), cmos(0x5b), cmos(0x5c), cmos(0x5d)]).toEqual([0, 0xbf, 0, 0x40, 1]);
});

describe('starts', () => {
  const plan = (options: Partial<VmConfig>, images: VmImages) => {
    const config = { ...createVmConfig({ id: 7, name: 'pc' }), ...options };
    const ram = pcRam(64n << 20n);
    return resolve([memoryAddr]).run(() => pcX86_64({ ...config, memoryRegions: [] }).plan!({ config, images, ram, cpuIds: [0n] }));
  };
  const raw = Uint8Array.of(0xf4, 0xeb, 0xfd);
  const path = 'file';
  const at = (pieces: readonly { readonly address: bigint; readonly bytes: Uint8Array }[], address: bigint): Uint8Array | undefined => pieces.find((p) => p.address === address)?.bytes;

  test("a boot loader of the guest's own at 0x8000, and the kernel that it starts", () => {
    const { entry, start, pieces } = plan({ entryPoint: 0x8000n, bios: { path, loadAddr: 0x8000n }, kernel: { path, loadAddr: 0x20_0000n } }, { kernel: raw, bios: Uint8Array.of(0xfa) });
    expect([entry, start, at(pieces, 0x8000n), at(pieces, 0x20_0000n)]).toEqual([0x8000n, { mode: 'real', rip: 0x8000n, code: 0, data: 0, registers: {} }, Uint8Array.of(0xfa), raw]);
    expect(() => plan({ bios: { path, loadAddr: 0x8000n } }, { kernel: raw, bios: raw })).toThrow('needs a load address');
  });

  test('a raw kernel alone: our stub, or as said', () => {
    const { entry, pieces } = plan({ kernel: { path, loadAddr: 0x20_0000n } }, { kernel: raw });
    expect([entry, at(pieces, 0x8000n)?.[0], at(pieces, 0x20_0000n), String.fromCharCode(...at(pieces, 0xe_0000n)!.subarray(0, 7))]).toEqual([0x8000n, 0xfa, raw, 'RSD PTR']);
    expect(plan({ entryPoint: 0x7c00n, kernel: { path, loadAddr: 0x7c00n } }, { kernel: raw })).toMatchObject({ entry: 0x7c00n, start: { mode: 'real', rip: 0x7c00n, code: 0 } });
    expect(plan({ entryPoint: 0x1_2340n, kernel: { path, loadAddr: 0x1_2340n } }, { kernel: raw }).start).toMatchObject({ rip: 0x2340n, code: 0x1000 });
    expect(() => plan({}, { kernel: raw })).toThrow('neither bzImage nor ELF nor multiboot');
    expect(() => plan({ kernel: { path, loadAddr: 0x400_0000n } }, { kernel: raw })).toThrow('does not fit');
    expect(() => plan({}, {})).toThrow('VM 7 has neither a kernel nor firmware');
  });

  test('firmware in ROM', () => {
    const bios = Uint8Array.from({ length: 0x4_0000 }, (_, i) => i >> 16);
    const { entry, start, rom, pieces } = plan({ bios: { path } }, { bios });
    expect([entry, start?.mode, rom, at(pieces, 0xe_0000n)?.[0]]).toEqual([0xffff_fff0n, 'real', [{ address: 0xfffc_0000n, size: 0x4_0000n }], 2]);
    expect(() => plan({ bios: { path } }, { bios, kernel: raw })).toThrow('firmware and a kernel');
  });

  test('a kernel by its protocol, with ACPI; the entry can be chosen', () => {
    const kernel = new Uint8Array(0x400);
    kernel.set([0x02, 0xb0, 0xad, 0x1b, 0, 0, 1, 0, 0xfe, 0x4f, 0x51, 0xe4, 0, 0, 0x10, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0x10, 0]);
    const images = { kernel, ramdisk: new Uint8Array(100) };
    expect(plan({ cmdline: 'x' }, images)).toMatchObject({ entry: 0x10_0020n, start: { mode: 'protected' } });
    expect(plan({ entryPoint: 0x10_0040n }, images).entry).toBe(0x10_0040n);
    expect(at(plan({}, images).pieces, 0xe_0000n)).toBeDefined();
  });
});

test('garbage at every port and every register in memory disturbs nobody but the guest', () => {
  const width = fc.constantFrom<AccessWidth>(1, 2, 4, 8);
  const value = fc.oneof(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.nat(0xff).map(BigInt), fc.constantFrom(0x8000_1800n, 0xc010_0000n, 0x8030n, 0x700n));
  const port = fc.oneof(fc.nat(0xffff), fc.constantFrom(0x20, 0x21, 0xa0, 0xa1, 0x40, 0x43, 0x60, 0x61, 0x64, 0x70, 0x71, 0x80, 0x92, 0x3f8, 0x3f9, 0x3fc, 0x4d0, 0x510, 0x511, 0x514, 0x518, 0x600, 0x602, 0x604, 0x608, 0xcf8, 0xcf9, 0xcfc));
  const address = fc.oneof(
    fc.nat(0xfff).map((n) => 0xfee0_0000 + n), fc.nat(0x3f).map((n) => 0xfee0_0000 + 16 * n), fc.nat(0x15f).map((n) => 0xfed0_0000 + n), fc.constantFrom(0xfec0_0000, 0xfec0_0010, 0xfec0_0040), fc.nat(0x3_ffff).map((n) => 0xc000_0000 + n),
    fc.nat(0x1_ffff).map((n) => 0xc010_0000 + n), fc.nat(0xffff_fff0),
  );
  const step = fc.oneof(
    fc.record({ space: fc.constant('port' as const), at: port, width, value, write: fc.boolean() }),
    fc.record({ space: fc.constant('mmio' as const), at: address, width, value, write: fc.boolean() }),
  );
  fc.assert(
    fc.property(fc.array(step, { minLength: 50, maxLength: 200 }), (steps) => {
      const pc = new Pc();
      for (const slot of PC_VIRTIO_SLOTS.slice(0, 3)) pc.add({ model: 'virtio-console', ...slot });
      const apic = pc.intc.localApic!(0);
      for (const s of steps)
        pc.run(() => {
          const v = BigInt.asUintN(8 * s.width, s.value);
          const gpa = BigInt(s.at) as GuestPhysAddr;
          const read = s.write ? 0n : ((s.space === 'port' ? pc.bus.portRead(s.at, s.width) : pc.bus.mmioRead(gpa, s.width)) ?? 0n);
          expect(read >> BigInt(8 * s.width)).toBe(0n);
          if (s.write && s.space === 'port') pc.bus.portWrite(s.at, s.width, v);
          if (s.write && s.space === 'mmio') pc.bus.mmioWrite(gpa, s.width, v);
          if (apic.pending() !== undefined) apic.acknowledge();
        });
    }),
    { numRuns: 60 },
  );
});
