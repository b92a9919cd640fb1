/** Data processing: arithmetic, logic, shifts, bit fields, conditional instructions (Arm ARM, C6.2). */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Emit, Emitter, Expr, I64 } from '@axvisor/softcpu';
import { bitmaskLower, bitmaskUpper } from './compute.ts';
import { fixed, orSp, plain, product, signed, single, source, sum, target } from './define.ts';
import type { Definition, Definitions, Operand } from './define.ts';
import { arithmeticFlags, condition, conditionalFlags, logicalFlags } from './flags.ts';
import { both, threeRegisters } from './registers.ts';
import type { Generic, Int } from './registers.ts';
import { W, XW } from './width.ts';
import type { Width } from './width.ts';

/** The second operand. */
type Second = <T extends Int>(e: Emitter, w: Width<T>) => Expr<T>;

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
    arithmeticFlags(e, w, name === 'adds' ? 'add' : 'sub', x, y);
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

const IS_0 = Array.from({ length: 64 }, (_, value) => (value === 0 ? 1 : 0));
/** 0 for LSL of 0, else one more than the kind of shift. */
const isShifted = sum(sum(plain('shift'), fixed(1)), product('shift', 'imm6', IS_0, [1, 0, 0, 0]), -1);

/** Variants by width, and by kind of shift (LSL of 0 has its own). */
function withShift(record: Definition['record'], kinds: number, emit: (second: Second) => Generic): Definition {
  const seconds = [unshifted, ...Array.from({ length: kinds }, (_, kind) => shifted(kind))];
  return {
    record: { ...record, imm: plain('imm6') },
    variants: seconds.flatMap((second) => [emit(second)(W), emit(second)(XW)]),
    select: sum(plain('sf'), isShifted, 2),
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
  const imm = product('imm12', 'sh', [1, 0x1000]);
  return {
    [`${name}_imm`]: both({ d, n: orSp('Rn'), imm }, arithmetic(name, immediate)),
    [`${name}_shift`]: withShift({ d: target('Rd'), n: source('Rn'), m: source('Rm') }, 3, (second) => arithmetic(name, second)),
    [`${name}_ext`]: {
      record: { d, n: orSp('Rn'), m: source('Rm'), imm: plain('imm3') },
      variants: extensions.flatMap((_, option) => [arithmetic(name, extended(option))(W), arithmetic(name, extended(option))(XW)]),
      select: sum(plain('sf'), plain('option'), 2),
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

function logicalImmediate(name: 'and' | 'orr' | 'eor' | 'ands'): Definition {
  const record = { d: name === 'ands' ? target('Rd') : orSp('Rd'), n: source('Rn'), imm: bitmaskLower, high: bitmaskUpper };
  return both(record, logical(name, wideImmediate));
}

/** MOVZ and MOVN: the value is known when it is decoded, which MOVN inverts. */
const constant = (inverted: boolean): Definition => {
  const word = (factors: readonly number[]): Operand => (inverted ? sum(fixed(-1), product('imm16', 'hw', factors), -1) : product('imm16', 'hw', factors));
  return both({ d: target('Rd'), imm: word([1, 0x1_0000, 0, 0]), high: word([0, 0, 1, 0x1_0000]) }, (w) => (e) => w.set(e, 'd', wideImmediate(e, w)));
};

const movk: Definition = {
  record: { d: target('Rd'), n: source('Rd'), imm: plain('imm16') },
  variants: [0, 1, 2, 3].flatMap((hw) =>
    [W, XW].map((w): Emit => (e) => {
      const shift = i64.const(hw * 16);
      const kept = i64.and(w === W ? i64.and(e.reg('n'), i64.const(0xffff_ffff)) : e.reg('n'), i64.xor(i64.shl(i64.const(0xffff), shift), i64.const(-1)));
      e.setReg('d', i64.or(kept, i64.shl(e.field64('imm'), shift)));
    }),
  ),
  select: sum(plain('sf'), plain('hw'), 2),
};

/**
 * Bit fields, for imms >= immr (extraction to bit 0) and otherwise (insertion at bit width - immr); `m` and `imm` hold the two
 * shift amounts: left so that the field is at the top, then right to its place.
 */
const fieldRecord = {
  d: target('Rd'),
  n: source('Rn'),
  m: sum(sum(fixed(31), plain('sf', 32)), plain('imms'), -1),
  // Modulo the width.
  imm: sum(sum(fixed(-1), plain('immr')), plain('imms'), -1),
};
const bitfield = (right: 'shr_s' | 'shr_u'): Definition =>
  both(fieldRecord, (w) => (e) => w.set(e, 'd', w[right](w.shl(w.get(e, 'n'), w.field(e, 'm')), w.and(w.field(e, 'imm'), w.const(w.bits - 1)))));

/** BFM: where the field goes, the mask of it at its place is known when it is decoded. */
const bfm: Definition = {
  record: {
    d: target('Rd'),
    n: source('Rn'),
    m: source('Rd'),
    a: (get) => ((get('sf') === 1 ? 64 : 32) - get('immr')) % (get('sf') === 1 ? 64 : 32),
    s: plain('imms'),
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

/** Variants of every condition. */
const perCondition = (record: Definition['record'], emit: (number: number) => Generic): Definition => ({
  record,
  variants: Array.from({ length: 16 }, (_, number) => [emit(number)(W), emit(number)(XW)]).flat(),
  select: sum(plain('sf'), plain('cond'), 2),
});

const conditionalSelect = (otherwise: <T extends Int>(w: Width<T>, m: Expr<T>) => Expr<T>): Definition =>
  perCondition(threeRegisters, (number) => (w) => (e) => w.set(e, 'd', select(condition(e, number), w.get(e, 'n'), otherwise(w, w.get(e, 'm')))));

const conditionalCompare = (name: 'add' | 'sub', registers: boolean): Definition =>
  perCondition({ n: source('Rn'), imm: plain('nzcv'), m: registers ? source('Rm') : plain('imm5') }, (number) => (w) => (e) => {
    const holds = e.let(condition(e, number));
    conditionalFlags(e, w, name, w.get(e, 'n'), registers ? w.get(e, 'm') : w.field(e, 'm'), holds, e.field64('imm'));
  });

const pcRelative = (page: boolean): Definition =>
  single({ d: target('Rd'), imm: sum(plain('immlo'), signed('immhi', 19, 4)) }, (e) => {
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
  movz: constant(false),
  movn: constant(true),
  movk,
  sbfm: bitfield('shr_s'),
  ubfm: bitfield('shr_u'),
  bfm,
  extr,
  ccmn_reg: conditionalCompare('add', true),
  ccmp_reg: conditionalCompare('sub', true),
  ccmn_imm: conditionalCompare('add', false),
  ccmp_imm: conditionalCompare('sub', false),
  csel: conditionalSelect((_, m) => m),
  csinc: conditionalSelect((w, m) => w.add(m, w.const(1))),
  csinv: conditionalSelect(invert),
  csneg: conditionalSelect((w, m) => w.sub(w.const(0), m)),
};
