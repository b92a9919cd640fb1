/** A description made in code rather than read from a file. */
import type { VmConfig } from '@axvisor/axvisor_api/config';
import { RAM_FLAGS } from './description.ts';
import { RAM_BASE } from './parse.ts';

/** What {@link createVmConfig} takes: anything of a description, and the size of the memory instead of its regions. */
export type VmConfigInit = Partial<VmConfig> & {
  /** Bytes at the board's usual address; default 256 MiB. Not used with `memoryRegions`. */
  readonly memory?: bigint;
};

/**
 * A description with defaults for what is not given: VM 1 with one vCPU and 256 MiB on the `virt` board.
 *
 * ```ts
 * const config = createVmConfig({ name: 'debian', cpuNum: 4, memory: 512n << 20n, kernel: { path: 'Image' } });
 * ```
 */
export function createVmConfig({ memory = 256n << 20n, ...init }: VmConfigInit = {}): VmConfig {
  return {
    id: 1,
    name: 'guest',
    vmType: 'linux',
    cpuNum: 1,
    memoryRegions: [{ gpa: RAM_BASE[init.arch ?? 'riscv64'], size: memory, flags: RAM_FLAGS, mapType: 'alloc' }],
    devices: [],
    board: 'virt',
    disks: [],
    passthroughDevices: [],
    passthroughAddresses: [],
    excludedDevices: [],
    interruptMode: 'emulated',
    ...init,
  };
}
