/** The RISC-V hypervisor: every component of it, on a software hart with the H extension. */
import { link, type Image } from '@axvisor/axvisor_api';
import type { HostOptions } from '@axvisor/axhost';
import { component as riscvVcpu } from '@axvisor/riscv_vcpu';
import { component as riscvVplic } from '@axvisor/riscv_vplic';
import { createComponent as softcpuRiscv } from '@axvisor/softcpu_riscv';
import { commonComponents, commonCpu } from './common.ts';
import type { ComposeHooks, CpuComposeOptions, ProcessorOptions } from './options.ts';

/** Links the hypervisor for this thread. */
export function composeRiscv64(host: HostOptions, processor: ProcessorOptions = {}, hooks: ComposeHooks = {}): Image {
  return link([...commonComponents(host, hooks), riscvVcpu, softcpuRiscv(processor), riscvVplic]);
}

/** Links what a guest CPU needs in its thread; the result runs it, and never returns. */
export function composeRiscv64Cpu(options: CpuComposeOptions): () => never {
  const { components, start } = commonCpu(options);
  link([...components, riscvVcpu, softcpuRiscv(options.processor)]);
  return start();
}
