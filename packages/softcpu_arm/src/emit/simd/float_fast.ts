/**
 * Scalar floating point on the host's arithmetic, where that is exactly right: FPCR is 0 (round to nearest, nothing flushed), and the
 * result is an ordinary number. The only exception it can raise is inexact: found by error-free transformations until FPSR.IXC is set. What is
 * not settled here is left to JavaScript.
 */
import { f32, f32x4, f64, f64x2, floatFunctions, i32, i64, select, v128 } from '@axvisor/softcpu';
import type { Block, Emit, Emitter, Expr, F64, FunctionDefinition, I32, I64, RaiseInexactIf, V128 } from '@axvisor/softcpu';
import { op } from '../../isa/table.ts';
import { FPCR, FPSR } from '../../state.ts';
import { source, target, vector } from '../define.ts';
import type { Definition, Definitions, RecordLayout } from '../define.ts';
import { floatFlags } from '../flags.ts';
import { FP_EXEC } from '../host.ts';
import { IXC, raiseInexact } from './inexact.ts';
import { guarded } from './lanes.ts';

type Float = 'f32' | 'f64';
type Binary = 'add' | 'sub' | 'mul' | 'div' | 'min' | 'max';
type Unary = 'abs' | 'neg' | 'sqrt' | 'nearest' | 'trunc' | 'floor' | 'ceil';
type Compare = 'eq' | 'ne' | 'lt' | 'gt' | 'ge';

/** One of the host's precisions. */
interface Precision<T extends Float = Float>
  extends Readonly<Record<Binary, (a: Expr<T>, b: Expr<T>) => Expr<T>>>, Readonly<Record<Unary, (a: Expr<T>) => Expr<T>>>, Readonly<Record<Compare, (a: Expr<T>, b: Expr<T>) => I32>> {
  readonly const: (value: number) => Expr<T>;
  readonly get: (e: Emitter, field: string) => Expr<T>;
  /** A register that holds it. */
  readonly whole: (value: Expr<T>) => V128;
  readonly wide: (value: Expr<T>) => F64;
  readonly smallestNormal: number;
  /** Raises the inexact exception if it is due; 0 where that is not known. */
  readonly note: (e: Block, kind: 'Add' | 'Mul' | 'Div' | 'Sqrt', ...operands: Expr<T>[]) => I32;
  /** a × b + c with one rounding, NaN where it is not known. */
  readonly fused: (e: Block, a: Expr<T>, b: Expr<T>, c: Expr<T>) => Expr<T>;
}
const NOTHING = v128.const(0n);
const single: Precision<'f32'> = {
  ...f32,
  get: (e, field) => e.vector('f32.load', e.field(field)),
  whole: (value) => f32x4.replace_lane(NOTHING, 0, value),
  wide: f64.promote_f32,
  smallestNormal: 2 ** -126,
  note: (e, kind, ...operands) => e.call(`fpNote${kind}32`, 'i32', operands),
  fused: (e, a, b, c) => e.call('fpFused32', 'f32', [a, b, c]),
};
const double: Precision<'f64'> = {
  ...f64,
  get: (e, field) => e.vector('f64.load', e.field(field)),
  whole: (value) => f64x2.replace_lane(NOTHING, 0, value),
  wide: (value) => value,
  smallestNormal: 2 ** -1022,
  note: (e, kind, ...operands) => e.call(`fpNote${kind}64`, 'i32', operands),
  fused: (e, a, b, c) => e.call('fpFused64', 'f64', [a, b, c]),
};

const zero = i64.const(0);
/** FPCR is 0. */
export const plainMode = (e: Emitter): I32 => i32.eqz(e.state('i32.load', FPCR));
/** FPSR.IXC, as 0 or 1. */
export const inexactRaised = (e: Emitter): I32 => i32.ne(i32.and(e.state('i32.load', FPSR), i32.const(IXC)), i32.const(0));

function set<T extends Float>(e: Emitter, p: Precision<T>, value: Expr<T>): void {
  e.setVector('v128.store', e.field('d'), p.whole(value));
}

/** An instruction executed by JavaScript. */
export const slowly =
  (name: string) =>
  (e: Emitter): void =>
    void e.call(FP_EXEC, 'i32', [i32.const(op.get(name) as number), e.field('bits')]);

const raiseInexactIf: RaiseInexactIf = raiseInexact;
/** Functions that the definitions call. */
export const fastFloatFunctions: Readonly<Record<string, FunctionDefinition>> = Object.fromEntries(
  Object.entries(floatFunctions(raiseInexactIf)).filter(([name]) => name !== 'fpIntegral'),
);

/** An instruction with handlers for single and double precision, and JavaScript for half. */
function bySingleDouble(name: string, record: RecordLayout, emit: <T extends Float>(p: Precision<T>, slow: (e: Emitter) => void) => Emit): Definition {
  const slow = slowly(name);
  const variants = [emit(single, slow), emit(double, slow), slow].map(guarded);
  return { record, variants, select: (get) => Math.min(get('ftype'), 2) };
}

const two: RecordLayout = { d: vector('Rd'), n: vector('Rn') };
const three: RecordLayout = { ...two, m: vector('Rm') };

const NOTES = { add: 'Add', sub: 'Add', mul: 'Mul', div: 'Div' } as const;

/** Writes a result that is right if `right` is; while FPSR.IXC is clear `note` finds out about it, and answers 0 if it cannot. */
function settle(e: Emitter, right: I32, note: () => I32, write: () => void, slow: () => void): void {
  const usual = e.let(right);
  e.if(i32.and(usual, inexactRaised(e)), write, () => {
    const settled = e.variable(usual);
    e.if(usual, () => e.assign(settled, note()));
    e.if(settled.get, write, slow, true);
  }, true);
}

/** Products and quotients may be tiny; where one of `zeros` is zero, so is the result, exactly. */
const arithmetic = (name: string, operation: 'add' | 'sub' | 'mul' | 'div', zeros: readonly ('a' | 'b')[], negate = false): Definition =>
  bySingleDouble(name, three, (p, slow) => (e) => {
    const operands = { a: e.let(p.get(e, 'n')), b: e.let(p.get(e, 'm')) };
    const result = e.let(p[operation](operands.a, operands.b));
    const finite = p.lt(p.abs(result), p.const(Infinity));
    const isZero = (k: 'a' | 'b'): I32 => p.eq(operands[k], p.const(0));
    const ordinary = zeros.length === 0 ? finite : i32.and(finite, zeros.map(isZero).reduce((x, y) => i32.or(x, y), p.gt(p.abs(result), p.const(p.smallestNormal))));
    const write = (): void => set(e, p, negate ? p.neg(result) : result);
    const addend = operation === 'sub' ? p.neg(operands.b) : operands.b;
    const note = (): I32 => p.note(e, NOTES[operation], operands.a, addend, result);
    settle(e, i32.and(plainMode(e), ordinary), () => {
      if (zeros.length === 0) return note();
      // Nothing is inexact, and nothing to be found, where the result is zero for that.
      const known = e.variable(zeros.map(isZero).reduce((x, y) => i32.or(x, y)));
      e.if(i32.eqz(known.get), () => e.assign(known, note()));
      return known.get;
    }, write, () => slow(e));
  });

/** Which of product and addend are negated; NaN stands for what the function does not settle. */
const fused = (name: string, product: boolean, addend: boolean): Definition =>
  bySingleDouble(name, { ...three, a: vector('Ra') }, (p, slow) => (e) => {
    const result = e.variable(p.const(Number.NaN));
    e.if(plainMode(e), () => {
      const n = p.get(e, 'n');
      const a = p.get(e, 'a');
      e.assign(result, p.fused(e, product ? p.neg(n) : n, p.get(e, 'm'), addend ? p.neg(a) : a));
    });
    e.if(p.eq(result.get, result.get), () => set(e, p, result.get), () => slow(e), true);
  });

const minMax = (name: string, operation: 'min' | 'max'): Definition =>
  bySingleDouble(name, three, (p, slow) => (e) => {
    const result = e.let(p[operation](p.get(e, 'n'), p.get(e, 'm')));
    e.if(i32.and(plainMode(e), p.eq(result, result)), () => set(e, p, result), () => slow(e), true);
  });

const sqrt: Definition = bySingleDouble('fsqrt_f', two, (p, slow) => (e) => {
  const value = e.let(p.get(e, 'n'));
  const result = e.let(p.sqrt(value));
  settle(e, i32.and(plainMode(e), p.lt(result, p.const(Infinity))), () => p.note(e, 'Sqrt', value, result), () => set(e, p, result), () => slow(e));
});

const round = (name: string, operation: 'nearest' | 'trunc' | 'floor' | 'ceil', signals = false): Definition =>
  bySingleDouble(name, two, (p, slow) => (e) => {
    const value = e.let(p.get(e, 'n'));
    const result = e.let(p[operation](value));
    e.if(i32.and(plainMode(e), p.eq(result, result)), () => {
      if (signals) raiseInexact(e, p.ne(result, value));
      set(e, p, result);
    }, () => slow(e), true);
  });

const compare = (name: string, withZero: boolean): Definition =>
  bySingleDouble(name, { n: vector('Rn'), ...(withZero ? {} : { m: vector('Rm') }) }, (p, slow) => (e) => {
    const a = e.let(p.get(e, 'n'));
    const b = withZero ? p.const(0) : e.let(p.get(e, 'm'));
    const ordered = withZero ? p.eq(a, a) : i32.and(p.eq(a, a), p.eq(b, b));
    // JavaScript signals what is not a number; the flags follow from the operands all the same.
    e.if(i32.and(plainMode(e), ordered), () => {}, () => slow(e), true);
    e.if(plainMode(e), () => floatFlags(e, p.wide(a), p.wide(b)));
  });

/** To integers: the bounds that the rounded value must keep, lowest and the first beyond the highest. */
const integers = {
  w: { signed: { low: -(2 ** 31), beyond: 2 ** 31 }, unsigned: { low: 0, beyond: 2 ** 32 } },
  x: { signed: { low: -(2 ** 63), beyond: 2 ** 63 }, unsigned: { low: 0, beyond: 2 ** 64 } },
} as const;

/** Variants by width and precision: `emit` for single and double, JavaScript for half. */
function general(name: string, record: RecordLayout, emit: (wide: boolean, precision: 'single' | 'double', slow: (e: Emitter) => void) => Emit): Definition {
  const slow = slowly(name);
  return {
    record,
    variants: [false, true].flatMap((wide) => [emit(wide, 'single', slow), emit(wide, 'double', slow), slow]).map(guarded),
    select: (get) => get('sf') * 3 + Math.min(get('ftype'), 2),
  };
}

function toInteger(name: string, operation: 'nearest' | 'trunc' | 'floor' | 'ceil', sign: 'signed' | 'unsigned'): Definition {
  return general(name, { d: target('Rd'), n: vector('Rn') }, (wide, precision, slow) => (e) => {
    const value = e.let(precision === 'single' ? f64.promote_f32(single.get(e, 'n')) : double.get(e, 'n'));
    const rounded = e.let(f64[operation](value));
    const { low, beyond } = integers[wide ? 'x' : 'w'][sign];
    const inRange = i32.and(f64.ge(rounded, f64.const(low)), f64.lt(rounded, f64.const(beyond)));
    const result = sign === 'signed' ? i64.trunc_sat_f64_s(rounded) : i64.trunc_sat_f64_u(rounded);
    e.if(i32.and(plainMode(e), inRange), () => {
      raiseInexact(e, f64.ne(rounded, value));
      e.setReg('d', wide ? result : i64.and(result, i64.const(0xffff_ffff)));
    }, () => slow(e), true);
  });
}

/** Digits from the first to the last that is 1; of zero less than one. */
function significantBits(e: Emitter, value: I64, isSigned: boolean): I64 {
  const magnitude = isSigned ? e.let(select(i64.lt_s(value, zero), i64.sub(zero, value), value)) : value;
  return i64.sub(i64.const(64), i64.add(i64.clz(magnitude), i64.ctz(magnitude)));
}

function fromInteger(name: string, isSigned: boolean): Definition {
  return general(name, { d: vector('Rd'), n: source('Rn') }, (wide, precision, slow) => (e) => {
    const extended = e.let(wide ? e.reg('n') : isSigned ? i64.extend32_s(e.reg('n')) : i64.and(e.reg('n'), i64.const(0xffff_ffff)));
    e.if(plainMode(e), () => {
      if (wide || precision === 'single') raiseInexact(e, i64.gt_s(significantBits(e, extended, isSigned), i64.const(precision === 'single' ? 24 : 53)));
      if (precision === 'double') set(e, double, isSigned ? f64.convert_i64_s(extended) : f64.convert_i64_u(extended));
      else set(e, single, isSigned ? f32.convert_i64_s(extended) : f32.convert_i64_u(extended));
    }, () => slow(e), true);
  });
}

/** Between single and double precision, JavaScript where half is involved. */
function precision(name: string, from: number, emit: (e: Emitter, slow: (e: Emitter) => void) => void): Definition {
  const slow = slowly(name);
  return { record: two, variants: [guarded((e) => emit(e, slow)), guarded(slow)], select: (get) => (get('ftype') === from ? 0 : 1) };
}
const widen = precision('fcvt_d', 0, (e, slow) => {
  const value = e.let(single.get(e, 'n'));
  e.if(i32.and(plainMode(e), f32.eq(value, value)), () => set(e, double, f64.promote_f32(value)), () => slow(e), true);
});
const narrow = precision('fcvt_s', 1, (e, slow) => {
  const value = e.let(double.get(e, 'n'));
  const result = e.let(f32.demote_f64(value));
  const magnitude = f32.abs(result);
  const ordinary = i32.and(f32.lt(magnitude, f32.const(Infinity)), f32.gt(magnitude, f32.const(2 ** -126)));
  const exact = f64.eq(f64.promote_f32(result), value);
  const known = e.let(exact);
  e.if(i32.and(plainMode(e), i32.or(known, ordinary)), () => {
    raiseInexact(e, i32.eqz(known));
    set(e, single, result);
  }, () => slow(e), true);
});

const ROUNDINGS = { n: 'nearest', z: 'trunc', m: 'floor', p: 'ceil' } as const;

/** Definitions that replace those of JavaScript alone. */
export const fastFloat: Definitions = {
  fadd_f: arithmetic('fadd_f', 'add', []),
  fsub_f: arithmetic('fsub_f', 'sub', []),
  fmul_f: arithmetic('fmul_f', 'mul', ['a', 'b']),
  fnmul_f: arithmetic('fnmul_f', 'mul', ['a', 'b'], true),
  fdiv_f: arithmetic('fdiv_f', 'div', ['a']),
  fmadd: fused('fmadd', false, false),
  fmsub: fused('fmsub', true, false),
  fnmadd: fused('fnmadd', true, true),
  fnmsub: fused('fnmsub', false, true),
  fsqrt_f: sqrt,
  fmax_f: minMax('fmax_f', 'max'),
  fmin_f: minMax('fmin_f', 'min'),
  fmaxnm_f: minMax('fmaxnm_f', 'max'),
  fminnm_f: minMax('fminnm_f', 'min'),
  frinti_f: round('frinti_f', 'nearest'),
  frintx_f: round('frintx_f', 'nearest', true),
  fcmp_f: compare('fcmp_f', false),
  fcmpe_f: compare('fcmpe_f', false),
  fcmp_zero: compare('fcmp_zero', true),
  fcmpe_zero: compare('fcmpe_zero', true),
  fcvt_d: widen,
  fcvt_s: narrow,
  scvtf_gp: fromInteger('scvtf_gp', true),
  ucvtf_gp: fromInteger('ucvtf_gp', false),
  ...Object.fromEntries(
    (Object.keys(ROUNDINGS) as (keyof typeof ROUNDINGS)[]).flatMap((mode) => [
      [`frint${mode}_f`, round(`frint${mode}_f`, ROUNDINGS[mode])],
      [`fcvt${mode}s_gp`, toInteger(`fcvt${mode}s_gp`, ROUNDINGS[mode], 'signed')],
      [`fcvt${mode}u_gp`, toInteger(`fcvt${mode}u_gp`, ROUNDINGS[mode], 'unsigned')],
    ]),
  ),
};
