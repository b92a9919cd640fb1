/**
 * Read-modify-write of memory in one step, for LOCK and XCHG (SDM vol. 3, 9.1.2), on WebAssembly's atomics. Where the operand is not
 * aligned, which WebAssembly does not do, JavaScript makes the exchange.
 */
import { SPLIT_EXCHANGE, i32, i64 } from '@axvisor/softcpu';
import type { Emitter, I32, I64 } from '@axvisor/softcpu';
import { VT } from '../state.ts';
import type { Operands } from './operands.ts';
import { bytesOf, loadOf, zext } from './value.ts';
import type { Size } from './value.ts';

/** Compares and exchanges at a place of linear memory; yields what was there, zero-extended. Values are cut to the size. */
export function compareExchange(e: Emitter, size: Size, place: I32, expected: I64, value: I64): I64 {
  if (size === 64) return e.atomic('i64.atomic.rmw.cmpxchg', place, expected, value);
  const op = size === 32 ? 'i64.atomic.rmw32.cmpxchg_u' : size === 16 ? 'i64.atomic.rmw16.cmpxchg_u' : 'i64.atomic.rmw8.cmpxchg_u';
  return e.atomic(op, place, expected, value);
}

/** Reads at a place of linear memory, zero-extended. */
export const readPlace = (e: Emitter, size: Size, place: I32): I64 =>
  e.read(size === 64 ? 'i64.load' : size === 32 ? 'i64.load32_u' : size === 16 ? 'i64.load16_u' : 'i64.load8_u', place);

/** Whether an address is a multiple of the size. */
export const isAligned = (address: I64, size: Size): I32 => (size === 8 ? i32.const(1) : i64.eqz(i64.and(address, i64.const(size / 8 - 1))));

/** Replaces memory operand 0 by `f(old)`; yields the old value, zero-extended. `f` is emitted twice. */
export function lockedUpdate(o: Operands, f: (old: I64) => I64): I64 {
  const { e } = o;
  const size = o.sizeOf(0);
  const { linear } = o.address(0, true);
  const old = e.variable(i64.const(0));
  e.if(isAligned(linear, size), () => {
    const place = e.hostAddress(bytesOf(size), linear);
    e.loop((again) => {
      e.assign(old, readPlace(e, size, place));
      const next = e.let(zext(f(old.get), size));
      again(i64.ne(compareExchange(e, size, place, old.get, next), old.get));
    });
  }, () => e.assign(old, splitUpdate(e, size, linear, f)), true);
  return old.get;
}

/** Replaces an operand that is not aligned, in one step, by `f(old)`; yields the old value, zero-extended. */
export function splitUpdate(e: Emitter, size: Size, linear: I64, f: (old: I64) => I64): I64 {
  const bytes = bytesOf(size);
  const old = e.variable(e.loadForUpdate(loadOf[size], linear));
  const first = e.hostAddress(1, linear);
  const last = e.hostAddress(1, i64.add(linear, i64.const(bytes - 1)));
  e.loop((again) => {
    e.setState('i64.store', VT, old.get);
    e.setState('i64.store', VT + 16, zext(f(old.get), size));
    const mismatch = e.call(SPLIT_EXCHANGE, 'i32', [first, last, i32.const(bytes)]);
    e.assign(old, zext(e.state('i64.load', VT), size));
    again(mismatch);
  });
  return old.get;
}
