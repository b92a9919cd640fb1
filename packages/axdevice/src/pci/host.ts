/**
 * A PCI host bridge: configuration space by ports CF8h/CFCh (PCI Local Bus Specification 3.0, 3.2.2.3.2) and in memory (PCI Express Base
 * Specification 3.0, 7.2.2), and the window for memory of functions. Port CF9h, inside the first, is the chipset's reset control.
 */
import type { AccessWidth, Device, DeviceContext, DeviceRegion, DeviceSpec, PciFunction, PciHost } from '@axvisor/axvisor_api/device';
import { gpa, rangeFromStartSize } from '@axvisor/axvisor_api/addr';
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import type { Model } from '../models/model.ts';
import { numberOption, ports } from '../pc/port_device.ts';
import { PciEndpoint } from './function.ts';

const Region = { ports: 0, ecam: 1, window: 2 } as const;
const CONFIG_ADDRESS = 0;
const RESET_CONTROL = 1;
const CONFIG_DATA = 4;
const ENABLE = 0x8000_0000;
/** A function's configuration space in memory. */
const FUNCTION_SHIFT = 12;
/** One bus. */
const ECAM_SIZE = 0x10_0000n;
/** CF9h: bit 2 resets when it is set, bit 1 says how hard. */
const Reset = { hard: 2, cpu: 4 } as const;

/** QEMU's host bridge of the board `pc`: firmware knows it and needs nothing of it. */
const IDENTITY = { vendor: 0x8086, device: 0x1237, subsystemVendor: 0x1af4, subsystem: 0x1100, classCode: 0x06_0000, revision: 2, interruptPin: 0 } as const;

const WINDOW_BASE = 0xc000_0000;
const WINDOW_SIZE = 0x2000_0000;

const ones = (width: AccessWidth): bigint => (1n << BigInt(8 * width)) - 1n;

class HostBridge implements Device, PciHost {
  readonly name: string;
  readonly model: string;
  readonly regions: readonly DeviceRegion[];
  readonly pciHost: PciHost = this;
  /** By device and function number. */
  readonly #functions = new Map<number, PciFunction>();
  readonly #own = new PciEndpoint(0, IDENTITY, [], []);
  readonly #requestReset: () => void;
  readonly #windowBase: bigint;
  readonly #windowEnd: bigint;
  /** The next free address in the window. */
  #free: bigint;
  #address = 0;
  #resetControl = 0;

  constructor(spec: DeviceSpec, { requestPower }: DeviceContext) {
    this.name = spec.name ?? 'pci';
    this.model = spec.model;
    this.#windowBase = this.#free = BigInt(numberOption(spec, 'window', WINDOW_BASE));
    const size = BigInt(numberOption(spec, 'windowSize', WINDOW_SIZE));
    this.#windowEnd = this.#windowBase + size;
    this.regions = [
      ports(0xcf8, 8),
      { space: 'mmio', range: rangeFromStartSize(gpa(spec.base), ECAM_SIZE) },
      { space: 'mmio', range: rangeFromStartSize(gpa(this.#windowBase), size) },
    ];
    this.#requestReset = () => requestPower('reset', 0);
    this.plug(this.#own);
  }

  plug(fn: PciFunction): void {
    const key = (fn.slot << 3) | fn.function;
    ensure(fn.slot >= 0 && fn.slot < 32, 'InvalidInput', `PCI device numbers are 0 to 31, not ${fn.slot}`);
    ensure(!this.#functions.has(key), 'AlreadyExists', `there is a PCI function at ${fn.slot}.${fn.function} already`);
    for (const { index, size } of fn.bars) {
      const at = (this.#free + size - 1n) & -size;
      if (at + size > this.#windowEnd) throw axError('NoMemory', `the PCI window has no room for ${size} bytes of device ${fn.slot}`);
      fn.assign(index, at);
      this.#free = at + size;
    }
    this.#functions.set(key, fn);
  }

  unplug(fn: PciFunction): void {
    this.#functions.delete((fn.slot << 3) | fn.function);
  }

  reset(): void {
    this.#address = this.#resetControl = 0;
    this.#own.reset();
  }

  read(offset: number, width: AccessWidth, region: number): bigint {
    switch (region) {
      case Region.ports:
        return this.#readPort(offset, width);
      case Region.ecam:
        return width === 8 ? this.#config(offset, 4) | (this.#config(offset + 4, 4) << 32n) : this.#config(offset, width);
      default:
        for (const fn of this.#functions.values()) {
          const value = fn.read(this.#windowBase + BigInt(offset), width);
          if (value !== undefined) return value;
        }
        return ones(width);
    }
  }

  write(offset: number, width: AccessWidth, value: bigint, region: number): void {
    switch (region) {
      case Region.ports:
        return this.#writePort(offset, width, value);
      case Region.ecam:
        this.#setConfig(offset, width === 8 ? 4 : width, value & 0xffff_ffffn);
        if (width === 8) this.#setConfig(offset + 4, 4, value >> 32n);
        return;
      default:
        for (const fn of this.#functions.values()) if (fn.write(this.#windowBase + BigInt(offset), width, value)) return;
    }
  }

  #readPort(offset: number, width: AccessWidth): bigint {
    if (offset >= CONFIG_DATA) return this.#selected(offset) === undefined || width === 8 ? ones(width) : this.#config(this.#selected(offset) as number, width);
    if (offset === CONFIG_ADDRESS && width === 4) return BigInt(this.#address);
    return offset === RESET_CONTROL && width === 1 ? BigInt(this.#resetControl) : ones(width);
  }

  #writePort(offset: number, width: AccessWidth, value: bigint): void {
    if (offset >= CONFIG_DATA) {
      const at = this.#selected(offset);
      if (at !== undefined && width !== 8) this.#setConfig(at, width, value);
    } else if (offset === CONFIG_ADDRESS && width === 4) this.#address = Number(value) & 0x80ff_fffc;
    else if (offset === RESET_CONTROL && width === 1) {
      const control = Number(value) & (Reset.hard | Reset.cpu);
      if ((control & ~this.#resetControl & Reset.cpu) !== 0) this.#requestReset();
      this.#resetControl = control;
    }
    this.#address >>>= 0;
  }

  /** Where in the memory of configuration spaces the selected register is; `undefined`: none is, or not on this bus. */
  #selected(port: number): number | undefined {
    const address = this.#address;
    if ((address & ENABLE) === 0 || ((address >>> 16) & 0xff) !== 0) return undefined;
    return (((address >>> 8) & 0xff) << FUNCTION_SHIFT) | (address & 0xfc) | (port & 3);
  }

  #config(at: number, width: 1 | 2 | 4): bigint {
    const offset = at & 0xfff;
    const fn = this.#functions.get(at >> FUNCTION_SHIFT);
    // What is not aligned, nobody answers.
    if (fn === undefined || offset % width !== 0) return ones(width);
    return BigInt(fn.configRead(offset, width) >>> 0);
  }

  #setConfig(at: number, width: 1 | 2 | 4, value: bigint): void {
    const offset = at & 0xfff;
    if (offset % width === 0) this.#functions.get(at >> FUNCTION_SHIFT)?.configWrite(offset, width, Number(value));
  }
}

export const pciHostBridge: Model = {
  model: 'pci-host',
  summary: 'PCI host bridge: configuration space at ports and in memory, window for functions',
  size: ECAM_SIZE,
  options: [
    { name: 'window', summary: 'address of the memory window of functions' },
    { name: 'windowSize', summary: 'its size' },
  ],
  create: (spec, context) => new HostBridge(spec, context),
};
