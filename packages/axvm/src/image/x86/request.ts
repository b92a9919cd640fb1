/** What the loaders of x86 are told, and what they answer. */
import type { X86Start } from '@axvisor/axvisor_api/vcpu';
import type { LoadPiece } from '../kernel.ts';
import type { Placed, RamRegion } from '../placement.ts';

export interface PcBootRequest {
  readonly kernel: Uint8Array;
  readonly initrd: Uint8Array | undefined;
  readonly cmdline: string;
  /** In the order of addresses, from 0. */
  readonly ram: readonly RamRegion[];
  /** Addresses that are not RAM and not free. */
  readonly reserved: readonly RamRegion[];
  /** ACPI's root pointer. */
  readonly rsdp: bigint | undefined;
  /** Where the kernel is wanted, for formats that can be moved. */
  readonly loadAddr?: bigint;
}

export interface PcBootPlan {
  readonly kind: 'bzImage' | 'PVH' | 'multiboot' | 'ELF';
  readonly start: X86Start;
  readonly pieces: readonly LoadPiece[];
  /** The parts a user has heard of, for messages. */
  readonly placed: readonly Placed[];
}

export const placedOf = (what: string, { address, memorySize }: LoadPiece): Placed => ({ what, start: address, end: address + memorySize });
