/** A board: where memory, interrupt controller and devices are, and the device tree that says so. */
import type { VmConfig } from '@axvisor/axvisor_api/config';
import type { DeviceBus, DeviceSpec } from '@axvisor/axvisor_api/device';
import type { IntcOptions } from '@axvisor/axvisor_api/intc';
import type { Architecture } from '@axvisor/axvisor_api/processor';
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

/** A default board of one architecture. */
export interface Board {
  readonly ramBase: bigint;
  /** Guest physical address bits it needs. */
  readonly gpaBits: number;
  readonly intc: IntcOptions;
  /** Most vCPUs, where the place of the interrupt controller limits them. */
  readonly maxCpus?: number;
  /** The devices every VM on this board has. */
  readonly devices: readonly DeviceSpec[];
  /** Free virtio-mmio slots, in order. */
  readonly virtioSlots: readonly { readonly base: bigint; readonly irq: number }[];
  /** The number by which the guest names CPU `index`. */
  cpuId(index: number): bigint;
  deviceTree(tree: BoardTree): Uint8Array;
}

/** What can be chosen of a board. */
export type BoardOptions = Pick<VmConfig, 'gicVersion'>;

const BOARDS: Readonly<Partial<Record<Architecture, (options: BoardOptions) => Board>>> = { riscv64: () => virtRiscv64, aarch64: virtAarch64 };

/** The `virt` board of an architecture, if there is one. */
export const boardOf = (arch: Architecture, options: BoardOptions): Board | undefined => BOARDS[arch]?.(options);
