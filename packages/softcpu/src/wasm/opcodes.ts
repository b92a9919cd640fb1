/** Opcode tables of WebAssembly (core specification, appendix "Index of Instructions"; threads and tail-call proposals). */

export type ValType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128' | 'funcref';

/** Binary encoding of each value type. */
export const valTypeCode: Readonly<Record<ValType, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b, funcref: 0x70 };

/** Control, parametric and variable instructions. */
export const control = {
  unreachable: 0x00,
  nop: 0x01,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  br_if: 0x0d,
  br_table: 0x0e,
  return: 0x0f,
  call: 0x10,
  call_indirect: 0x11,
  return_call: 0x12,
  return_call_indirect: 0x13,
  drop: 0x1a,
  select: 0x1b,
  'local.get': 0x20,
  'local.set': 0x21,
  'local.tee': 0x22,
  'global.get': 0x23,
  'global.set': 0x24,
  'i32.const': 0x41,
  'i64.const': 0x42,
  'f32.const': 0x43,
  'f64.const': 0x44,
} as const;

/** Prefix of vector instructions; accesses of theirs have it in front of their number. */
export const SIMD_PREFIX = 0xfd;

/** Loads and stores: opcode and natural alignment (log2). */
export const memory = {
  'i32.load': [0x28, 2],
  'i64.load': [0x29, 3],
  'f32.load': [0x2a, 2],
  'f64.load': [0x2b, 3],
  'i32.load8_s': [0x2c, 0],
  'i32.load8_u': [0x2d, 0],
  'i32.load16_s': [0x2e, 1],
  'i32.load16_u': [0x2f, 1],
  'i64.load8_s': [0x30, 0],
  'i64.load8_u': [0x31, 0],
  'i64.load16_s': [0x32, 1],
  'i64.load16_u': [0x33, 1],
  'i64.load32_s': [0x34, 2],
  'i64.load32_u': [0x35, 2],
  'i32.store': [0x36, 2],
  'i64.store': [0x37, 3],
  'f32.store': [0x38, 2],
  'f64.store': [0x39, 3],
  'i32.store8': [0x3a, 0],
  'i32.store16': [0x3b, 1],
  'i64.store8': [0x3c, 0],
  'i64.store16': [0x3d, 1],
  'i64.store32': [0x3e, 2],
  'v128.load': [0xfd00, 4],
  'v128.load32_zero': [0xfd5c, 2],
  'v128.load64_zero': [0xfd5d, 3],
  'v128.store': [0xfd0b, 4],
} as const;
export type MemoryOp = keyof typeof memory;

/** Atomic accesses, all with prefix 0xfe: sub-opcode and (exact) alignment. */
export const atomic = {
  'memory.atomic.notify': [0x00, 2],
  'memory.atomic.wait32': [0x01, 2],
  'i32.atomic.load': [0x10, 2],
  'i64.atomic.load': [0x11, 3],
  'i64.atomic.load32_u': [0x16, 2],
  'i32.atomic.store': [0x17, 2],
  'i64.atomic.store': [0x18, 3],
  'i64.atomic.store32': [0x1d, 2],
  'i32.atomic.rmw.add': [0x1e, 2],
  'i64.atomic.rmw.add': [0x1f, 3],
  'i32.atomic.rmw.sub': [0x25, 2],
  'i64.atomic.rmw.sub': [0x26, 3],
  'i32.atomic.rmw.and': [0x2c, 2],
  'i64.atomic.rmw.and': [0x2d, 3],
  'i32.atomic.rmw.or': [0x33, 2],
  'i64.atomic.rmw.or': [0x34, 3],
  'i32.atomic.rmw.xor': [0x3a, 2],
  'i64.atomic.rmw.xor': [0x3b, 3],
  'i32.atomic.rmw.xchg': [0x41, 2],
  'i64.atomic.rmw.xchg': [0x42, 3],
  'i32.atomic.rmw.cmpxchg': [0x48, 2],
  'i64.atomic.rmw.cmpxchg': [0x49, 3],
  'i64.atomic.rmw8.cmpxchg_u': [0x4c, 0],
  'i64.atomic.rmw16.cmpxchg_u': [0x4d, 1],
  'i64.atomic.rmw32.cmpxchg_u': [0x4e, 2],
} as const;
export type AtomicOp = keyof typeof atomic;

/** Bulk memory, prefix 0xfc. */
export const bulk = { 'memory.copy': 0x0a, 'memory.fill': 0x0b } as const;

/** Numeric instructions in the order of their opcodes, 0x45 … 0xc4. */
const numericInOrder = [
  'i32.eqz', 'i32.eq', 'i32.ne', 'i32.lt_s', 'i32.lt_u', 'i32.gt_s', 'i32.gt_u', 'i32.le_s', 'i32.le_u', 'i32.ge_s', 'i32.ge_u',
  'i64.eqz', 'i64.eq', 'i64.ne', 'i64.lt_s', 'i64.lt_u', 'i64.gt_s', 'i64.gt_u', 'i64.le_s', 'i64.le_u', 'i64.ge_s', 'i64.ge_u',
  'f32.eq', 'f32.ne', 'f32.lt', 'f32.gt', 'f32.le', 'f32.ge', 'f64.eq', 'f64.ne', 'f64.lt', 'f64.gt', 'f64.le', 'f64.ge',
  'i32.clz', 'i32.ctz', 'i32.popcnt', 'i32.add', 'i32.sub', 'i32.mul', 'i32.div_s', 'i32.div_u', 'i32.rem_s', 'i32.rem_u',
  'i32.and', 'i32.or', 'i32.xor', 'i32.shl', 'i32.shr_s', 'i32.shr_u', 'i32.rotl', 'i32.rotr',
  'i64.clz', 'i64.ctz', 'i64.popcnt', 'i64.add', 'i64.sub', 'i64.mul', 'i64.div_s', 'i64.div_u', 'i64.rem_s', 'i64.rem_u',
  'i64.and', 'i64.or', 'i64.xor', 'i64.shl', 'i64.shr_s', 'i64.shr_u', 'i64.rotl', 'i64.rotr',
  'f32.abs', 'f32.neg', 'f32.ceil', 'f32.floor', 'f32.trunc', 'f32.nearest', 'f32.sqrt',
  'f32.add', 'f32.sub', 'f32.mul', 'f32.div', 'f32.min', 'f32.max', 'f32.copysign',
  'f64.abs', 'f64.neg', 'f64.ceil', 'f64.floor', 'f64.trunc', 'f64.nearest', 'f64.sqrt',
  'f64.add', 'f64.sub', 'f64.mul', 'f64.div', 'f64.min', 'f64.max', 'f64.copysign',
  'i32.wrap_i64', 'i32.trunc_f32_s', 'i32.trunc_f32_u', 'i32.trunc_f64_s', 'i32.trunc_f64_u',
  'i64.extend_i32_s', 'i64.extend_i32_u', 'i64.trunc_f32_s', 'i64.trunc_f32_u', 'i64.trunc_f64_s', 'i64.trunc_f64_u',
  'f32.convert_i32_s', 'f32.convert_i32_u', 'f32.convert_i64_s', 'f32.convert_i64_u', 'f32.demote_f64',
  'f64.convert_i32_s', 'f64.convert_i32_u', 'f64.convert_i64_s', 'f64.convert_i64_u', 'f64.promote_f32',
  'i32.reinterpret_f32', 'i64.reinterpret_f64', 'f32.reinterpret_i32', 'f64.reinterpret_i64',
  'i32.extend8_s', 'i32.extend16_s', 'i64.extend8_s', 'i64.extend16_s', 'i64.extend32_s',
] as const;

/** Saturating truncations, prefix 0xfc, sub-opcodes 0 … 7. */
const saturatingInOrder = [
  'i32.trunc_sat_f32_s', 'i32.trunc_sat_f32_u', 'i32.trunc_sat_f64_s', 'i32.trunc_sat_f64_u',
  'i64.trunc_sat_f32_s', 'i64.trunc_sat_f32_u', 'i64.trunc_sat_f64_s', 'i64.trunc_sat_f64_u',
] as const;

export type NumericOp = (typeof numericInOrder)[number] | (typeof saturatingInOrder)[number];
export type ScalarType = 'i32' | 'i64' | 'f32' | 'f64';
/** Types of expressions and locals. */
export type ValueType = ScalarType | 'v128';

/** The type that the name of an instruction begins with. */
export function typeOf(op: string): ValueType {
  const kind = op.charCodeAt(0);
  const wide = op.charCodeAt(1) === 0x36;
  if (kind === 0x69) return wide ? 'i64' : 'i32';
  return kind === 0x76 ? 'v128' : wide ? 'f64' : 'f32';
}

/** A numeric instruction: its bytes (one, or the prefix and a sub-opcode) and its type. */
export interface Numeric {
  readonly name: NumericOp;
  readonly code: number;
  /** Sub-opcode after prefix 0xfc, or -1. */
  readonly sub: number;
  readonly arity: 1 | 2;
  readonly operand: ScalarType;
  readonly result: ScalarType;
}

const unary = new Set(['eqz', 'clz', 'ctz', 'popcnt', 'abs', 'neg', 'ceil', 'floor', 'trunc', 'nearest', 'sqrt', 'extend8_s', 'extend16_s', 'extend32_s']);
const comparison = /^(eqz|(eq|ne|lt|gt|le|ge)(_[su])?)$/;
const conversion = /_([if](?:32|64))(?:_[su])?$/;

/** A name says its own type: prefix = result, a `_f64` suffix = operand, comparisons yield i32. */
function numericOf(name: NumericOp, code: number, sub: number): Numeric {
  const type = name.slice(0, 3) as ScalarType;
  const suffix = name.slice(4);
  const source = conversion.exec(suffix)?.[1] as ScalarType | undefined;
  return {
    name,
    code,
    sub,
    arity: source !== undefined || unary.has(suffix) ? 1 : 2,
    operand: source ?? type,
    result: comparison.test(suffix) ? 'i32' : type,
  };
}

export const numeric: Readonly<Record<NumericOp, Numeric>> = Object.fromEntries([
  ...numericInOrder.map((name, i) => [name, numericOf(name, 0x45 + i, -1)] as const),
  ...saturatingInOrder.map((name, i) => [name, numericOf(name, 0xfc, i)] as const),
]) as Record<NumericOp, Numeric>;
