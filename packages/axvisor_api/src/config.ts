/** The description of a virtual machine: what `@axvisor/axvmconfig` reads from TOML and `@axvisor/axvm` builds. */
import type { DeviceSpec } from './device.ts';
import type { Architecture } from './processor.ts';
import { apiDef, required, type AxApiDef } from './registry/api.ts';

/** How a memory region gets its memory. */
export type MapType = 'alloc' | 'identical' | 'reserved';

export interface MemoryRegionConfig {
  readonly gpa: bigint;
  readonly size: bigint;
  /** MappingFlags. */
  readonly flags: number;
  readonly mapType: MapType;
}

/** A file to be put into guest memory: a path (read by the embedder) and, where fixed, the address. */
export interface ImageConfig {
  readonly path: string;
  readonly loadAddr?: bigint;
}

export interface PassthroughConfig {
  readonly name: string;
  readonly baseGpa: bigint;
  readonly baseHpa: bigint;
  readonly length: bigint;
  readonly irq: number;
}

/** One VM. */
export interface VmConfig {
  /** >= 1, unique. */
  readonly id: number;
  readonly name: string;
  readonly vmType: 'host' | 'rtos' | 'linux';
  readonly cpuNum: number;
  /** Guest CPU number of each vCPU; default: its index. */
  readonly physCpuIds?: readonly bigint[];
  /** Allowed physical CPUs of each vCPU, a mask. */
  readonly physCpuSets?: readonly bigint[];
  readonly kernel?: ImageConfig;
  /** Default: from the kernel image. */
  readonly entryPoint?: bigint;
  readonly bios?: ImageConfig;
  readonly dtb?: ImageConfig;
  /** Where a generated device tree goes (with `dtb`, see there); default: chosen. */
  readonly dtbLoadAddr?: bigint;
  readonly ramdisk?: ImageConfig;
  readonly cmdline?: string;
  readonly memoryRegions: readonly MemoryRegionConfig[];
  /** Devices beyond those of the default board; `board: 'none'` leaves only these. */
  readonly devices: readonly DeviceSpec[];
  readonly board: 'virt' | 'none';
  /** Default: the one the hypervisor is started for. */
  readonly arch?: Architecture;
  readonly disks: readonly { readonly path: string; readonly readOnly: boolean }[];
  readonly passthroughDevices: readonly PassthroughConfig[];
  readonly passthroughAddresses: readonly { readonly baseGpa: bigint; readonly length: bigint }[];
  readonly excludedDevices: readonly (readonly string[])[];
  readonly interruptMode: 'no_irq' | 'emulated' | 'passthrough';
  /** Arm: architecture version of the board's interrupt controller. Default 3. */
  readonly gicVersion?: 2 | 3;
  /** x86-64: the virtualization of the processors that it wants to run on. Default: what the hypervisor is started with. */
  readonly virtualization?: 'vmx' | 'svm';
}

/** The functions of the `config` API. */
export interface Configs {
  /**
   * Reads a guest description.
   *
   * @param file - its name, for messages
   * @param arch - of guests whose description names none; default: `riscv64`
   * @throws {AxError} InvalidInput with file, line and key for every problem found
   */
  parseVmConfig(toml: string, file: string, arch?: Architecture): VmConfig;
  /** A description as TOML, commented, that parses to `config`. */
  generateVmConfig(config: VmConfig): string;
  /** JSON schema of the description. */
  vmConfigSchema(): object;
}

export let parseVmConfig: Configs['parseVmConfig'];
export let generateVmConfig: Configs['generateVmConfig'];
export let vmConfigSchema: Configs['vmConfigSchema'];

export const config: AxApiDef<'config', Configs> = apiDef({
  name: 'config',
  functions: { parseVmConfig: required, generateVmConfig: required, vmConfigSchema: required },
  bind: (f: Configs) => ({ parseVmConfig, generateVmConfig, vmConfigSchema } = f),
  providers: ['@axvisor/axvmconfig'],
});
