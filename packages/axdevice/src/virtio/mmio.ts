/** The virtio-mmio transport, version 2 (virtio 1.2, 4.2): registers, feature negotiation, queues, interrupts. */
import type { AccessWidth, Device, DeviceContext, DeviceRegion, DeviceSpec, FdtNode } from '@axvisor/axvisor_api/device';
import { deviceName, mmioRegion } from '../models/model.ts';
import { Feature, InterruptStatus, QUEUE_SIZE_MAX, Status } from './constants.ts';
import { VirtQueue } from './queue.ts';

/** A virtio device behind the transport. */
export interface VirtioDevice {
  readonly deviceId: number;
  /** Feature bits of the device type. */
  readonly features: bigint;
  readonly queueCount: number;
  /** Configuration space, little-endian. */
  readonly config: Uint8Array;
  /** Serves queue `index`, which the driver notified or where work became possible. */
  serve(index: number, queue: VirtQueue, negotiated: bigint): void;
  reset(): void;
  close?(): void;
}

/** What the transport gives to its device. */
export interface VirtioPort {
  /** Serves queue `index` once the guest has been left. */
  schedule(index: number): void;
}

const Reg = {
  magic: 0x000, version: 0x004, deviceId: 0x008, vendorId: 0x00c, deviceFeatures: 0x010, deviceFeaturesSel: 0x014,
  driverFeatures: 0x020, driverFeaturesSel: 0x024, queueSel: 0x030, queueNumMax: 0x034, queueNum: 0x038, queueReady: 0x044,
  queueNotify: 0x050, interruptStatus: 0x060, interruptAck: 0x064, status: 0x070, queueDescLow: 0x080, queueDescHigh: 0x084,
  queueDriverLow: 0x090, queueDriverHigh: 0x094, queueDeviceLow: 0x0a0, queueDeviceHigh: 0x0a4, shmLenLow: 0x0b0,
  shmLenHigh: 0x0b4, shmBaseLow: 0x0b8, shmBaseHigh: 0x0bc, configGeneration: 0x0fc, config: 0x100,
} as const;

const MAGIC = 0x7472_6976; // "virt"
const VERSION = 2;
const VENDOR = 0x4158_5653; // "SVXA": ours
const SIZE = 0x1000n;
const LOW = 0xffff_ffffn;

const withLow = (value: bigint, low: number): bigint => (value & ~LOW) | BigInt(low >>> 0);
const withHigh = (value: bigint, high: number): bigint => (value & LOW) | (BigInt(high >>> 0) << 32n);

/** Each half of a queue's area addresses has a register of its own. */
const AREA_HALVES: Readonly<Record<number, { readonly area: 'descArea' | 'driverArea' | 'deviceArea'; readonly set: typeof withLow }>> = {
  [Reg.queueDescLow]: { area: 'descArea', set: withLow },
  [Reg.queueDescHigh]: { area: 'descArea', set: withHigh },
  [Reg.queueDriverLow]: { area: 'driverArea', set: withLow },
  [Reg.queueDriverHigh]: { area: 'driverArea', set: withHigh },
  [Reg.queueDeviceLow]: { area: 'deviceArea', set: withLow },
  [Reg.queueDeviceHigh]: { area: 'deviceArea', set: withHigh },
};

export class VirtioMmio implements Device {
  readonly name: string;
  readonly model: string;
  readonly regions: readonly DeviceRegion[];
  readonly fdt: FdtNode = { node: 'virtio_mmio', compatible: ['virtio,mmio'] };
  // The acknowledgement of an interrupt is not among them: if it came late, it would take the next one with it.
  readonly posted: readonly number[] = [Reg.queueNotify];
  readonly latched: NonNullable<Device['latched']> = [{ offset: Reg.interruptStatus, width: 4, value: () => this.#interrupt }];
  readonly #device: VirtioDevice;
  readonly #context: DeviceContext;
  readonly #queues: VirtQueue[];
  /** Queues that will be served once the guest has been left. */
  readonly #scheduled = new Set<number>();
  #status = 0;
  #interrupt = 0;
  #deviceFeaturesSel = 0;
  #driverFeaturesSel = 0;
  #driverFeatures = 0n;
  #queueSel = 0;

  constructor(spec: DeviceSpec, context: DeviceContext, make: (port: VirtioPort) => VirtioDevice) {
    this.name = deviceName(spec, 'virtio_mmio');
    this.model = spec.model;
    this.regions = [mmioRegion(spec, SIZE)];
    this.#context = context;
    this.#device = make({ schedule: (index) => this.#schedule(index) });
    this.#queues = Array.from({ length: this.#device.queueCount }, () => new VirtQueue(context.memory));
  }

  reset(): void {
    this.#status = this.#interrupt = this.#deviceFeaturesSel = this.#driverFeaturesSel = this.#queueSel = 0;
    this.#driverFeatures = 0n;
    this.#scheduled.clear();
    for (const queue of this.#queues) queue.reset();
    this.#device.reset();
    this.#update();
  }

  async close(): Promise<void> {
    this.#device.close?.();
  }

  read(offset: number, width: AccessWidth): bigint {
    if (offset >= Reg.config) return this.#readConfig(offset - Reg.config, width);
    return width === 4 && (offset & 3) === 0 ? BigInt(this.#readRegister(offset) >>> 0) : 0n;
  }

  write(offset: number, width: AccessWidth, value: bigint): void {
    // No device of ours has writable configuration.
    if (offset < Reg.config && width === 4 && (offset & 3) === 0) this.#writeRegister(offset, Number(value));
  }

  get #features(): bigint {
    return this.#device.features | Feature.version1 | Feature.eventIdx | Feature.indirectDesc;
  }

  get #queue(): VirtQueue | undefined {
    return this.#queues[this.#queueSel];
  }

  #readConfig(offset: number, width: AccessWidth): bigint {
    let value = 0n;
    for (let i = 0; i < width; i++) value |= BigInt(this.#device.config[offset + i] ?? 0) << BigInt(8 * i);
    return value;
  }

  #readRegister(offset: number): number {
    switch (offset) {
      case Reg.magic:
        return MAGIC;
      case Reg.version:
        return VERSION;
      case Reg.deviceId:
        return this.#device.deviceId;
      case Reg.vendorId:
        return VENDOR;
      case Reg.deviceFeatures:
        return this.#deviceFeaturesSel > 1 ? 0 : Number((this.#features >> BigInt(32 * this.#deviceFeaturesSel)) & LOW);
      case Reg.queueNumMax:
        return this.#queue === undefined ? 0 : QUEUE_SIZE_MAX;
      case Reg.queueReady:
        return this.#queue?.ready === true ? 1 : 0;
      case Reg.interruptStatus:
        return this.#interrupt;
      case Reg.status:
        return this.#status;
      case Reg.shmLenLow:
      case Reg.shmLenHigh:
      case Reg.shmBaseLow:
      case Reg.shmBaseHigh:
        return -1; // no such shared-memory region
      default:
        return 0;
    }
  }

  #writeRegister(offset: number, value: number): void {
    const queue = this.#queue;
    switch (offset) {
      case Reg.deviceFeaturesSel:
        this.#deviceFeaturesSel = value >>> 0;
        return;
      case Reg.driverFeaturesSel:
        this.#driverFeaturesSel = value >>> 0;
        return;
      case Reg.driverFeatures:
        if ((this.#status & Status.featuresOk) !== 0 || this.#driverFeaturesSel > 1) return;
        this.#driverFeatures = this.#driverFeaturesSel === 0 ? withLow(this.#driverFeatures, value) : withHigh(this.#driverFeatures, value);
        return;
      case Reg.queueSel:
        this.#queueSel = value >>> 0;
        return;
      case Reg.queueNotify:
        if (value >>> 0 < this.#queues.length) this.#schedule(value);
        return;
      case Reg.interruptAck:
        this.#interrupt &= ~value;
        return this.#update();
      case Reg.status:
        return this.#writeStatus(value & 0xff);
      default:
    }
    if (queue === undefined) return;
    if (offset === Reg.queueReady) {
      queue.ready = (value & 1) === 1 && queue.size > 0;
      queue.eventIdx = (this.#driverFeatures & Feature.eventIdx) !== 0n;
      return;
    }
    // The layout of a live queue does not change.
    if (queue.ready) return;
    if (offset === Reg.queueNum) queue.size = value > 0 && value <= QUEUE_SIZE_MAX && (value & (value - 1)) === 0 ? value : 0;
    const half = AREA_HALVES[offset];
    if (half !== undefined) queue[half.area] = half.set(queue[half.area], value);
  }

  #writeStatus(value: number): void {
    if (value === 0) return this.reset();
    let accepted = value;
    // FEATURES_OK stays clear if the driver took what was not offered, or is a legacy driver (3.1.1).
    if ((value & Status.featuresOk) !== 0 && ((this.#driverFeatures & ~this.#features) !== 0n || (this.#driverFeatures & Feature.version1) === 0n))
      accepted &= ~Status.featuresOk;
    this.#status = accepted | (this.#status & Status.needsReset);
    if ((accepted & Status.driverOk) !== 0) for (const index of this.#queues.keys()) this.#schedule(index);
  }

  #schedule(index: number): void {
    const live = Status.driverOk | Status.needsReset;
    if ((this.#status & live) !== Status.driverOk || this.#scheduled.has(index)) return;
    this.#scheduled.add(index);
    this.#context.defer(() => {
      if (this.#scheduled.delete(index)) this.#serve(index);
    });
  }

  #serve(index: number): void {
    const queue = this.#queues[index] as VirtQueue;
    if (!queue.ready) return;
    try {
      this.#device.serve(index, queue, this.#driverFeatures);
      if (queue.shouldInterrupt()) this.#interrupt |= InterruptStatus.usedBuffer;
    } catch {
      // The driver gave a ring or buffer that is not memory, or broke the format: it must reset the device (2.1.2).
      this.#status |= Status.needsReset;
      this.#interrupt |= InterruptStatus.configChange;
    }
    this.#update();
  }

  #update(): void {
    this.#context.irq?.set(this.#interrupt !== 0);
  }
}
