/** Loads, stores, constants and environments of the x87 (SDM vol. 1, 8.1.9, 8.1.10; vol. 2, FLD, FST, FBSTP, FNSTENV). */
import { binary32, binary64, exact, extended80, flag, rounding } from '@axvisor/softcpu/softfloat';
import type { Rounding } from '@axvisor/softcpu/softfloat';
import type { Row } from '../isa/table.ts';
import { FCS, FCW, FDP, FDS, FIP, FOP, FSW, FTW } from '../state.ts';
import { hasMemory, memoryNumber, signOf } from './x87_operands.ts';
import type { Handler } from './x87_operands.ts';
import { Fsw, INDEFINITE, SIGN } from './x87_unit.ts';
import type { X87 } from './x87_unit.ts';

// ── constants: bits to nearest, and what directed rounding makes of them ──

export const CONSTANTS: Readonly<Record<string, readonly [nearest: bigint, up: boolean]>> = {
  fld1: [0x3fff_8000_0000_0000_0000n, false], fldl2t: [0x4000_d49a_784b_cd1b_8afen, false], fldl2e: [0x3fff_b8aa_3b29_5c17_f0bcn, true],
  fldpi: [0x4000_c90f_daa2_2168_c235n, true], fldlg2: [0x3ffd_9a20_9a84_fbcf_f799n, true], fldln2: [0x3ffe_b172_17f7_d1cf_79acn, true], fldz: [0n, false],
};
export const constant = (name: string): Handler => {
  const [nearest, roundedUp] = CONSTANTS[name] as readonly [bigint, boolean];
  return (x) => {
    const { direction } = x;
    const down = roundedUp && (direction === rounding.RDN || direction === rounding.RTZ);
    const up = name === 'fldl2t' && direction === rounding.RUP;
    x.push(nearest - (down ? 1n : 0n) + (up ? 1n : 0n));
  };
};

// ── loads and stores ──

export const load = (row: Row): Handler => (x, i) => {
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
export type Store = (x: X87) => boolean;
export const putInteger = (x: X87, bytes: number, value: bigint): void => {
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
export const storeInteger = (bytes: number, truncate: boolean): Store => (x) => {
  const value = toInteger(x, 8 * bytes, truncate ? rounding.RTZ : x.direction);
  if (value !== undefined) putInteger(x, bytes, value);
  return value !== undefined;
};
export const storeReal = (size: string): Store => (x) => {
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
export const storeDecimal: Store = (x) => {
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
export const loadDecimal: Handler = (x) => {
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
export const storeEnvironment = (x: X87, wide: boolean): number => {
  const { view, buffer } = x;
  ENVIRONMENT.forEach((offset, n) => {
    const value = x.word(offset);
    if (!wide) view.setUint16(buffer + 2 * n, value & 0xffff, true);
    else if (offset === FCS) view.setInt32(buffer + 4 * n, (value & 0xffff) | ((x.word(FOP) & 0x7ff) << 16), true);
    else view.setInt32(buffer + 4 * n, n < 3 || offset === FDS ? value | 0xffff_0000 : value, true);
  });
  return wide ? 28 : 14;
};
export const loadEnvironment = (x: X87, wide: boolean): number => {
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
export const control = (value: number): number => (value & 0x1f3f) | 0x40;
/** ES and B follow from exceptions and masks. */
export function summarize(x: X87): void {
  const status = x.word(FSW) & ~(Fsw.ES | Fsw.B);
  x.setWord(FSW, (status & 0x3f & ~x.word(FCW)) === 0 ? status : status | Fsw.ES | Fsw.B);
}
export function initialize(x: X87): void {
  x.setWord(FCW, 0x37f);
  x.setWord(FSW, 0);
  x.setWord(FTW, 0xffff);
  for (const offset of [FOP, FIP, FIP + 4, FDP, FDP + 4, FCS, FDS]) x.setWord(offset, 0);
}
export function saveAll(x: X87, wide: boolean): void {
  let at = x.buffer + storeEnvironment(x, wide);
  for (let i = 0; i < 8; i++, at += 10) {
    const bits = x.get(i);
    x.view.setBigUint64(at, BigInt.asUintN(64, bits), true);
    x.view.setUint16(at + 8, Number(bits >> 64n), true);
  }
}
export function restoreAll(x: X87, wide: boolean): void {
  let at = x.buffer + loadEnvironment(x, wide);
  const tags = x.word(FTW);
  for (let i = 0; i < 8; i++, at += 10) x.set(i, (BigInt(x.view.getUint16(at + 8, true)) << 64n) | x.view.getBigUint64(at, true));
  x.setWord(FTW, tags);
}
