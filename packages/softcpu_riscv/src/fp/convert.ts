/** Conversions (unprivileged specification, "Floating-Point Conversion and Move Instructions" of F and D). Exactness is seen by converting back. */
import { f32, f64, i32, i64 } from '@axvisor/softcpu';
import type { Emit, Emitter, F64, I32, I64 } from '@axvisor/softcpu';
import type { InsnName } from '../isa/table.ts';
import { all, boxed, checkMode, double, guarded, isNearestEven, mode, raiseInexactIf, setDouble, setSingle, single, slow } from './context.ts';

const RTZ = 1;

/** An integer type: bounds that the rounded value must keep (lowest, and the first beyond the highest), and the conversion within them. */
interface IntegerType {
  readonly low: number;
  readonly beyond: number;
  readonly convert: (value: F64) => I64;
}
const integerTypes = {
  w: { low: -(2 ** 31), beyond: 2 ** 31, convert: (x) => i64.extend_i32_s(i32.trunc_sat_f64_s(x)) },
  wu: { low: 0, beyond: 2 ** 32, convert: (x) => i64.extend_i32_s(i32.trunc_sat_f64_u(x)) },
  l: { low: -(2 ** 63), beyond: 2 ** 63, convert: (x) => i64.trunc_sat_f64_s(x) },
  lu: { low: 0, beyond: 2 ** 64, convert: (x) => i64.trunc_sat_f64_u(x) },
} as const satisfies Record<string, IntegerType>;
type IntegerName = keyof typeof integerTypes;

/** A value in double precision, converted to an integer if it is one that fits after rounding. */
function toInteger(e: Emitter, name: `fcvt.${IntegerName}.${'s' | 'd'}`, type: IntegerType, value: F64, usable: I32): void {
  const rounding = mode(e);
  const rounded = e.variable(f64.trunc(value));
  e.if(i32.ne(rounding, i32.const(RTZ)), () => e.assign(rounded, e.call('fpIntegral', 'f64', [value, rounding])));
  const fits = all(usable, f64.ge(rounded.get, f64.const(type.low)), f64.lt(rounded.get, f64.const(type.beyond)));
  e.if(fits, () => {
    e.setReg('rd', type.convert(rounded.get));
    raiseInexactIf(e, f64.ne(rounded.get, value));
  }, () => slow(e, name, rounding), true);
}

function doubleToInteger(type: IntegerName): Emit {
  return guarded((e) => toInteger(e, `fcvt.${type}.d`, integerTypes[type], e.let(double(e.reg('rs1'))), i32.const(1)));
}

function singleToInteger(type: IntegerName): Emit {
  return guarded((e) => {
    const bits = e.let(e.reg('rs1'));
    toInteger(e, `fcvt.${type}.s`, integerTypes[type], e.let(f64.promote_f32(single(bits))), boxed(bits));
  });
}

/** The integer operand as a number, exactly for 32-bit types. */
const wordToDouble = {
  w: (x: I64): F64 => f64.convert_i32_s(i32.wrap_i64(x)),
  wu: (x: I64): F64 => f64.convert_i32_u(i32.wrap_i64(x)),
} as const;

function wordToDoubleExact(type: 'w' | 'wu'): Emit {
  return guarded((e) => {
    checkMode(e, mode(e));
    setDouble(e, wordToDouble[type](e.reg('rs1')));
  });
}

/** Writes a result rounded to nearest even if that is wanted or it is exact. */
function settle(e: Emitter, name: Extract<InsnName, `fcvt.${'s' | 'd'}.${string}`>, exact: I32, ordinary: I32, rounding: I32, write: () => void): void {
  const isExact = e.let(exact);
  const nearest = i32.and(isNearestEven(rounding), ordinary);
  e.if(i32.and(i32.or(isExact, nearest), i32.lt_u(rounding, i32.const(5))), () => {
    // Before rd: the operands may be gone behind it.
    raiseInexactIf(e, i32.eqz(isExact));
    write();
  }, () => slow(e, name, rounding), true);
}

function wordToSingle(type: 'w' | 'wu'): Emit {
  return guarded((e) => {
    const value = e.let(wordToDouble[type](e.reg('rs1')));
    const result = e.let(f32.demote_f64(value));
    settle(e, `fcvt.s.${type}`, f64.eq(f64.promote_f32(result), value), i32.const(1), mode(e), () => setSingle(e, result));
  });
}

/** 64-bit types: converting back tells, unless it saturates at the bound that only an inexact conversion reaches. */
const longs = {
  l: { toDouble: f64.convert_i64_s, toSingle: f32.convert_i64_s, back: i64.trunc_sat_f64_s, beyond: 2 ** 63 },
  lu: { toDouble: f64.convert_i64_u, toSingle: f32.convert_i64_u, back: i64.trunc_sat_f64_u, beyond: 2 ** 64 },
} as const;

function longToDouble(type: 'l' | 'lu'): Emit {
  const { toDouble, back, beyond } = longs[type];
  return guarded((e) => {
    const value = e.let(e.reg('rs1'));
    const result = e.let(toDouble(value));
    const exact = i32.and(i64.eq(back(result), value), f64.lt(result, f64.const(beyond)));
    settle(e, `fcvt.d.${type}`, exact, i32.const(1), mode(e), () => setDouble(e, result));
  });
}

function longToSingle(type: 'l' | 'lu'): Emit {
  const { toSingle, back, beyond } = longs[type];
  return guarded((e) => {
    const value = e.let(e.reg('rs1'));
    const result = e.let(toSingle(value));
    const wide = e.let(f64.promote_f32(result));
    const exact = i32.and(i64.eq(back(wide), value), f64.lt(wide, f64.const(beyond)));
    settle(e, `fcvt.s.${type}`, exact, i32.const(1), mode(e), () => setSingle(e, result));
  });
}

const doubleToSingle: Emit = guarded((e) => {
  const value = e.let(double(e.reg('rs1')));
  const result = e.let(f32.demote_f64(value));
  const magnitude = f32.abs(result);
  const ordinary = i32.and(f32.lt(magnitude, f32.const(Infinity)), f32.gt(magnitude, f32.const(2 ** -126)));
  settle(e, 'fcvt.s.d', f64.eq(f64.promote_f32(result), value), ordinary, mode(e), () => setSingle(e, result));
});

const singleToDouble: Emit = guarded((e) => {
  const bits = e.let(e.reg('rs1'));
  const value = e.let(single(bits));
  const rounding = mode(e);
  checkMode(e, rounding);
  e.if(i32.and(boxed(bits), f32.eq(value, value)), () => setDouble(e, f64.promote_f32(value)), () => slow(e, 'fcvt.d.s', rounding), true);
});

/** Definitions by name. */
export const conversions: Readonly<Partial<Record<InsnName, Emit>>> = {
  'fcvt.w.d': doubleToInteger('w'),
  'fcvt.wu.d': doubleToInteger('wu'),
  'fcvt.l.d': doubleToInteger('l'),
  'fcvt.lu.d': doubleToInteger('lu'),
  'fcvt.w.s': singleToInteger('w'),
  'fcvt.wu.s': singleToInteger('wu'),
  'fcvt.l.s': singleToInteger('l'),
  'fcvt.lu.s': singleToInteger('lu'),
  'fcvt.d.w': wordToDoubleExact('w'),
  'fcvt.d.wu': wordToDoubleExact('wu'),
  'fcvt.d.l': longToDouble('l'),
  'fcvt.d.lu': longToDouble('lu'),
  'fcvt.s.w': wordToSingle('w'),
  'fcvt.s.wu': wordToSingle('wu'),
  'fcvt.s.l': longToSingle('l'),
  'fcvt.s.lu': longToSingle('lu'),
  'fcvt.s.d': doubleToSingle,
  'fcvt.d.s': singleToDouble,
};
