/**
 * Exclusives, acquire and release, and the atomic instructions of FEAT_LSE (Arm ARM, B2.9 and C6.2), on WebAssembly's atomics,
 * all of which are sequentially consistent.
 *
 * The local monitor is the place and the value there: a store-exclusive compares and exchanges. It sees no change that was undone.
 */
import { SPLIT_EXCHANGE, i32, i64, select } from '@axvisor/softcpu';
import type { AccessSize, Emit, Emitter, GuestAccess, I32, I64 } from '@axvisor/softcpu';
import { EXCL_ADDR, EXCL_SIZE, EXCL_VALID, EXCL_VALUE, EXCL_VALUE2, SHARED, VT } from '../state.ts';
import { among, source, target } from './define.ts';
import type { Definition, Definitions } from './define.ts';
import { withBase } from './memory.ts';

const BITS: Readonly<Record<AccessSize, bigint>> = { 1: 0xffn, 2: 0xffffn, 4: 0xffff_ffffn, 8: -1n };
const UNSIGNED: Readonly<Record<AccessSize, GuestAccess>> = { 1: 'u8', 2: 'u16', 4: 'u32', 8: 'u64' };
const cut = (value: I64, size: AccessSize): I64 => (size === 8 ? value : i64.and(value, i64.const(BITS[size])));
const signedValue: Readonly<Record<AccessSize, (value: I64) => I64>> = { 1: i64.extend8_s, 2: i64.extend16_s, 4: i64.extend32_s, 8: (value) => value };

/** The aligned word around a byte or halfword, and where in it that lies. */
function container(e: Emitter, place: I32): { readonly word: I32; readonly shift: I32 } {
  return { word: e.let(i32.and(place, i32.const(-4))), shift: e.let(i32.shl(i32.and(place, i32.const(3)), i32.const(3))) };
}

/** Atomic load of `size` bytes, zero-extended. */
function atomicLoad(e: Emitter, size: AccessSize, place: I32): I64 {
  if (size === 8) return e.atomic('i64.atomic.load', place);
  if (size === 4) return i64.extend_i32_u(e.atomic('i32.atomic.load', place));
  const { word, shift } = container(e, place);
  return e.let(cut(i64.extend_i32_u(i32.shr_u(e.atomic('i32.atomic.load', word), shift)), size));
}

/** Compares and exchanges; yields what was there, zero-extended. `expected` and `value` are cut to the size. */
function compareExchange(e: Emitter, size: AccessSize, place: I32, expected: I64, value: I64): I64 {
  if (size === 8) return e.atomic('i64.atomic.rmw.cmpxchg', place, expected, value);
  if (size === 4) return i64.extend_i32_u(e.atomic('i32.atomic.rmw.cmpxchg', place, i32.wrap_i64(expected), i32.wrap_i64(value)));
  const { word, shift } = container(e, place);
  const mask = i32.const(Number(BITS[size]));
  const wanted = e.let(i32.wrap_i64(expected));
  const replacement = e.let(i32.shl(i32.wrap_i64(value), shift));
  const seen = e.variable(i32.const(0));
  e.loop((again) => {
    const old = e.let(e.atomic('i32.atomic.load', word));
    e.assign(seen, i32.and(i32.shr_u(old, shift), mask));
    const retry = e.variable(i32.const(0));
    e.if(i32.eq(seen.get, wanted), () => {
      const next = i32.or(i32.and(old, i32.xor(i32.shl(mask, shift), i32.const(-1))), replacement);
      e.assign(retry, i32.ne(e.atomic('i32.atomic.rmw.cmpxchg', word, old, next), old));
    });
    again(retry.get);
  });
  return i64.extend_i32_u(seen.get);
}

/** Replaces by `f(old)`; yields the old value, zero-extended. */
function modify(e: Emitter, size: AccessSize, place: I32, f: (old: I64) => I64): I64 {
  const old = e.variable(i64.const(0));
  e.loop((again) => {
    e.assign(old, atomicLoad(e, size, place));
    const next = e.let(cut(f(old.get), size));
    again(i64.ne(e.let(compareExchange(e, size, place, old.get, next)), old.get));
  });
  return old.get;
}

const sizes: readonly (readonly [suffix: string, size: AccessSize])[] = [['b', 1], ['h', 2]];

/** Words or doublewords. */
const isDouble = among('size', [0, 1, 0, 1]);

/** Definitions of one mnemonic for all sizes: b, h, and words and doublewords by size<0>. */
function sized(mnemonic: string, record: Definition['record'], emit: (size: AccessSize) => Emit): [string, Definition][] {
  return [
    ...sizes.map(([suffix, size]): [string, Definition] => [mnemonic + suffix, withBase(record, [emit(size)])]),
    [mnemonic, withBase(record, [emit(4), emit(8)], isDouble)],
  ];
}

/** Acquire and release: plain accesses, which devices take too, between fences; misaligned ones fault. */
function checkAligned(e: Emitter, size: AccessSize, address: I64, write: boolean): void {
  if (size === 1) return;
  e.if(i32.wrap_i64(i64.and(address, i64.const(size - 1))), () => void (write ? e.hostAddress(size, address) : e.hostAddressRead(size, address)), undefined, false);
}
const loadAcquire = (size: AccessSize): Emit => (e) => {
  const address = e.let(e.reg('n'));
  checkAligned(e, size, address, false);
  const value = e.load(UNSIGNED[size], address);
  e.atomicFence();
  e.setReg('d', value);
};
const storeRelease = (size: AccessSize): Emit => (e) => {
  const address = e.let(e.reg('n'));
  checkAligned(e, size, address, true);
  e.atomicFence();
  e.store(size, address, e.reg('m'));
  e.atomicFence();
};

function openMonitor(e: Emitter, bytes: number, place: I32, value: I64): void {
  e.setState('i32.store', EXCL_VALID, i32.const(1));
  e.setState('i32.store', EXCL_SIZE, i32.const(bytes));
  e.setState('i64.store', EXCL_ADDR, i64.extend_i32_u(place));
  e.setState('i64.store', EXCL_VALUE, value);
}
/** Whether the monitor is open for these bytes at this place. */
function monitorHolds(e: Emitter, bytes: number, place: I32): I32 {
  const here = i32.and(i64.eq(e.state('i64.load', EXCL_ADDR), i64.extend_i32_u(place)), i32.eq(e.state('i32.load', EXCL_SIZE), i32.const(bytes)));
  return i32.and(i32.ne(e.state('i32.load', EXCL_VALID), i32.const(0)), here);
}

const loadExclusive = (size: AccessSize): Emit => (e) => {
  const place = e.hostAddressRead(size, e.reg('n'));
  const value = e.let(atomicLoad(e, size, place));
  openMonitor(e, size, place, value);
  e.setReg('d', value);
};

/** Ends a store-exclusive: closes the monitor, answers 0 for success. */
function conclude(e: Emitter, failed: I64): void {
  e.setState('i32.store', EXCL_VALID, i32.const(0));
  e.setReg('d', failed);
}

const storeExclusive = (size: AccessSize): Emit => (e) => {
  const place = e.hostAddress(size, e.reg('n'));
  const failed = e.variable(i64.const(1));
  e.if(monitorHolds(e, size, place), () => {
    const expected = e.let(e.state('i64.load', EXCL_VALUE));
    const seen = compareExchange(e, size, place, expected, e.let(cut(e.reg('m'), size)));
    e.assign(failed, i64.extend_i32_u(i64.ne(seen, expected)));
  });
  conclude(e, failed.get);
};

/** Pairs of words are one doubleword. */
const joined = (low: I64, high: I64): I64 => i64.or(cut(low, 4), i64.shl(high, i64.const(32)));
const loadExclusivePair = (wide: boolean): Emit => (e) => {
  const place = e.hostAddressRead(wide ? 16 : 8, e.reg('n'));
  const first = e.let(atomicLoad(e, 8, place));
  if (!wide) {
    openMonitor(e, 8, place, first);
    e.setReg('d', cut(first, 4));
    e.setReg('m', i64.shr_u(first, i64.const(32)));
    return;
  }
  const second = e.let(atomicLoad(e, 8, e.let(i32.add(place, i32.const(8)))));
  openMonitor(e, 16, place, first);
  e.setState('i64.store', EXCL_VALUE2, second);
  e.setReg('d', first);
  e.setReg('m', second);
};

/**
 * Sixteen bytes: replaced if they are as expected. Where others use the memory that is done under a lock, against which two stores are
 * not enough: who sees only one of them could make its exchange between them. Yields whether it was; if not, VT has what was found.
 */
function exchangePair(e: Emitter, place: I32, expected: readonly [I64, I64], value: readonly [I64, I64]): I32 {
  const done = e.variable(i32.const(0));
  const upper = e.let(i32.add(place, i32.const(8)));
  const found = (low: I64, high: I64): void => {
    e.setState('i64.store', VT, low);
    e.setState('i64.store', VT + 8, high);
  };
  e.if(e.state('i32.load', SHARED), () => {
    found(expected[0], expected[1]);
    e.setState('i64.store', VT + 16, value[0]);
    e.setState('i64.store', VT + 24, value[1]);
    e.assign(done, i32.eqz(e.call(SPLIT_EXCHANGE, 'i32', [place, e.let(i32.add(place, i32.const(15))), i32.const(16)])));
  }, () => {
    const low = e.let(atomicLoad(e, 8, place));
    const high = e.let(atomicLoad(e, 8, upper));
    e.if(i32.and(i64.eq(low, expected[0]), i64.eq(high, expected[1])), () => {
      e.atomicStore('i64.atomic.store', place, value[0]);
      e.atomicStore('i64.atomic.store', upper, value[1]);
      e.assign(done, i32.const(1));
    }, () => found(low, high));
  });
  return done.get;
}

const storeExclusivePair = (wide: boolean): Emit => (e) => {
  const place = e.hostAddress(wide ? 16 : 8, e.reg('n'));
  const failed = e.variable(i64.const(1));
  e.if(monitorHolds(e, wide ? 16 : 8, place), () => {
    const expected = e.let(e.state('i64.load', EXCL_VALUE));
    if (wide) {
      const done = exchangePair(e, place, [expected, e.let(e.state('i64.load', EXCL_VALUE2))], [e.let(e.reg('m')), e.let(e.reg('a'))]);
      e.assign(failed, i64.extend_i32_u(i32.eqz(done)));
    } else {
      const seen = compareExchange(e, 8, place, expected, e.let(joined(e.reg('m'), e.reg('a'))));
      e.assign(failed, i64.extend_i32_u(i64.ne(seen, expected)));
    }
  });
  conclude(e, failed.get);
};

const compareAndSwap = (size: AccessSize): Emit => (e) => {
  const place = e.hostAddress(size, e.reg('n'));
  const old = e.let(compareExchange(e, size, place, e.let(cut(e.reg('m'), size)), e.let(cut(e.reg('a'), size))));
  e.setReg('d', old);
};

/** `zero`: the second of the registers compared is XZR. */
const compareAndSwapPair = (wide: boolean, zero: boolean): Emit => (e) => {
  const second = zero ? i64.const(0) : e.reg('m');
  if (!wide) {
    const place = e.hostAddress(8, e.reg('n'));
    const old = e.let(compareExchange(e, 8, place, e.let(joined(e.reg('d'), second)), e.let(joined(e.reg('a'), e.reg('s')))));
    e.setReg('d', cut(old, 4));
    e.setReg('m', i64.shr_u(old, i64.const(32)));
    return;
  }
  const place = e.hostAddress(16, e.reg('n'));
  const expected = [e.let(e.reg('d')), e.let(second)] as const;
  const low = e.variable(expected[0]);
  const high = e.variable(expected[1]);
  e.if(i32.eqz(exchangePair(e, place, expected, [e.let(e.reg('a')), e.let(e.reg('s'))])), () => {
    e.assign(low, e.state('i64.load', VT));
    e.assign(high, e.state('i64.load', VT + 8));
  });
  e.setReg('d', low.get);
  e.setReg('m', high.get);
};

type Operation = (old: I64, operand: I64, size: AccessSize) => I64;
const pick = (first: (a: I64, b: I64) => I32): Operation => (old, operand) => select(first(old, operand), old, operand);
const pickSigned = (first: (a: I64, b: I64) => I32): Operation => (old, operand, size) => select(first(signedValue[size](old), signedValue[size](operand)), old, operand);
const operations: Readonly<Record<string, { readonly f: Operation; readonly direct?: 'add' | 'and' | 'xor' | 'or' | 'xchg'; readonly invert?: boolean }>> = {
  ldadd: { f: (old, operand) => i64.add(old, operand), direct: 'add' },
  ldclr: { f: (old, operand) => i64.and(old, operand), direct: 'and', invert: true },
  ldeor: { f: (old, operand) => i64.xor(old, operand), direct: 'xor' },
  ldset: { f: (old, operand) => i64.or(old, operand), direct: 'or' },
  ldsmax: { f: pickSigned(i64.gt_s) },
  ldsmin: { f: pickSigned(i64.lt_s) },
  ldumax: { f: pick(i64.gt_u) },
  ldumin: { f: pick(i64.lt_u) },
  swp: { f: (_, operand) => operand, direct: 'xchg' },
};

const fetchAndModify = (name: string) => (size: AccessSize): Emit => (e) => {
  const { f, direct, invert } = operations[name] as (typeof operations)[string];
  const place = e.hostAddress(size, e.reg('n'));
  const operand = e.let(cut(invert === true ? i64.xor(e.reg('m'), i64.const(-1)) : e.reg('m'), size));
  if (direct !== undefined && size === 8) e.setReg('d', e.atomic(`i64.atomic.rmw.${direct}`, place, operand));
  else if (direct !== undefined && size === 4) e.setReg('d', i64.extend_i32_u(e.atomic(`i32.atomic.rmw.${direct}`, place, i32.wrap_i64(operand))));
  else e.setReg('d', modify(e, size, place, (old) => f(old, operand, size)));
};

const ORDERS = ['', 'a', 'l', 'al'];
const toPair = { d: target('Rt'), m: target('Rt2') };
const fromPair = { d: target('Rs'), m: source('Rt'), a: source('Rt2') };

export const atomics: Definitions = Object.fromEntries([
  ...['ldar', 'ldapr'].flatMap((name) => sized(name, { d: target('Rt') }, loadAcquire)),
  ...sized('stlr', { m: source('Rt') }, storeRelease),
  ...['ldxr', 'ldaxr'].flatMap((name) => sized(name, { d: target('Rt') }, loadExclusive)),
  ...['stxr', 'stlxr'].flatMap((name) => sized(name, { d: target('Rs'), m: source('Rt') }, storeExclusive)),
  ...['ldxp', 'ldaxp'].map((name) => [name, withBase(toPair, [loadExclusivePair(false), loadExclusivePair(true)], isDouble)] as const),
  ...['stxp', 'stlxp'].map((name) => [name, withBase(fromPair, [storeExclusivePair(false), storeExclusivePair(true)], isDouble)] as const),
  ...ORDERS.flatMap((order) => [
    ...sized(`cas${order}`, { d: target('Rs'), m: source('Rs'), a: source('Rt') }, compareAndSwap),
    [
      `casp${order}`,
      withBase(
        // Rs and Rt are even. The second of Rs is read and written; as XZR it is only written.
        { d: target('Rs'), m: (get) => target('Rs')((field) => get(field) + 1, 0), a: source('Rt'), s: (get) => source('Rt')((field) => get(field) + 1, 0) },
        [compareAndSwapPair(false, false), compareAndSwapPair(true, false), compareAndSwapPair(false, true), compareAndSwapPair(true, true)],
        (get) => isDouble(get, 0) + (get('Rs') === 30 ? 2 : 0),
      ),
    ] as const,
    ...Object.keys(operations).flatMap((name) => sized(name + order, { d: target('Rt'), m: source('Rs') }, fetchAndModify(name))),
  ]),
]);
