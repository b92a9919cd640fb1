/**
 * KVM's clock (Linux, Documentation/virt/kvm/x86/msr.rst): pages of the guest say what time it was at one value of the time-stamp counter, and how
 * fast that counts. Guests know its frequency from it, whoever made their processor, and calibrate nothing.
 */
import { currentTicks, tickFrequency, ticksToNanos, wallClock } from '@axvisor/axvisor_api/time';
import type { NestedMemory } from './nested.ts';

export const KvmMsr = { wallClock: 0x4b56_4d00, systemTime: 0x4b56_4d01 } as const;

const NANOS = 1_000_000_000n;
const ENABLE = 1n;
/** The counters of all vCPUs agree. */
const TSC_STABLE = 1n;

/** A counter's ticks as nanoseconds: ((ticks << shift) * multiplier) >> 32, with a multiplier of 32 bits whose highest is set. */
export function scaleOf(frequency: bigint): { readonly multiplier: bigint; readonly shift: number } {
  let [multiplier, shift] = [(NANOS << 32n) / frequency, 0];
  for (; multiplier >= 1n << 32n; shift++) multiplier >>= 1n;
  for (; multiplier < 1n << 31n; shift--) multiplier <<= 1n;
  return { multiplier: (NANOS << BigInt(32 - shift)) / frequency, shift };
}

export class KvmClock {
  readonly #memory: () => NestedMemory | undefined;
  #version = 0n;

  constructor(memory: () => NestedMemory | undefined) {
    this.#memory = memory;
  }

  /** Fields of a structure at `address`, whose first one is a version that is odd while they change. */
  #publish(address: bigint, fields: readonly (readonly [offset: number, size: number, value: bigint])[]): void {
    const memory = this.#memory();
    this.#version += 2n;
    memory?.write(address, 4, BigInt.asUintN(32, this.#version - 1n));
    for (const [offset, size, value] of fields) memory?.write(address + BigInt(offset), size, BigInt.asUintN(8 * size, value));
    memory?.write(address, 4, BigInt.asUintN(32, this.#version));
  }

  /**
   * The guest set its counter, or the MSR of the system time.
   *
   * @param page - the MSR: the page, and bit 0 if it is to be kept up to date.
   * @param offset - what the guest's counter is ahead of the host's.
   */
  update(page: bigint, offset: bigint): void {
    if ((page & ENABLE) === 0n) return;
    const { multiplier, shift } = scaleOf(tickFrequency());
    // Time begins with the host's counter.
    this.#publish(page & ~3n, [[8, 8, offset], [16, 8, 0n], [24, 4, multiplier], [28, 1, BigInt(shift)], [29, 1, TSC_STABLE]]);
  }

  /** A write of the wall clock's MSR: where the guest wants the time of day at which its clock began. */
  writeWallClock(address: bigint): boolean {
    const start = wallClock() - ticksToNanos(currentTicks());
    this.#publish(address, [[4, 4, start / NANOS], [8, 4, start % NANOS]]);
    return true;
  }
}
