/**
 * The seam between the privileged architecture (this directory) and the engine that runs instructions: what the engine may call, and what it must
 * provide.
 *
 * Hot calls pass 64-bit values as pairs of 32-bit words and physical addresses as JavaScript numbers; the methods for native hypervisor software
 * (`rdmsr` and the like) take and return bigint.
 */

import type { Access, CoreHost, RamWindow, Status } from '@axvisor/softcpu';

/**
 * {@link PrivilegedLp.system} tells the run loop by a `Status`: `next`, go on behind the instruction, the PC in the state block is untouched; `refetch`, that was
 * written; `leave`, {@link PrivilegedLp.exited} or {@link PrivilegedLp.waiting} says why, and the PC is where to resume.
 * Read-modify-write accesses are stores.
 */
export { Access, Permission, Status } from '@axvisor/softcpu';

/** Why a logical processor waits for an event (SDM vol. 3, 25.4.2, the activity states). */
export const Waiting = { no: 0, hlt: 1, shutdown: 2, sipi: 3, mwait: 4 } as const;
export type Waiting = (typeof Waiting)[keyof typeof Waiting];

/** What lies at physical addresses outside all RAM windows. `size` is 1, 2, 4 or 8; what nothing answers reads as ones. */
export interface PhysBus {
  read(pa: number, size: number): bigint;
  write(pa: number, size: number, value: bigint): void;
}

/** Where IN and OUT go that no hypervisor intercepts. `size` is 1, 2 or 4; what nothing answers reads as ones. */
export interface PortBus {
  read(port: number, size: number): number;
  write(port: number, size: number, value: number): void;
}

/** The local APIC of the processor, where there is one: its interrupts, its TPR, and the MSRs of the x2APIC and IA32_TSC_DEADLINE. */
export interface LocalApic {
  /** Vector of the interrupt that would be taken now, TPR considered; -1 if none. */
  pending(): number;
  /** Takes it: it is in service now. */
  acknowledge(): number;
  /** Task priority, 4 bits. */
  tpr: number;
  /** IA32_APIC_BASE, IA32_TSC_DEADLINE, 0x800 … 0x8ff. Undefined: #GP. */
  read(msr: number): bigint | undefined;
  /** False: #GP. */
  write(msr: number, value: bigint): boolean;
}

/** What the privileged architecture needs from the engine around it. The constructor already calls it (reset flushes). */
export interface PrivilegedHost extends Omit<CoreHost, 'stored'> {
  /** The time-stamp counter before offset and adjustment. */
  now(): bigint;
  /** Generated code reads the same from a clock. */
  readonly hasClock?: boolean;
  /** Forgets every cached fetch translation (all values of FETCH_IDX). */
  flushFetch(): void;
  /** The privileged architecture itself wrote linear memory at byte offset `place`: code translated from there is stale. */
  stored(place: number, size: number): void;
  /** MODE in the state block changed: bytes are decoded otherwise. */
  modeChanged(mode: number): void;
  /** Something must be looked at as soon as the current instruction is over: {@link PrivilegedLp.pendingEvent} is to be called then. */
  endSlice(): void;
  /** 64 random bits; absent: RDRAND and RDSEED are not announced. */
  random?(): bigint;
}

/** How a logical processor is built. */
export interface PrivilegedOptions {
  /** The linear memory with the state block and the RAM windows; only `buffer` is used. */
  readonly memory: { readonly buffer: ArrayBufferLike };
  /** Byte offset of the state block in `memory`, a multiple of 16. */
  readonly stateBase: number;
  readonly ram: readonly RamWindow[];
  /** Byte offset of `Layout.guestBlocks` in `memory`. Absent: nothing walks but this. */
  readonly guestBlocks?: number;
  readonly host: PrivilegedHost;
  readonly bus?: PhysBus;
  readonly ports?: PortBus;
  readonly apic?: LocalApic;
  /**
   * True: hypervisor software is native code, and instructions are those of guests only. False (default): a bare processor that begins at the reset vector;
   * it has neither VMX nor SVM.
   */
  readonly hosted?: boolean;
  /** Initial APIC id, as CPUID tells it. Default 0. */
  readonly apicId?: number;
  /** MAXPHYADDR, 36 … 52. Default 46. */
  readonly physicalBits?: number;
  /** Frequency of the time-stamp counter in Hz, for CPUID. Default 1 GHz. */
  readonly frequency?: bigint;
  /** CPUID vendor: VMX or SVM is announced. Default `intel`; the other instructions are there as well. */
  readonly vendor?: 'intel' | 'amd';
  /** What the engine executes beyond x86-64-v1, as CPUID tells it: names of `cpuid.ts`. Default: all of the baseline. */
  readonly features?: readonly string[];
}

/** A decoded instruction of which {@link PrivilegedLp.system} is to execute what generated code does not. */
export interface SystemInsn {
  /** Bytes of the instruction. */
  length: number;
  /** Operand size in bytes: 2, 4 or 8. */
  opSize: number;
  /** Address size in bytes: 2, 4 or 8. */
  addrSize: number;
  /** ModRM.reg with REX.R; for instructions without ModRM the register in the opcode. */
  reg: number;
  /** ModRM.rm with REX.B if it is a register, else -1. */
  rm: number;
  /** Segment of the memory operand (es cs ss ds fs gs: 0 … 5). */
  seg: number;
  /** Effective address: the offset in the segment, truncated to the address size. */
  lo: number;
  hi: number;
  /** Immediate: the port, vector, count of RETF, or the offset of a far pointer. */
  imm: number;
  /** Selector of a far pointer; nesting level of ENTER. */
  imm2: number;
  /** Set by the privileged architecture: IN or OUT names its port by an immediate. */
  immediatePort: boolean;
  /** REP or REPNE prefix. */
  rep: boolean;
  /** ModRM and SIB for instruction information: base and index register, -1 if absent; scale as a shift; displacement. */
  base: number;
  index: number;
  scale: number;
  disp: number;
}

/** An exception or a nested fault that was recorded and not yet taken. */
export interface PendingException {
  /** Vector; -1 when none is recorded. */
  readonly vector: number;
  readonly errorCode: number;
  /** Raised by an address that is not canonical or outside a segment: #SS instead of #GP if the access was through SS. */
  readonly bySegment: boolean;
}

/** The privileged architecture as the engine sees it. */
export interface PrivilegedLp {
  /** Current privilege level. */
  readonly cpl: number;
  /** Hosted: the guest was left; the VMCS or VMCB says why. */
  readonly exited: boolean;
  readonly waiting: Waiting;
  readonly exception: PendingException;
  /** Count of exceptions taken: an instruction that raised one has not retired. */
  readonly exceptions: number;
  /** A single instruction may be executed; then {@link PrivilegedLp.stepped} must be called unless it took an exception or called {@link PrivilegedLp.system}. */
  readonly stepping: boolean;

  /** After a successful translation: which accesses of the current MMU_IDX / FETCH_IDX to the 4 KiB page may go ahead without asking again. */
  readonly permissions: number;

  /**
   * Translates and checks one access that lies within a page, as the current mode makes it. `offset` is the distance of the address from the start of
   * the access, or of the instruction for fetches.
   * @returns the physical address (>= 0; it need not be RAM), or -1 with `exception` filled in.
   */
  translate(lo: number, hi: number, access: Access, size: number, offset?: number): number;

  /** Records an exception that did not come from `translate`. */
  raise(vector: number, errorCode?: number): void;
  /**
   * Takes the recorded exception of the instruction at PC. `throughSs`: the access that failed was through SS.
   * @returns Status.refetch, or Status.leave when the guest was left or the processor shut down.
   */
  takeException(throughSs?: boolean): Status;
  /** raise and takeException: #UD, #DE, #NM, #MF, #XM, #AC, #BR, #GP(0) … of the instruction at PC. */
  fault(vector: number, errorCode?: number): Status;

  /** Executes the instruction at PC; `op` is an index into `SYSTEM_OPS`. */
  system(op: number, insn: SystemInsn): Status;

  /** Looks at interrupts, windows, timers and pending debug exceptions before the instruction at PC. Once per slice and after `endSlice`. */
  pendingEvent(): Status;
  /** The instruction allowed by {@link PrivilegedLp.stepping} was executed and went to the next. */
  stepped(): Status;
  /** Whether a processor that waits would go on. */
  wakeable(): boolean;
  /** TSC ticks (as `now` counts) until the VMX-preemption timer expires, undefined if it is off. */
  preemptionTicks(): number | undefined;

  /** Pulses of the interrupt inputs. The maskable interrupt is a level when there is no local APIC. */
  setNmi(): void;
  setInit(): void;
  setSipi(vector: number): void;
  /** Hosted: an external interrupt for the host is pending (a kick), or no longer. */
  setHostInterrupt(pending: boolean): void;
  /** Power-on reset. */
  reset(): void;
  /** INIT: as reset, but caches, MSRs and x87 and vector state stay. */
  init(): void;
  /** Looks up `memory.buffer` again; to be called when the memory has grown. */
  refresh(): void;
}
