/** The virtio-mmio transport, version 2 (virtio 1.2, 4.2): registers and interrupt status. */
import type { AccessWidth, Device, DeviceContext, DeviceRegion, DeviceSpec, FdtNode } from '@axvisor/axvisor_api/device';
import { deviceName, mmioRegion } from '../models/model.ts';
import { InterruptStatus, QUEUE_SIZE_MAX } from './constants.ts';
import { VirtioCore, withHigh, withLow, type VirtioDevice, type VirtioPort } from './device.ts';
import type { VirtQueue } from './queue.ts';

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
  readonly #core: VirtioCore;
  readonly #irq: DeviceContext['irq'];
  #interrupt = 0;
  #deviceFeaturesSel = 0;
  #driverFeaturesSel = 0;
  #queueSel = 0;

  constructor(spec: DeviceSpec, context: DeviceContext, make: (port: VirtioPort) => VirtioDevice) {
    this.name = deviceName(spec, 'virtio_mmio');
    this.model = spec.model;
    this.regions = [mmioRegion(spec, SIZE)];
    this.#irq = context.irq;
    this.#core = new VirtioCore(context, make, (cause) => {
      this.#interrupt |= cause === 'config' ? InterruptStatus.configChange : InterruptStatus.usedBuffer;
      this.#update();
    });
  }

  reset(): void {
    this.#interrupt = this.#deviceFeaturesSel = this.#driverFeaturesSel = this.#queueSel = 0;
    this.#core.reset();
    this.#update();
  }

  async close(): Promise<void> {
    this.#core.device.close?.();
  }

  read(offset: number, width: AccessWidth): bigint {
    if (offset >= Reg.config) return this.#core.readConfig(offset - Reg.config, width);
    return width === 4 && (offset & 3) === 0 ? BigInt(this.#readRegister(offset) >>> 0) : 0n;
  }

  write(offset: number, width: AccessWidth, value: bigint): void {
    // No device of ours has writable configuration.
    if (offset < Reg.config && width === 4 && (offset & 3) === 0) this.#writeRegister(offset, Number(value));
  }

  get #queue(): VirtQueue | undefined {
    return this.#core.queues[this.#queueSel];
  }

  #readRegister(offset: number): number {
    switch (offset) {
      case Reg.magic:
        return MAGIC;
      case Reg.version:
        return VERSION;
      case Reg.deviceId:
        return this.#core.device.deviceId;
      case Reg.vendorId:
        return VENDOR;
      case Reg.deviceFeatures:
        return this.#core.deviceFeatures(this.#deviceFeaturesSel);
      case Reg.queueNumMax:
        return this.#queue === undefined ? 0 : QUEUE_SIZE_MAX;
      case Reg.queueReady:
        return this.#queue?.ready === true ? 1 : 0;
      case Reg.interruptStatus:
        return this.#interrupt;
      case Reg.status:
        return this.#core.status;
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
    switch (offset) {
      case Reg.deviceFeaturesSel:
        this.#deviceFeaturesSel = value >>> 0;
        return;
      case Reg.driverFeaturesSel:
        this.#driverFeaturesSel = value >>> 0;
        return;
      case Reg.driverFeatures:
        return this.#core.setDriverFeatures(this.#driverFeaturesSel, value);
      case Reg.queueSel:
        this.#queueSel = value >>> 0;
        return;
      case Reg.queueNotify:
        return this.#core.schedule(value >>> 0);
      case Reg.interruptAck:
        this.#interrupt &= ~value;
        return this.#update();
      case Reg.status:
        return (value & 0xff) === 0 ? this.reset() : this.#core.setStatus(value & 0xff);
      default:
    }
    const queue = this.#queue;
    if (queue === undefined) return;
    if (offset === Reg.queueReady) return this.#core.setReady(queue, (value & 1) === 1);
    // The layout of a live queue does not change.
    if (queue.ready) return;
    if (offset === Reg.queueNum) queue.size = value > 0 && value <= QUEUE_SIZE_MAX && (value & (value - 1)) === 0 ? value : 0;
    const half = AREA_HALVES[offset];
    if (half !== undefined) queue[half.area] = half.set(queue[half.area], value);
  }

  #update(): void {
    this.#irq?.set(this.#interrupt !== 0);
  }
}
