/** The JavaScript functions behind the definitions, for a processing element whose state block lies at an offset of a memory. */
import type { HostFunction, WasmMemory } from '@axvisor/softcpu';

/** Functions by name, as the engine's options want them. */
export function hostFunctions(_memory: Pick<WasmMemory, 'buffer'>, _stateBase: number): Readonly<Record<string, HostFunction>> {
  return {};
}
