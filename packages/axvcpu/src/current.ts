/** Which vCPU the current CPU works for: a per-CPU slot that is set for the extent of a call. */
import { axError } from '@axvisor/axvisor_api/errors';
import { perCpuObject, type PerCpu } from '@axvisor/axvisor_api/percpu';
import { thisCpuId } from '@axvisor/axvisor_api/host';
import type { AxVCpu } from '@axvisor/axvisor_api/vcpu';

export class CurrentVCpu {
  #slot: PerCpu<AxVCpu | undefined> | undefined;

  /** Made at the first use: while components are instantiated nothing is linked yet. */
  get #current(): PerCpu<AxVCpu | undefined> {
    return (this.#slot ??= perCpuObject<AxVCpu | undefined>('axvcpu.current', () => undefined));
  }

  get(): AxVCpu | undefined {
    return this.#current.readCurrent();
  }

  /**
   * `vcpu` is the current one of this CPU until {@link leave}.
   *
   * @throws {AxError} BadState if an operation on a vCPU is under way on this CPU: a CPU has one guest context only
   */
  enter(vcpu: AxVCpu, operation: string): void {
    const slot = this.#current;
    const other = slot.readCurrent();
    if (other !== undefined)
      throw axError(
        'BadState',
        `cannot ${operation} vCPU ${vcpu.id} of VM ${vcpu.vmId}: an operation on vCPU ${other.id} of VM ${other.vmId} is under way on CPU ${thisCpuId()}`,
      );
    slot.writeCurrent(vcpu);
  }

  /** No vCPU is the current one. */
  leave(): void {
    this.#current.writeCurrent(undefined);
  }
}
