/** The processors of this linking, and whose state each holds. */
import { thisCpuId } from '@axvisor/axvisor_api/host';
import { axError } from '@axvisor/axvisor_api/errors';

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

export class Cpus {
  readonly #cpus = new Map<number, Cpu>();
  /** vCPUs by VM, for the topology that guests are told. */
  readonly #counts = new Map<number, number>();

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

  join(vmId: number): void {
    this.#counts.set(vmId, this.count(vmId) + 1);
  }

  leave(vmId: number): void {
    const count = this.count(vmId) - 1;
    if (count > 0) this.#counts.set(vmId, count);
    else this.#counts.delete(vmId);
  }

  /** vCPUs of a VM. */
  count(vmId: number): number {
    return this.#counts.get(vmId) ?? 0;
  }
}
