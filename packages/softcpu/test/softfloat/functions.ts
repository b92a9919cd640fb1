/** Every operation of the software floating point under the name Berkeley TestFloat gives it, in its exact and its quick form. */
import {
  bfloat16, binary16, binary32, binary64, exact, extended80, f64, narrow,
} from '../../src/softfloat/index.ts';
import type { FloatEnv, Format, IntegerType } from '../../src/softfloat/index.ts';

export const formats: Readonly<Record<string, Format>> = { f16: binary16, bf16: bfloat16, f32: binary32, f64: binary64 };
export const integers: Readonly<Record<string, IntegerType>> = {
  i32: { bits: 32, signed: true }, ui32: { bits: 32, signed: false }, i64: { bits: 64, signed: true }, ui64: { bits: 64, signed: false },
};

/** Width in bits of an operand or result type. */
export function typeWidth(type: string): number {
  if (type === 'bool') return 1;
  const integer = integers[type];
  if (integer !== undefined) return integer.bits;
  return { f16: 16, bf16: 16, f32: 32, f64: 64, extF80: 80 }[type] as number;
}

/** Operands as hi, lo int32 pairs one after the other; the result is left in env.hi and env.lo (hi is 0 for narrow results). */
type Quick = (env: FloatEnv, w: Int32Array) => void;

export interface TestFunction {
  readonly name: string;
  readonly operands: readonly string[];
  readonly result: string;
  /** False when the rounding direction does not matter. */
  readonly rounds: boolean;
  readonly exact: (env: FloatEnv, operands: readonly bigint[]) => bigint;
  /** Absent where there is only the exact form. */
  readonly quick?: Quick;
}

type Ops3 = readonly [bigint, bigint, bigint];
const three = (o: readonly bigint[]): Ops3 => [o[0] ?? 0n, o[1] ?? 0n, o[2] ?? 0n];
const at = (w: Int32Array, i: number): number => w[i] as number;

const table: TestFunction[] = [];

function define(name: string, operands: readonly string[], result: string, rounds: boolean, reference: (env: FloatEnv, o: Ops3) => bigint, quick?: Quick): void {
  const run = (env: FloatEnv, o: readonly bigint[]): bigint => BigInt.asUintN(typeWidth(result), reference(env, three(o)));
  table.push({ name, operands, result, rounds, exact: run, ...(quick === undefined ? {} : { quick }) });
}

/** Wraps an operation with a narrow result. */
function small(bits: number, run: (env: FloatEnv, w: Int32Array) => number): Quick {
  return (env, w) => {
    const value = run(env, w);
    env.hi = 0;
    env.lo = bits === 32 ? value : value & (2 ** bits - 1);
  };
}
const bool = (run: (env: FloatEnv, w: Int32Array) => boolean): Quick => small(32, (env, w) => (run(env, w) ? 1 : 0));

const comparisons = {
  eq: [f64.equal, narrow.equal, (c: number | undefined) => c === 0, false],
  eq_signaling: [f64.equal, narrow.equal, (c: number | undefined) => c === 0, true],
  lt: [f64.lessThan, narrow.lessThan, (c: number | undefined) => c !== undefined && c < 0, true],
  lt_quiet: [f64.lessThan, narrow.lessThan, (c: number | undefined) => c !== undefined && c < 0, false],
  le: [f64.lessOrEqual, narrow.lessOrEqual, (c: number | undefined) => c !== undefined && c <= 0, true],
  le_quiet: [f64.lessOrEqual, narrow.lessOrEqual, (c: number | undefined) => c !== undefined && c <= 0, false],
} as const;

for (const [type, format] of Object.entries(formats)) {
  const bits = typeWidth(type);
  const wide = type === 'f64';
  for (const op of ['add', 'sub', 'mul', 'div'] as const) {
    define(`${type}_${op}`, [type, type], type, true, (env, [a, b]) => exact[op](format, env, a, b),
      wide ? (env, w) => f64[op](env, at(w, 0), at(w, 1), at(w, 2), at(w, 3)) : small(bits, (env, w) => narrow[op](format, env, at(w, 1), at(w, 3))));
  }
  define(`${type}_mulAdd`, [type, type, type], type, true, (env, [a, b, c]) => exact.mulAdd(format, env, a, b, c),
    wide ? (env, w) => f64.mulAdd(env, at(w, 0), at(w, 1), at(w, 2), at(w, 3), at(w, 4), at(w, 5))
      : small(bits, (env, w) => narrow.mulAdd(format, env, at(w, 1), at(w, 3), at(w, 5))));
  define(`${type}_sqrt`, [type], type, true, (env, [a]) => exact.sqrt(format, env, a),
    wide ? (env, w) => f64.sqrt(env, at(w, 0), at(w, 1)) : small(bits, (env, w) => narrow.sqrt(format, env, at(w, 1))));
  define(`${type}_roundToInt`, [type], type, true, (env, [a]) => exact.roundToIntegral(format, env, a, true),
    wide ? (env, w) => f64.roundToIntegral(env, at(w, 0), at(w, 1), true)
      : small(bits, (env, w) => narrow.roundToIntegral(format, env, at(w, 1), true)));
  for (const [op, [ofWide, ofNarrow, holds, signaling]] of Object.entries(comparisons)) {
    define(`${type}_${op}`, [type, type], 'bool', false, (env, [a, b]) => (holds(exact.compare(format, env, a, b, signaling)) ? 1n : 0n),
      wide ? bool((env, w) => ofWide(env, at(w, 0), at(w, 1), at(w, 2), at(w, 3), signaling))
        : bool((env, w) => ofNarrow(format, env, at(w, 1), at(w, 3), signaling)));
  }
  for (const [integerName, integer] of Object.entries(integers)) {
    const { signed } = integer;
    define(`${type}_to_${integerName}`, [type], integerName, true, (env, [a]) => exact.toInteger(format, env, a, integer),
      integer.bits === 64
        ? wide ? (env, w) => f64.toInt64(env, at(w, 0), at(w, 1), signed) : (env, w) => narrow.toInt64(format, env, at(w, 1), signed)
        : small(32, wide ? (env, w) => f64.toInt32(env, at(w, 0), at(w, 1), signed) : (env, w) => narrow.toInt32(format, env, at(w, 1), signed)));
    const extend = (w: Int32Array): number => (integer.bits === 64 ? at(w, 0) : signed ? at(w, 1) >> 31 : 0);
    define(`${integerName}_to_${type}`, [integerName], type, true,
      (env, [a]) => exact.fromInteger(format, env, signed ? BigInt.asIntN(integer.bits, a) : a),
      wide ? (env, w) => f64.fromInt64(env, extend(w), at(w, 1), signed) : small(bits, (env, w) => narrow.fromInt64(format, env, extend(w), at(w, 1), signed)));
  }
  for (const [target, to] of Object.entries(formats)) {
    if (target === type) continue;
    define(`${type}_to_${target}`, [type], target, true, (env, [a]) => exact.convert(format, to, env, a),
      wide ? small(typeWidth(target), (env, w) => f64.toFormat(to, env, at(w, 0), at(w, 1)))
        : target === 'f64' ? (env, w) => narrow.toBinary64(format, env, at(w, 1))
        : small(typeWidth(target), (env, w) => narrow.toFormat(format, to, env, at(w, 1))));
  }
  for (const max of [false, true]) {
    for (const kind of ['number2008', 'number2019', 'nan2019'] as const) {
      define(`${type}_${max ? 'max' : 'min'}_${kind}`, [type, type], type, false, (env, [a, b]) => exact.minMax(format, env, a, b, max, kind),
        wide ? (env, w) => f64.minMax(env, at(w, 0), at(w, 1), at(w, 2), at(w, 3), max, kind)
          : small(bits, (env, w) => narrow.minMax(format, env, at(w, 1), at(w, 3), max, kind)));
    }
  }
  define(`${type}_classify`, [type], 'i32', false, (_, [a]) => BigInt(exact.classify(format, a)),
    small(32, (_, w) => (wide ? f64.classify(at(w, 0), at(w, 1)) : narrow.classify(format, at(w, 1)))));
}

for (const op of ['add', 'sub', 'mul', 'div'] as const) {
  define(`extF80_${op}`, ['extF80', 'extF80'], 'extF80', true, (env, [a, b]) => exact[op](extended80, env, a, b));
}
define('extF80_sqrt', ['extF80'], 'extF80', true, (env, [a]) => exact.sqrt(extended80, env, a));
define('extF80_roundToInt', ['extF80'], 'extF80', true, (env, [a]) => exact.roundToIntegral(extended80, env, a, true));
for (const [name, format] of [['f32', binary32], ['f64', binary64]] as const) {
  define(`extF80_to_${name}`, ['extF80'], name, true, (env, [a]) => exact.convert(extended80, format, env, a));
  define(`${name}_to_extF80`, [name], 'extF80', true, (env, [a]) => exact.convert(format, extended80, env, a));
}

export const functions: readonly TestFunction[] = table;
