/** The shape of SMC and HVC calls: what a function is given and what it answers (Arm SMC Calling Convention 1.1, DEN0028). */
import type { AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';

/** Return codes of the calling convention and of PSCI (DEN0022, 5.2.2), as x0 holds them. */
export const SmcError = {
  SUCCESS: 0n,
  NOT_SUPPORTED: -1n,
  INVALID_PARAMETERS: -2n,
  DENIED: -3n,
  ALREADY_ON: -4n,
  ON_PENDING: -5n,
  INTERNAL_FAILURE: -6n,
  NOT_PRESENT: -7n,
  DISABLED: -8n,
  INVALID_ADDRESS: -9n,
} as const;

/** The vCPU as the functions see it. */
export interface SmcCaller {
  readonly vmId: number;
  readonly vcpuId: number;
  /** Its MPIDR_EL1 affinity fields. */
  readonly affinity: bigint;
  /** All vCPUs of the VM, itself included. */
  siblings(): SmcCaller[];
  /** It waits in CPU_SUSPEND or SYSTEM_SUSPEND. */
  readonly suspended: boolean;
  /** From now until it runs again it counts as suspended. */
  suspend(): void;
  /** Continues at `entry` as a CPU that was switched on, with x0 = `argument`. */
  resumeAt(entry: bigint, argument: bigint): void;
}

/** What a function answers. */
export interface SmcAnswer {
  /** x0 … x3; absent: unchanged. */
  readonly x?: readonly bigint[];
  /** Default: Nothing. */
  readonly exit?: AxVCpuExitReason;
  /** Where the guest goes on: behind the call (default), or where the function put it. */
  readonly resume?: 'next' | 'elsewhere';
}

/** x1, x2, x3. */
export type SmcArguments = readonly [bigint, bigint, bigint];

/** One function. */
export interface SmcFunction {
  readonly name: string;
  readonly call: (caller: SmcCaller, a: SmcArguments) => SmcAnswer;
}

/** A result in x0. */
export const result = (value: bigint): SmcAnswer => ({ x: [BigInt.asUintN(64, value)] });
