/**
 * The F and D extensions executed from JavaScript on the state block: the path of every case that generated code does not settle itself
 * (unprivileged specification, "F" and "D" extensions).
 */
import {
  binary32, createFloatEnv, f64, integerRiscv, nanRiscv, narrow,
} from '@axvisor/softcpu/softfloat';
import type { FloatEnv, Rounding } from '@axvisor/softcpu/softfloat';
import { op } from '../isa/table.ts';
import type { InsnName } from '../isa/table.ts';
import { FFLAGS, FS_DIRTY } from '../state.ts';

/**
 * Executes one floating-point instruction that neither loads nor stores.
 *
 * @param number - its op number
 * @param rd, rs1, rs2, rs3 - byte offsets of its registers in the state block
 * @param mode - rounding mode, 0 … 4; ignored where the instruction has none
 * @returns 0: execution goes on with the next instruction
 */
export type FpExec = (number: number, rd: number, rs1: number, rs2: number, rs3: number, mode: number) => number;

/** What holds the state block; `buffer` may be replaced when it grows. */
export interface FpMemory {
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
}

/** The canonical NaN of single precision: what a register that holds no NaN-boxed value reads as. */
const CANONICAL_NAN = 0x7fc00000;
const SIGN = -0x80000000;

/** Operands are indices into `words` of the registers' low halves. */
type Handler = (rd: number, rs1: number, rs2: number, rs3: number) => void;

/** The registers as the handlers see them. */
class Registers {
  words: Int32Array = new Int32Array(0);
  readonly env: FloatEnv = createFloatEnv({ tininessBefore: false, nan: nanRiscv, integer: integerRiscv });

  single(at: number): number {
    return this.words[at + 1] === -1 ? (this.words[at] as number) : CANONICAL_NAN;
  }

  setSingle(at: number, bits: number): void {
    this.words[at] = bits;
    this.words[at + 1] = -1;
  }

  lo(at: number): number {
    return this.words[at] as number;
  }

  hi(at: number): number {
    return this.words[at + 1] as number;
  }

  set(at: number, hi: number, lo: number): void {
    this.words[at] = lo;
    this.words[at + 1] = hi;
  }

  /** The 64-bit result that the environment holds. */
  setWide(at: number): void {
    this.set(at, this.env.hi, this.env.lo);
  }

  /** A 32-bit result in an integer register, sign-extended whether signed or not. */
  setWord(at: number, value: number): void {
    this.set(at, value >> 31, value);
  }
}

type Table = Partial<Record<InsnName, Handler>>;

/** Signs of product and addend of the four fused multiply-adds. */
const fused = { fmadd: [0, 0], fmsub: [0, SIGN], fnmsub: [SIGN, 0], fnmadd: [SIGN, SIGN] } as const;
const arithmetic = { fadd: 'add', fsub: 'sub', fmul: 'mul', fdiv: 'div' } as const;
const comparison = { feq: ['equal', false], flt: ['lessThan', true], fle: ['lessOrEqual', true] } as const;
/** What the three sign injections make of the operands' sign bits. */
const injection = { fsgnj: (_: number, b: number) => b, fsgnjn: (_: number, b: number) => ~b, fsgnjx: (a: number, b: number) => a ^ b } as const;
const words = { w: true, wu: false } as const;
const longs = { l: true, lu: false } as const;

const entries = <K extends string, V>(table: Readonly<Record<K, V>>): [K, V][] => Object.entries(table) as [K, V][];

function singleHandlers(r: Registers): Table {
  const { env } = r;
  const table: Table = {
    'fsqrt.s': (rd, rs1) => r.setSingle(rd, narrow.sqrt(binary32, env, r.single(rs1))),
    'fmin.s': (rd, rs1, rs2) => r.setSingle(rd, narrow.minMax(binary32, env, r.single(rs1), r.single(rs2), false, 'number2019')),
    'fmax.s': (rd, rs1, rs2) => r.setSingle(rd, narrow.minMax(binary32, env, r.single(rs1), r.single(rs2), true, 'number2019')),
    'fclass.s': (rd, rs1) => r.set(rd, 0, 1 << narrow.classify(binary32, r.single(rs1))),
    'fmv.x.w': (rd, rs1) => r.setWord(rd, r.lo(rs1)),
    'fmv.w.x': (rd, rs1) => r.setSingle(rd, r.lo(rs1)),
    'fcvt.s.d': (rd, rs1) => r.setSingle(rd, f64.toFormat(binary32, env, r.hi(rs1), r.lo(rs1))),
  };
  for (const [name, operation] of entries(arithmetic)) {
    table[`${name}.s`] = (rd, rs1, rs2) => r.setSingle(rd, narrow[operation](binary32, env, r.single(rs1), r.single(rs2)));
  }
  for (const [name, [product, addend]] of entries(fused)) {
    table[`${name}.s`] = (rd, rs1, rs2, rs3) =>
      r.setSingle(rd, narrow.mulAdd(binary32, env, r.single(rs1) ^ product, r.single(rs2), r.single(rs3) ^ addend));
  }
  for (const [name, [operation, signaling]] of entries(comparison)) {
    table[`${name}.s`] = (rd, rs1, rs2) => r.set(rd, 0, narrow[operation](binary32, env, r.single(rs1), r.single(rs2), signaling) ? 1 : 0);
  }
  for (const [name, sign] of entries(injection)) {
    table[`${name}.s`] = (rd, rs1, rs2) => {
      const a = r.single(rs1);
      r.setSingle(rd, (a & ~SIGN) | (sign(a, r.single(rs2)) & SIGN));
    };
  }
  for (const [type, signed] of entries(words)) {
    table[`fcvt.${type}.s`] = (rd, rs1) => r.setWord(rd, narrow.toInt32(binary32, env, r.single(rs1), signed));
    table[`fcvt.s.${type}`] = (rd, rs1) =>
      r.setSingle(rd, narrow.fromInt64(binary32, env, signed ? r.lo(rs1) >> 31 : 0, r.lo(rs1), signed));
  }
  for (const [type, signed] of entries(longs)) {
    table[`fcvt.${type}.s`] = (rd, rs1) => {
      narrow.toInt64(binary32, env, r.single(rs1), signed);
      r.setWide(rd);
    };
    table[`fcvt.s.${type}`] = (rd, rs1) => r.setSingle(rd, narrow.fromInt64(binary32, env, r.hi(rs1), r.lo(rs1), signed));
  }
  return table;
}

function doubleHandlers(r: Registers): Table {
  const { env } = r;
  /** A handler whose operation leaves its result in the environment. */
  const wide = (operation: Handler): Handler => (rd, rs1, rs2, rs3) => {
    operation(rd, rs1, rs2, rs3);
    r.setWide(rd);
  };
  const minMax = (max: boolean): Handler =>
    wide((_, rs1, rs2) => f64.minMax(env, r.hi(rs1), r.lo(rs1), r.hi(rs2), r.lo(rs2), max, 'number2019'));
  const copy: Handler = (rd, rs1) => r.set(rd, r.hi(rs1), r.lo(rs1));
  const table: Table = {
    'fsqrt.d': wide((_, rs1) => f64.sqrt(env, r.hi(rs1), r.lo(rs1))),
    'fmin.d': minMax(false),
    'fmax.d': minMax(true),
    'fclass.d': (rd, rs1) => r.set(rd, 0, 1 << f64.classify(r.hi(rs1), r.lo(rs1))),
    'fmv.x.d': copy,
    'fmv.d.x': copy,
    'fcvt.d.s': wide((_, rs1) => narrow.toBinary64(binary32, env, r.single(rs1))),
  };
  for (const [name, operation] of entries(arithmetic)) {
    table[`${name}.d`] = wide((_, rs1, rs2) => f64[operation](env, r.hi(rs1), r.lo(rs1), r.hi(rs2), r.lo(rs2)));
  }
  for (const [name, [product, addend]] of entries(fused)) {
    table[`${name}.d`] = wide((_, rs1, rs2, rs3) =>
      f64.mulAdd(env, r.hi(rs1) ^ product, r.lo(rs1), r.hi(rs2), r.lo(rs2), r.hi(rs3) ^ addend, r.lo(rs3)));
  }
  for (const [name, [operation, signaling]] of entries(comparison)) {
    table[`${name}.d`] = (rd, rs1, rs2) => r.set(rd, 0, f64[operation](env, r.hi(rs1), r.lo(rs1), r.hi(rs2), r.lo(rs2), signaling) ? 1 : 0);
  }
  for (const [name, sign] of entries(injection)) {
    table[`${name}.d`] = (rd, rs1, rs2) => r.set(rd, (r.hi(rs1) & ~SIGN) | (sign(r.hi(rs1), r.hi(rs2)) & SIGN), r.lo(rs1));
  }
  for (const [type, signed] of entries(words)) {
    table[`fcvt.${type}.d`] = (rd, rs1) => r.setWord(rd, f64.toInt32(env, r.hi(rs1), r.lo(rs1), signed));
    table[`fcvt.d.${type}`] = wide((_, rs1) => f64.fromInt64(env, signed ? r.lo(rs1) >> 31 : 0, r.lo(rs1), signed));
  }
  for (const [type, signed] of entries(longs)) {
    table[`fcvt.${type}.d`] = wide((_, rs1) => f64.toInt64(env, r.hi(rs1), r.lo(rs1), signed));
    table[`fcvt.d.${type}`] = wide((_, rs1) => f64.fromInt64(env, r.hi(rs1), r.lo(rs1), signed));
  }
  return table;
}

/** Instructions whose destination is an integer register: they make the floating-point state dirty only through flags. */
const toInteger = /^(feq|flt|fle|fclass|fmv\.x|fcvt\.(wu?|lu?))\./;

/**
 * Makes the executor for the hart whose state block lies at `stateBase` of `memory`.
 *
 * @throws {RangeError} (the executor) for an op number that is not one of its instructions
 */
export function createFpExec(memory: FpMemory, stateBase: number): FpExec {
  const registers = new Registers();
  const { env } = registers;
  const handlers: (Handler | undefined)[] = [];
  const writesFloat: boolean[] = [];
  for (const [name, handler] of Object.entries({ ...singleHandlers(registers), ...doubleHandlers(registers) })) {
    const number = op[name as InsnName];
    handlers[number] = handler;
    writesFloat[number] = !toInteger.test(name);
  }
  const word = (offset: number): number => (stateBase + offset) >>> 2;
  const fflags = word(FFLAGS);
  const dirty = word(FS_DIRTY);
  return (number, rd, rs1, rs2, rs3, mode) => {
    // A memory that has grown leaves views of length 0 behind.
    if (registers.words.length === 0) registers.words = new Int32Array(memory.buffer);
    const handler = handlers[number];
    if (handler === undefined) throw new RangeError(`op ${number} is not a floating-point instruction`);
    env.rounding = mode as Rounding;
    env.flags = 0;
    handler(word(rd), word(rs1), word(rs2), word(rs3));
    const state = registers.words;
    if (env.flags !== 0) state[fflags] = (state[fflags] as number) | env.flags;
    if (env.flags !== 0 || writesFloat[number] === true) state[dirty] = 1;
    return 0;
  };
}
