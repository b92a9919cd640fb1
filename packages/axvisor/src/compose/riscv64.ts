/** The RISC-V hypervisor: every component of it, on a software hart with the H extension. */
import { link, type Image } from '@axvisor/axvisor_api';
import { component as axaddrspace } from '@axvisor/axaddrspace';
import { component as axdevice } from '@axvisor/axdevice';
import { component as axerrno } from '@axvisor/axerrno';
import { createComponent as axhost, type HostOptions } from '@axvisor/axhost';
import { component as axvcpu } from '@axvisor/axvcpu';
import { component as axvm } from '@axvisor/axvm';
import { component as axvmconfig } from '@axvisor/axvmconfig';
import { component as memoryAddr } from '@axvisor/memory_addr';
import { component as percpu } from '@axvisor/percpu';
import { component as riscvVcpu } from '@axvisor/riscv_vcpu';
import { component as riscvVplic } from '@axvisor/riscv_vplic';
import { createComponent as softcpuRiscv } from '@axvisor/softcpu_riscv';
import type { HostWrapper, ProcessorOptions } from './options.ts';

/** Links the hypervisor for this thread. */
export function composeRiscv64(host: HostOptions, processor: ProcessorOptions = {}, wrap: HostWrapper = (inner) => inner): Image {
  return link([
    wrap(axhost(host)), axerrno, memoryAddr, percpu, axaddrspace, axvcpu, riscvVcpu, softcpuRiscv(processor), riscvVplic, axdevice, axvmconfig, axvm,
  ]);
}
