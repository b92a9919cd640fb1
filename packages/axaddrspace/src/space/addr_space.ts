/** A guest's physical address space: areas, the back ends that fill them, and the nested page table that the processor walks. */
import type { AddrRange, GuestPhysAddr, HostPhysAddr } from '@axvisor/axvisor_api/addr';
import {
  MappingFlags, type AddrSpace as AddrSpaceContract, type AddrSpaceOptions, type AreaInfo, type MapAllocOptions, type NestedRoot,
} from '@axvisor/axvisor_api/addrspace';
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import { physMemory } from '@axvisor/axvisor_api/memory';
import { MemoryArea, MemorySet } from '../memory_set/index.ts';
import { canonicalFlags } from '../npt/entry.ts';
import { tableFormat } from '../npt/formats.ts';
import { NestedPageTable } from '../npt/page_table.ts';
import { AllocBackend, LinearBackend, SharedBackend, type Backend } from './backends.ts';
import { GuestMemory, type Locator } from './guest_memory.ts';
import { sharedFrames, type SharedFrames } from './shared_frames.ts';

const { READ, WRITE, EXECUTE, DEVICE, UNCACHED, USER } = MappingFlags;
const ACCESS_FLAGS: number = READ | WRITE | EXECUTE;
const ALL_FLAGS: number = ACCESS_FLAGS | DEVICE | UNCACHED | USER;
const PAGE = 0x1000n;
const LARGE_PAGE = 0x20_0000n;
/** Leaves that {@link AddrSpace.translateAndLimit} looks ahead. */
const LOOK_AHEAD = 64;

const hex = (n: bigint): string => `0x${n.toString(16)}`;

/** See the contract, {@link AddrSpaceContract}. Errors leave the space as it was. */
export class AddrSpace implements AddrSpaceContract {
  readonly base: GuestPhysAddr;
  readonly size: bigint;
  readonly root: NestedRoot;
  readonly #end: bigint;
  readonly #table: NestedPageTable;
  readonly #areas: MemorySet<MappingFlags, Backend> = new MemorySet();
  readonly #frames: SharedFrames;
  readonly #locator: SpaceLocator;
  readonly #memory: GuestMemory;
  #disposed = false;

  /** @throws {AxError} InvalidInput for a bad format, level, base, size or VMID; NoMemory */
  constructor(options: AddrSpaceOptions) {
    const format = tableFormat(options.format, options.levels);
    const reach = 1n << BigInt(format.gpaBits);
    const base = options.base ?? 0n;
    const size = options.size ?? reach - base;
    ensure(base >= 0n && size > 0n && base % PAGE === 0n && size % PAGE === 0n, 'InvalidInput', `${hex(base)} and ${hex(size)} bytes are no range of 4 KiB pages`);
    ensure(base + size <= reach, 'InvalidInput', `${hex(base)} and ${hex(size)} bytes exceed the ${format.gpaBits} bits of ${options.format}`);
    ensure(Number.isInteger(options.vmid) && options.vmid >= 0 && options.vmid < 2 ** format.vmidBits, 'InvalidInput', `VMID ${options.vmid}`);
    this.base = base as GuestPhysAddr;
    this.size = size;
    this.#end = base + size;
    this.#table = new NestedPageTable(format, options.vmid);
    this.root = { format: options.format, address: this.#table.root, levels: format.levels };
    this.#frames = sharedFrames();
    this.#locator = new SpaceLocator(this.#table, Number(base), Number(base + size), (gpa, write) => this.#repair(gpa, write ? WRITE : READ));
    this.#memory = new GuestMemory(this.#locator);
  }

  /** The first address behind the space. */
  get end(): GuestPhysAddr {
    return this.#end as GuestPhysAddr;
  }

  /** Whether [gpa, gpa + size) lies in the space. */
  containsRange(gpa: GuestPhysAddr, size: bigint): boolean {
    return size >= 0n && gpa >= this.base && gpa + size <= this.#end;
  }

  /**
   * @throws {AxError} InvalidInput for a range outside the space, misaligned or empty, or flags that the format cannot express;
   * AlreadyExists if it overlaps an area; BadAddress if the host range is not in physical memory; NoMemory
   */
  mapLinear(gpa: GuestPhysAddr, hpa: HostPhysAddr, size: bigint, flags: MappingFlags): void {
    this.#checkRange(gpa, size);
    ensure(hpa % PAGE === 0n, 'InvalidInput', `host address ${hex(hpa)} is not 4 KiB aligned`);
    ensure(hpa >= 0n && hpa + size <= physMemory().bytes.length, 'BadAddress', `${hex(hpa)} and ${hex(size)} bytes are not in physical memory`);
    this.#map(gpa, size, flags, new LinearBackend(this.#table, hpa - gpa));
  }

  /**
   * With `populate`, 2 MiB pages are used where alignment and free frames allow.
   *
   * @throws {AxError} as {@link mapLinear}; InvalidInput for a bad `around`
   */
  mapAlloc(gpa: GuestPhysAddr, size: bigint, flags: MappingFlags, { populate = false, around = PAGE }: MapAllocOptions = {}): void {
    this.#checkRange(gpa, size);
    ensure(around >= PAGE && around <= LARGE_PAGE && (around & (around - 1n)) === 0n, 'InvalidInput', `${around} bytes are no block of 4 KiB to 2 MiB`);
    this.#map(gpa, size, flags, new AllocBackend(this.#table, this.#frames, populate, Number(around)));
  }

  /**
   * Maps memory of another space of this package (or of this one). Pages that the source has not populated are populated.
   *
   * @throws {AxError} as {@link mapLinear}; BadAddress if the source range is not memory that its space owns
   */
  mapShared(gpa: GuestPhysAddr, source: { readonly space: AddrSpaceContract; readonly gpa: GuestPhysAddr }, size: bigint, flags: MappingFlags): void {
    this.#checkRange(gpa, size);
    const { space } = source;
    ensure(space instanceof AddrSpace && space.#frames === this.#frames, 'InvalidInput', 'memory can be shared between spaces of one physical memory only');
    ensure(source.gpa % PAGE === 0n, 'InvalidInput', `source address ${hex(source.gpa)} is not 4 KiB aligned`);
    const shift = Number(source.gpa - gpa);
    const find = (at: number): { hpa: number; limit: number } => space.#own(at + shift);
    this.#map(gpa, size, flags, new SharedBackend(this.#table, this.#frames, find));
  }

  /** Holes in the range do not matter. @throws {AxError} InvalidInput for a bad range; NoMemory if a larger page must be split */
  unmap(gpa: GuestPhysAddr, size: bigint): void {
    this.#checkRange(gpa, size);
    this.#table.shootdown.batch(() => this.#areas.unmap(gpa, size));
  }

  /** Holes in the range do not matter. @throws {AxError} InvalidInput for a bad range or flags; NoMemory if a larger page must be split */
  protect(gpa: GuestPhysAddr, size: bigint, flags: MappingFlags): void {
    this.#checkRange(gpa, size);
    this.#checkFlags(flags);
    this.#table.shootdown.batch(() => this.#areas.protect(gpa, size, () => flags));
  }

  /** Unmaps everything. */
  clear(): void {
    this.#checkAlive();
    this.#table.shootdown.batch(() => this.#areas.clear());
  }

  /** @throws {AxError} NoMemory if there is no frame for lazily mapped memory */
  handlePageFault(gpa: GuestPhysAddr, accessFlags: MappingFlags): boolean {
    if (!this.#contains(gpa)) return false;
    // Accesses to devices come here too: they end with this look.
    const area = this.#areas.find(gpa);
    return area !== undefined && this.#repairIn(area, Number(gpa), accessFlags & ACCESS_FLAGS);
  }

  translate(gpa: GuestPhysAddr): HostPhysAddr | undefined {
    if (!this.#contains(gpa)) return undefined;
    const hpa = this.#table.translate(Number(gpa));
    return hpa < 0 ? undefined : (BigInt(hpa) as HostPhysAddr);
  }

  /** The limit is a lower bound: at most 64 pages (of whatever size) are looked at. */
  translateAndLimit(gpa: GuestPhysAddr): { readonly hpa: HostPhysAddr; readonly limit: bigint } | undefined {
    if (!this.#contains(gpa)) return undefined;
    const table = this.#table;
    const start = Number(gpa);
    const hpa = table.translate(start);
    if (hpa < 0) return undefined;
    let { limit } = table;
    const end = Number(this.#end);
    for (let n = 1; n < LOOK_AHEAD && start + limit < end && table.translate(start + limit) === hpa + limit; n++) limit += table.limit;
    return { hpa: BigInt(hpa) as HostPhysAddr, limit: BigInt(limit) };
  }

  /**
   * The views alias guest memory. Writable pages among them count as written; whoever writes tells the processor
   * (`hostWrote`).
   *
   * @throws {AxError} InvalidInput for a length that is no natural number; NoMemory
   */
  translatedByteBuffer(gpa: GuestPhysAddr, length: number): Uint8Array[] | undefined {
    ensure(Number.isSafeInteger(length) && length >= 0, 'InvalidInput', `a buffer of ${length} bytes`);
    this.#checkAlive();
    if (!this.containsRange(gpa, BigInt(length))) return undefined;
    const pieces: { hpa: number; size: number }[] = [];
    const start = Number(gpa);
    for (let done = 0; done < length; ) {
      let hpa = this.#locator.locate(start + done, true);
      if (hpa < 0) hpa = this.#locator.locate(start + done, false);
      if (hpa < 0) return undefined;
      const size = Math.min(this.#locator.limit, length - done);
      const last = pieces.at(-1);
      if (last !== undefined && last.hpa + last.size === hpa) last.size += size;
      else pieces.push({ hpa, size });
      done += size;
    }
    const { bytes } = physMemory();
    return pieces.map(({ hpa, size }) => bytes.subarray(hpa, hpa + size));
  }

  readBuffer(gpa: GuestPhysAddr, into: Uint8Array): void {
    this.#memory.readBuffer(gpa, into);
  }

  writeBuffer(gpa: GuestPhysAddr, from: Uint8Array): void {
    this.#memory.writeBuffer(gpa, from);
  }

  readValue(gpa: GuestPhysAddr, size: 1 | 2 | 4 | 8): bigint {
    return this.#memory.readValue(gpa, size);
  }

  writeValue(gpa: GuestPhysAddr, size: 1 | 2 | 4 | 8, value: bigint): void {
    this.#memory.writeValue(gpa, size, value);
  }

  areas(): AreaInfo[] {
    return Array.from(this.#areas, ({ start, end, flags, backend }) => ({
      range: { start: start as GuestPhysAddr, end: end as GuestPhysAddr },
      flags,
      backend: backend.kind,
    }));
  }

  /**
   * Whole pages of the size they are mapped with. New pages count as written. Only writes through this space count: those of
   * its guest, and those of the host through this object.
   */
  dirtyRanges(options: { readonly reset?: boolean } = {}): AddrRange<GuestPhysAddr>[] {
    this.#checkAlive();
    const ranges: { start: GuestPhysAddr; end: GuestPhysAddr }[] = [];
    this.#table.collectDirty(Number(this.base), Number(this.size), options.reset === true, (gpa, size) => {
      const start = BigInt(gpa) as GuestPhysAddr;
      const end = BigInt(gpa + size) as GuestPhysAddr;
      const last = ranges.at(-1);
      if (last?.end === start) last.end = end;
      else ranges.push({ start, end });
    });
    return ranges;
  }

  /** Gives all frames back: memory, tables, root. @throws {AxError} BadState the second time */
  [Symbol.dispose](): void {
    this.#checkAlive();
    this.#table.shootdown.batch(() => {
      this.#areas.clear();
      this.#table[Symbol.dispose]();
    });
    this.#disposed = true;
    this.#locator.close();
  }

  #map(gpa: bigint, size: bigint, flags: MappingFlags, backend: Backend): void {
    this.#checkFlags(flags);
    this.#table.shootdown.batch(() => this.#areas.map(new MemoryArea<MappingFlags, Backend>(gpa, size, flags, backend)));
  }

  #contains(gpa: bigint): boolean {
    this.#checkAlive();
    return gpa >= this.base && gpa < this.#end;
  }

  #checkAlive(): void {
    ensure(!this.#disposed, 'BadState', 'this address space was disposed of');
  }

  #checkRange(gpa: bigint, size: bigint): void {
    this.#checkAlive();
    ensure(size > 0n && gpa % PAGE === 0n && size % PAGE === 0n, 'InvalidInput', `${hex(gpa)} and ${hex(size)} bytes are no range of 4 KiB pages`);
    ensure(gpa >= this.base && gpa + size <= this.#end, 'InvalidInput', `${hex(gpa)} and ${hex(size)} bytes exceed the space ${hex(this.base)}..${hex(this.#end)}`);
  }

  #checkFlags(flags: MappingFlags): void {
    ensure((flags & ~ALL_FLAGS) === 0, 'InvalidInput', `mapping flags ${flags}`);
    ensure(this.#table.canExpress(flags), 'InvalidInput', `${this.root.format} cannot express the permissions ${flags & ACCESS_FLAGS} (1 read, 2 write, 4 execute)`);
  }

  /** Makes the page at `gpa` present with the flags of its area, if that allows the access. `gpa` must be in the space. */
  #repair(gpa: number, access: MappingFlags): boolean {
    const area = this.#areas.find(BigInt(gpa));
    return area !== undefined && this.#repairIn(area, gpa, access);
  }

  #repairIn(area: MemoryArea<MappingFlags, Backend>, gpa: number, access: MappingFlags): boolean {
    if ((area.flags & access) !== access || access === 0) return false;
    const table = this.#table;
    const leaf = table.query(gpa);
    const write = (access & WRITE) !== 0;
    if (leaf === undefined) {
      if (!(area.backend instanceof AllocBackend)) return false;
      area.backend.populateAround(gpa - (gpa % Number(PAGE)), Number(area.start), Number(area.end), area.flags);
      return true;
    }
    table.shootdown.batch(() => {
      // Also where the entry is right: whoever asks must have seen an old translation.
      table.shootdown.changed(leaf.gpa, leaf.size);
      if (leaf.flags !== canonicalFlags(area.flags)) table.protect(gpa - (gpa % Number(PAGE)), Number(PAGE), area.flags);
      if (write) table.markDirty(gpa);
    });
    return true;
  }

  /** The memory that this space owns at `gpa`, populated; for another space that shares it. */
  #own(gpa: number): { hpa: number; limit: number } {
    const at = BigInt(gpa);
    const area = this.#contains(at) ? this.#areas.find(at) : undefined;
    if (area === undefined || area.backend.kind === 'linear') throw axError('BadAddress', `${hex(at)} of the source is not memory that it owns`);
    if (area.backend instanceof AllocBackend && this.#table.query(gpa) === undefined) area.backend.populateAround(gpa - (gpa % Number(PAGE)), Number(area.start), Number(area.end), area.flags);
    const leaf = this.#table.query(gpa);
    if (leaf === undefined) throw axError('BadAddress', `${hex(at)} of the source is not mapped`);
    const offset = gpa - leaf.gpa;
    return { hpa: leaf.hpa + offset, limit: leaf.size - offset };
  }
}

/** Finds guest memory for the accessor; memory that is mapped lazily is populated on the way. */
class SpaceLocator implements Locator {
  readonly #table: NestedPageTable;
  #start: number;
  #end: number;
  readonly #repair: (gpa: number, write: boolean) => boolean;

  constructor(table: NestedPageTable, start: number, end: number, repair: (gpa: number, write: boolean) => boolean) {
    this.#table = table;
    this.#start = start;
    this.#end = end;
    this.#repair = repair;
  }

  get limit(): number {
    return this.#table.limit;
  }

  locate(gpa: number, write: boolean): number {
    if (!(gpa >= this.#start && gpa < this.#end)) return -1;
    const hpa = this.#table.locate(gpa, write);
    if (hpa >= 0 || !this.#repair(gpa, write)) return hpa;
    return this.#table.locate(gpa, write);
  }

  /** Finds nothing from now on. */
  close(): void {
    this.#start = this.#end = 0;
  }
}
