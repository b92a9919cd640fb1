/** The processors of this linking, and whose state each holds. */
import { thisCpuId } from '@axvisor/axvisor_api/host';
import { axError } from '@axvisor/axvisor_api/errors';
import { currentTicks, type Ticks } from '@axvisor/axvisor_api/time';

/** A vCPU's state that is on a processor until another vCPU's is. */
export interface Resident {
  /** Takes the state off the processor. */
  evict(): void;
}

/** One logical processor. */
export class Cpu {
  readonly id: number;
  enabled = false;
  loaded: Resident | undefined;

  constructor(id: number) {
    this.id = id;
  }
}

/** What the vCPUs of a VM have in common. */
export interface VmCpus {
  /** vCPUs, for the topology that guests are told. */
  count: number;
  /** When their time-stamp counters were 0. */
  start: Ticks;
}

export class Cpus {
  readonly #cpus = new Map<number, Cpu>();
  readonly #vms = new Map<number, VmCpus>();

  #cpu(id: number): Cpu {
    let cpu = this.#cpus.get(id);
    if (cpu === undefined) this.#cpus.set(id, (cpu = new Cpu(id)));
    return cpu;
  }

  enable(id: number): void {
    this.#cpu(id).enabled = true;
  }

  /** What is on the processor is taken off first. */
  disable(id: number): void {
    const cpu = this.#cpu(id);
    cpu.loaded?.evict();
    cpu.loaded = undefined;
    cpu.enabled = false;
  }

  /** The processor this runs on. @throws {AxError} BadState if virtualization is off on it */
  current(): Cpu {
    const cpu = this.#cpu(thisCpuId());
    if (!cpu.enabled) throw axError('BadState', `virtualization is not enabled on CPU ${cpu.id}`);
    return cpu;
  }

  /** Whether virtualization is on where this runs. */
  get enabledHere(): boolean {
    return this.#cpu(thisCpuId()).enabled;
  }

  join(vmId: number): VmCpus {
    let vm = this.#vms.get(vmId);
    if (vm === undefined) this.#vms.set(vmId, (vm = { count: 0, start: currentTicks() }));
    vm.count++;
    return vm;
  }

  leave(vmId: number): void {
    const vm = this.#vms.get(vmId);
    if (vm !== undefined && --vm.count === 0) this.#vms.delete(vmId);
  }
}
