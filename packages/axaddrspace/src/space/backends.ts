/** The back ends of areas in an address space: given host memory, memory of its own, and memory of another space. */
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import type { MappingFlags } from '@axvisor/axvisor_api/addrspace';
import { axError, isAxError } from '@axvisor/axvisor_api/errors';
import { allocZeroedFrames } from '@axvisor/axvisor_api/memory';
import { hostWrote } from '@axvisor/axvisor_api/processor';
import type { MappingBackend } from '../memory_set/index.ts';
import { LEVEL_SIZES } from '../npt/format.ts';
import type { NestedPageTable } from '../npt/page_table.ts';
import { releaseToHost } from '../npt/shootdown.ts';
import type { SharedFrames } from './shared_frames.ts';

const PAGE = 4096;
const [, LARGE_PAGE] = LEVEL_SIZES as readonly [number, number];
/** 2 MiB as a power of two above 4 KiB. */
const LARGE_ALIGN = 9;

/** A back end of an {@link AddrSpace}. */
export abstract class Backend implements MappingBackend<MappingFlags, Backend> {
  abstract readonly kind: 'linear' | 'alloc' | 'shared';
  protected readonly table: NestedPageTable;

  constructor(table: NestedPageTable) {
    this.table = table;
  }

  abstract map(start: bigint, size: bigint, flags: MappingFlags): void;
  abstract unmap(start: bigint, size: bigint): void;

  prepareUnmap(start: bigint, size: bigint): void {
    this.table.prepare(Number(start), Number(size));
  }

  protect(start: bigint, size: bigint, flags: MappingFlags): void {
    this.table.protect(Number(start), Number(size), flags);
  }

  /** The back end of this area joined with the next one, if they are of one kind and could have been mapped as one. */
  abstract merge(right: Backend): Backend | undefined;
}

/** Host memory that somebody else owns, at a constant distance. */
export class LinearBackend extends Backend {
  readonly kind = 'linear';
  /** hpa - gpa. */
  readonly #distance: bigint;

  constructor(table: NestedPageTable, distance: bigint) {
    super(table);
    this.#distance = distance;
  }

  map(start: bigint, size: bigint, flags: MappingFlags): void {
    this.table.map(Number(start), Number(start + this.#distance), Number(size), flags);
  }

  unmap(start: bigint, size: bigint): void {
    this.table.unmap(Number(start), Number(size));
  }

  merge(right: Backend): Backend | undefined {
    return right instanceof LinearBackend && right.#distance === this.#distance ? this : undefined;
  }
}

/** Frames that the space owns: they are given back when they are unmapped, unless they are shared. */
abstract class OwningBackend extends Backend {
  protected readonly frames: SharedFrames;

  constructor(table: NestedPageTable, frames: SharedFrames) {
    super(table);
    this.frames = frames;
  }

  unmap(start: bigint, size: bigint): void {
    this.table.unmap(Number(start), Number(size), (hpa, bytes) => {
      this.table.shootdown.retire(hpa, bytes / PAGE, (first, count) => this.frames.release(first, count));
    });
  }
}

/** Zeroed memory of the space itself: populated at once, or at the first access of each page. */
export class AllocBackend extends OwningBackend {
  readonly kind = 'alloc';
  readonly #populate: boolean;
  readonly #around: number;

  /** @param around - bytes given at an access, a power of two from 4 KiB to 2 MiB */
  constructor(table: NestedPageTable, frames: SharedFrames, populate: boolean, around: number) {
    super(table, frames);
    this.#populate = populate;
    this.#around = around;
  }

  map(start: bigint, size: bigint, flags: MappingFlags): void {
    if (!this.#populate) return;
    const end = Number(start + size);
    let at = Number(start);
    try {
      while (at < end) at += this.#populateFrom(at, end, flags);
    } catch (e) {
      if (at > Number(start)) this.unmap(start, BigInt(at) - start);
      throw e;
    }
  }

  /**
   * Backs the page at `gpa` with zeroed memory, and with it what is not backed of the block around it, as far as that lies in
   * [start, end).
   *
   * @throws {AxError} NoMemory if there is no frame for the page itself
   */
  populateAround(gpa: number, start: number, end: number, flags: MappingFlags): void {
    const block = gpa - (gpa % this.#around);
    const from = Math.max(block, start);
    const to = Math.min(block + this.#around, end);
    let empty = true;
    for (let at = from; at < to && empty; at += PAGE) empty = this.table.query(at) === undefined;
    if (empty && this.#populateFrom(from, to, flags) === to - from) return;
    if (this.table.query(gpa) === undefined) this.#populatePage(gpa, flags);
    try {
      for (let at = from; at < to; at += PAGE) if (this.table.query(at) === undefined) this.#populatePage(at, flags);
    } catch (e) {
      // The page that was asked for is there; the others can wait for their own accesses.
      if (!isAxError(e, 'NoMemory')) throw e;
    }
  }

  /** Backs the page at `gpa` with a zeroed frame. @throws {AxError} NoMemory */
  #populatePage(gpa: number, flags: MappingFlags): void {
    const frame = allocZeroedFrames(1);
    if (frame === undefined) throw axError('NoMemory', `no free frame for guest memory at 0x${gpa.toString(16)}`);
    this.#mapZeroed(gpa, Number(frame), PAGE, flags);
  }

  /** Backs a 2 MiB page if it lies in [gpa, end) and there are frames for it, else a 4 KiB page. Returns its size. */
  #populateFrom(gpa: number, end: number, flags: MappingFlags): number {
    if (gpa % LARGE_PAGE === 0 && end - gpa >= LARGE_PAGE) {
      const frames = allocZeroedFrames(LARGE_PAGE / PAGE, LARGE_ALIGN);
      if (frames !== undefined) {
        this.#mapZeroed(gpa, Number(frames), LARGE_PAGE, flags);
        return LARGE_PAGE;
      }
    }
    this.#populatePage(gpa, flags);
    return PAGE;
  }

  /** Maps zeroed frames; code that was decoded from what they held is forgotten. */
  #mapZeroed(gpa: number, hpa: number, size: number, flags: MappingFlags): void {
    hostWrote(BigInt(hpa) as HostPhysAddr, size);
    try {
      this.table.map(gpa, hpa, size, flags);
    } catch (e) {
      releaseToHost(hpa, size / PAGE);
      throw e;
    }
  }

  merge(right: Backend): Backend | undefined {
    return right instanceof AllocBackend && right.#populate === this.#populate && right.#around === this.#around ? this : undefined;
  }
}

/** Finds the source's memory for a guest address of the space that shares it: host address and consecutive bytes. */
export type ShareSource = (gpa: number) => { readonly hpa: number; readonly limit: number };

/** Memory that another mapping owns too. */
export class SharedBackend extends OwningBackend {
  readonly kind = 'shared';
  readonly #source: ShareSource;

  constructor(table: NestedPageTable, frames: SharedFrames, source: ShareSource) {
    super(table, frames);
    this.#source = source;
  }

  map(start: bigint, size: bigint, flags: MappingFlags): void {
    const end = Number(start + size);
    let at = Number(start);
    try {
      while (at < end) {
        const { hpa, limit } = this.#source(at);
        const bytes = Math.min(limit, end - at);
        this.table.map(at, hpa, bytes, flags);
        this.frames.share(hpa, bytes);
        at += bytes;
      }
    } catch (e) {
      if (at > Number(start)) this.unmap(start, BigInt(at) - start);
      throw e;
    }
  }

  merge(): undefined {
    return undefined;
  }
}
