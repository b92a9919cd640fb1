/** The suite `exits`: what one exit, interrupt, vCPU start and a whole start of the hypervisor cost. */

import { axvisorCommand, qemuCommand, toolchains, type GuestFiles } from '../contenders.ts';
import type { Contest, SuiteOptions } from '../contest.ts';
import { compileGuest } from '../kernels.ts';
import { BenchError } from '../process.ts';
import { KERNEL_MEMORY, KERNEL_SPAN, needCompiler } from './kernels.ts';

/** vCPUs of the guest whose cold start says what a vCPU costs: what every board has room for. */
const MANY = 120;

export async function exitContests(options: SuiteOptions): Promise<Contest[]> {
  const { arch, scale, withQemu, folder } = options;
  const { exits } = toolchains[arch];
  if (exits.length === 0) throw new BenchError(`the suite exits has no guests for ${arch}`);
  await needCompiler(options);
  const contests: Contest[] = [];
  let kernel = '';
  for (const { source, name, operations, cpus, threads } of exits) {
    kernel = await compileGuest(source, arch, scale, folder);
    const guest: GuestFiles = { kernel, memory: KERNEL_MEMORY, cpus, threads };
    const job = { name, span: KERNEL_SPAN, operations: operations * scale };
    contests.push({ jobs: [job], us: axvisorCommand(arch, guest, options), qemu: withQemu ? qemuCommand(arch, guest) : undefined });
  }
  const guest: GuestFiles = { kernel, memory: KERNEL_MEMORY };
  const begin = { to: /^(begin)\r?$/m };
  for (const [name, files] of [
    ['cold start', guest],
    [`cold start, ${MANY} vCPUs`, { ...guest, cpus: MANY }],
  ] as const) {
    contests.push({ jobs: [{ name, span: begin }], us: axvisorCommand(arch, files, options), qemu: withQemu ? qemuCommand(arch, files) : undefined });
  }
  return contests;
}
