/** Data processing: arithmetic, logic, shifts, bit fields, conditional instructions (Arm ARM, C6.2). */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Emit, Emitter, Expr, I64 } from '@axvisor/softcpu';
import { decodeBitmask } from '../isa/bitmask.ts';
import { C } from '../state.ts';
import { bySf, orSp, plain, single, source, target } from './define.ts';
import type { Definition, Definitions, Get, Operand } from './define.ts';
import { addFlags, condition, logicalFlags, setFlagsFrom, subFlags } from './flags.ts';
import { W, XW } from './width.ts';
import type { Width } from './width.ts';

type Int = 'i32' | 'i64';
/** A definition for either width. */
type Generic = <T extends Int>(w: Width<T>) => Emit;
/** The second operand. */
type Second = <T extends Int>(e: Emitter, w: Width<T>) => Expr<T>;

const both = (record: Definition['record'], emit: Generic): Definition => bySf(record, emit(W), emit(XW));

type Arithmetic = 'add' | 'adds' | 'sub' | 'subs';

const arithmetic =
  (name: Arithmetic, second: Second): Generic =>
  (w) =>
  (e) => {
    const a = w.get(e, 'n');
    const operation = name.startsWith('add') ? w.add : w.sub;
    if (!name.endsWith('s')) {
      w.set(e, 'd', operation(a, second(e, w)));
      return;
    }
    const x = e.let(a);
    const y = e.let(second(e, w));
    const result = e.let(operation(x, y));
    (name === 'adds' ? addFlags : subFlags)(e, w, x, y, result);
    w.set(e, 'd', result);
  };

const NAMES: readonly Arithmetic[] = ['add', 'adds', 'sub', 'subs'];
const immediate: Second = (e, w) => w.field(e, 'imm');

/** Shift of the second operand, by variant: amount in `imm`. */
const SHIFTS = ['shl', 'shr_u', 'shr_s', 'rotr'] as const;
const shifted =
  (kind: number): Second =>
  (e, w) => w[SHIFTS[kind] as (typeof SHIFTS)[number]](w.get(e, 'm'), w.field(e, 'imm'));
const unshifted: Second = (e, w) => w.get(e, 'm');

/** Variants by width, and by kind of shift (LSL of 0 has its own). */
function withShift(record: Definition['record'], kinds: number, emit: (second: Second) => Generic): Definition {
  const seconds = [unshifted, ...Array.from({ length: kinds }, (_, kind) => shifted(kind))];
  return {
    record: { ...record, imm: plain('imm6') },
    variants: seconds.flatMap((second) => [emit(second)(W), emit(second)(XW)]),
    select: (get) => (get('shift') === 0 && get('imm6') === 0 ? 0 : (get('shift') + 1) * 2) + get('sf'),
  };
}

const extensions: readonly ((value: I64) => I64)[] = [
  (x) => i64.and(x, i64.const(0xff)),
  (x) => i64.and(x, i64.const(0xffff)),
  (x) => i64.and(x, i64.const(0xffff_ffff)),
  (x) => x,
  i64.extend8_s,
  i64.extend16_s,
  i64.extend32_s,
  (x) => x,
];

/** ExtendReg: the register extended by `option`, then shifted left. */
export const extend = (option: number, value: I64, amount: I64): I64 => i64.shl((extensions[option] as (value: I64) => I64)(value), amount);

const extended =
  (option: number): Second =>
  (<T extends Int>(e: Emitter, w: Width<T>): Expr<T> => {
    const value = extend(option, e.reg('m'), e.field64('imm'));
    return (w.bits === 32 ? i32.wrap_i64(value) : value) as unknown as Expr<T>;
  });

function addSubtract(name: Arithmetic): Definitions {
  const d = name.endsWith('s') ? target('Rd') : orSp('Rd');
  const imm: Operand = (get) => get('imm12') << (get('sh') * 12);
  return {
    [`${name}_imm`]: both({ d, n: orSp('Rn'), imm }, arithmetic(name, immediate)),
    [`${name}_shift`]: withShift({ d: target('Rd'), n: source('Rn'), m: source('Rm') }, 3, (second) => arithmetic(name, second)),
    [`${name}_ext`]: {
      record: { d, n: orSp('Rn'), m: source('Rm'), imm: plain('imm3') },
      variants: extensions.flatMap((_, option) => [arithmetic(name, extended(option))(W), arithmetic(name, extended(option))(XW)]),
      select: (get) => get('option') * 2 + get('sf'),
    },
  };
}

type Logical = 'and' | 'bic' | 'orr' | 'orn' | 'eor' | 'eon' | 'ands' | 'bics';
const logicals: Readonly<Record<Logical, readonly [operation: 'and' | 'or' | 'xor', inverted: boolean]>> = {
  and: ['and', false], bic: ['and', true], orr: ['or', false], orn: ['or', true], eor: ['xor', false], eon: ['xor', true], ands: ['and', false], bics: ['and', true],
};

const logical =
  (name: Logical, second: Second): Generic =>
  (w) =>
  (e) => {
    const [operation, inverted] = logicals[name];
    const b = second(e, w);
    const result = w[operation](w.get(e, 'n'), inverted ? w.xor(b, w.const(-1)) : b);
    if (!name.endsWith('s')) {
      w.set(e, 'd', result);
      return;
    }
    const bound = e.let(result);
    logicalFlags(e, w, bound);
    w.set(e, 'd', bound);
  };

/** A 64-bit immediate in two fields. */
const wideImmediate: Second = (<T extends Int>(e: Emitter, w: Width<T>): Expr<T> => {
  if (w.bits === 32) return e.field('imm') as unknown as Expr<T>;
  return i64.or(i64.extend_i32_u(e.field('imm')), i64.shl(e.field64('bits'), i64.const(32))) as unknown as Expr<T>;
});
const bitmask = (get: Get): bigint => decodeBitmask(get('N'), get('immr'), get('imms'), get('sf') === 1 ? 64 : 32) ?? 0n;
const low = (value: bigint): number => Number(BigInt.asIntN(32, value));
const high = (value: bigint): number => Number(BigInt.asIntN(32, value >> 32n));

function logicalImmediate(name: 'and' | 'orr' | 'eor' | 'ands'): Definition {
  const record = { d: name === 'ands' ? target('Rd') : orSp('Rd'), n: source('Rn'), imm: (get: Get) => low(bitmask(get)), high: (get: Get) => high(bitmask(get)) };
  return both(record, logical(name, wideImmediate));
}

/** MOVZ and MOVN: the value is known when it is decoded. */
const constant = (value: (get: Get) => bigint): Definition =>
  both({ d: target('Rd'), imm: (get) => low(value(get)), high: (get) => high(value(get)) }, (w) => (e) => w.set(e, 'd', wideImmediate(e, w)));
const shiftedImmediate = (get: Get): bigint => BigInt(get('imm16')) << BigInt(get('hw') * 16);

const movk: Definition = {
  record: { d: target('Rd'), n: source('Rd'), imm: plain('imm16') },
  variants: [0, 1, 2, 3].flatMap((hw) =>
    [W, XW].map((w): Emit => (e) => {
      const shift = i64.const(hw * 16);
      const kept = i64.and(w === W ? i64.and(e.reg('n'), i64.const(0xffff_ffff)) : e.reg('n'), i64.xor(i64.shl(i64.const(0xffff), shift), i64.const(-1)));
      e.setReg('d', i64.or(kept, i64.shl(e.field64('imm'), shift)));
    }),
  ),
  select: (get) => get('hw') * 2 + get('sf'),
};

/**
 * Bit fields, for imms >= immr (extraction to bit 0) and otherwise (insertion at bit width - immr); `m` and `imm` hold the two
 * shift amounts: left so that the field is at the top, then right to its place.
 */
const fieldRecord = {
  d: target('Rd'),
  n: source('Rn'),
  m: (get: Get): number => (get('sf') === 1 ? 63 : 31) - get('imms'),
  imm: (get: Get): number => {
    const bits = get('sf') === 1 ? 64 : 32;
    return get('imms') >= get('immr') ? bits - 1 - get('imms') + get('immr') : get('immr') - get('imms') - 1;
  },
};
const bitfield = (right: 'shr_s' | 'shr_u'): Definition =>
  both(fieldRecord, (w) => (e) => w.set(e, 'd', w[right](w.shl(w.get(e, 'n'), w.field(e, 'm')), w.field(e, 'imm'))));

/** BFM: where the field goes, the mask of it at its place is known when it is decoded. */
const bfm: Definition = {
  record: {
    d: target('Rd'),
    n: source('Rn'),
    m: source('Rd'),
    a: (get) => ((get('sf') === 1 ? 64 : 32) - get('immr')) % (get('sf') === 1 ? 64 : 32),
    s: (get) => get('imms'),
  },
  variants: [W, XW].flatMap((w): Emit[] => [true, false].map((extracts) => (e) => insert(e, w as Width<Int>, extracts))),
  select: (get) => get('sf') * 2 + (get('imms') >= get('immr') ? 0 : 1),
};

/** `extracts`: imms >= immr, the field of the source goes to bit 0. */
function insert(e: Emitter, w: Width<Int>, extracts: boolean): void {
  const at = w.from32(e.field('a'));
  const top = w.from32(e.field('s'));
  const bits = w.const(w.bits - 1);
  const old = w.get(e, 'm');
  const rotated = w.rotl(w.get(e, 'n'), at);
  // Bits 0 … imms of the source before rotation; after it the field lies at 0 … imms - immr, or at `at` … `at` + imms.
  const ones = w.shr_u(w.const(-1), w.sub(bits, extracts ? w.and(w.add(top, at), bits) : top));
  const mask = e.let(extracts ? ones : w.shl(ones, at));
  w.set(e, 'd', w.or(w.and(old, w.xor(mask, w.const(-1))), w.and(rotated, mask)));
}

const extr: Definition = both({ d: target('Rd'), n: source('Rn'), m: source('Rm'), imm: plain('imms') }, (w) => (e) => {
  const shift = w.field(e, 'imm');
  // A shift by the whole width, where the amount is 0, must give nothing: in two steps.
  const upper = w.shl(w.shl(w.get(e, 'n'), w.const(1)), w.sub(w.const(w.bits - 1), shift));
  w.set(e, 'd', w.or(w.shr_u(w.get(e, 'm'), shift), upper));
});

const threeRegisters = { d: target('Rd'), n: source('Rn'), m: source('Rm') };
const binary = (f: <T extends Int>(w: Width<T>, a: Expr<T>, b: Expr<T>) => Expr<T>): Definition => both(threeRegisters, (w) => (e) => w.set(e, 'd', f(w, w.get(e, 'n'), w.get(e, 'm'))));

/** Division: by zero gives 0, the overflow of the most negative number itself; WebAssembly would trap. */
const divide = (isSigned: boolean): Definition =>
  both(threeRegisters, (w) => (e) => {
    const a = e.let(w.get(e, 'n'));
    const b = e.let(w.get(e, 'm'));
    const result = e.variable(w.const(0));
    e.if(w.eqz(b), () => {}, () => {
      if (!isSigned) e.assign(result, w.div_u(a, b));
      else e.if(w.eq(b, w.const(-1)), () => e.assign(result, w.sub(w.const(0), a)), () => e.assign(result, w.div_s(a, b)), false);
    }, false);
    w.set(e, 'd', result.get);
  });

/** ADC and SBC: SBC adds the inverted operand. */
const withCarry = (invert: boolean, flags: boolean): Definition =>
  both(threeRegisters, (w) => (e) => {
    const a = e.let(w.get(e, 'n'));
    const b = e.let(invert ? w.xor(w.get(e, 'm'), w.const(-1)) : w.get(e, 'm'));
    const carry = e.let(w.from32(e.state('i32.load', C)));
    const partial = e.let(w.add(a, b));
    const result = e.let(w.add(partial, carry));
    if (flags) {
      addFlags(e, w, a, b, result);
      e.setState('i32.store', C, i32.or(w.lt_u(partial, a), w.lt_u(result, partial)));
    }
    w.set(e, 'd', result);
  });

const multiplyAdd = (subtract: boolean): Definition =>
  both({ ...threeRegisters, a: source('Ra') }, (w) => (e) => {
    const product = w.mul(w.get(e, 'n'), w.get(e, 'm'));
    w.set(e, 'd', subtract ? w.sub(w.get(e, 'a'), product) : w.add(w.get(e, 'a'), product));
  });

const multiplyLong = (extension: (x: I64) => I64, subtract: boolean): Definition =>
  single({ ...threeRegisters, a: source('Ra') }, (e) => {
    const product = i64.mul(extension(e.reg('n')), extension(e.reg('m')));
    e.setReg('d', subtract ? i64.sub(e.reg('a'), product) : i64.add(e.reg('a'), product));
  });
const unsignedWord = (x: I64): I64 => i64.and(x, i64.const(0xffff_ffff));

/** Upper 64 bits of the product, from four 32-bit partial products; signed operands are corrected for. */
const multiplyHigh = (isSigned: boolean): Definition =>
  single(threeRegisters, (e) => {
    const shift = i64.const(32);
    const a = e.let(e.reg('n'));
    const b = e.let(e.reg('m'));
    const [aLow, aHigh, bLow, bHigh] = [unsignedWord(a), i64.shr_u(a, shift), unsignedWord(b), i64.shr_u(b, shift)].map((x) => e.let(x)) as [I64, I64, I64, I64];
    const middle = e.let(i64.add(i64.mul(aHigh, bLow), i64.shr_u(i64.mul(aLow, bLow), shift)));
    const other = i64.add(i64.mul(aLow, bHigh), unsignedWord(middle));
    const result = i64.add(i64.add(i64.mul(aHigh, bHigh), i64.shr_u(middle, shift)), i64.shr_u(other, shift));
    const correction = (x: I64, y: I64): I64 => i64.and(i64.shr_s(x, i64.const(63)), y);
    e.setReg('d', isSigned ? i64.sub(i64.sub(result, correction(a, b)), correction(b, a)) : result);
  }, { outline: true });

const unary = (f: <T extends Int>(e: Emitter, w: Width<T>, a: Expr<T>) => Expr<T>): Definition =>
  both({ d: target('Rd'), n: source('Rn') }, (w) => (e) => w.set(e, 'd', f(e, w, e.let(w.get(e, 'n')))));

/** Neighbouring groups of `width` bits swapped. */
export function swapGroups(e: Pick<Emitter, 'let'>, x: I64, width: number): I64 {
  let mask = (1n << BigInt(width)) - 1n;
  for (let filled = 2 * width; filled < 64; filled *= 2) mask |= mask << BigInt(filled);
  const shift = i64.const(width);
  return e.let(i64.or(i64.shl(i64.and(x, i64.const(mask)), shift), i64.and(i64.shr_u(x, shift), i64.const(mask))));
}

/** Swaps on 64 bits, then brings the wanted word down where only 32 are. */
const swaps = (widths: readonly number[], shift32 = 0, shift64 = 0): Definition => {
  const swap = (e: Emitter): I64 => widths.reduce((x, width) => (width === 32 ? e.let(i64.rotl(x, i64.const(32))) : swapGroups(e, x, width)), e.let(e.reg('n')));
  const record = { d: target('Rd'), n: source('Rn') };
  return bySf(record, (e) => e.setReg('d', unsignedWord(i64.shr_u(swap(e), i64.const(shift32)))), (e) => e.setReg('d', i64.shr_u(swap(e), i64.const(shift64))), { outline: true });
};

/** Variants of every condition. */
const perCondition = (record: Definition['record'], emit: (number: number) => Generic): Definition => ({
  record,
  variants: Array.from({ length: 16 }, (_, number) => [emit(number)(W), emit(number)(XW)]).flat(),
  select: (get) => get('cond') * 2 + get('sf'),
});

const conditionalSelect = (otherwise: <T extends Int>(w: Width<T>, m: Expr<T>) => Expr<T>): Definition =>
  perCondition(threeRegisters, (number) => (w) => (e) => w.set(e, 'd', select(condition(e, number), w.get(e, 'n'), otherwise(w, w.get(e, 'm')))));

const conditionalCompare = (name: 'adds' | 'subs', registers: boolean): Definition =>
  perCondition({ n: source('Rn'), imm: plain('nzcv'), m: registers ? source('Rm') : plain('imm5') }, (number) => (w) => (e) => {
    e.if(condition(e, number), () => {
      const a = e.let(w.get(e, 'n'));
      const b = e.let(registers ? w.get(e, 'm') : w.field(e, 'm'));
      const result = e.let(name === 'adds' ? w.add(a, b) : w.sub(a, b));
      (name === 'adds' ? addFlags : subFlags)(e, w, a, b, result);
    }, () => setFlagsFrom(e, e.field('imm')));
  });

/** CRC32: bit by bit from the lowest, which is short enough in code; the polynomial is the only difference (Arm ARM, BitReverse(Poly32Mod2)). */
const crc = (bytes: number, polynomial: number): Definition =>
  single(threeRegisters, (e) => {
    const data = bytes === 8 ? e.reg('m') : i64.and(e.reg('m'), i64.const((1n << BigInt(8 * bytes)) - 1n));
    const rest = e.variable(i64.xor(unsignedWord(e.reg('n')), data));
    const count = e.variable(i32.const(8 * bytes));
    e.loop((again) => {
      e.assign(rest, i64.xor(i64.shr_u(rest.get, i64.const(1)), select(i32.wrap_i64(i64.and(rest.get, i64.const(1))), i64.const(BigInt(polynomial >>> 0)), i64.const(0))));
      e.assign(count, i32.sub(count.get, i32.const(1)));
      again(count.get);
    });
    e.setReg('d', unsignedWord(rest.get));
  }, { outline: true });

const cls: Definition = unary((e, w, a) => {
  const folded = e.let(w.xor(a, w.shr_s(a, w.const(w.bits - 1))));
  return w.sub(w.clz(folded), w.const(1));
});

const pcRelative = (page: boolean): Definition =>
  single({ d: target('Rd'), imm: (get) => ((((get('immhi') << 2) | get('immlo')) << 11) >> 11) }, (e) => {
    if (!page) e.setReg('d', i64.add(e.pc(), e.field64('imm')));
    else e.setReg('d', i64.add(i64.and(e.pc(), i64.const(-4096)), i64.shl(e.field64('imm'), i64.const(12))));
  });

const invert = <T extends Int>(w: Width<T>, x: Expr<T>): Expr<T> => w.xor(x, w.const(-1));

export const integer: Definitions = {
  adr: pcRelative(false),
  adrp: pcRelative(true),
  ...Object.assign({}, ...NAMES.map(addSubtract)) as Definitions,
  and_imm: logicalImmediate('and'),
  orr_imm: logicalImmediate('orr'),
  eor_imm: logicalImmediate('eor'),
  ands_imm: logicalImmediate('ands'),
  ...Object.fromEntries((Object.keys(logicals) as Logical[]).map((name) => [`${name}_shift`, withShift(threeRegisters, 4, (second) => logical(name, second))])),
  movz: constant(shiftedImmediate),
  movn: constant((get) => ~shiftedImmediate(get)),
  movk,
  sbfm: bitfield('shr_s'),
  ubfm: bitfield('shr_u'),
  bfm,
  extr,
  udiv: divide(false),
  sdiv: divide(true),
  lslv: binary((w, a, b) => w.shl(a, b)),
  lsrv: binary((w, a, b) => w.shr_u(a, b)),
  asrv: binary((w, a, b) => w.shr_s(a, b)),
  rorv: binary((w, a, b) => w.rotr(a, b)),
  ...Object.fromEntries(
    (['b', 'h', 'w', 'x'] as const).flatMap((size, log) => [
      [`crc32${size}`, crc(1 << log, 0xedb88320)],
      [`crc32c${size}`, crc(1 << log, 0x82f63b78)],
    ]),
  ),
  rbit: swaps([1, 2, 4, 8, 16, 32], 32),
  rev16: swaps([8]),
  rev_32: swaps([8, 16]),
  rev32: swaps([8, 16]),
  rev_64: swaps([8, 16, 32]),
  clz: unary((_, w, a) => w.clz(a)),
  cls,
  adc: withCarry(false, false),
  adcs: withCarry(false, true),
  sbc: withCarry(true, false),
  sbcs: withCarry(true, true),
  ccmn_reg: conditionalCompare('adds', true),
  ccmp_reg: conditionalCompare('subs', true),
  ccmn_imm: conditionalCompare('adds', false),
  ccmp_imm: conditionalCompare('subs', false),
  csel: conditionalSelect((_, m) => m),
  csinc: conditionalSelect((w, m) => w.add(m, w.const(1))),
  csinv: conditionalSelect(invert),
  csneg: conditionalSelect((w, m) => w.sub(w.const(0), m)),
  madd: multiplyAdd(false),
  msub: multiplyAdd(true),
  smaddl: multiplyLong(i64.extend32_s, false),
  smsubl: multiplyLong(i64.extend32_s, true),
  umaddl: multiplyLong(unsignedWord, false),
  umsubl: multiplyLong(unsignedWord, true),
  smulh: multiplyHigh(true),
  umulh: multiplyHigh(false),
};
