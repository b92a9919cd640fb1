/** The per-CPU areas: a copy of the template for each CPU, `base + cpu * stride` in physical memory. */
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { axError, ensure, type AxErrorLike } from '@axvisor/axvisor_api/errors';
import { getHostCpuNum, thisCpuId } from '@axvisor/axvisor_api/host';
import { allocContiguousFrames, deallocContiguousFrames, physMemory } from '@axvisor/axvisor_api/memory';
import { PerCpuObject, type CpuAccess } from './object.ts';
import { Preemption, type PreemptionHook } from './preempt.ts';
import { AREA_ALIGN, offsetIn, SELF_OFFSET, type Slot, type SlotInfo, Template } from './template.ts';
import { type PerCpuType, type PrimitiveType, type StructType, type StructValue, u64, viewsOf, type Views } from './types.ts';
import { type AreaAccess, type PerCpuPrimitive, type PerCpuStruct, type PerCpuVariable, variable } from './variable.ts';

const FRAME = 4096;

/** What can be wrong with the memory given to {@link PerCpuAreas.init}. */
export type InitErrorReason = 'InvalidBase' | 'UnalignedBase';

/** An error of {@link PerCpuAreas.init}. */
export type InitError = AxErrorLike & { readonly reason: InitErrorReason };

/** All that another thread needs to use the same areas. Structured-cloneable. */
export interface PerCpuShare {
  readonly base: bigint;
  readonly count: number;
  readonly stride: number;
  readonly slots: readonly SlotInfo[];
}

/** Options of {@link PerCpuAreas}. */
export interface PerCpuAreasOptions {
  /** Bytes an area has at least, so that variables can still be defined when areas exist. Default: 4096. 0: none. */
  readonly reserve?: number;
  /** Told when preemption is disabled and enabled. */
  readonly preemption?: PreemptionHook;
  /** `first-use`: the first access initialises areas in memory of their own. Default: `explicit`, before that access is an error. */
  readonly init?: 'explicit' | 'first-use';
}

interface Live {
  readonly base: number;
  readonly count: number;
  readonly stride: number;
  readonly views: Views;
  /** Whether the frames are ours to give back. */
  readonly owned: boolean;
}

const up = (n: number, align: number): number => Math.ceil(n / align) * align;
const frames = (bytes: number): number => Math.ceil(bytes / FRAME);

function initError(reason: InitErrorReason, message: string): InitError {
  return Object.assign(axError('InvalidInput', message), { reason });
}

/**
 * The per-CPU variables of one hypervisor.
 *
 * Needs the `memory` and `host` APIs to be linked when areas are initialised and accessed.
 *
 * ```ts
 * const areas = new PerCpuAreas();
 * const ticks = areas.define('ticks', u64, 0n);
 * areas.initInPlace();
 * ticks.updateCurrent((n) => n + 1n);
 * ticks.readRemote(1);
 * ```
 */
export class PerCpuAreas implements Disposable {
  readonly preemption: Preemption;
  readonly #template = new Template();
  readonly #objects = new Set<string>();
  readonly #reserve: number;
  #automatic: boolean;
  readonly #access: AreaAccess;
  readonly #cpus: CpuAccess;
  #live: Live | undefined;
  #generation = 0;
  /** The layout that other threads rely on. */
  #shared: PerCpuShare | undefined;

  constructor(options: PerCpuAreasOptions = {}) {
    this.#reserve = options.reserve ?? FRAME;
    this.#automatic = options.init === 'first-use';
    this.preemption = new Preemption(options.preemption);
    this.#access = {
      preemption: this.preemption,
      currentBase: () => this.#baseOf(thisCpuId()),
      baseOf: (cpu) => this.#baseOf(cpu),
      views: () => this.#ready().views,
      restore: (base, slot) => this.#template.copyTo(this.#ready().views, base, slot),
    };
    this.#cpus = {
      preemption: this.preemption,
      currentCpu: () => this.#checkCpu(thisCpuId()),
      checkCpu: (cpu) => this.#checkCpu(cpu),
      isShared: () => this.#shared !== undefined,
      generation: () => this.#generation,
    };
  }

  /**
   * Defines a variable in shared memory. It may be defined before or after areas are initialised; after, as long as the
   * reserve has room.
   *
   * @param options.align - more than the type's own alignment, at most 64
   * @throws {AxError} AlreadyExists; InvalidInput (initial value, alignment, or areas are shared and have no such variable); NoMemory (no room)
   */
  define<T>(name: string, type: PrimitiveType<T>, init: T, options?: { readonly align?: number }): PerCpuPrimitive<T>;
  define<F extends object>(name: string, type: StructType<F>, init: StructValue<F>, options?: { readonly align?: number }): PerCpuStruct<F>;
  define<T>(name: string, type: PerCpuType<T>, init: T, options?: { readonly align?: number }): PerCpuVariable<T>;
  define<T>(name: string, type: PerCpuType<T>, init: T, options: { readonly align?: number } = {}): PerCpuVariable<T> {
    ensure(!this.#objects.has(name), 'AlreadyExists', `the per-CPU variable '${name}' is defined already`);
    const live = this.#live;
    const at = this.#shared && offsetIn(this.#shared.slots, name, type);
    const slot = this.#template.add(name, type, init, { align: options.align, at, limit: live?.stride ?? Infinity });
    if (live !== undefined && this.#shared === undefined)
      for (let cpu = 0; cpu < live.count; cpu++) this.#template.copyTo(live.views, live.base + cpu * live.stride, slot);
    return variable(this.#access, name, type, () => this.#template.slot(name) as Slot) as unknown as PerCpuVariable<T>;
  }

  /** Defines a thread-local variable of any type. @throws {AxError} AlreadyExists */
  defineObject<T>(name: string, init: (cpu: number) => T): PerCpuObject<T> {
    ensure(!this.#objects.has(name) && this.#template.slot(name) === undefined, 'AlreadyExists', `the per-CPU variable '${name}' is defined already`);
    this.#objects.add(name);
    return new PerCpuObject(this.#cpus, name, init);
  }

  /** Bytes of an area that variables use, the hidden one (the area's own address) included. */
  get usedSize(): number {
    return this.#template.size;
  }

  /** Bytes from one area to the next: what variables use, at least the reserve, rounded up to 64. */
  get areaSize(): number {
    return this.#live?.stride ?? up(Math.max(this.#template.size, this.#reserve), AREA_ALIGN);
  }

  /** Memory needed for the areas of `count` CPUs. @throws {AxError} InvalidInput unless `count` is a positive integer */
  layoutExpected(count: number): { readonly size: number; readonly align: number } {
    ensure(Number.isSafeInteger(count) && count > 0, 'InvalidInput', `${count} is not a number of CPUs`);
    return { size: count * up(Math.max(this.#template.size, this.#reserve), AREA_ALIGN), align: AREA_ALIGN };
  }

  /** Whether the areas exist. */
  get isInitialised(): boolean {
    return this.#live !== undefined;
  }

  /** Number of CPUs that have an area. @throws {AxError} BadState before initialisation */
  get count(): number {
    return this.#ready().count;
  }

  /** Start of a CPU's area. @throws {AxError} BadState before initialisation, InvalidInput for an unknown CPU */
  areaBase(cpu: number): HostPhysAddr {
    return BigInt(this.#baseOf(cpu)) as HostPhysAddr;
  }

  /** Start of the current CPU's area. */
  currentBase(): HostPhysAddr {
    return this.areaBase(thisCpuId());
  }

  /**
   * Initialises areas for all CPUs of the host in frames from the `memory` API. Again: anew, everything at its initial value.
   *
   * @returns the number of CPUs
   * @throws {AxError} NoMemory; BadState if the areas are shared
   */
  initInPlace(): number {
    const count = getHostCpuNum();
    const needed = frames(this.layoutExpected(count).size);
    this.#checkUnshared();
    const base = allocContiguousFrames(needed);
    if (base === undefined) throw axError('NoMemory', `there are no ${needed} consecutive frames for per-CPU areas`);
    this.#release();
    return this.#start(Number(base), count, true);
  }

  /**
   * Initialises areas for `count` CPUs in the caller's memory at `base`: `layoutExpected(count)` bytes. Again: anew.
   *
   * @returns the number of CPUs
   * @throws {InitError} InvalidBase for address 0, UnalignedBase unless a multiple of 64
   * @throws {AxError} InvalidInput (count); BadAddress (not all in physical memory); BadState if the areas are shared
   */
  init(base: HostPhysAddr, count: number): number {
    const { size, align } = this.layoutExpected(count);
    if (base === 0n) throw initError('InvalidBase', 'per-CPU areas cannot be at address 0');
    if (base % BigInt(align) !== 0n) throw initError('UnalignedBase', `per-CPU areas at 0x${base.toString(16)} are not aligned to ${align} bytes`);
    const { length } = physMemory().bytes;
    ensure(base > 0n && base + BigInt(size) <= BigInt(length), 'BadAddress', `${size} bytes at 0x${base.toString(16)} are not all in physical memory`);
    this.#checkUnshared();
    this.#release();
    return this.#start(Number(base), count, false);
  }

  /** Restores the initial value of every variable in shared memory on `cpu`. */
  resetArea(cpu: number): void {
    const { views } = this.#ready();
    this.#template.copyTo(views, this.#baseOf(cpu));
  }

  /** The values of all variables in shared memory on `cpu`, by name. */
  inspect(cpu: number): Readonly<Record<string, unknown>> {
    const { views } = this.#ready();
    const base = this.#baseOf(cpu);
    return Object.fromEntries(this.#template.slots.map(({ name, type, offset }) => [name, type.load(views, base + offset)]));
  }

  /**
   * What other threads need for {@link PerCpuAreas.attach}. From now on the layout is fixed.
   *
   * @throws {AxError} BadState before initialisation
   */
  share(): PerCpuShare {
    const { base, count, stride } = this.#ready();
    this.#shared ??= {
      base: BigInt(base), count, stride,
      slots: this.#template.slots.map(({ name, type, offset }) => ({ name, signature: type.signature, offset })),
    };
    return this.#shared;
  }

  /**
   * Uses the areas that another thread has initialised. Variables defined here, before or later, are the shared ones of that name.
   *
   * @throws {AxError} BadState if areas are initialised here; InvalidInput if `share` does not describe the areas, or lacks a
   * variable defined here, or has it with another type
   */
  attach(share: PerCpuShare): void {
    ensure(this.#live === undefined, 'BadState', 'per-CPU areas are initialised already');
    const views = viewsOf(physMemory().memory.buffer);
    const base = Number(share.base);
    for (let cpu = 0; cpu < share.count; cpu++) {
      const area = base + cpu * share.stride;
      const isArea = area % AREA_ALIGN === 0 && area + share.stride <= views.u8.length && u64.load(views, area + SELF_OFFSET) === BigInt(area);
      ensure(isArea, 'InvalidInput', `there is no per-CPU area of CPU ${cpu} at 0x${area.toString(16)}`);
    }
    this.#template.relocate(share.slots);
    this.#shared = share;
    this.#live = { base, count: share.count, stride: share.stride, views, owned: false };
    this.#generation++;
  }

  /** Gives the memory of {@link PerCpuAreas.initInPlace} back. @throws {AxError} BadState when there are no areas (any more) */
  [Symbol.dispose](): void {
    ensure(this.#live !== undefined, 'BadState', 'there are no per-CPU areas to dispose of');
    this.#shared = undefined;
    this.#automatic = false;
    this.#release();
  }

  #start(base: number, count: number, owned: boolean): number {
    const stride = up(Math.max(this.#template.size, this.#reserve), AREA_ALIGN);
    const views = viewsOf(physMemory().memory.buffer);
    views.u8.fill(0, base, base + count * stride);
    for (let cpu = 0; cpu < count; cpu++) this.#template.copyTo(views, base + cpu * stride);
    this.#live = { base, count, stride, views, owned };
    this.#generation++;
    return count;
  }

  #checkUnshared(): void {
    ensure(this.#shared === undefined, 'BadState', 'the per-CPU areas are shared with other threads');
  }

  #release(): void {
    const live = this.#live;
    this.#live = undefined;
    if (live?.owned) deallocContiguousFrames(BigInt(live.base) as HostPhysAddr, frames(live.count * live.stride));
  }

  #ready(): Live {
    if (this.#live === undefined && this.#automatic) this.initInPlace();
    if (this.#live === undefined) throw axError('BadState', 'per-CPU variables are accessed before their areas are initialised');
    return this.#live;
  }

  #checkCpu(cpu: number): number {
    const { count } = this.#ready();
    if (!(Number.isInteger(cpu) && cpu >= 0 && cpu < count)) throw axError('InvalidInput', `there is no CPU ${cpu}: ${count} have per-CPU areas`);
    return cpu;
  }

  #baseOf(cpu: number): number {
    this.#checkCpu(cpu);
    const { base, stride } = this.#ready();
    return base + cpu * stride;
  }
}
