/** The guest address-space contract: areas, back ends and a nested page table. `@axvisor/axaddrspace` provides it. */
import type { AddrRange, GuestPhysAddr, HostPhysAddr } from './addr.ts';
import { apiDef, required, type AxApiDef } from './registry/api.ts';

/** Permissions and attributes of a mapping; a bit set. */
export const MappingFlags = { READ: 1, WRITE: 2, EXECUTE: 4, USER: 8, DEVICE: 16, UNCACHED: 32 } as const;
/** A combination of {@link MappingFlags}. */
export type MappingFlags = number;

/** The formats of nested page tables, each with the architecture's own entries. */
export const NESTED_PAGE_TABLE_FORMATS = ['sv39x4', 'sv48x4', 'arm-s2', 'ept', 'npt'] as const;
export type NestedPageTableFormat = (typeof NESTED_PAGE_TABLE_FORMATS)[number];

/** How the processor finds the root of a nested page table. */
export interface NestedRoot {
  readonly format: NestedPageTableFormat;
  readonly address: HostPhysAddr;
  /** Levels walked, root included. */
  readonly levels: number;
}

/** What {@link AddrSpaces.createAddrSpace} takes. */
export interface AddrSpaceOptions {
  /** First address; 4 KiB aligned. Default 0. */
  readonly base?: GuestPhysAddr;
  /** Bytes; 4 KiB aligned. Default: all that the format can translate. */
  readonly size?: bigint;
  readonly format: NestedPageTableFormat;
  /** `arm-s2`: 3 (40-bit IPA) or 4 (48-bit). `ept`: 4 or 5. Others are given by the format. */
  readonly levels?: number;
  /** The VMID / VPID whose translations are invalidated when mappings change. */
  readonly vmid: number;
}

/** An access to guest memory that the nested page table did not allow. */
export interface NestedPageFaultInfo {
  readonly faultGuestPaddr: GuestPhysAddr;
  readonly accessFlags: MappingFlags;
}

/** A mapped area. */
export interface AreaInfo {
  readonly range: AddrRange<GuestPhysAddr>;
  readonly flags: MappingFlags;
  readonly backend: 'linear' | 'alloc' | 'shared';
}

/**
 * Access to guest memory: every method validates the whole range before it transfers a byte.
 *
 * @throws {AxError} InvalidInput / BadAddress where the range is not mapped with the permission
 */
export interface GuestMemoryAccessor {
  /** Copies guest memory to `into`. */
  readBuffer(gpa: GuestPhysAddr, into: Uint8Array): void;
  writeBuffer(gpa: GuestPhysAddr, from: Uint8Array): void;
  /** A little-endian value of 1, 2, 4 or 8 bytes. */
  readValue(gpa: GuestPhysAddr, size: 1 | 2 | 4 | 8): bigint;
  writeValue(gpa: GuestPhysAddr, size: 1 | 2 | 4 | 8, value: bigint): void;
}

/** How memory is given to a mapping. */
export interface MapAllocOptions {
  /** All of it at once. Default: at the first access. */
  readonly populate?: boolean;
  /**
   * How much is given at an access: the aligned block of so many bytes around it, as far as it is mapped and not given yet. A
   * power of two from 4 KiB (default) to 2 MiB; with 2 MiB an untouched block becomes one huge page. Fewer faults, more memory.
   */
  readonly around?: bigint;
}

/** A guest's physical address space. Disposing gives all its frames back. */
export interface AddrSpace extends GuestMemoryAccessor, Disposable {
  readonly base: GuestPhysAddr;
  readonly size: bigint;
  readonly root: NestedRoot;
  /** Maps `size` bytes at `gpa` to the host memory at `hpa`, with huge pages where alignment allows. */
  mapLinear(gpa: GuestPhysAddr, hpa: HostPhysAddr, size: bigint, flags: MappingFlags): void;
  /** Maps zeroed memory: at once (`populate`) or at the first access. */
  mapAlloc(gpa: GuestPhysAddr, size: bigint, flags: MappingFlags, options?: MapAllocOptions): void;
  /** Maps memory that another space owns too; the frames live until the last space drops them. */
  mapShared(gpa: GuestPhysAddr, source: { readonly space: AddrSpace; readonly gpa: GuestPhysAddr }, size: bigint, flags: MappingFlags): void;
  unmap(gpa: GuestPhysAddr, size: bigint): void;
  protect(gpa: GuestPhysAddr, size: bigint, flags: MappingFlags): void;
  clear(): void;
  /**
   * Repairs a fault on lazily mapped memory, or of a processor that leaves the dirty state to software. `true`: access again;
   * `false`: not memory, or not allowed. Idempotent.
   *
   * @throws {AxError} NoMemory if the host has no frame left
   */
  handlePageFault(gpa: GuestPhysAddr, accessFlags: MappingFlags): boolean;
  /** The host address that `gpa` is translated to now, by the page table. */
  translate(gpa: GuestPhysAddr): HostPhysAddr | undefined;
  /** Like translate, with how many bytes from there are contiguous in host memory. */
  translateAndLimit(gpa: GuestPhysAddr): { readonly hpa: HostPhysAddr; readonly limit: bigint } | undefined;
  /** The bytes themselves, one view for each contiguous piece; faults lazy memory in. `undefined` if not all is mapped. */
  translatedByteBuffer(gpa: GuestPhysAddr, length: number): Uint8Array[] | undefined;
  areas(): AreaInfo[];
  /** Pages written since the last call with `reset`, as ranges. */
  dirtyRanges(options?: { readonly reset?: boolean }): AddrRange<GuestPhysAddr>[];
}

/** The functions of the `addrspace` API. */
export interface AddrSpaces {
  /** @throws {AxError} InvalidInput for a bad format, level, base or size; NoMemory */
  createAddrSpace(options: AddrSpaceOptions): AddrSpace;
}

export let createAddrSpace: AddrSpaces['createAddrSpace'];

export const addrspace: AxApiDef<'addrspace', AddrSpaces> = apiDef({
  name: 'addrspace',
  functions: { createAddrSpace: required },
  bind: (f: AddrSpaces) => ({ createAddrSpace } = f),
  providers: ['@axvisor/axaddrspace'],
});
