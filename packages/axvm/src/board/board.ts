/** A board: where memory, interrupt controller and devices are, and the device tree that says so. */
import type { MemoryRegionConfig, VmConfig } from '@axvisor/axvisor_api/config';
import type { DeviceBus, DeviceSpec } from '@axvisor/axvisor_api/device';
import type { IntcOptions } from '@axvisor/axvisor_api/intc';
import type { Architecture } from '@axvisor/axvisor_api/processor';
import type { VmImages } from '@axvisor/axvisor_api/vm';
import type { BootPlan } from '../image/boot_plan.ts';
import type { RamRegion } from '../image/placement.ts';
import { pcX86_64 } from './pc_x86_64.ts';
import { virtAarch64 } from './virt_aarch64.ts';
import { virtRiscv64 } from './virt_riscv64.ts';

/** What the device tree of a board is made from. */
export interface BoardTree {
  readonly cpuIds: readonly bigint[];
  readonly memory: readonly { readonly base: bigint; readonly size: bigint }[];
  readonly cmdline: string | undefined;
  readonly initrd: { readonly start: bigint; readonly end: bigint } | undefined;
  readonly bus: DeviceBus;
  /** Interrupt of each device by name, 0 for none. */
  readonly irqs: ReadonlyMap<string, number>;
}

/** What a start is planned from. */
export interface BoardBoot {
  readonly config: VmConfig;
  readonly images: VmImages;
  readonly ram: readonly RamRegion[];
  readonly cpuIds: readonly bigint[];
}

/** A default board of one architecture. */
export interface Board {
  readonly ramBase: bigint;
  /** Guest physical address bits it needs. */
  readonly gpaBits: number;
  readonly intc: IntcOptions;
  /** Most vCPUs, where the place of the interrupt controller limits them. */
  readonly maxCpus?: number;
  /** Where configured RAM really is, on boards whose devices lie amid it. */
  layoutRam?(regions: readonly MemoryRegionConfig[]): MemoryRegionConfig[];
  /** The devices every VM on this board has. */
  readonly devices: readonly DeviceSpec[];
  /** Free places for virtio devices, in order. */
  readonly virtioSlots: readonly Pick<DeviceSpec, 'base' | 'irq' | 'options'>[];
  /** The number by which the guest names CPU `index`. */
  cpuId(index: number): bigint;
  /** All CPUs run from power-on, and those beyond the first wait until that one starts them; else calls start them. */
  readonly startsAllCpus?: true;
  /**
   * Plans the start, on boards that describe themselves by tables of their own.
   *
   * @throws {AxError} InvalidInput or InvalidExecutable naming the image that is wrong
   */
  plan?(boot: BoardBoot): BootPlan;
  /** The device tree, on the other boards. */
  deviceTree?(tree: BoardTree): Uint8Array;
}

/** What can be chosen of a board. */
export type BoardOptions = Pick<VmConfig, 'gicVersion' | 'memoryRegions' | 'bios' | 'cpuNum' | 'physCpuIds'>;

const BOARDS: Readonly<Partial<Record<Architecture, (options: BoardOptions) => Board>>> = {
  riscv64: () => virtRiscv64, aarch64: virtAarch64, x86_64: pcX86_64,
};

/** The default board of an architecture, if there is one. */
export const boardOf = (arch: Architecture, options: BoardOptions): Board | undefined => BOARDS[arch]?.(options);
