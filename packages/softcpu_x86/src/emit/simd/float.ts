/**
 * SSE floating point (SDM vol. 1, chapter 11). The host's instruction gives the result where MXCSR is as after reset but for flags, and all
 * operands and the result are ordinary numbers or zeroes. Whether it is exact is found out until the precision flag is up. JavaScript does the rest.
 */
import { f32, f32x4, f64, f64x2, i32, i32x4, i64, i64x2, i8x16, v128, vectorInexact } from '@axvisor/softcpu';
import type { Block, FunctionDefinition, I32, I64, RoundedOperation, V128 } from '@axvisor/softcpu';
import { MXCSR, VT } from '../../state.ts';
import type { Definition, Definitions } from '../define.ts';
import { comparisonFlags } from '../flags.ts';
import { simd } from './define.ts';
import { ZERO } from './operands.ts';
import type { SimdOperands } from './operands.ts';

/** JavaScript function `(row, immediate) → 1 for an unmasked exception`: operands at VT and VT + 16, result at VT. */
export const SIMD_EXEC = 'simdExec';

/** Flags of MXCSR: IE DE ZE OE UE PE. */
const FLAGS = 0x3f;
export const PE = 0x20;
/** Every exception masked, round to nearest, nothing flushed. */
const RESET = 0x1f80;

type Mode = Pick<Block, 'state' | 'setState' | 'if'>;
const mxcsr = (b: Mode, mask: number): I32 => i32.and(b.state('i32.load', MXCSR), i32.const(mask));
const isPlain = (b: Mode): I32 => i32.eq(mxcsr(b, 0xffff & ~FLAGS), i32.const(RESET));
export const plainMode = (o: SimdOperands): I32 => isPlain(o.e);
export const inexactRaised = (o: SimdOperands): I32 => i32.ne(mxcsr(o.e, PE), i32.const(0));
/** Both in one test. */
export const plainAndInexact = (o: SimdOperands): I32 => i32.eq(mxcsr(o.e, 0xffff & ~(FLAGS & ~PE)), i32.const(RESET | PE));

/** Has JavaScript execute it; the result is at VT. Bound operands. */
export function slowly(o: SimdOperands, a: V128, b: V128, imm: I32 = o.row.operands.some(({ kind }) => kind === 'I') ? o.imm : i32.const(0)): void {
  const { e } = o;
  e.setState('v128.store', VT, a);
  e.setState('v128.store', VT + 16, b);
  o.raise(e.call(SIMD_EXEC, 'i32', [i32.const(o.row.op), imm]));
}
/** How an instruction writes its result: a register whole, or the low bytes of it. */
export type Write = 'whole' | 4 | 8;
export const writeAs = (o: SimdOperands, how: Write, value: V128): void => (how === 'whole' ? o.set(0, value) : o.setLow(0, how, value));

/** Of one operand, by JavaScript; what is written in part is told what was there. */
export function byScript(o: SimdOperands, how: Write, b: V128): void {
  slowly(o, how === 'whole' ? ZERO : o.get(0), b);
  writeAs(o, how, result(o));
}
export const result = (o: SimdOperands): V128 => o.e.state('v128.load', VT);

/** Single or double, packed or scalar. */
export type Kind = 'ps' | 'pd' | 'ss' | 'sd';
export const isDouble = (kind: Kind): 0 | 1 => (kind[1] === 'd' ? 1 : 0);
export const isScalar = (kind: Kind): kind is 'ss' | 'sd' => kind[0] === 's';
export const KINDS: readonly Kind[] = ['ps', 'pd', 'ss', 'sd'];

export const floats: readonly [typeof f32x4, typeof f64x2] = [f32x4, f64x2];
const words = [i32x4, i64x2] as const;
const NORMAL = [f32x4.splat(f32.const(2 ** -126)), f64x2.splat(f64.const(2 ** -1022))] as const;
const INFINITY = [f32x4.splat(f32.const(Infinity)), f64x2.splat(f64.const(Infinity))] as const;
/** Lanes that scalar instructions leave alone. */
const OTHERS: Readonly<Record<Kind, V128>> = {
  ps: ZERO, pd: ZERO, ss: v128.const(((1n << 96n) - 1n) << 32n), sd: v128.const(((1n << 64n) - 1n) << 64n),
};

const magnitude = (d: 0 | 1, a: V128): V128 => floats[d].abs(a);
const isZero = (d: 0 | 1, a: V128): V128 => floats[d].eq(a, ZERO);
const isFinite = (d: 0 | 1, a: V128): V128 => floats[d].lt(magnitude(d, a), INFINITY[d]);
/** Not subnormal and not NaN: no operand of a comparison raises an exception. */
export const comparable = (d: 0 | 1, a: V128): V128 => v128.or(isZero(d, a), floats[d].ge(magnitude(d, a), NORMAL[d]));
/** Normal or zero: no operand raises an exception. */
export const ordinary = (d: 0 | 1, a: V128): V128 => v128.and(comparable(d, a), isFinite(d, a));
/** A result above the smallest normal number is not tiny before rounding either. */
const isLarge = (d: 0 | 1, a: V128): V128 => floats[d].gt(magnitude(d, a), NORMAL[d]);
/** Whether a mask covers every lane the instruction is about. */
export const everywhere = (kind: Kind, lanes: V128): I32 => {
  const bits = words[isDouble(kind)].bitmask(lanes);
  return isScalar(kind) ? i32.and(bits, i32.const(1)) : i32.eq(bits, i32.const(isDouble(kind) === 1 ? 3 : 15));
};

type Arithmetic = 'add' | 'sub' | 'mul' | 'div';

/** Writes the lanes that the instruction is about. */
function write(o: SimdOperands, kind: Kind, value: V128): void {
  if (isScalar(kind)) o.setLow(0, kind === 'ss' ? 4 : 8, value);
  else o.set(0, value);
}

/** Fast where `settled` holds, else by JavaScript. */
function either(o: SimdOperands, kind: Kind, a: V128, b: V128, value: V128, settled: I32): void {
  o.e.if(settled, () => write(o, kind, value), () => {
    slowly(o, a, b);
    write(o, kind, result(o));
  }, true);
}

export const settleName = (operation: RoundedOperation, d: 0 | 1): string => `sse${operation}${d === 1 ? 'Double' : 'Single'}`;

/**
 * `(a, b, result, lanes that do not count)`: whether the host's result is right, with nothing but the precision flag to be raised, which it does.
 * What is common is tested before these are called: two normal numbers while that flag is up.
 */
const settle = (operation: RoundedOperation, d: 0 | 1): FunctionDefinition => ({
  params: ['v128', 'v128', 'v128', 'v128'],
  result: 'i32',
  body: (block, ...params) => {
    const [a, b, value, ignored] = params as [V128, V128, V128, V128];
    const everyLane = (lanes: V128): I32 => words[d].all_true(v128.or(lanes, ignored));
    // Products and quotients of numbers that are not zero may be tiny, or underflow to zero; a tiny sum is exact.
    const zeros = operation === 'mul' ? v128.or(isZero(d, a), isZero(d, b)) : isZero(d, a);
    const fits = operation === 'add' ? isFinite(d, value) : operation === 'sqrt' ? floats[d].eq(value, value) : v128.or(v128.and(isLarge(d, value), isFinite(d, value)), v128.and(zeros, isZero(d, value)));
    const right = v128.and(fits, v128.and(ordinary(d, a), ordinary(d, b)));
    const settled = block.variable(i32.and(isPlain(block), everyLane(right)));
    block.if(i32.and(settled.get, i32.eqz(mxcsr(block, PE))), () => {
      const found = vectorInexact[d === 1 ? 'double' : 'single'][operation](block, a, b, value);
      block.assign(settled, everyLane(found.known));
      block.if(i32.and(settled.get, v128.any_true(v128.andnot(found.inexact, ignored))), () => block.setState('i32.store', MXCSR, i32.or(block.state('i32.load', MXCSR), i32.const(PE))));
    });
    return settled.get;
  },
});

const OPERATIONS: readonly RoundedOperation[] = ['add', 'mul', 'div', 'sqrt'];
/** What the definitions call. */
export const simdFloatFunctions: Readonly<Record<string, FunctionDefinition>> = Object.fromEntries(
  OPERATIONS.flatMap((operation) => ([0, 1] as const).map((d): [string, FunctionDefinition] => [settleName(operation, d), settle(operation, d)])),
);

/** The lanes where a sum of normal numbers, or a quotient or product that is checked further, raises nothing but the precision flag. */
export const quickSum = (d: 0 | 1, a: V128, b: V128, value: V128): V128 => v128.and(floats[d].ge(floats[d].pmin(magnitude(d, a), magnitude(d, b)), NORMAL[d]), isFinite(d, value));

/** `quick`: the lanes where, with the precision flag up, nothing else can happen. */
export function rounded(o: SimdOperands, kind: Kind, operation: RoundedOperation, operands: readonly [V128, V128], checked: readonly [V128, V128], value: V128, quick: V128): void {
  const { e } = o;
  const d = isDouble(kind);
  e.if(i32.and(plainAndInexact(o), everywhere(kind, quick)), () => write(o, kind, value), () => {
    const settled = e.call(settleName(operation, d), 'i32', [...checked, value, OTHERS[kind]]);
    e.if(settled, () => write(o, kind, value), () => {
      slowly(o, ...operands);
      write(o, kind, result(o));
    }, true);
  }, true);
}

const arithmetic = (name: Arithmetic, kind: Kind): Definition =>
  simd((o) => {
    const d = isDouble(kind);
    const b = o.get(1);
    const a = o.get(0);
    const value = o.e.let(floats[d][name](a, b));
    // Of infinities and NaN the result is one, or a quotient of zero.
    const quick = quickSum(d, a, b, value);
    if (name === 'add' || name === 'sub') rounded(o, kind, 'add', [a, b], [a, name === 'add' ? b : floats[d].neg(b)], value, quick);
    else rounded(o, kind, name, [a, b], [a, b], value, v128.and(quick, isLarge(d, value)));
  });

/** The second operand where neither is less: that is what the host's pseudo-minimum gives with operands exchanged. */
const extremum = (name: 'pmin' | 'pmax', kind: Kind): Definition =>
  simd((o) => {
    const d = isDouble(kind);
    const b = o.get(1);
    const a = o.get(0);
    const value = o.e.let(floats[d][name](b, a));
    either(o, kind, a, b, value, everywhere(kind, v128.and(comparable(d, a), comparable(d, b))));
  });

const squareRoot = (kind: Kind): Definition =>
  simd((o) => {
    const d = isDouble(kind);
    const b = o.get(1);
    const value = o.e.let(floats[d].sqrt(b));
    rounded(o, kind, 'sqrt', [ZERO, b], [ZERO, b], value, v128.and(floats[d].ge(b, NORMAL[d]), floats[d].lt(b, INFINITY[d])));
  });

type Predicate = (d: 0 | 1, a: V128, b: V128) => V128;
const predicates: readonly Predicate[] = [
  (d, a, b) => floats[d].eq(a, b), (d, a, b) => floats[d].lt(a, b), (d, a, b) => floats[d].le(a, b),
  (d, a, b) => v128.or(floats[d].ne(a, a), floats[d].ne(b, b)),
];
/** Predicates 4 to 7 are the opposites of 0 to 3. Those from 8 on of AVX differ from them for NaNs only. */
const compare = (kind: Kind): Definition =>
  simd((o) => {
    const { e } = o;
    const d = isDouble(kind);
    const b = o.get(1);
    const a = o.get(0);
    const value = e.variable(ZERO);
    predicates.forEach((predicate, n) => {
      e.if(i32.eq(i32.and(o.imm, i32.const(3)), i32.const(n)), () => e.assign(value, predicate(d, a, b)));
    });
    e.if(i32.and(o.imm, i32.const(4)), () => e.assign(value, v128.not(value.get)));
    either(o, kind, a, b, value.get, everywhere(kind, v128.and(comparable(d, a), comparable(d, b))));
  });

/** ZF, PF, CF: 100 equal, 001 less, 000 greater, 111 unordered. JavaScript leaves them as the result. */
const compareFlags = (kind: 'ss' | 'sd'): Definition =>
  simd((o) => {
    const { e } = o;
    const d = isDouble(kind);
    const b = o.get(1);
    const a = o.get(0);
    const lane = (lanes: V128): I64 => i64.and(i64x2.extract_lane(lanes, 0), i64.const(1));
    const zero = e.variable(lane(floats[d].eq(a, b)));
    const carry = e.variable(lane(floats[d].lt(a, b)));
    const parity = e.variable(i64.const(0));
    e.if(everywhere(kind, v128.and(comparable(d, a), comparable(d, b))), () => {}, () => {
      slowly(o, a, b);
      const flag = (bit: number): I64 => i64.and(i64.shr_u(e.state('i64.load', VT), i64.const(bit)), i64.const(1));
      e.assign(zero, flag(6));
      e.assign(carry, flag(0));
      e.assign(parity, flag(2));
    }, true);
    comparisonFlags(e, zero.get, carry.get, parity.get);
  });

// ── others ──

/** Lane numbers and their bits. */
const NUMBERS = v128.const((3n << 96n) | (2n << 64n) | (1n << 32n));
const BITS = v128.const((8n << 96n) | (4n << 64n) | (2n << 32n) | 1n);

/** INSERTPS: a lane of the source to one of the destination, and lanes that are cleared; memory has the one lane, whichever the immediate names. */
const insertion: Definition = simd((o) => {
  const { e, imm } = o;
  const b = o.get(1);
  const from = o.isMemory(1) ? i32.const(0) : i32.and(i32.shr_u(imm, i32.const(6)), i32.const(3));
  // Its four bytes by their numbers, in every lane.
  const source = i8x16.swizzle(b, i32x4.splat(i32.add(i32.mul(from, i32.const(0x0404_0404)), i32.const(0x0302_0100))));
  const to = i32x4.eq(i32x4.splat(i32.and(i32.shr_u(imm, i32.const(4)), i32.const(3))), NUMBERS);
  const cleared = i32x4.ne(v128.and(i32x4.splat(imm), BITS), ZERO);
  o.set(0, e.let(v128.andnot(v128.bitselect(source, o.get(0), to), cleared)));
});

const ofAll = (names: readonly string[], make: (kind: Kind) => Definition, kinds: readonly Kind[] = KINDS): [string, Definition][] =>
  names.flatMap((name) => kinds.map((kind): [string, Definition] => [name + kind, make(kind)]));

/** LDMXCSR and STMXCSR; reserved bits are #GP. */
const loadControl: Definition = simd((o) => {
  const { e } = o;
  const value = e.let(i32.wrap_i64(e.load('u32', o.address(4, false))));
  e.if(i32.and(value, i32.const(~0xffff)), () => e.fault('generalProtection'), undefined, false);
  e.setState('i32.store', MXCSR, value);
});
const storeControl: Definition = simd((o) => o.e.store(4, o.address(4, true), i64.extend_i32_u(o.e.state('i32.load', MXCSR))));

export const vectorFloats: Definitions = Object.fromEntries([
  ...(['add', 'sub', 'mul', 'div'] as const).flatMap((name) => ofAll([name], (kind) => arithmetic(name, kind))),
  ...ofAll(['min'], (kind) => extremum('pmin', kind)),
  ...ofAll(['max'], (kind) => extremum('pmax', kind)),
  ...ofAll(['sqrt'], squareRoot),
  ...ofAll(['cmp'], compare),
  ['ucomiss', compareFlags('ss')], ['comiss', compareFlags('ss')], ['ucomisd', compareFlags('sd')], ['comisd', compareFlags('sd')],
  ['insertps', insertion],
  ['ldmxcsr', loadControl], ['stmxcsr', storeControl],
]);
