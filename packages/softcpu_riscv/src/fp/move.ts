/**
 * Loads, stores, moves, sign injection, comparison, minimum and maximum, classification (unprivileged specification, F and D extensions):
 * what never rounds.
 */
import { f32, f64, i32, i64, select } from '@axvisor/softcpu';
import type { Emit, Emitter, I32, I64 } from '@axvisor/softcpu';
import type { InsnName } from '../isa/table.ts';
import { all, boxed, double, guarded, markDirty, setDouble, setSingle, setSingleBits, single, slow } from './context.ts';

const address = (e: Emitter): I64 => i64.add(e.reg('rs1'), e.field64('imm'));

const flw: Emit = guarded((e) => setSingleBits(e, i32.wrap_i64(e.load('u32', address(e)))));
const fld: Emit = guarded((e) => {
  e.setReg('rd', e.load('u64', address(e)));
  markDirty(e);
});
const fsw: Emit = guarded((e) => e.store(4, address(e), e.reg('rs2')));
const fsd: Emit = guarded((e) => e.store(8, address(e), e.reg('rs2')));

const moveToInteger: Emit = guarded((e) => e.setReg('rd', e.reg('rs1')));
const moveWordToInteger: Emit = guarded((e) => e.setReg('rd', i64.extend32_s(e.reg('rs1'))));
const moveFromInteger: Emit = guarded((e) => {
  e.setReg('rd', e.reg('rs1'));
  markDirty(e);
});
const moveWordFromInteger: Emit = guarded((e) => setSingleBits(e, i32.wrap_i64(e.reg('rs1'))));

/** Sign bits of a result from those of two operands. */
type Injection = (a: I64, b: I64) => I64;
const injections = {
  fsgnj: (_, b) => b,
  fsgnjn: (_, b) => i64.xor(b, i64.const(-1)),
  fsgnjx: (a, b) => i64.xor(a, b),
} as const satisfies Record<string, Injection>;

function injectDouble(sign: Injection): Emit {
  const mask = i64.const(-(2n ** 63n));
  return guarded((e) => {
    const a = e.let(e.reg('rs1'));
    const b = e.let(e.reg('rs2'));
    e.setReg('rd', i64.or(i64.and(a, i64.const(2n ** 63n - 1n)), i64.and(sign(a, b), mask)));
    markDirty(e);
  });
}

/** Bits of a single-precision operand, the canonical NaN if it is not NaN-boxed. */
function unboxed(e: Emitter, field: string): I64 {
  const bits = e.let(e.reg(field));
  return e.let(select(boxed(bits), bits, i64.const(0x7fc00000)));
}

function injectSingle(sign: Injection): Emit {
  return guarded((e) => {
    const a = unboxed(e, 'rs1');
    const b = unboxed(e, 'rs2');
    setSingleBits(e, i32.wrap_i64(i64.or(i64.and(a, i64.const(0x7fffffff)), i64.and(sign(a, b), i64.const(0x80000000)))));
  });
}

const relations = { feq: 'eq', flt: 'lt', fle: 'le' } as const;
type Comparison = keyof typeof relations;

function compareDouble(name: Comparison): Emit {
  return guarded((e) => {
    const a = e.let(double(e.reg('rs1')));
    const b = e.let(double(e.reg('rs2')));
    const holds = f64[relations[name]](a, b);
    e.if(all(f64.eq(a, a), f64.eq(b, b)), () => e.setReg('rd', i64.extend_i32_u(holds)), () => slow(e, `${name}.d`), true);
  });
}

function compareSingle(name: Comparison): Emit {
  return guarded((e) => {
    const x = e.let(e.reg('rs1'));
    const y = e.let(e.reg('rs2'));
    const a = e.let(single(x));
    const b = e.let(single(y));
    const holds = f32[relations[name]](a, b);
    e.if(all(boxed(x, y), f32.eq(a, a), f32.eq(b, b)), () => e.setReg('rd', i64.extend_i32_u(holds)), () => slow(e, `${name}.s`), true);
  });
}

// WebAssembly's minimum orders -0 below +0 as RISC-V's does; it differs only where there is a NaN, and then yields one.
function minMaxDouble(name: 'fmin' | 'fmax'): Emit {
  return guarded((e) => {
    const result = e.let(f64[name === 'fmin' ? 'min' : 'max'](double(e.reg('rs1')), double(e.reg('rs2'))));
    e.if(f64.eq(result, result), () => setDouble(e, result), () => slow(e, `${name}.d`), true);
  });
}

function minMaxSingle(name: 'fmin' | 'fmax'): Emit {
  return guarded((e) => {
    const x = e.let(e.reg('rs1'));
    const y = e.let(e.reg('rs2'));
    const result = e.let(f32[name === 'fmin' ? 'min' : 'max'](single(x), single(y)));
    e.if(all(boxed(x, y), f32.eq(result, result)), () => setSingle(e, result), () => slow(e, `${name}.s`), true);
  });
}

/** The class bit (fclass's table) of an encoding in an i64. */
function classBit(e: Emitter, bits: I64, format: { readonly sign: bigint; readonly infinity: bigint; readonly fraction: bigint }): I64 {
  const magnitude = e.let(i64.and(bits, i64.const(format.sign - 1n)));
  const belowOrElse = (bound: bigint, then: I32, otherwise: I32): I32 => select(i64.lt_u(magnitude, i64.const(bound)), then, otherwise);
  // Of a positive number: zero 4, subnormal 5, normal 6, infinite 7; negative ones mirror them.
  const finite = belowOrElse(1n, i32.const(4), belowOrElse(format.fraction, i32.const(5), belowOrElse(format.infinity, i32.const(6), i32.const(7))));
  const positive = e.let(finite);
  const negative = i64.ne(i64.and(bits, i64.const(format.sign)), i64.const(0));
  const quiet = i64.ne(i64.and(bits, i64.const(format.fraction >> 1n)), i64.const(0));
  const nan = i32.add(i32.const(8), quiet);
  const number = select(negative, i32.sub(i32.const(7), positive), positive);
  const index = select(i64.gt_u(magnitude, i64.const(format.infinity)), nan, number);
  return i64.shl(i64.const(1), i64.extend_i32_u(index));
}

const classifyDouble: Emit = guarded((e) => {
  e.setReg('rd', classBit(e, e.let(e.reg('rs1')), { sign: 1n << 63n, infinity: 0x7ffn << 52n, fraction: 1n << 52n }));
});
const classifySingle: Emit = guarded((e) => {
  e.setReg('rd', classBit(e, unboxed(e, 'rs1'), { sign: 1n << 31n, infinity: 0xffn << 23n, fraction: 1n << 23n }));
});

/** Definitions by name. */
export const moves: Readonly<Partial<Record<InsnName, Emit>>> = {
  flw,
  fld,
  fsw,
  fsd,
  'fmv.x.w': moveWordToInteger,
  'fmv.w.x': moveWordFromInteger,
  'fmv.x.d': moveToInteger,
  'fmv.d.x': moveFromInteger,
  'fsgnj.s': injectSingle(injections.fsgnj),
  'fsgnjn.s': injectSingle(injections.fsgnjn),
  'fsgnjx.s': injectSingle(injections.fsgnjx),
  'fsgnj.d': injectDouble(injections.fsgnj),
  'fsgnjn.d': injectDouble(injections.fsgnjn),
  'fsgnjx.d': injectDouble(injections.fsgnjx),
  'feq.s': compareSingle('feq'),
  'flt.s': compareSingle('flt'),
  'fle.s': compareSingle('fle'),
  'feq.d': compareDouble('feq'),
  'flt.d': compareDouble('flt'),
  'fle.d': compareDouble('fle'),
  'fmin.s': minMaxSingle('fmin'),
  'fmax.s': minMaxSingle('fmax'),
  'fmin.d': minMaxDouble('fmin'),
  'fmax.d': minMaxDouble('fmax'),
  'fclass.s': classifySingle,
  'fclass.d': classifyDouble,
};
