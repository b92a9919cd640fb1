/**
 * String comparisons of SSE4.2 (SDM vol. 2, 4.1): the elements of one vector, one after the other, with all of the other at once. C libraries search
 * strings with them.
 */
import { i16x8, i32, i32x4, i64, i8x16, select, v128 } from '@axvisor/softcpu';
import type { Block, Expr, FunctionDefinition, I32, I64, V128 } from '@axvisor/softcpu';
import { Flag, GPR, Gpr } from '../../state.ts';
import type { Definition, Definitions } from '../define.ts';
import { unpackFlags } from '../flags.ts';
import { setGpr } from '../operands.ts';
import { simd } from './define.ts';
import { ZERO } from './operands.ts';
import type { SimdOperands } from './operands.ts';

/** Bits of the immediate. */
const Imm = { words: 1, signed: 2, kind: 0xc, negative: 0x10, masked: 0x20, last: 0x40 } as const;
const Kind = { any: 0, ranges: 4, each: 8, ordered: 12 } as const;

// ── WebAssembly functions ──

/** Number of elements before the first zero: `(vector, imm)`. */
const IMPLICIT_LENGTH = 'implicitLength';
/** Magnitude of a register, at most the number of elements: `(value, imm)`. */
const EXPLICIT_LENGTH = 'explicitLength';
/** A bit for each element of the second vector: `(first, second, first length, second length, imm)`. */
const COMPARE_BYTES = 'compareBytes';
const COMPARE_WORDS = 'compareWords';

const has = (imm: I32, bits: number): I32 => i32.and(imm, i32.const(bits));
const countOf = (imm: I32): I32 => i32.shr_u(i32.const(16), has(imm, Imm.words));
/** Bits of that many elements, at most 16. */
const ones = (count: I32): I32 => i32.sub(i32.shl(i32.const(1), count), i32.const(1));

function implicitLength(_: Block, vector: V128, imm: I32): I32 {
  const zeroes = select(has(imm, Imm.words), i16x8.bitmask(i16x8.eq(vector, ZERO)), i8x16.bitmask(i8x16.eq(vector, ZERO)));
  return i32.ctz(i32.or(zeroes, i32.shl(i32.const(1), countOf(imm))));
}

function explicitLength(block: Block, value: I64, imm: I32): I32 {
  const magnitude = block.let(select(i64.lt_s(value, i64.const(0)), i64.sub(i64.const(0), value), value));
  // The magnitude of the least number is no positive one.
  return select(i64.lt_u(magnitude, i64.const(16)), i32.wrap_i64(select(i64.lt_u(magnitude, i64.extend_i32_u(countOf(imm))), magnitude, i64.extend_i32_u(countOf(imm)))), countOf(imm));
}

/** How the elements of a size are compared. */
interface Elements {
  readonly count: number;
  readonly ops: Pick<typeof i8x16, 'eq' | 'ge_s' | 'ge_u' | 'le_s' | 'le_u' | 'bitmask'>;
  /** Byte numbers of element `i` in all elements. */
  readonly everywhere: (i: I32) => V128;
}
const BYTES: Elements = { count: 16, ops: i8x16, everywhere: i8x16.splat };
const WORDS: Elements = { count: 8, ops: i16x8, everywhere: (i) => i16x8.splat(i32.add(i32.mul(i, i32.const(0x202)), i32.const(0x100))) };

const compareElements = ({ count, ops, everywhere }: Elements) => (block: Block, first: V128, second: V128, firstLength: I32, secondLength: I32, imm: I32): I32 => {
  const all = (1 << count) - 1;
  const kind = block.let(has(imm, Imm.kind));
  const valid = block.let(ones(secondLength));
  const present = block.let(ones(firstLength));
  const bits = block.variable(i32.const(0));
  const isKind = (value: number): I32 => i32.eq(kind, i32.const(value));
  const i = block.variable(i32.const(0));
  const element = (distance = 0): V128 => block.let(i8x16.swizzle(first, everywhere(i32.add(i.get, i32.const(distance)))));
  /** For every `step`th element of the first vector, with the `step - 1` behind it. */
  const forElements = (step: number, body: () => void): void => {
    const end = block.let(i32.sub(firstLength, i32.const(step - 1)));
    block.if(i32.gt_s(end, i32.const(0)), () => block.loop((again) => {
      body();
      block.assign(i, i32.add(i.get, i32.const(step)));
      again(i32.lt_s(i.get, end));
    }));
  };
  const add = (found: I32): void => block.assign(bits, i32.or(bits.get, found));
  const anyOrRanges = (): void => {
    block.if(isKind(Kind.any), () => forElements(1, () => add(ops.bitmask(ops.eq(second, element())))), () => forElements(2, () => {
      const [low, high] = [element(), element(1)];
      const within = (ge: 'ge_s' | 'ge_u', le: 'le_s' | 'le_u'): I32 => ops.bitmask(v128.and(ops[ge](second, low), ops[le](second, high)));
      block.if(has(imm, Imm.signed), () => add(within('ge_s', 'le_s')), () => add(within('ge_u', 'le_u')));
    }));
    block.assign(bits, i32.and(bits.get, valid));
  };
  const ordered = (): void => {
    block.assign(bits, i32.const(all));
    forElements(1, () => {
      const equal = block.let(i32.and(ops.bitmask(ops.eq(second, element())), valid));
      // Beyond the end of the vector it may go on as it should.
      const beyond = i32.shl(i32.const(all), i32.sub(i32.const(count), i.get));
      block.assign(bits, i32.and(bits.get, i32.or(i32.shr_u(equal, i.get), beyond)));
    });
  };
  const each = (): void => {
    // Behind both ends elements are equal, behind one they are not.
    const equal = i32.and(ops.bitmask(ops.eq(first, second)), i32.and(present, valid));
    const behind = i32.and(i32.xor(i32.or(present, valid), i32.const(-1)), i32.const(all));
    block.assign(bits, i32.or(equal, behind));
  };
  block.if(has(kind, Kind.each), () => block.if(isKind(Kind.ordered), ordered, each), anyOrRanges);
  const negated = block.let(select(has(imm, Imm.masked), valid, i32.const(all)));
  return i32.xor(bits.get, select(has(imm, Imm.negative), negated, i32.const(0)));
};

const comparison = (elements: Elements): FunctionDefinition => ({
  params: ['v128', 'v128', 'i32', 'i32', 'i32'],
  result: 'i32',
  body: (block, ...params: Expr[]) => compareElements(elements)(block, ...(params as [V128, V128, I32, I32, I32])),
});

export const textFunctions: Readonly<Record<string, FunctionDefinition>> = {
  [IMPLICIT_LENGTH]: { params: ['v128', 'i32'], result: 'i32', body: (block, vector, imm) => implicitLength(block, vector as V128, imm as I32) },
  [EXPLICIT_LENGTH]: { params: ['i64', 'i32'], result: 'i32', body: (block, value, imm) => explicitLength(block, value as I64, imm as I32) },
  [COMPARE_BYTES]: comparison(BYTES),
  [COMPARE_WORDS]: comparison(WORDS),
};

// ── definitions ──

/** Powers of 2 in the elements: bit `i` in the word or byte `i` (of 8). */
const BIT_OF_WORD = v128.const(Array.from({ length: 8 }, (_, i) => 1n << BigInt(17 * i)).reduce((a, b) => a | b));
const BIT_OF_BYTE = v128.const(Array.from({ length: 16 }, (_, i) => 1n << BigInt(8 * i + (i & 7))).reduce((a, b) => a | b));

/** A mask of elements from a bit for each, or the bits themselves. */
function maskOf(imm: I32, bits: I32): V128 {
  const spread = i16x8.splat(bits);
  const words = i16x8.eq(v128.and(spread, BIT_OF_WORD), BIT_OF_WORD);
  const doubled = i8x16.shuffle(spread, spread, Array.from({ length: 16 }, (_, i) => i >> 3));
  const bytes = i8x16.eq(v128.and(doubled, BIT_OF_BYTE), BIT_OF_BYTE);
  return select(has(imm, Imm.last), select(has(imm, Imm.words), words, bytes), i32x4.replace_lane(ZERO, 0, bits));
}

/** Explicit lengths are in EAX and EDX, with REX.W in RAX and RDX. */
function lengthsOf(o: SimdOperands, explicit: boolean, [first, second]: readonly [V128, V128]): readonly [I32, I32] {
  const { e } = o;
  const implicit = (vector: V128): I32 => e.call(IMPLICIT_LENGTH, 'i32', [vector, o.imm]);
  if (!explicit) return [implicit(first), implicit(second)];
  const register = (number: number): I32 => {
    const value = e.state('i64.load', GPR + 8 * number);
    return e.call(EXPLICIT_LENGTH, 'i32', [o.wide === 64 ? value : i64.extend_i32_s(i32.wrap_i64(value)), o.imm]);
  };
  return [register(Gpr.rax), register(Gpr.rdx)];
}

const compare = (explicit: boolean, toIndex: boolean): Definition =>
  simd((o) => {
    const { e, imm } = o;
    const second = o.get(1);
    const first = o.get(0);
    const [firstLength, secondLength] = lengthsOf(o, explicit, [first, second]);
    const args = [first, second, firstLength, secondLength, imm];
    const bits = e.variable(i32.const(0));
    e.if(has(imm, Imm.words), () => e.assign(bits, e.call(COMPARE_WORDS, 'i32', args)), () => e.assign(bits, e.call(COMPARE_BYTES, 'i32', args)));
    const found = e.let(bits.get);
    const count = e.let(countOf(imm));
    const index = select(has(imm, Imm.last), i32.sub(i32.const(31), i32.clz(found)), i32.ctz(found));
    if (toIndex) setGpr(e, Gpr.rcx, 32, i64.extend_i32_u(select(found, index, count)));
    else o.setXmm0(maskOf(imm, found));
    const flag = (holds: I32, bit: number): I32 => select(holds, i32.const(bit), i32.const(0));
    const shorter = i32.or(flag(i32.lt_u(secondLength, count), Flag.ZF), flag(i32.lt_u(firstLength, count), Flag.SF));
    unpackFlags(e, i32.or(shorter, i32.or(flag(found, Flag.CF), flag(i32.and(found, i32.const(1)), Flag.OF))));
  }, { bySize: true });

export const textInstructions: Definitions = {
  pcmpestri: compare(true, true), pcmpistri: compare(false, true), pcmpestrm: compare(true, false), pcmpistrm: compare(false, false),
};
