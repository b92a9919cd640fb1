/** Integer loads and stores, and the A extension (unprivileged manual, "Load and Store Instructions", "A" Extension for Atomic Instructions). */
import { i32, i64, select } from '@axvisor/softcpu';
import type { AccessSize, Emit, Emitter, GuestAccess, I32, I64 } from '@axvisor/softcpu';
import { CBO_ZERO_CHECKED, RES_ADDR, RES_VALID, RES_VALUE } from '../state.ts';
import type { Definitions } from './integer.ts';

const address = (e: Emitter): I64 => i64.add(e.reg('rs1'), e.field64('imm'));

const load =
  (access: GuestAccess): Emit =>
  (e) =>
    e.setReg('rd', e.load(access, address(e)));

const store =
  (size: AccessSize): Emit =>
  (e) =>
    e.store(size, address(e), e.reg('rs2'));

/** One width of atomic memory accesses; the value is i64, sign-extended, as the registers hold it. */
interface Width {
  readonly size: 4 | 8;
  readonly read: (e: Emitter, place: I32) => I64;
  readonly exchangeIf: (e: Emitter, place: I32, expected: I64, value: I64) => I64;
  readonly modify: (e: Emitter, operation: Operation, place: I32, value: I64) => I64;
}
type Operation = 'add' | 'and' | 'or' | 'xor' | 'xchg';

const word: Width = {
  size: 4,
  read: (e, place) => i64.extend_i32_s(e.atomic('i32.atomic.load', place)),
  exchangeIf: (e, place, expected, value) =>
    i64.extend_i32_s(e.atomic('i32.atomic.rmw.cmpxchg', place, i32.wrap_i64(expected), i32.wrap_i64(value))),
  modify: (e, operation, place, value) => i64.extend_i32_s(e.atomic(`i32.atomic.rmw.${operation}`, place, i32.wrap_i64(value))),
};
const double: Width = {
  size: 8,
  read: (e, place) => e.atomic('i64.atomic.load', place),
  exchangeIf: (e, place, expected, value) => e.atomic('i64.atomic.rmw.cmpxchg', place, expected, value),
  modify: (e, operation, place, value) => e.atomic(`i64.atomic.rmw.${operation}`, place, value),
};

/** rd = old value; memory = old op rs2. */
const modify =
  (width: Width, operation: Operation): Emit =>
  (e) => {
    const place = e.hostAddress(width.size, e.reg('rs1'));
    e.setReg('rd', width.modify(e, operation, place, e.reg('rs2')));
  };

/** rd = old value; memory = the one that `first` prefers: WebAssembly has no atomic minimum, so compare and exchange. */
const choose =
  (width: Width, first: (a: I64, b: I64) => I32): Emit =>
  (e) => {
    const place = e.hostAddress(width.size, e.reg('rs1'));
    const operand = e.let(width.size === 4 ? i64.extend32_s(e.reg('rs2')) : e.reg('rs2'));
    const old = e.variable(i64.const(0));
    e.loop((again) => {
      e.assign(old, width.read(e, place));
      const seen = width.exchangeIf(e, place, old.get, select(first(old.get, operand), old.get, operand));
      again(i64.ne(seen, old.get));
    });
    e.setReg('rd', old.get);
  };

/**
 * A reservation is the place and the value there: SC compares and exchanges. It does not see a change that was undone meanwhile, for
 * which SC has to fail: what other harts store leaves no trace but the value, and one (a count by line, say) would cost every store of
 * the guest an atomic access more.
 */
const loadReserved =
  (width: Width): Emit =>
  (e) => {
    const place = e.hostAddressRead(width.size, e.reg('rs1'));
    const value = e.let(width.read(e, place));
    e.setState('i32.store', RES_VALID, i32.const(1));
    e.setState('i64.store', RES_ADDR, i64.extend_i32_u(place));
    e.setState('i64.store', RES_VALUE, value);
    e.setReg('rd', value);
  };

const storeConditional =
  (width: Width): Emit =>
  (e) => {
    const place = e.hostAddress(width.size, e.reg('rs1'));
    const held = i32.and(i32.ne(e.state('i32.load', RES_VALID), i32.const(0)), i64.eq(e.state('i64.load', RES_ADDR), i64.extend_i32_u(place)));
    const failed = e.variable(i64.const(1));
    e.if(held, () => {
      const expected = e.let(e.state('i64.load', RES_VALUE));
      const seen = width.exchangeIf(e, place, expected, e.reg('rs2'));
      e.assign(failed, i64.extend_i32_u(i64.ne(seen, expected)));
    });
    e.setState('i32.store', RES_VALID, i32.const(0));
    e.setReg('rd', failed.get);
  };

/** Service of the hart that checks and executes CBO.ZERO. */
export const CBO_ZERO = 'cboZero';

/** Bytes of a cache block. */
const BLOCK = 64;

/** With {@link CBO_ZERO_CHECKED}, only the page is in question. */
const zeroBlock: Emit = (e) => {
  const place = e.variable(i32.const(0));
  e.if(e.state('i32.load', CBO_ZERO_CHECKED), () => e.assign(place, e.cachedAddress(e.reg('rs1'))));
  e.if(
    place.get,
    () => {
      const block = e.let(i32.and(place.get, i32.const(-BLOCK)));
      for (let at = 0; at < BLOCK; at += 8) e.write('i64.store', block, i64.const(0), at);
    },
    () => e.service(CBO_ZERO),
    true,
  );
};

const unsignedWord = (a: I64): I64 => i64.and(a, i64.const(0xffff_ffff));

export const memory: Definitions = {
  lb: load('s8'),
  lh: load('s16'),
  lw: load('s32'),
  ld: load('u64'),
  lbu: load('u8'),
  lhu: load('u16'),
  lwu: load('u32'),
  sb: store(1),
  sh: store(2),
  sw: store(4),
  sd: store(8),
};

export const atomics: Definitions = {
  'lr.w': loadReserved(word),
  'lr.d': loadReserved(double),
  'sc.w': storeConditional(word),
  'sc.d': storeConditional(double),
  'amoswap.w': modify(word, 'xchg'),
  'amoswap.d': modify(double, 'xchg'),
  'amoadd.w': modify(word, 'add'),
  'amoadd.d': modify(double, 'add'),
  'amoxor.w': modify(word, 'xor'),
  'amoxor.d': modify(double, 'xor'),
  'amoand.w': modify(word, 'and'),
  'amoand.d': modify(double, 'and'),
  'amoor.w': modify(word, 'or'),
  'amoor.d': modify(double, 'or'),
  'amomin.w': choose(word, i64.lt_s),
  'amomin.d': choose(double, i64.lt_s),
  'amomax.w': choose(word, i64.gt_s),
  'amomax.d': choose(double, i64.gt_s),
  'amominu.w': choose(word, (a, b) => i64.lt_u(unsignedWord(a), unsignedWord(b))),
  'amominu.d': choose(double, i64.lt_u),
  'amomaxu.w': choose(word, (a, b) => i64.gt_u(unsignedWord(a), unsignedWord(b))),
  'amomaxu.d': choose(double, i64.gt_u),
};

export const cacheBlocks: Definitions = { 'cbo.zero': zeroBlock };
