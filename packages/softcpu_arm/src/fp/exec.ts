/** Floating-point instructions executed from JavaScript on the state block: every one that rounds, compares or may raise an exception. */
import { rounding } from '@axvisor/softcpu/softfloat';
import type { Rounding } from '@axvisor/softcpu/softfloat';
import { fieldValue, insns } from '../isa/table.ts';
import type { BitField } from '../isa/table.ts';
import { binaryOps, comparisons, ternaryOps, unaryOps } from './arithmetic.ts';
import type { ElementOp } from './arithmetic.ts';
import { convert, fromFixed, toFixed } from './convert.ts';
import { unsignedReciprocal, unsignedReciprocalRoot } from './estimate.ts';
import { Machine } from './machine.ts';
import type { FpMemory } from './machine.ts';
import type { Element, FpLog, FpUnit } from './unit.ts';

/** Executes an instruction, whose op number and word are given. @returns 0 */
export type FpExec = (op: number, word: number) => number;

/** Reads a field of the instruction; 0 where it has none. */
type Get = (field: string) => number;
type Handler = (get: Get) => void;

const BY_FTYPE: readonly FpLog[] = [2, 3, 2, 1];

/** Element size and number of lanes of an instruction. */
interface Shape {
  readonly log: (get: Get) => FpLog;
  readonly lanes: (get: Get) => number;
}
const vectorLanes = (log: FpLog, q: number): number => (q === 1 ? 16 : 8) >> log;
const bySz = (get: Get): FpLog => (get('sz') === 1 ? 3 : 2);
const half = (): FpLog => 1;
const ONE = (): number => 1;
/** By the suffix of the table's names. */
const shapes: Readonly<Record<string, Shape>> = {
  f: { log: (get) => BY_FTYPE[get('ftype')] as FpLog, lanes: ONE },
  sh: { log: half, lanes: ONE },
  sf: { log: bySz, lanes: ONE },
  vh: { log: half, lanes: (get) => vectorLanes(1, get('Q')) },
  vf: { log: bySz, lanes: (get) => vectorLanes(bySz(get), get('Q')) },
};
const sized = (get: Get): FpLog => get('size') as FpLog;
const indexedShapes: Readonly<Record<string, Shape>> = {
  se: { log: sized, lanes: ONE },
  ve: { log: sized, lanes: (get) => vectorLanes(sized(get), get('Q')) },
  seh: { log: half, lanes: ONE },
  veh: { log: half, lanes: (get) => vectorLanes(1, get('Q')) },
};

/** Runs an operation on one set of operands, flushed before and after. */
function element(u: FpUnit, operation: ElementOp, operands: number): void {
  const mode = u.env.rounding;
  u.flushInput(u.a);
  if (operands > 1) u.flushInput(u.b);
  if (operands > 2) u.flushInput(u.c);
  operation(u);
  u.settle();
  u.env.rounding = mode;
}

/** Where the third operand comes from. */
type Element3 = (get: Get) => readonly [register: number, lane: number];

function lanewise(m: Machine, { log, lanes }: Shape, operation: ElementOp, operands: 1 | 2 | 3, elementOf?: Element3, addend = 'Rd'): Handler {
  return (get) => {
    const size = log(get);
    const u = m.begin(size);
    const [register, fixed] = elementOf?.(get) ?? [get('Rm'), undefined];
    m.clear();
    for (let i = 0; i < lanes(get); i++) {
      m.lane(get('Rn'), i, size, u.a);
      if (operands > 1) m.lane(register, fixed ?? i, size, u.b);
      if (operands > 2) m.lane(get(addend), i, size, u.c);
      element(u, operation, operands);
      m.put(i, size, u.result);
    }
    m.finish(get('Rd'));
    m.raise();
  };
}

const zero = { hi: 0, lo: 0 } as const;
const all = { hi: -1, lo: -1 } as const;

/** Comparisons to masks; with zero where `withZero`. */
function compareLanes(m: Machine, { log, lanes }: Shape, holds: (u: FpUnit) => boolean, withZero: boolean): Handler {
  return (get) => {
    const size = log(get);
    const u = m.begin(size);
    m.clear();
    for (let i = 0; i < lanes(get); i++) {
      m.lane(get('Rn'), i, size, u.a);
      if (withZero) u.set(u.b, 0);
      else m.lane(get('Rm'), i, size, u.b);
      u.flushInput(u.a);
      u.flushInput(u.b);
      m.put(i, size, holds(u) ? all : zero);
      u.collect();
    }
    m.finish(get('Rd'));
    m.raise();
  };
}

/** Pairs of neighbours; the scalar forms have one pair. */
function pairwise(m: Machine, log: (get: Get) => FpLog, lanes: ((get: Get) => number) | undefined, operation: ElementOp): Handler {
  return (get) => {
    const size = log(get);
    const u = m.begin(size);
    m.clear();
    const count = lanes?.(get) ?? 1;
    const pairs = Math.max(count >> 1, 1);
    for (let i = 0; i < count; i++) {
      const register = i < pairs ? get('Rn') : get('Rm');
      m.lane(register, (i % pairs) * 2, size, u.a);
      m.lane(register, (i % pairs) * 2 + 1, size, u.b);
      element(u, operation, 2);
      m.put(i, size, u.result);
    }
    m.finish(get('Rd'));
    m.raise();
  };
}

/** Reduce: halves of the vector first, then their results (Arm ARM, shared/functions/vector/Reduce). */
function reduce(m: Machine, log: FpLog, operation: ElementOp): Handler {
  return (get) => {
    const u = m.begin(log);
    const fold = (first: number, count: number): Element => {
      const into = { hi: 0, lo: 0 };
      if (count === 1) {
        m.lane(get('Rn'), first, log, into);
        return into;
      }
      const low = fold(first, count / 2);
      const high = fold(first + count / 2, count / 2);
      Object.assign(u.a, low);
      Object.assign(u.b, high);
      element(u, operation, 2);
      return { ...u.result };
    };
    const result = fold(0, log === 2 ? 4 : vectorLanes(1, get('Q')));
    m.clear();
    m.put(0, log, result);
    m.finish(get('Rd'));
    m.raise();
  };
}

const MODES: Readonly<Record<string, Rounding>> = { n: rounding.RNE, p: rounding.RUP, m: rounding.RDN, z: rounding.RTZ, a: rounding.RMM };

/** Between lanes and integers of the same width; `fraction` bits behind the point. */
function convertLanes(m: Machine, { log, lanes }: Shape, direction: 'to' | 'from', signed: boolean, mode: Rounding, fraction: (get: Get) => number): Handler {
  return (get) => {
    const size = log(get);
    const u = m.begin(size);
    m.clear();
    for (let i = 0; i < lanes(get); i++) {
      m.lane(get('Rn'), i, size, u.a);
      if (direction === 'to') toFixed(u, 8 << size, fraction(get), signed, mode);
      else {
        extend(u.a, size, signed);
        fromFixed(u, fraction(get), signed);
      }
      m.put(i, size, u.result);
    }
    m.finish(get('Rd'));
    m.raise();
  };
}
/** Extends an integer of `8 << size` bits to 64. */
function extend(x: Element, size: number, signed: boolean): void {
  if (size === 3) return;
  if (size === 1) x.lo = signed ? (x.lo << 16) >> 16 : x.lo & 0xffff;
  x.hi = signed ? x.lo >> 31 : 0;
}

/** Shifts by immediate as numbers of fraction bits. */
const shiftLog = (get: Get): FpLog => (31 - Math.clz32(get('immh'))) as FpLog;
const shiftFraction = (get: Get): number => (16 << shiftLog(get)) - ((get('immh') << 3) | get('immb'));
const shiftShapes: Readonly<Record<string, Shape>> = {
  si: { log: shiftLog, lanes: ONE },
  vi: { log: shiftLog, lanes: (get) => vectorLanes(shiftLog(get), get('Q')) },
};
const none = (): number => 0;

/** Between a lane and a general-purpose register. */
function convertGeneral(m: Machine, direction: 'to' | 'from', signed: boolean, mode: Rounding, fraction: (get: Get) => number): Handler {
  return (get) => {
    const u = m.begin(BY_FTYPE[get('ftype')] as FpLog);
    const wide = get('sf') === 1;
    if (direction === 'to') {
      m.lane(get('Rn'), 0, u.log, u.a);
      toFixed(u, wide ? 64 : 32, fraction(get), signed, mode);
      m.setGeneral(get('Rd'), u.result, wide);
    } else {
      m.general(get('Rn'), u.a);
      if (!wide) extend(u.a, 2, signed);
      fromFixed(u, fraction(get), signed);
      m.clear();
      m.put(0, u.log, u.result);
      m.finish(get('Rd'));
    }
    m.raise();
  };
}

/** Between precisions: scalars, and vectors that halve or double the width. */
function convertPrecision(m: Machine, from: (get: Get) => FpLog, to: (get: Get) => FpLog, lanes: (get: Get) => number, part: 'all' | 'narrow' | 'widen', odd: boolean): Handler {
  return (get) => {
    const [source, target] = [from(get), to(get)];
    const u = m.begin(target);
    const mode = u.env.rounding;
    const count = lanes(get);
    m.clear();
    for (let i = 0; i < count; i++) {
      m.lane(get('Rn'), part === 'widen' && get('Q') === 1 ? i + count : i, source, u.a);
      convert(u, source, target, odd);
      u.env.rounding = mode;
      m.put(i, target, u.result);
    }
    m.finish(get('Rd'), part === 'narrow' && get('Q') === 1);
    m.raise();
  };
}

/** FCMP and FCCMP: NZCV of a comparison (Arm ARM, FPCompare). */
function compareFlags(m: Machine, get: Get, withZero: boolean, signaling: boolean): void {
  const u = m.begin(BY_FTYPE[get('ftype')] as FpLog);
  m.lane(get('Rn'), 0, u.log, u.a);
  if (withZero) u.set(u.b, 0);
  else m.lane(get('Rm'), 0, u.log, u.b);
  u.flushInput(u.a);
  u.flushInput(u.b);
  const equal = u.compare('equal', u.a, u.b, signaling);
  if (u.isNan(u.a) || u.isNan(u.b)) m.nzcv = 0b0011;
  else if (equal) m.nzcv = 0b0110;
  else if (u.compare('lessThan', u.a, u.b, false)) m.nzcv = 0b1000;
  else m.nzcv = 0b0010;
  u.collect();
  m.raise();
}

/** ConditionHolds. */
function holds(m: Machine, condition: number): boolean {
  const { nzcv } = m;
  const [n, z, c, v] = [8, 4, 2, 1].map((flag) => (nzcv & flag) !== 0) as [boolean, boolean, boolean, boolean];
  const positive = [z, c, n, v, c && !z, n === v, n === v && !z, true][condition >> 1] as boolean;
  return (condition & 1) === 1 && condition !== 15 ? !positive : positive;
}

function conditionalCompare(m: Machine, signaling: boolean): Handler {
  return (get) => {
    if (holds(m, get('cond'))) compareFlags(m, get, false, signaling);
    else m.nzcv = get('nzcv');
  };
}

function integerEstimate(m: Machine, estimate: (operand: number) => number): Handler {
  return (get) => {
    const x = { hi: 0, lo: 0 };
    m.clear();
    for (let i = 0; i < (2 << get('Q')); i++) {
      m.lane(get('Rn'), i, 2, x);
      m.put(i, 2, { hi: 0, lo: estimate(x.lo) });
    }
    m.finish(get('Rd'));
  };
}

const byElement = (half16: boolean): Element3 => (get) => {
  const [h, l, mm, rm] = [get('H'), get('L'), get('M'), get('Rm')];
  if (half16) return [rm, (h << 2) | (l << 1) | mm];
  return [(mm << 4) | rm, get('size') === 2 ? (h << 1) | l : h];
};

/** The handler of an instruction by its name, or undefined if it is none of these. */
function handlerFor(m: Machine, name: string): Handler | undefined {
  const [stem, suffix = ''] = name.split('_') as [string, string?];
  const shape = shapes[suffix];
  const reduction = /^(fmaxnm|fminnm|fmax|fmin)v(_h)?$/.exec(name);
  if (reduction !== null) return reduce(m, reduction[2] === undefined ? 2 : 1, binaryOps[reduction[1] as string] as ElementOp);
  const pair = /^(fmaxnm|fminnm|fmax|fmin|fadd)p$/.exec(stem);
  if (pair !== null) {
    const operation = binaryOps[pair[1] as string] as ElementOp;
    if (suffix === 'vf' || suffix === 'vh') return pairwise(m, (shape as Shape).log, (shape as Shape).lanes, operation);
    return pairwise(m, () => ({ sh: 1, ss: 2, sd: 3 })[suffix] as FpLog, undefined, operation);
  }
  if (name === 'fcmp_f' || name === 'fcmpe_f' || name === 'fcmp_zero' || name === 'fcmpe_zero') return (get) => compareFlags(m, get, suffix === 'zero', stem === 'fcmpe');
  if (name === 'fccmp' || name === 'fccmpe') return conditionalCompare(m, name === 'fccmpe');
  if (name === 'urecpe_v') return integerEstimate(m, unsignedReciprocal);
  if (name === 'ursqrte_v') return integerEstimate(m, unsignedReciprocalRoot);
  if (/^fn?m(add|sub)$/.test(name)) return lanewise(m, shapes['f'] as Shape, ternaryOps[name] as ElementOp, 3, undefined, 'Ra');
  const single = (get: Get): FpLog => BY_FTYPE[get('ftype')] as FpLog;
  switch (name) {
    case 'fcvt_s': return convertPrecision(m, single, () => 2, ONE, 'all', false);
    case 'fcvt_d': return convertPrecision(m, single, () => 3, ONE, 'all', false);
    case 'fcvt_h': return convertPrecision(m, single, () => 1, ONE, 'all', false);
    case 'fcvtn_v': return convertPrecision(m, (get) => (get('sz') + 2) as FpLog, (get) => (get('sz') + 1) as FpLog, (get) => 4 >> get('sz'), 'narrow', false);
    case 'fcvtl_v': return convertPrecision(m, (get) => (get('sz') + 1) as FpLog, (get) => (get('sz') + 2) as FpLog, (get) => 4 >> get('sz'), 'widen', false);
    case 'fcvtxn_v': return convertPrecision(m, () => 3, () => 2, () => 2, 'narrow', true);
    case 'fcvtxn_s': return convertPrecision(m, () => 3, () => 2, ONE, 'all', true);
  }
  const indexedShape = indexedShapes[suffix];
  if (indexedShape !== undefined) {
    const operation = binaryOps[stem] ?? ternaryOps[stem];
    return operation === undefined ? undefined : lanewise(m, indexedShape, operation, stem in ternaryOps ? 3 : 2, byElement(suffix.endsWith('h')));
  }
  const toInteger = /^fcvt([npmza])([su])$/.exec(stem);
  const fromInteger = /^([su])cvtf$/.exec(stem);
  const [mode, sign, direction] = toInteger !== null ? [MODES[toInteger[1] as string] as Rounding, toInteger[2], 'to' as const] : [rounding.RNE, fromInteger?.[1], 'from' as const];
  if (sign !== undefined) {
    if (suffix === 'gp') return convertGeneral(m, direction, sign === 's', mode, none);
    if (suffix === 'fix') return convertGeneral(m, direction, sign === 's', mode, (get) => 64 - get('scale'));
    const fixedShape = shiftShapes[suffix];
    if (fixedShape !== undefined) return convertLanes(m, fixedShape, direction, sign === 's', mode, shiftFraction);
    return shape === undefined ? undefined : convertLanes(m, shape, direction, sign === 's', mode, none);
  }
  const comparison = comparisons[stem];
  const zeroShape = suffix.endsWith('zero') ? shapes[suffix.replace('zero', '')] : undefined;
  if (comparison !== undefined) {
    const used = zeroShape ?? shape;
    return used === undefined ? undefined : compareLanes(m, used, comparison, zeroShape !== undefined);
  }
  if (shape === undefined) return undefined;
  const [unary, binary, ternary] = [unaryOps[stem], binaryOps[stem], ternaryOps[stem]];
  if (unary !== undefined) return lanewise(m, shape, unary, 1);
  if (binary !== undefined) return lanewise(m, shape, binary, 2);
  return ternary === undefined ? undefined : lanewise(m, shape, ternary, 3);
}

const probe = new Machine(0);
/** Names of the instructions executed here. */
export const executed: ReadonlySet<string> = new Set(insns.map(({ name }) => name).filter((name) => handlerFor(probe, name) !== undefined));

/**
 * Makes the executor for the processing element whose state block lies at `stateBase` of `memory`.
 *
 * @throws {RangeError} (the executor) for an op number that is not one of its instructions
 */
export function createFpExec(memory: FpMemory, stateBase: number): FpExec {
  const machine = new Machine(stateBase);
  const handlers = insns.map(({ name }) => (executed.has(name) ? handlerFor(machine, name) : undefined));
  let word = 0;
  let fields: Readonly<Record<string, BitField>> = {};
  const get: Get = (field) => {
    const place = fields[field];
    return place === undefined ? 0 : fieldValue(word, place);
  };
  return (op, bits) => {
    // A memory that has grown leaves views of length 0 behind.
    if (machine.words.length === 0) {
      machine.words = new Int32Array(memory.buffer);
      machine.halves = new Uint16Array(memory.buffer);
    }
    const handler = handlers[op];
    if (handler === undefined) throw new RangeError(`op ${op} is not a floating-point instruction`);
    word = bits;
    fields = (insns[op] as (typeof insns)[number]).fields;
    handler(get);
    return 0;
  };
}
