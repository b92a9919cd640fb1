/** What a composition is told, beside the host. */
import type { PerCpuAreas, PerCpuShare } from '@axvisor/percpu';
import type { HostOptions } from '@axvisor/axhost';

/** What can be chosen of a software processor, whatever its architecture. */
export interface ProcessorOptions {
  /** How guest code is executed: interpreted, translated from the first execution on, or translated where it is hot. */
  readonly engine?: 'auto' | 'interpreter' | 'translator';
  /** Bytes that translations may take. */
  readonly translationBytes?: number;
}

/** The hypervisor of a thread that keeps the virtual machines. */
export interface ComposeOptions {
  readonly processor?: ProcessorOptions;
  /** Takes the per-CPU areas, to share them with other threads. */
  readonly onPerCpu?: (areas: PerCpuAreas) => void;
}

/** The hypervisor of a thread that is a guest CPU. */
export interface CpuComposeOptions {
  readonly host: HostOptions;
  readonly processor: ProcessorOptions;
  readonly percpu: PerCpuShare;
}
