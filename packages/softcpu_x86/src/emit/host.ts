/** The JavaScript functions behind the definitions, for a processor whose state block lies at an offset of a memory. */
import { busFunctions, type BusLock, type HostFunction, type WasmMemory } from '@axvisor/softcpu';
import { createSimdExec } from '../fp/simd_exec.ts';
import { createX87Exec } from '../fp/x87_exec.ts';
import { CLOCK } from './counter.ts';
import { SIMD_EXEC } from './simd/float.ts';
import { X87_EXEC } from './x87.ts';

/** What they depend on. */
export interface FunctionOptions {
  /** Absent: nobody else uses this memory. */
  readonly lock?: BusLock | undefined;
  /** Absent: the time-stamp counter is intercepted. */
  readonly clock?: (() => number) | undefined;
}

/** Functions by name, as the engine's options want them. */
export function hostFunctions(memory: WasmMemory, state: number, { lock, clock = (): number => 0 }: FunctionOptions = {}): Readonly<Record<string, HostFunction>> {
  return {
    [SIMD_EXEC]: createSimdExec(memory, state), [X87_EXEC]: createX87Exec(memory, state), ...busFunctions(lock), [CLOCK]: clock,
  };
}
