/**
 * A virtio device apart from its transport (virtio 1.2, chapters 2 and 3): status, feature negotiation, queues and when they are served. A transport
 * has registers for all that, and a way to interrupt.
 */
import type { AccessWidth, DeviceContext } from '@axvisor/axvisor_api/device';
import { Feature, Status } from './constants.ts';
import { VirtQueue } from './queue.ts';

/** What a virtio device does behind its transport. */
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

/** Why the driver is interrupted: buffers of a queue were used, or the configuration (also DEVICE_NEEDS_RESET) changed. */
export type VirtioCause = { readonly queue: number } | 'config';

const LOW = 0xffff_ffffn;
export const withLow = (value: bigint, low: number): bigint => (value & ~LOW) | BigInt(low >>> 0);
export const withHigh = (value: bigint, high: number): bigint => (value & LOW) | (BigInt(high >>> 0) << 32n);

export class VirtioCore {
  readonly device: VirtioDevice;
  readonly queues: readonly VirtQueue[];
  readonly #context: DeviceContext;
  readonly #interrupt: (cause: VirtioCause) => void;
  /** Queues that will be served once the guest has been left. */
  readonly #scheduled = new Set<number>();
  #status = 0;
  #driverFeatures = 0n;

  constructor(context: DeviceContext, make: (port: VirtioPort) => VirtioDevice, interrupt: (cause: VirtioCause) => void) {
    this.#context = context;
    this.#interrupt = interrupt;
    this.device = make({ schedule: (index) => this.schedule(index) });
    this.queues = Array.from({ length: this.device.queueCount }, () => new VirtQueue(context.memory));
  }

  get status(): number {
    return this.#status;
  }

  get #features(): bigint {
    return this.device.features | Feature.version1 | Feature.eventIdx | Feature.indirectDesc;
  }

  reset(): void {
    this.#status = 0;
    this.#driverFeatures = 0n;
    this.#scheduled.clear();
    for (const queue of this.queues) queue.reset();
    this.device.reset();
  }

  readConfig(offset: number, width: AccessWidth): bigint {
    let value = 0n;
    for (let i = 0; i < width; i++) value |= BigInt(this.device.config[offset + i] ?? 0) << BigInt(8 * i);
    return value;
  }

  /** 32 of the feature bits that the device offers, by selector. */
  deviceFeatures(select: number): number {
    return select > 1 ? 0 : Number((this.#features >> BigInt(32 * select)) & LOW);
  }

  driverFeatures(select: number): number {
    return select > 1 ? 0 : Number((this.#driverFeatures >> BigInt(32 * select)) & LOW);
  }

  /** What the driver accepts; no more once FEATURES_OK is set. */
  setDriverFeatures(select: number, value: number): void {
    if ((this.#status & Status.featuresOk) !== 0 || select > 1) return;
    this.#driverFeatures = select === 0 ? withLow(this.#driverFeatures, value) : withHigh(this.#driverFeatures, value);
  }

  /** The driver's status; 0, a reset, is the transport's business. */
  setStatus(value: number): void {
    let accepted = value;
    // FEATURES_OK stays clear if the driver took what was not offered, or is a legacy driver (3.1.1).
    if ((value & Status.featuresOk) !== 0 && ((this.#driverFeatures & ~this.#features) !== 0n || (this.#driverFeatures & Feature.version1) === 0n))
      accepted &= ~Status.featuresOk;
    this.#status = accepted | (this.#status & Status.needsReset);
    if ((accepted & Status.driverOk) !== 0) for (const index of this.queues.keys()) this.schedule(index);
  }

  setReady(queue: VirtQueue, ready: boolean): void {
    queue.ready = ready && queue.size > 0;
    queue.eventIdx = (this.#driverFeatures & Feature.eventIdx) !== 0n;
  }

  schedule(index: number): void {
    const live = Status.driverOk | Status.needsReset;
    if (index >= this.queues.length || (this.#status & live) !== Status.driverOk || this.#scheduled.has(index)) return;
    this.#scheduled.add(index);
    this.#context.defer(() => {
      if (this.#scheduled.delete(index)) this.#serve(index);
    });
  }

  #serve(index: number): void {
    const queue = this.queues[index] as VirtQueue;
    if (!queue.ready) return;
    try {
      this.device.serve(index, queue, this.#driverFeatures);
      if (queue.shouldInterrupt()) this.#interrupt({ queue: index });
    } catch {
      // The driver gave a ring or buffer that is not memory, or broke the format: it must reset the device (2.1.2).
      this.#status |= Status.needsReset;
      this.#interrupt('config');
    }
  }
}
