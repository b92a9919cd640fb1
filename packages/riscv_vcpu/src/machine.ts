/** What all vCPUs of one linking share: the harts, and which vCPUs belong to the same VM. */
import { axError } from '@axvisor/axvisor_api/errors';
import { currentTicks } from '@axvisor/axvisor_api/time';
import { Harts } from './harts.ts';
import type { RiscvVCpu } from './vcpu.ts';

/** The vCPUs of one VM. */
export class VmCpus {
  readonly byHartId: Map<bigint, RiscvVCpu> = new Map();
  /** htimedelta of all its vCPUs: its time starts at 0. */
  readonly timeDelta: bigint;

  constructor(timeDelta: bigint = BigInt.asUintN(64, -currentTicks())) {
    this.timeDelta = timeDelta;
  }
}

export class Machine {
  readonly harts: Harts = new Harts();
  readonly #vms = new Map<number, VmCpus>();

  /** Adds a vCPU to its VM, whose time another thread may have decided. @throws {AxError} AlreadyExists if the VM has a vCPU with this hart id */
  join(vcpu: RiscvVCpu, timeDelta?: bigint): VmCpus {
    let vm = this.#vms.get(vcpu.vmId);
    if (vm === undefined) {
      vm = new VmCpus(timeDelta);
      this.#vms.set(vcpu.vmId, vm);
    }
    if (vm.byHartId.has(vcpu.hartId)) throw axError('AlreadyExists', `VM ${vcpu.vmId} has a vCPU with hart id ${vcpu.hartId} already`);
    vm.byHartId.set(vcpu.hartId, vcpu);
    return vm;
  }

  leave(vcpu: RiscvVCpu): void {
    const vm = this.#vms.get(vcpu.vmId);
    vm?.byHartId.delete(vcpu.hartId);
    if (vm?.byHartId.size === 0) this.#vms.delete(vcpu.vmId);
  }
}
