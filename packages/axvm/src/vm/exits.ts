/** What is done about each exit reason of a vCPU, on whatever thread it runs. */
import { log } from '@axvisor/axvisor_api/host';
import { extendLoad, type AxVCpu, type AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import type { VmServices } from './services.ts';

/** Whether the vCPU goes on, waits, is off, or lets others run. */
export type Next = 'continue' | 'wait' | 'off' | 'yield';

type Exit<R extends AxVCpuExitReason['reason']> = Extract<AxVCpuExitReason, { readonly reason: R }>;
type Handler<R extends AxVCpuExitReason['reason']> = (vm: VmServices, vcpu: AxVCpu, exit: Exit<R>) => Next;

const fail = (vm: VmServices, message: string): Next => {
  vm.fail(message);
  return 'off';
};

/** A hypercall or register that nobody handles: the guest sees -1, as the original's ABI says. */
const FAILED = 0xffff_ffff_ffff_ffffn;

/** What a port reads as where nothing answers, by width. */
const FLOATING = { 1: 0xffn, 2: 0xffffn, 4: 0xffff_ffffn, 8: FAILED } as const;

const HANDLERS: { readonly [R in AxVCpuExitReason['reason']]: Handler<R> } = {
  Nothing: (_vm, _vcpu, { yields }) => (yields === true ? 'yield' : 'continue'),
  ExternalInterrupt: () => 'yield',
  Halt: (_vm, vcpu) => (vcpu.arch.hasPendingInterrupt() ? 'continue' : 'wait'),
  NestedPageFault: (vm, vcpu, { addr, accessFlags }) => {
    if (vm.handlePageFault(addr, accessFlags)) return 'continue';
    const access = vcpu.arch.decodeMmio();
    if (access !== undefined) return handleExit(vm, vcpu, access);
    vcpu.arch.injectAccessFault();
    return 'continue';
  },
  MmioRead: (vm, vcpu, { addr, width, reg, regWidth, signedExt }) => {
    const value = vm.mmioRead(addr, width);
    if (value === undefined) vcpu.arch.injectAccessFault();
    else vcpu.setGpr(reg, extendLoad(value, width, regWidth, signedExt));
    return 'continue';
  },
  MmioWrite: (vm, vcpu, { addr, width, data }) => {
    if (!vm.mmioWrite(addr, width, data)) vcpu.arch.injectAccessFault();
    return 'continue';
  },
  IoRead: (vm, vcpu, { port, width }) => {
    vcpu.setReturnValue(vm.portRead(port, width) ?? FLOATING[width]);
    return 'continue';
  },
  IoWrite: (vm, _vcpu, { port, width, data }) => {
    vm.portWrite(port, width, data);
    return 'continue';
  },
  SysRegRead: (vm, vcpu, { addr, reg }) => {
    const value = vm.sysRegRead(addr);
    if (value === undefined) vcpu.arch.injectAccessFault();
    else vcpu.setGpr(reg, value);
    return 'continue';
  },
  SysRegWrite: (vm, vcpu, { addr, value }) => {
    if (!vm.sysRegWrite(addr, value)) vcpu.arch.injectAccessFault();
    return 'continue';
  },
  Hypercall: (vm, vcpu, { nr }) => {
    log('debug', 'axvm', `VM ${vm.vmId}: hypercall ${nr} is not implemented`);
    vcpu.setReturnValue(FAILED);
    return 'continue';
  },
  CpuUp: (vm, vcpu, { targetCpu, entryPoint, arg }) => {
    const result = vm.cpuUp(targetCpu, entryPoint, arg);
    vcpu.arch.completeCpuUp(result);
    return result === 'success' ? 'yield' : 'continue';
  },
  CpuDown: (vm, vcpu) => {
    vm.cpuDown(vcpu.id);
    return 'off';
  },
  SystemDown: (vm, _vcpu, { failure }) => {
    vm.systemDown(failure === true);
    return 'off';
  },
  SystemReset: (vm) => {
    vm.systemReset();
    return 'off';
  },
  SendIPI: (vm, vcpu, request) => {
    vm.sendIpi(vcpu.id, request);
    return 'continue';
  },
  FailEntry: (vm, vcpu, { hardwareEntryFailureReason }) =>
    fail(vm, `vCPU ${vcpu.id}: the processor refused to enter the guest, reason 0x${hardwareEntryFailureReason.toString(16)}`),
  GuestError: (vm, vcpu, { message }) => fail(vm, `vCPU ${vcpu.id}: ${message}`),
};

/** All exit reasons, in a fixed order. */
export const EXIT_REASONS: readonly string[] = Object.keys(HANDLERS);

/** A Map, because it finds a name by the hash that the name has already. */
const BY_REASON: ReadonlyMap<string, unknown> = new Map(Object.entries(HANDLERS));

/** Handles one exit of `vcpu` and counts it. */
export function handleExit(vm: VmServices, vcpu: AxVCpu, exit: AxVCpuExitReason): Next {
  vm.count(exit.reason);
  return (BY_REASON.get(exit.reason) as Handler<typeof exit.reason>)(vm, vcpu, exit);
}
