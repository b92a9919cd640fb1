/** The guest's side of a logical processor, as VMX keeps it in a VMCS and SVM in a VMCB. */
import type { NestedRoot } from '@axvisor/axvisor_api/addrspace';
import type { VCpuShare } from '@axvisor/axvisor_api/vcpu';
import type { X86Exit } from './exit.ts';

/** Registers that the control structure holds. CR0 and CR4 are as the guest sees them. */
export const GUEST_REGISTERS = [
  'rip', 'rsp', 'rflags', 'cr0', 'cr3', 'cr4', 'efer', 'pat', 'dr7', 'sysenter_cs', 'sysenter_esp', 'sysenter_eip', 'debugctl',
  'gdtr.base', 'gdtr.limit', 'idtr.base', 'idtr.limit',
] as const;
export type GuestRegister = (typeof GUEST_REGISTERS)[number];

export const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'] as const;
export type SegmentName = (typeof SEGMENTS)[number];

/** A segment register with its hidden part. `rights` as the VMCS has them: bits 15:0 of `SegmentAccess`, and unusable. */
export interface Segment {
  readonly selector: number;
  readonly base: bigint;
  readonly limit: number;
  readonly rights: number;
}

/** Types of events, with the numbers that VMX and SVM share. */
export const EventKind = { external: 0, nmi: 2, exception: 3, softwareInterrupt: 4, privilegedSoftware: 5, softwareException: 6 } as const;
export type EventKind = (typeof EventKind)[keyof typeof EventKind];

/** An event to be delivered through the guest's IDT. */
export interface GuestEvent {
  readonly vector: number;
  readonly kind: EventKind;
  readonly errorCode?: number;
  /** Bytes of the instruction, of software events. */
  readonly length?: number;
}

/** One vCPU's control structure, and the way into the guest. */
export interface Guest extends Disposable {
  /** Performance counters that the vendor's processors always have. */
  readonly counters: number;
  get(register: GuestRegister): bigint;
  set(register: GuestRegister, value: bigint): void;
  segment(name: SegmentName): Segment;
  /** The low half of a register, as bits: negative where bit 31 is set. */
  low(register: GuestRegister): number;
  /** Moves RIP behind an instruction of `length` bytes and ends the shadow; false, and nothing is done, where that passes a multiple of 4 GiB. */
  skip(length: number): boolean;
  /** {@link Segment.rights} alone. */
  rights(name: SegmentName): number;
  setSegment(name: SegmentName, segment: Segment): void;
  /** Interruptibility: an instruction after STI or MOV SS, or NMIs blocked. */
  readonly shadowed: boolean;
  readonly nmiBlocked: boolean;
  /** The four entries that PAE paging keeps in the processor, where the structure has them. */
  setPdptes(entries: readonly bigint[]): void;
  /** NMIs wait for IRET: one is being handled. */
  blockNmis(): void;
  /** What the next entry's guest has in CR2, and in DR6 besides what is there. */
  setCr2(address: bigint): void;
  addToDr6(bits: bigint): void;
  /** Ends the shadow: an instruction was emulated. */
  clearShadow(): void;
  /** Interrupts wait for the next instruction: MOV SS was emulated. */
  setShadow(): void;
  /** @param tag - of this vCPU's translations: others on the processor have others, for each has page tables and PCIDs of its own. */
  setRoot(root: NestedRoot, tag: number): void;
  /** What this processor keeps of the guest's translations is dropped before the next entry. */
  flushTranslations(): void;
  /** What RDTSC adds to the host's counter. */
  setTscOffset(offset: bigint): void;
  /** Leaves or passes the accesses of the guest to an MSR. */
  interceptMsr(msr: number, intercept: boolean): void;
  /** Puts controls and everything that is not a register in their initial state. */
  reset(): void;
  /** This thread's processor takes the structure up, or gives it back. */
  bind(): void;
  unbind(): void;
  /** The event for the next entry; undefined: none. */
  inject(event: GuestEvent | undefined): void;
  /** Leave as soon as the guest could take an interrupt, or an NMI; the processor may deliver the NMI instead. */
  openWindows(interrupt: boolean, nmi: boolean): void;
  /** Whether it did so since. */
  readonly nmiDelivered: boolean;
  /** Where the structures are, for a thread that takes them up. */
  share(): VCpuShare;
  /** Runs the guest; with {@link interrupted} what the exit interrupted. */
  enter(): X86Exit;
  /** The event whose delivery the last exit interrupted; it has to be injected again. */
  interrupted(): GuestEvent | undefined;
  /** Length of the instruction that the last exit is about, where the processor reports it. */
  instructionLength(): number | undefined;
}
