/** What all vCPUs of one linking share: the processing elements, and which vCPUs belong to the same VM. */
import { axError } from '@axvisor/axvisor_api/errors';
import { currentTicks } from '@axvisor/axvisor_api/time';
import { Pes } from './pes.ts';
import type { ArmVCpu } from './vcpu.ts';

/** The vCPUs of one VM. */
export class VmCpus {
  readonly byAffinity: Map<bigint, ArmVCpu> = new Map();
  /** CNTVOFF_EL2 of all its vCPUs: its virtual counter starts at 0. */
  readonly counterOffset: bigint;

  constructor(counterOffset: bigint) {
    this.counterOffset = counterOffset;
  }
}

export class Machine {
  readonly pes: Pes = new Pes();
  readonly #vms = new Map<number, VmCpus>();

  /** Adds a vCPU to its VM. @param counterOffset - of a VM that another thread made. @throws {AxError} AlreadyExists if the VM has a vCPU with this affinity */
  join(vcpu: ArmVCpu, counterOffset: bigint = currentTicks()): VmCpus {
    let vm = this.#vms.get(vcpu.vmId);
    if (vm === undefined) {
      vm = new VmCpus(counterOffset);
      this.#vms.set(vcpu.vmId, vm);
    }
    if (vm.byAffinity.has(vcpu.affinity)) throw axError('AlreadyExists', `VM ${vcpu.vmId} has a vCPU with affinity 0x${vcpu.affinity.toString(16)} already`);
    vm.byAffinity.set(vcpu.affinity, vcpu);
    return vm;
  }

  leave(vcpu: ArmVCpu): void {
    const vm = this.#vms.get(vcpu.vmId);
    vm?.byAffinity.delete(vcpu.affinity);
    if (vm?.byAffinity.size === 0) this.#vms.delete(vcpu.vmId);
  }
}
