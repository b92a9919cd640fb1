/** What a composition is told, beside the options of the host. */
import type { Component } from '@axvisor/axvisor_api';
import type { entropy } from '@axvisor/axvisor_api/entropy';
import type { host } from '@axvisor/axvisor_api/host';
import type { memory } from '@axvisor/axvisor_api/memory';
import type { smp } from '@axvisor/axvisor_api/smp';
import type { time } from '@axvisor/axvisor_api/time';
import type { HostOptions } from '@axvisor/axhost';
import type { PerCpuAreas, PerCpuShare } from '@axvisor/percpu';
import type { InterpreterStore, RegionCompiler } from '@axvisor/softcpu';

/** The host of a composition; it may leave entropy and further threads to the defaults. */
export type HostComponent = Component<typeof memory.id | typeof time.id | typeof host.id | typeof entropy.id | typeof smp.id, never>;

/** Puts something around the host: a recorder of what it says. */
export type HostWrapper = (host: HostComponent) => HostComponent;

/** Kinds of virtualization, where an architecture has several. */
export type Virtualization = 'vmx' | 'svm';

/** What can be chosen of a software processor, whatever its architecture. Without `compiler` and `interpreters` it may be posted to another thread. */
export interface ProcessorOptions {
  /** How guest code is executed: interpreted, translated from the first execution on, or translated where it is hot. */
  readonly engine?: 'auto' | 'interpreter' | 'translator';
  /** Bytes that translations may take. */
  readonly translationBytes?: number;
  /** Compiles translations elsewhere; default: between slices of the guest. */
  readonly compiler?: RegionCompiler;
  /** Keeps generated interpreters from one start to the next; default: they are generated. */
  readonly interpreters?: InterpreterStore;
  /** x86-64: which virtualization the processor has. Default: `vmx`. */
  readonly virt?: Virtualization;
}

/** Where a composition lets others in. */
export interface ComposeHooks {
  readonly wrapHost?: HostWrapper;
  /** Takes the per-CPU areas, to share them with other threads. */
  readonly onPerCpu?: (areas: PerCpuAreas) => void;
}

/** The hypervisor of a thread that is a guest CPU. */
export interface CpuComposeOptions {
  readonly host: HostOptions;
  readonly processor: ProcessorOptions;
  readonly percpu: PerCpuShare;
}
