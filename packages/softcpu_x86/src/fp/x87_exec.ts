/** x87 instructions (SDM vol. 2), executed by JavaScript: memory operands are at VT, where results for memory are left. */
import { binary32, binary64, exact, extended80, flag, rounding } from '@axvisor/softcpu/softfloat';
import type { Rounding } from '@axvisor/softcpu/softfloat';
import type { WasmMemory } from '@axvisor/softcpu';
import { rows } from '../isa/table.ts';
import type { Row } from '../isa/table.ts';
import { FCS, FCW, FDP, FDS, FIP, FOP, FSW, FTW } from '../state.ts';
import { Fsw, INDEFINITE, SIGN, X87, exponentOf, isDenormal, isInfinite, isNan, isUnsupported, isZero } from './x87_unit.ts';
import { angle, decode, powerMinusOne, quarters, round, sineAndCosine, tangent, timesLogarithm, timesLogarithmPlusOne } from './x87_functions.ts';
import type { Number80 } from './x87_functions.ts';
import type { Operation } from './x87_unit.ts';

/** What {@link X87Exec} answers. */
export const X87Status = { done: 0, /** An exception of an earlier instruction is to be delivered. */ pending: 1, /** Nothing is to be stored. */ nothing: 2 } as const;

/**
 * Executes the instruction of a row on register ST(`i`), or the second half of a store: what happens behind it.
 *
 * @param wide - environments are those of 32-bit code.
 */
export type X87Exec = (op: number, i: number, behind: number, wide: number) => number;

type Handler = (x: X87, i: number, wide: boolean) => void;

// ── operands ──

const integerAt = (x: X87, bytes: number): bigint => {
  const { view, buffer } = x;
  return bytes === 2 ? BigInt(view.getInt16(buffer, true)) : bytes === 4 ? BigInt(view.getInt32(buffer, true)) : view.getBigInt64(buffer, true);
};
const SIZES: Readonly<Record<string, number>> = { w: 2, d: 4, q: 8, t: 10 };

const isNumber = (bits: bigint): boolean => !isNan(bits) && !isUnsupported(bits);

/** The memory operand as a number; undefined where its conversion is stopped. */
function memoryNumber(x: X87, row: Row): bigint | undefined {
  const size = row.operands[0]?.size ?? '';
  const { view, buffer } = x;
  if (/^fi|^fild/.test(row.name)) {
    x.env.flags = 0;
    return exact.fromInteger(extended80, x.env, integerAt(x, SIZES[size] as number));
  }
  if (size === 't') return (BigInt(view.getUint16(buffer + 8, true)) << 64n) | view.getBigUint64(buffer, true);
  const [format, bits] = size === 'd' ? ([binary32, BigInt(view.getUint32(buffer, true))] as const) : ([binary64, view.getBigUint64(buffer, true)] as const);
  x.env.flags = 0;
  const value = exact.convert(format, extended80, x.env, bits);
  const exponent = format === binary32 ? (bits >> 23n) & 0xffn : (bits >> 52n) & 0x7ffn;
  const denormal = exponent === 0n && !isZero(value);
  // A NaN in the register comes before that.
  return x.raise((x.env.flags & flag.NV) !== 0 ? Fsw.IE : denormal && isNumber(x.get(0)) ? Fsw.DE : 0) ? undefined : value;
}

const hasMemory = (row: Row): boolean => row.memory === true;

// ── arithmetic ──

const OPERATIONS: Readonly<Record<string, Operation>> = {
  add: (env, [a, b], format) => exact.add(format, env, a as bigint, b as bigint),
  sub: (env, [a, b], format) => exact.sub(format, env, a as bigint, b as bigint),
  subr: (env, [a, b], format) => exact.sub(format, env, b as bigint, a as bigint),
  mul: (env, [a, b], format) => exact.mul(format, env, a as bigint, b as bigint),
  div: (env, [a, b], format) => exact.div(format, env, a as bigint, b as bigint),
  divr: (env, [a, b], format) => exact.div(format, env, b as bigint, a as bigint),
};

/** ST(destination) = ST(destination) op source. */
function arithmetic(row: Row): Handler | undefined {
  const match = /^f(i?)(add|subr?|mul|divr?)(p?)$/.exec(row.name);
  const operation = OPERATIONS[match?.[2] ?? ''];
  if (match === null || operation === undefined) return undefined;
  const pops = match[3] === 'p';
  const memory = hasMemory(row);
  const reversed = !memory && row.operands[0]?.kind === 'T';
  return (x, i) => {
    const [to, from] = reversed ? [i, 0] : [0, i];
    if (x.isEmpty(to) || (!memory && x.isEmpty(from))) {
      if (x.stackFault(false)) return;
      x.set(to, INDEFINITE);
    } else {
      const source = memory ? memoryNumber(x, row) : x.get(from);
      if (source === undefined) return;
      const result = x.compute(operation, [x.get(to), source]);
      if (result === undefined) return;
      x.set(to, result);
    }
    if (pops) x.pop();
  };
}

const CODES = { less: Fsw.C0, equal: Fsw.C3, greater: 0, unordered: Fsw.C0 | Fsw.C2 | Fsw.C3 } as const;
const codesOf = (order: -1 | 0 | 1 | undefined): number => (order === undefined ? CODES.unordered : order === 0 ? CODES.equal : order < 0 ? CODES.less : CODES.greater);
/** ZF, PF, CF. */
const flagsOf = (order: -1 | 0 | 1 | undefined): number => (order === undefined ? 0x45 : order === 0 ? 0x40 : order < 0 ? 1 : 0);

function comparison(row: Row): Handler | undefined {
  const match = /^f(u?)(i?)com(i?)(p{0,2})$/.exec(row.name);
  if (match === null) return undefined;
  const [, quiet, , toFlags, pops] = match as unknown as [string, string, string, string, string];
  const memory = hasMemory(row);
  return (x, number) => {
    const i = pops === 'pp' ? 1 : number;
    let order: -1 | 0 | 1 | undefined;
    let isDone: boolean;
    if (x.isEmpty(0) || (!memory && x.isEmpty(i))) {
      isDone = !x.stackFault(false);
    } else {
      const other = memory ? memoryNumber(x, row) : x.get(i);
      if (other === undefined) return;
      ({ order, done: isDone } = x.compare(x.get(0), other, quiet !== ''));
    }
    // The outcome is told even where an exception is not masked; but nothing is popped then.
    if (toFlags === '') x.setCodes(codesOf(order));
    else x.view.setInt32(x.buffer, flagsOf(order), true);
    if (!isDone) return;
    for (let n = 0; n < pops.length; n++) x.pop();
  };
}

/** An operation on ST(0) alone; an empty one becomes indefinite. */
const onTop = (f: (x: X87, value: bigint) => bigint | undefined): Handler => (x) => {
  if (x.isEmpty(0)) {
    if (!x.stackFault(false)) x.set(0, INDEFINITE);
    return;
  }
  const result = f(x, x.get(0));
  if (result !== undefined) x.set(0, result);
};

// ── transcendental functions ──

const signOf = (bits: bigint): 0 | 1 => ((bits & SIGN) === 0n ? 0 : 1);

/** Rounded to 64 digits, whatever the precision control says. */
const rounded = (x: X87, operands: readonly bigint[], value: Number80): bigint | undefined => x.compute((env) => round(value, env), operands, true);
/** The result of an invalid operation, or the NaN of an operand. */
const invalid = (x: X87, operands: readonly bigint[]): bigint | undefined =>
  x.compute((env) => {
    env.flags |= flag.NV;
    return INDEFINITE;
  }, operands, true);
/** A result that needs no rounding. */
const settled = (x: X87, operands: readonly bigint[], bits: bigint): bigint | undefined => x.compute(() => bits, operands, true);
const INFINITY = 0x7fff_8000_0000_0000_0000n;
const UNIT = 0x3fff_8000_0000_0000_0000n;
const signed = (bits: bigint, sign: 0 | 1): bigint => (sign === 1 ? bits | SIGN : bits);
const both = (a: bigint, b: bigint): 0 | 1 => (signOf(a) === signOf(b) ? 0 : 1);

/** 2^x - 1. Beyond 1 nothing is promised; the number is left as it is. */
const power: Handler = onTop((x, value) => {
  if (!isNumber(value)) return invalid(x, [value]);
  if (isInfinite(value)) return settled(x, [value], signOf(value) === 1 ? signed(UNIT, 1) : value);
  if (isZero(value)) return settled(x, [value], value);
  if (exponentOf(value) > 0x3fff || (exponentOf(value) === 0x3fff && BigInt.asUintN(63, value) !== 0n)) {
    x.raise(Fsw.PE);
    return settled(x, [value], value);
  }
  return rounded(x, [value], powerMinusOne(decode(value)));
});

/** ST(1) = f(ST(1), ST(0)), popped. */
const ofTwo = (f: (x: X87, y: bigint, value: bigint) => bigint | undefined): Handler => (x) => {
  if (x.isEmpty(0) || x.isEmpty(1)) {
    if (x.stackFault(false)) return;
    x.set(1, INDEFINITE);
  } else {
    const [value, y] = [x.get(0), x.get(1)];
    const result = isNumber(value) && isNumber(y) ? f(x, y, value) : invalid(x, [y, value]);
    if (result === undefined) return;
    x.set(1, result);
  }
  x.pop();
};

/** y × log2 x (SDM vol. 2, table 3-48). */
const logarithm: Handler = ofTwo((x, y, value) => {
  const operands = [y, value];
  if (isZero(value)) {
    if (isZero(y)) return invalid(x, operands);
    if (!isInfinite(y) && x.raise(Fsw.ZE)) return undefined;
    return settled(x, [y], signed(INFINITY, signOf(y) === 1 ? 0 : 1));
  }
  const isOne = value === UNIT;
  if (signOf(value) === 1 || (isInfinite(value) && isZero(y)) || (isInfinite(y) && isOne)) return invalid(x, operands);
  const below = exponentOf(value) < 0x3fff ? 1 : 0;
  const sign = signOf(y) === below ? 0 : 1;
  if (isInfinite(value) || isInfinite(y)) return settled(x, operands, signed(INFINITY, sign));
  if (isZero(y) || isOne) return settled(x, operands, signed(0n, isOne ? signOf(y) : sign));
  return rounded(x, operands, timesLogarithm(decode(y), decode(value)));
});
/** y × log2(x + 1) (table 3-49). At -1 and below nothing is promised. */
const logarithmPlusOne: Handler = ofTwo((x, y, value) => {
  const operands = [y, value];
  if ((isInfinite(y) && isZero(value)) || (isInfinite(value) && isZero(y))) return invalid(x, operands);
  const sign = both(y, value);
  if (isInfinite(y) || isInfinite(value)) return value === signed(INFINITY, 1) ? invalid(x, operands) : settled(x, operands, signed(INFINITY, sign));
  if (isZero(y) || isZero(value)) return settled(x, operands, signed(0n, sign));
  if (signOf(value) === 1 && exponentOf(value) >= 0x3fff) return settled(x, operands, y);
  return rounded(x, operands, timesLogarithmPlusOne(decode(y), decode(value)));
});
/** The angle of (x, y) (table 3-31). */
const inverseTangent: Handler = ofTwo((x, y, value) => {
  const operands = [y, value];
  const [sign, negative] = [signOf(y), signOf(value) === 1];
  if (isInfinite(y)) return rounded(x, operands, quarters(isInfinite(value) ? (negative ? 3 : 1) : 2, sign));
  if (isInfinite(value) || isZero(y)) return negative ? rounded(x, operands, quarters(4, sign)) : settled(x, operands, signed(0n, sign));
  if (isZero(value)) return rounded(x, operands, quarters(2, sign));
  return rounded(x, operands, angle(decode(y), decode(value)));
});

/** Beyond 2^63 the argument is not reduced: C2. */
const isReducible = (bits: bigint): boolean => exponentOf(bits) < 0x3fff + 63 || exponentOf(bits) === 0x7fff;
/** Results to be in ST(0), and to be pushed; undefined where an exception stops them. */
type Trigonometric = (x: X87, value: bigint) => readonly (bigint | undefined)[];
const trigonometric = (results: 1 | 2, f: Trigonometric): Handler => (x) => {
  const [isEmpty, isFull] = [x.isEmpty(0), results === 2 && !x.isEmpty(7)];
  if (isEmpty || isFull) {
    if (x.stackFault(!isEmpty)) return;
    x.set(0, INDEFINITE);
    if (results === 2) x.put(INDEFINITE);
    x.clearC2();
    return;
  }
  const value = x.get(0);
  if (isNumber(value) && !isReducible(value)) {
    x.setCodes((x.word(FSW) & (Fsw.C0 | Fsw.C3)) | Fsw.C2);
    return;
  }
  x.clearC2();
  if (!isNumber(value) || isInfinite(value)) {
    const result = invalid(x, [value]);
    if (result === undefined) return;
    x.set(0, result);
    if (results === 2) x.put(result);
    return;
  }
  const [first, second] = f(x, value);
  if (first === undefined) return;
  x.set(0, first);
  if (second !== undefined) x.put(second);
};
const sine: Trigonometric = (x, value) => [isZero(value) ? settled(x, [value], value) : rounded(x, [value], sineAndCosine(decode(value)).sine)];
const cosine: Trigonometric = (x, value) => [isZero(value) ? settled(x, [value], UNIT) : rounded(x, [value], sineAndCosine(decode(value)).cosine)];
const sineThenCosine: Trigonometric = (x, value) => [...sine(x, value), ...cosine(x, value)];
const tangentThenOne: Trigonometric = (x, value) => [isZero(value) ? settled(x, [value], value) : rounded(x, [value], tangent(decode(value))), UNIT];

// ── exact functions ──

/** 2^63 ≤ significand < 2^64, and the exponent of its lowest bit. */
function normalized(bits: bigint): { readonly significand: bigint; readonly exponent: number } {
  let significand = BigInt.asUintN(64, bits);
  let exponent = Math.max(1, exponentOf(bits)) - 0x3fff - 63;
  while (significand !== 0n && significand < 1n << 63n) {
    significand <<= 1n;
    exponent--;
  }
  return { significand, exponent };
}
/** An integer times a power of two that the format can represent. */
function scaled(sign: 0 | 1, value: bigint, exponent: number): bigint {
  if (value === 0n) return sign === 1 ? SIGN : 0n;
  const bits = value.toString(2).length;
  const field = exponent + bits - 1 + 0x3fff;
  // Below the smallest normal exponent there are fewer digits.
  const shift = 64 - bits - Math.max(0, 1 - field);
  const significand = shift >= 0 ? value << BigInt(shift) : value >> BigInt(-shift);
  return (sign === 1 ? SIGN : 0n) | (BigInt(Math.max(0, field)) << 64n) | significand;
}

/** FPREM truncates the quotient, FPREM1 rounds it to nearest; at most 63 bits of it at a time. */
const remainder = (nearest: boolean): Handler => (x) => {
  x.clearC2();
  if (x.isEmpty(0) || x.isEmpty(1)) {
    if (!x.stackFault(false)) x.set(0, INDEFINITE);
    return;
  }
  const [a, b] = [x.get(0), x.get(1)];
  const areNumbers = isNumber(a) && isNumber(b);
  if (!areNumbers || isInfinite(a) || isZero(b)) {
    const result = invalid(x, [a, b]);
    if (result !== undefined) x.set(0, result);
    return;
  }
  x.setCodes(0);
  if ([a, b].some(isDenormal) && x.raise(Fsw.DE)) return;
  if (isInfinite(b) || isZero(a)) return;
  const [p, q] = [normalized(a), normalized(b)];
  const distance = p.exponent - q.exponent;
  if (distance >= 64) {
    // Reduced by a multiple of the divisor that takes 32 to 63 bits off.
    const shift = distance - (32 + (distance % 32));
    const divisor = q.significand << BigInt(shift);
    const value = p.significand << BigInt(distance);
    const rest = value - (value / divisor) * divisor;
    x.set(0, scaled(signOf(a), rest, q.exponent));
    x.setCodes(Fsw.C2);
    return;
  }
  const value = distance >= 0 ? p.significand << BigInt(distance) : p.significand;
  const divisor = distance >= 0 ? q.significand : q.significand << BigInt(-distance);
  const exponent = Math.min(p.exponent, q.exponent);
  let quotient = value / divisor;
  let rest = value % divisor;
  let sign = signOf(a);
  if (nearest && (2n * rest > divisor || (2n * rest === divisor && (quotient & 1n) === 1n))) {
    quotient += 1n;
    rest = divisor - rest;
    sign = sign === 0 ? 1 : 0;
  }
  x.set(0, scaled(rest === 0n ? signOf(a) : sign, rest, exponent));
  const bit = (n: bigint, code: number): number => (((quotient >> n) & 1n) === 0n ? 0 : code);
  x.setCodes(bit(0n, Fsw.C1) | bit(1n, Fsw.C3) | bit(2n, Fsw.C0));
};

/** ST(0) × 2^trunc(ST(1)). */
const scale: Handler = (x) => {
  if (x.isEmpty(0) || x.isEmpty(1)) {
    if (!x.stackFault(false)) x.set(0, INDEFINITE);
    return;
  }
  const [a, b] = [x.get(0), x.get(1)];
  const result = x.compute((env) => {
    if (isInfinite(b)) {
      const shrinks = signOf(b) === 1;
      if (shrinks ? isInfinite(a) : isZero(a)) {
        env.flags |= flag.NV;
        return INDEFINITE;
      }
      return (a & SIGN) | (shrinks ? 0n : 0x7fff_8000_0000_0000_0000n);
    }
    if (isZero(a) || isInfinite(a)) return a;
    const by = Math.max(-0x1_0000, Math.min(0x1_0000, toNumber(b)));
    const { significand, exponent } = normalized(a);
    const target = exponent + by + 63;
    // Far out of range: rounded as the largest and the smallest numbers are.
    const factor = (n: number): bigint => BigInt(0x3fff + n) << 64n | (1n << 63n);
    const unit = (a & SIGN) | (0x3fffn << 64n) | significand;
    if (target > 16383) return exact.mul(extended80, env, exact.mul(extended80, env, unit, factor(16383)), factor(Math.min(16383, target - 16383)));
    if (target < -16382) return exact.mul(extended80, env, unit | 0n, factor(-16382)) === 0n ? 0n : exact.mul(extended80, env, (a & SIGN) | (BigInt(0x3fff + Math.max(target + 16382, -16382)) << 64n) | significand, factor(-16382));
    return (a & SIGN) | (BigInt(0x3fff + target) << 64n) | significand;
  }, [a, b], true);
  if (result !== undefined) x.set(0, result);
};
/** Truncated; of numbers beyond 2^20 only the sign matters. */
const toNumber = (bits: bigint): number => {
  const { significand, exponent } = normalized(bits);
  const magnitude = exponent > -43 ? 2 ** 20 : exponent <= -64 ? 0 : Number(significand >> BigInt(-exponent));
  return signOf(bits) === 1 ? -magnitude : magnitude;
};

/** Exponent and significand apart. */
const extract: Handler = (x) => {
  const isEmpty = x.isEmpty(0);
  if (isEmpty || !x.isEmpty(7)) {
    if (x.stackFault(!isEmpty)) return;
    x.set(0, INDEFINITE);
    x.put(INDEFINITE);
    return;
  }
  const value = x.get(0);
  x.setC1(false);
  if (!isNumber(value) || isInfinite(value)) {
    const result = isInfinite(value) ? value : invalid(x, [value]);
    if (result === undefined) return;
    x.set(0, isInfinite(value) ? BigInt.asUintN(79, value) : result);
    x.push(result);
  } else if (isZero(value)) {
    if (x.raise(Fsw.ZE)) return;
    x.set(0, 0xffff_8000_0000_0000_0000n);
    x.push(value);
  } else {
    if (exponentOf(value) === 0 && x.raise(Fsw.DE)) return;
    const { significand, exponent } = normalized(value);
    x.env.flags = 0;
    x.set(0, exact.fromInteger(extended80, x.env, BigInt(exponent + 63)));
    x.push((value & SIGN) | (0x3fffn << 64n) | significand);
  }
};

/** C3, C2, C0 by class, C1 the sign. */
const examine: Handler = (x) => {
  const value = x.get(0);
  const sign = signOf(value) === 1 ? Fsw.C1 : 0;
  const unsupported = exponentOf(value) !== 0 && (value & (1n << 63n)) === 0n;
  const codes = x.isEmpty(0)
    ? Fsw.C3 | Fsw.C0
    : unsupported ? 0
      : isNan(value) ? Fsw.C0
        : isInfinite(value) ? Fsw.C2 | Fsw.C0
          : isZero(value) ? Fsw.C3
            : exponentOf(value) === 0 ? Fsw.C3 | Fsw.C2
              : Fsw.C2;
  x.setCodes(codes | sign);
};

// ── constants: bits to nearest, and what directed rounding makes of them ──

const CONSTANTS: Readonly<Record<string, readonly [nearest: bigint, up: boolean]>> = {
  fld1: [0x3fff_8000_0000_0000_0000n, false], fldl2t: [0x4000_d49a_784b_cd1b_8afen, false], fldl2e: [0x3fff_b8aa_3b29_5c17_f0bcn, true],
  fldpi: [0x4000_c90f_daa2_2168_c235n, true], fldlg2: [0x3ffd_9a20_9a84_fbcf_f799n, true], fldln2: [0x3ffe_b172_17f7_d1cf_79acn, true], fldz: [0n, false],
};
const constant = (name: string): Handler => {
  const [nearest, roundedUp] = CONSTANTS[name] as readonly [bigint, boolean];
  return (x) => {
    const { direction } = x;
    const down = roundedUp && (direction === rounding.RDN || direction === rounding.RTZ);
    const up = name === 'fldl2t' && direction === rounding.RUP;
    x.push(nearest - (down ? 1n : 0n) + (up ? 1n : 0n));
  };
};

// ── loads and stores ──

const load = (row: Row): Handler => (x, i) => {
  if (!hasMemory(row)) {
    if (x.isEmpty(i)) {
      if (!x.stackFault(false)) x.put(INDEFINITE);
      return;
    }
    x.push(x.get(i));
    return;
  }
  // A full stack is found before what is wrong with the number.
  const value = x.isEmpty(7) ? memoryNumber(x, row) : 0n;
  if (value !== undefined) x.push(value);
};

/** Stores to memory leave the bytes at VT; false: nothing is to be stored. */
type Store = (x: X87) => boolean;
const putInteger = (x: X87, bytes: number, value: bigint): void => {
  if (bytes === 2) x.view.setInt16(x.buffer, Number(BigInt.asIntN(16, value)), true);
  else if (bytes === 4) x.view.setInt32(x.buffer, Number(BigInt.asIntN(32, value)), true);
  else x.view.setBigInt64(x.buffer, BigInt.asIntN(64, value), true);
};
/** @param limit - magnitudes of this and above do not fit. */
function toInteger(x: X87, bits: number, direction: Rounding, limit: bigint = 1n << 64n): bigint | undefined {
  const smallest = -(1n << BigInt(bits - 1));
  if (x.isEmpty(0)) return x.stackFault(false) ? undefined : smallest;
  const run = (d: Rounding): bigint => {
    x.env.flags = 0;
    x.env.rounding = d;
    return exact.toInteger(extended80, x.env, x.get(0), { bits, signed: true });
  };
  const value = run(direction);
  const magnitude = value < 0n ? -value : value;
  if (magnitude >= limit) x.env.flags |= flag.NV;
  const raised = (x.env.flags & flag.NV) !== 0 ? Fsw.IE : (x.env.flags & flag.NX) !== 0 ? Fsw.PE : 0;
  x.setC1(false);
  if (x.raise(raised)) return undefined;
  x.setC1(raised === Fsw.PE && run(rounding.RTZ) !== value);
  return value;
}
const storeInteger = (bytes: number, truncate: boolean): Store => (x) => {
  const value = toInteger(x, 8 * bytes, truncate ? rounding.RTZ : x.direction);
  if (value !== undefined) putInteger(x, bytes, value);
  return value !== undefined;
};
const storeReal = (size: string): Store => (x) => {
  const empty = x.isEmpty(0);
  if (empty && x.stackFault(false)) return false;
  const bits = empty ? INDEFINITE : x.get(0);
  if (size === 't') {
    x.setC1(false);
    x.view.setBigUint64(x.buffer, BigInt.asUintN(64, bits), true);
    x.view.setUint16(x.buffer + 8, Number(bits >> 64n), true);
    return true;
  }
  const { value, stopped } = x.convert(extended80, size === 'd' ? binary32 : binary64, bits);
  if (stopped) return false;
  if (size === 'd') x.view.setUint32(x.buffer, Number(value), true);
  else x.view.setBigUint64(x.buffer, value, true);
  return true;
};
const DECIMAL_LIMIT = 10n ** 18n;
/** 18 decimal digits and a sign. */
const storeDecimal: Store = (x) => {
  const { view, buffer } = x;
  const value = toInteger(x, 64, x.direction, DECIMAL_LIMIT);
  if (value === undefined) return false;
  const magnitude = value < 0n ? -value : value;
  if (magnitude >= DECIMAL_LIMIT) {
    view.setBigUint64(buffer, 0xc000_0000_0000_0000n, true);
    view.setUint16(buffer + 8, 0xffff, true);
    return true;
  }
  let rest = magnitude;
  for (let n = 0; n < 9; n++, rest /= 100n) view.setUint8(buffer + n, Number((rest % 10n) | (((rest / 10n) % 10n) << 4n)));
  view.setUint8(buffer + 9, value < 0n || signOf(x.get(0)) === 1 ? 0x80 : 0);
  return true;
};
const loadDecimal: Handler = (x) => {
  let value = 0n;
  for (let n = 8; n >= 0; n--) {
    const byte = x.view.getUint8(x.buffer + n);
    value = value * 100n + BigInt((byte >> 4) * 10 + (byte & 15));
  }
  x.env.flags = 0;
  const bits = exact.fromInteger(extended80, x.env, value);
  x.push((x.view.getUint8(x.buffer + 9) & 0x80) === 0 ? bits : bits | SIGN);
};

// ── environments ──

const ENVIRONMENT = [FCW, FSW, FTW, FIP, FCS, FDP, FDS] as const;
/** Seven words, of 16 or 32 bits; of 32 the upper halves of the first ones are ones, as silicon leaves them. */
const storeEnvironment = (x: X87, wide: boolean): number => {
  const { view, buffer } = x;
  ENVIRONMENT.forEach((offset, n) => {
    const value = x.word(offset);
    if (!wide) view.setUint16(buffer + 2 * n, value & 0xffff, true);
    else if (offset === FCS) view.setInt32(buffer + 4 * n, (value & 0xffff) | ((x.word(FOP) & 0x7ff) << 16), true);
    else view.setInt32(buffer + 4 * n, n < 3 || offset === FDS ? value | 0xffff_0000 : value, true);
  });
  return wide ? 28 : 14;
};
const loadEnvironment = (x: X87, wide: boolean): number => {
  const { view, buffer } = x;
  ENVIRONMENT.forEach((offset, n) => {
    const value = wide ? view.getInt32(buffer + 4 * n, true) : view.getUint16(buffer + 2 * n, true);
    if (offset === FIP || offset === FDP) {
      x.setWord(offset, value);
      x.setWord(offset + 4, 0);
    } else x.setWord(offset, offset === FCW ? control(value) : value & 0xffff);
    if (offset === FCS && wide) x.setWord(FOP, (value >>> 16) & 0x7ff);
  });
  summarize(x);
  return wide ? 28 : 14;
};
/** Bit 6 of the control word is always 1, 13, 14, 15 and 7 always 0. */
const control = (value: number): number => (value & 0x1f3f) | 0x40;
/** ES and B follow from exceptions and masks. */
function summarize(x: X87): void {
  const status = x.word(FSW) & ~(Fsw.ES | Fsw.B);
  x.setWord(FSW, (status & 0x3f & ~x.word(FCW)) === 0 ? status : status | Fsw.ES | Fsw.B);
}
function initialize(x: X87): void {
  x.setWord(FCW, 0x37f);
  x.setWord(FSW, 0);
  x.setWord(FTW, 0xffff);
  for (const offset of [FOP, FIP, FIP + 4, FDP, FDP + 4, FCS, FDS]) x.setWord(offset, 0);
}
function saveAll(x: X87, wide: boolean): void {
  let at = x.buffer + storeEnvironment(x, wide);
  for (let i = 0; i < 8; i++, at += 10) {
    const bits = x.get(i);
    x.view.setBigUint64(at, BigInt.asUintN(64, bits), true);
    x.view.setUint16(at + 8, Number(bits >> 64n), true);
  }
}
function restoreAll(x: X87, wide: boolean): void {
  let at = x.buffer + loadEnvironment(x, wide);
  const tags = x.word(FTW);
  for (let i = 0; i < 8; i++, at += 10) x.set(i, (BigInt(x.view.getUint16(at + 8, true)) << 64n) | x.view.getBigUint64(at, true));
  x.setWord(FTW, tags);
}

// ── the table ──

const moveIf: Handler = (x, i) => {
  // The definition has evaluated the condition, and left it at VT.
  if (x.isEmpty(0) || x.isEmpty(i)) {
    if (!x.stackFault(false)) x.set(0, INDEFINITE);
    return;
  }
  if (x.view.getInt32(x.buffer, true) !== 0) x.set(0, x.get(i));
};
const exchange: Handler = (x, i) => {
  for (const n of [0, i]) {
    if (!x.isEmpty(n)) continue;
    if (x.stackFault(false)) return;
    x.set(n, INDEFINITE);
  }
  const [a, b] = [x.get(0), x.get(i)];
  x.set(0, b);
  x.set(i, a);
  x.setC1(false);
};
/** FST and FSTP to a register. */
const copy = (pops: boolean): Handler => (x, i) => {
  if (x.isEmpty(0)) {
    if (x.stackFault(false)) return;
    x.set(i, INDEFINITE);
  } else {
    x.setC1(false);
    x.set(i, x.get(0));
  }
  if (pops) x.pop();
};

const HANDLERS: Readonly<Record<string, Handler>> = {
  fchs: onTop((x, value) => (x.setC1(false), value ^ SIGN)), fabs: onTop((x, value) => (x.setC1(false), value & ~SIGN)),
  fsqrt: onTop((x, value) => x.compute((env, [a], format) => exact.sqrt(format, env, a as bigint), [value])),
  frndint: onTop((x, value) => x.compute((env, [a]) => exact.roundToIntegral(extended80, env, a as bigint, true), [value], true)),
  ftst: (x) => {
    if (x.isEmpty(0)) {
      x.stackFault(false);
      x.setCodes(CODES.unordered);
      return;
    }
    x.setCodes(codesOf(x.compare(x.get(0), 0n, false).order));
  },
  fxam: examine, fxtract: extract, fscale: scale, fprem: remainder(false), fprem1: remainder(true), fxch: exchange,
  f2xm1: power, fyl2x: logarithm, fyl2xp1: logarithmPlusOne, fpatan: inverseTangent,
  fsin: trigonometric(1, sine), fcos: trigonometric(1, cosine), fsincos: trigonometric(2, sineThenCosine), fptan: trigonometric(2, tangentThenOne),
  fincstp: (x) => {
    x.top++;
    x.setC1(false);
  },
  fdecstp: (x) => {
    x.top--;
    x.setC1(false);
  },
  ffree: (x, i) => {
    x.free(i);
    x.setC1(false);
  },
  ffreep: (x, i) => {
    x.free(i);
    x.setC1(false);
    x.pop();
  },
  fnop: () => {}, fneni: () => {}, fndisi: () => {}, fnsetpm: () => {},
  fninit: initialize,
  fnclex: (x) => x.setWord(FSW, x.word(FSW) & ~(0x7f | Fsw.ES | Fsw.B)),
  fldcw: (x) => {
    x.setWord(FCW, control(x.view.getUint16(x.buffer, true)));
    summarize(x);
  },
  fldenv: (x, _, wide) => void loadEnvironment(x, wide), frstor: (x, _, wide) => restoreAll(x, wide), fbld: loadDecimal,
};
/** Names of what does not wait for exceptions of earlier instructions. */
const WITHOUT_WAIT = /^fn(?!op)/;

function handlerOf(row: Row): Handler | undefined {
  const { name } = row;
  if (name === 'fld' || name === 'fild') return load(row);
  if (CONSTANTS[name] !== undefined) return constant(name);
  if (name.startsWith('fcmov')) return moveIf;
  if ((name === 'fst' || name === 'fstp') && !hasMemory(row)) return copy(name === 'fstp');
  return HANDLERS[name] ?? arithmetic(row) ?? comparison(row);
}

function storeOf(row: Row): Store | undefined {
  const size = row.operands[0]?.size ?? '';
  const { name } = row;
  if (name === 'fnstsw') return (x) => (putInteger(x, 2, BigInt(x.word(FSW))), true);
  if (!hasMemory(row)) return undefined;
  if (name === 'fst' || name === 'fstp') return storeReal(size);
  if (name === 'fist' || name === 'fistp' || name === 'fisttp') return storeInteger(SIZES[size] as number, name === 'fisttp');
  if (name === 'fnstcw') return (x) => (putInteger(x, 2, BigInt(x.word(FCW))), true);
  return name === 'fbstp' ? storeDecimal : undefined;
}

/** What a store does once memory is written. */
const BEHIND: Readonly<Record<string, (x: X87) => void>> = {
  fstp: (x) => x.pop(), fistp: (x) => x.pop(), fisttp: (x) => x.pop(), fbstp: (x) => x.pop(),
  fnstenv: (x) => x.setWord(FCW, x.word(FCW) | 0x3f), fnsave: initialize,
};

/** @param state - where the state block lies in `memory`. */
export function createX87Exec(memory: WasmMemory, state: number): X87Exec {
  const x = new X87(memory, state);
  const entries = rows.map((row) => (row.features.includes('fpu') ? { row, handler: handlerOf(row), store: storeOf(row) } : undefined));
  return (op, i, behind, wide) => {
    const entry = entries[op];
    if (entry === undefined) throw new RangeError(`${rows[op]?.name ?? op} is no x87 instruction`);
    const { row, handler, store } = entry;
    if (behind !== 0) {
      BEHIND[row.name]?.(x);
      return X87Status.done;
    }
    if (x.pending && !WITHOUT_WAIT.test(row.name)) return X87Status.pending;
    if (store !== undefined) return store(x) ? X87Status.done : X87Status.nothing;
    if (row.name === 'fnstenv') storeEnvironment(x, wide !== 0);
    else if (row.name === 'fnsave') saveAll(x, wide !== 0);
    else handler?.(x, i, wide !== 0);
    return X87Status.done;
  };
}
