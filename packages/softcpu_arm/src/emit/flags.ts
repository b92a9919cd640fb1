/**
 * The condition flags and the conditions on them (Arm ARM, C1.2.4). Instructions that set flags leave their operands (`state.ts`, {@link Flags}):
 * a condition is then one comparison where the kind is known, which it is in translated code behind most of them.
 */
import { f64, i32, i64 } from '@axvisor/softcpu';
import type { Block, Emitter, Expr, F64, FunctionDefinition, I32, I64 } from '@axvisor/softcpu';
import { FLAG_A, FLAG_B, FLAG_COND, FLAG_KIND, Flags } from '../state.ts';
import type { Width } from './width.ts';

/** The conditions with an even number, by half of it: EQ, CS, MI, VS, HI, GE, GT, AL. */
type Positive = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;

const not = (x: I32): I32 => i32.eqz(x);
const FALSE = i32.const(0);
const TRUE = i32.const(1);

/** Whether a condition holds, 0 or 1, for NZCV in the lowest bits. */
function ofBits(nzcv: I32, positive: Positive): I32 {
  const bit = (n: number): I32 => i32.and(i32.shr_u(nzcv, i32.const(n)), TRUE);
  const [n, z, c, v] = [bit(3), bit(2), bit(1), bit(0)];
  return ([z, c, n, v, i32.gt_u(c, z), i32.eq(n, v), i32.gt_u(i32.eq(n, v), z), TRUE] as const)[positive];
}

/** The operations of integers that conditions need, for either width. */
interface Integer<T extends 'i32' | 'i64'> {
  readonly const: (value: number) => Expr<T>;
  readonly eqz: (a: Expr<T>) => I32;
  readonly add: (a: Expr<T>, b: Expr<T>) => Expr<T>;
  readonly sub: (a: Expr<T>, b: Expr<T>) => Expr<T>;
  readonly and: (a: Expr<T>, b: Expr<T>) => Expr<T>;
  readonly xor: (a: Expr<T>, b: Expr<T>) => Expr<T>;
  readonly eq: (a: Expr<T>, b: Expr<T>) => I32;
  readonly ne: (a: Expr<T>, b: Expr<T>) => I32;
  readonly lt_s: (a: Expr<T>, b: Expr<T>) => I32;
  readonly lt_u: (a: Expr<T>, b: Expr<T>) => I32;
  readonly ge_s: (a: Expr<T>, b: Expr<T>) => I32;
  readonly ge_u: (a: Expr<T>, b: Expr<T>) => I32;
  readonly gt_s: (a: Expr<T>, b: Expr<T>) => I32;
  readonly gt_u: (a: Expr<T>, b: Expr<T>) => I32;
}

function ofDifference<T extends 'i32' | 'i64'>(w: Integer<T>, a: Expr<T>, b: Expr<T>, positive: Positive): I32 {
  const negative = (x: Expr<T>): I32 => w.lt_s(x, w.const(0));
  switch (positive) {
    case 0: return w.eq(a, b);
    case 1: return w.ge_u(a, b);
    case 2: return negative(w.sub(a, b));
    case 3: return negative(w.and(w.xor(a, b), w.xor(a, w.sub(a, b))));
    case 4: return w.gt_u(a, b);
    case 5: return w.ge_s(a, b);
    case 6: return w.gt_s(a, b);
    default: return TRUE;
  }
}

function ofSum<T extends 'i32' | 'i64'>(w: Integer<T>, a: Expr<T>, b: Expr<T>, positive: Positive): I32 {
  const sum = w.add(a, b);
  const overflow = w.and(w.xor(a, sum), w.xor(b, sum));
  const negative = (x: Expr<T>): I32 => w.lt_s(x, w.const(0));
  const nonzero = w.ne(sum, w.const(0));
  switch (positive) {
    case 0: return w.eqz(sum);
    case 1: return w.lt_u(sum, a);
    case 2: return negative(sum);
    case 3: return negative(overflow);
    case 4: return i32.and(w.lt_u(sum, a), nonzero);
    case 5: return not(negative(w.xor(sum, overflow)));
    case 6: return i32.and(not(negative(w.xor(sum, overflow))), nonzero);
    default: return TRUE;
  }
}

function ofResult(a: I64, positive: Positive): I32 {
  const zero = i64.const(0);
  switch (positive) {
    case 0: return i64.eqz(a);
    case 2: return i64.lt_s(a, zero);
    case 5: return i64.ge_s(a, zero);
    case 6: return i64.gt_s(a, zero);
    case 7: return TRUE;
    default: return FALSE;
  }
}

function ofComparison(a: F64, b: F64, positive: Positive): I32 {
  switch (positive) {
    case 0: return f64.eq(a, b);
    case 1: return not(f64.lt(a, b));
    case 2: return f64.lt(a, b);
    case 3: return i32.or(f64.ne(a, a), f64.ne(b, b));
    case 4: return not(f64.le(a, b));
    case 5: return f64.ge(a, b);
    case 6: return f64.gt(a, b);
    default: return TRUE;
  }
}

/** A condition on flags of a known kind without {@link Flags.conditional}. */
function ofKind(kind: number, a: I64, b: I64, positive: Positive): I32 {
  switch (kind) {
    case Flags.sub64: return ofDifference(i64, a, b, positive);
    case Flags.sub32: return ofDifference(i32, i32.wrap_i64(a), i32.wrap_i64(b), positive);
    case Flags.add64: return ofSum(i64, a, b, positive);
    case Flags.add32: return ofSum(i32, i32.wrap_i64(a), i32.wrap_i64(b), positive);
    case Flags.result: return ofResult(a, positive);
    case Flags.float: return ofComparison(f64.reinterpret_i64(a), f64.reinterpret_i64(b), positive);
    default: return ofBits(i32.shr_u(i32.wrap_i64(a), i32.const(28)), positive);
  }
}

interface Words {
  readonly kind: I64;
  readonly a: I64;
  readonly b: I64;
  readonly cond: I64;
}
const words = (e: Pick<Block, 'state'>): Words => ({
  kind: e.state('i64.load', FLAG_KIND), a: e.state('i64.load', FLAG_A), b: e.state('i64.load', FLAG_B), cond: e.state('i64.load', FLAG_COND),
});
const parameters: FunctionDefinition['params'] = ['i64', 'i64', 'i64', 'i64'];
const WORDS = (params: readonly Expr[]): Words => {
  const [kind, a, b, cond] = params as [I64, I64, I64, I64];
  return { kind, a, b, cond };
};
const pass = ({ kind, a, b, cond }: Words): readonly Expr[] => [kind, a, b, cond];

/** Whether a condition with an even number holds: a function for each. */
const holdsName = (positive: Positive): string => `holds${positive}`;
const NZCV = 'nzcv';

/** NZCV in the lowest bits, whatever the kind. */
const nzcvFunction: FunctionDefinition = {
  params: parameters,
  result: 'i32',
  body: (block, ...params) => {
    const { kind, a, b, cond } = WORDS(params);
    const low = block.let(i32.wrap_i64(kind));
    const has = (bits: number): I32 => i32.and(low, i32.const(bits));
    const result = block.variable(i32.and(i32.shr_u(low, i32.const(Flags.nzcvShift)), i32.const(15)));
    block.if(i32.or(not(has(Flags.conditional)), i32.wrap_i64(cond)), () => {
      const base = block.let(has(Flags.conditional - 1));
      for (const value of Flags.kinds) {
        block.if(i32.eq(base, i32.const(value)), () => {
          const bit = (positive: Positive, at: number): I32 => i32.shl(ofKind(value, a, b, positive), i32.const(at));
          block.assign(result, value === Flags.packed
            ? i32.and(i32.shr_u(i32.wrap_i64(a), i32.const(28)), i32.const(15))
            : i32.or(i32.or(bit(2, 3), bit(0, 2)), i32.or(bit(1, 1), bit(3, 0))));
        });
      }
    });
    return result.get;
  },
};

const holdsFunction = (positive: Positive): FunctionDefinition => ({
  params: parameters,
  result: 'i32',
  body: (block, ...params) => ofBits(block.let(block.call(NZCV, 'i32', pass(WORDS(params)))), positive),
});

/** By condition: the last of the kinds from {@link Flags.sub64} on for which it is the one comparison of A and B that it is for that; VS and MI have none. */
const LAST_ALIKE: Readonly<Partial<Record<Positive, number>>> = { 0: Flags.result, 1: Flags.sub32, 4: Flags.sub32, 5: Flags.result, 6: Flags.result };

/** The same where the kind is not known before: the frequent kinds at once, the others by a function. */
function holdsOfAny(e: Block, positive: Positive): I32 {
  const all = words(e);
  const call = (): I32 => e.call(holdsName(positive), 'i32', pass(all));
  const last = LAST_ALIKE[positive];
  if (last === undefined) return call();
  const result = e.variable(ofKind(Flags.sub64, all.a, all.b, positive));
  const isAlike = i32.le_u(i32.sub(i32.wrap_i64(all.kind), i32.const(Flags.sub64)), i32.const(last - Flags.sub64));
  e.if(i32.eqz(isAlike), () => e.assign(result, call()), undefined, false);
  return result.get;
}

/** Functions that the definitions call. */
export const flagFunctions: Readonly<Record<string, FunctionDefinition>> = {
  [NZCV]: nzcvFunction,
  ...Object.fromEntries(([0, 1, 2, 3, 4, 5, 6] as const).map((positive) => [holdsName(positive), holdsFunction(positive)])),
};

function holds(e: Block, positive: Positive): I32 {
  if (positive === 7) return TRUE;
  const all = words(e);
  if (all.kind.kind !== 'const') return holdsOfAny(e, positive);
  const kind = Number(all.kind.value);
  const base = ofKind(kind & (Flags.conditional - 1), all.a, all.b, positive);
  if ((kind & Flags.conditional) === 0) return base;
  const cond = i32.wrap_i64(all.cond);
  const otherwise = ofBits(i32.const((kind >> Flags.nzcvShift) & 15), positive);
  return otherwise.kind === 'const' && otherwise.value === 0 ? i32.and(cond, base) : i32.or(not(cond), base);
}

/** Whether a condition holds, 0 or 1. */
export function condition(e: Block, number: number): I32 {
  const positive = holds(e, (number >> 1) as Positive);
  return (number & 1) === 1 && number !== 15 ? not(positive) : positive;
}

/** NZCV in the lowest bits. */
export const nzcv = (e: Block): I32 => e.call(NZCV, 'i32', pass(words(e)));

function leave(e: Emitter, kind: I64, a: I64, b?: I64): void {
  e.setState('i64.store', FLAG_KIND, kind);
  e.setState('i64.store', FLAG_A, a);
  if (b !== undefined) e.setState('i64.store', FLAG_B, b);
}

/** Sets the flags from NZCV in the lowest bits. */
export const setFlagsFrom = (e: Emitter, bits: I32): void => leave(e, i64.const(Flags.packed), i64.extend_i32_u(i32.shl(bits, i32.const(28))));

const extended = <T extends 'i32' | 'i64'>(w: Width<T>, value: Expr<T>): I64 => (w.bits === 32 ? i64.extend_i32_s(value as I32) : (value as I64));

/** Flags of a logical result. */
export const logicalFlags = <T extends 'i32' | 'i64'>(e: Emitter, w: Width<T>, result: Expr<T>): void =>
  leave(e, i64.const(Flags.result), extended(w, result), i64.const(0));

const kinds = { add: { 32: Flags.add32, 64: Flags.add64 }, sub: { 32: Flags.sub32, 64: Flags.sub64 } } as const;

/** Flags of `a + b` or `a - b`; both bound. */
export const arithmeticFlags = <T extends 'i32' | 'i64'>(e: Emitter, w: Width<T>, operation: 'add' | 'sub', a: Expr<T>, b: Expr<T>): void =>
  leave(e, i64.const(kinds[operation][w.bits]), extended(w, a), extended(w, b));

/** The same if `holds`, bound, is 1, else NZCV in the lowest bits of `otherwise`. */
export function conditionalFlags<T extends 'i32' | 'i64'>(e: Emitter, w: Width<T>, operation: 'add' | 'sub', a: Expr<T>, b: Expr<T>, holds: I32, otherwise: I64): void {
  e.setState('i64.store', FLAG_COND, i64.extend_i32_u(holds));
  leave(e, i64.or(i64.const(kinds[operation][w.bits] | Flags.conditional), i64.shl(otherwise, i64.const(Flags.nzcvShift))), extended(w, a), extended(w, b));
}

/** Flags of a sum with a carry: N, Z, C and V as they are. */
export function carryFlags<T extends 'i32' | 'i64'>(e: Emitter, w: Width<T>, a: Expr<T>, b: Expr<T>, result: Expr<T>, carry: I32): void {
  const negative = (x: Expr<T>): I32 => w.lt_s(x, w.const(0));
  const overflow = negative(w.and(w.xor(a, result), w.xor(b, result)));
  const bit = (value: I32, at: number): I32 => i32.shl(value, i32.const(at));
  setFlagsFrom(e, i32.or(i32.or(bit(negative(result), 3), bit(w.eqz(result), 2)), i32.or(bit(carry, 1), overflow)));
}

/** Flags of the comparison of two numbers, quiet and without flushing. */
export const floatFlags = (e: Emitter, a: F64, b: F64): void => leave(e, i64.const(Flags.float), i64.reinterpret_f64(a), i64.reinterpret_f64(b));
