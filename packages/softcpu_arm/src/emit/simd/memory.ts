/** Loads and stores of SIMD&FP registers, and of structures (Arm ARM, C7.2). */
import { i32, i64, i64x2, select, v128 } from '@axvisor/softcpu';
import type { AccessSize, Emit, Emitter, GuestAccess, I32, I64, V128 } from '@axvisor/softcpu';
import { ALIGNED } from '../../state.ts';
import { plain, signed, single, source, vector } from '../define.ts';
import type { Definition, Definitions, Get } from '../define.ts';
import { checkFp } from '../guard.ts';
import { addressingModes, pairModes, withBase } from '../memory.ts';
import type { PairTransfer, Transfer } from '../memory.ts';
import { numbered, readLane, setHalves, setSpilledLane, spilledLane, writeLane } from './lanes.ts';
import type { Log } from './lanes.ts';

const zero = i64.const(0);
const ACCESS: readonly GuestAccess[] = ['u8', 'u16', 'u32', 'u64'];

const load = (log: Log): Transfer => ({
  size: (1 << log) as AccessSize,
  record: { d: vector('Rt') },
  move: (e, address) => {
    const value = e.load(ACCESS[log] as GuestAccess, address);
    return () => setHalves(e, 'd', value, zero);
  },
});
const store = (log: Log): Transfer => ({
  size: (1 << log) as AccessSize,
  record: { m: vector('Rt') },
  move: (e, address) => {
    e.store((1 << log) as AccessSize, address, readLane(e, log, false, e.field('m')));
    return () => {};
  },
});

/** A whole register. */
const whole = (e: Emitter, field: string): V128 => e.vector('v128.load', e.field(field));
const setWhole = (e: Emitter, field: string, value: V128): void => e.setVector('v128.store', e.field(field), value);

function loadWhole(e: Emitter, field: string, address: I64): () => void {
  const [value] = e.loadVectors(address, 1) as [V128];
  return () => setWhole(e, field, value);
}

const transfers: Readonly<Record<string, Transfer>> = {
  'ldr%_b': load(0), 'ldr%_h': load(1), 'ldr%_s': load(2), 'ldr%_d': load(3),
  'str%_b': store(0), 'str%_h': store(1), 'str%_s': store(2), 'str%_d': store(3),
  'ldr%_q': { size: 8, record: { d: vector('Rt') }, move: (e, address) => loadWhole(e, 'd', address) },
  'str%_q': {
    size: 8,
    record: { m: vector('Rt') },
    move: (e, address) => {
      e.storeVectors(address, [whole(e, 'm')]);
      return () => {};
    },
  },
};

const pairRecord = { d: vector('Rt'), m: vector('Rt2') };
const loadPair = (log: Log): PairTransfer => ({
  size: 1 << log,
  record: pairRecord,
  move: (e, address) => {
    const [first, second] = e.loadRow(ACCESS[log] as GuestAccess, address, 2) as [I64, I64];
    return () => {
      setHalves(e, 'd', first, zero);
      setHalves(e, 'm', second, zero);
    };
  },
});
const storePair = (log: Log): PairTransfer => ({
  size: 1 << log,
  record: pairRecord,
  move: (e, address) => {
    e.storeRow((1 << log) as AccessSize, address, [readLane(e, log, false, e.field('d')), readLane(e, log, false, e.field('m'))]);
    return () => {};
  },
});
const pairs: Readonly<Record<string, PairTransfer>> = {
  ldp_s: loadPair(2), ldp_d: loadPair(3), stp_s: storePair(2), stp_d: storePair(3),
  ldp_q: {
    size: 16,
    record: pairRecord,
    move: (e, address) => {
      const [first, second] = e.loadVectors(address, 2) as [V128, V128];
      return () => {
        setWhole(e, 'd', first);
        setWhole(e, 'm', second);
      };
    },
  },
  stp_q: {
    size: 16,
    record: pairRecord,
    move: (e, address) => {
      e.storeVectors(address, [whole(e, 'd'), whole(e, 'm')]);
      return () => {};
    },
  },
};

const literal = (log: Log): Definition =>
  single({ d: vector('Rt'), imm: signed('imm19', 19, 4) }, (e) => {
    checkFp(e);
    setHalves(e, 'd', e.load(ACCESS[log] as GuestAccess, i64.add(e.pc(), e.field64('imm'))), zero);
  });

// ── structures ──

/** Post-index: by `m` where there is an index register, else by `s` bytes. */
type Advance = 'none' | 'register' | 'immediate';
function advance(e: Emitter, how: Advance, base: I64): void {
  if (how === 'none') return;
  e.setReg('n', i64.add(base, how === 'register' ? e.reg('m') : i64.extend_i32_u(e.field('s'))));
}

/** Variants by how the base advances; the record of all has `m` and `s` for it. */
function withAdvance(post: boolean, record: Definition['record'], bytes: (get: Get) => number, emits: (how: Advance) => readonly Emit[], select: (get: Get) => number): Definition {
  if (!post) return withBase(record, emits('none'), select);
  const list = [...emits('immediate'), ...emits('register')];
  return withBase(
    { ...record, m: source('Rm'), s: bytes },
    list,
    (get) => select(get) + (get('Rm') === 31 ? 0 : list.length / 2),
  );
}

/**
 * Multiple structures, element by element in the order of memory: `repeats` times `selem` registers that are interleaved. `a` is the
 * number of elements in a register. A load that faults on its way leaves registers written, which only a second try shows.
 */
function elements(e: Emitter, isLoad: boolean, repeats: number, selem: number, log: Log, base: I64): void {
  const address = e.variable(base);
  const width = i64.const(1 << log);
  const places = Array.from({ length: repeats * selem }, (_, k) => numbered(e, 'd', k));
  if (!isLoad) for (const place of places) e.spill(place);
  for (let r = 0; r < repeats; r++) {
    const i = e.variable(i32.const(0));
    e.loop((again) => {
      for (let k = 0; k < selem; k++) {
        const at = i32.add(places[r + k] as I32, i32.shl(i.get, i32.const(log)));
        if (isLoad) setSpilledLane(e, log, at, e.load(ACCESS[log] as GuestAccess, address.get));
        else e.store((1 << log) as AccessSize, address.get, spilledLane(e, log, false, at));
        e.assign(address, i64.add(address.get, width));
      }
      e.assign(i, i32.add(i.get, i32.const(1)));
      again(i32.lt_u(i.get, e.field('a')));
    });
  }
  if (!isLoad) return;
  // Eight bytes: the upper halves are cleared.
  const short = e.let(i32.eq(i32.shl(e.field('a'), i32.const(log)), i32.const(8)));
  e.if(short, () => {
    for (const place of places) setSpilledLane(e, 3, place, zero, 8);
  });
  for (const place of places) e.reload(place);
}

/** Multiple structures: whole registers where elements are not interleaved. */
function multiple(isLoad: boolean, repeats: number, selem: number, post: boolean): Definition {
  const registers = repeats * selem;
  const emit = (log: Log, how: Advance): Emit => (e) => {
    checkFp(e);
    const base = e.let(e.reg('n'));
    // Elements that must be aligned to less than eight bytes are looked at one by one.
    const byElement = (): void => elements(e, isLoad, repeats, selem, log, base);
    if (selem > 1) byElement();
    else {
      const bytes = i32.shl(e.field('a'), i32.const(log));
      const direct = e.let(i32.and(i32.eq(bytes, i32.const(16)), i32.eqz(e.state('i32.load', ALIGNED))));
      e.if(direct, () => {
        if (isLoad) e.loadVectors(base, repeats).forEach((value, k) => e.setVector('v128.store', numbered(e, 'd', k), value));
        else e.storeVectors(base, Array.from({ length: repeats }, (_, k) => e.vector('v128.load', numbered(e, 'd', k))));
      }, byElement, true);
    }
    advance(e, how, base);
  };
  return withAdvance(
    post,
    { d: plain('Rt'), a: (get) => (get('Q') === 1 ? 16 : 8) >> get('size') },
    (get) => registers * (get('Q') === 1 ? 16 : 8),
    (how) => ([0, 1, 2, 3] as const).map((log) => emit(log, how)),
    (get) => get('size'),
  );
}

/** One structure of `count` elements into or from the lane at byte `a`. */
function one(isLoad: boolean, count: number, log: Log, post: boolean): Definition {
  const emit = (how: Advance): Emit => (e) => {
    checkFp(e);
    const base = e.let(e.reg('n'));
    const addresses = Array.from({ length: count }, (_, k) => i64.add(base, i64.const(k << log)));
    const place = (k: number): I32 => i32.add(numbered(e, 'd', k), e.field('a'));
    if (isLoad) {
      const values = addresses.map((address) => e.load(ACCESS[log] as GuestAccess, address));
      values.forEach((value, k) => writeLane(e, log, place(k), value));
    } else addresses.forEach((address, k) => e.store((1 << log) as AccessSize, address, readLane(e, log, false, place(k))));
    advance(e, how, base);
  };
  const lane = (get: Get): number => (((get('Q') << 3) | (get('S') << 2) | get('size')) >> log) << log;
  return withAdvance(post, { d: plain('Rt'), a: lane }, () => count << log, (how) => [emit(how)], () => 0);
}

const MULTIPLIERS = [0x0101_0101_0101_0101n, 0x0001_0001_0001_0001n, 0x1_0000_0001n, 1n];

/** One structure to all lanes; `a` is Q. */
function replicated(count: number, post: boolean): Definition {
  const emit = (log: Log, how: Advance): Emit => (e) => {
    checkFp(e);
    const base = e.let(e.reg('n'));
    const values = Array.from({ length: count }, (_, k) => e.load(ACCESS[log] as GuestAccess, i64.add(base, i64.const(k << log))));
    values.forEach((value, k) => {
      const all = e.let(i64x2.splat(i64.mul(value, i64.const(MULTIPLIERS[log] as bigint))));
      const mask = select(e.field('a'), i64.const(-1), zero);
      // At once: whoever reads all of it soon would wait for two stores.
      e.setVector('v128.store', numbered(e, 'd', k), v128.and(all, i64x2.replace_lane(i64x2.splat(i64.const(-1)), 1, mask)));
    });
    advance(e, how, base);
  };
  return withAdvance(
    post,
    { d: plain('Rt'), a: plain('Q') },
    (get) => count << get('size'),
    (how) => ([0, 1, 2, 3] as const).map((log) => emit(log, how)),
    (get) => get('size'),
  );
}

const lists = { '4_m': [1, 4], '1_4': [4, 1], '3_m': [1, 3], '1_3': [3, 1], '1_1': [1, 1], '2_m': [1, 2], '1_2': [2, 1] } as const;
const structures: Definitions = Object.fromEntries(
  [false, true].flatMap((post) => {
    const tail = post ? '_post' : '';
    const both = [['ld', true], ['st', false]] as const;
    return [
      ...Object.entries(lists).flatMap(([name, [repeats, selem]]) =>
        both.map(([prefix, isLoad]) => [prefix + (post ? name.replace('_m', '') : name) + tail, multiple(isLoad, repeats, selem, post)] as const),
      ),
      ...[1, 2, 3, 4].flatMap((count) => [
        ...(['b', 'h', 's', 'd'] as const).flatMap((letter, log) => both.map(([prefix, isLoad]) => [`${prefix}${count}_${letter}${tail}`, one(isLoad, count, log as Log, post)] as const)),
        [`ld${count}r${tail}`, replicated(count, post)] as const,
      ]),
    ];
  }),
);

export const simdMemory: Definitions = {
  ...addressingModes(transfers, checkFp, false),
  ...pairModes(pairs, checkFp),
  ldr_s_lit: literal(2),
  ldr_d_lit: literal(3),
  ldr_q_lit: single({ d: vector('Rt'), imm: signed('imm19', 19, 4) }, (e) => {
    checkFp(e);
    loadWhole(e, 'd', i64.add(e.pc(), e.field64('imm')))();
  }),
  ...structures,
};
