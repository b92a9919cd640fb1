/** The JavaScript functions behind the definitions, for a processing element whose state block lies at an offset of a memory. */
import type { HostFunction } from '@axvisor/softcpu';
import { createFpExec } from '../fp/exec.ts';
import type { FpMemory } from '../fp/machine.ts';

/** Name of the function that executes a floating-point instruction: op number, word. */
export const FP_EXEC = 'fpExec';

/** Functions by name, as the engine's options want them. */
export function hostFunctions(memory: FpMemory, stateBase: number): Readonly<Record<string, HostFunction>> {
  return { [FP_EXEC]: createFpExec(memory, stateBase) };
}
