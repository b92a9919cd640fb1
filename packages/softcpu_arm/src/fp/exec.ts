/** Floating-point instructions executed from JavaScript on the state block: every one that rounds, compares or may raise an exception. */
import { rounding } from '@axvisor/softcpu/softfloat';
import type { Rounding } from '@axvisor/softcpu/softfloat';
import { fieldValue, insns } from '../isa/table.ts';
import type { BitField } from '../isa/table.ts';
import { binaryOps, comparisons, ternaryOps, unaryOps } from './arithmetic.ts';
import type { ElementOp } from './arithmetic.ts';
import { convertGeneral, convertLanes, convertPrecision } from './convert_insns.ts';
import { unsignedReciprocal, unsignedReciprocalRoot } from './estimate.ts';
import { compareFlags, conditionalCompare } from './flags.ts';
import { byElement, compareLanes, integerEstimate, lanewise, pairwise, reduce } from './lanes.ts';
import { Machine } from './machine.ts';
import type { FpMemory } from './machine.ts';
import { BY_FTYPE, ONE, indexedShapes, shapes, shiftFraction, shiftShapes } from './shapes.ts';
import type { Get, Handler, Shape } from './shapes.ts';
import type { FpLog } from './unit.ts';

/** Executes an instruction, whose op number and word are given. @returns 0 */
export type FpExec = (op: number, word: number) => number;

const MODES: Readonly<Record<string, Rounding>> = { n: rounding.RNE, p: rounding.RUP, m: rounding.RDN, z: rounding.RTZ, a: rounding.RMM };

const none = (): number => 0;

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
