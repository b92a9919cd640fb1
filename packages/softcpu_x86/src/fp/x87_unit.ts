/** The x87 register stack, its exceptions and its rounding (SDM vol. 1, chapter 8), on the state block. */
import { createFloatEnv, exact, extended80, flag, integerX86, nanX86, rounding } from '@axvisor/softcpu/softfloat';
import type { FloatEnv, Format, Rounding } from '@axvisor/softcpu/softfloat';
import type { WasmMemory } from '@axvisor/softcpu';
import { FCW, FPR, FSW, FTW, VT } from '../state.ts';

/** Bits of the status word. */
export const Fsw = { IE: 1, DE: 2, ZE: 4, OE: 8, UE: 16, PE: 32, SF: 64, ES: 128, C0: 0x100, C1: 0x200, C2: 0x400, topShift: 11, C3: 0x4000, B: 0x8000 } as const;
const EXCEPTIONS = 0x3f;
/** Those found before an operation: unmasked, nothing is done. */
const BEFORE = Fsw.IE | Fsw.DE | Fsw.ZE;
const Tag = { valid: 0, zero: 1, special: 2, empty: 3 } as const;

export const INDEFINITE = 0xffff_c000_0000_0000_0000n;
export const SIGN: bigint = 1n << 79n;
const QUIET = 1n << 62n;
const FRACTION = (1n << 63n) - 1n;
const DIRECTIONS: readonly Rounding[] = [rounding.RNE, rounding.RDN, rounding.RUP, rounding.RTZ];
const FLAGS: readonly (readonly [number, number])[] = [[flag.NV, Fsw.IE], [flag.DZ, Fsw.ZE], [flag.OF, Fsw.OE], [flag.UF, Fsw.UE], [flag.NX, Fsw.PE]];
/** Precisions of the control word: results of 24 and 53 bits have the exponents of the others. */
const precisions = (exponentBits: number): readonly Format[] =>
  [23, 63, 52, 63].map((fractionBits) => ({ name: `extended${fractionBits + 1}`, exponentBits, fractionBits, explicitInteger: true }));
const USUAL = precisions(15);
/** For results whose exponents are not those of a register. */
const UNBOUNDED = precisions(18);
/** What exponents are moved by where the exception of such a result is not masked (SDM vol. 1, 8.5.4). */
const WRAP = 24576n;

export const exponentOf = (bits: bigint): number => Number((bits >> 64n) & 0x7fffn);
export const isNan = (bits: bigint): boolean => exponentOf(bits) === 0x7fff && (bits & FRACTION) !== 0n;
/** An encoding that stands for nothing: the integer bit is clear where the exponent is not 0. */
export const isUnsupported = (bits: bigint): boolean => exponentOf(bits) !== 0 && (bits & (1n << 63n)) === 0n;
const isSignaling = (bits: bigint): boolean => isUnsupported(bits) || (isNan(bits) && (bits & QUIET) === 0n);
export const isDenormal = (bits: bigint): boolean => exponentOf(bits) === 0 && BigInt.asUintN(64, bits) !== 0n;
export const isZero = (bits: bigint): boolean => BigInt.asUintN(79, bits) === 0n;
export const isInfinite = (bits: bigint): boolean => exponentOf(bits) === 0x7fff && (bits & FRACTION) === 0n && !isUnsupported(bits);

/** An operation on operands of a format; it rounds as the environment says. */
export type Operation = (env: FloatEnv, operands: readonly bigint[], format: Format) => bigint;

export class X87 {
  readonly env: FloatEnv = createFloatEnv({ tininessBefore: false, nan: nanX86, integer: integerX86 });
  readonly #memory: WasmMemory;
  readonly #state: number;
  #view: DataView;

  constructor(memory: WasmMemory, state: number) {
    this.#memory = memory;
    this.#state = state;
    this.#view = new DataView(memory.buffer);
  }

  get view(): DataView {
    if (this.#view.buffer !== this.#memory.buffer) this.#view = new DataView(this.#memory.buffer);
    return this.#view;
  }

  word(offset: number): number {
    return this.view.getInt32(this.#state + offset, true);
  }

  setWord(offset: number, value: number): void {
    this.view.setInt32(this.#state + offset, value, true);
  }

  /** Where memory operands are. */
  get buffer(): number {
    return this.#state + VT;
  }

  // ── the stack ──

  get top(): number {
    return (this.word(FSW) >>> Fsw.topShift) & 7;
  }

  set top(top: number) {
    this.setWord(FSW, (this.word(FSW) & ~(7 << Fsw.topShift)) | ((top & 7) << Fsw.topShift));
  }

  tag(i: number): number {
    return (this.word(FTW) >>> (2 * ((this.top + i) & 7))) & 3;
  }

  setTag(i: number, tag: number): void {
    const shift = 2 * ((this.top + i) & 7);
    this.setWord(FTW, (this.word(FTW) & ~(3 << shift)) | (tag << shift));
  }

  isEmpty(i: number): boolean {
    return this.tag(i) === Tag.empty;
  }

  get(i: number): bigint {
    const at = this.#state + FPR + 16 * ((this.top + i) & 7);
    return (BigInt(this.view.getUint16(at + 8, true)) << 64n) | this.view.getBigUint64(at, true);
  }

  set(i: number, bits: bigint): void {
    const at = this.#state + FPR + 16 * ((this.top + i) & 7);
    this.view.setBigUint64(at, BigInt.asUintN(64, bits), true);
    this.view.setUint16(at + 8, Number((bits >> 64n) & 0xffffn), true);
    const exponent = exponentOf(bits);
    this.setTag(i, isZero(bits) ? Tag.zero : exponent === 0 || exponent === 0x7fff || isUnsupported(bits) ? Tag.special : Tag.valid);
  }

  free(i: number): void {
    this.setTag(i, Tag.empty);
  }

  pop(): void {
    this.free(0);
    this.top++;
  }

  // ── conditions and exceptions ──

  /** Sets C3, C2, C0; C1 is 0. */
  setCodes(codes: number): void {
    this.setWord(FSW, (this.word(FSW) & ~(Fsw.C0 | Fsw.C1 | Fsw.C2 | Fsw.C3)) | codes);
  }

  setC1(on: boolean): void {
    this.setWord(FSW, on ? this.word(FSW) | Fsw.C1 : this.word(FSW) & ~Fsw.C1);
  }

  clearC2(): void {
    this.setWord(FSW, this.word(FSW) & ~Fsw.C2);
  }

  /** Whether an exception waits to be delivered. */
  get pending(): boolean {
    return (this.word(FSW) & Fsw.ES) !== 0;
  }

  /** Raises exceptions. @returns whether one that was found before the operation is not masked: nothing is done then */
  raise(flags: number): boolean {
    const unmasked = flags & EXCEPTIONS & ~this.word(FCW);
    this.setWord(FSW, this.word(FSW) | flags | (unmasked === 0 ? 0 : Fsw.ES | Fsw.B));
    return (unmasked & BEFORE) !== 0;
  }

  /** The stack fault of a register that is empty (C1 = 0) or full (C1 = 1). */
  stackFault(overflow: boolean): boolean {
    this.setC1(overflow);
    return this.raise(Fsw.IE | Fsw.SF);
  }

  /** Pushes a number; on a full stack the indefinite. */
  push(bits: bigint): void {
    if (!this.isEmpty(7)) {
      if (!this.stackFault(true)) this.put(INDEFINITE);
      return;
    }
    this.setC1(false);
    this.put(bits);
  }

  /** Pushes a number whatever is there. */
  put(bits: bigint): void {
    this.top--;
    this.set(0, bits);
  }

  // ── arithmetic ──

  /** Which NaN two operands deliver (SDM vol. 1, table 4-7): of two the one with the larger significand, quieted. */
  propagate(a: bigint, b: bigint): bigint {
    if (isUnsupported(a) || isUnsupported(b)) return INDEFINITE;
    if (!isNan(b)) return a | QUIET;
    if (!isNan(a)) return b | QUIET;
    // A quiet NaN wins over a signaling one.
    if (isSignaling(a) !== isSignaling(b)) return isSignaling(a) ? b : a;
    const [x, y] = [a & FRACTION, b & FRACTION];
    if (x === y) return ((a & SIGN) === 0n ? a : b) | QUIET;
    return (x > y ? a : b) | QUIET;
  }

  #flagsOf(): number {
    return FLAGS.reduce((all, [theirs, ours]) => ((this.env.flags & theirs) === 0 ? all : all | ours), 0);
  }

  /** @param formats - by precision control. */
  #round(operation: Operation, operands: readonly bigint[], direction: Rounding, formats: readonly Format[]): bigint {
    const full = formats[3] as Format;
    const narrow = formats[(this.word(FCW) >>> 8) & 3] as Format;
    this.env.flags = 0;
    this.env.rounding = narrow.fractionBits === 63 ? direction : rounding.ODD;
    const result = operation(this.env, operands, full);
    const value = BigInt.asUintN(full.exponentBits + 64, result);
    if (narrow.fractionBits === 63 || value >> 64n === (1n << BigInt(full.exponentBits)) - 1n) return result;
    if (value === 0n) {
      // Exact; the direction decides its sign.
      this.env.rounding = direction;
      return operation(this.env, operands, full);
    }
    // Rounded to odd at first, so that rounding again is right.
    const inexact = this.env.flags & flag.NX;
    this.env.flags &= ~(flag.NX | flag.UF);
    this.env.rounding = direction;
    const rounded = exact.convert(full, narrow, this.env, result);
    this.env.flags |= inexact;
    return exact.convert(narrow, full, this.env, rounded);
  }

  /** A result whose exponent is moved into range, as the exception handler gets it. */
  #wrapped(operation: Operation, operands: readonly bigint[], direction: Rounding, overflow: boolean): bigint {
    const format = UNBOUNDED[3] as Format;
    const wide = operands.map((bits) => exact.convert(extended80, format, this.env, bits));
    const bits = this.#round(operation, wide, direction, UNBOUNDED);
    const exponent = ((bits >> 64n) & 0x3_ffffn) - 0x1_ffffn + 0x3fffn + (overflow ? -WRAP : WRAP);
    return ((bits >> 82n) << 79n) | (exponent << 64n) | BigInt.asUintN(64, bits);
  }

  get direction(): Rounding {
    return DIRECTIONS[(this.word(FCW) >>> 10) & 3] as Rounding;
  }

  /**
   * Runs an operation, as precise as the control word says unless it is `full`.
   *
   * @returns the result, undefined where an exception that is not masked keeps it from being written
   */
  compute(operation: Operation, operands: readonly bigint[], full = false): bigint | undefined {
    const [first = 0n, second = first] = operands;
    if (operands.some((bits) => isNan(bits) || isUnsupported(bits))) {
      this.setC1(false);
      if (operands.some(isSignaling) && this.raise(Fsw.IE)) return undefined;
      return this.propagate(first, second);
    }
    const run = full
      ? (direction: Rounding): bigint => {
          this.env.flags = 0;
          this.env.rounding = direction;
          return operation(this.env, operands, extended80);
        }
      : (direction: Rounding): bigint => this.#round(operation, operands, direction, USUAL);
    const result = run(this.direction);
    const raised = this.#flagsOf();
    const before = (raised & (Fsw.IE | Fsw.ZE)) || (operands.some(isDenormal) ? Fsw.DE : 0);
    if (this.raise(before)) {
      this.setC1(false);
      return undefined;
    }
    const unmasked = this.#outOfRange(raised, isDenormal(result));
    if (unmasked !== 0 && !full) {
      const wrap = (direction: Rounding): bigint => this.#wrapped(operation, operands, direction, unmasked === Fsw.OE);
      const value = wrap(this.direction);
      const inexact = this.#flagsOf() & Fsw.PE;
      this.raise(unmasked | inexact);
      this.setC1(inexact !== 0 && wrap(rounding.RTZ) !== value);
      return value;
    }
    this.raise(raised);
    // C1 says whether an inexact result was rounded up in magnitude.
    this.setC1((raised & Fsw.PE) !== 0 && run(rounding.RTZ) !== result);
    return result;
  }

  /** OE or UE where that is not masked: a tiny result is enough for the latter then, exact or not. */
  #outOfRange(raised: number, isTiny: boolean): number {
    const found = (raised & (Fsw.OE | Fsw.UE)) | (isTiny ? Fsw.UE : 0);
    return found & ~this.word(FCW);
  }

  /** Compares: -1, 0, 1; undefined if unordered. Undefined `done`: an exception is not masked. */
  compare(a: bigint, b: bigint, quiet: boolean): { readonly order: -1 | 0 | 1 | undefined; readonly done: boolean } {
    this.env.flags = 0;
    const order = exact.compare(extended80, this.env, a, b, !quiet);
    const invalid = (this.env.flags & flag.NV) !== 0;
    const denormal = order !== undefined && (isDenormal(a) || isDenormal(b));
    const stopped = this.raise(invalid ? Fsw.IE : denormal ? Fsw.DE : 0);
    this.setC1(false);
    return { order: stopped && invalid ? undefined : order, done: !stopped };
  }

  /** Converts between the register format and another, with flags. */
  convert(from: Format, to: Format, bits: bigint): { readonly value: bigint; readonly stopped: boolean } {
    this.env.flags = 0;
    this.env.rounding = this.direction;
    const value = exact.convert(from, to, this.env, isUnsupported(bits) ? INDEFINITE : bits);
    if (isUnsupported(bits)) this.env.flags |= flag.NV;
    const raised = this.#flagsOf();
    const largest = 1n << BigInt(to.fractionBits);
    const isSubnormal = BigInt.asUintN(to.exponentBits + to.fractionBits, value) < largest && BigInt.asUintN(to.exponentBits + to.fractionBits, value) !== 0n;
    const unmasked = this.#outOfRange(raised, isSubnormal);
    this.setC1(false);
    if (unmasked !== 0 && (raised & Fsw.IE) === 0) {
      this.raise(unmasked);
      return { value, stopped: true };
    }
    const stopped = this.raise(raised);
    if ((raised & Fsw.PE) !== 0) {
      this.env.rounding = rounding.RTZ;
      this.setC1(exact.convert(from, to, this.env, bits) !== value);
    }
    return { value, stopped };
  }
}
