/** The hypervisors this package can compose, by architecture. Each is loaded only when it is wanted. */
import type { Image } from '@axvisor/axvisor_api';
import type { HostOptions } from '@axvisor/axhost';
import type { VmConfig } from '@axvisor/axvisor_api/config';
import type { Architecture } from '@axvisor/axvisor_api/processor';
import type { CompileBatch } from '@axvisor/softcpu';
import type { ComposeHooks, CpuComposeOptions, ProcessorOptions, Virtualization } from './options.ts';

/** An architecture version of the GIC. */
export type GicVersion = NonNullable<VmConfig['gicVersion']>;

interface Composition {
  readonly compose: (host: HostOptions, processor?: ProcessorOptions, hooks?: ComposeHooks) => Image;
  readonly composeCpu: (options: CpuComposeOptions) => () => never;
}

interface Entry {
  readonly load: () => Promise<Composition>;
  readonly loadCompiler: () => Promise<{ readonly compileBatch: CompileBatch }>;
  /** Of which kind the virtualization of its processors can be, where there is a choice. */
  readonly virt?: readonly Virtualization[];
  /** Versions that its interrupt controller can have, where there is a choice. */
  readonly gic?: readonly GicVersion[];
  /** Bytes of a processor beyond its translation tables: decode cache, copies of code. */
  readonly processorBytes: number;
}

const MIB = 1 << 20;

const COMPOSITIONS: Readonly<Partial<Record<Architecture, Entry>>> = {
  riscv64: {
    load: async () => {
      const { composeRiscv64, composeRiscv64Cpu } = await import('./riscv64.ts');
      return { compose: composeRiscv64, composeCpu: composeRiscv64Cpu };
    },
    loadCompiler: () => import('@axvisor/softcpu_riscv/compile'),
    processorBytes: 48 * MIB,
  },
  x86_64: {
    load: async () => {
      const { composeX86_64, composeX86_64Cpu } = await import('./x86_64.ts');
      return { compose: composeX86_64, composeCpu: composeX86_64Cpu };
    },
    loadCompiler: () => import('@axvisor/softcpu_x86/compile'),
    virt: ['vmx', 'svm'],
    processorBytes: 80 * MIB,
  },
  aarch64: {
    load: async () => {
      const { composeAarch64, composeAarch64Cpu } = await import('./aarch64.ts');
      return { compose: composeAarch64, composeCpu: composeAarch64Cpu };
    },
    loadCompiler: () => import('@axvisor/softcpu_arm/compile'),
    gic: [2, 3],
    processorBytes: 48 * MIB,
  },
};

/** Architectures that guests can have. */
export const ARCHITECTURES: readonly Architecture[] = Object.keys(COMPOSITIONS) as Architecture[];

function entry(arch: Architecture): Entry {
  const found = COMPOSITIONS[arch];
  if (found === undefined) throw new RangeError(`no hypervisor for ${arch}`);
  return found;
}

/** The kinds of virtualization that can be chosen for processors of `arch`; none where there is no choice. */
export const virtualizations = (arch: Architecture): readonly Virtualization[] => entry(arch).virt ?? [];

/** The versions that can be chosen for the GIC of guests of `arch`; none where they have another controller. */
export const gicVersions = (arch: Architecture): readonly GicVersion[] => entry(arch).gic ?? [];

/** Bytes that a further processor of `arch` takes in host memory, beyond its translation tables. */
export const processorBytes = (arch: Architecture): number => entry(arch).processorBytes;

const find = async (arch: Architecture): Promise<Composition> => entry(arch).load();

/** Links the hypervisor for `arch` in this thread. */
export async function compose(arch: Architecture, host: HostOptions, processor: ProcessorOptions = {}, hooks: ComposeHooks = {}): Promise<Image> {
  return (await find(arch)).compose(host, processor, hooks);
}

/** Loads what a guest CPU of `arch` needs; the result links it in this thread, and gives what runs it and never returns. */
export async function loadCpu(arch: Architecture): Promise<(options: CpuComposeOptions) => () => never> {
  return (await find(arch)).composeCpu;
}

/** Loads what compiles the translations of `arch`. */
export async function loadCompiler(arch: Architecture): Promise<CompileBatch> {
  return (await entry(arch).loadCompiler()).compileBatch;
}
