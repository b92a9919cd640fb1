/** Loads that do more than one instruction of WebAssembly: by what is done to the value read, and by the load, the one that does both. */
import type { MemoryOp, NumericOp } from '../wasm/opcodes.ts';

type Loads = ReadonlyMap<MemoryOp, MemoryOp>;

/** By the instruction that extends or cuts what was read. Loads of bits that are its alone stay. */
export const LOADS: ReadonlyMap<NumericOp, Loads> = new Map<NumericOp, Loads>([
  ['i64.extend_i32_s', new Map<MemoryOp, MemoryOp>([
    ['i32.load', 'i64.load32_s'],
    ['i32.load8_u', 'i64.load8_u'],
    ['i32.load8_s', 'i64.load8_s'],
    ['i32.load16_u', 'i64.load16_u'],
    ['i32.load16_s', 'i64.load16_s'],
  ])],
  ['i64.extend_i32_u', new Map<MemoryOp, MemoryOp>([
    ['i32.load', 'i64.load32_u'],
    ['i32.load8_u', 'i64.load8_u'],
    ['i32.load16_u', 'i64.load16_u'],
  ])],
  ['i64.extend8_s', new Map<MemoryOp, MemoryOp>([['i64.load', 'i64.load8_s']])],
  ['i64.extend16_s', new Map<MemoryOp, MemoryOp>([['i64.load', 'i64.load16_s']])],
  ['i64.extend32_s', new Map<MemoryOp, MemoryOp>([['i64.load', 'i64.load32_s'], ['i64.load32_u', 'i64.load32_s']])],
  ['i32.wrap_i64', new Map<MemoryOp, MemoryOp>([
    ['i64.load', 'i32.load'],
    ['i64.load32_s', 'i32.load'],
    ['i64.load32_u', 'i32.load'],
    ['i64.load8_u', 'i32.load8_u'],
    ['i64.load8_s', 'i32.load8_s'],
    ['i64.load16_u', 'i32.load16_u'],
    ['i64.load16_s', 'i32.load16_s'],
  ])],
]);

/** By the mask of `i64.and`. */
export const MASKED_LOADS: ReadonlyMap<bigint, Loads> = new Map<bigint, Loads>([
  [0xffn, new Map<MemoryOp, MemoryOp>([['i64.load', 'i64.load8_u'], ['i64.load32_u', 'i64.load8_u'], ['i64.load16_u', 'i64.load8_u'], ['i64.load8_u', 'i64.load8_u']])],
  [0xffffn, new Map<MemoryOp, MemoryOp>([['i64.load', 'i64.load16_u'], ['i64.load32_u', 'i64.load16_u'], ['i64.load16_u', 'i64.load16_u'], ['i64.load8_u', 'i64.load8_u']])],
  [0xffff_ffffn, new Map<MemoryOp, MemoryOp>([['i64.load', 'i64.load32_u'], ['i64.load32_u', 'i64.load32_u'], ['i64.load16_u', 'i64.load16_u'], ['i64.load8_u', 'i64.load8_u']])],
]);
