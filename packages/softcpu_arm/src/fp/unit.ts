/**
 * One floating-point element operation at a time: operands, result, and what FPCR and FPSR have to say (Arm ARM, A1.5 and
 * shared/functions/float). Encodings are pairs of words; those of at most 32 bits are in the lower one.
 */
import { binary16, binary32, binary64, createFloatEnv, f64, flag, integerArm, nanArm, nanArmDefault, narrow } from '@axvisor/softcpu/softfloat';
import type { FloatEnv, Format, Rounding } from '@axvisor/softcpu/softfloat';

/** Fields of FPCR. */
const AHP = 1 << 26;
const DN = 1 << 25;
const FZ = 1 << 24;
const FZ16 = 1 << 19;
/** FPSR.IDC; the other cumulative bits by the softfloat's flags. */
const IDC = 1 << 7;
/** FPCR.RMode in the softfloat's numbers. */
const MODES: readonly Rounding[] = [0, 3, 2, 1];

/** log2 of an element's bytes: half, single, double precision. */
export type FpLog = 1 | 2 | 3;
export const FORMATS: Readonly<Record<FpLog, Format>> = { 1: binary16, 2: binary32, 3: binary64 };
const SIGN: Readonly<Record<FpLog, number>> = { 1: 0x8000, 2: -0x80000000, 3: -0x80000000 };

/** An operand or a result. */
export interface Element {
  hi: number;
  lo: number;
}
const element = (): Element => ({ hi: 0, lo: 0 });

export class FpUnit {
  readonly a: Element = element();
  readonly b: Element = element();
  readonly c: Element = element();
  readonly result: Element = element();
  /** Exceptions raised so far, as FPSR bits. */
  status = 0;
  #log: FpLog = 2;
  #fpcr = 0;
  readonly #kept = createFloatEnv({ tininessBefore: true, nan: nanArm, integer: integerArm });
  readonly #defaulted = createFloatEnv({ tininessBefore: true, nan: nanArmDefault, integer: integerArm });
  env: FloatEnv = this.#kept;

  /** Begins an instruction. */
  begin(fpcr: number, log: FpLog): void {
    this.#fpcr = fpcr;
    this.#log = log;
    this.env = (fpcr & DN) === 0 ? this.#kept : this.#defaulted;
    this.status = 0;
    this.env.flags = 0;
    this.env.rounding = MODES[(fpcr >>> 22) & 3] as Rounding;
  }

  get log(): FpLog {
    return this.#log;
  }
  get format(): Format {
    return FORMATS[this.#log];
  }
  get alternativeHalf(): boolean {
    return (this.#fpcr & AHP) !== 0;
  }
  get roundingOfFpcr(): Rounding {
    return MODES[(this.#fpcr >>> 22) & 3] as Rounding;
  }
  /** Whether subnormal numbers of a precision are flushed to zero. */
  flushes(log: FpLog): boolean {
    return (this.#fpcr & (log === 1 ? FZ16 : FZ)) !== 0;
  }

  /** Replaces a subnormal operand by zero where FPCR says so. Half precision raises nothing for it. */
  flushInput(x: Element, log: FpLog = this.#log): void {
    if (!this.flushes(log) || !isSubnormal(x, log)) return;
    zero(x, log);
    if (log !== 1) this.status |= IDC;
  }

  /** Takes the result of a `narrow` operation. */
  narrow(bits: number): void {
    this.result.hi = 0;
    this.result.lo = bits;
  }
  /** Takes the result of an `f64` operation. */
  wide(): void {
    this.result.hi = this.env.hi;
    this.result.lo = this.env.lo;
  }

  /** Collects the exceptions of one element, whose result was rounded to a precision: a tiny one is flushed where FPCR says so. */
  settle(log: FpLog = this.#log, mayFlush = true): void {
    const { env, result } = this;
    if (mayFlush && this.flushes(log) && ((env.flags & flag.UF) !== 0 || isSubnormal(result, log))) {
      zero(result, log);
      env.flags = (env.flags & ~flag.NX) | flag.UF;
    }
    this.collect();
  }

  /** Moves the softfloat's flags to the status. */
  collect(): void {
    const { flags } = this.env;
    if (flags === 0) return;
    this.status |= ((flags & flag.NX) << 4) | ((flags & flag.UF) << 2) | (flags & flag.OF) | ((flags & flag.DZ) >> 2) | ((flags & flag.NV) >> 4);
    this.env.flags = 0;
  }

  isNan(x: Element, log: FpLog = this.#log): boolean {
    return log === 3 ? (x.hi & 0x7fffffff) + (x.lo === 0 ? 0 : 0.5) > 0x7ff00000 : (x.lo & ~SIGN[log]) >>> 0 > INFINITY[log];
  }
  isInfinite(x: Element): boolean {
    return this.#log === 3 ? (x.hi & 0x7fffffff) === 0x7ff00000 && x.lo === 0 : ((x.lo & ~SIGN[this.#log]) >>> 0) === INFINITY[this.#log];
  }
  isZero(x: Element): boolean {
    return this.#log === 3 ? ((x.hi << 1) | x.lo) === 0 : ((x.lo & ~SIGN[this.#log]) & mask(this.#log)) === 0;
  }
  isNegative(x: Element): boolean {
    return (signWord(x, this.#log) & SIGN[this.#log]) !== 0;
  }
  /** Flips or clears the sign. */
  negate(x: Element, log: FpLog = this.#log): void {
    if (log === 3) x.hi ^= SIGN[3];
    else x.lo ^= SIGN[log];
  }
  magnitude(x: Element): void {
    if (this.#log === 3) x.hi &= 0x7fffffff;
    else x.lo &= ~SIGN[this.#log];
  }

  /** One of the softfloat's operations on a and b. */
  binary(name: 'add' | 'sub' | 'mul' | 'div'): void {
    const { a, b, env } = this;
    if (this.#log === 3) {
      f64[name](env, a.hi, a.lo, b.hi, b.lo);
      this.wide();
    } else this.narrow(narrow[name](this.format, env, a.lo, b.lo));
  }
  /** a × b + c. */
  mulAdd(): void {
    const { a, b, c, env } = this;
    if (this.#log === 3) {
      f64.mulAdd(env, a.hi, a.lo, b.hi, b.lo, c.hi, c.lo);
      this.wide();
    } else this.narrow(narrow.mulAdd(this.format, env, a.lo, b.lo, c.lo));
  }
  sqrt(): void {
    if (this.#log === 3) {
      f64.sqrt(this.env, this.a.hi, this.a.lo);
      this.wide();
    } else this.narrow(narrow.sqrt(this.format, this.env, this.a.lo));
  }
  minMax(max: boolean, kind: 'number2008' | 'nan2019'): void {
    const { a, b, env } = this;
    if (this.#log === 3) {
      f64.minMax(env, a.hi, a.lo, b.hi, b.lo, max, kind);
      this.wide();
    } else this.narrow(narrow.minMax(this.format, env, a.lo, b.lo, max, kind));
  }
  compare(name: 'equal' | 'lessThan' | 'lessOrEqual', x: Element, y: Element, signaling: boolean): boolean {
    if (this.#log === 3) return f64[name](this.env, x.hi, x.lo, y.hi, y.lo, signaling);
    return narrow[name](this.format, this.env, x.lo, y.lo, signaling);
  }
  roundToIntegral(exact: boolean): void {
    if (this.#log === 3) {
      f64.roundToIntegral(this.env, this.a.hi, this.a.lo, exact);
      this.wide();
    } else this.narrow(narrow.roundToIntegral(this.format, this.env, this.a.lo, exact));
  }

  /** Sets an element to ±value × 2^0 given as a double that every format holds. */
  set(x: Element, value: 0 | 1.5 | 2 | 3): void {
    x.hi = this.#log === 3 ? (DOUBLE[value] as number) : 0;
    x.lo = this.#log === 3 ? 0 : ((this.#log === 2 ? SINGLE[value] : HALF[value]) as number);
  }
}

const DOUBLE: Readonly<Record<number, number>> = { 0: 0, 1.5: 0x3ff80000, 2: 0x40000000, 3: 0x40080000 };
const SINGLE: Readonly<Record<number, number>> = { 0: 0, 1.5: 0x3fc00000, 2: 0x40000000, 3: 0x40400000 };
const HALF: Readonly<Record<number, number>> = { 0: 0, 1.5: 0x3e00, 2: 0x4000, 3: 0x4200 };
const INFINITY: Readonly<Record<FpLog, number>> = { 1: 0x7c00, 2: 0x7f800000, 3: 0x7ff00000 };
const mask = (log: FpLog): number => (log === 1 ? 0xffff : -1);
const signWord = (x: Element, log: FpLog): number => (log === 3 ? x.hi : x.lo);

/** Whether an encoding is a nonzero number below the normal ones. */
export function isSubnormal(x: Element, log: FpLog): boolean {
  if (log === 3) return (x.hi & 0x7ff00000) === 0 && ((x.hi & 0xfffff) | x.lo) !== 0;
  return (x.lo & INFINITY[log]) === 0 && (x.lo & ~SIGN[log] & mask(log)) !== 0;
}

/** A zero of the same sign. */
function zero(x: Element, log: FpLog): void {
  if (log === 3) {
    x.hi &= SIGN[3];
    x.lo = 0;
  } else x.lo &= SIGN[log];
}
