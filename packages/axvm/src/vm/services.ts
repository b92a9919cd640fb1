/**
 * What the exits of a vCPU need of its virtual machine. A vCPU on the thread that keeps the machine has it directly, one on
 * another thread by calls.
 */
import type { GuestPhysAddr } from '@axvisor/axvisor_api/addr';
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import type { AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import type { AxVm } from './vm.ts';

export type IpiRequest = Extract<AxVCpuExitReason, { readonly reason: 'SendIPI' }>;
export type CpuUpResult = 'success' | 'already-on' | 'invalid';

export interface VmServices {
  readonly vmId: number;
  /** Counts an exit. */
  count(reason: AxVCpuExitReason['reason']): void;
  /** Repairs a fault on lazily mapped memory. `false`: there is no memory, or it does not allow the access. */
  handlePageFault(addr: GuestPhysAddr, accessFlags: number): boolean;
  /** Reads and writes of devices; `undefined` and `false`: nothing answers. */
  mmioRead(addr: GuestPhysAddr, width: AccessWidth): bigint | undefined;
  mmioWrite(addr: GuestPhysAddr, width: AccessWidth, data: bigint): boolean;
  portRead(port: number, width: AccessWidth): bigint | undefined;
  portWrite(port: number, width: AccessWidth, data: bigint): void;
  sysRegRead(addr: number): bigint | undefined;
  sysRegWrite(addr: number, value: bigint): boolean;
  /** Starts the vCPU that the guest calls `targetCpu`. */
  cpuUp(targetCpu: bigint, entry: GuestPhysAddr, arg: bigint): CpuUpResult;
  cpuDown(vcpu: number): void;
  sendIpi(vcpu: number, request: IpiRequest): void;
  systemDown(failure: boolean): void;
  systemReset(): void;
  /** The guest cannot go on. */
  fail(message: string): void;
}

/** The code of a guest that switches itself off because of a failure, and has no other. */
const SYSTEM_FAILURE = 1;

/** The services of a VM on this thread. */
export function servicesOf(vm: AxVm, count: VmServices['count']): VmServices {
  const { bus } = vm;
  return {
    vmId: vm.id,
    count,
    handlePageFault: (addr, flags) => vm.addressSpace.handlePageFault(addr, flags),
    mmioRead: (addr, width) => bus.mmioRead(addr, width),
    mmioWrite: (addr, width, data) => bus.mmioWrite(addr, width, data),
    portRead: (port, width) => bus.portRead(port, width),
    portWrite: (port, width, data) => void bus.portWrite(port, width, data),
    sysRegRead: (addr) => bus.sysRegRead(addr),
    sysRegWrite: (addr, value) => bus.sysRegWrite(addr, value),
    cpuUp: (targetCpu, entry, arg) => {
      const target = vm.slots.find((s) => s.cpuId === targetCpu);
      if (target === undefined) return 'invalid';
      if (target.power !== 'off') return 'already-on';
      target.vcpu.reset(entry);
      target.vcpu.arch.setStartArgs(entry, arg);
      vm.start(target);
      return 'success';
    },
    cpuDown: (vcpu) => {
      vm.slot(vcpu).power = 'off';
      // Nobody is left who could start a CPU again.
      if (vm.slots.every((s) => s.power === 'off')) vm.end({ end: 'poweroff', code: 0 });
    },
    sendIpi: (vcpu, { targetCpu, targetCpuAux, sendToAll, sendToSelf, vector }) => {
      const self = vm.slot(vcpu);
      for (const other of vm.slots) {
        const named = targetCpuAux === 0n ? other.cpuId === targetCpu : (other.cpuId & ~0xfn) === targetCpu && ((targetCpuAux >> (other.cpuId & 0xfn)) & 1n) === 1n;
        if (sendToSelf ? other === self : sendToAll ? other !== self : named) vm.inject(other, Number(vector));
      }
    },
    systemDown: (failure) => vm.end({ end: 'poweroff', code: failure ? SYSTEM_FAILURE : 0 }),
    systemReset: () => vm.reset(),
    fail: (message) => vm.end({ end: 'failed', message }),
  };
}
