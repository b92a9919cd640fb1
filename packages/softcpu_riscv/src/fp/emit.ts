/**
 * The F and D extensions for the engine: the definition of every instruction of theirs, and the functions that these call.
 *
 * The hart's ISA must have
 * - record fields `rd`, `rs1`, `rs2`, `rs3` (byte offsets of the registers in the state block; anything where an instruction has no
 *   such register), `imm`, and `rm` as encoded;
 * - the service `illegal`, {@link floatFunctions} among its functions, and {@link EXEC} as a JavaScript function made by `createFpExec`.
 */
import { floatFunctions as shared } from '@axvisor/softcpu';
import type { Emit, FunctionDefinition } from '@axvisor/softcpu';
import type { InsnName } from '../isa/table.ts';
import { arithmetic } from './arithmetic.ts';
import { EXEC, raiseInexactIf } from './context.ts';
import { conversions } from './convert.ts';
import { moves } from './move.ts';

export { EXEC } from './context.ts';
export { createFpExec } from './exec.ts';
export type { FpExec, FpMemory } from './exec.ts';

/** Definitions of all instructions of F and D. */
export const float: Readonly<Partial<Record<InsnName, Emit>>> = { ...arithmetic, ...conversions, ...moves };

/** Those better compiled as functions of their own than into the interpreter loop. */
export const floatOutlined: readonly string[] = Object.keys({ ...arithmetic, ...conversions });

/** Functions of the ISA that the definitions call. */
export const floatFunctions: Readonly<Record<string, FunctionDefinition>> = {
  ...shared(raiseInexactIf),
  [EXEC]: { params: ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], result: 'i32' },
};
