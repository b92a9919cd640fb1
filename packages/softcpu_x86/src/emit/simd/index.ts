/** MMX, SSE to SSE4.2, AES, PCLMULQDQ and SHA by the table's names. */
import type { FunctionDefinition } from '@axvisor/softcpu';
import type { Definitions } from '../define.ts';
import { aes, aesFunctions } from './aes.ts';
import { carryless, carrylessFunctions } from './carryless.ts';
import { simdFloatFunctions, vectorFloats } from './float.ts';
import { integers } from './integer.ts';
import { vectorMoves } from './move.ts';
import { sha } from './sha.ts';
import { textInstructions } from './text.ts';

export const simdDefinitions: Definitions = { ...integers, ...vectorMoves, ...vectorFloats, ...textInstructions, ...aes, ...carryless, ...sha };

/** WebAssembly functions that they call. */
export const simdFunctions: Readonly<Record<string, FunctionDefinition>> = { ...simdFloatFunctions, ...aesFunctions, ...carrylessFunctions };
