/** The Arm hypervisor: every component of it, on a software processing element with EL2. */
import { link, type Image } from '@axvisor/axvisor_api';
import { component as armVcpu } from '@axvisor/arm_vcpu';
import { component as armVgic } from '@axvisor/arm_vgic';
import type { HostOptions } from '@axvisor/axhost';
import { createComponent as softcpuArm } from '@axvisor/softcpu_arm';
import { commonComponents, commonCpu } from './common.ts';
import type { ComposeHooks, CpuComposeOptions, ProcessorOptions } from './options.ts';

/** Links the hypervisor for this thread. */
export function composeAarch64(host: HostOptions, processor: ProcessorOptions = {}, hooks: ComposeHooks = {}): Image {
  return link([...commonComponents(host, hooks), armVcpu, softcpuArm(processor), armVgic]);
}

/** Links what a guest CPU needs in its thread; the result runs it, and never returns. */
export function composeAarch64Cpu(options: CpuComposeOptions): () => never {
  const { components, start } = commonCpu(options);
  link([...components, armVcpu, softcpuArm(options.processor), armVgic]);
  return start();
}
