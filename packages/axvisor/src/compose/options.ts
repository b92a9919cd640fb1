import type { Component } from '@axvisor/axvisor_api';
import type { entropy } from '@axvisor/axvisor_api/entropy';
import type { host } from '@axvisor/axvisor_api/host';
import type { memory } from '@axvisor/axvisor_api/memory';
import type { time } from '@axvisor/axvisor_api/time';

/** The host of a composition; it may leave entropy to the default. */
export type HostComponent = Component<typeof memory.id | typeof time.id | typeof host.id | typeof entropy.id, never>;

/** Puts something around the host: a recorder of what it says. */
export type HostWrapper = (host: HostComponent) => HostComponent;

/** What can be chosen of a software processor, whatever its architecture. */
export interface ProcessorOptions {
  /** How guest code is executed: interpreted, translated from the first execution on, or translated where it is hot. */
  readonly engine?: 'auto' | 'interpreter' | 'translator';
  /** Bytes that translations may take. */
  readonly translationBytes?: number;
}
