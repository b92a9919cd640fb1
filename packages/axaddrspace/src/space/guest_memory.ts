/**
 * Access to guest memory by its guest physical address. Each method makes sure that the whole range can be accessed before it
 * transfers a byte.
 */
import type { GuestPhysAddr, HostPhysAddr } from '@axvisor/axvisor_api/addr';
import type { GuestMemoryAccessor } from '@axvisor/axvisor_api/addrspace';
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import { physMemory, type PhysMemory } from '@axvisor/axvisor_api/memory';
import { hostWrote } from '@axvisor/axvisor_api/processor';

/** Finds guest memory in host memory. */
export interface Locator {
  /** The host address of `gpa`, -1 if it cannot be accessed so. Sets {@link limit}. */
  locate(gpa: number, write: boolean): number;
  /** Bytes from the last located address on that are consecutive in host memory; at least 1. */
  readonly limit: number;
}

/** Copies of up to this many bytes are done by a loop, which costs less than making a view. */
const LOOP_BYTES = 32;

/** The accessor on a {@link Locator}. */
export class GuestMemory implements GuestMemoryAccessor {
  readonly #locator: Locator;
  readonly #phys: PhysMemory;
  /** A value that crosses pages is put together here. */
  readonly #value: DataView<ArrayBuffer> = new DataView(new ArrayBuffer(8));

  constructor(locator: Locator) {
    this.#locator = locator;
    this.#phys = physMemory();
  }

  /** @throws {AxError} BadAddress if not all of the range can be read; then nothing was copied */
  readBuffer(gpa: GuestPhysAddr, into: Uint8Array): void {
    const { bytes } = this.#phys;
    this.#transfer(gpa, into.length, false, (hpa, size, done) => {
      if (size > LOOP_BYTES) into.set(bytes.subarray(hpa, hpa + size), done);
      else for (let i = 0; i < size; i++) into[done + i] = bytes[hpa + i]!;
    });
  }

  /** @throws {AxError} BadAddress if not all of the range can be written; then nothing was written */
  writeBuffer(gpa: GuestPhysAddr, from: Uint8Array): void {
    const { bytes } = this.#phys;
    this.#transfer(gpa, from.length, true, (hpa, size, done) => {
      if (size > LOOP_BYTES) bytes.set(size === from.length ? from : from.subarray(done, done + size), hpa);
      else for (let i = 0; i < size; i++) bytes[hpa + i] = from[done + i]!;
      hostWrote(BigInt(hpa) as HostPhysAddr, size);
    });
  }

  /** A little-endian value. @throws {AxError} BadAddress if it cannot be read, InvalidInput for another size */
  readValue(gpa: GuestPhysAddr, size: 1 | 2 | 4 | 8): bigint {
    const locator = this.#locator;
    const hpa = locator.locate(Number(gpa), false);
    if (hpa >= 0 && locator.limit >= size && hpa % size === 0) {
      switch (size) {
        case 1:
          return BigInt(this.#phys.bytes[hpa]!);
        case 2:
          return BigInt((this.#phys.words[hpa >>> 2]! >>> ((hpa & 2) * 8)) & 0xffff);
        case 4:
          return BigInt(this.#phys.words[hpa >>> 2]! >>> 0);
        case 8:
          return this.#phys.longs[hpa / 8]!;
      }
    }
    checkSize(size);
    this.readBuffer(gpa, new Uint8Array(this.#value.buffer, 0, size));
    return BigInt.asUintN(size * 8, this.#value.getBigUint64(0, true));
  }

  /** The low bytes of `value`, little-endian. @throws {AxError} BadAddress if it cannot be written, InvalidInput for another size */
  writeValue(gpa: GuestPhysAddr, size: 1 | 2 | 4 | 8, value: bigint): void {
    checkSize(size);
    const locator = this.#locator;
    const hpa = locator.locate(Number(gpa), true);
    if (hpa >= 0 && locator.limit >= size && hpa % size === 0) {
      if (size === 8) this.#phys.longs[hpa / 8] = value;
      else if (size === 4) this.#phys.words[hpa >>> 2] = Number(BigInt.asIntN(32, value));
      else {
        const { bytes } = this.#phys;
        const low = Number(BigInt.asUintN(16, value));
        bytes[hpa] = low;
        if (size === 2) bytes[hpa + 1] = low >>> 8;
      }
      hostWrote(BigInt(hpa) as HostPhysAddr, size);
      return;
    }
    this.#value.setBigUint64(0, BigInt.asUintN(64, value), true);
    this.writeBuffer(gpa, new Uint8Array(this.#value.buffer, 0, size));
  }

  /** Calls `move` for each piece of `length` bytes at `gpa` that is consecutive in host memory. */
  #transfer(gpa: bigint, length: number, write: boolean, move: (hpa: number, size: number, done: number) => void): void {
    if (length === 0) return;
    const locator = this.#locator;
    const start = Number(gpa);
    const hpa = locator.locate(start, write);
    if (hpa >= 0 && locator.limit >= length) {
      move(hpa, length, 0);
      return;
    }
    for (let done = 0; done < length; done += locator.limit)
      if (locator.locate(start + done, write) < 0)
        throw axError('BadAddress', `guest memory at 0x${(gpa + BigInt(done)).toString(16)} cannot be ${write ? 'written' : 'read'}`);
    for (let done = 0; done < length; ) {
      const from = locator.locate(start + done, write);
      const size = Math.min(locator.limit, length - done);
      move(from, size, done);
      done += size;
    }
  }
}

function checkSize(size: number): void {
  ensure(size === 1 || size === 2 || size === 4 || size === 8, 'InvalidInput', `a value has 1, 2, 4 or 8 bytes, not ${size}`);
}

/**
 * An accessor for anything that translates: `translateAndLimit` returns the host address of a guest address and how many
 * bytes from there are consecutive.
 */
export function guestMemoryAccessor(translateAndLimit: (gpa: GuestPhysAddr) => { readonly hpa: HostPhysAddr; readonly limit: bigint } | undefined): GuestMemoryAccessor {
  const end = physMemory().bytes.length;
  const locator = {
    limit: 0,
    locate: (gpa: number): number => {
      const found = gpa >= 0 && Number.isSafeInteger(gpa) ? translateAndLimit(BigInt(gpa) as GuestPhysAddr) : undefined;
      if (found === undefined || found.limit <= 0n || found.hpa >= end) return -1;
      locator.limit = Math.min(Number(found.limit), end - Number(found.hpa));
      return Number(found.hpa);
    },
  };
  return new GuestMemory(locator);
}
