/** An assembler for the instructions of the table, in the syntax of GNU as. */
import type { Assembled, AssembleOptions, Dialect } from '@axvisor/softcpu/asm';
import { assembleProgram, AssemblyError } from '@axvisor/softcpu/asm';
import { assembleInstruction, isInstruction } from './asm_instructions.ts';

export type { Assembled, AssembleOptions } from '@axvisor/softcpu/asm';
export { AssemblyError } from '@axvisor/softcpu/asm';

const nothing = (): void => undefined;

const dialect: Dialect = {
  comment: '',
  data: { '.half': 2, '.word': 4, '.inst': 4, '.dword': 8, '.xword': 8 },
  align: '.p2align',
  nop: { value: 0xd503201f, size: 4 },
  directives: { '.arch': nothing, '.arch_extension': nothing, '.cpu': nothing },
  functions: { ':lo12:': (value) => BigInt.asUintN(12, value) },
  instruction(section, name, operands) {
    if (!isInstruction(name)) throw new AssemblyError(`unknown instruction ${name}`);
    section.emit(section.layout ? 0 : assembleInstruction(name, operands, section), 4);
  },
};

/**
 * Assembles a program into one section of bytes.
 *
 * Instructions: the table's and the usual aliases, with `:lo12:`. Directives: `@axvisor/softcpu/asm`'s and .half .word .inst .dword .xword.
 *
 * @example
 * const { bytes } = assemble('_start: mov x0, #42\n ret\n', { base: 0x4000_0000n });
 * @throws {AssemblyError} with the line of the first mistake
 */
export function assemble(source: string, options: AssembleOptions = {}): Assembled {
  return assembleProgram(source, dialect, options);
}
