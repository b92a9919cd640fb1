/** The virtio-pci transport without its legacy interface (virtio 1.2, 4.1): a PCI function whose capabilities say where its registers are in one BAR. */
import type { AccessWidth, Device, DeviceContext, DeviceRegion, DeviceSpec, PciFunction } from '@axvisor/axvisor_api/device';
import { ensure } from '@axvisor/axvisor_api/errors';
import { Command, PciEndpoint, type PciBar, type PciCapability } from '../pci/function.ts';
import { Msix } from '../pci/msix.ts';
import { DeviceId, InterruptStatus, QUEUE_SIZE_MAX } from './constants.ts';
import { VirtioCore, withHigh, withLow, type VirtioCause, type VirtioDevice, type VirtioPort } from './device.ts';
import type { VirtQueue } from './queue.ts';

const VENDOR = 0x1af4;
const FIRST_DEVICE = 0x1040;
const SUBSYSTEM = 0x1100;
/** Class codes: mass storage, communication controller, other. */
const CLASS: Readonly<Record<number, number>> = { [DeviceId.block]: 0x01_0000, [DeviceId.console]: 0x07_8000, [DeviceId.entropy]: 0x00_ff00 };

/** Where what is in the BAR, a page each. */
const BAR = 4;
const BAR_SIZE = 0x8000n;
const Page = { common: 0, isr: 1, device: 2, notify: 3, table: 4, pending: 5 } as const;
const PAGE = 0x1000;
const NOTIFY_MULTIPLIER = 4;

/** Capabilities (4.1.4): vendor-specific ones of these types. */
const VENDOR_CAPABILITY = 0x09;
const CfgType = { common: 1, notify: 2, isr: 3, device: 4, pci: 5 } as const;
/** Places of fields in such a capability. */
const Cap = { bar: 4, offset: 8, length: 12, extra: 16 } as const;

const NO_VECTOR = 0xffff;

/** The common configuration structure (4.1.4.3): offsets and widths. */
const Common = {
  deviceFeatureSelect: [0, 4], deviceFeature: [4, 4], driverFeatureSelect: [8, 4], driverFeature: [12, 4], configVector: [16, 2], numQueues: [18, 2],
  status: [20, 1], generation: [21, 1], queueSelect: [22, 2], queueSize: [24, 2], queueVector: [26, 2], queueEnable: [28, 2], queueNotifyOff: [30, 2],
  descLow: [32, 4], descHigh: [36, 4], driverLow: [40, 4], driverHigh: [44, 4], deviceLow: [48, 4], deviceHigh: [52, 4],
} as const;
type Field = keyof typeof Common;
const FIELDS = Object.entries(Common) as readonly (readonly [Field, readonly [number, number]])[];

const AREAS: Readonly<Partial<Record<Field, readonly ['descArea' | 'driverArea' | 'deviceArea', typeof withLow, bigint]>>> = {
  descLow: ['descArea', withLow, 0n], descHigh: ['descArea', withHigh, 32n],
  driverLow: ['driverArea', withLow, 0n], driverHigh: ['driverArea', withHigh, 32n],
  deviceLow: ['deviceArea', withLow, 0n], deviceHigh: ['deviceArea', withHigh, 32n],
};

function capability(type: number, page: number, length: number, extra?: number): PciCapability {
  const view = new DataView(new ArrayBuffer(extra === undefined ? 16 : 20));
  view.setUint8(2, view.byteLength);
  view.setUint8(3, type);
  view.setUint8(Cap.bar, BAR);
  view.setUint32(Cap.offset, page * PAGE, true);
  view.setUint32(Cap.length, length, true);
  if (extra !== undefined) view.setUint32(Cap.extra, extra, true);
  return { id: VENDOR_CAPABILITY, body: new Uint8Array(view.buffer, 2) };
}

export class VirtioPci implements Device {
  readonly name: string;
  readonly model: string;
  readonly regions: readonly DeviceRegion[] = [];
  readonly pci: PciFunction;
  readonly #endpoint: PciEndpoint;
  readonly #core: VirtioCore;
  readonly #msix: Msix;
  readonly #irq: DeviceContext['irq'];
  readonly #configAccess: DataView;
  #isr = 0;
  #deviceFeatureSelect = 0;
  #driverFeatureSelect = 0;
  #queueSelect = 0;
  #configVector = NO_VECTOR;
  readonly #queueVectors: Uint16Array;

  /** @throws {AxError} InvalidInput */
  constructor(spec: DeviceSpec, context: DeviceContext, make: (port: VirtioPort) => VirtioDevice) {
    ensure(spec.base >= 1n && spec.base < 32n, 'InvalidInput', `device ${spec.name ?? spec.model}: PCI device numbers are 1 to 31, not ${spec.base}`);
    this.name = spec.name ?? `virtio_pci@${spec.base}`;
    this.model = spec.model;
    this.#irq = context.irq;
    const core = new VirtioCore(context, make, (cause) => this.#interrupt(cause));
    this.#core = core;
    this.#queueVectors = new Uint16Array(core.queues.length);
    const msi = context.msi;
    this.#msix = new Msix(core.queues.length + 1, { bar: BAR, table: Page.table * PAGE, pending: Page.pending * PAGE }, (address, data) => msi?.(address, data));
    const bar: PciBar = { index: BAR, size: BAR_SIZE, read: (offset, width) => this.#read(offset, width), write: (offset, width, value) => this.#write(offset, width, value) };
    const capabilities: PciCapability[] = [
      capability(CfgType.common, Page.common, 56),
      capability(CfgType.notify, Page.notify, NOTIFY_MULTIPLIER * core.queues.length, NOTIFY_MULTIPLIER),
      capability(CfgType.isr, Page.isr, 1),
      capability(CfgType.device, Page.device, PAGE),
      this.#configAccessCapability(),
    ];
    // Without a way to send messages there is no MSI-X to announce.
    if (msi !== undefined) capabilities.push(this.#msix.capability);
    const deviceId = core.device.deviceId;
    this.#endpoint = new PciEndpoint(
      Number(spec.base),
      {
        vendor: VENDOR, device: FIRST_DEVICE + deviceId, subsystemVendor: VENDOR, subsystem: SUBSYSTEM, classCode: CLASS[deviceId] ?? 0x00_ff00, revision: 1,
        interruptPin: this.#irq === undefined ? 0 : 1,
      },
      [bar],
      capabilities,
    );
    this.pci = this.#endpoint;
    this.#endpoint.onCommand = () => this.#update();
    this.#configAccess = this.#endpoint.capability(4);
    if (msi !== undefined) {
      const view = this.#endpoint.capability(capabilities.length - 1);
      this.#msix.control = () => view.getUint16(2, true);
    }
    this.#resetDevice();
  }

  /** Access to the BAR by way of configuration space (4.1.4.9), for software that cannot map it. */
  #configAccessCapability(): PciCapability {
    const writable = new Uint8Array(18);
    writable.fill(0xff, Cap.bar - 2, Cap.bar - 1);
    writable.fill(0xff, Cap.offset - 2);
    const access = (perform: (offset: number, width: 1 | 2 | 4) => void): void => {
      const length = this.#configAccess.getUint32(Cap.length, true);
      const offset = this.#configAccess.getUint32(Cap.offset, true);
      if (this.#configAccess.getUint8(Cap.bar) !== BAR || (length !== 1 && length !== 2 && length !== 4)) return;
      if (offset % length === 0 && offset + length <= Number(BAR_SIZE)) perform(offset, length);
    };
    return {
      ...capability(CfgType.pci, 0, 0, 0),
      writable,
      read: (at, width) => {
        if (at !== Cap.extra) return undefined;
        access((offset, length) => this.#configAccess.setUint32(Cap.extra, Number(this.#read(offset, length)), true));
        const value = this.#configAccess.getUint32(Cap.extra, true);
        return width === 4 ? value : value & (width === 1 ? 0xff : 0xffff);
      },
      written: (at) => {
        if (at !== Cap.extra) return;
        access((offset, length) => this.#write(offset, length, BigInt.asUintN(8 * length, BigInt(this.#configAccess.getUint32(Cap.extra, true)))));
      },
    };
  }

  reset(): void {
    this.#msix.reset();
    this.#resetDevice();
    this.#endpoint.reset();
  }

  async close(): Promise<void> {
    this.#core.device.close?.();
  }

  // A PCI function has no region of its own on the bus.
  read(_offset: number, width: AccessWidth): bigint {
    return (1n << BigInt(8 * width)) - 1n;
  }

  write(): void {
    // Nothing is there.
  }

  #resetDevice(): void {
    this.#core.reset();
    for (const queue of this.#core.queues) queue.size = QUEUE_SIZE_MAX;
    this.#isr = this.#deviceFeatureSelect = this.#driverFeatureSelect = this.#queueSelect = 0;
    this.#configVector = NO_VECTOR;
    this.#queueVectors.fill(NO_VECTOR);
    this.#update();
  }

  #interrupt(cause: VirtioCause): void {
    if (this.#msix.enabled) this.#msix.signal(cause === 'config' ? this.#configVector : (this.#queueVectors[cause.queue] as number));
    else {
      this.#isr |= cause === 'config' ? InterruptStatus.configChange : InterruptStatus.usedBuffer;
      this.#update();
    }
  }

  #update(): void {
    const asked = this.#isr !== 0;
    this.#endpoint.setInterruptStatus(asked);
    this.#irq?.set(asked && (this.#endpoint.command & Command.intxDisable) === 0 && !this.#msix.enabled);
  }

  #read(offset: number, width: AccessWidth): bigint {
    const at = offset % PAGE;
    switch (Math.floor(offset / PAGE)) {
      case Page.common:
        return width === 8 ? this.#readCommon(at, 4) | (this.#readCommon(at + 4, 4) << 32n) : this.#readCommon(at, width);
      case Page.isr:
        return this.#readIsr(at);
      case Page.device:
        return this.#core.readConfig(at, width);
      case Page.table:
        return this.#msix.readTable(at, width);
      case Page.pending:
        return this.#msix.readPending(at, width);
      default:
        return 0n;
    }
  }

  #write(offset: number, width: AccessWidth, value: bigint): void {
    const at = offset % PAGE;
    switch (Math.floor(offset / PAGE)) {
      case Page.common:
        this.#writeCommon(at, width === 8 ? 4 : width, Number(value & 0xffff_ffffn));
        if (width === 8) this.#writeCommon(at + 4, 4, Number(value >> 32n));
        return;
      case Page.notify:
        return this.#core.schedule(Math.floor(at / NOTIFY_MULTIPLIER));
      case Page.table:
        return this.#msix.writeTable(at, width, value);
      default:
        // No device of ours has writable configuration.
    }
  }

  /** Reading takes the interrupt away (4.1.4.5). */
  #readIsr(at: number): bigint {
    if (at !== 0) return 0n;
    const isr = this.#isr;
    this.#isr = 0;
    this.#update();
    return BigInt(isr);
  }

  get #queue(): VirtQueue | undefined {
    return this.#core.queues[this.#queueSelect];
  }

  /** Reads a field or a part of one. */
  #readCommon(at: number, width: 1 | 2 | 4): bigint {
    const found = FIELDS.find(([, [first, size]]) => at >= first && at + width <= first + size);
    if (found === undefined) return 0n;
    return BigInt.asUintN(8 * width, BigInt(this.#field(found[0]) >>> 0) >> BigInt(8 * (at - found[1][0])));
  }

  #field(field: Field): number {
    const queue = this.#queue;
    const area = AREAS[field];
    if (area !== undefined) return queue === undefined ? 0 : Number((queue[area[0]] >> area[2]) & 0xffff_ffffn);
    switch (field) {
      case 'deviceFeatureSelect':
        return this.#deviceFeatureSelect;
      case 'deviceFeature':
        return this.#core.deviceFeatures(this.#deviceFeatureSelect);
      case 'driverFeatureSelect':
        return this.#driverFeatureSelect;
      case 'driverFeature':
        return this.#core.driverFeatures(this.#driverFeatureSelect);
      case 'configVector':
        return this.#configVector;
      case 'numQueues':
        return this.#core.queues.length;
      case 'status':
        return this.#core.status;
      case 'queueSelect':
        return this.#queueSelect;
      case 'queueSize':
        return queue?.size ?? 0;
      case 'queueVector':
        return this.#queueVectors[this.#queueSelect] ?? NO_VECTOR;
      case 'queueEnable':
        return queue?.ready === true ? 1 : 0;
      case 'queueNotifyOff':
        return queue === undefined ? 0 : this.#queueSelect;
      default:
        return 0;
    }
  }

  /** Fields are written whole (4.1.3.1); anything else is ignored. */
  #writeCommon(at: number, width: 1 | 2 | 4, value: number): void {
    const found = FIELDS.find(([, [first, size]]) => at === first && width === size);
    if (found !== undefined) this.#setField(found[0], value >>> 0);
  }

  #setField(field: Field, value: number): void {
    const vector = value < this.#core.queues.length + 1 ? value : NO_VECTOR;
    switch (field) {
      case 'deviceFeatureSelect':
        this.#deviceFeatureSelect = value;
        return;
      case 'driverFeatureSelect':
        this.#driverFeatureSelect = value;
        return;
      case 'driverFeature':
        return this.#core.setDriverFeatures(this.#driverFeatureSelect, value);
      case 'configVector':
        this.#configVector = vector;
        return;
      case 'status':
        return value === 0 ? this.#resetDevice() : this.#core.setStatus(value);
      case 'queueSelect':
        this.#queueSelect = value;
        return;
      default:
    }
    const queue = this.#queue;
    if (queue === undefined) return;
    if (field === 'queueVector') this.#queueVectors[this.#queueSelect] = vector;
    // The layout of a live queue does not change, and it lives until the device is reset.
    if (queue.ready) return;
    if (field === 'queueEnable') this.#core.setReady(queue, value === 1);
    else if (field === 'queueSize' && value > 0 && value <= QUEUE_SIZE_MAX && (value & (value - 1)) === 0) queue.size = value;
    const area = AREAS[field];
    if (area !== undefined) queue[area[0]] = area[1](queue[area[0]], value);
  }
}
