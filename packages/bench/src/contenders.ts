/** How each contender is started with a guest. */

import { fileURLToPath } from 'node:url';
import type { Command } from './process.ts';

/** Architectures that can be measured, by our names. */
export const ARCHITECTURES = ['riscv64', 'aarch64', 'x86_64', 'i386'] as const;

export type BenchArchitecture = (typeof ARCHITECTURES)[number];

/** A guest that makes the hypervisor work. */
export interface ExitGuest {
  readonly source: string;
  /** What it does, and how often: the same number as in its source. */
  readonly name: string;
  readonly operations: number;
  readonly cpus?: number;
  /** Its vCPUs run on threads. */
  readonly threads?: true;
}

/** What an architecture's contenders are called. */
export interface Toolchain {
  /** The architecture as axvisor calls it. */
  readonly axvisor: string;
  readonly qemu: string;
  readonly qemuArguments: readonly string[];
  readonly compiler: string;
  readonly compilerArguments: readonly string[];
  /** Sources, below `kernels`, that stand in for an operating system. */
  readonly sources: readonly string[];
  /** Guests of the suite `exits`, below `kernels`: what one of each costs. */
  readonly exits: readonly ExitGuest[];
  /** Image of the store that the suite `boot` boots; absent: no Debian to measure with. */
  readonly bootImage?: string;
  /** Package with an esbuild for the guest. */
  readonly esbuild?: string;
  /** The guests' kernels run in v86 too. */
  readonly v86?: true;
  /** Debian's package of the compiler. */
  readonly compilerPackage: string;
}

const FREESTANDING = ['-fno-pie', '-no-pie', '-static', '-nostdlib', '-fno-stack-protector', '-Wl,-z,noexecstack'] as const;

/** QEMU with the devices that guests here look at, and no more. */
const PC = {
  qemu: 'qemu-system-x86_64',
  qemuArguments: ['-machine', 'pc', '-cpu', 'max', '-nodefaults', '-display', 'none', '-serial', 'stdio'],
  compiler: 'x86_64-linux-gnu-gcc',
  compilerPackage: 'gcc-x86-64-linux-gnu',
} as const;

/** The tools of each architecture. */
export const toolchains: Readonly<Record<BenchArchitecture, Toolchain>> = {
  riscv64: {
    axvisor: 'riscv64',
    qemu: 'qemu-system-riscv64',
    qemuArguments: ['-M', 'virt', '-nographic'],
    compiler: 'riscv64-linux-gnu-gcc',
    compilerArguments: ['-march=rv64gc', '-mabi=lp64d', '-mcmodel=medany', ...FREESTANDING],
    sources: ['start_riscv64.S', 'guest_riscv64.c'],
    exits: [
      { source: 'mmio_riscv64', name: 'MMIO read', operations: 200_000 },
      { source: 'sbi_riscv64', name: 'SBI call', operations: 200_000 },
      { source: 'interrupt_riscv64', name: 'injected interrupt', operations: 100_000 },
      { source: 'ipi_riscv64', name: 'interrupt of a busy vCPU', operations: 5_000, cpus: 2, threads: true },
      { source: 'start_hart_riscv64', name: 'vCPU start and stop', operations: 2_000, cpus: 2 },
    ],
    bootImage: 'debian-riscv64',
    esbuild: '@esbuild/linux-riscv64',
    compilerPackage: 'gcc-riscv64-linux-gnu',
  },
  aarch64: {
    axvisor: 'aarch64',
    qemu: 'qemu-system-aarch64',
    // The processor of its age with what ours has: LSE, half precision, dot products, and no more that a kernel would use.
    qemuArguments: ['-M', 'virt,gic-version=3', '-cpu', 'neoverse-n1', '-nographic'],
    compiler: 'aarch64-linux-gnu-gcc',
    compilerArguments: ['-march=armv8-a', ...FREESTANDING, '-mno-outline-atomics'],
    sources: ['start_aarch64.S', 'guest_aarch64.c'],
    exits: [
      { source: 'mmio_aarch64', name: 'MMIO read', operations: 200_000 },
      { source: 'psci_aarch64', name: 'PSCI call', operations: 200_000 },
      { source: 'interrupt_aarch64', name: 'injected interrupt', operations: 100_000 },
      { source: 'ipi_aarch64', name: 'interrupt of a busy vCPU', operations: 5_000, cpus: 2, threads: true },
      { source: 'start_cpu_aarch64', name: 'vCPU start and stop', operations: 2_000, cpus: 2 },
    ],
    bootImage: 'debian-arm64',
    esbuild: '@esbuild/linux-arm64',
    compilerPackage: 'gcc-aarch64-linux-gnu',
  },
  x86_64: {
    axvisor: 'x86_64',
    ...PC,
    compilerArguments: ['-m64', '-mno-red-zone', ...FREESTANDING],
    sources: ['start_x86_64.S', 'guest_x86.c'],
    exits: [
      { source: 'mmio_x86', name: 'MMIO read', operations: 50_000 },
      { source: 'port_x86', name: 'port read', operations: 50_000 },
      { source: 'cpuid_x86', name: 'CPUID', operations: 50_000 },
      { source: 'interrupt_x86', name: 'injected interrupt', operations: 10_000 },
      { source: 'start_cpu_x86', name: 'vCPU start and stop', operations: 500, cpus: 2 },
    ],
    bootImage: 'debian-amd64',
    esbuild: '@esbuild/linux-x64',
  },
  // 32-bit code with SSE2, as v86 runs it.
  i386: {
    axvisor: 'x86_64',
    ...PC,
    compilerArguments: ['-m32', '-march=pentium4', '-mfpmath=sse', ...FREESTANDING],
    sources: ['start_i386.S', 'guest_x86.c', 'divide_i386.c'],
    exits: [],
    v86: true,
  },
};

/** A guest to run. */
export interface GuestFiles {
  readonly kernel: string;
  readonly initrd?: string | undefined;
  readonly append?: string | undefined;
  /** In MiB. */
  readonly memory: number;
  /** Number of CPUs; 1 when absent. */
  readonly cpus?: number | undefined;
  /** axvisor runs them on as many threads as are useful; QEMU always does. */
  readonly threads?: boolean | undefined;
}

/** This process's Node, with our sources. */
const NODE_ARGUMENTS = ['--conditions=@axvisor/source', '--disable-warning=ExperimentalWarning'] as const;

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));

/** How axvisor is started. */
export interface AxvisorOptions {
  /** Limit for the run, in seconds. */
  readonly timeout: number;
  /** What was built, as it is published: without types to be taken out of each module. Else the sources. */
  readonly built?: boolean | undefined;
}

/** Axvisor, by this process's own Node. */
export function axvisorCommand(arch: BenchArchitecture, guest: GuestFiles, { timeout, built = false }: AxvisorOptions): Command {
  const args = [...(built ? ['packages/axvisor/dist/cli.js'] : [...NODE_ARGUMENTS, 'packages/axvisor/src/cli.ts']), 'run'];
  args.push('--arch', toolchains[arch].axvisor, '--memory', `${guest.memory}M`, '--kernel', guest.kernel, '--timeout', String(timeout));
  if (guest.initrd !== undefined) args.push('--initrd', guest.initrd);
  if (guest.append !== undefined) args.push('--append', guest.append);
  if (guest.cpus !== undefined) args.push('--cpus', String(guest.cpus));
  if (guest.threads === true) args.push('--threads', 'auto');
  return { program: process.execPath, args, cwd: REPOSITORY };
}

/** QEMU's translator (TCG); with several CPUs it runs each on a thread. */
export function qemuCommand(arch: BenchArchitecture, guest: GuestFiles): Command {
  const { qemu, qemuArguments } = toolchains[arch];
  const args = [...qemuArguments, '-accel', 'tcg', '-m', `${guest.memory}M`, '-kernel', guest.kernel];
  if (guest.initrd !== undefined) args.push('-initrd', guest.initrd);
  if (guest.append !== undefined) args.push('-append', guest.append);
  if (guest.cpus !== undefined) args.push('-smp', String(guest.cpus));
  return { program: qemu, args };
}

/** The npm package v86 in a process of this process's own Node, as axvisor is. It starts multiboot kernels. */
export function v86Command(guest: Pick<GuestFiles, 'kernel' | 'memory'>): Command {
  return { program: process.execPath, args: [...NODE_ARGUMENTS, 'packages/bench/src/v86/main.ts', guest.kernel, String(guest.memory)], cwd: REPOSITORY };
}
