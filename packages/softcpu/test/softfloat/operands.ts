/** Random operands that visit the corners of a type: extreme exponents, long runs of equal bits, neighbours of halves and of each other. */
import fc from 'fast-check';
import { formats, integers, typeWidth } from './functions.ts';

/** A run pattern: some leading ones or zeros, some trailing ones or zeros, an odd bit in between. */
function patterned(bits: number): fc.Arbitrary<bigint> {
  return fc.tuple(fc.nat(bits), fc.nat(bits), fc.boolean(), fc.nat(bits - 1), fc.boolean()).map(([i, j, invert, k, single]) => {
    const runs = ((1n << BigInt(i)) - 1n) ^ ((1n << BigInt(j)) - 1n);
    const value = (invert ? ~runs : runs) ^ (single ? 1n << BigInt(k) : 0n);
    return BigInt.asUintN(bits, value);
  });
}

const random = (bits: number): fc.Arbitrary<bigint> => fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n });

/** Encodings of a type, named as in TestFloat. */
export function operand(type: string): fc.Arbitrary<bigint> {
  const bits = typeWidth(type);
  if (integers[type] !== undefined) return fc.oneof(random(bits), patterned(bits), fc.bigInt({ min: -4n, max: 4n }).map((v) => BigInt.asUintN(bits, v)));
  const { exponentBits, fractionBits } = formats[type] as { exponentBits: number; fractionBits: number };
  const top = 2 ** exponentBits - 1;
  const middle = (top - 1) / 2;
  const field = fc.oneof(
    fc.nat(top),
    fc.constantFrom(0, 1, 2, top - 2, top - 1, top),
    fc.integer({ min: Math.max(0, middle - fractionBits - 4), max: Math.min(top, middle + fractionBits + 12) }),
  );
  const fraction = fc.oneof(random(fractionBits), patterned(fractionBits), fc.constant(0n));
  return fc.tuple(fc.integer({ min: 0, max: 1 }), field, fraction)
    .map(([s, e, f]) => (BigInt(s) << BigInt(bits - 1)) | (BigInt(e) << BigInt(fractionBits)) | f);
}

/** Operand tuples, half of them related: copies, negations and close neighbours of the first one. */
export function operands(types: readonly string[]): fc.Arbitrary<bigint[]> {
  const independent = fc.tuple(...types.map(operand)) as fc.Arbitrary<bigint[]>;
  const bits = typeWidth(types[0] as string);
  if (types.length === 1 || types.some((t) => t !== types[0])) return independent;
  const related = fc.tuple(independent, fc.array(fc.tuple(fc.boolean(), fc.integer({ min: -3, max: 3 }), fc.boolean()), { minLength: types.length, maxLength: types.length }))
    .map(([values, changes]) => values.map((value, i) => {
      const [keep, delta, negate] = changes[i] as [boolean, number, boolean];
      const base = keep ? value : BigInt.asUintN(bits, (values[0] as bigint) + BigInt(delta));
      return negate ? base ^ (1n << BigInt(bits - 1)) : base;
    }));
  return fc.oneof(independent, related);
}
