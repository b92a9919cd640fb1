/**
 * Values of device registers in memory that all threads share: what reading does not change is read there, without a call of the
 * monitor, which writes them whenever a device may have changed.
 */
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import type { AccessWidth, Device } from '@axvisor/axvisor_api/device';
import { physMemory } from '@axvisor/axvisor_api/memory';

/** A register that can be read so. */
export interface LatchedRegister {
  readonly address: number;
  readonly width: AccessWidth;
  readonly value: () => number | undefined;
}

/** Bytes of a latch: the value, and whether there is one. */
const LATCH_SIZE = 8;

/** What threads may do without waiting for the monitor: registers to read, and addresses of those to which writes are posted. */
export function latchesOf(devices: readonly Device[]): { readonly registers: readonly LatchedRegister[]; readonly posted: readonly number[] } {
  const at = ({ regions: [first] }: Device): number | undefined => (first?.space === 'mmio' ? Number(first.range.start) : undefined);
  return {
    registers: devices.flatMap((device) => {
      const base = at(device);
      return base === undefined ? [] : (device.latched ?? []).map(({ offset, width, value }) => ({ address: base + offset, width, value }));
    }),
    posted: devices.flatMap((device) => {
      const base = at(device);
      return base === undefined ? [] : (device.posted ?? []).map((offset) => base + offset);
    }),
  };
}

/** The monitor's side. */
export class Latches {
  readonly #registers: readonly LatchedRegister[];
  readonly #words: BigInt64Array;
  readonly #last: (number | undefined)[];

  constructor(place: HostPhysAddr, registers: readonly LatchedRegister[]) {
    this.#registers = registers;
    this.#words = latchWords(place, registers.length);
    this.#last = registers.map(() => undefined);
  }

  static bytes(registers: readonly LatchedRegister[]): number {
    return registers.length * LATCH_SIZE;
  }

  /** To be called before anybody can learn of a change. */
  publish(): void {
    this.#registers.forEach(({ value }, i) => {
      const now = value();
      if (now === this.#last[i]) return;
      this.#last[i] = now;
      Atomics.store(this.#words, i, now === undefined ? NO_VALUE : VALUE | BigInt(now >>> 0));
    });
  }
}

const NO_VALUE = 0n;
const VALUE = 1n << 32n;

/** One 64-bit value for each register. */
export function latchWords(place: bigint, count: number): BigInt64Array {
  const { longs } = physMemory();
  return new BigInt64Array(longs.buffer, Number(place), count);
}

/** The value in a latch, if it has one. */
export function latched(words: BigInt64Array, index: number): bigint | undefined {
  const value = Atomics.load(words, index);
  return value === NO_VALUE ? undefined : value & (VALUE - 1n);
}
