/**
 * What expressions become when they are made: constants are folded, and what changes nothing is left out. Which rules there are for an instruction is
 * found out once, by its opcode, as this is done for every expression of every instruction that is translated.
 */
import { numeric } from '../wasm/opcodes.ts';
import type { MemoryOp, Numeric, NumericOp } from '../wasm/opcodes.ts';
import { folds } from './fold.ts';
import type { Fold } from './fold.ts';
import { LOADS, MASKED_LOADS } from './loads.ts';
import { binaryNode, int32, int64, read, unaryNode } from './node.ts';
import type { Binary, Const, Expr, Unary } from './node.ts';

/** Something by opcode; saturating truncations, which share one, have nothing. */
function byCode<T>(of: (name: NumericOp) => T): T[] {
  const table: T[] = [];
  for (const { name, code, sub } of Object.values(numeric)) if (sub < 0) table[code] = of(name);
  return table;
}

const FOLDS = byCode((name) => folds.get(name));
const READS = byCode((name) => LOADS.get(name));

/** The right operand 0, or the left one, leaves the other one as it is. */
const RIGHT_ZERO = 1;
const LEFT_ZERO = 2;
const AND = 4;
const MULTIPLIES = 8;
/** Yields 0 or 1. */
const COMPARES = 16;
const EXTENDS = 32;

const TRAITS: readonly number[] = byCode((name) => {
  const suffix = name.slice(4);
  return (
    (/^(?:add|sub|or|xor|shl|shr_[su]|rot[lr])$/.test(suffix) ? RIGHT_ZERO : 0) |
    (/^(?:add|or|xor)$/.test(suffix) ? LEFT_ZERO : 0) |
    (suffix === 'and' ? AND : 0) |
    (suffix === 'mul' ? MULTIPLIES : 0) |
    (/^(?:eqz|(?:eq|ne|lt|gt|le|ge)(?:_[su])?)$/.test(suffix) ? COMPARES : 0) |
    (name.startsWith('i64.extend_i32') ? EXTENDS : 0)
  );
});
const has = (op: Numeric, trait: number): boolean => ((TRAITS[op.code] ?? 0) & trait) !== 0;

/** Bits taken for a number and back. */
const INVERSES = byCode((name) => (name === 'f64.reinterpret_i64' ? numeric['i64.reinterpret_f64'] : name === 'i64.reinterpret_f64' ? numeric['f64.reinterpret_i64'] : undefined));
/** Sums that are to be cut to 32 bits and how they are computed with so many: optimizing compilers leave out what takes the operands' low bits. */
const SUMS = byCode((name) => (name === 'i64.add' ? numeric['i32.add'] : name === 'i64.sub' ? numeric['i32.sub'] : undefined));

const LOW = 0xffff_ffffn;
const WRAP = numeric['i32.wrap_i64'];
const EXTEND = numeric['i64.extend_i32_u'];
const AND32 = numeric['i32.and'];
const AND64 = numeric['i64.and'];
const isMasked = (e: Expr): e is Expr & Binary<'i64'> => e.kind === 'binary' && e.op === AND64 && e.b.kind === 'const' && e.b.value === LOW;
const isExtended = (e: Expr): e is Expr & Unary<'i64'> => e.kind === 'unary' && has(e.op, EXTENDS);

/** What a load can do besides: a value derived from what is read, by one load, if there is such. */
function derived(loads: ReadonlyMap<MemoryOp, MemoryOp> | undefined, a: Expr): Expr | undefined {
  if (loads === undefined || a.kind !== 'read') return undefined;
  const load = loads.get(a.op);
  return load === undefined ? undefined : read(load as MemoryOp & 'i64.load', a.a, a.offset);
}

/** The low 32 bits of a 64-bit value. */
function low(e: Expr): Expr {
  if (isMasked(e)) return low(e.a);
  if (isExtended(e)) return e.a;
  return unary(WRAP, e);
}

/** What an instruction computes of constants. */
const folded = (fold: Fold, op: Numeric, a: Const<'i32' | 'i64'>, b?: Const<'i32' | 'i64'>): Expr => {
  const value = fold(a.value, b?.value);
  return op.result === 'i64' ? int64(value as bigint) : int32(value as number);
};

export function unary(op: Numeric, a: Expr): Expr {
  if (a.kind === 'const') {
    const fold = FOLDS[op.code];
    if (fold !== undefined) return folded(fold, op, a as Const<'i32' | 'i64'>);
  } else if (a.kind === 'read') {
    const loaded = derived(READS[op.code], a);
    if (loaded !== undefined) return loaded;
  } else if (op === WRAP) {
    if (isMasked(a) || isExtended(a)) return low(a);
  } else if (a.kind === 'unary' && INVERSES[op.code] === a.op) {
    return a.a;
  }
  return unaryNode(op, a);
}

/** Whether a value is 0 or 1. */
function isBoolean(e: Expr): boolean {
  if (e.kind !== 'unary' && e.kind !== 'binary') return false;
  return has(e.op, COMPARES) || (e.kind === 'binary' && e.op === AND32 && (isBoolean(e.a) || isBoolean(e.b)));
}

export function binary(op: Numeric, a: Expr, b: Expr): Expr {
  if (b.kind === 'const') {
    if (a.kind === 'const') {
      const fold = FOLDS[op.code];
      return fold === undefined ? binaryNode(op, a, b) : folded(fold, op, a as Const<'i32' | 'i64'>, b as Const<'i32' | 'i64'>);
    }
    if (b.small === 0) {
      if (has(op, RIGHT_ZERO)) return a;
      if (has(op, AND)) return b;
    }
    if (b.small === -1 && has(op, AND)) return a;
    if (b.small === 1 && has(op, MULTIPLIES)) return a;
    return op === AND64 ? masked(a, b as Const<'i64'> & Expr<'i64'>) : binaryNode(op, a, b);
  }
  if (a.kind === 'const') {
    if (a.small === 0) {
      if (has(op, LEFT_ZERO)) return b;
      if (has(op, AND)) return a;
    }
    if (a.small === -1 && has(op, AND)) return b;
    if (a.small === 1 && op === AND32 && isBoolean(b)) return b;
  }
  return binaryNode(op, a, b);
}

/** Some bits of a 64-bit value. */
function masked(a: Expr, mask: Const<'i64'> & Expr<'i64'>): Expr {
  if (a.kind === 'read') {
    const loaded = derived(MASKED_LOADS.get(mask.value as bigint), a);
    if (loaded !== undefined) return loaded;
  } else if (a.kind === 'binary' && mask.value === LOW) {
    const sum = SUMS[a.op.code];
    if (sum !== undefined) return unary(EXTEND, binary(sum, low(a.a), low(a.b)));
  }
  return binaryNode(AND64, a, mask);
}
