/** What handlers of x87 instructions share: operands in memory, registers that are empty, results that are invalid. */
import { binary32, binary64, exact, extended80, flag } from '@axvisor/softcpu/softfloat';
import type { Row } from '../isa/table.ts';
import { Fsw, INDEFINITE, SIGN, isNan, isUnsupported, isZero } from './x87_unit.ts';
import type { X87 } from './x87_unit.ts';

/** Executes an instruction on register ST(`i`). `wide`: environments are those of 32-bit code. */
export type Handler = (x: X87, i: number, wide: boolean) => void;

const integerAt = (x: X87, bytes: number): bigint => {
  const { view, buffer } = x;
  return bytes === 2 ? BigInt(view.getInt16(buffer, true)) : bytes === 4 ? BigInt(view.getInt32(buffer, true)) : view.getBigInt64(buffer, true);
};
export const SIZES: Readonly<Record<string, number>> = { w: 2, d: 4, q: 8, t: 10 };

export const isNumber = (bits: bigint): boolean => !isNan(bits) && !isUnsupported(bits);

/** The memory operand as a number; undefined where its conversion is stopped. */
export function memoryNumber(x: X87, row: Row): bigint | undefined {
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

export const hasMemory = (row: Row): boolean => row.memory === true;

export const signOf = (bits: bigint): 0 | 1 => ((bits & SIGN) === 0n ? 0 : 1);
/** The result of an invalid operation, or the NaN of an operand. */
export const invalid = (x: X87, operands: readonly bigint[]): bigint | undefined =>
  x.compute((env) => {
    env.flags |= flag.NV;
    return INDEFINITE;
  }, operands, true);

/** An operation on ST(0) alone; an empty one becomes indefinite. */
export const onTop = (f: (x: X87, value: bigint) => bigint | undefined): Handler => (x) => {
  if (x.isEmpty(0)) {
    if (!x.stackFault(false)) x.set(0, INDEFINITE);
    return;
  }
  const result = f(x, x.get(0));
  if (result !== undefined) x.set(0, result);
};
