/**
 * The tables of an ITS (GIC specification IHI 0069, 5.2): devices, collections, and an interrupt translation table for each device. All of them are in
 * memory that the guest gives, 8 bytes an entry, in a format of this package; so nothing that a guest maps grows the host.
 *
 * | entry | bits |
 * |---|---|
 * | device | 63 valid, 51:8 address of its table, 4:0 event id bits - 1 |
 * | collection | 63 valid, 15:0 CPU |
 * | event | 63 valid, 47:32 collection, 31:0 INTID |
 */
import { gpa } from '@axvisor/axvisor_api/addr';
import type { GuestMemoryAccessor } from '@axvisor/axvisor_api/addrspace';
import { isAxError } from '@axvisor/axvisor_api/errors';

export const ENTRY_BYTES = 8n;
const VALID = 1n << 63n;
const ITT_ADDRESS = 0xf_ffff_ffff_ff00n;

/** A table that GITS_BASER<n> describes. */
export interface TableBase {
  readonly address: bigint;
  readonly entries: bigint;
}

export interface EventEntry {
  readonly collection: number;
  readonly intid: number;
}

export class ItsTables {
  readonly #memory: GuestMemoryAccessor;
  /** The tables of devices and collections; `undefined` until the guest gives them. */
  readonly #devices: () => TableBase | undefined;
  readonly #collections: () => TableBase | undefined;

  constructor(memory: GuestMemoryAccessor, devices: () => TableBase | undefined, collections: () => TableBase | undefined) {
    this.#memory = memory;
    this.#devices = devices;
    this.#collections = collections;
  }

  /** An entry, 0 if it cannot be read: outside of the table or of guest memory. */
  read(table: TableBase | undefined, index: number): bigint {
    if (table === undefined || BigInt(index) >= table.entries) return 0n;
    try {
      return this.#memory.readValue(gpa(table.address + BigInt(index) * ENTRY_BYTES), 8);
    } catch (e) {
      if (isAxError(e)) return 0n;
      throw e;
    }
  }

  #write(table: TableBase | undefined, index: number, value: bigint): void {
    if (table === undefined || BigInt(index) >= table.entries) return;
    try {
      this.#memory.writeValue(gpa(table.address + BigInt(index) * ENTRY_BYTES), 8, value);
    } catch (e) {
      if (!isAxError(e)) throw e;
    }
  }

  mapDevice(device: number, valid: boolean, address: bigint, bits: number): void {
    this.#write(this.#devices(), device, valid ? VALID | (address & ITT_ADDRESS) | BigInt(bits - 1) : 0n);
  }

  mapCollection(collection: number, valid: boolean, cpu: number): void {
    this.#write(this.#collections(), collection, valid ? VALID | BigInt(cpu) : 0n);
  }

  /** The CPU of a collection. */
  cpuOf(collection: number): number | undefined {
    const entry = this.read(this.#collections(), collection);
    return (entry & VALID) === 0n ? undefined : Number(entry & 0xffffn);
  }

  #events(device: number): TableBase | undefined {
    const entry = this.read(this.#devices(), device);
    return (entry & VALID) === 0n ? undefined : { address: entry & ITT_ADDRESS, entries: 1n << ((entry & 0x1fn) + 1n) };
  }

  event(device: number, event: number): EventEntry | undefined {
    const entry = this.read(this.#events(device), event);
    return (entry & VALID) === 0n ? undefined : { collection: Number((entry >> 32n) & 0xffffn), intid: Number(entry & 0xffff_ffffn) };
  }

  mapEvent(device: number, event: number, entry: EventEntry | undefined): void {
    this.#write(this.#events(device), event, entry === undefined ? 0n : VALID | (BigInt(entry.collection) << 32n) | BigInt(entry.intid));
  }
}
