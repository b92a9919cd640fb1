/** F and D by the manual, on bigint, from the exact functions alone. */
import { binary32, binary64, createFloatEnv, exact, integerRiscv, nanRiscv } from '@axvisor/softcpu/softfloat';
import type { FloatEnv, Format, Rounding } from '@axvisor/softcpu/softfloat';
import type { InsnName } from '../../src/isa/table.ts';

const BOX = 0xffff_ffff_0000_0000n;
const unbox = (bits: bigint): bigint => (bits >= BOX ? bits & 0xffff_ffffn : 0x7fc0_0000n);
const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);

const integerTypes = {
  w: { bits: 32, signed: true }, wu: { bits: 32, signed: false }, l: { bits: 64, signed: true }, lu: { bits: 64, signed: false },
} as const;
type IntegerName = keyof typeof integerTypes;
const isInteger = (name: string): name is IntegerName => name in integerTypes;

/** What rd and fflags become; `sources` are rs1, rs2, rs3 as registers hold them. */
export function model(name: InsnName, mode: number, flags: number, sources: readonly [bigint, bigint, bigint]): { rd: bigint; flags: number } {
  const env = createFloatEnv({ tininessBefore: false, nan: nanRiscv, integer: integerRiscv });
  env.rounding = mode as Rounding;
  env.flags = flags;
  return { rd: u64(compute(name, env, sources)), flags: env.flags };
}

function compute(name: InsnName, env: FloatEnv, [x, y, z]: readonly [bigint, bigint, bigint]): bigint {
  const [base = '', ...suffix] = name.split('.');
  if (base === 'fmv') {
    return { 'fmv.x.w': BigInt.asIntN(32, x), 'fmv.w.x': BOX | (x & 0xffff_ffffn), 'fmv.x.d': x, 'fmv.d.x': x }[name as 'fmv.x.w']!;
  }
  if (base === 'fcvt') return convert(suffix[0]!, suffix[1]!, env, x);
  const wide = suffix[0] === 'd';
  const format: Format = wide ? binary64 : binary32;
  const read = wide ? (v: bigint) => v : unbox;
  const write = wide ? (v: bigint) => v : (v: bigint) => BOX | v;
  const sign = wide ? 1n << 63n : 1n << 31n;
  const [a, b, c] = [read(x), read(y), read(z)];
  const truth = (holds: boolean): bigint => (holds ? 1n : 0n);
  const compare = (signaling: boolean): number | undefined => exact.compare(format, env, a, b, signaling);
  const inject = (bit: bigint): bigint => write((a & (sign - 1n)) | (bit & sign));
  switch (base) {
    case 'fadd': return write(exact.add(format, env, a, b));
    case 'fsub': return write(exact.sub(format, env, a, b));
    case 'fmul': return write(exact.mul(format, env, a, b));
    case 'fdiv': return write(exact.div(format, env, a, b));
    case 'fsqrt': return write(exact.sqrt(format, env, a));
    case 'fmadd': return write(exact.mulAdd(format, env, a, b, c));
    case 'fmsub': return write(exact.mulAdd(format, env, a, b, c ^ sign));
    case 'fnmsub': return write(exact.mulAdd(format, env, a ^ sign, b, c));
    case 'fnmadd': return write(exact.mulAdd(format, env, a ^ sign, b, c ^ sign));
    case 'fmin': return write(exact.minMax(format, env, a, b, false, 'number2019'));
    case 'fmax': return write(exact.minMax(format, env, a, b, true, 'number2019'));
    case 'feq': return truth(compare(false) === 0);
    case 'flt': return truth(compare(true) === -1);
    case 'fle': return truth((compare(true) ?? 1) <= 0);
    case 'fclass': return 1n << BigInt(exact.classify(format, a));
    case 'fsgnj': return inject(b);
    case 'fsgnjn': return inject(~b);
    case 'fsgnjx': return inject(a ^ b);
    default: throw new RangeError(`no model of ${name}`);
  }
}

function convert(to: string, from: string, env: FloatEnv, x: bigint): bigint {
  const format = (name: string): Format => (name === 'd' ? binary64 : binary32);
  const box = (bits: bigint): bigint => (to === 'd' ? bits : BOX | bits);
  if (isInteger(from)) {
    const { bits, signed } = integerTypes[from];
    return box(exact.fromInteger(format(to), env, signed ? BigInt.asIntN(bits, x) : BigInt.asUintN(bits, x)));
  }
  const value = from === 'd' ? x : unbox(x);
  if (!isInteger(to)) return box(exact.convert(format(from), format(to), env, value));
  const result = exact.toInteger(format(from), env, value, integerTypes[to]);
  // 32-bit results are sign-extended even if unsigned.
  return integerTypes[to].bits === 32 ? BigInt.asIntN(32, result) : result;
}
