/** The RISC-V instruction set as data: table, decoder, encoder, disassembler. */

export type { CompressedInsn, CompressedOperand, CompressedRegister } from './compressed.ts';
export { compressedInsns } from './compressed.ts';
export { csrNames, csrNumbers } from './csr_names.ts';
export type { Decoded } from './decode.ts';
export { decode, newDecoded } from './decode.ts';
export type { DisassemblyOptions } from './disasm.ts';
export { disassemble } from './disasm.ts';
export type { Operands } from './encode.ts';
export { encode, extractImmediate, insertImmediate } from './encode.ts';
export type { Format, FormatSpec, ImmediateLayout, Segment } from './formats.ts';
export { formats, immediates } from './formats.ts';
export type { Extension, Insn, InsnName } from './table.ts';
export { insns, op } from './table.ts';
