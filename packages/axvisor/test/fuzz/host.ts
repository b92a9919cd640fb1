/** The host's side of a fuzzed guest: a disk and a console that notice what must not happen. */
import type { BlockBackend, ConsolePort } from '@axvisor/axvisor_api/device';

const SECTOR = 512;

/** A disk in memory; accesses that the device model should have refused are recorded. */
export class FuzzDisk implements BlockBackend {
  readonly sectors = 64;
  readonly readOnly = false;
  readonly content: Uint8Array = new Uint8Array(this.sectors * SECTOR).map((_, i) => i * 31);
  readonly violations: string[] = [];
  writes = 0;
  closed = false;

  #at(sector: number, length: number): Uint8Array {
    if (this.closed) this.violations.push('used after it was closed');
    if (!Number.isInteger(sector) || sector < 0 || length % SECTOR !== 0 || sector + length / SECTOR > this.sectors) this.violations.push(`sector ${sector}, ${length} bytes`);
    return this.content.subarray(sector * SECTOR, sector * SECTOR + length);
  }

  read(sector: number, into: Uint8Array): void {
    into.set(this.#at(sector, into.length));
  }

  write(sector: number, from: Uint8Array): void {
    this.writes++;
    this.#at(sector, from.length).set(from);
  }

  flush(): void {
    if (this.closed) this.violations.push('flushed after it was closed');
  }

  close(): void {
    this.closed = true;
  }
}

/** A console that counts. */
export class Counter implements ConsolePort {
  bytes = 0;
  #typed = 64;

  write(bytes: Uint8Array): void {
    this.bytes += bytes.length;
  }

  read(max: number): Uint8Array {
    const count = Math.min(max, this.#typed);
    this.#typed -= count;
    return new Uint8Array(count).fill(0x41);
  }

  onInput(): void {
    // All that is ever typed is there from the beginning.
  }
}
