/** The instruction set as data: table, decoder, disassembler. */
export { Decoded, Decoder, INVALID, MAX_LENGTH, TOO_LONG } from './decode.ts';
export { BAD, disassemble, format } from './disasm.ts';
export type { Line } from './disasm.ts';
export { flagUse } from './flags.ts';
export type { FlagUse } from './flags.ts';
export { rows } from './table.ts';
export type { Operand, PrefixRule, Row } from './table.ts';
