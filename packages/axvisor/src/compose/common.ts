/** The components that every architecture's hypervisor has. */
import { component as axaddrspace } from '@axvisor/axaddrspace';
import { component as axdevice } from '@axvisor/axdevice';
import { component as axerrno } from '@axvisor/axerrno';
import { createComponent as axhost, type HostOptions } from '@axvisor/axhost';
import { component as axvcpu } from '@axvisor/axvcpu';
import { component as axvm, createRunner } from '@axvisor/axvm';
import { component as axvmconfig } from '@axvisor/axvmconfig';
import { component as memoryAddr } from '@axvisor/memory_addr';
import { createComponent as percpu, type PerCpuAreas } from '@axvisor/percpu';
import type { ComposeHooks, CpuComposeOptions, HostComponent } from './options.ts';

type Common = readonly [
  HostComponent, typeof axerrno, typeof memoryAddr, ReturnType<typeof percpu>, typeof axaddrspace, typeof axvcpu, typeof axdevice, typeof axvmconfig, typeof axvm,
];

/** The hypervisor of a thread, but for what is the architecture's. */
export function commonComponents(host: HostOptions, { wrapHost = (inner) => inner, onPerCpu = () => {} }: ComposeHooks = {}): Common {
  return [wrapHost(axhost(host)), axerrno, memoryAddr, percpu({ init: 'first-use', onCreate: onPerCpu }), axaddrspace, axvcpu, axdevice, axvmconfig, axvm];
}

/** What a guest CPU's thread has of every architecture. */
export interface CommonCpu {
  readonly components: readonly [HostComponent, typeof axerrno, typeof memoryAddr, ReturnType<typeof percpu>, typeof axvcpu, ReturnType<typeof createRunner>['component']];
  /** Once they are linked: takes up what is shared. The result runs the CPU, and never returns. */
  start(): () => never;
}

export function commonCpu({ host, percpu: share }: CpuComposeOptions): CommonCpu {
  const { component: runner, run } = createRunner();
  let areas: PerCpuAreas | undefined;
  return {
    components: [axhost(host), axerrno, memoryAddr, percpu({ onCreate: (created) => (areas = created) }), axvcpu, runner],
    start: () => {
      areas?.attach(share);
      return run;
    },
  };
}
