/** The assembler that the instruction sets share. */
export { assembleProgram } from './assemble.ts';
export type { Assembled, AssembleOptions } from './assemble.ts';
export type { Dialect } from './dialect.ts';
export { AssemblyError } from './error.ts';
export type { Functions } from './expression.ts';
export type { Section } from './section.ts';
export { splitOperands } from './source.ts';
