/** Where a vCPU may run: a set of physical CPUs and a favourite among them. */
import { axError, ensure } from '@axvisor/axvisor_api/errors';

export class Affinity {
  /** Physical CPUs, a bit each; `undefined`: all. */
  readonly set: bigint | undefined;
  /** A hint: where it runs when there is a choice. */
  readonly favorite: number;

  /** @throws {AxError} InvalidInput for an empty or negative set, or a favourite that is no CPU number */
  constructor(set: bigint | undefined, favorite: number | undefined) {
    ensure(set === undefined || set > 0n, 'InvalidInput', 'the set of physical CPUs of a vCPU is empty');
    ensure(favorite === undefined || (Number.isInteger(favorite) && favorite >= 0), 'InvalidInput', `${String(favorite)} is not a CPU number`);
    this.set = set;
    this.favorite = favorite ?? 0;
  }

  /**
   * Whether it may run on CPU `cpu` of a host with `cpuCount` CPUs. A set that names none of the host's CPUs (a
   * configuration written for a larger machine) cannot be honoured and restricts nothing.
   */
  allows(cpu: number, cpuCount: number): boolean {
    if (this.set === undefined) return true;
    const present = this.set & ((1n << BigInt(cpuCount)) - 1n);
    return present === 0n || ((present >> BigInt(cpu)) & 1n) === 1n;
  }

  /** The favourite if it exists and is allowed, else the lowest CPU that is. */
  choose(cpuCount: number): number {
    for (const cpu of [this.favorite, ...Array(cpuCount).keys()]) if (cpu < cpuCount && this.allows(cpu, cpuCount)) return cpu;
    throw axError('InvalidInput', 'the host has no CPU');
  }
}
