/** The suite `kernels`: C programs on the bare guest and on this machine. */

import { axvisorCommand, qemuCommand, toolchains, v86Command, type GuestFiles } from '../contenders.ts';
import type { Contest, SuiteOptions } from '../contest.ts';
import { compileGuest, compileNative, kernels } from '../kernels.ts';
import { BenchError, isInstalled, type Span } from '../process.ts';
import { hasV86 } from '../v86/package.ts';

/** From the line before the kernel's work to the line with its checksum. */
export const KERNEL_SPAN: Span = { from: /^begin\r?$/m, to: /^checksum ([0-9a-f]{16})\r?$/m };

/** Memory of the guests, in MiB. */
export const KERNEL_MEMORY = 128;

/** @throws {BenchError} without a compiler for the guest */
export async function needCompiler({ arch }: SuiteOptions): Promise<void> {
  const { compiler, compilerPackage } = toolchains[arch];
  if (!(await isInstalled(compiler))) throw new BenchError(`${compiler} is not on this machine: on Debian, install ${compilerPackage}`);
}

export async function kernelContests(options: SuiteOptions): Promise<Contest[]> {
  const { arch, scale, withQemu, folder } = options;
  await needCompiler(options);
  const withNative = await isInstalled('gcc');
  const withV86 = toolchains[arch].v86 === true && hasV86();
  const contests: Contest[] = [];
  for (const name of options.only ?? kernels) {
    const guest: GuestFiles = { kernel: await compileGuest(name, arch, scale, folder), memory: KERNEL_MEMORY };
    const native = withNative ? { program: await compileNative(name, scale, folder), args: [] } : undefined;
    contests.push({ jobs: [{ name, span: KERNEL_SPAN }], us: axvisorCommand(arch, guest, options), qemu: withQemu ? qemuCommand(arch, guest) : undefined, v86: withV86 ? v86Command(guest) : undefined, native });
  }
  return contests;
}
