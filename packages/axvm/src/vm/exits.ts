/** What the VM does about each exit reason of its vCPUs. */
import { log } from '@axvisor/axvisor_api/host';
import { extendLoad, type AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import type { VCpuSlot } from './vcpu_slot.ts';
import type { AxVm } from './vm.ts';

/** Whether the vCPU goes on, waits, is off, or lets others run. */
export type Next = 'continue' | 'wait' | 'off' | 'yield';

type Exit<R extends AxVCpuExitReason['reason']> = Extract<AxVCpuExitReason, { readonly reason: R }>;
type Handler<R extends AxVCpuExitReason['reason']> = (vm: AxVm, slot: VCpuSlot, exit: Exit<R>) => Next;

const fail = (vm: AxVm, message: string): Next => {
  vm.end({ end: 'failed', message });
  return 'off';
};

/** A hypercall or register that nobody handles: the guest sees -1, as the original's ABI says. */
const FAILED = 0xffff_ffff_ffff_ffffn;

const HANDLERS: { readonly [R in AxVCpuExitReason['reason']]: Handler<R> } = {
  Nothing: () => 'continue',
  ExternalInterrupt: () => 'yield',
  Halt: (_vm, { vcpu }) => (vcpu.arch.hasPendingInterrupt() ? 'continue' : 'wait'),
  NestedPageFault: (vm, slot, { addr, accessFlags }) => {
    if (vm.addressSpace.handlePageFault(addr, accessFlags)) return 'continue';
    const access = slot.vcpu.arch.decodeMmio();
    if (access !== undefined) return handleExit(vm, slot, access);
    slot.vcpu.arch.injectAccessFault();
    return 'continue';
  },
  MmioRead: (vm, { vcpu }, { addr, width, reg, regWidth, signedExt }) => {
    const value = vm.bus.mmioRead(addr, width);
    if (value === undefined) vcpu.arch.injectAccessFault();
    else vcpu.setGpr(reg, extendLoad(value, width, regWidth, signedExt));
    return 'continue';
  },
  MmioWrite: (vm, { vcpu }, { addr, width, data }) => {
    if (!vm.bus.mmioWrite(addr, width, data)) vcpu.arch.injectAccessFault();
    return 'continue';
  },
  IoRead: (vm, { vcpu }, { port, width }) => {
    const open = (1n << BigInt(8 * width)) - 1n;
    vcpu.setReturnValue(vm.bus.portRead(port, width) ?? open);
    return 'continue';
  },
  IoWrite: (vm, _slot, { port, width, data }) => {
    vm.bus.portWrite(port, width, data);
    return 'continue';
  },
  SysRegRead: (vm, { vcpu }, { addr, reg }) => {
    const value = vm.bus.sysRegRead(addr);
    if (value === undefined) vcpu.arch.injectAccessFault();
    else vcpu.setGpr(reg, value);
    return 'continue';
  },
  SysRegWrite: (vm, { vcpu }, { addr, value }) => {
    if (!vm.bus.sysRegWrite(addr, value)) vcpu.arch.injectAccessFault();
    return 'continue';
  },
  Hypercall: (vm, { vcpu }, { nr }) => {
    log('debug', 'axvm', `VM ${vm.id}: hypercall ${nr} is not implemented`);
    vcpu.setReturnValue(FAILED);
    return 'continue';
  },
  CpuUp: (vm, { vcpu }, { targetCpu, entryPoint, arg }) => {
    const target = vm.slots.find((s) => s.cpuId === targetCpu);
    if (target === undefined) vcpu.arch.completeCpuUp('invalid');
    else if (target.power !== 'off') vcpu.arch.completeCpuUp('already-on');
    else {
      target.vcpu.reset(entryPoint);
      target.vcpu.arch.setStartArgs(entryPoint, arg);
      target.power = 'on';
      vcpu.arch.completeCpuUp('success');
      return 'yield';
    }
    return 'continue';
  },
  CpuDown: (vm, slot) => {
    slot.power = 'off';
    // Nobody is left who could start a CPU again.
    if (vm.slots.every((s) => s.power === 'off')) vm.end({ end: 'poweroff', code: 0 });
    return 'off';
  },
  SystemDown: (vm) => {
    vm.end({ end: 'poweroff', code: 0 });
    return 'off';
  },
  SystemReset: (vm) => {
    vm.reset();
    return 'off';
  },
  SendIPI: (vm, slot, { targetCpu, targetCpuAux, sendToAll, sendToSelf, vector }) => {
    for (const other of vm.slots) {
      const named = targetCpuAux === 0n ? other.cpuId === targetCpu : (other.cpuId & ~0xfn) === targetCpu && ((targetCpuAux >> (other.cpuId & 0xfn)) & 1n) === 1n;
      if (sendToSelf ? other === slot : sendToAll ? other !== slot : named) other.vcpu.injectInterrupt(Number(vector));
    }
    return 'continue';
  },
  FailEntry: (vm, slot, { hardwareEntryFailureReason }) =>
    fail(vm, `vCPU ${slot.vcpu.id}: the processor refused to enter the guest, reason 0x${hardwareEntryFailureReason.toString(16)}`),
  GuestError: (vm, slot, { message }) => fail(vm, `vCPU ${slot.vcpu.id}: ${message}`),
};

/** Handles one exit of `slot`'s vCPU and counts it. */
export function handleExit(vm: AxVm, slot: VCpuSlot, exit: AxVCpuExitReason): Next {
  vm.exits[exit.reason] = (vm.exits[exit.reason] ?? 0) + 1;
  return (HANDLERS[exit.reason] as Handler<typeof exit.reason>)(vm, slot, exit);
}
