/**
 * The arithmetic flags, lazily (`state.ts`). Most instructions leave their operands: a condition is then one comparison where the kind is
 * known, which it is in translated code behind most of them, and costs nothing where nobody asks. The others leave three words from which
 * every flag follows without a branch. All that is written or read of flags in definitions goes through here.
 */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Emitter, Expr, I32, I64 } from '@axvisor/softcpu';
import { ADJ, AUX, FLAG_KIND, Flag, FlagKind, RES } from '../state.ts';
import { CARRIES, PACK_FLAGS, holdsName } from './flag_functions.ts';
import { CARRY, carriesOf, holds, ofWords, shl, shr, wordsOf } from './flag_words.ts';
import type { Known, Positive, Words } from './flag_words.ts';
import { fromBool } from './value.ts';
import type { Size } from './value.ts';

export { carriesOf };

type Flags = Pick<Emitter, 'state' | 'setState' | 'let' | 'call' | 'if' | 'wants'>;

/** What the flags are kept as here, if that is known. */
function known(kind: I64): Known | 'words' | undefined {
  if (kind.kind !== 'const') return undefined;
  const value = Number(kind.value);
  if (value === FlagKind.words) return 'words';
  const size = (64 - (value >> 8)) as Size;
  // The upper half of a product of 64-bit numbers is for functions.
  return (value & 0xff) === FlagKind.product && size === 64 ? undefined : { kind: value & 0xff, size };
}

const state = (e: Flags, offset: number): I64 => e.state('i64.load', offset);

/** Whether flags set here may be read. */
export const flagsWanted = (e: Flags): boolean => [RES, AUX, ADJ, FLAG_KIND].some((word) => e.wants(word));

/** A function of all four words, for when the kind is not known. */
const ask = <T extends 'i32' | 'i64'>(e: Flags, name: string, type: T): Expr<T> =>
  e.call(name, type, [state(e, FLAG_KIND), state(e, RES), state(e, AUX), state(e, ADJ)]);

const wordsNow = (e: Flags, kind: Known): Words => wordsOf(e, kind, state(e, RES), state(e, AUX), state(e, ADJ));

/** Brings the flags to kind `words`, so that one of these may be replaced. */
function normalize(e: Flags): void {
  const kind = known(state(e, FLAG_KIND));
  if (kind === 'words') return;
  if (kind === undefined) {
    // One function tells of all flags what three would tell of the words.
    e.if(i64.ne(state(e, FLAG_KIND), i64.const(FlagKind.words)), () => unpackFlags(e, packFlags(e)), undefined, false);
    e.setState('i64.store', FLAG_KIND, i64.const(FlagKind.words));
    return;
  }
  const { result, carries, adjust } = wordsNow(e, kind);
  setWords(e, result, carries, adjust);
}

// ── setting ──

/** Sets all flags by the three words of kind `words`. */
export function setWords(e: Flags, result: I64, carries: I64, adjust: I64 = i64.const(0)): void {
  e.setState('i64.store', RES, result);
  e.setState('i64.store', AUX, carries);
  e.setState('i64.store', ADJ, adjust);
  e.setState('i64.store', FLAG_KIND, i64.const(FlagKind.words));
}

function setOperands(e: Flags, kind: number, size: Size, a: I64, b: I64, third?: I64): void {
  e.setState('i64.store', RES, a);
  e.setState('i64.store', AUX, b);
  if (third !== undefined) e.setState('i64.store', ADJ, third);
  e.setState('i64.store', FLAG_KIND, i64.const(kind | ((64 - size) << 8)));
}

/** Flags of `a + b`: operands zero-extended and bound. */
export const addFlags = (e: Flags, size: Size, a: I64, b: I64): void => setOperands(e, FlagKind.sum, size, a, b);

/** Flags of `a - b`, likewise. */
export const subFlags = (e: Flags, size: Size, a: I64, b: I64): void => setOperands(e, FlagKind.difference, size, a, b);

/** Flags of `a + b + carry`, which is 0 or 1; all bound. */
export const addCarryFlags = (e: Flags, size: Size, a: I64, b: I64, carry: I64): void => setOperands(e, FlagKind.carry, size, a, b, carry);

/** Flags of `a - b - borrow`, likewise. */
export const subBorrowFlags = (e: Flags, size: Size, a: I64, b: I64, borrow: I64): void => setOperands(e, FlagKind.borrow, size, a, b, borrow);

/** Flags of a logical result (zero-extended and bound), CF, OF and AF being 0: of the difference of it and nothing. */
export const logicFlags = (e: Flags, size: Size, result: I64): void => subFlags(e, size, result, i64.const(0));

/** Flags of a shift of `a` (zero-extended and bound) by `count`, which is not 0. */
export const shiftFlags = (e: Flags, kind: 'left' | 'right' | 'rightSigned', size: Size, a: I64, count: I64): void => setOperands(e, FlagKind[kind], size, a, count);

/** Flags of a truncated signed product of `a` and `b`, whose upper bits may be anything; bound. */
export const productFlags = (e: Flags, size: Size, a: I64, b: I64): void => setOperands(e, FlagKind.product, size, a, b);

/** Flags of an incremented or decremented value: CF stays. */
export function stepFlags(e: Flags, size: Size, by: 1 | -1, a: I64): void {
  if (flagsWanted(e)) setOperands(e, by === 1 ? FlagKind.increment : FlagKind.decrement, size, a, e.let(carryBit(e)));
}

/** Sets CF and OF alone, as {@link carriesOf}. */
export function setCarries(e: Flags, carries: I64): void {
  if (!flagsWanted(e)) return;
  const bound = e.let(carries);
  normalize(e);
  e.setState('i64.store', AUX, bound);
}

/** OF in bit 63. */
export function overflowBit(e: Flags): I64 {
  const carries = e.let(carryWord(e));
  return i64.xor(carries, shl(carries, 1));
}

/** CF in bit 63; the other bits are any. */
export function carryBit(e: Flags): I64 {
  return known(state(e, FLAG_KIND)) === 'words' ? state(e, AUX) : shl(fromBool(holdsNow(e, CARRY)), 63);
}

/** CF, 0 or 1. */
export const carryValue = (e: Flags): I64 => fromBool(holdsNow(e, CARRY));

/** CF in bit 63 and OF as in kind `words`. */
export function carryWord(e: Flags): I64 {
  const kind = known(state(e, FLAG_KIND));
  if (kind === undefined) return ask(e, CARRIES, 'i64');
  return kind === 'words' ? state(e, AUX) : wordsNow(e, kind).carries;
}

/** Sets CF alone, from bit 63. */
export function setCarry(e: Flags, carry: I64): void {
  if (!flagsWanted(e)) return;
  const bound = e.let(carry);
  if (known(state(e, FLAG_KIND)) === undefined) {
    unpackFlags(e, i32.or(i32.and(packFlags(e), i32.const(~Flag.CF)), i32.wrap_i64(shr(bound, 63))));
    return;
  }
  setCarries(e, carriesOf(bound, overflowBit(e)));
}

/** Sets OF alone, from bit 63. */
export function setOverflow(e: Flags, overflow: I64): void {
  if (!flagsWanted(e)) return;
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

function holdsNow(e: Flags, positive: Positive): I32 {
  const kind = known(state(e, FLAG_KIND));
  const [a, b, c] = [state(e, RES), state(e, AUX), state(e, ADJ)];
  if (kind === undefined) return ask(e, holdsName(positive), 'i32');
  if (kind === 'words') return ofWords({ result: a, carries: e.let(b), adjust: c }, positive);
  return holds(e, kind, a, b, c, positive);
}

/** Whether a condition of Jcc, SETcc, CMOVcc holds, 0 or 1 (SDM vol. 1, appendix B). */
export function condition(e: Flags, number: number): I32 {
  const result = holdsNow(e, (number >> 1) as Positive);
  return (number & 1) === 1 ? i32.eqz(result) : result;
}
