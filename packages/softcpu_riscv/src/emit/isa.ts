/**
 * The hart's instruction set as the engine wants it: record layout, state block, definitions of all instructions.
 *
 * Record: handler u16 @0, rd, rs1, rs2 u16 @2, 4, 6 (offsets in the state block), imm i32 @8 — or, where there are three
 * sources, rs3 u16 @8 and the rounding mode u16 @10 — and the raw instruction i32 @12, which traps report.
 */
import { i32 } from '@axvisor/softcpu';
import type { Decoder, Instruction, Isa } from '@axvisor/softcpu';
import { float, floatFunctions, floatOutlined } from '../fp/emit.ts';
import { compressedInsns } from '../isa/compressed.ts';
import { insns } from '../isa/table.ts';
import { BUDGET, F, FETCH_IDX, FP_OFF, FRM, MMU_IDX, PC, X, XSINK } from '../state.ts';
import { bits } from './bits.ts';
import { integer } from './integer.ts';
import type { Definitions } from './integer.ts';
import { CBO_ZERO, atomics, cacheBlocks, memory } from './memory.ts';
import { multiply } from './multiply.ts';
import { walk } from './walk.ts';

/** Definitions of the instructions that generated code executes itself. */
const definitions: Definitions = { ...integer, ...multiply, ...bits, ...memory, ...atomics, ...cacheBlocks, ...float };

/** Rare and long: functions of their own. */
const outlined: ReadonlySet<string> = new Set(['mulh', 'mulhsu', 'clmul', 'clmulh', 'clmulr', ...Object.keys(atomics), ...Object.keys(cacheBlocks), ...floatOutlined]);
const direct: ReadonlySet<string> = new Set(['jal', 'beq', 'bne', 'blt', 'bge', 'bltu', 'bgeu']);
const compressed: ReadonlySet<string> = new Set(compressedInsns.map(({ base }) => base));

const instructions: readonly Instruction[] = [
  ...insns.map(({ name }): Instruction => {
    const emit = definitions[name];
    const lengths = emit === undefined ? [] : compressed.has(name) ? [4, 2] : [4];
    return { name, lengths, emit: emit ?? (() => {}), direct: direct.has(name), outline: outlined.has(name) };
  }),
  { name: 'system', lengths: [4, 2], emit: (e) => e.service('system') },
  { name: 'illegal', lengths: [4], emit: (e) => e.fault('illegal') },
];

/** Index in {@link isa}'s instructions of what JavaScript executes: the op number is in field `imm`. */
export const SYSTEM: number = insns.length;
/** Index of what is no instruction. */
export const ILLEGAL: number = insns.length + 1;
/** Whether generated code executes an op itself. */
export const isEmitted = (op: number): boolean => (instructions[op] as Instruction).lengths.length > 0;

/** Records are kept of as many instructions: six in ten of the half million that a kernel's start decodes are found there. */
export const decoder: Decoder = { keptBits: 14, isShort: (word) => i32.ne(i32.and(word, i32.const(3)), i32.const(3)) };

export const isa: Isa = {
  name: 'RV64',
  unit: 2,
  records: { size: 16, place: 16 },
  maxLength: 4,
  fields: {
    rd: { offset: 2, op: 'i32.load16_u' },
    rs1: { offset: 4, op: 'i32.load16_u' },
    rs2: { offset: 6, op: 'i32.load16_u' },
    rs3: { offset: 8, op: 'i32.load16_u' },
    rm: { offset: 10, op: 'i32.load16_u' },
    imm: { offset: 8, op: 'i32.load' },
    bits: { offset: 12, op: 'i32.load' },
  },
  state: { pc: PC, budget: BUDGET, mmuIdx: MMU_IDX, fetchIdx: FETCH_IDX, zero: X, sink: XSINK, links: [X + 8, X + 40], doubles: [F, F + 256] },
  assumptions: [
    { offset: FP_OFF, value: 0 },
    { offset: FRM, value: 0 },
  ],
  instructions,
  decoder,
  functions: floatFunctions,
  walk,
  services: ['system', 'illegal', CBO_ZERO],
};
