/** The per-CPU data contract: one copy of a variable for each physical CPU. `@axvisor/percpu` provides it. */
import { apiDef, required, type AxApiDef } from './registry/api.ts';

/** A per-CPU variable. CPU ids are checked. @throws {AxError} BadState before the areas are initialised, InvalidInput for an unknown CPU */
export interface PerCpu<T> {
  readonly name: string;
  /** The value on the current CPU. */
  readCurrent(): T;
  writeCurrent(value: T): void;
  /** Runs `f` on the current CPU's value with preemption disabled and stores what it returns. */
  updateCurrent(f: (value: T) => T): T;
  readRemote(cpu: number): T;
  writeRemote(cpu: number, value: T): void;
  /** Restores the initial value on the current CPU. */
  resetToInit(): void;
}

/** The functions of the `percpu` API. */
export interface PerCpuData {
  /** A thread-local variable of any type; `init` makes each CPU's initial value. */
  perCpuObject<T>(name: string, init: (cpu: number) => T): PerCpu<T>;
  /** A 64-bit variable in shared memory, seen by all threads. */
  perCpuU64(name: string, init: bigint): PerCpu<bigint>;
}

export let perCpuObject: PerCpuData['perCpuObject'];
export let perCpuU64: PerCpuData['perCpuU64'];

export const percpu: AxApiDef<'percpu', PerCpuData> = apiDef({
  name: 'percpu',
  functions: { perCpuObject: required, perCpuU64: required },
  bind: (f: PerCpuData) => ({ perCpuObject, perCpuU64 } = f),
  providers: ['@axvisor/percpu'],
});
