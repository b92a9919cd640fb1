/**
 * Addition to fused multiply-add (unprivileged specification, "Single-Precision Floating-Point Computational Instructions" and its
 * double-precision twin).
 *
 * The host's instruction gives the result where the mode is RNE and the result is an ordinary number: neither NaN nor infinite, nor so
 * small that it might be tiny. The only flag then is NX: once it is raised nothing is left to find out, before that the error is computed.
 */
import { f32, f64, i32 } from '@axvisor/softcpu';
import type { Emit, Emitter, F32, F64, I32 } from '@axvisor/softcpu';
import type { InsnName } from '../isa/table.ts';
import { all, boxed, double, guarded, inexactRaised, isNearestEven, mode, setDouble, setSingle, single, slow } from './context.ts';

type Arithmetic = 'fadd' | 'fsub' | 'fmul' | 'fdiv';

const SMALLEST_NORMAL = { s: 2 ** -126, d: 2 ** -1022 } as const;

/** What differs between the four operations. Sums of small numbers are exact, so only products and quotients can be tiny. */
interface Shape {
  readonly operation: 'add' | 'sub' | 'mul' | 'div';
  readonly note: 'Add' | 'Mul' | 'Div';
  readonly mayBeTiny: boolean;
  /** Operands one of which is zero where a zero result is exact. */
  readonly zeros: readonly ('a' | 'b')[];
}
const shapes: Readonly<Record<Arithmetic, Shape>> = {
  fadd: { operation: 'add', note: 'Add', mayBeTiny: false, zeros: [] },
  fsub: { operation: 'sub', note: 'Add', mayBeTiny: false, zeros: [] },
  fmul: { operation: 'mul', note: 'Mul', mayBeTiny: true, zeros: ['a', 'b'] },
  fdiv: { operation: 'div', note: 'Div', mayBeTiny: true, zeros: ['a'] },
};

/**
 * Writes a result that is right if `ordinary` or `trivial` is; the latter results are exact. `note` finds out about NX.
 * Most often the result is ordinary and NX was raised long ago: one test says so.
 */
function settle(e: Emitter, ordinary: I32, note: () => I32, trivial: I32, write: () => void, otherwise: () => void): void {
  const usual = e.let(ordinary);
  e.if(i32.and(usual, inexactRaised(e)), write, () => {
    const settled = e.variable(usual);
    e.if(usual, () => e.assign(settled, note()));
    e.if(settled.get, write, () => e.if(trivial, write, otherwise), true);
  }, true);
}

function arithmeticDouble(name: Arithmetic): Emit {
  const { operation, note, mayBeTiny, zeros } = shapes[name];
  return guarded((e) => {
    const operands = { a: e.let(double(e.reg('rs1'))), b: e.let(double(e.reg('rs2'))) };
    const { a, b } = operands;
    const result = e.let(f64[operation](a, b));
    const rounding = mode(e);
    const nearest = isNearestEven(rounding);
    const magnitude = f64.abs(result);
    const finite = f64.lt(magnitude, f64.const(Infinity));
    const ordinary = mayBeTiny ? all(nearest, finite, f64.gt(magnitude, f64.const(SMALLEST_NORMAL.d))) : all(nearest, finite);
    const isZero = (x: F64): I32 => f64.eq(x, f64.const(0));
    const trivial = zeros.length === 0 ? i32.const(0) : all(nearest, isZero(result), zeros.map((k) => isZero(operands[k])).reduce((x, y) => i32.or(x, y)));
    const addend = operation === 'sub' ? f64.neg(b) : b;
    settle(e, ordinary, () => e.call(`fpNote${note}64`, 'i32', [a, addend, result]), trivial, () => setDouble(e, result), () => slow(e, `${name}.d`, rounding));
  });
}

function arithmeticSingle(name: Arithmetic): Emit {
  const { operation, note, mayBeTiny, zeros } = shapes[name];
  return guarded((e) => {
    const x = e.let(e.reg('rs1'));
    const y = e.let(e.reg('rs2'));
    const operands = { a: e.let(single(x)), b: e.let(single(y)) };
    const { a, b } = operands;
    const result = e.let(f32[operation](a, b));
    const rounding = mode(e);
    const usable = all(isNearestEven(rounding), boxed(x, y));
    const magnitude = f32.abs(result);
    const finite = f32.lt(magnitude, f32.const(Infinity));
    const ordinary = mayBeTiny ? all(usable, finite, f32.gt(magnitude, f32.const(SMALLEST_NORMAL.s))) : all(usable, finite);
    const isZero = (v: F32): I32 => f32.eq(v, f32.const(0));
    const trivial = zeros.length === 0 ? i32.const(0) : all(usable, isZero(result), zeros.map((k) => isZero(operands[k])).reduce((v, w) => i32.or(v, w)));
    const addend = operation === 'sub' ? f32.neg(b) : b;
    settle(e, ordinary, () => e.call(`fpNote${note}32`, 'i32', [a, addend, result]), trivial, () => setSingle(e, result), () => slow(e, `${name}.s`, rounding));
  });
}

const sqrtDouble: Emit = guarded((e) => {
  const a = e.let(double(e.reg('rs1')));
  const result = e.let(f64.sqrt(a));
  const rounding = mode(e);
  const ordinary = all(isNearestEven(rounding), f64.lt(result, f64.const(Infinity)));
  settle(e, ordinary, () => e.call('fpNoteSqrt64', 'i32', [a, result]), i32.const(0), () => setDouble(e, result), () => slow(e, 'fsqrt.d', rounding));
});

const sqrtSingle: Emit = guarded((e) => {
  const x = e.let(e.reg('rs1'));
  const a = e.let(single(x));
  const result = e.let(f32.sqrt(a));
  const rounding = mode(e);
  const ordinary = all(isNearestEven(rounding), boxed(x), f32.lt(result, f32.const(Infinity)));
  settle(e, ordinary, () => e.call('fpNoteSqrt32', 'i32', [a, result]), i32.const(0), () => setSingle(e, result), () => slow(e, 'fsqrt.s', rounding));
});

/** Whether product and addend are negated. */
const fused = { fmadd: [false, false], fmsub: [false, true], fnmsub: [true, false], fnmadd: [true, true] } as const;
type Fused = keyof typeof fused;

function fusedDouble(name: Fused): Emit {
  const [product, addend] = fused[name];
  return guarded((e) => {
    const rounding = mode(e);
    const result = e.variable(f64.const(Number.NaN));
    e.if(isNearestEven(rounding), () => {
      const a = double(e.reg('rs1'));
      const c = double(e.reg('rs3'));
      e.assign(result, e.call('fpFused64', 'f64', [product ? f64.neg(a) : a, double(e.reg('rs2')), addend ? f64.neg(c) : c]));
    });
    e.if(f64.eq(result.get, result.get), () => setDouble(e, result.get), () => slow(e, `${name}.d`, rounding), true);
  });
}

function fusedSingle(name: Fused): Emit {
  const [product, addend] = fused[name];
  return guarded((e) => {
    const rounding = mode(e);
    const [x, y, z] = [e.let(e.reg('rs1')), e.let(e.reg('rs2')), e.let(e.reg('rs3'))];
    const result = e.variable(f32.const(Number.NaN));
    e.if(all(isNearestEven(rounding), boxed(x, y, z)), () => {
      const a = single(x);
      const c = single(z);
      e.assign(result, e.call('fpFused32', 'f32', [product ? f32.neg(a) : a, single(y), addend ? f32.neg(c) : c]));
    });
    e.if(f32.eq(result.get, result.get), () => setSingle(e, result.get), () => slow(e, `${name}.s`, rounding), true);
  });
}

/** Definitions by name. */
export const arithmetic: Readonly<Partial<Record<InsnName, Emit>>> = {
  'fadd.d': arithmeticDouble('fadd'),
  'fsub.d': arithmeticDouble('fsub'),
  'fmul.d': arithmeticDouble('fmul'),
  'fdiv.d': arithmeticDouble('fdiv'),
  'fsqrt.d': sqrtDouble,
  'fmadd.d': fusedDouble('fmadd'),
  'fmsub.d': fusedDouble('fmsub'),
  'fnmsub.d': fusedDouble('fnmsub'),
  'fnmadd.d': fusedDouble('fnmadd'),
  'fadd.s': arithmeticSingle('fadd'),
  'fsub.s': arithmeticSingle('fsub'),
  'fmul.s': arithmeticSingle('fmul'),
  'fdiv.s': arithmeticSingle('fdiv'),
  'fsqrt.s': sqrtSingle,
  'fmadd.s': fusedSingle('fmadd'),
  'fmsub.s': fusedSingle('fmsub'),
  'fnmsub.s': fusedSingle('fnmsub'),
  'fnmadd.s': fusedSingle('fnmadd'),
};
