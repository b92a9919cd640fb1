/** Advanced SIMD: copies, permutations, table look-up and modified immediates (Arm ARM, C7.2). */
import { i32, i64, select, highWord, lowWord } from '@axvisor/softcpu';
import type { Emit, Emitter, I64 } from '@axvisor/softcpu';
import { decodeFloatImmediate } from '../../isa/float_immediate.ts';
import { V } from '../../state.ts';
import { plain, single, source, target, vector } from '../define.ts';
import type { Definition, Definitions, Get, Operand } from '../define.ts';
import { LOGS, begin, finish, guarded, half, laneOf, loop, numbered, put, readLane, setHalves, spill, spilledLane, writeLane } from './lanes.ts';
import type { Log } from './lanes.ts';

const zero = i64.const(0);

/** The element size in imm5, and the index above it. */
const size5 = (get: Get): number => 31 - Math.clz32(get('imm5') & -get('imm5'));
const index5 = (get: Get): number => get('imm5') >> (size5(get) + 1);
/** Offset of an element of a register. */
const element =
  (field: string, index: (get: Get) => number): Operand =>
  (get) => V + get(field) * 16 + (index(get) << size5(get));

const MULTIPLIERS = [0x0101_0101_0101_0101n, 0x0001_0001_0001_0001n, 0x1_0000_0001n, 1n];
/** The low element of a value in all places. */
const replicate = (value: I64, log: Log): I64 => i64.mul(value, i64.const(MULTIPLIERS[log] as bigint));
const cuts = [0xffn, 0xffffn, 0xffff_ffffn, -1n];
const cut = (value: I64, log: Log): I64 => (log === 3 ? value : i64.and(value, i64.const(cuts[log] as bigint)));

const byElement = (record: Definition['record'], emit: (log: Log) => Emit, more: Partial<Definition> = {}): Definition => ({ record, variants: LOGS.map((log) => guarded(emit(log))), select: size5, ...more });

/** Fills the lower half, and the upper one where Q (`a`) is set. */
function duplicate(e: Emitter, value: I64): void {
  const bound = e.let(value);
  setHalves(e, 'd', bound, select(e.field('a'), bound, zero));
}
const Q: Operand = plain('Q');

// ── permutations ──

/** Lane `i` of the result, from lane j of n or m. */
type Choose = (i: ReturnType<typeof i32.const>, half: ReturnType<typeof i32.const>, part: 0 | 1) => { readonly fromM: ReturnType<typeof i32.const>; readonly lane: ReturnType<typeof i32.const> };
const one = i32.const(1);
const choices: Readonly<Record<string, Choose>> = {
  zip: (i, halfCount, part) => ({ fromM: i32.and(i, one), lane: i32.add(i32.shr_u(i, one), part === 1 ? halfCount : i32.const(0)) }),
  uzp: (i, halfCount, part) => {
    const second = i32.ge_u(i, halfCount);
    return { fromM: second, lane: i32.add(i32.shl(i32.sub(i, select(second, halfCount, i32.const(0))), one), i32.const(part)) };
  },
  trn: (i, _, part) => ({ fromM: i32.and(i, one), lane: i32.add(i32.and(i, i32.const(-2)), i32.const(part)) }),
};
const permute = (choose: Choose, part: 0 | 1): Definition => ({
  record: { d: vector('Rd'), n: vector('Rn'), m: vector('Rm'), a: (get) => (get('Q') === 1 ? 16 : 8) >> get('size') },
  variants: LOGS.map((log) =>
    guarded((e) => {
      begin(e);
      spill(e, 'n', 'm');
      const halfCount = e.let(i32.shr_u(e.field('a'), one));
      loop(e, e.field('a'), (i) => {
        const { fromM, lane } = choose(i, halfCount, part);
        const base = select(fromM, e.field('m'), e.field('n'));
        put(e, log, i, spilledLane(e, log, false, i32.add(base, i32.shl(lane, i32.const(log)))));
      });
      finish(e);
    }),
  ),
  select: plain('size'),
});

/** EXT: the sources one behind the other, from byte `s` on. */
const extract = (q: 0 | 1): Emit =>
  guarded((e) => {
    const parts = q === 1 ? [half(e, 'n', 0), half(e, 'n', 1), half(e, 'm', 0), half(e, 'm', 1)] : [half(e, 'n', 0), half(e, 'm', 0)];
    const [first, second, third, fourth] = parts.map((part) => e.let(part)) as [I64, I64, I64?, I64?];
    const shift = e.let(i64.shl(i64.extend_i32_u(i32.and(e.field('s'), i32.const(7))), i64.const(3)));
    const join = (low: I64, high: I64): I64 => i64.or(i64.shr_u(low, shift), i64.shl(i64.shl(high, i64.const(1)), i64.sub(i64.const(63), shift)));
    if (third === undefined || fourth === undefined) {
      setHalves(e, 'd', e.let(join(first, second)), zero);
      return;
    }
    const beyond = i32.shr_u(e.field('s'), i32.const(3));
    const low = e.let(select(beyond, join(second, third), join(first, second)));
    const high = e.let(select(beyond, join(third, fourth), join(second, third)));
    setHalves(e, 'd', low, high);
  });

/** TBL and TBX: the indices are copied first, the table may be the destination too. `a` bytes, `s` registers from `n` on (a number). */
const table = (keep: boolean): Definition =>
  single(
    { d: vector('Rd'), n: plain('Rn'), m: vector('Rm'), a: (get) => 8 << get('Q'), s: (get) => (get('len') + 1) * 16 },
    guarded((e) => {
      begin(e);
      spill(e, 'm', ...(keep ? ['d'] : []));
      for (let k = 0; k < 4; k++) e.spill(numbered(e, 'n', k));
      loop(e, e.field('a'), (i) => {
        const index = e.let(i32.wrap_i64(spilledLane(e, 0, false, laneOf(e, 'm', i, 0))));
        const old = keep ? spilledLane(e, 0, false, laneOf(e, 'd', i, 0)) : zero;
        const register = i32.and(i32.add(e.field('n'), i32.shr_u(index, i32.const(4))), i32.const(31));
        const found = spilledLane(e, 0, false, i32.add(i32.shl(register, i32.const(4)), i32.and(index, i32.const(15))), V);
        put(e, 0, i, select(i32.lt_u(index, e.field('s')), found, old));
      });
      finish(e);
    }),
  );

// ── modified immediates ──

const imm8 = (get: Get): number => (get('abc') << 5) | get('defgh');

/** AdvSIMDExpandImm, as 64 bits. */
function expand(get: Get): bigint {
  const value = BigInt(imm8(get));
  const cmode = get('cmode');
  const repeat = (part: bigint, bits: number): bigint => {
    let all = part;
    for (let filled = bits; filled < 64; filled *= 2) all |= all << BigInt(filled);
    return all;
  };
  if (cmode < 8) return repeat(value << BigInt((cmode >> 1) * 8), 32);
  if (cmode < 12) return repeat(value << BigInt(((cmode >> 1) & 1) * 8), 16);
  if (cmode < 14) return repeat((cmode & 1) === 0 ? (value << 8n) | 0xffn : (value << 16n) | 0xffffn, 32);
  if (cmode === 14) {
    if (get('op') === 0) return repeat(value, 8);
    let bytes = 0n;
    for (let i = 0n; i < 8n; i++) if (((value >> i) & 1n) === 1n) bytes |= 0xffn << (8n * i);
    return bytes;
  }
  const view = new DataView(new ArrayBuffer(8));
  if (get('o2') === 1) {
    // Half precision: the value's sign, five bits of exponent, four of fraction.
    const b = (value >> 6n) & 1n;
    return repeat(((value >> 7n) << 15n) | ((b ^ 1n) << 14n) | ((b === 1n ? 3n : 0n) << 12n) | ((value & 0x3fn) << 6n), 16);
  }
  const number = decodeFloatImmediate(imm8(get));
  if (get('op') === 0) {
    view.setFloat32(0, number);
    return repeat(BigInt(view.getUint32(0)), 32);
  }
  view.setFloat64(0, number);
  return view.getBigUint64(0);
}

/** The immediate in `imm` and `bits`; `n` is Q. */
function modified(combine: (d: I64, imm: I64) => I64, value: (get: Get) => bigint = expand): Definition {
  return {
    record: { d: vector('Rd'), n: (get) => get('Q'), imm: (get) => lowWord(value(get)), high: (get) => highWord(value(get)) },
    variants: [0, 1].map((q) =>
      guarded((e) => {
        const imm = e.let(i64.or(i64.extend_i32_u(e.field('imm')), i64.shl(e.field64('bits'), i64.const(32))));
        setHalves(e, 'd', combine(half(e, 'd', 0), imm), q === 1 ? combine(half(e, 'd', 1), imm) : zero);
      }),
    ),
    select: (get) => get('Q'),
  };
}
const set = modified((_, imm) => imm);
const inverse = (get: Get): bigint => ~expand(get);

export const simdMoves: Definitions = {
  dup_elem: byElement({ d: vector('Rd'), n: element('Rn', index5), a: Q }, (log) => (e) => duplicate(e, replicate(readLane(e, log, false, e.field('n')), log))),
  dup_gp: byElement({ d: vector('Rd'), n: source('Rn'), a: Q }, (log) => (e) => duplicate(e, replicate(cut(e.reg('n'), log), log))),
  dup_scalar: byElement({ d: vector('Rd'), n: element('Rn', index5) }, (log) => (e) => {
    const value = e.let(readLane(e, log, false, e.field('n')));
    setHalves(e, 'd', value, zero);
  }),
  umov_w: byElement({ d: target('Rd'), n: element('Rn', index5) }, (log) => (e) => e.setReg('d', readLane(e, log, false, e.field('n')))),
  umov_x: byElement({ d: target('Rd'), n: element('Rn', index5) }, (log) => (e) => e.setReg('d', readLane(e, log, false, e.field('n')))),
  smov_w: byElement({ d: target('Rd'), n: element('Rn', index5) }, (log) => (e) => e.setReg('d', i64.and(readLane(e, log, true, e.field('n')), i64.const(0xffff_ffff)))),
  smov_x: byElement({ d: target('Rd'), n: element('Rn', index5) }, (log) => (e) => e.setReg('d', readLane(e, log, true, e.field('n')))),
  ins_gp: byElement({ d: element('Rd', index5), n: source('Rn') }, (log) => (e) => writeLane(e, log, e.field('d'), e.reg('n'))),
  ins_elem: byElement({ d: element('Rd', index5), n: element('Rn', (get) => get('imm4') >> size5(get)) }, (log) => (e) => writeLane(e, log, e.field('d'), readLane(e, log, false, e.field('n')))),
  ...Object.fromEntries(Object.entries(choices).flatMap(([stem, choose]) => ([0, 1] as const).map((part) => [`${stem}${part + 1}`, permute(choose, part)]))),
  ext: { record: { d: vector('Rd'), n: vector('Rn'), m: vector('Rm'), s: plain('imm4') }, variants: [extract(0), extract(1)], select: Q },
  tbl: table(false),
  tbx: table(true),
  ...Object.fromEntries(['movi_s', 'movi_h', 'movi_msl', 'movi_b', 'movi_d', 'movi_v2d', 'fmov_vs', 'fmov_vh', 'fmov_vd'].map((name) => [name, set])),
  ...Object.fromEntries(['mvni_s', 'mvni_h', 'mvni_msl'].map((name) => [name, modified((_, imm) => imm, inverse)])),
  ...Object.fromEntries(['orr_imms', 'orr_immh'].map((name) => [name, modified((d, imm) => i64.or(d, imm))])),
  ...Object.fromEntries(['bic_imms', 'bic_immh'].map((name) => [name, modified((d, imm) => i64.and(d, imm), inverse)])),
};
