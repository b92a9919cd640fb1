/** The hypervisors this package can compose, by architecture. Each is loaded only when it is wanted. */
import type { Image } from '@axvisor/axvisor_api';
import type { HostOptions } from '@axvisor/axhost';
import type { Architecture } from '@axvisor/axvisor_api/processor';
import type { HostWrapper, ProcessorOptions } from './options.ts';

/** Links the hypervisor of one architecture. */
type Compose = (host: HostOptions, processor?: ProcessorOptions, wrap?: HostWrapper) => Image;

const COMPOSITIONS: Readonly<Partial<Record<Architecture, () => Promise<Compose>>>> = {
  riscv64: async () => (await import('./riscv64.ts')).composeRiscv64,
};

/** Architectures that guests can have. */
export const ARCHITECTURES: readonly Architecture[] = Object.keys(COMPOSITIONS) as Architecture[];

/** Links the hypervisor for `arch` in this thread. */
export async function compose(arch: Architecture, host: HostOptions, processor: ProcessorOptions = {}, wrap?: HostWrapper): Promise<Image> {
  const load = COMPOSITIONS[arch];
  if (load === undefined) throw new RangeError(`no hypervisor for ${arch}`);
  return (await load())(host, processor, wrap);
}
