/** The component: the table of VMs of this hypervisor, and the `vm` and `vmm` APIs on it. */
import { apiImpl, component as axComponent, type Component } from '@axvisor/axvisor_api';
import { addr } from '@axvisor/axvisor_api/addr';
import { addrspace } from '@axvisor/axvisor_api/addrspace';
import { device } from '@axvisor/axvisor_api/device';
import { axError, ensure, errors } from '@axvisor/axvisor_api/errors';
import { host, log } from '@axvisor/axvisor_api/host';
import { intc } from '@axvisor/axvisor_api/intc';
import { memory } from '@axvisor/axvisor_api/memory';
import { processor } from '@axvisor/axvisor_api/processor';
import { time } from '@axvisor/axvisor_api/time';
import { guestCpus, smp } from '@axvisor/axvisor_api/smp';
import { archVcpu, currentVCpu, vcpu, type AxVCpu } from '@axvisor/axvisor_api/vcpu';
import { vm, type Vms } from '@axvisor/axvisor_api/vm';
import { vmm, type Vmm } from '@axvisor/axvisor_api/vmm';
import type { Executor } from './executor.ts';
import { Scheduler } from './scheduler.ts';
import { Monitor } from './threads/monitor.ts';
import { AxVm } from './vm/vm.ts';

/** VMIDs of 14 bits, the most that Sv39x4 has; 0 stays for the host. */
const MAX_VMID = 0x3fff;

/** The VMs of one hypervisor. */
function createMonitor(): { readonly vm: Vms; readonly vmm: Vmm } {
  const table = new Map<number, AxVm>();
  let chosen: Executor | undefined;
  /** Chosen at the first use: while components are instantiated nothing is linked yet. */
  const executor = (): Executor => (chosen ??= guestCpus() > 0 ? new Monitor(() => table.values()) : new Scheduler(() => table.values()));

  const find = (id: number): AxVm => {
    const found = table.get(id);
    if (found === undefined) throw axError('NotFound', `there is no VM ${id}`);
    return found;
  };
  const freeVmid = (): number => {
    const used = new Set([...table.values()].map((v) => v.vmid));
    for (let vmid = 1; vmid <= MAX_VMID; vmid++) if (!used.has(vmid)) return vmid;
    throw axError('ResourceBusy', `all ${MAX_VMID} VMIDs are in use`);
  };
  const current = (): AxVCpu => {
    const running = currentVCpu();
    if (running === undefined) throw axError('BadState', 'no vCPU runs on this CPU');
    return running;
  };
  const rouse = (id: number, index: number): void => {
    const target = find(id);
    executor().rouse(target, target.slot(index));
  };
  const inject = (id: number, index: number, vector: number): void => {
    const target = find(id);
    target.inject(target.slot(index), vector);
  };

  return {
    vm: {
      createVm: (config, images, console) => {
        ensure(Number.isInteger(config.id) && config.id >= 1, 'InvalidInput', `a VM id is 1 or more, not ${config.id}`);
        ensure(!table.has(config.id), 'AlreadyExists', `there is a VM ${config.id} already`);
        const promisedFrames = [...table.values()].reduce((sum, v) => sum + v.committedFrames, 0);
        const created = new AxVm(config, images, console, { vmid: freeVmid(), promisedFrames, executor: executor(), onClose: () => table.delete(config.id) });
        table.set(config.id, created);
        log('info', 'axvm', `VM ${config.id} (${config.name}): ${config.cpuNum} vCPU, loaded`);
        return created;
      },
      vms: () => [...table.values()],
      findVm: find,
      runVms: (until = () => false) => executor().run(until),
      timeByPart: () => executor().time.seconds,
      threadCounters: () => executor().counters(),
    },
    vmm: {
      currentVmId: () => current().vmId,
      currentVcpuId: () => current().id,
      vcpuNum: (id) => find(id).slots.length,
      activeVcpus: (id) => find(id).slots.reduce((set, { power }, i) => (power === 'on' ? set | (1n << BigInt(i)) : set), 0n),
      vcpuPowerState: (id, index) => find(id).slot(index).power,
      injectInterrupt: inject,
      injectInterruptToCpus: (id, set, vector) => {
        const { slots } = find(id);
        ensure(set >> BigInt(slots.length) === 0n, 'NotFound', `VM ${id} has only ${slots.length} vCPUs`);
        for (const { vcpu: target } of slots) if (((set >> BigInt(target.id)) & 1n) === 1n) inject(id, target.id, vector);
      },
      kickVcpu: rouse,
      notifyVcpuTimerExpired: rouse,
      guestMemory: (id) => find(id).addressSpace,
      guestConsole: (id) => find(id).console,
    },
  };
}

export const component: Component<
  typeof vm.id | typeof vmm.id,
  | typeof addr.id | typeof addrspace.id | typeof device.id | typeof host.id | typeof intc.id | typeof memory.id
  | typeof processor.id | typeof time.id | typeof vcpu.id | typeof archVcpu.id
> = axComponent({
  name: '@axvisor/axvm',
  requires: [addr, addrspace, device, errors, host, intc, memory, processor, smp, time, vcpu, archVcpu],
  provides: () => {
    const monitor = createMonitor();
    return [apiImpl(vm, monitor.vm), apiImpl(vmm, monitor.vmm)];
  },
});
