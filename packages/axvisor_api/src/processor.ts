/**
 * The physical processor, as far as no architecture matters: host timer, kicks, invalidation, statistics. The software
 * processors (`@axvisor/softcpu_*`) provide it beside their `arch/*` API.
 */
import type { HostPhysAddr } from './addr.ts';
import { apiDef, required, type AxApiDef } from './registry/api.ts';
import type { Ticks } from './time.ts';

/** Whose translations an invalidation names. */
export type Architecture = 'riscv64' | 'aarch64' | 'x86_64';

/** Counters of one processor since it was brought up. */
export interface ProcessorStats {
  /** Guest instructions retired. */
  readonly instructions: bigint;
  /** Further counters by name (TLB misses, decoded instructions …), for people and for `--stats`. */
  readonly counters: Readonly<Record<string, number>>;
}

/** The functions of the `processor` API. */
export interface Processor {
  architecture(): Architecture;
  /** Brings this thread's CPU up. Idempotent. @throws {AxError} NoMemory */
  initProcessor(cpu: number): void;
  /** The host timer interrupt of this CPU: at `deadline` the guest is left. `undefined` disarms it. */
  setHostTimer(deadline: Ticks | undefined): void;
  /** Makes `cpu` leave the guest as soon as it can, as an inter-processor interrupt does. From any thread. */
  kickProcessor(cpu: number): void;
  /** The host wrote `size` bytes at `address` (image, DMA): code that was decoded from them is dropped. */
  hostWrote(address: HostPhysAddr, size: number): void;
  /** Translations of guest physical memory of `vmid` changed in [gpa, gpa + size): TLB entries are dropped on all CPUs. */
  invalidateNested(vmid: number, gpa: bigint, size: bigint): void;
  processorStats(): ProcessorStats;
}

export let architecture: Processor['architecture'];
export let initProcessor: Processor['initProcessor'];
export let setHostTimer: Processor['setHostTimer'];
export let kickProcessor: Processor['kickProcessor'];
export let hostWrote: Processor['hostWrote'];
export let invalidateNested: Processor['invalidateNested'];
export let processorStats: Processor['processorStats'];

export const processor: AxApiDef<'processor', Processor> = apiDef({
  name: 'processor',
  functions: {
    architecture: required, initProcessor: required, setHostTimer: required, kickProcessor: required, hostWrote: required,
    invalidateNested: required, processorStats: required,
  },
  bind: (f: Processor) =>
    ({ architecture, initProcessor, setHostTimer, kickProcessor, hostWrote, invalidateNested, processorStats } = f),
  providers: ['@axvisor/softcpu_riscv'],
});
