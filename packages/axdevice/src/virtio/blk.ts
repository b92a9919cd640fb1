/** The virtio block device (virtio 1.2, 5.2) on a disk of the host. */
import type { BlockBackend, DeviceContext, DeviceSpec } from '@axvisor/axvisor_api/device';
import { axError } from '@axvisor/axvisor_api/errors';
import type { Model } from '../models/model.ts';
import { DeviceId } from './constants.ts';
import type { VirtioDevice } from './device.ts';
import type { Chain, VirtQueue } from './queue.ts';
import { QueueError } from './queue.ts';
import { SegmentStream } from './stream.ts';
import { TRANSPORT_OPTION, virtio } from './transport.ts';

const BlkFeature = { segMax: 1n << 2n, readOnly: 1n << 5n, blkSize: 1n << 6n, flush: 1n << 9n } as const;
const RequestType = { in: 0, out: 1, flush: 4, getId: 8 } as const;
const BlkStatus = { ok: 0, ioError: 1, unsupported: 2 } as const;

const SECTOR = 512;
const HEADER_SIZE = 16;
const ID_SIZE = 20;
/** Segments of a request, header and status aside; a queue of 256 has room for it. */
const SEG_MAX = 254;
/** How much is moved between disk and guest at once. */
const CHUNK = 0x1_0000;

class VirtioBlk implements VirtioDevice {
  readonly deviceId = DeviceId.block;
  readonly queueCount = 1;
  readonly features: bigint;
  readonly config = new Uint8Array(64);
  readonly #disk: BlockBackend;
  readonly #memory: DeviceContext['memory'];
  readonly #id: Uint8Array;
  readonly #buffer = new Uint8Array(CHUNK);
  readonly #header = new DataView(new ArrayBuffer(HEADER_SIZE));

  constructor(disk: BlockBackend, memory: DeviceContext['memory'], id: string) {
    this.#disk = disk;
    this.#memory = memory;
    this.features = BlkFeature.segMax | BlkFeature.blkSize | BlkFeature.flush | (disk.readOnly ? BlkFeature.readOnly : 0n);
    this.#id = new Uint8Array(ID_SIZE).map((_, i) => id.charCodeAt(i) & 0x7f);
    const view = new DataView(this.config.buffer);
    view.setBigUint64(0, BigInt(disk.sectors), true);
    view.setUint32(12, SEG_MAX, true);
    view.setUint32(20, SECTOR, true);
  }

  reset(): void {
    // Requests are served whole; there is nothing in flight.
  }

  close(): void {
    try {
      this.#disk.flush();
    } finally {
      this.#disk.close();
    }
  }

  serve(_index: number, queue: VirtQueue, negotiated: bigint): void {
    do {
      for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) queue.push(chain.head, this.#request(chain, negotiated));
    } while (queue.rearm());
  }

  /** Serves one request and returns how many bytes were written to guest memory. */
  #request(chain: Chain, negotiated: bigint): number {
    const out = new SegmentStream(this.#memory, chain.readable);
    const into = new SegmentStream(this.#memory, chain.writable);
    if (out.remaining < HEADER_SIZE || into.remaining < 1) throw new QueueError('a block request without header or status');
    out.read(new Uint8Array(this.#header.buffer));
    const dataLength = into.remaining - 1;
    const status = this.#perform(this.#header.getUint32(0, true), this.#header.getBigUint64(8, true), out, into, dataLength, negotiated);
    const written = dataLength - (into.remaining - 1);
    into.skip(into.remaining - 1);
    into.write(Uint8Array.of(status));
    return written + 1;
  }

  #perform(type: number, sector: bigint, out: SegmentStream, into: SegmentStream, dataLength: number, negotiated: bigint): number {
    switch (type) {
      case RequestType.in:
        return this.#transfer(sector, dataLength, (at, piece) => {
          if (!this.#succeeds(() => this.#disk.read(at, piece))) return false;
          into.write(piece);
          return true;
        });
      case RequestType.out: {
        if (this.#disk.readOnly) return BlkStatus.ioError;
        const status = this.#transfer(sector, out.remaining, (at, piece) => {
          out.read(piece);
          return this.#succeeds(() => this.#disk.write(at, piece));
        });
        // Without the flush feature the driver expects writes to be stable when they complete (5.2.6.2).
        return status === BlkStatus.ok && (negotiated & BlkFeature.flush) === 0n ? this.#flush() : status;
      }
      case RequestType.flush:
        return this.#flush();
      case RequestType.getId:
        into.write(this.#id.subarray(0, Math.min(ID_SIZE, dataLength)));
        return BlkStatus.ok;
      default:
        return BlkStatus.unsupported;
    }
  }

  /** Moves `length` bytes piece by piece until `move` says that the disk failed. */
  #transfer(sector: bigint, length: number, move: (sector: number, piece: Uint8Array) => boolean): number {
    if (length % SECTOR !== 0 || sector + BigInt(length / SECTOR) > BigInt(this.#disk.sectors)) return BlkStatus.ioError;
    for (let done = 0; done < length; done += CHUNK)
      if (!move(Number(sector) + done / SECTOR, this.#buffer.subarray(0, Math.min(CHUNK, length - done)))) return BlkStatus.ioError;
    return BlkStatus.ok;
  }

  #flush(): number {
    return this.#succeeds(() => this.#disk.flush()) ? BlkStatus.ok : BlkStatus.ioError;
  }

  /** Whatever the disk throws is the request's error and no more; what guest memory throws is the queue's, and is not caught here. */
  #succeeds(operation: () => void): boolean {
    try {
      operation();
      return true;
    } catch {
      return false;
    }
  }
}

export const virtioBlk: Model = {
  model: 'virtio-blk',
  summary: 'virtio disk on a disk image of the host',
  size: 0x1000n,
  options: [TRANSPORT_OPTION],
  create: (spec: DeviceSpec, context: DeviceContext) => {
    const { block } = spec;
    if (block === undefined) throw axError('InvalidInput', `device ${spec.name ?? spec.model}: a virtio-blk device needs a disk`);
    return virtio(spec, context, () => new VirtioBlk(block, context.memory, spec.name ?? `axvisor-${spec.base.toString(16)}`));
  },
};
