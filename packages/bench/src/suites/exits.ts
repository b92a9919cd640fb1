/** The suite `exits`: what one exit, interrupt, vCPU start and a whole start of the hypervisor cost. */

import { axvisorCommand, qemuCommand, toolchains, type GuestFiles } from '../contenders.ts';
import type { Contest, SuiteOptions } from '../contest.ts';
import { compileGuest, exitKernels, type ExitKernel } from '../kernels.ts';
import { BenchError } from '../process.ts';
import { KERNEL_MEMORY, KERNEL_SPAN, needCompiler } from './kernels.ts';

/** What each guest program does so and so often; the same number as in its source. */
const OPERATIONS: Readonly<Record<ExitKernel, { readonly name: string; readonly operations: number }>> = {
  mmio: { name: 'MMIO read', operations: 200_000 },
  sbi: { name: 'SBI call', operations: 200_000 },
  interrupt: { name: 'injected interrupt', operations: 100_000 },
  start: { name: 'vCPU start and stop', operations: 2_000 },
};

/** vCPUs of the guest whose cold start says what a vCPU costs. */
const MANY = 129;

export async function exitContests(options: SuiteOptions): Promise<Contest[]> {
  const { arch, scale, timeout, withQemu, folder } = options;
  if (!toolchains[arch].exits) throw new BenchError(`the suite exits has no guests for ${arch}`);
  await needCompiler(options);
  const contests: Contest[] = [];
  for (const kernel of exitKernels) {
    const guest: GuestFiles = { kernel: await compileGuest(kernel, arch, scale, folder), memory: KERNEL_MEMORY, ...(kernel === 'start' ? { cpus: 2 } : {}) };
    const { name, operations } = OPERATIONS[kernel];
    const job = { name, span: KERNEL_SPAN, operations: operations * scale };
    contests.push({ jobs: [job], us: axvisorCommand(arch, guest, timeout), qemu: withQemu ? qemuCommand(arch, guest) : undefined });
  }
  const guest: GuestFiles = { kernel: await compileGuest('sbi', arch, 1, folder), memory: KERNEL_MEMORY };
  const begin = { to: /^(begin)\r?$/m };
  for (const [name, files] of [
    ['cold start', guest],
    [`cold start, ${MANY} vCPUs`, { ...guest, cpus: MANY }],
  ] as const) {
    contests.push({ jobs: [{ name, span: begin }], us: axvisorCommand(arch, files, timeout), qemu: withQemu ? qemuCommand(arch, files) : undefined });
  }
  return contests;
}
