/** A vCPU as its VM schedules it: the vCPU and its power state as the guest sees it. */
import type { AxVCpu } from '@axvisor/axvisor_api/vcpu';
import type { VCpuPowerState } from '@axvisor/axvisor_api/vmm';

export class VCpuSlot {
  readonly vcpu: AxVCpu;
  /** The number by which the guest names it. */
  readonly cpuId: bigint;
  /** Told of each change of {@link power}. */
  onPower: (power: VCpuPowerState) => void = () => {};
  #power: VCpuPowerState = 'off';

  constructor(vcpu: AxVCpu, cpuId: bigint) {
    this.vcpu = vcpu;
    this.cpuId = cpuId;
  }

  get power(): VCpuPowerState {
    return this.#power;
  }

  set power(power: VCpuPowerState) {
    this.#power = power;
    this.onPower(power);
  }
}
