/** Arithmetic, comparisons and the exact functions of the x87 (SDM vol. 2, FADD … FXTRACT). */
import { exact, extended80, flag } from '@axvisor/softcpu/softfloat';
import type { Row } from '../isa/table.ts';
import { hasMemory, invalid, isNumber, memoryNumber, signOf } from './x87_operands.ts';
import type { Handler } from './x87_operands.ts';
import { Fsw, INDEFINITE, SIGN, exponentOf, isDenormal, isInfinite, isNan, isZero } from './x87_unit.ts';
import type { Operation } from './x87_unit.ts';

const OPERATIONS: Readonly<Record<string, Operation>> = {
  add: (env, [a, b], format) => exact.add(format, env, a as bigint, b as bigint),
  sub: (env, [a, b], format) => exact.sub(format, env, a as bigint, b as bigint),
  subr: (env, [a, b], format) => exact.sub(format, env, b as bigint, a as bigint),
  mul: (env, [a, b], format) => exact.mul(format, env, a as bigint, b as bigint),
  div: (env, [a, b], format) => exact.div(format, env, a as bigint, b as bigint),
  divr: (env, [a, b], format) => exact.div(format, env, b as bigint, a as bigint),
};

/** ST(destination) = ST(destination) op source. */
export function arithmetic(row: Row): Handler | undefined {
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

export const CODES: Readonly<Record<'less' | 'equal' | 'greater' | 'unordered', number>> = { less: Fsw.C0, equal: Fsw.C3, greater: 0, unordered: Fsw.C0 | Fsw.C2 | Fsw.C3 };
export const codesOf = (order: -1 | 0 | 1 | undefined): number => (order === undefined ? CODES.unordered : order === 0 ? CODES.equal : order < 0 ? CODES.less : CODES.greater);
/** ZF, PF, CF. */
const flagsOf = (order: -1 | 0 | 1 | undefined): number => (order === undefined ? 0x45 : order === 0 ? 0x40 : order < 0 ? 1 : 0);

export function comparison(row: Row): Handler | undefined {
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
export const remainder = (nearest: boolean): Handler => (x) => {
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
export const scale: Handler = (x) => {
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
export const extract: Handler = (x) => {
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
export const examine: Handler = (x) => {
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
