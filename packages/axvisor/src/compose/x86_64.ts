/** The x86-64 hypervisor: every component of it, on a software logical processor with VMX or SVM. */
import { link, type Image } from '@axvisor/axvisor_api';
import type { HostOptions } from '@axvisor/axhost';
import { createComponent as softcpuX86 } from '@axvisor/softcpu_x86';
import { component as vmx } from '@axvisor/x86_vcpu';
import { component as svm } from '@axvisor/x86_vcpu/svm';
import { component as x86Vlapic } from '@axvisor/x86_vlapic';
import { commonComponents, commonCpu } from './common.ts';
import type { ComposeHooks, CpuComposeOptions, ProcessorOptions } from './options.ts';

/** The processor of a vendor, and what runs vCPUs with its virtualization. */
function cpuComponents({ virt = 'vmx', ...processor }: ProcessorOptions): readonly [typeof vmx, ReturnType<typeof softcpuX86>] {
  const isSvm = virt === 'svm';
  return [isSvm ? svm : vmx, softcpuX86({ ...processor, vendor: isSvm ? 'amd' : 'intel' })];
}

/**
 * The time-stamp counter's frequency: a nanosecond a tick, as systems expect of a processor's clock. Lower ones make their calibration inexact, and
 * delays of less than a tick none.
 */
const TICK_FREQUENCY = 1_000_000_000n;

/** Links the hypervisor for this thread. */
export function composeX86_64(host: HostOptions, processor: ProcessorOptions = {}, hooks: ComposeHooks = {}): Image {
  return link([...commonComponents({ tickFrequency: TICK_FREQUENCY, ...host }, hooks), ...cpuComponents(processor), x86Vlapic]);
}

/** Links what a guest CPU needs in its thread; the result runs it, and never returns. */
export function composeX86_64Cpu(options: CpuComposeOptions): () => never {
  const { components, start } = commonCpu({ ...options, host: { tickFrequency: TICK_FREQUENCY, ...options.host } });
  link([...components, ...cpuComponents(options.processor), x86Vlapic]);
  return start();
}
