/** The RISC-V hypervisor: every component of it, on a software hart with the H extension. */
import { link, type Image } from '@axvisor/axvisor_api';
import { component as axaddrspace } from '@axvisor/axaddrspace';
import { component as axdevice } from '@axvisor/axdevice';
import { component as axerrno } from '@axvisor/axerrno';
import { createComponent as axhost, type HostOptions } from '@axvisor/axhost';
import { component as axvcpu } from '@axvisor/axvcpu';
import { component as axvm, createRunner } from '@axvisor/axvm';
import { component as axvmconfig } from '@axvisor/axvmconfig';
import { component as memoryAddr } from '@axvisor/memory_addr';
import { createComponent as percpu, type PerCpuAreas } from '@axvisor/percpu';
import { component as riscvVcpu } from '@axvisor/riscv_vcpu';
import { component as riscvVplic } from '@axvisor/riscv_vplic';
import { createComponent as softcpuRiscv } from '@axvisor/softcpu_riscv';
import type { ComposeHooks, CpuComposeOptions, ProcessorOptions } from './options.ts';

/** Links the hypervisor for this thread. */
export function composeRiscv64(host: HostOptions, processor: ProcessorOptions = {}, { wrapHost = (inner) => inner, onPerCpu = () => {} }: ComposeHooks = {}): Image {
  return link([
    wrapHost(axhost(host)), axerrno, memoryAddr, percpu({ init: 'first-use', onCreate: onPerCpu }), axaddrspace, axvcpu, riscvVcpu, softcpuRiscv(processor),
    riscvVplic, axdevice, axvmconfig, axvm,
  ]);
}

/** Links what a guest CPU needs in its thread; the result runs it, and never returns. */
export function composeRiscv64Cpu({ host, processor, percpu: share }: CpuComposeOptions): () => never {
  const { component: runner, run } = createRunner();
  let areas: PerCpuAreas | undefined;
  link([axhost(host), axerrno, memoryAddr, percpu({ onCreate: (created) => (areas = created) }), axvcpu, riscvVcpu, softcpuRiscv(processor), runner]);
  areas?.attach(share);
  return run;
}
