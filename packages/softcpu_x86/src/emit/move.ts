/** Moves between registers and memory, exchanges, conversions, flags as data (SDM vol. 2). */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Emitter, I32, I64 } from '@axvisor/softcpu';
import { CONDITIONS } from '../isa/rows_integer.ts';
import type { Row } from '../isa/table.ts';
import { EFLAGS, Flag, SELECTOR } from '../state.ts';
import { define, named } from './define.ts';
import type { Definition, Definitions } from './define.ts';
import { addFlags, carryBit, carryWord, condition, overflowBit, packFlags, setCarries, setCarry, setOverflow, subFlags, unpackFlags } from './flags.ts';
import { compareExchange, isAligned, lockedUpdate, readPlace, splitUpdate } from './locked.ts';
import { checkSegment, gpr, setGpr } from './operands.ts';
import type { Address, Operands } from './operands.ts';
import { exchangePair } from './pair.ts';
import { moveFromControl } from './privileged.ts';
import { dataSegment, dropSegment } from './segments.ts';
import { system, systemRecord } from './system.ts';
import { TOP, bytesOf, constant, fromBool, loadOf, sext, zext } from './value.ts';
import type { Size } from './value.ts';

const outlineNarrow = (v: { readonly sizes: readonly Size[] }): boolean => v.sizes[0] === 16;
const always = { bySize: true, outline: true } as const;

/** Loads a segment register, or has to do with control or debug registers. */
const isSystem = (row: Row): boolean => row.operands.some(({ kind }, i) => kind === 'C' || kind === 'D' || (kind === 'S' && i === 0));

const mov: Definition = define((o, row) => {
  if (row.operands[1]?.kind === 'C') moveFromControl.emit(o, row);
  else if (isSystem(row)) system.emit(o, row);
  else if (row.operands[1]?.kind === 'S') moveFromSegment(o);
  else {
    if (row.operands.some(({ kind }) => kind === 'O') && o.variant.fast) o.useAddress(absolute(o.e));
    o.set(0, o.raw(1));
  }
}, {
  bySize: true,
  fast: true,
  frequent: true,
  outline: outlineNarrow,
  recordOf: (row) => {
    if (row.operands[1]?.kind === 'C') return moveFromControl.record;
    if (isSystem(row)) return systemRecord;
    return row.operands[1]?.kind === 'S' ? (fields, insn) => void (fields.w = insn.reg) : undefined;
  },
});

/** The address of 64 bits that the instruction has. */
function absolute(e: Emitter): Address {
  const offset = i64.or(fromBool(e.field('disp')), i64.shl(e.field64('more'), constant(32)));
  const linear = e.let(i64.add(offset, e.reg('g')));
  return { linear, offset: linear };
}

/** The selector of the segment in field w; memory takes 16 bits of it, a register all of its own. */
function moveFromSegment(o: Operands): void {
  const { e } = o;
  const value = segmentSelector(e, e.field('w'));
  if (o.place(0) === 'm') e.store(2, o.address(0, true).linear, value);
  else o.set(0, value);
}

/** The selector of a segment by its number. */
export function segmentSelector(e: Emitter, number: I32): I64 {
  const first = e.state('i32.load', SELECTOR);
  const base = first.kind === 'read' ? first.offset : 0;
  return e.let(i64.extend_i32_u(e.read('i32.load', i32.shl(number, i32.const(2)), base)));
}

const extend = (signed: boolean): Definition =>
  define((o) => {
    const from = o.sizeOf(1);
    o.set(0, signed ? sext(o.raw(1), from) : o.get(1));
  }, { bySize: true, fast: true, frequent: true, outline: (v) => v.sizes[0] === 16 || (signed && v.places[1] === 'm' && !v.fast) });

const xchg: Definition = define((o) => {
  const { e } = o;
  const size = o.sizeOf(0);
  // One of the operands is memory in either order; the table has it first.
  if (o.place(0) !== 'm') {
    const a = e.let(o.raw(0));
    const b = e.let(o.raw(1));
    o.set(0, b);
    o.set(1, a);
    return;
  }
  const value = o.bound(1);
  o.set(1, exchange(o, size, value));
}, { bySize: true, fast: true, outline: (v) => v.places[0] === 'm' || (v.sizes[0] as Size) < 32 });

/** Writes memory operand 0 in one step; yields what was there. */
function exchange(o: Operands, size: Size, value: I64): I64 {
  const { e } = o;
  const { linear } = o.address(0, true);
  const old = e.variable(constant(0));
  e.if(isAligned(linear, size), () => {
    const place = e.hostAddress(bytesOf(size), linear);
    e.loop((again) => {
      const seen = e.let(readPlace(e, size, place));
      e.assign(old, compareExchange(e, size, place, seen, value));
      again(i64.ne(old.get, seen));
    });
  }, () => e.assign(old, splitUpdate(e, size, linear, () => value)), true);
  return old.get;
}

/** CMPXCHG: flags as of CMP rAX with the operand; without a match the destination is written back, and rAX loaded. */
const cmpxchg: Definition = define((o) => {
  const { e } = o;
  const size = o.sizeOf(0);
  const expected = e.let(zext(gpr(e, 0), size));
  const replacement = o.bound(1);
  const old = e.variable(constant(0));
  if (o.place(0) === 'm') {
    const { linear } = o.address(0, true);
    const result = (found: I64): I64 => select(i64.eq(found, expected), replacement, found);
    if (o.variant.lock) {
      const split = (): void => e.assign(old, splitUpdate(e, size, linear, result));
      e.if(isAligned(linear, size), () => e.assign(old, compareExchange(e, size, e.hostAddress(bytesOf(size), linear), expected, replacement)), split, true);
    } else {
      e.assign(old, e.loadForUpdate(loadOf[size], linear));
      e.store(bytesOf(size), linear, result(old.get));
    }
  } else {
    e.assign(old, o.get(0));
    e.if(i64.eq(old.get, expected), () => o.set(0, replacement));
  }
  e.if(i64.ne(old.get, expected), () => setGpr(e, 0, size, old.get));
  subFlags(e, size, expected, old.get);
}, { bySize: true, outline: true });

const xadd: Definition = define((o) => {
  const { e } = o;
  const size = o.sizeOf(0);
  const b = o.bound(1);
  const old = o.variant.lock ? lockedUpdate(o, (value) => i64.add(value, b)) : o.update(0);
  const sum = e.let(i64.add(old, b));
  if (o.variant.lock) {
    o.set(1, old);
  } else if (o.place(0) === 'm') {
    o.set(0, sum);
    o.set(1, old);
  } else {
    o.set(1, old);
    o.set(0, sum); // the same register twice ends as the sum
  }
  addFlags(e, size, old, b);
}, always);

/** Sign of rAX into rDX, or of its lower half into its upper one. */
const widen = (size: Size): Definition => define(({ e }) => setGpr(e, 0, size, sext(gpr(e, 0), (size / 2) as Size)));
const split = (size: Size): Definition => define(({ e }) => setGpr(e, 2, size, i64.shr_s(sext(gpr(e, 0), size), constant(63))));

const swapBytes = (e: Emitter, value: I64, size: Size): I64 => {
  const pair = (x: I64, width: number, mask: bigint): I64 =>
    e.let(i64.or(i64.shl(i64.and(x, constant(mask)), constant(width)), i64.and(i64.shr_u(x, constant(width)), constant(mask))));
  const bytes = pair(e.let(value), 8, 0x00ff_00ff_00ff_00ffn);
  if (size === 16) return bytes;
  const halves = pair(bytes, 16, 0x0000_ffff_0000_ffffn);
  return size === 32 ? halves : e.let(i64.rotl(halves, constant(32)));
};

/** Flag bits that LAHF and SAHF move. */
const LOW_FLAGS = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF;

/** Sets or clears bits of the state's RFLAGS word. */
const flagWord = (clear: number, set: number): Definition =>
  define(({ e }) => e.setState('i32.store', EFLAGS, i32.or(i32.and(e.state('i32.load', EFLAGS), i32.const(~clear)), i32.const(set))));

export const moves: Definitions = {
  mov,
  movzx: extend(false),
  movsx: extend(true),
  movsxd: extend(true),
  movnti: define((o) => o.set(0, o.raw(1)), always),
  lea: define((o) => o.set(0, o.address(1, false).offset), { bySize: true, fast: true, frequent: true, outline: outlineNarrow, record: (fields) => dropSegment(fields) }),
  xchg,
  cmpxchg,
  xadd,
  cmpxchg8b: define((o) => exchangePair(o, 32), { outline: true }),
  cmpxchg16b: define((o) => exchangePair(o, 64), { outline: true }),
  bswap: define((o) => {
    // Of a 16-bit register, which is undefined, processors leave 0.
    if (o.variant.size === 16) o.e.setReg('r', i64.and(o.e.reg('r'), constant(~0xffffn)));
    else o.set(0, swapBytes(o.e, o.raw(0), o.sizeOf(0)));
  }, { bySize: true }),
  movbe: define((o) => o.set(0, swapBytes(o.e, o.raw(1), o.sizeOf(0))), always),
  ...named(CONDITIONS.map((cc) => `cmov${cc}`), (_name, i) =>
    define((o) => {
      // The source is read in any case, and a 32-bit destination cleared above.
      const source = o.e.let(o.raw(1));
      const old = o.raw(0);
      o.set(0, select(o.e.let(condition(o.e, i)), source, old));
    }, { bySize: true, fast: true, outline: (v) => v.places[1] === 'm' || v.sizes[0] === 16 })),
  ...named(CONDITIONS.map((cc) => `set${cc}`), (_name, i) => define((o) => o.set(0, o.e.let(fromBool(condition(o.e, i)))), { bySize: true, outline: (v) => v.places[0] === 'm' })),
  cbw: widen(16),
  cwde: widen(32),
  cdqe: widen(64),
  cwd: split(16),
  cdq: split(32),
  cqo: split(64),
  xlat: define(({ e, variant }) => {
    const offset = e.let(zext(i64.add(gpr(e, 3), zext(gpr(e, 0), 8)), variant.address));
    if (variant.address !== 64) checkSegment(e, offset, 1, false);
    const sum = i64.add(offset, e.reg('g'));
    setGpr(e, 0, 8, e.load('u8', variant.long ? sum : zext(sum, 32)));
  }, { byAddress: true, byMode: true, outline: true, record: dataSegment }),
  lahf: define(({ e }) => {
    const flags = i64.extend_i32_u(i32.or(i32.and(packFlags(e), i32.const(LOW_FLAGS)), i32.const(2)));
    const kept = i64.and(gpr(e, 0), i64.const(~0xff00n));
    e.setState('i64.store', 0, i64.or(kept, i64.shl(flags, constant(8))));
  }),
  sahf: define(({ e }) => {
    const overflow = e.let(overflowBit(e));
    unpackFlags(e, i32.and(i32.wrap_i64(i64.shr_u(gpr(e, 0), constant(8))), i32.const(LOW_FLAGS)));
    setOverflow(e, overflow);
  }, { outline: true }),
  clc: define(({ e }) => setCarry(e, constant(0))),
  stc: define(({ e }) => setCarry(e, TOP)),
  cmc: define(({ e }) => {
    const carries = e.let(carryWord(e));
    // OF is CF ^ bit 62: both bits change.
    setCarries(e, i64.xor(carries, constant(3n << 62n)));
  }),
  cld: flagWord(Flag.DF, 0),
  std: flagWord(0, Flag.DF),
  salc: define(({ e }) => setGpr(e, 0, 8, i64.shr_s(carryBit(e), constant(63)))),
};
