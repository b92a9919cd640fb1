/**
 * SSE floating point (SDM vol. 1, chapter 11). The host's instruction gives the result where MXCSR is as after reset but for flags, all
 * operands and the result are ordinary numbers or zeroes, and the result is exact or the precision flag is up; JavaScript does the rest.
 */
import { f32, f32x4, f64, f64x2, i32, i32x4, i64, i64x2, v128 } from '@axvisor/softcpu';
import type { I32, V128 } from '@axvisor/softcpu';
import { MXCSR, VT } from '../../state.ts';
import type { Definition, Definitions } from '../define.ts';
import { unpackFlags } from '../flags.ts';
import { simd } from './define.ts';
import type { Body } from './define.ts';
import { ZERO, low64 } from './operands.ts';
import type { SimdOperands } from './operands.ts';

/** JavaScript function `(row, immediate) → 1 for an unmasked exception`: operands at VT and VT + 16, result at VT. */
export const SIMD_EXEC = 'simdExec';
/** Service that raises #XM, or #UD without CR4.OSXMMEXCPT. */
export const SIMD_EXCEPTION = 'simdException';

/** Flags of MXCSR: IE DE ZE OE UE PE. */
const FLAGS = 0x3f;
const PE = 0x20;
/** Every exception masked, round to nearest, nothing flushed. */
const RESET = 0x1f80;

const plainMode = (o: SimdOperands): I32 => i32.eq(i32.and(o.e.state('i32.load', MXCSR), i32.const(0xffff & ~FLAGS)), i32.const(RESET));
const inexactRaised = (o: SimdOperands): I32 => i32.ne(i32.and(o.e.state('i32.load', MXCSR), i32.const(PE)), i32.const(0));
const all = (...conditions: readonly I32[]): I32 => conditions.reduce((a, b) => i32.and(a, b));

/** Has JavaScript execute it; the result is at VT. Bound operands. */
export function slowly(o: SimdOperands, a: V128, b: V128): void {
  const { e } = o;
  e.setState('v128.store', VT, a);
  e.setState('v128.store', VT + 16, b);
  const imm = o.row.operands.some(({ kind }) => kind === 'I') ? o.imm : i32.const(0);
  const raised = e.call(SIMD_EXEC, 'i32', [i32.const(o.row.op), imm]);
  e.if(raised, () => e.service(SIMD_EXCEPTION), undefined, false);
}
const result = (o: SimdOperands): V128 => o.e.state('v128.load', VT);

/** Single or double, packed or scalar. */
type Kind = 'ps' | 'pd' | 'ss' | 'sd';
const isDouble = (kind: Kind): 0 | 1 => (kind[1] === 'd' ? 1 : 0);
const KINDS: readonly Kind[] = ['ps', 'pd', 'ss', 'sd'];

const floats = [f32x4, f64x2] as const;
const words = [i32x4, i64x2] as const;
const NORMAL = [f32x4.splat(f32.const(2 ** -126)), f64x2.splat(f64.const(2 ** -1022))] as const;
const INFINITY = [f32x4.splat(f32.const(Infinity)), f64x2.splat(f64.const(Infinity))] as const;
/** Lanes that scalar instructions leave alone. */
const OTHERS: Readonly<Record<Kind, V128>> = {
  ps: ZERO, pd: ZERO, ss: v128.const(((1n << 96n) - 1n) << 32n), sd: v128.const(((1n << 64n) - 1n) << 64n),
};

const magnitude = (d: 0 | 1, a: V128): V128 => floats[d].abs(a);
const isZero = (d: 0 | 1, a: V128): V128 => floats[d].eq(a, ZERO);
/** Normal and finite, lane by lane. */
const normal = (d: 0 | 1, a: V128): V128 => v128.and(floats[d].ge(magnitude(d, a), NORMAL[d]), floats[d].lt(magnitude(d, a), INFINITY[d]));
/** Normal or zero: no operand raises an exception. */
const ordinary = (d: 0 | 1, a: V128): V128 => v128.or(isZero(d, a), normal(d, a));
const everywhere = (kind: Kind, lanes: V128): I32 => words[isDouble(kind)].all_true(kind === 'ps' || kind === 'pd' ? lanes : v128.or(lanes, OTHERS[kind]));

type Arithmetic = 'add' | 'sub' | 'mul' | 'div';

/** Writes the lanes that the instruction is about. */
function write(o: SimdOperands, kind: Kind, value: V128): void {
  if (kind === 'ps' || kind === 'pd') o.set(0, value);
  else o.setLow(0, kind === 'ss' ? 4 : 8, value);
}

/** Fast where `settled` holds, else by JavaScript. */
function either(o: SimdOperands, kind: Kind, a: V128, b: V128, value: V128, settled: I32): void {
  o.e.if(settled, () => write(o, kind, value), () => {
    slowly(o, a, b);
    write(o, kind, result(o));
  }, true);
}

const arithmetic = (name: Arithmetic, kind: Kind): Definition =>
  simd((o) => {
    const d = isDouble(kind);
    const b = o.get(1);
    const a = o.get(0);
    const value = o.e.let(floats[d][name](a, b));
    // Products and quotients of numbers that are not zero may be tiny, or underflow to zero.
    const zeros = name === 'mul' ? v128.or(isZero(d, a), isZero(d, b)) : name === 'div' ? isZero(d, a) : isZero(d, value);
    const fits = v128.or(normal(d, value), v128.and(zeros, isZero(d, value)));
    const lanes = v128.and(fits, v128.and(ordinary(d, a), ordinary(d, b)));
    either(o, kind, a, b, value, all(plainMode(o), inexactRaised(o), everywhere(kind, lanes)));
  });

/** The second operand where neither is less: that is what the host's pseudo-minimum gives with operands exchanged. */
const extremum = (name: 'pmin' | 'pmax', kind: Kind): Definition =>
  simd((o) => {
    const d = isDouble(kind);
    const b = o.get(1);
    const a = o.get(0);
    const value = o.e.let(floats[d][name](b, a));
    either(o, kind, a, b, value, i32.and(plainMode(o), everywhere(kind, v128.and(ordinary(d, a), ordinary(d, b)))));
  });

const squareRoot = (kind: Kind): Definition =>
  simd((o) => {
    const d = isDouble(kind);
    const b = o.get(1);
    const value = o.e.let(floats[d].sqrt(b));
    const lanes = v128.and(ordinary(d, b), floats[d].eq(value, value));
    either(o, kind, ZERO, b, value, all(plainMode(o), inexactRaised(o), everywhere(kind, lanes)));
  });

type Predicate = (d: 0 | 1, a: V128, b: V128) => V128;
const predicates: readonly Predicate[] = [
  (d, a, b) => floats[d].eq(a, b), (d, a, b) => floats[d].lt(a, b), (d, a, b) => floats[d].le(a, b),
  (d, a, b) => v128.or(floats[d].ne(a, a), floats[d].ne(b, b)),
];
/** Predicates 4 to 7 are the opposites of 0 to 3. */
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
    either(o, kind, a, b, value.get, i32.and(plainMode(o), everywhere(kind, v128.and(ordinary(d, a), ordinary(d, b)))));
  });

/** ZF, PF, CF: 100 equal, 001 less, 000 greater, 111 unordered. JavaScript leaves them as the result. */
const compareFlags = (kind: 'ss' | 'sd'): Definition =>
  simd((o) => {
    const { e } = o;
    const d = isDouble(kind);
    const b = o.get(1);
    const a = o.get(0);
    const flags = e.variable(i32.const(0));
    const usual = i32.and(plainMode(o), everywhere(kind, v128.and(ordinary(d, a), ordinary(d, b))));
    e.if(usual, () => {
      const first = (lanes: V128): I32 => i32.and(i32x4.extract_lane(lanes, 0), i32.const(1));
      const equal = i32.shl(first(floats[d].eq(a, b)), i32.const(6));
      e.assign(flags, i32.or(equal, first(floats[d].lt(a, b))));
    }, () => {
      slowly(o, a, b);
      e.assign(flags, e.state('i32.load', VT));
    }, true);
    unpackFlags(e, flags.get);
  });

// ── conversions ──

/** A number or vector as JavaScript converts it. */
const converted: Definition = simd((o) => {
  const b = o.get(1);
  slowly(o, ZERO, b);
  o.set(0, result(o));
});
const convertedLow = (bytes: 4 | 8): Definition =>
  simd((o) => {
    const b = o.get(1);
    slowly(o, o.get(0), b);
    o.setLow(0, bytes, result(o));
  });

/** From an integer register: double precision holds 32 bits exactly. */
const fromInteger = (kind: 'ss' | 'sd'): Definition =>
  simd((o) => {
    const { e } = o;
    const size = o.wide;
    const source = e.let(o.general(1, size));
    if (size === 32 && kind === 'sd') {
      o.setLow(0, 8, low64(i64.reinterpret_f64(f64.convert_i32_s(i32.wrap_i64(source)))));
      return;
    }
    const number = size === 32 ? i64.extend32_s(source) : source;
    const bits = kind === 'sd' ? i64.reinterpret_f64(f64.convert_i64_s(number)) : i64.extend_i32_u(i32.reinterpret_f32(f32.convert_i64_s(number)));
    const value = e.let(low64(bits));
    e.if(i32.and(plainMode(o), inexactRaised(o)), () => o.setLow(0, kind === 'sd' ? 8 : 4, value), () => {
      slowly(o, low64(i64.const(size)), low64(source));
      o.setLow(0, kind === 'sd' ? 8 : 4, result(o));
    }, true);
  }, { bySize: true });

/** To an integer register; JavaScript is told the size in the first operand. */
const toInteger = (kind: 'ss' | 'sd', truncate: boolean): Definition =>
  simd((o) => {
    const { e } = o;
    const size = o.wide;
    const b = o.get(1);
    const value = e.let(kind === 'sd' ? f64x2.extract_lane(b, 0) : f64.promote_f32(f32x4.extract_lane(b, 0)));
    const rounded = e.let(truncate ? f64.trunc(value) : f64.nearest(value));
    const limit = size === 64 ? 2 ** 63 : 2 ** 31;
    const inRange = i32.and(f64.ge(rounded, f64.const(-limit)), f64.lt(rounded, f64.const(limit)));
    const silent = i32.or(f64.eq(rounded, value), inexactRaised(o));
    const usual = all(plainMode(o), inRange, silent, everywhere(kind, ordinary(isDouble(kind), b)));
    e.if(usual, () => o.setGeneral(0, size, i64.trunc_sat_f64_s(rounded)), () => {
      slowly(o, low64(i64.const(size)), b);
      o.setGeneral(0, size, i64x2.extract_lane(result(o), 0));
    }, true);
  }, { bySize: true });

/** Two operands, all by JavaScript. */
const executed: Body = (o) => {
  const b = o.get(1);
  slowly(o, o.get(0), b);
  o.set(0, result(o));
};

/** INSERTPS: memory has the one lane, whichever the immediate names. */
const insertion: Definition = simd((o) => {
  const b = o.get(1);
  slowly(o, o.get(0), o.isMemory(1) ? o.e.let(i32x4.splat(i32x4.extract_lane(b, 0))) : b);
  o.set(0, result(o));
});

const ofAll = (names: readonly string[], make: (kind: Kind) => Definition, kinds: readonly Kind[] = KINDS): [string, Definition][] =>
  names.flatMap((name) => kinds.map((kind): [string, Definition] => [name + kind, make(kind)]));

/** LDMXCSR and STMXCSR; reserved bits are #GP. */
const loadControl: Definition = simd((o) => {
  const { e } = o;
  const value = e.let(i32.wrap_i64(e.load('u32', o.address(4, false))));
  e.if(i32.and(value, i32.const(~0xffff)), () => e.service('generalProtection'), undefined, false);
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
  ['cvtsi2ss', fromInteger('ss')], ['cvtsi2sd', fromInteger('sd')],
  ['cvttss2si', toInteger('ss', true)], ['cvttsd2si', toInteger('sd', true)], ['cvtss2si', toInteger('ss', false)], ['cvtsd2si', toInteger('sd', false)],
  ...['cvtps2pd', 'cvtpd2ps', 'cvtdq2ps', 'cvtps2dq', 'cvttps2dq', 'cvttpd2dq', 'cvtpd2dq', 'cvtdq2pd', 'cvttps2pi', 'cvttpd2pi', 'cvtps2pi', 'cvtpd2pi', 'rcpps', 'rsqrtps', 'roundps', 'roundpd'].map((name): [string, Definition] => [name, converted]),
  ['cvtpi2pd', converted], ['cvtpi2ps', convertedLow(8)],
  ['cvtss2sd', convertedLow(8)], ['cvtsd2ss', convertedLow(4)], ['rcpss', convertedLow(4)], ['rsqrtss', convertedLow(4)], ['roundss', convertedLow(4)], ['roundsd', convertedLow(8)],
  ...['haddps', 'haddpd', 'hsubps', 'hsubpd', 'addsubps', 'addsubpd', 'dpps', 'dppd', 'mpsadbw'].map((name): [string, Definition] => [name, simd(executed)]),
  ['insertps', insertion],
  ['ldmxcsr', loadControl], ['stmxcsr', storeControl],
]);
