/** The shape of SBI calls: what a function is given, what it answers, and the error codes (SBI 2.0, chapter "Binary Encoding"). */
import type { GuestAccess } from '@axvisor/axvisor_api/arch/riscv';
import type { AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import type { GuestCounters } from '../counters.ts';
import type { Fence } from '../fences.ts';

/** Standard error codes, as a0 holds them. */
export const SbiError = {
  SUCCESS: 0n,
  FAILED: -1n,
  NOT_SUPPORTED: -2n,
  INVALID_PARAM: -3n,
  DENIED: -4n,
  INVALID_ADDRESS: -5n,
  ALREADY_AVAILABLE: -6n,
  ALREADY_STARTED: -7n,
  ALREADY_STOPPED: -8n,
  NO_SHMEM: -9n,
} as const;

/** The vCPU as SBI functions see it. */
export interface SbiHart {
  readonly vmId: number;
  readonly vcpuId: number;
  readonly hartId: bigint;
  readonly counters: GuestCounters;
  /** The vCPU of the same VM with this hart id. */
  sibling(hartId: bigint): SbiHart | undefined;
  /** All vCPUs of the VM, itself included. */
  siblings(): SbiHart[];
  /** It waits in hart_suspend or system_suspend. */
  readonly suspended: boolean;
  /** From now until it runs again it counts as suspended. */
  suspend(): void;
  /** The guest's timer fires when its time reaches `at`. */
  setTimer(at: bigint): void;
  /** Clears the pending software interrupt and returns whether there was one. */
  clearSoftwareInterrupt(): boolean;
  /** Executes `fence` now if this is the caller, else before this vCPU next enters the guest. */
  fence(fence: Fence, caller: SbiHart): void;
  /** Waits until this vCPU is not in the guest, or has executed the fences requested of it. */
  awaitFences(): void;
  /** Continues at `entry` in supervisor mode without translation and interrupts: a0 = hart id, a1 = `argument`. */
  resumeAt(entry: bigint, argument: bigint): void;
  /** Reads 8 bytes at a virtual address of the guest. */
  readGuest(address: bigint): GuestAccess;
  /** The counters changed who reads them. */
  countersChanged(): void;
}

/** What a function answers. */
export interface SbiAnswer {
  /** Registers to set; absent: unchanged. */
  readonly a0?: bigint;
  readonly a1?: bigint;
  /** Default: Nothing. */
  readonly exit?: AxVCpuExitReason;
  /** Where the guest goes on: behind the ECALL (default), or where the function put it. */
  readonly resume?: 'next' | 'elsewhere';
  /** Reading memory for the guest raised this exception. */
  readonly fault?: Exclude<GuestAccess, { readonly value: bigint }>;
}

/** One function: its name in the specification, and what it does with a0 … a5. */
export interface SbiFunction {
  readonly name: string;
  readonly call: (hart: SbiHart, a: SbiArguments) => SbiAnswer;
}
export type SbiArguments = readonly [bigint, bigint, bigint, bigint, bigint, bigint];

/** One extension. A legacy one is a single function, with only a0 as its result. */
export interface SbiExtension {
  readonly eid: bigint;
  readonly name: string;
  readonly functions: readonly (readonly [fid: bigint, f: SbiFunction])[] | SbiFunction;
}

/** An error and no value. */
export const error = (code: bigint): SbiAnswer => ({ a0: BigInt.asUintN(64, code), a1: 0n });
/** Success with a value. */
export const success = (value = 0n): SbiAnswer => ({ a0: 0n, a1: BigInt.asUintN(64, value) });
