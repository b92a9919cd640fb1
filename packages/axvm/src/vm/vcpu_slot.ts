/** A vCPU as its VM schedules it: the vCPU and its power state as the guest sees it. */
import type { AxVCpu } from '@axvisor/axvisor_api/vcpu';
import type { VCpuPowerState } from '@axvisor/axvisor_api/vmm';

export interface VCpuSlot {
  readonly vcpu: AxVCpu;
  /** The number by which the guest names it. */
  readonly cpuId: bigint;
  power: VCpuPowerState;
}
