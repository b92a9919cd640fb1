/** SSE instructions that JavaScript executes on the state block: operands at VT and VT + 16, the result at VT (SDM vol. 2). */
import { binary16, binary32, binary64, exact, flag, rounding } from '@axvisor/softcpu/softfloat';
import type { Format, Rounding } from '@axvisor/softcpu/softfloat';
import type { WasmMemory } from '@axvisor/softcpu';
import { rows } from '../isa/table.ts';
import type { Row } from '../isa/table.ts';
import { MXCSR, VT } from '../state.ts';
import { SimdEnv, formatOf, isNan, operations } from './simd_env.ts';

/** Executes the instruction of a row. @returns 1 if it raises an exception that is not masked */
export type SimdExec = (op: number, imm: number) => number;

/** What an instruction works on. */
export class SimdState {
  readonly env: SimdEnv = new SimdEnv();
  view: DataView;
  readonly at: number;

  constructor(memory: WasmMemory, state: number) {
    this.view = new DataView(memory.buffer);
    this.at = state + VT;
  }

  /** Lane `i` of `bytes` of an operand, unsigned. */
  lane(which: 0 | 1 | 2, bytes: number, i: number): bigint {
    const at = this.at + which * 16 + i * bytes;
    const { view } = this;
    if (bytes === 8) return view.getBigUint64(at, true);
    return BigInt(bytes === 4 ? view.getUint32(at, true) : bytes === 2 ? view.getUint16(at, true) : view.getUint8(at));
  }

  /** Writes the result: lanes of `bytes`, zeroes above. */
  result(bytes: number, lanes: readonly bigint[]): void {
    const { view, at } = this;
    view.setBigUint64(at, 0n, true);
    view.setBigUint64(at + 8, 0n, true);
    lanes.forEach((value, i) => {
      if (bytes === 8) view.setBigUint64(at + i * 8, BigInt.asUintN(64, value), true);
      else if (bytes === 4) view.setUint32(at + i * 4, Number(BigInt.asUintN(32, value)), true);
      else view.setUint16(at + i * 2, Number(BigInt.asUintN(16, value)), true);
    });
  }
}

type Handler = (s: SimdState, imm: number) => void;

const bytesOf = (format: Format): 4 | 8 => (format === binary64 ? 8 : 4);
const lanesOf = (format: Format, packed: boolean): readonly number[] => Array.from({ length: packed ? 16 / bytesOf(format) : 1 }, (_, i) => i);
const ONES = (format: Format): bigint => (1n << BigInt(8 * bytesOf(format))) - 1n;

function arithmetic(name: keyof typeof operations, format: Format, packed: boolean): Handler {
  const bytes = bytesOf(format);
  return (s) => s.result(bytes, lanesOf(format, packed).map((i) => s.env.run(format, format, operations[name], s.lane(0, bytes, i), s.lane(1, bytes, i))));
}

/** Signaling comparison: less, equal, greater, unordered. */
const ordered = (format: Format, s: SimdState, a: bigint, b: bigint, signaling: boolean): -1 | 0 | 1 | undefined => {
  let found: -1 | 0 | 1 | undefined;
  s.env.run(format, format, (f, env, [x, y]) => {
    found = exact.compare(f, env, x as bigint, y as bigint, signaling);
    return 0n;
  }, a, b);
  return found;
};

/** The second operand for NaNs and zeroes. */
function extremum(max: boolean, format: Format, packed: boolean): Handler {
  const bytes = bytesOf(format);
  return (s) => s.result(bytes, lanesOf(format, packed).map((i) => {
    const [a, b] = [s.lane(0, bytes, i), s.lane(1, bytes, i)];
    return ordered(format, s, a, b, true) === (max ? 1 : -1) ? s.env.operand(format, a) : s.env.operand(format, b);
  }));
}

const PREDICATES: readonly ((found: -1 | 0 | 1 | undefined) => boolean)[] = [
  (found) => found === 0, (found) => found === -1, (found) => found === -1 || found === 0, (found) => found === undefined,
];
/**
 * LT, LE and their opposites signal quiet NaNs. With a VEX prefix there are 32 predicates: bit 3 inverts the answer for unordered operands,
 * bit 4 what is signaled.
 */
function compare(format: Format, packed: boolean, vex: boolean): Handler {
  const bytes = bytesOf(format);
  return (s, imm) => s.result(bytes, lanesOf(format, packed).map((i) => {
    const signaling = ((imm & 3) === 1 || (imm & 3) === 2) !== (vex && (imm & 16) !== 0);
    const found = ordered(format, s, s.lane(0, bytes, i), s.lane(1, bytes, i), signaling);
    const holds = (PREDICATES[imm & 3] as (typeof PREDICATES)[number])(found) !== ((imm & 4) !== 0);
    return holds !== (vex && (imm & 8) !== 0 && found === undefined) ? ONES(format) : 0n;
  }));
}
function flags(format: Format, signaling: boolean): Handler {
  const bytes = bytesOf(format);
  return (s) => {
    const found = ordered(format, s, s.lane(0, bytes, 0), s.lane(1, bytes, 0), signaling);
    s.result(4, [found === undefined ? 0x45n : found === 0 ? 0x40n : found < 0 ? 1n : 0n]);
  };
}

/** Horizontal and alternating sums: what each lane of the result is made of, as [operand, lane] twice, and how. */
type Pick = (i: number) => readonly [readonly [0 | 1, number], readonly [0 | 1, number], 'add' | 'sub'];
function combined(format: Format, pick: Pick): Handler {
  const bytes = bytesOf(format);
  return (s) => s.result(bytes, lanesOf(format, true).map((i) => {
    const [[x, n], [y, m], name] = pick(i);
    return s.env.run(format, format, operations[name], s.lane(x, bytes, n), s.lane(y, bytes, m));
  }));
}
const horizontal = (format: Format, name: 'add' | 'sub'): Handler => {
  const half = 8 / bytesOf(format);
  return combined(format, (i) => {
    const which = i < half ? 0 : 1;
    const first = (i % half) * 2;
    return [[which, first], [which, first + 1], name];
  });
};

// ── conversions ──

const toFormat = (from: Format, to: Format, lanes: number): Handler => (s) =>
  s.result(bytesOf(to), Array.from({ length: lanes }, (_, i) => s.env.run(from, to, (f, env, [a]) => exact.convert(f, to, env, a as bigint), s.lane(1, bytesOf(from), i))));
/** To signed integers of `bits`, in the direction of MXCSR or truncated. */
const toIntegers = (from: Format, lanes: number, truncate: boolean, bits: (s: SimdState) => 32 | 64): Handler => (s) => {
  if (truncate) s.env.env.rounding = rounding.RTZ;
  const size = bits(s);
  s.result(size / 8, Array.from({ length: lanes }, (_, i) => {
    const value = s.env.operand(from, s.lane(1, bytesOf(from), i));
    s.env.env.flags = 0;
    const integer = exact.toInteger(from, s.env.env, value, { bits: size, signed: true });
    if ((s.env.env.flags & flag.NV) !== 0) s.env.raised |= 1;
    else if ((s.env.env.flags & flag.NX) !== 0) s.env.raised |= 32;
    return integer;
  }));
};
const fromIntegers = (to: Format, lanes: number, bits: (s: SimdState) => 32 | 64): Handler => (s) => {
  const size = bits(s);
  s.result(bytesOf(to), Array.from({ length: lanes }, (_, i) => {
    s.env.env.flags = 0;
    const result = exact.fromInteger(to, s.env.env, BigInt.asIntN(size, s.lane(1, size / 8, i)));
    if ((s.env.env.flags & flag.NX) !== 0) s.env.raised |= 32;
    return result;
  }));
};
/** From half precision: denormal numbers are what they are, whatever MXCSR.DAZ says. */
const fromHalf: Handler = (s) => s.result(4, [0, 1, 2, 3].map((i) => {
  s.env.env.flags = 0;
  const value = exact.convert(binary16, binary32, s.env.env, s.lane(1, 2, i));
  if ((s.env.env.flags & flag.NV) !== 0) s.env.raised |= 1;
  return value;
}));
/** To half precision, in the direction of the immediate or of MXCSR. */
const toHalf: Handler = (s, imm) => {
  if ((imm & 4) === 0) s.env.env.rounding = DIRECTIONS[imm & 3] as Rounding;
  s.env.flushes = false;
  s.result(2, [0, 1, 2, 3].map((i) => s.env.run(binary32, binary16, (f, env, [a]) => exact.convert(f, binary16, env, a as bigint), s.lane(1, 4, i))));
};
const always32 = (): 32 => 32;
/** The size that the definition left in the first operand. */
const asked = (s: SimdState): 32 | 64 => (s.lane(0, 4, 0) === 64n ? 64 : 32);

const DIRECTIONS: readonly Rounding[] = [rounding.RNE, rounding.RDN, rounding.RUP, rounding.RTZ];
const round = (format: Format, packed: boolean): Handler => (s, imm) => {
  if ((imm & 4) === 0) s.env.env.rounding = DIRECTIONS[imm & 3] as Rounding;
  const bytes = bytesOf(format);
  s.result(bytes, lanesOf(format, packed).map((i) => {
    const value = s.env.operand(format, s.lane(1, bytes, i));
    s.env.env.flags = 0;
    const result = exact.roundToIntegral(format, s.env.env, value, (imm & 8) === 0);
    if ((s.env.env.flags & flag.NV) !== 0) s.env.raised |= 1;
    if ((s.env.env.flags & flag.NX) !== 0) s.env.raised |= 32;
    return result;
  }));
};

// ── others ──

/** Products of lanes that the upper immediate bits choose, summed in pairs, to the lanes that the lower ones choose. */
const dotProduct = (format: Format): Handler => (s, imm) => {
  const bytes = bytesOf(format);
  const lanes = lanesOf(format, true);
  const products = lanes.map((i) => ((imm >> (4 + i)) & 1) === 0 ? 0n : s.env.run(format, format, operations.mul, s.lane(0, bytes, i), s.lane(1, bytes, i)));
  const sum = (a: bigint, b: bigint): bigint => s.env.run(format, format, operations.add, a, b);
  const [first, second, third, fourth] = products as [bigint, bigint, bigint?, bigint?];
  const low = sum(first, second);
  const total = third === undefined || fourth === undefined ? low : sum(low, sum(third, fourth));
  s.result(bytes, lanes.map((i) => ((imm >> i) & 1) === 0 ? 0n : total));
};

function handlerOf(row: Row): Handler | undefined {
  const name = row.vex ? row.name.slice(1) : row.name;
  const match = /^(add|sub|mul|div|sqrt|min|max|cmp)([ps])([sd])$/.exec(name);
  if (match !== null) {
    const [, stem, shape, type] = match as unknown as [string, string, string, string];
    const format = formatOf(type === 'd');
    const packed = shape === 'p';
    if (stem === 'min' || stem === 'max') return extremum(stem === 'max', format, packed);
    return stem === 'cmp' ? compare(format, packed, row.vex) : arithmetic(stem as keyof typeof operations, format, packed);
  }
  const fusedMatch = /^f(n?)m(add|sub|addsub|subadd)\d{3}([ps])([sd])$/.exec(name);
  if (fusedMatch !== null) {
    const [, negated, sign, shape, type] = fusedMatch as unknown as [string, string, string, string, string];
    return multiplyAdd(negated === 'n', SUBTRACTED[sign] as (lane: number) => boolean, formatOf(type === 'd'), shape === 'p');
  }
  return named[name];
}

const SUBTRACTED: Readonly<Record<string, (lane: number) => boolean>> = { add: () => false, sub: () => true, addsub: (i) => i % 2 === 0, subadd: (i) => i % 2 === 1 };
/** First times second operand plus the third. NaNs keep their signs. */
function multiplyAdd(negated: boolean, isSubtracted: (lane: number) => boolean, format: Format, packed: boolean): Handler {
  const bytes = bytesOf(format);
  const sign = 1n << BigInt(8 * bytes - 1);
  const inverted = (value: bigint, condition: boolean): bigint => (condition && !isNan(format, value) ? value ^ sign : value);
  return (s) => s.result(bytes, lanesOf(format, packed).map((i) => s.env.run(
    format, format, (f, env, [a, b, c]) => exact.mulAdd(f, env, a as bigint, b as bigint, c as bigint),
    inverted(s.lane(0, bytes, i), negated), s.lane(1, bytes, i), inverted(s.lane(2, bytes, i), isSubtracted(i)),
  )));
}

const named: Readonly<Record<string, Handler>> = {
  ucomiss: flags(binary32, false), comiss: flags(binary32, true), ucomisd: flags(binary64, false), comisd: flags(binary64, true),
  haddps: horizontal(binary32, 'add'), haddpd: horizontal(binary64, 'add'), hsubps: horizontal(binary32, 'sub'), hsubpd: horizontal(binary64, 'sub'),
  addsubps: combined(binary32, (i) => [[0, i], [1, i], i % 2 === 0 ? 'sub' : 'add']), addsubpd: combined(binary64, (i) => [[0, i], [1, i], i % 2 === 0 ? 'sub' : 'add']),
  cvtps2pd: toFormat(binary32, binary64, 2), cvtpd2ps: toFormat(binary64, binary32, 2), cvtss2sd: toFormat(binary32, binary64, 1), cvtsd2ss: toFormat(binary64, binary32, 1),
  cvtps2dq: toIntegers(binary32, 4, false, always32), cvttps2dq: toIntegers(binary32, 4, true, always32), cvtpd2dq: toIntegers(binary64, 2, false, always32), cvttpd2dq: toIntegers(binary64, 2, true, always32),
  cvtps2pi: toIntegers(binary32, 2, false, always32), cvttps2pi: toIntegers(binary32, 2, true, always32), cvtpd2pi: toIntegers(binary64, 2, false, always32), cvttpd2pi: toIntegers(binary64, 2, true, always32),
  cvtss2si: toIntegers(binary32, 1, false, asked), cvttss2si: toIntegers(binary32, 1, true, asked), cvtsd2si: toIntegers(binary64, 1, false, asked), cvttsd2si: toIntegers(binary64, 1, true, asked),
  cvtdq2ps: fromIntegers(binary32, 4, always32), cvtpi2ps: fromIntegers(binary32, 2, always32), cvtpi2pd: fromIntegers(binary64, 2, always32),
  cvtsi2ss: fromIntegers(binary32, 1, asked), cvtsi2sd: fromIntegers(binary64, 1, asked),
  cvtph2ps: fromHalf, cvtps2ph: toHalf,
  roundps: round(binary32, true), roundpd: round(binary64, true), roundss: round(binary32, false), roundsd: round(binary64, false),
  dpps: dotProduct(binary32), dppd: dotProduct(binary64),
};

/** @param state - where the state block lies in `memory`. */
export function createSimdExec(memory: WasmMemory, state: number): SimdExec {
  const s = new SimdState(memory, state);
  const handlers = rows.map(handlerOf);
  return (op, imm) => {
    if (s.view.buffer !== memory.buffer) s.view = new DataView(memory.buffer);
    const handler = handlers[op];
    if (handler === undefined) throw new RangeError(`${rows[op]?.name ?? op} is not executed by JavaScript`);
    s.env.begin(s.view.getInt32(state + MXCSR, true));
    handler(s, imm);
    const { mxcsr, unmasked } = s.env.end();
    s.view.setInt32(state + MXCSR, mxcsr, true);
    return unmasked ? 1 : 0;
  };
}
