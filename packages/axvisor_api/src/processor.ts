/**
 * The physical processor, as far as no architecture matters: host timer, kicks, invalidation, statistics. The software
 * processors (`@axvisor/softcpu_*`) provide it beside their `arch/*` API.
 */
import type { HostPhysAddr } from './addr.ts';
import { axError } from './errors.ts';
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

/** A processor stopped between two instructions of its guest, for debuggers and profilers. Valid within the {@link Probe} only. */
export interface ProcessorView {
  /** Guest instructions retired since the processor was brought up. */
  readonly instructions: bigint;
  /** Address of the next instruction. */
  readonly pc: bigint;
  /** All that software can see of the processor, by the manual's names: registers, privilege, CSRs. */
  registers(): Readonly<Record<string, bigint>>;
  /** Writes a general register. @throws {AxError} InvalidInput for a name that is none */
  setRegister(name: string, value: bigint): void;
  /** Up to `length` bytes from `at` (default: `pc`) as a fetch would see them, fewer where the page ends; none where it would fault. */
  code(length: number, at?: bigint): Uint8Array;
  /**
   * The WebAssembly module that the processor executes the code at `at` (default: `pc`) as in the mode it is in, with this piece of code
   * alone; undefined where it is interpreted.
   */
  translation(at?: bigint): Uint8Array | undefined;
}

/** Looks at the processor, and says at which count of retired instructions it wants to be called again. */
export type Probe = (view: ProcessorView) => bigint | undefined;

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
  /**
   * Calls `probe` when exactly `at` instructions have been retired on this CPU (at once inside a guest, if there are more already), without
   * leaving the guest: nothing that the guest or the scheduler does depends on it. `undefined` forgets it.
   *
   * @throws {AxError} Unsupported by this processor
   */
  setProbe(at: bigint | undefined, probe?: Probe): void;
}

export let architecture: Processor['architecture'];
export let initProcessor: Processor['initProcessor'];
export let setHostTimer: Processor['setHostTimer'];
export let kickProcessor: Processor['kickProcessor'];
export let hostWrote: Processor['hostWrote'];
export let invalidateNested: Processor['invalidateNested'];
export let processorStats: Processor['processorStats'];
export let setProbe: Processor['setProbe'];

export const processor: AxApiDef<'processor', Processor, 'setProbe'> = apiDef({
  name: 'processor',
  functions: {
    architecture: required, initProcessor: required, setHostTimer: required, kickProcessor: required, hostWrote: required,
    invalidateNested: required, processorStats: required,
    setProbe: () => {
      throw axError('Unsupported', 'this processor cannot be probed');
    },
  },
  bind: (f: Processor) =>
    ({ architecture, initProcessor, setHostTimer, kickProcessor, hostWrote, invalidateNested, processorStats, setProbe } = f),
  providers: ['@axvisor/softcpu_riscv', '@axvisor/softcpu_arm', '@axvisor/softcpu_x86'],
});
