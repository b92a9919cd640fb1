/**
 * The vCPU contract: states, exit reasons, what an architecture implements (`AxArchVCpu`) and what the
 * architecture-independent vCPU offers (`AxVCpu`). `@axvisor/axvcpu` provides the latter, `@axvisor/*_vcpu` the former.
 */
import type { GuestPhysAddr } from './addr.ts';
import type { MappingFlags, NestedPageTableFormat, NestedRoot } from './addrspace.ts';
import type { AccessWidth, FdtProperties } from './device.ts';
import type { CpuInterrupts, LocalApic } from './intc.ts';
import type { QuickDevices } from './quick_devices.ts';
import { apiDef, required, type AxApiDef } from './registry/api.ts';
import type { Ticks } from './time.ts';

export { GuardedDevices, type LiveRegisters, type QuickDevices, type QuickSpace } from './quick_devices.ts';

/** Life cycle of a vCPU. */
export const VCpuState = { Invalid: 0, Created: 1, Free: 2, Ready: 3, Running: 4, Blocked: 5 } as const;
export type VCpuState = (typeof VCpuState)[keyof typeof VCpuState];

/** Why the guest was left. An exhaustive union: switch over `reason`. */
export type AxVCpuExitReason =
  | { readonly reason: 'Hypercall'; readonly nr: bigint; readonly args: readonly [bigint, bigint, bigint, bigint, bigint, bigint] }
  /** Load from a device: complete with `setGpr(reg, value)` after {@link extendLoad}. */
  | {
      readonly reason: 'MmioRead';
      readonly addr: GuestPhysAddr;
      readonly width: AccessWidth;
      /** Destination, in the architecture's numbering (RISC-V: 0-31 x, 32-63 f; Arm: 0-30 x, 31 none, 32-63 v). */
      readonly reg: number;
      readonly regWidth: AccessWidth;
      readonly signedExt: boolean;
    }
  | { readonly reason: 'MmioWrite'; readonly addr: GuestPhysAddr; readonly width: AccessWidth; readonly data: bigint }
  | { readonly reason: 'SysRegRead'; readonly addr: number; readonly reg: number }
  | { readonly reason: 'SysRegWrite'; readonly addr: number; readonly value: bigint }
  | { readonly reason: 'IoRead'; readonly port: number; readonly width: AccessWidth }
  | { readonly reason: 'IoWrite'; readonly port: number; readonly width: AccessWidth; readonly data: bigint }
  /** A host interrupt: time slice over, kick, I/O. */
  | { readonly reason: 'ExternalInterrupt'; readonly vector: bigint }
  /** An access outside what is mapped: lazy memory, or a device ({@link AxArchVCpu.decodeMmio}). */
  | { readonly reason: 'NestedPageFault'; readonly addr: GuestPhysAddr; readonly accessFlags: MappingFlags }
  /** The vCPU waits for an interrupt. */
  | { readonly reason: 'Halt' }
  /** Start `targetCpu` (the architecture's CPU number) at `entryPoint` with `arg`. */
  | { readonly reason: 'CpuUp'; readonly targetCpu: bigint; readonly entryPoint: GuestPhysAddr; readonly arg: bigint }
  | { readonly reason: 'CpuDown'; readonly state: bigint }
  /** The guest switches the machine off; `failure`: because it cannot go on, as it says. */
  | { readonly reason: 'SystemDown'; readonly failure?: true }
  | { readonly reason: 'SystemReset'; readonly warm: boolean }
  /** Handled inside the vCPU; a chance to poll. `yields`: the guest spins for another vCPU, which should run first. */
  | { readonly reason: 'Nothing'; readonly yields?: true }
  /** The processor refused to enter the guest. */
  | { readonly reason: 'FailEntry'; readonly hardwareEntryFailureReason: bigint }
  /** The guest did what no handler covers; the VM fails with this message. */
  | { readonly reason: 'GuestError'; readonly message: string }
  | {
      readonly reason: 'SendIPI';
      readonly targetCpu: bigint;
      readonly targetCpuAux: bigint;
      readonly sendToAll: boolean;
      readonly sendToSelf: boolean;
      readonly vector: bigint;
    };

/** Sign- or zero-extends `value` of `width` bytes to `regWidth` bytes, as an unsigned 64-bit value: the one place where loads are completed. */
export function extendLoad(value: bigint, width: AccessWidth, regWidth: AccessWidth, signed: boolean): bigint {
  const extended = (signed ? SIGNED : UNSIGNED)[width](value);
  return UNSIGNED[regWidth](extended);
}

/** With constants: the runtime has no instructions for a truncation to a width that it does not know. */
const SIGNED: Readonly<Record<AccessWidth, (value: bigint) => bigint>> = {
  1: (value) => BigInt.asIntN(8, value),
  2: (value) => BigInt.asIntN(16, value),
  4: (value) => BigInt.asIntN(32, value),
  8: (value) => BigInt.asIntN(64, value),
};
const UNSIGNED: Readonly<Record<AccessWidth, (value: bigint) => bigint>> = {
  1: (value) => BigInt.asUintN(8, value),
  2: (value) => BigInt.asUintN(16, value),
  4: (value) => BigInt.asUintN(32, value),
  8: (value) => BigInt.asUintN(64, value),
};

/** General registers of x86 by their names in 64-bit mode. */
export type X86Gpr = 'rax' | 'rcx' | 'rdx' | 'rbx' | 'rsp' | 'rbp' | 'rsi' | 'rdi';

/** How an x86 CPU starts where a boot protocol wants more than RESET gives. Interrupts are off, registers that are not named are 0. */
export interface X86Start {
  /** 16 bits as RESET leaves it; 32 bits with flat segments and no paging; 64 bits with flat segments and paging. */
  readonly mode: 'real' | 'protected' | 'long';
  /** Offset in the code segment. */
  readonly rip: bigint;
  /** Selectors of the code segment and of the others; their descriptors are in the GDT, if there is one. */
  readonly code: number;
  readonly data: number;
  /** Base of the code segment. Default: 16 times the selector in real mode, else 0. */
  readonly codeBase?: bigint;
  readonly gdt?: { readonly base: GuestPhysAddr; readonly limit: number };
  /** Long mode: the page table. */
  readonly cr3?: GuestPhysAddr;
  readonly registers: Readonly<Partial<Record<X86Gpr, bigint>>>;
}

/** How an architecture's vCPU is made. */
export interface ArchVCpuConfig {
  /** The number by which the guest names this CPU: hart id, MPIDR affinity, APIC id. */
  readonly cpuId: bigint;
  /** GPA of the device tree, where the boot protocol passes it in a register. */
  readonly dtb?: GuestPhysAddr;
  /** x86: the state after setup, of the first CPU. Default: that of RESET, with the entry in place of the reset vector. */
  readonly start?: X86Start;
  /**
   * This thread takes up a vCPU that another one made: state that is not on a processor is in memory they share. Who made it puts it
   * in its power-on state; here setup, reset and setStartArgs only forget what this thread knows of it.
   */
  readonly share?: VCpuShare;
}

/** What another thread needs to take up a vCPU; only the architecture knows what it means. */
export type VCpuShare = Readonly<Record<string, bigint>>;

/** An architecture's vCPU: what `AxVCpu` drives. */
export interface AxArchVCpu extends Disposable {
  setEntry(entry: GuestPhysAddr): void;
  /** The nested page table, and the VMID its translations are tagged with. */
  setEptRoot(root: NestedRoot, vmid: number): void;
  /** Puts the vCPU in its power-on state. May be called again: reset. */
  setup(): void;
  /** Runs the guest on this CPU until something needs the hypervisor. Only between bind and unbind. */
  run(): AxVCpuExitReason;
  bind(): void;
  unbind(): void;
  /** Decodes the access of the last NestedPageFault as a device access; `undefined` if it cannot be one (instruction fetch, page-table walk). */
  decodeMmio(): Extract<AxVCpuExitReason, { readonly reason: 'MmioRead' | 'MmioWrite' }> | undefined;
  /** Lets the guest take the architecture's exception for an access to an address where nothing answers. */
  injectAccessFault(): void;
  /** Register `index` in the numbering of {@link AxVCpuExitReason}. @throws {AxError} InvalidInput */
  setGpr(index: number, value: bigint): void;
  getGpr(index: number): bigint;
  /** The result of a hypercall, or of the call that caused the last exit. */
  setReturnValue(value: bigint): void;
  /** Completes the CpuUp exit of this vCPU. */
  completeCpuUp(result: 'success' | 'already-on' | 'invalid'): void;
  /** Start arguments of a CPU that is brought up: entry point and opaque value. */
  setStartArgs(entry: GuestPhysAddr, arg: bigint): void;
  /** Asserts interrupt `vector`; works for running, blocked and unbound vCPUs. @throws {AxError} InvalidInput for a vector the architecture does not have */
  injectInterrupt(vector: number): void;
  /** Clears a level-triggered interrupt. */
  clearInterrupt(vector: number): void;
  /**
   * Connects the vCPU with its part of an interrupt controller, which then decides what {@link AxArchVCpu.injectInterrupt} delivers. Absent where
   * controllers only assert interrupts. Before the vCPU first runs.
   */
  attachInterrupts?(interrupts: CpuInterrupts): void;
  /** x86: connects the vCPU with its local APIC; `ApicPin`s then tell when to ask it. Before the vCPU first runs. */
  attachLocalApic?(apic: LocalApic): void;
  /** Offers devices that may be accessed without an exit, within {@link AxArchVCpu.run}. Absent where every access is one. */
  attachDevices?(devices: QuickDevices): void;
  /** Whether an interrupt is pending that ends a wait (enabled or not by the guest's global mask, as WFI/HLT define it). */
  hasPendingInterrupt(): boolean;
  /** When the guest's own timer will make an interrupt pending. */
  nextTimer(): Ticks | undefined;
  /** For {@link ArchVCpuConfig.share} of another thread. Absent: this architecture's vCPUs stay on their thread. */
  share?(): VCpuShare;
  /** State for people: program counter and registers by name. */
  dump(): Readonly<Record<string, bigint>>;
}

/** An architecture's per-CPU part: virtualization switched on and off. */
export interface AxArchPerCpu {
  isEnabled(): boolean;
  /** @throws {AxError} Unsupported, ResourceBusy */
  hardwareEnable(): void;
  /** @throws {AxError} BadState if not enabled */
  hardwareDisable(): void;
  maxGuestPageTableLevels(): number;
}

/** The functions of the `arch_vcpu` API: one architecture. */
export interface ArchVCpus {
  /** Whether this processor has the virtualization extension. */
  hasHardwareSupport(): boolean;
  /** Format of nested page tables for `gpaBits` of guest physical address space. */
  nestedFormat(gpaBits: number): { readonly format: NestedPageTableFormat; readonly levels: number };
  /** What the architecture's device-tree binding wants in a `cpu` node beyond device_type, reg and status. */
  cpuFdtProperties(): FdtProperties;
  newArchPerCpu(cpu: number): AxArchPerCpu;
  newArchVCpu(vmId: number, vcpuId: number, config: ArchVCpuConfig): AxArchVCpu;
}

/** The architecture-independent vCPU. State changes only along its transition table; a call in a wrong state reports it and changes nothing. */
export interface AxVCpu extends Disposable {
  readonly id: number;
  readonly vmId: number;
  /** Whether this is the boot CPU (id 0). */
  readonly isBsp: boolean;
  readonly favorPhysCpu: number;
  /** Physical CPUs it may run on, a bit each; `undefined`: all. */
  readonly physCpuSet: bigint | undefined;
  readonly state: VCpuState;
  readonly arch: AxArchVCpu;
  /** Created → Free. @throws {AxError} BadState */
  setup(entry: GuestPhysAddr, root: NestedRoot, vmid: number): void;
  /** Free → Ready. */
  bind(): void;
  /** Ready → Free. */
  unbind(): void;
  /** Ready → Running → Ready. */
  run(): AxVCpuExitReason;
  /** Ready → Blocked: the guest waits and gives the CPU up (it is unbound). */
  block(): void;
  /** Blocked → Free: what it waited for has come. */
  unblock(): void;
  /** Free, Ready, Blocked or Invalid → Free with power-on state. */
  reset(entry: GuestPhysAddr): void;
  injectInterrupt(vector: number): void;
  clearInterrupt(vector: number): void;
  setGpr(index: number, value: bigint): void;
  setReturnValue(value: bigint): void;
}

/** How a vCPU is made. */
export interface AxVCpuOptions {
  readonly vmId: number;
  readonly vcpuId: number;
  readonly favorPhysCpu?: number;
  readonly physCpuSet?: bigint;
  readonly arch: ArchVCpuConfig;
}

/** A physical CPU's virtualization state. */
export interface AxPerCpu extends Disposable {
  readonly cpuId: number;
  isEnabled(): boolean;
  hardwareEnable(): void;
  hardwareDisable(): void;
}

/** The functions of the `vcpu` API. */
export interface VCpus {
  createVCpu(options: AxVCpuOptions): AxVCpu;
  /** The vCPU that runs on this CPU now. */
  currentVCpu(): AxVCpu | undefined;
  /** Prepares a CPU for virtualization. @throws {AxError} BadState if done already */
  initPerCpu(cpu: number): AxPerCpu;
}

export let hasHardwareSupport: ArchVCpus['hasHardwareSupport'];
export let nestedFormat: ArchVCpus['nestedFormat'];
export let cpuFdtProperties: ArchVCpus['cpuFdtProperties'];
export let newArchPerCpu: ArchVCpus['newArchPerCpu'];
export let newArchVCpu: ArchVCpus['newArchVCpu'];

export const archVcpu: AxApiDef<'arch_vcpu', ArchVCpus> = apiDef({
  name: 'arch_vcpu',
  functions: {
    hasHardwareSupport: required, nestedFormat: required, cpuFdtProperties: required, newArchPerCpu: required, newArchVCpu: required,
  },
  bind: (f: ArchVCpus) => ({ hasHardwareSupport, nestedFormat, cpuFdtProperties, newArchPerCpu, newArchVCpu } = f),
  providers: ['@axvisor/riscv_vcpu', '@axvisor/arm_vcpu', '@axvisor/x86_vcpu'],
});

export let createVCpu: VCpus['createVCpu'];
export let currentVCpu: VCpus['currentVCpu'];
export let initPerCpu: VCpus['initPerCpu'];

export const vcpu: AxApiDef<'vcpu', VCpus> = apiDef({
  name: 'vcpu',
  functions: { createVCpu: required, currentVCpu: required, initPerCpu: required },
  bind: (f: VCpus) => ({ createVCpu, currentVCpu, initPerCpu } = f),
  providers: ['@axvisor/axvcpu'],
});

