/** Floating point and cryptography: what only moves or flips bits is emitted, the rest is executed by JavaScript (Arm ARM, C7.2). */
import { i32, i64, select, highWord, lowWord } from '@axvisor/softcpu';
import type { Emit, I64 } from '@axvisor/softcpu';
import { decodeFloatImmediate } from '../../isa/float_immediate.ts';
import { op } from '../../isa/table.ts';
import { V } from '../../state.ts';
import { executed } from '../../fp/exec.ts';
import { plain, single, source, target, vector } from '../define.ts';
import type { Definition, Definitions, Get } from '../define.ts';
import { condition } from '../flags.ts';
import { FP_EXEC } from '../host.ts';
import { guarded, half, readLane, setHalves, writeLane } from './lanes.ts';
import type { Log } from './lanes.ts';

const zero = i64.const(0);
const LOGS: readonly Log[] = [2, 3, 2, 1];

const slow = (name: string, executor: string): Definition =>
  single({}, guarded((e) => void e.call(executor, 'i32', [i32.const(op.get(name) as number), e.field('bits')])));

/** Sign bits of all elements. */
const SIGNS: Readonly<Record<number, bigint>> = { 1: 0x8000_8000_8000_8000n, 2: 0x8000_0000_8000_0000n, 3: 1n << 63n };
const flips = { fmov: (x: I64) => x, fabs: (x: I64, signs: bigint) => i64.and(x, i64.const(~signs)), fneg: (x: I64, signs: bigint) => i64.xor(x, i64.const(signs)) } as const;

/** A scalar by ftype: the lowest element, zero above it. */
const scalar = (record: Definition['record'], emit: (log: Log) => Emit): Definition => ({ record, variants: LOGS.map((log) => guarded(emit(log))), select: plain('ftype') });
const two = { d: vector('Rd'), n: vector('Rn') };

function flipVector(f: (x: I64, signs: bigint) => I64, log: (get: Get) => number, logs: readonly number[]): Definition {
  return {
    record: two,
    variants: logs.flatMap((size) =>
      [0, 1].map((q) =>
        guarded((e) => {
          const signs = SIGNS[size] as bigint;
          setHalves(e, 'd', f(half(e, 'n', 0), signs), q === 1 ? f(half(e, 'n', 1), signs) : zero);
        }),
      ),
    ),
    select: (get) => log(get) * 2 + get('Q'),
  };
}

/** The encoding of an immediate in a precision, as 64 bits. */
function immediate(get: Get): bigint {
  const value = decodeFloatImmediate(get('imm8'));
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  if (get('ftype') === 1) return bits;
  const [exponentBits, fractionBits, bias] = get('ftype') === 0 ? [8n, 23n, 127n] : [5n, 10n, 15n];
  const exponent = ((bits >> 52n) & 0x7ffn) - 1023n + bias;
  return ((bits >> 63n) << (exponentBits + fractionBits)) | (exponent << fractionBits) | ((bits & ((1n << 52n) - 1n)) >> (52n - fractionBits));
}

/** Moves between a general-purpose register and an element. */
const toGeneral = (log: Log): Definition => single({ d: target('Rd'), n: vector('Rn') }, guarded((e) => e.setReg('d', readLane(e, log, false, e.field('n')))));
const fromGeneral = (mask: bigint): Definition =>
  single({ d: vector('Rd'), n: source('Rn') }, guarded((e) => setHalves(e, 'd', i64.and(e.reg('n'), i64.const(mask)), zero)));

const conditionalSelect: Definition = {
  record: { ...two, m: vector('Rm') },
  variants: LOGS.flatMap((log) =>
    Array.from({ length: 16 }, (_, number) =>
      guarded((e) => setHalves(e, 'd', e.let(select(condition(e, number), readLane(e, log, false, e.field('n')), readLane(e, log, false, e.field('m')))), zero)),
    ),
  ),
  select: (get) => get('ftype') * 16 + get('cond'),
};

export const simdFloat: Definitions = {
  ...Object.fromEntries([...executed].map((name) => [name, slow(name, FP_EXEC)])),
  ...Object.fromEntries(
    Object.entries(flips).map(([name, f]) => [
      `${name}_f`,
      scalar(two, (log) => (e) => setHalves(e, 'd', e.let(f(readLane(e, log, false, e.field('n')), 1n << BigInt((8 << log) - 1))), zero)),
    ]),
  ),
  fabs_vh: flipVector(flips.fabs, () => 0, [1]),
  fneg_vh: flipVector(flips.fneg, () => 0, [1]),
  fabs_vf: flipVector(flips.fabs, (get) => get('sz'), [2, 3]),
  fneg_vf: flipVector(flips.fneg, (get) => get('sz'), [2, 3]),
  fmov_tos: toGeneral(2),
  fmov_tod: toGeneral(3),
  fmov_toh: toGeneral(1),
  fmov_froms: fromGeneral(0xffff_ffffn),
  fmov_fromd: fromGeneral(-1n),
  fmov_fromh: fromGeneral(0xffffn),
  fmov_totop: single({ d: target('Rd'), n: (get) => V + get('Rn') * 16 + 8 }, guarded((e) => e.setReg('d', readLane(e, 3, false, e.field('n'))))),
  fmov_fromtop: single({ d: (get) => V + get('Rd') * 16 + 8, n: source('Rn') }, guarded((e) => writeLane(e, 3, e.field('d'), e.reg('n')))),
  fmov_imm: single({ d: vector('Rd'), imm: (get) => lowWord(immediate(get)), high: (get) => highWord(immediate(get)) }, guarded((e) => {
    setHalves(e, 'd', i64.or(i64.extend_i32_u(e.field('imm')), i64.shl(e.field64('bits'), i64.const(32))), zero);
  })),
  fcsel: conditionalSelect,
};
