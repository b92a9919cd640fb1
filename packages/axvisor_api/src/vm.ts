/** The virtual-machine contract: create, boot, run, stop. `@axvisor/axvm` provides it. */
import type { AddrSpace } from './addrspace.ts';
import type { VmConfig } from './config.ts';
import type { BlockBackend, ConsolePort, DeviceBus } from './device.ts';
import { apiDef, required, type AxApiDef } from './registry/api.ts';
import type { AxVCpu } from './vcpu.ts';

/** Life cycle of a VM. */
export type VMStatus = 'loading' | 'loaded' | 'running' | 'suspended' | 'stopping' | 'stopped';

/** Why a VM is not running any more. */
export type VmEnd =
  | { readonly end: 'poweroff'; readonly code: number }
  | { readonly end: 'stopped' }
  /** The guest cannot go on, e.g. it accessed what does not exist with nobody to handle it. */
  | { readonly end: 'failed'; readonly message: string };

/** The bytes that a configuration names. */
export interface VmImages {
  readonly kernel?: Uint8Array;
  readonly bios?: Uint8Array;
  readonly dtb?: Uint8Array;
  readonly ramdisk?: Uint8Array;
  readonly disks?: readonly BlockBackend[];
}

/** Counters of one VM. */
export interface VmStats {
  /** Exits by reason. */
  readonly exits: Readonly<Record<string, number>>;
  /** Instructions its vCPUs retired, where they run on threads of their own; else the processor counts for all VMs. */
  readonly instructions?: bigint;
  /** The CPU that each of its vCPUs lives on, where they run on threads of their own. */
  readonly homes?: readonly number[];
  readonly resets: number;
  /** Interrupts that devices and the hypervisor asserted for its vCPUs. */
  readonly interrupts: number;
  /** Accesses to its devices, by name. */
  readonly deviceAccesses: Readonly<Record<string, number>>;
}

/** What this CPU's time went to, in seconds of the real clock. */
export interface TimeByPart {
  /** In guests, with what the vCPU and the processor did for them. */
  readonly guest: number;
  /** Handling exits: memory, devices, power. */
  readonly exits: number;
  /** Asleep. */
  readonly idle: number;
  /** Scheduling, timers, the console, the event loop. */
  readonly host: number;
}

/** One virtual machine. */
export interface Vm extends AsyncDisposable {
  readonly id: number;
  readonly name: string;
  readonly status: VMStatus;
  readonly config: VmConfig;
  readonly vcpus: readonly AxVCpu[];
  readonly bus: DeviceBus;
  readonly addressSpace: AddrSpace;
  /** Why it ended, once stopped. */
  readonly ended: VmEnd | undefined;
  /** The device tree given to the guest. */
  readonly dtb: Uint8Array | undefined;
  /** loaded → running. @throws {AxError} BadState */
  boot(): void;
  /** running ↔ suspended. */
  pause(): void;
  resume(): void;
  /** Power-on state again, images reloaded; allowed in every state but stopping. */
  reset(): void;
  /** Ends the VM: wakes what sleeps, stops what runs. */
  shutdown(): void;
  /** Presses the power button: a guest that knows it powers itself off. Returns whether the machine has one. */
  pressPowerButton?(): boolean;
  stats(): VmStats;
}

/** The functions of the `vm` API. */
export interface Vms {
  /**
   * Builds a VM in state `loaded`.
   *
   * @throws {AxError} InvalidInput (configuration), InvalidExecutable (kernel image), NoMemory
   */
  createVm(config: VmConfig, images: VmImages, console: ConsolePort): Vm;
  vms(): readonly Vm[];
  /** @throws {AxError} NotFound */
  findVm(id: number): Vm;
  /** Schedules the vCPUs of all running VMs on this CPU until none runs, or `until` says so. */
  runVms(until?: () => boolean): Promise<void>;
  /** What the time of {@link Vms.runVms} went to. */
  timeByPart(): TimeByPart;
  /** Counters, as `processorStats` has them, of the processor of each other thread that runs guests. */
  threadCounters(): Promise<readonly Readonly<Record<string, number>>[]>;
}

export let createVm: Vms['createVm'];
export let vms: Vms['vms'];
export let findVm: Vms['findVm'];
export let runVms: Vms['runVms'];
export let timeByPart: Vms['timeByPart'];
export let threadCounters: Vms['threadCounters'];

export const vm: AxApiDef<'vm', Vms, 'timeByPart' | 'threadCounters'> = apiDef({
  name: 'vm',
  functions: { createVm: required, vms: required, findVm: required, runVms: required, timeByPart: () => ({ guest: 0, exits: 0, idle: 0, host: 0 }), threadCounters: () => Promise.resolve([]) },
  bind: (f: Vms) => ({ createVm, vms, findVm, runVms, timeByPart, threadCounters } = f),
  providers: ['@axvisor/axvm'],
});
