/** What components may ask of the virtual-machine monitor: who runs, injection, guest memory and console of a VM. `@axvisor/axvm` provides it. */
import type { GuestMemoryAccessor } from './addrspace.ts';
import type { ConsolePort } from './device.ts';
import { apiDef, required, type AxApiDef } from './registry/api.ts';

export type VMId = number;
export type VCpuId = number;
/** A set of vCPUs: bit n is vCPU n. No upper limit. */
export type VCpuSet = bigint;
/** An interrupt number in the architecture's numbering; may exceed 255. */
export type InterruptVector = number;

/** Power state of a vCPU as a guest sees it (SBI HSM, PSCI AFFINITY_INFO). */
export type VCpuPowerState = 'on' | 'off' | 'on-pending' | 'off-pending' | 'suspended';

/** The functions of the `vmm` API. Unless said otherwise they throw AxError NotFound for an unknown VM or vCPU. */
export interface Vmm {
  /** The VM whose vCPU runs on this CPU. @throws {AxError} BadState outside of one */
  currentVmId(): VMId;
  /** @throws {AxError} BadState outside of one */
  currentVcpuId(): VCpuId;
  vcpuNum(vm: VMId): number;
  /** The vCPUs that are powered on. */
  activeVcpus(vm: VMId): VCpuSet;
  vcpuPowerState(vm: VMId, vcpu: VCpuId): VCpuPowerState;
  /** Queues an interrupt and wakes the vCPU. */
  injectInterrupt(vm: VMId, vcpu: VCpuId, vector: InterruptVector): void;
  injectInterruptToCpus(vm: VMId, vcpus: VCpuSet, vector: InterruptVector): void;
  /** Makes a vCPU leave the guest soon, wherever it runs, and wakes it if it is blocked. */
  kickVcpu(vm: VMId, vcpu: VCpuId): void;
  /** The guest's timer of this vCPU is due. */
  notifyVcpuTimerExpired(vm: VMId, vcpu: VCpuId): void;
  guestMemory(vm: VMId): GuestMemoryAccessor;
  /** The console that firmware calls (SBI DBCN) use. */
  guestConsole(vm: VMId): ConsolePort;
}

export let currentVmId: Vmm['currentVmId'];
export let currentVcpuId: Vmm['currentVcpuId'];
export let vcpuNum: Vmm['vcpuNum'];
export let activeVcpus: Vmm['activeVcpus'];
export let vcpuPowerState: Vmm['vcpuPowerState'];
export let injectInterrupt: Vmm['injectInterrupt'];
export let injectInterruptToCpus: Vmm['injectInterruptToCpus'];
export let kickVcpu: Vmm['kickVcpu'];
export let notifyVcpuTimerExpired: Vmm['notifyVcpuTimerExpired'];
export let guestMemory: Vmm['guestMemory'];
export let guestConsole: Vmm['guestConsole'];

export const currentVmVcpuNum = (): number => vcpuNum(currentVmId());
export const currentVmActiveVcpus = (): VCpuSet => activeVcpus(currentVmId());

export const vmm: AxApiDef<'vmm', Vmm> = apiDef({
  name: 'vmm',
  functions: {
    currentVmId: required, currentVcpuId: required, vcpuNum: required, activeVcpus: required, vcpuPowerState: required,
    injectInterrupt: required, injectInterruptToCpus: required, kickVcpu: required, notifyVcpuTimerExpired: required,
    guestMemory: required, guestConsole: required,
  },
  bind: (f: Vmm) =>
    ({
      currentVmId, currentVcpuId, vcpuNum, activeVcpus, vcpuPowerState, injectInterrupt, injectInterruptToCpus, kickVcpu,
      notifyVcpuTimerExpired, guestMemory, guestConsole,
    } = f),
  providers: ['@axvisor/axvm'],
});
