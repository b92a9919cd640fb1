/** The A64 instruction set as data: table, decoder, disassembler. */
export { decodeBitmask, encodeBitmask } from './bitmask.ts';
export type { EncodingClass, Row } from './class.ts';
export { decode } from './decode.ts';
export { disassemble } from './disasm.ts';
export type { BitField, Insn } from './table.ts';
export { classes, fieldValue, insns, isAllocated, op } from './table.ts';
