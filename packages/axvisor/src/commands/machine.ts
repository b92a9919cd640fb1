/** What every command that runs guests does first: size the host, create the VMs. */
import { isAxError } from '@axvisor/axvisor_api/errors';
import { createVm, type Vm } from '@axvisor/axvisor_api/vm';
import type { ConsoleMultiplexer } from '../console/multiplexer.ts';
import { usageError } from '../errors.ts';
import type { VmPlan } from './run_options.ts';

/** Host memory beyond guest RAM: page tables, TLBs, decode caches, contexts. */
const OVERHEAD = 192 * 1024 * 1024;
/** What the software processors address: places in generated code are signed 32-bit numbers. */
const MAX_HOST_MEMORY = 0x7fff_0000;
const WASM_PAGE = 65536;

/** Physical memory for `plans`, with `more` software processors of `bytes` each. Only touched pages cost anything. @throws {CliError} */
export function hostMemory(plans: readonly Pick<VmPlan, 'config'>[], more = 0, bytes = 0): number {
  const guests = plans.flatMap((p) => p.config.memoryRegions).reduce((sum, r) => sum + Number(r.size), 0);
  // A processor's translation tables grow with the memory it addresses.
  const each = bytes + 2 ** Math.ceil(Math.log2(guests + OVERHEAD + more * 2 * bytes)) / 32;
  const rounded = Math.ceil((guests + OVERHEAD + more * each) / WASM_PAGE) * WASM_PAGE;
  if (rounded > MAX_HOST_MEMORY) {
    const own = OVERHEAD + more * each;
    throw usageError(
      `guest memory: ${mib(guests)} do not fit; one run has 2 GiB in all, of which ${mib(own)} are the hypervisor's and at most ${Math.max(0, Math.floor((MAX_HOST_MEMORY - own) / MIB))}M the guests'`,
    );
  }
  return rounded;
}

const MIB = 1 << 20;
const mib = (bytes: number): string => `${Math.ceil(bytes / MIB)}M`;

/** @throws {CliError} saying which VM cannot be */
export function createVms(plans: readonly VmPlan[], multiplexer: ConsoleMultiplexer): Vm[] {
  return plans.map(({ config, images }) => {
    try {
      return createVm(config, images, multiplexer.attach(config.id));
    } catch (e) {
      if (isAxError(e)) throw usageError(`VM ${config.id} (${config.name}): ${e.message}`, e);
      throw e;
    }
  });
}
