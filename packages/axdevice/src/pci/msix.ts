/** MSI-X (PCI Local Bus Specification 3.0, 6.8.2): the vector table, the pending bits, and the capability. */
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import type { PciCapability } from './function.ts';

const CAPABILITY_ID = 0x11;
const ENTRY_SIZE = 16;
/** Message control: enable and function mask. */
const Control = { enable: 0x8000, mask: 0x4000 } as const;
/** Vector control, in the fourth word of an entry. */
const MASKED = 1;

export class Msix {
  readonly capability: PciCapability;
  readonly #count: number;
  readonly #send: (address: bigint, data: number) => void;
  readonly #table: DataView;
  readonly #pending: Uint8Array;
  /** Reads the message control register. */
  control: () => number = () => 0;

  /**
   * @param place - the BAR of table and pending bits, and their offsets in it
   * @param send - signals the message
   */
  constructor(count: number, place: { readonly bar: number; readonly table: number; readonly pending: number }, send: (address: bigint, data: number) => void) {
    this.#count = count;
    this.#send = send;
    this.#table = new DataView(new ArrayBuffer(ENTRY_SIZE * count));
    this.#pending = new Uint8Array(8 * Math.ceil(count / 64));
    const body = new DataView(new ArrayBuffer(10));
    body.setUint16(0, count - 1, true);
    body.setUint32(2, place.table | place.bar, true);
    body.setUint32(6, place.pending | place.bar, true);
    const writable = new Uint8Array(10);
    writable[1] = (Control.enable | Control.mask) >> 8;
    this.capability = { id: CAPABILITY_ID, body: new Uint8Array(body.buffer), writable, written: () => this.#flush() };
    this.reset();
  }

  reset(): void {
    for (let i = 0; i < this.#count; i++) {
      for (const word of [0, 4, 8]) this.#table.setUint32(ENTRY_SIZE * i + word, 0, true);
      this.#table.setUint32(ENTRY_SIZE * i + 12, MASKED, true);
    }
    this.#pending.fill(0);
  }

  get enabled(): boolean {
    return (this.control() & Control.enable) !== 0;
  }

  /** Signals `vector`, or keeps it pending while it is masked. */
  signal(vector: number): void {
    if (vector >= this.#count || !this.enabled) return;
    const entry = ENTRY_SIZE * vector;
    if ((this.control() & Control.mask) !== 0 || (this.#table.getUint32(entry + 12, true) & MASKED) !== 0) {
      this.#pending[vector >> 3] = (this.#pending[vector >> 3] as number) | (1 << (vector & 7));
      return;
    }
    this.#send(this.#table.getBigUint64(entry, true), this.#table.getUint32(entry + 8, true));
  }

  /** Sends what was pending and is not masked any more. */
  #flush(): void {
    for (let vector = 0; vector < this.#count; vector++) {
      const bit = 1 << (vector & 7);
      if (((this.#pending[vector >> 3] as number) & bit) === 0) continue;
      this.#pending[vector >> 3] = (this.#pending[vector >> 3] as number) & ~bit;
      this.signal(vector);
    }
  }

  readTable(offset: number, width: AccessWidth): bigint {
    return read(new Uint8Array(this.#table.buffer), offset, width);
  }

  /** Entries are written in words of 4 or 8 bytes; others are undefined and ignored. */
  writeTable(offset: number, width: AccessWidth, value: bigint): void {
    if (width < 4 || offset % width !== 0 || offset + width > this.#table.byteLength) return;
    if (width === 8) this.#table.setBigUint64(offset, value, true);
    else this.#table.setUint32(offset, Number(value), true);
    const control = (offset & ~15) + 12;
    this.#table.setUint32(control, this.#table.getUint32(control, true) & MASKED, true);
    this.#flush();
  }

  readPending(offset: number, width: AccessWidth): bigint {
    return read(this.#pending, offset, width);
  }
}

function read(bytes: Uint8Array, offset: number, width: AccessWidth): bigint {
  let value = 0n;
  for (let i = 0; i < width; i++) value |= BigInt(bytes[offset + i] ?? 0) << BigInt(8 * i);
  return value;
}
