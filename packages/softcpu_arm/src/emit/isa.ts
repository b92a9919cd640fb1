/** The A64 instruction set as the engine wants it: record layout, state block, definitions of all instructions. */
import { splitFunctions } from '@axvisor/softcpu';
import type { Decoder, Emit, Instruction, Isa } from '@axvisor/softcpu';
import { insns } from '../isa/table.ts';
import { ALIGNED, BUDGET, FETCH_IDX, FLAG_A, FLAG_B, FLAG_COND, FLAG_KIND, FPCR, FP_TRAP, MMU_IDX, PC, SHARED, SP_ALIGN, VT, ZR, ZSINK } from '../state.ts';
import { arithmetic } from './arithmetic.ts';
import { atomics } from './atomics.ts';
import { branches } from './branch.ts';
import { compute } from './compute.ts';
import type { Definition, Definitions } from './define.ts';
import { isOutlined } from './frequent.ts';
import { FP_FAULT } from './guard.ts';
import { flagFunctions } from './flags.ts';
import { integer } from './integer.ts';
import { SP_FAULT, memory } from './memory.ts';
import { inexactFunctions } from './simd/inexact.ts';
import { simdElement } from './simd/element.ts';
import { simdLong } from './simd/long.ts';
import { simdSame } from './simd/same.ts';
import { simdTwo } from './simd/two.ts';
import { FP_EXEC } from './host.ts';
import { cryptoFunctions, cryptography } from './simd/crypto.ts';
import { simdFloat } from './simd/float.ts';
import { fastFloat, fastFloatFunctions } from './simd/float_fast.ts';
import { simdMemory } from './simd/memory.ts';
import { simdMoves } from './simd/move.ts';
import { simdShifts } from './simd/shift_immediate.ts';
import { vectorFloat } from './simd/vector_float.ts';
import { vectorInteger } from './simd/vector_integer.ts';
import { vectorPermute } from './simd/vector_permute.ts';
import { vectorShift } from './simd/vector_shift.ts';
import { CLEAN, SYSTEM, ZERO, systemInstructions } from './system.ts';
import { walk } from './walk.ts';

/** Service that takes the Undefined Instruction exception. */
export const UNDEFINED = 'undefined';

/** By name. An object of a thousand properties takes longer to make. */
const definitions: ReadonlyMap<string, Definition> = new Map(
  [
    integer, arithmetic, branches, memory, atomics, systemInstructions, simdSame, simdTwo, simdLong, simdElement, simdShifts,
    simdMoves, simdMemory, simdFloat, cryptography, fastFloat, vectorInteger, vectorPermute, vectorShift, vectorFloat,
  ].flatMap((some: Definitions) => Object.entries(some)),
);

/** One instruction of the table with its definition and the index of its first variant among the ISA's. */
export interface Defined {
  readonly definition: Definition;
  readonly first: number;
}

const instructions: Instruction[] = [];
/** By op number. */
export const defined: readonly (Defined | undefined)[] = insns.map(({ name }) => {
  const definition = definitions.get(name);
  if (definition === undefined) return undefined;
  const first = instructions.length;
  const { variants, direct = false, interpreted } = definition;
  const outline = isOutlined(name, definition);
  variants.forEach((emit: Emit, i) => instructions.push({ name: variants.length === 1 ? name : `${name}/${i}`, emit, lengths: [4], direct, outline, interpreted: i === interpreted }));
  return { definition, first };
});

/** Index of what is no instruction. */
export const UNALLOCATED: number = instructions.push({ name: UNDEFINED, lengths: [4], emit: (e) => e.fault(UNDEFINED) }) - 1;

/** Few records are kept: nearly all instructions that are met often have plans. */
export const decoder: Decoder = { keptBits: 12, plans: { bytes: 128 << 10, compute } };

export const isa: Isa = {
  name: 'A64',
  unit: 4,
  records: { size: 16, place: 16 },
  maxLength: 4,
  fields: {
    d: { offset: 2, op: 'i32.load16_u' },
    n: { offset: 4, op: 'i32.load16_u' },
    m: { offset: 6, op: 'i32.load16_u' },
    a: { offset: 8, op: 'i32.load16_u' },
    s: { offset: 10, op: 'i32.load16_u' },
    imm: { offset: 8, op: 'i32.load' },
    bits: { offset: 12, op: 'i32.load' },
  },
  state: { pc: PC, budget: BUDGET, mmuIdx: MMU_IDX, fetchIdx: FETCH_IDX, aligned: ALIGNED, zero: ZR, sink: ZSINK, pinned: [FLAG_KIND, FLAG_A, FLAG_B, FLAG_COND] },
  assumptions: [
    { offset: FP_TRAP, value: 0 },
    { offset: FPCR, value: 0 },
    { offset: SP_ALIGN },
    { offset: SHARED },
    { offset: ALIGNED },
  ],
  instructions,
  walk,
  decoder,
  manyOutlined: true,
  functions: { ...flagFunctions, ...inexactFunctions, ...cryptoFunctions, ...fastFloatFunctions, [FP_EXEC]: { params: ['i32', 'i32'], result: 'i32' }, ...splitFunctions(VT) },
  services: [SYSTEM, ZERO, CLEAN, UNDEFINED, FP_FAULT, SP_FAULT],
};
