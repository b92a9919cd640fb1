/** The JavaScript functions behind the definitions, for a processing element whose state block lies at an offset of a memory. */
import { busFunctions, type BusLock, type HostFunction, type WasmMemory } from '@axvisor/softcpu';
import { createFpExec } from '../fp/exec.ts';

/** Name of the function that executes a floating-point instruction: op number, word. */
export const FP_EXEC = 'fpExec';

/** Functions by name, as the engine's options want them. @param lock - absent: nobody else uses this memory. */
export function hostFunctions(memory: WasmMemory, stateBase: number, lock?: BusLock): Readonly<Record<string, HostFunction>> {
  return { [FP_EXEC]: createFpExec(memory, stateBase), ...busFunctions(lock) };
}
