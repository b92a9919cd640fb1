/** SSE to SSE4.2 and MMX by the table's names. */
import type { Definitions } from '../define.ts';
import { vectorFloats } from './float.ts';
import { integers } from './integer.ts';
import { vectorMoves } from './move.ts';
import { textInstructions } from './text.ts';

export const simdDefinitions: Definitions = { ...integers, ...vectorMoves, ...vectorFloats, ...textInstructions };
