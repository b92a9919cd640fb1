/**
 * The arithmetic flags, lazily (`state.ts`). Additions and subtractions leave their operands: a condition is then one comparison where
 * the kind is known, which it is in translated code behind most instructions. The others leave three words from which every flag follows
 * without a branch. All that is written or read of flags in definitions goes through here.
 */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Block, Emitter, Expr, FunctionDefinition, I32, I64 } from '@axvisor/softcpu';
import { ADJ, AUX, FLAG_KIND, Flag, FlagKind, RES } from '../state.ts';
import { TOP, fromBool, sext, zext } from './value.ts';
import type { Size } from './value.ts';

type Flags = Pick<Block, 'state' | 'setState' | 'let' | 'call' | 'if'>;

const shl = (value: I64, count: number): I64 => i64.shl(value, i64.const(count));
const shr = (value: I64, count: number): I64 => i64.shr_u(value, i64.const(count));
const negative = (value: I64): I32 => i64.lt_s(value, i64.const(0));
const not = (value: I64): I64 => i64.xor(value, i64.const(-1));

// ── what the words mean ──

/** The three words of kind `words`. */
interface Words {
  readonly result: I64;
  readonly carries: I64;
  readonly adjust: I64;
}

/** Words of a difference or a sum of operands of `size` bits. `borrow` is what else was subtracted, or added. */
function wordsOf(b: Pick<Block, 'let'>, difference: boolean, size: Size, x: I64, y: I64, result: I64): Words {
  const chain = b.let(i64.xor(i64.xor(x, y), result));
  const [first, last] = difference ? [not(x), result] : [x, not(result)];
  const out = size === 64 ? i64.or(i64.and(first, y), i64.and(i64.or(first, y), last)) : shl(chain, 63 - size);
  return { result: sext(result, size), carries: out, adjust: i64.and(chain, i64.const(Flag.AF)) };
}

/** What the flags are kept as here: known in translated code behind most instructions that set them. */
interface Known {
  readonly difference: boolean;
  readonly size: Size;
}

function known(kind: I64): Known | 'words' | undefined {
  if (kind.kind !== 'const') return undefined;
  const value = Number(kind.value);
  if (value === FlagKind.words) return 'words';
  return { difference: (value & 0xff) === FlagKind.difference, size: (64 - (value >> 8)) as Size };
}

const state = (e: Flags, offset: number): I64 => e.state('i64.load', offset);

/** A function of all four words, for when the kind is not known. */
const ask = <T extends 'i32' | 'i64'>(e: Flags, name: string, type: T): Expr<T> =>
  e.call(name, type, [state(e, FLAG_KIND), state(e, RES), state(e, AUX), state(e, ADJ)]);

const RESULT = 'flagResult';
const CARRIES = 'flagCarries';
const ADJUST = 'flagAdjust';

/** One of the three words, whatever the kind. */
function wordOf(e: Flags, part: keyof Words): I64 {
  const [name, offset] = ({ result: [RESULT, RES], carries: [CARRIES, AUX], adjust: [ADJUST, ADJ] } as const)[part];
  const kind = known(state(e, FLAG_KIND));
  if (kind === undefined) return ask(e, name, 'i64');
  if (kind === 'words') return state(e, offset);
  const [x, y] = [state(e, RES), state(e, AUX)];
  return e.let(wordsOf(e, kind.difference, kind.size, x, y, e.let(kind.difference ? i64.sub(x, y) : i64.add(x, y)))[part]);
}

/** Brings the flags to kind `words`, so that one of these may be replaced. */
function normalize(e: Flags): void {
  const kind = known(state(e, FLAG_KIND));
  if (kind === 'words') return;
  const replace = (): void => {
    const [result, carries, adjust] = [e.let(wordOf(e, 'result')), e.let(wordOf(e, 'carries')), e.let(wordOf(e, 'adjust'))];
    setWords(e, result, carries, adjust);
  };
  if (kind !== undefined) {
    replace();
    return;
  }
  e.if(i64.ne(state(e, FLAG_KIND), i64.const(0)), replace, undefined, false);
  e.setState('i64.store', FLAG_KIND, i64.const(FlagKind.words));
}

// ── setting ──

/** Sets all flags by the three words of kind `words`. */
export function setWords(e: Flags, result: I64, carries: I64, adjust: I64 = i64.const(0)): void {
  e.setState('i64.store', RES, result);
  e.setState('i64.store', AUX, carries);
  e.setState('i64.store', ADJ, adjust);
  e.setState('i64.store', FLAG_KIND, i64.const(FlagKind.words));
}

function setOperands(e: Flags, kind: number, size: Size, a: I64, b: I64): void {
  e.setState('i64.store', RES, a);
  e.setState('i64.store', AUX, b);
  e.setState('i64.store', FLAG_KIND, i64.const(kind | ((64 - size) << 8)));
}

/** Flags of `a + b`: operands zero-extended and bound. */
export const addFlags = (e: Flags, size: Size, a: I64, b: I64): void => setOperands(e, FlagKind.sum, size, a, b);

/** Flags of `a - b`, likewise. */
export const subFlags = (e: Flags, size: Size, a: I64, b: I64): void => setOperands(e, FlagKind.difference, size, a, b);

/** Flags of `result = a + b + carry`: the result not cut; all bound. */
export function addCarryFlags(e: Flags, size: Size, a: I64, b: I64, result: I64): void {
  const { result: extended, carries, adjust } = wordsOf(e, false, size, a, b, result);
  setWords(e, extended, carries, adjust);
}

/** Flags of `result = a - b - borrow`, likewise. */
export function subBorrowFlags(e: Flags, size: Size, a: I64, b: I64, result: I64): void {
  const { result: extended, carries, adjust } = wordsOf(e, true, size, a, b, result);
  setWords(e, extended, carries, adjust);
}

/** Flags of a logical result: CF, OF and AF are 0. */
export const logicFlags = (e: Flags, size: Size, result: I64): void => setWords(e, sext(result, size), i64.const(0));

/** Flags of an incremented or decremented value: CF stays. `overflow` has OF in its bit 63. */
export function stepFlags(e: Flags, size: Size, a: I64, result: I64, overflow: I64): void {
  const old = e.let(carryBit(e));
  setWords(e, sext(result, size), carriesOf(old, overflow), i64.and(i64.xor(i64.xor(a, i64.const(1)), result), i64.const(Flag.AF)));
}

/** Carries from CF and OF, each in bit 63. */
export const carriesOf = (carry: I64, overflow: I64): I64 => i64.or(i64.and(carry, TOP), shr(i64.and(i64.xor(carry, overflow), TOP), 1));

/** Sets CF and OF alone, as {@link carriesOf}. */
export function setCarries(e: Flags, carries: I64): void {
  const bound = e.let(carries);
  normalize(e);
  e.setState('i64.store', AUX, bound);
}

/** OF in bit 63. */
export function overflowBit(e: Flags): I64 {
  const carries = e.let(wordOf(e, 'carries'));
  return i64.xor(carries, shl(carries, 1));
}

/** CF in bit 63; the other bits are any. */
export function carryBit(e: Flags): I64 {
  const kind = known(state(e, FLAG_KIND));
  if (kind === undefined || kind === 'words') return wordOf(e, 'carries');
  return shl(i64.extend_i32_u(holds(e, kind, CARRY)), 63);
}

/** CF in bit 63 and OF as in kind `words`. */
export const carryWord = (e: Flags): I64 => wordOf(e, 'carries');

/** Sets CF alone, from bit 63. */
export function setCarry(e: Flags, carry: I64): void {
  const bound = e.let(carry);
  setCarries(e, carriesOf(bound, overflowBit(e)));
}

/** Sets OF alone, from bit 63. */
export function setOverflow(e: Flags, overflow: I64): void {
  const bound = e.let(overflow);
  setCarries(e, carriesOf(e.let(carryBit(e)), bound));
}

/** ZF, CF and PF, each 0 or 1 and bound; the others 0. */
export function comparisonFlags(e: Flags, zero: I64, carry: I64, parity: I64): void {
  setWords(e, i64.xor(zero, i64.const(1)), i64.or(shl(carry, 63), shl(carry, 62)), shl(i64.xor(zero, parity), 62));
}

/** ZF and CF (0 or 1) as told, the others 0. */
export const zeroCarryFlags = (e: Flags, zero: I32, carry: I32 = i32.const(0)): void =>
  comparisonFlags(e, e.let(fromBool(zero)), e.let(fromBool(carry)), i64.const(0));

/** ZF alone (0 or 1); the others stay. */
export function setZero(e: Emitter, zero: I32): void {
  const flags = e.let(packFlags(e));
  unpackFlags(e, i32.or(i32.and(flags, i32.const(~Flag.ZF)), select(zero, i32.const(Flag.ZF), i32.const(0))));
}

const PACK_FLAGS = 'packFlags';

/** CF, PF, AF, ZF, SF, OF in their places. */
export const packFlags = (e: Flags): I32 => ask(e, PACK_FLAGS, 'i32');

/** Sets the six flags from their places. */
export function unpackFlags(e: Flags, flags: I32): void {
  const bound = e.let(i64.extend_i32_u(flags));
  const bit = (n: number): I64 => i64.and(shr(bound, n), i64.const(1));
  const zero = e.let(bit(6));
  setWords(
    e,
    i64.xor(zero, i64.const(1)),
    carriesOf(shl(bound, 63), shl(bound, 63 - 11)),
    i64.or(i64.and(bound, i64.const(Flag.AF)), i64.or(shl(bit(7), 63), shl(i64.xor(bit(2), zero), 62))),
  );
}

// ── conditions ──

/** Conditions with an even number, by half of it: O, B, E, BE, S, P, L, LE. */
type Positive = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;
const CARRY: Positive = 1;

/** PF: the low byte has an even number of ones. */
function parity(result: I64, adjust: I64): I32 {
  const ones = i64.popcnt(zext(result, 8));
  return i32.wrap_i64(i64.and(i64.xor(i64.xor(ones, shr(adjust, 62)), i64.const(1)), i64.const(1)));
}

/** Whether a condition holds by the three words; `carries` is used twice. */
function ofWords({ result, carries, adjust }: Words, positive: Positive): I32 {
  const overflow = i64.xor(carries, shl(carries, 1));
  const less = (): I32 => negative(i64.xor(i64.xor(result, adjust), overflow));
  switch (positive) {
    case 0: return negative(overflow);
    case 1: return negative(carries);
    case 2: return i64.eqz(result);
    case 3: return i32.or(negative(carries), i64.eqz(result));
    case 4: return negative(i64.xor(result, adjust));
    case 5: return parity(result, adjust);
    case 6: return less();
    default: return i32.or(less(), i64.eqz(result));
  }
}

/** The same of a difference of zero-extended operands: one comparison, mostly. */
function ofDifference(size: Size, a: I64, b: I64, positive: Positive): I32 {
  const order = (wide: (x: I64, y: I64) => I32, narrow: (x: I32, y: I32) => I32): I32 => {
    if (size === 32) return narrow(i32.wrap_i64(a), i32.wrap_i64(b));
    return wide(size === 64 ? a : shl(a, 64 - size), size === 64 ? b : shl(b, 64 - size));
  };
  const top = (value: I64): I64 => (size === 64 ? value : shl(value, 64 - size));
  switch (positive) {
    case 0: return negative(top(i64.and(i64.xor(a, b), i64.xor(a, i64.sub(a, b)))));
    case 1: return order(i64.lt_u, i32.lt_u);
    case 2: return order(i64.eq, i32.eq);
    case 3: return order(i64.le_u, i32.le_u);
    case 4: return negative(top(i64.sub(a, b)));
    case 5: return parity(i64.sub(a, b), i64.const(0));
    case 6: return order(i64.lt_s, i32.lt_s);
    default: return order(i64.le_s, i32.le_s);
  }
}

/** The same of a sum. */
function ofSum(e: Flags, size: Size, a: I64, b: I64, positive: Positive): I32 {
  const sum = e.let(i64.add(a, b));
  const carry = (): I32 => (size === 64 ? i64.lt_u(sum, a) : i32.wrap_i64(shr(sum, size)));
  if (positive === 1) return carry();
  if (positive === 2) return i64.eqz(zext(sum, size));
  if (positive === 3) return i32.or(carry(), i64.eqz(zext(sum, size)));
  const { result, carries, adjust } = wordsOf(e, false, size, a, b, sum);
  return ofWords({ result: e.let(result), carries: e.let(carries), adjust: e.let(adjust) }, positive);
}

function holds(e: Flags, { difference, size }: Known, positive: Positive): I32 {
  const [a, b] = [state(e, RES), state(e, AUX)];
  return difference ? ofDifference(size, a, b, positive) : ofSum(e, size, a, b, positive);
}

const holdsName = (positive: number): string => `holds${positive}`;

/** Whether a condition of Jcc, SETcc, CMOVcc holds, 0 or 1 (SDM vol. 1, appendix B). */
export function condition(e: Flags, number: number): I32 {
  const positive = (number >> 1) as Positive;
  const kind = known(state(e, FLAG_KIND));
  let result: I32;
  if (kind === undefined) result = ask(e, holdsName(positive), 'i32');
  else if (kind === 'words') result = ofWords({ result: state(e, RES), carries: e.let(state(e, AUX)), adjust: state(e, ADJ) }, positive);
  else result = holds(e, kind, positive);
  return (number & 1) === 1 ? i32.eqz(result) : result;
}

// ── functions, for when the kind is not known ──

/** The three words (bound) of any kind and size. */
function anyWords(block: Block, kind: I64, a: I64, b: I64, c: I64): Words {
  const shift = block.let(shr(kind, 8));
  const difference = block.let(i64.eq(zext(kind, 8), i64.const(FlagKind.difference)));
  const isWords = block.let(i64.eqz(kind));
  const result = block.let(select(difference, i64.sub(a, b), i64.add(a, b)));
  const chain = block.let(i64.xor(i64.xor(a, b), result));
  const mask = block.let(select(difference, i64.const(-1), i64.const(0)));
  const first = block.let(i64.xor(a, mask));
  const last = i64.xor(result, not(mask));
  const wide = i64.or(i64.and(first, b), i64.and(i64.or(first, b), last));
  const carries = select(i64.eqz(shift), wide, i64.shl(chain, i64.sub(shift, i64.const(1))));
  return {
    result: block.let(select(isWords, a, i64.shr_s(i64.shl(result, shift), shift))),
    carries: block.let(select(isWords, b, carries)),
    adjust: block.let(select(isWords, c, i64.and(chain, i64.const(Flag.AF)))),
  };
}

function pack({ result, carries, adjust }: Words): I32 {
  const at = (value: I32, bit: number): I32 => i32.shl(value, i32.const(bit));
  const parts = [
    at(negative(carries), 0),
    at(parity(result, adjust), 2),
    i32.and(i32.wrap_i64(adjust), i32.const(Flag.AF)),
    at(i64.eqz(result), 6),
    at(negative(i64.xor(result, adjust)), 7),
    at(negative(i64.xor(carries, shl(carries, 1))), 11),
  ];
  return parts.reduce((all, part) => i32.or(all, part));
}

const ofAll = (result: 'i32' | 'i64', body: (words: Words) => Expr): FunctionDefinition => ({
  params: ['i64', 'i64', 'i64', 'i64'],
  result,
  body: (block, ...params) => body(anyWords(block, ...(params as [I64, I64, I64, I64]))),
});

/** A condition: differences of 64 and 32 bits and words, which are most of all, come first. */
const holdsFunction = (positive: Positive): FunctionDefinition => ({
  params: ['i64', 'i64', 'i64', 'i64'],
  result: 'i32',
  body: (block, ...params) => {
    const [kind, a, b, c] = params as [I64, I64, I64, I64];
    const result = block.variable(i32.const(0));
    const isDifference = (size: Size): I32 => i64.eq(kind, i64.const(FlagKind.difference | ((64 - size) << 8)));
    block.if(isDifference(64), () => block.assign(result, ofDifference(64, a, b, positive)), () => {
      block.if(isDifference(32), () => block.assign(result, ofDifference(32, a, b, positive)), () => {
        block.if(i64.eqz(kind), () => block.assign(result, ofWords({ result: a, carries: b, adjust: c }, positive)), () => {
          block.assign(result, ofWords(anyWords(block, kind, a, b, c), positive));
        });
      });
    });
    return result.get;
  },
});

/** What conditions and flags of unknown kind call. */
export const flagFunctions: Readonly<Record<string, FunctionDefinition>> = {
  [RESULT]: ofAll('i64', ({ result }) => result),
  [CARRIES]: ofAll('i64', ({ carries }) => carries),
  [ADJUST]: ofAll('i64', ({ adjust }) => adjust),
  [PACK_FLAGS]: ofAll('i32', pack),
  ...Object.fromEntries(([0, 1, 2, 3, 4, 5, 6, 7] as const).map((positive) => [holdsName(positive), holdsFunction(positive)])),
};
