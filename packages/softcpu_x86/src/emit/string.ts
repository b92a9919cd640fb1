/**
 * String instructions with and without REP (SDM vol. 2: MOVS, STOS, LODS, SCAS, CMPS). Registers say at any time how far a repeated one has
 * come: faults leave them at the element that faulted, and after a number of elements it begins anew, so that it may be interrupted. How
 * many these are, registers alone decide, since each beginning is counted as an instruction. MOVS and STOS do those that lie in one page at
 * once where they can.
 */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Emitter, I32, I64, Variable } from '@axvisor/softcpu';
import { EFLAGS, Flag, SEG_BASE, Seg } from '../state.ts';
import { define } from './define.ts';
import type { Definition, Definitions } from './define.ts';
import { condition, subFlags } from './flags.ts';
import { K, checkSegment, gpr, setGpr } from './operands.ts';
import type { Operands } from './operands.ts';
import { dataSegment } from './segments.ts';
import { bytesOf, constant as c, loadOf, zext } from './value.ts';
import type { Size } from './value.ts';

const RCX = 1;
const RSI = 6;
const RDI = 7;
const PAGE = 4096;
/** Elements of a repeated instruction at a time. */
const ELEMENTS = 64;
/** Bytes at a time of those that do many elements at once. */
const BULK_BYTES = 4 * PAGE;

/** Service that does nothing: the instruction, which is not done, is looked up again. */
export const REPEAT = 'repeat';

/** log2 of DF's place. */
const DF_BIT = 10;

/** One string instruction while its definition runs. */
class StringStep {
  readonly e: Emitter;
  readonly size: Size;
  readonly address: Size;
  readonly long: boolean;

  constructor({ e, variant }: Operands, size: Size) {
    this.e = e;
    this.size = size;
    this.address = variant.address;
    this.long = variant.long;
  }

  get bytes(): number {
    return this.size / 8;
  }

  /** Whether DF is set. */
  down(): I32 {
    return i32.and(i32.shr_u(this.e.state('i32.load', EFLAGS), i32.const(DF_BIT)), i32.const(1));
  }

  /** Whether TF is set. */
  traps(): I32 {
    return i32.and(this.e.state('i32.load', EFLAGS), i32.const(Flag.TF));
  }

  /** Linear address that RSI points to in the data segment, or RDI in ES; bound. */
  at(register: typeof RSI | typeof RDI, write: boolean): I64 {
    const { e, address, bytes, long } = this;
    const offset = e.let(zext(gpr(e, register), address));
    if (!long) checkSegment(e, offset, bytes, write, register === RDI ? Seg.es : undefined);
    if (register === RSI) return e.let(long ? i64.add(offset, e.reg('g')) : zext(i64.add(offset, e.reg('g')), 32));
    return long ? offset : e.let(zext(i64.add(offset, e.state('i64.load', SEG_BASE + 8 * Seg.es)), 32));
  }

  /** Moves an index register by a number of elements, against DF. */
  advance(register: number, elements: I64): void {
    const { e } = this;
    const distance = i64.mul(elements, c(this.bytes));
    setGpr(e, register, this.address, i64.add(gpr(e, register), select(this.down(), i64.sub(c(0), distance), distance)));
  }
}

/** Elements of one step: yields how many were done (bound). */
type Body = (step: StringStep, count: I64) => I64;

const ONE: I64 = c(1);

/** A string instruction: `body` does elements, `many` of them at once if it may be; `stop` says whether a repetition ends early. */
function repeated(body: Body, many: boolean, stop?: (e: Emitter, rep: number) => I32): Definition {
  return define((o) => {
    const { e, variant } = o;
    const step = new StringStep(o, o.sizeOf(0));
    if (variant.rep === 0) {
      body(step, ONE);
      return;
    }
    const more = e.variable(i32.const(0));
    e.if(i64.eqz(zext(gpr(e, RCX), variant.address)), () => {}, () => {
      const all = e.let(zext(gpr(e, RCX), variant.address));
      const most = many ? e.let(select(mayBulk(step), c(BULK_BYTES / step.bytes), c(ELEMENTS))) : c(ELEMENTS);
      // The trap flag traps behind each element.
      const turn = e.variable(smaller(e, all, select(step.traps(), ONE, most)));
      e.loop((again) => {
        const count = e.let(zext(gpr(e, RCX), variant.address));
        const done = e.let(body(step, turn.get));
        const left = e.let(i64.sub(count, done));
        setGpr(e, RCX, variant.address, left);
        e.assign(turn, i64.sub(turn.get, done));
        const rest = i32.eqz(i64.eqz(left));
        e.assign(more, stop === undefined ? rest : i32.and(rest, i32.eqz(stop(e, variant.rep))));
        again(i32.and(more.get, i32.eqz(i64.eqz(turn.get))));
      });
    });
    e.if(more.get, () => e.fault(REPEAT), undefined, false);
  }, { bySize: true, byAddress: true, byMode: true, byRep: true, outline: true, interpreted: (v) => v.rep !== 0, record: dataSegment });
}

/** REPE ends with ZF = 0, REPNE with ZF = 1. */
const untilZero = (e: Emitter, rep: number): I32 => condition(e, rep === 0xf3 ? 5 : 4);

const smaller = (e: Emitter, a: I64, b: I64): I64 => e.let(select(i64.lt_u(a, b), a, b));

/** Whether several elements may be done at once: without limits. */
const mayBulk = ({ e, address }: StringStep): I32 => (address === 16 ? i32.const(0) : i32.eqz(i32.and(e.field('k'), i32.const(K.segmented))));

/** Elements from an address on, against DF, that lie in its page; not one if already the first does not. */
function withinPage(step: StringStep, address: I64): I64 {
  const { e, bytes } = step;
  const shift = c(Math.log2(bytes));
  const offset = e.let(i64.and(address, c(PAGE - 1)));
  const behind = e.let(i64.shr_u(i64.sub(c(PAGE), offset), shift));
  return e.let(select(step.down(), select(i64.eqz(behind), behind, i64.add(i64.shr_u(offset, shift), ONE)), behind));
}

/** Several elements in linear memory: where the lowest one is, given the place of the first, and their bytes. */
interface Stretch {
  readonly length: I32;
  lowest(first: I32): I32;
}

function stretch(step: StringStep, count: I64): Stretch {
  const { e, bytes } = step;
  const length = e.let(i32.mul(i32.wrap_i64(count), i32.const(bytes)));
  const back = e.let(select(step.down(), i32.sub(length, i32.const(bytes)), i32.const(0)));
  return { length, lowest: (first) => e.let(i32.sub(first, back)) };
}

/** Several elements at once at a place that is known; where that cannot be, one: `single`. Yields how many (bound). */
function bulk(step: StringStep, several: I64, known: I32, many: (stretch: Stretch, single: () => void) => void, single: () => void, done: Variable<'i64'>): void {
  const { e } = step;
  e.if(i32.and(i32.and(i64.gt_u(several, ONE), mayBulk(step)), known), () => {
    e.assign(done, several);
    many(stretch(step, several), () => {
      single();
      e.assign(done, ONE);
    });
  }, single);
}

const movs: Body = (step, count) => {
  const { e, size } = step;
  const from = step.at(RSI, false);
  const to = step.at(RDI, true);
  const done = e.variable(ONE);
  const single = (): void => e.store(bytesOf(size), to, e.load(loadOf[size], from));
  if (count === ONE || step.address === 16) {
    single();
  } else {
    const several = smaller(e, smaller(e, count, withinPage(step, from)), withinPage(step, to));
    const source = e.cachedAddress(from, false);
    const target = e.cachedAddress(to);
    const known = i32.and(i32.ne(source, i32.const(0)), i32.ne(target, i32.const(0)));
    bulk(step, several, known, ({ length, lowest }, alone) => {
      // An element may be read only before an earlier one was written over it.
      const ahead = select(step.down(), i32.sub(source, target), i32.sub(target, source));
      e.if(i32.lt_u(ahead, length), alone, () => e.copy(lowest(target), lowest(source), length), false);
    }, single, done);
  }
  step.advance(RSI, done.get);
  step.advance(RDI, done.get);
  return done.get;
};

/** Stores the low bits of an i64. */
const storeOf = { 8: 'i64.store8', 16: 'i64.store16', 32: 'i64.store32', 64: 'i64.store' } as const;

/** Each byte of an element is `byte`. */
const inAllBytes = (size: Size, byte: I64): I64 => i64.mul(byte, i64.const(0x0101_0101_0101_0101n >> BigInt(64 - size)));

const stos: Body = (step, count) => {
  const { e, size, bytes } = step;
  const to = step.at(RDI, true);
  const done = e.variable(ONE);
  const value = e.let(zext(gpr(e, 0), size));
  const single = (): void => e.store(bytesOf(size), to, value);
  if (count === ONE || step.address === 16) {
    single();
  } else {
    const several = smaller(e, count, withinPage(step, to));
    const target = e.cachedAddress(to);
    bulk(step, several, i32.ne(target, i32.const(0)), ({ length, lowest }) => {
      const first = lowest(target);
      const byte = e.let(i64.and(value, c(0xff)));
      e.if(i64.eq(value, inAllBytes(size, byte)), () => e.fill(first, i32.wrap_i64(byte), length), () => {
        const distance = e.variable(i32.const(0));
        e.loop((again) => {
          e.write(storeOf[size], i32.add(first, distance.get), value);
          e.assign(distance, i32.add(distance.get, i32.const(bytes)));
          again(i32.lt_u(distance.get, length));
        });
      });
    }, single, done);
  }
  step.advance(RDI, done.get);
  return done.get;
};

const lods: Body = (step) => {
  const { e, size } = step;
  const value = e.load(loadOf[size], step.at(RSI, false));
  step.advance(RSI, ONE);
  setGpr(e, 0, size, value);
  return ONE;
};

const scas: Body = (step) => {
  const { e, size } = step;
  const b = e.load(loadOf[size], step.at(RDI, false));
  const a = e.let(zext(gpr(e, 0), size));
  step.advance(RDI, ONE);
  subFlags(e, size, a, b);
  return ONE;
};

const cmps: Body = (step) => {
  const { e, size } = step;
  const a = e.load(loadOf[size], step.at(RSI, false));
  const b = e.load(loadOf[size], step.at(RDI, false));
  step.advance(RSI, ONE);
  step.advance(RDI, ONE);
  subFlags(e, size, a, b);
  return ONE;
};

export const strings: Definitions = {
  movs: repeated(movs, true),
  stos: repeated(stos, true),
  lods: repeated(lods, false),
  scas: repeated(scas, false, untilZero),
  cmps: repeated(cmps, false, untilZero),
};
