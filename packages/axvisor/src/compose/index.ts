/** The hypervisors this package can compose, by architecture. Each is loaded only when it is wanted. */
import type { Image } from '@axvisor/axvisor_api';
import type { HostOptions } from '@axvisor/axhost';
import type { Architecture } from '@axvisor/axvisor_api/processor';
import type { ComposeHooks, CpuComposeOptions, ProcessorOptions } from './options.ts';

interface Composition {
  readonly compose: (host: HostOptions, processor?: ProcessorOptions, hooks?: ComposeHooks) => Image;
  readonly composeCpu: (options: CpuComposeOptions) => () => never;
}

const COMPOSITIONS: Readonly<Partial<Record<Architecture, () => Promise<Composition>>>> = {
  riscv64: async () => {
    const { composeRiscv64, composeRiscv64Cpu } = await import('./riscv64.ts');
    return { compose: composeRiscv64, composeCpu: composeRiscv64Cpu };
  },
  x86_64: async () => {
    const { composeX86_64, composeX86_64Cpu } = await import('./x86_64.ts');
    return { compose: composeX86_64, composeCpu: composeX86_64Cpu };
  },
  aarch64: async () => {
    const { composeAarch64, composeAarch64Cpu } = await import('./aarch64.ts');
    return { compose: composeAarch64, composeCpu: composeAarch64Cpu };
  },
};

/** Architectures that guests can have. */
export const ARCHITECTURES: readonly Architecture[] = Object.keys(COMPOSITIONS) as Architecture[];

function find(arch: Architecture): Promise<Composition> {
  const load = COMPOSITIONS[arch];
  if (load === undefined) throw new RangeError(`no hypervisor for ${arch}`);
  return load();
}

/** Begins to load what {@link compose} needs. */
export function preload(arch: Architecture): void {
  // Whoever composes is told what is wrong with it.
  find(arch).catch(() => {});
}

/** Links the hypervisor for `arch` in this thread. */
export async function compose(arch: Architecture, host: HostOptions, processor: ProcessorOptions = {}, hooks: ComposeHooks = {}): Promise<Image> {
  return (await find(arch)).compose(host, processor, hooks);
}

/** Loads what a guest CPU of `arch` needs; the result links it in this thread, and gives what runs it and never returns. */
export async function loadCpu(arch: Architecture): Promise<(options: CpuComposeOptions) => () => never> {
  return (await find(arch)).composeCpu;
}
