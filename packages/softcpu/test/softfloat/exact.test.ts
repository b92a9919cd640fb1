import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bfloat16, binary16, binary32, binary64, createFloatEnv, exact, integerRiscv, nanRiscv } from '../../src/softfloat/index.ts';
import type { FloatEnv, Format, Rounding } from '../../src/softfloat/index.ts';
import { magnitudeOf, rational, roundByDefinition } from './definition.ts';
import type { Compare, Rational } from './definition.ts';
import { operands } from './operands.ts';

const formats: readonly (readonly [string, Format])[] = [['f16', binary16], ['bf16', bfloat16], ['f32', binary32], ['f64', binary64]];
const env = (rounding: number, tininessBefore = false): FloatEnv => {
  const made = createFloatEnv({ tininessBefore, nan: nanRiscv, integer: integerRiscv });
  made.rounding = rounding as Rounding;
  return made;
};

function signed(format: Format, bits: bigint): Rational {
  const width = BigInt(format.exponentBits + format.fractionBits);
  const magnitude = magnitudeOf(format, BigInt.asUintN(Number(width), bits));
  return bits >> width === 1n ? { n: -magnitude.n, d: magnitude.d } : magnitude;
}
const abs = (x: Rational): Rational => ({ n: x.n < 0n ? -x.n : x.n, d: x.d });
const plus = (a: Rational, b: Rational): Rational => ({ n: a.n * b.d + b.n * a.d, d: a.d * b.d });
const times = (a: Rational, b: Rational): Rational => ({ n: a.n * b.n, d: a.d * b.d });
const over = (a: Rational, b: Rational): Rational => (b.n < 0n ? { n: -a.n * b.d, d: a.d * -b.n } : { n: a.n * b.d, d: a.d * b.n });

const isFinite = (format: Format, bits: bigint): boolean => ![0, 7, 8, 9].includes(exact.classify(format, bits));

interface Operation {
  readonly name: string;
  readonly arity: number;
  run(format: Format, e: FloatEnv, v: readonly bigint[]): bigint;
  /** The exact result: its sign and how its magnitude compares. Undefined where the result is zero or there is none. */
  value(v: readonly Rational[]): { readonly sign: number; readonly compare: Compare } | undefined;
}
const of = (x: Rational): ReturnType<Operation['value']> => (x.n === 0n ? undefined : { sign: x.n < 0n ? 1 : 0, compare: rational(abs(x)) });

const operations: readonly Operation[] = [
  { name: 'add', arity: 2, run: (f, e, [a = 0n, b = 0n]) => exact.add(f, e, a, b), value: ([a, b]) => of(plus(a!, b!)) },
  { name: 'sub', arity: 2, run: (f, e, [a = 0n, b = 0n]) => exact.sub(f, e, a, b), value: ([a, b]) => of(plus(a!, { n: -b!.n, d: b!.d })) },
  { name: 'mul', arity: 2, run: (f, e, [a = 0n, b = 0n]) => exact.mul(f, e, a, b), value: ([a, b]) => of(times(a!, b!)) },
  { name: 'div', arity: 2, run: (f, e, [a = 0n, b = 0n]) => exact.div(f, e, a, b), value: ([a, b]) => (b!.n === 0n ? undefined : of(over(a!, b!))) },
  { name: 'mulAdd', arity: 3, run: (f, e, [a = 0n, b = 0n, c = 0n]) => exact.mulAdd(f, e, a, b, c), value: ([a, b, c]) => of(plus(times(a!, b!), c!)) },
  {
    name: 'sqrt', arity: 1, run: (f, e, [a = 0n]) => exact.sqrt(f, e, a),
    value: ([a]) => (a!.n <= 0n ? undefined : { sign: 0, compare: (r) => rational(a!)(times(r, r)) }),
  },
];

describe.each(formats)('%s', (type, format) => {
  test.each(operations)('$name is rounded by the definition', ({ arity, run, value }) => {
    fc.assert(fc.property(operands(Array<string>(arity).fill(type)), fc.nat(5), fc.boolean(), (v, mode, before) => {
      fc.pre(v.every((bits) => isFinite(format, bits)));
      const result = value(v.map((bits) => signed(format, bits)));
      fc.pre(result !== undefined);
      const wanted = env(mode, before);
      const got = env(mode, before);
      const bits = roundByDefinition(format, wanted, result!.sign, result!.compare);
      expect({ bits: run(format, got, v), flags: got.flags }).toEqual({ bits, flags: wanted.flags });
    }), { numRuns: 150 });
  });

  test.each(formats)('converts to %s by the definition', (_, to) => {
    fc.assert(fc.property(operands([type]), fc.nat(5), ([a = 0n], mode) => {
      const value = isFinite(format, a) ? of(signed(format, a)) : undefined;
      fc.pre(value !== undefined);
      const wanted = env(mode);
      const got = env(mode);
      const bits = roundByDefinition(to, wanted, value!.sign, value!.compare);
      expect({ bits: exact.convert(format, to, got, a), flags: got.flags }).toEqual({ bits, flags: wanted.flags });
    }), { numRuns: 100 });
  });
});

describe('rounding to nearest is what the host does', () => {
  const view = new DataView(new ArrayBuffer(8));
  const toNumber = (bits: bigint): number => (view.setBigUint64(0, bits), view.getFloat64(0));
  const toBits = (value: number): bigint => (view.setFloat64(0, value), view.getBigUint64(0));
  const canonical = (value: number): bigint => (Number.isNaN(value) ? 0x7ff8000000000000n : toBits(value));
  const single = (value: number): bigint => (Number.isNaN(value) ? 0x7fc00000n : (view.setFloat32(0, value), BigInt(view.getUint32(0))));
  const fromSingle = (bits: bigint): number => (view.setUint32(0, Number(bits)), view.getFloat32(0));
  const native: Readonly<Record<'add' | 'sub' | 'mul' | 'div', (a: number, b: number) => number>> = {
    add: (a, b) => a + b, sub: (a, b) => a - b, mul: (a, b) => a * b, div: (a, b) => a / b,
  };

  test.each(['add', 'sub', 'mul', 'div'] as const)('%s', (op) => {
    fc.assert(fc.property(operands(['f64', 'f64']), ([a = 0n, b = 0n]) => {
      expect(exact[op](binary64, env(0), a, b)).toBe(canonical(native[op](toNumber(a), toNumber(b))));
    }), { numRuns: 2000 });
    fc.assert(fc.property(operands(['f32', 'f32']), ([a = 0n, b = 0n]) => {
      expect(exact[op](binary32, env(0), a, b)).toBe(single(Math.fround(native[op](fromSingle(a), fromSingle(b)))));
    }), { numRuns: 2000 });
  });

  test('sqrt and conversion to binary32', () => {
    fc.assert(fc.property(operands(['f64']), ([a = 0n]) => {
      expect(exact.sqrt(binary64, env(0), a)).toBe(canonical(Math.sqrt(toNumber(a))));
      expect(exact.convert(binary64, binary32, env(0), a)).toBe(single(toNumber(a)));
    }), { numRuns: 2000 });
  });
});
