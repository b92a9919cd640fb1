/**
 * A split virtqueue (virtio 1.2, 2.7) on the device's side. Everything the driver wrote is validated: a bad ring or descriptor
 * is a {@link QueueError}, upon which the transport sets DEVICE_NEEDS_RESET.
 */
import type { GuestPhysAddr } from '@axvisor/axvisor_api/addr';
import type { GuestMemoryAccessor } from '@axvisor/axvisor_api/addrspace';
import { AVAIL_NO_INTERRUPT, DESC_SIZE, DescFlag, REQUEST_BYTES_MAX } from './constants.ts';

/** The driver broke the rules of the queue. */
export class QueueError extends Error {
  override readonly name = 'QueueError';
}

/** A piece of guest memory. */
export interface Segment {
  readonly address: bigint;
  readonly length: number;
}

/** A request: what the device reads, then what it writes. */
export interface Chain {
  readonly head: number;
  readonly readable: readonly Segment[];
  readonly writable: readonly Segment[];
}

const at = (address: bigint): GuestPhysAddr => BigInt.asUintN(64, address) as GuestPhysAddr;

export class VirtQueue {
  readonly #memory: GuestMemoryAccessor;
  size = 0;
  ready = false;
  descArea = 0n;
  driverArea = 0n;
  deviceArea = 0n;
  /** Whether VIRTIO_F_EVENT_IDX is negotiated. */
  eventIdx = false;
  #nextAvail = 0;
  #nextUsed = 0;
  /** Where the used index was when the driver was last told. */
  #signalledUsed = 0;

  constructor(memory: GuestMemoryAccessor) {
    this.#memory = memory;
  }

  reset(): void {
    this.size = 0;
    this.ready = false;
    this.descArea = this.driverArea = this.deviceArea = 0n;
    this.#nextAvail = this.#nextUsed = this.#signalledUsed = 0;
  }

  /** Takes the next request, if there is one. @throws {QueueError} @throws {AxError} for addresses that are not memory */
  pop(): Chain | undefined {
    if (!this.ready) return undefined;
    const availIdx = this.#u16(this.driverArea + 2n);
    const waiting = (availIdx - this.#nextAvail) & 0xffff;
    if (waiting === 0) return undefined;
    if (waiting > this.size) throw new QueueError(`the available index is ${waiting} ahead in a queue of ${this.size}`);
    const head = this.#u16(this.driverArea + 4n + 2n * BigInt(this.#nextAvail % this.size));
    this.#nextAvail = (this.#nextAvail + 1) & 0xffff;
    return this.#chain(head);
  }

  /** Whether a request arrived since the queue was found empty, after telling the driver to notify about the next one. */
  rearm(): boolean {
    if (this.eventIdx) this.#memory.writeValue(at(this.deviceArea + 4n + 8n * BigInt(this.size)), 2, BigInt(this.#nextAvail));
    return this.#u16(this.driverArea + 2n) !== this.#nextAvail;
  }

  /** Returns a request of which `written` bytes were written. */
  push(head: number, written: number): void {
    const entry = this.deviceArea + 4n + 8n * BigInt(this.#nextUsed % this.size);
    this.#memory.writeValue(at(entry), 8, (BigInt(written) << 32n) | BigInt(head));
    this.#nextUsed = (this.#nextUsed + 1) & 0xffff;
    this.#memory.writeValue(at(this.deviceArea + 2n), 2, BigInt(this.#nextUsed));
  }

  /** Whether the driver wants an interrupt for what was pushed since the last call (2.7.7). */
  shouldInterrupt(): boolean {
    const used = this.#nextUsed;
    const before = this.#signalledUsed;
    if (used === before) return false;
    this.#signalledUsed = used;
    if (!this.eventIdx) return (this.#u16(this.driverArea) & AVAIL_NO_INTERRUPT) === 0;
    const event = this.#u16(this.driverArea + 4n + 2n * BigInt(this.size));
    return ((used - event - 1) & 0xffff) < ((used - before) & 0xffff);
  }

  #u16(address: bigint): number {
    return Number(this.#memory.readValue(at(address), 2));
  }

  #chain(head: number): Chain {
    const readable: Segment[] = [];
    const writable: Segment[] = [];
    const total = { readable: 0, writable: 0 };
    const collect = (table: bigint, count: number, first: number, indirect: boolean): void => {
      let index = first;
      for (let seen = 0; ; seen++) {
        if (seen >= count) throw new QueueError('a descriptor chain loops');
        if (index >= count) throw new QueueError(`descriptor ${index} in a table of ${count}`);
        const entry = table + BigInt(DESC_SIZE * index);
        const address = this.#memory.readValue(at(entry), 8);
        const rest = this.#memory.readValue(at(entry + 8n), 8);
        const length = Number(rest & 0xffff_ffffn);
        const flags = Number((rest >> 32n) & 0xffffn);
        if ((flags & DescFlag.indirect) !== 0) {
          if (indirect || (flags & DescFlag.next) !== 0) throw new QueueError('an indirect descriptor inside a chain or a table');
          if (length === 0 || length % DESC_SIZE !== 0 || length / DESC_SIZE > 0x8000) throw new QueueError(`an indirect table of ${length} bytes`);
          return collect(address, length / DESC_SIZE, 0, true);
        }
        if ((total[(flags & DescFlag.write) !== 0 ? 'writable' : 'readable'] += length) > REQUEST_BYTES_MAX) throw new QueueError('a request of more than 16 MiB');
        if ((flags & DescFlag.write) !== 0) writable.push({ address, length });
        else if (writable.length > 0) throw new QueueError('a readable descriptor after a writable one');
        else readable.push({ address, length });
        if ((flags & DescFlag.next) === 0) return;
        index = Number(rest >> 48n);
      }
    };
    collect(this.descArea, this.size, head, false);
    return { head, readable, writable };
  }
}
