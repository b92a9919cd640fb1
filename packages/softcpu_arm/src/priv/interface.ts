/**
 * The seam between the privileged architecture (this directory) and the engine that runs instructions: what the engine may
 * call, and what it must provide.
 *
 * Hot calls pass 64-bit values as pairs of 32-bit words and physical addresses as JavaScript numbers; the methods for native
 * EL2 software (`sysRegRead` and the like) take and return bigint.
 */

import type { AbortVector } from '@axvisor/axvisor_api/arch/arm';
import type { Access, CoreHost, RamWindow, Status } from '@axvisor/softcpu';

/**
 * {@link PrivilegedPe.system} tells the run loop by a `Status`: `next`, go on behind the instruction, the PC in the state block is untouched; `refetch`, that was
 * written; `leave`, {@link PrivilegedPe.exited} or {@link PrivilegedPe.waiting} says why, and the PC is where to resume.
 * Atomics and DC ZVA are stores.
 */
export { Access, Permission, Status } from '@axvisor/softcpu';

/** Which vector an exception to EL2 went through, in the order of a vector table. */
export const ExitKind = { sync: 0, irq: 1, fiq: 2, serror: 3 } as const;
export type ExitKind = (typeof ExitKind)[keyof typeof ExitKind];

/** Physical interrupt inputs of the processing element. */
export const Line = { irq: 1, fiq: 2, serror: 4 } as const;

/** Interrupt outputs of the processing element, by the INTID that the base system architecture gives them. */
export const Ppi = { pmu: 23, maintenance: 25, cnthp: 26, cntv: 27, cntp: 30 } as const;

/** TLB maintenance as it is broadcast: to all translations, those of one virtual address (of any ASID), or those of one ASID. */
export interface TlbRequest {
  /** Stage 2 is affected too. */
  readonly stage2: boolean;
  /** The 4 KiB page number's address; undefined means every address. */
  readonly va: { readonly lo: number; readonly hi: number } | undefined;
  /** The address space of the virtual machine; absent means every one. */
  readonly asid?: number;
  /** VTTBR_EL2 of the virtual machine whose address spaces are meant; absent: the current one. */
  readonly machine?: { readonly lo: number; readonly hi: number };
}

/** What the privileged architecture needs from the engine around it. The constructor already calls it (reset flushes). */
export interface PrivilegedHost extends CoreHost {
  /** The physical count, CNTPCT_EL0, 64 bits. */
  now(): bigint;
  /** IC: fetches, those of others too, must see what is in memory when the next DSB is over. Absent: there are no others. */
  instructionsChanged?(): void;
  /** TLBI …IS: others must see it too, before the next DSB is over. Absent: there are no others. */
  broadcast?(request: TlbRequest): void;
  /** DSB while {@link UNSYNCED} is set: others must have seen what was broadcast before this returns. Absent: there are no others. */
  synchronize?(): void;
  /** SEV. Absent: there are no others. */
  sendEvent?(): void;
  /** An output in {@link Ppi} changed its level. */
  line?(ppi: number, level: boolean): void;
}

/** The physical GIC CPU interface: answers ICC_*_EL1 where they are not virtual. `key` is as in `sysRegKey`. */
export interface GicCpuInterface {
  read(key: number): bigint;
  write(key: number, value: bigint): void;
  /** A virtual interrupt with a physical one behind it (ICH_LR.HW) was deactivated. */
  deactivate(intid: number): void;
}

/** How a processing element is built. */
export interface PrivilegedOptions {
  /** The linear memory with the state block and the RAM windows; only `buffer` is used. */
  readonly memory: { readonly buffer: ArrayBufferLike };
  /** Byte offset of the state block in `memory`, a multiple of 16. */
  readonly stateBase: number;
  readonly ram: readonly RamWindow[];
  /** Byte offset of `Layout.guestBlocks` in `memory`. Absent: nothing walks but this. */
  readonly guestBlocks?: number;
  readonly host: PrivilegedHost;
  /**
   * True: EL2 software is native code. Exceptions to EL2 update its registers and set `exited` instead of vectoring. False
   * (default): a bare processing element that resets into EL2.
   */
  readonly hosted?: boolean;
  /** MPIDR_EL1 affinity fields, Aff3 in bits 39:32 as in the register. Default 0. */
  readonly affinity?: bigint;
  /** CNTFRQ_EL0 at reset, in Hz. Default 62.5 MHz. */
  readonly frequency?: number;
  /** ID_AA64MMFR0_EL1.PARange: 0 … 5 for 32, 36, 40, 42, 44, 48 bits of physical address. Default 2. */
  readonly paRange?: number;
  /** Other processing elements write the same memory: CTR_EL0.DIC is 0. Default: false. */
  readonly shared?: boolean;
  /** Default: hosted, the private interrupts of this processing element alone; else none, and no GIC system registers at all. */
  readonly gic?: GicCpuInterface;
}

/** An exception that was recorded and not yet taken. */
export interface PendingException {
  /** ESR_ELx.EC, as from a lower Exception level; -1 when none is recorded. */
  readonly ec: number;
  readonly iss: number;
  readonly farLo: number;
  readonly farHi: number;
  /** Faulting intermediate physical address, for stage 2 faults. */
  readonly ipaLo: number;
  readonly ipaHi: number;
  /** A fault of stage 2. */
  readonly stage2: boolean;
}

/** The privileged architecture as the engine sees it. */
export interface PrivilegedPe {
  /** Current Exception level. */
  readonly el: number;
  /** Hosted: the guest was left, the EL2 registers say why. Cleared by `enterGuest`. */
  readonly exited: boolean;
  /** A WFI found nothing pending. Cleared by `wakeable()` returning true, or by any exception. */
  readonly waiting: boolean;
  readonly exception: PendingException;
  /** Count of exceptions taken synchronously: an instruction that raised one has not retired. */
  readonly exceptions: number;
  /** Software step is active: {@link PrivilegedPe.pendingInterrupt} must be called before the next instruction. */
  readonly stepActive: boolean;
  /** A single instruction may be executed; then {@link PrivilegedPe.stepped} must be called, unless it took an exception. */
  readonly stepping: boolean;

  /** After a successful translation: which accesses of the current MMU_IDX / FETCH_IDX to the 4 KiB page may go ahead without
   *  asking again, if they are aligned (write only if the page is dirty at both stages). 0: do not cache the page at all. */
  readonly permissions: number;
  /** After a successful translation: it is to Device memory, where every access must be aligned. */
  readonly isDevice: boolean;
  /** After a successful translation: bytes of the naturally aligned block around the address that maps linearly, at least 4096. */
  readonly pageSize: number;

  /**
   * Translates and checks one access that lies within a page, as the current mode makes it (fetch: the Exception level;
   * others: MMU_IDX). `offset` is the distance of the address from the start of the access: nonzero for the second part of
   * an access that crosses a page.
   * @returns the physical address (>= 0; it need not be RAM), or -1 with `exception` filled in.
   */
  translate(vaLo: number, vaHi: number, access: Access, size: number, offset?: number): number;
  /** Records that nothing answers at an address: a synchronous External abort. */
  externalAbort(vaLo: number, vaHi: number, access: Access): void;
  /** Records an alignment fault. */
  alignmentFault(vaLo: number, vaHi: number, access: Access): void;

  /**
   * Takes the recorded exception of the instruction at PC (state block). `bits` is the instruction, or 0 when it could not be fetched.
   * @returns Status.refetch, or Status.leave when the guest was left.
   */
  takeException(bits: number): Status;
  /** The instruction at PC is UNDEFINED. */
  undefined(): Status;
  /** The instruction at PC uses SIMD&FP registers while FP_TRAP is nonzero. */
  fpTrap(): Status;
  /** The instruction at PC uses SP as base while it is misaligned and SP_ALIGN says that matters. */
  spAlignment(): Status;

  /**
   * Executes the instruction at PC, which is `bits`: one of the classes "Exception generation", "Hints", "Barriers", "PSTATE",
   * "System instructions", "System register move", or ERET. What is unallocated there is UNDEFINED.
   */
  system(bits: number): Status;

  /** Looks at timers and interrupt lines, and takes the interrupt that must be taken: Status.refetch or Status.leave. Else Status.next. Once per slice. */
  pendingInterrupt(): Status;
  /** The instruction allowed by {@link PrivilegedPe.stepping} was executed. */
  stepped(): void;
  /** Some interrupt is pending, masked or not: a WFI would not wait. */
  wakeable(): boolean;
  /** The earliest physical count at which an enabled timer's condition becomes true, or undefined. */
  nextTimer(): bigint | undefined;
  /** Sets or clears physical interrupt lines: bits of {@link Line}. */
  setLine(line: number, level: boolean): void;
  /** An event from another processing element (SEV). */
  setEvent(): void;
  /** TLB maintenance of another processing element. */
  tlbRequest(request: TlbRequest): void;
  /** Puts the processing element in its reset state. PC is the caller's. */
  reset(): void;
  /** Looks up `memory.buffer` again; to be called when the memory has grown. */
  refresh(): void;
}

/** What native EL2 software does to the interrupts of its processing element without a GIC. */
export interface HostInterrupts {
  /** Acknowledges the pending interrupt with the lowest number. @returns its INTID, 1023 if there is none */
  acknowledge(): number;
  /** Deactivates an interrupt. */
  deactivate(intid: number): void;
  /** Those of `intids`, a bit set, that are high are not pending until they were low. */
  hold(intids: number): void;
  /** Makes a software generated interrupt (INTID below 16) pending. */
  trigger(intid: number): void;
}

/** The processing element as native EL2 software sees it (hosted mode). */
export interface HostedPe {
  /** How the guest was left. */
  readonly exitKind: ExitKind;
  /** The physical interrupts that the processing element raises itself, unless a GIC was given. */
  readonly ppis: HostInterrupts | undefined;
  /** MRS as at EL2, whatever runs: for debuggers. @throws {RangeError} it would be UNDEFINED. */
  peek(key: number): bigint;
  /** MRS at EL2. `key` is as in `sysRegKey`. @throws {RangeError} it would be UNDEFINED. */
  sysRegRead(key: number): bigint;
  /** MSR at EL2. @throws {RangeError} it would be UNDEFINED. */
  sysRegWrite(key: number, value: bigint): void;
  /** SYS at EL2: TLBI, AT, DC, IC. @throws {RangeError} it would be UNDEFINED. @returns false if it faulted: `exception` says how. */
  sysInstruction(key: number, value: bigint): boolean;
  /** Called with data aborts of the guest before they are taken to EL2. */
  abortVector: AbortVector | undefined;
  /** ERET to EL1 or EL0 by SPSR_EL2 and ELR_EL2. @throws {Error} when a guest is running, or SPSR_EL2 is no state of EL1 or EL0. */
  enterGuest(): void;
}
