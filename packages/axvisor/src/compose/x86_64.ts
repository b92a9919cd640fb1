/** The x86-64 hypervisor: every component of it, on a software logical processor with VMX or SVM. */
import { link, type Image } from '@axvisor/axvisor_api';
import type { HostOptions } from '@axvisor/axhost';
import { createComponent as softcpuX86 } from '@axvisor/softcpu_x86';
import { component as vmx } from '@axvisor/x86_vcpu';
import { component as svm } from '@axvisor/x86_vcpu/svm';
import { component as x86Vlapic } from '@axvisor/x86_vlapic';
import { commonComponents } from './common.ts';
import type { ComposeHooks, ProcessorOptions } from './options.ts';

/**
 * The time-stamp counter's frequency: a nanosecond a tick, as systems expect of a processor's clock. Lower ones make their calibration inexact, and
 * delays of less than a tick none.
 */
const TICK_FREQUENCY = 1_000_000_000n;

/** Links the hypervisor for this thread. */
export function composeX86_64(host: HostOptions, { virt = 'vmx', ...processor }: ProcessorOptions = {}, hooks: ComposeHooks = {}): Image {
  const vendor = virt === 'svm' ? 'amd' : 'intel';
  return link([...commonComponents({ tickFrequency: TICK_FREQUENCY, ...host }, hooks), virt === 'svm' ? svm : vmx, softcpuX86({ ...processor, vendor }), x86Vlapic]);
}

/** vCPUs of this architecture stay on the thread of the hypervisor. */
export function composeX86_64Cpu(): never {
  throw new RangeError('vCPUs of x86_64 run on one thread');
}
