/** MMX, SSE to SSE4.2, AES, PCLMULQDQ, SHA, AVX, AVX2, F16C and FMA by the table's names. */
import type { FunctionDefinition } from '@axvisor/softcpu';
import type { Row } from '../../isa/table.ts';
import type { Definition, Definitions } from '../define.ts';
import { aes, aesFunctions } from './aes.ts';
import { avxDefinitions } from './avx.ts';
import { carryless, carrylessFunctions } from './carryless.ts';
import { simdFloatFunctions, vectorFloats } from './float.ts';
import { fmaFunctions, fusedFloats } from './fma.ts';
import { conversions } from './convert.ts';
import { estimates } from './estimate.ts';
import { gathers } from './gather.ts';
import { halfPrecision } from './half.ts';
import { integers } from './integer.ts';
import { vectorMoves } from './move.ts';
import { sha } from './sha.ts';
import { sums } from './sums.ts';
import { textFunctions, textInstructions } from './text.ts';

const definitions: Definitions = { ...integers, ...vectorMoves, ...vectorFloats, ...conversions, ...halfPrecision, ...estimates, ...sums, ...textInstructions, ...aes, ...carryless, ...sha, ...avxDefinitions, ...gathers, ...fusedFloats };

/** Definition of a row: with a VEX prefix, most are those of SSE instructions. */
export function simdDefinition({ name, vex }: Row): Definition | undefined {
  return definitions[name] ?? (vex ? definitions[name.slice(1)] : undefined);
}

/** WebAssembly functions that they call. */
export const simdFunctions: Readonly<Record<string, FunctionDefinition>> = { ...simdFloatFunctions, ...aesFunctions, ...carrylessFunctions, ...fmaFunctions, ...textFunctions };
