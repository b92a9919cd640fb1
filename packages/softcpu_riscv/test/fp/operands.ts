/** Random register contents that visit the corners of the formats. */
import fc from 'fast-check';

function encoding(exponentBits: number, fractionBits: number): fc.Arbitrary<bigint> {
  const top = 2 ** exponentBits - 1;
  const bias = (top - 1) / 2;
  const field = fc.oneof(
    fc.nat(top),
    fc.constantFrom(0, 1, 2, top - 2, top - 1, top),
    fc.integer({ min: bias - fractionBits - 4, max: Math.min(top, bias + fractionBits + 12) }),
    fc.integer({ min: bias - 2, max: bias + 5 }),
  );
  const ones = (n: number): bigint => (1n << BigInt(n)) - 1n;
  const fraction = fc.oneof(
    fc.bigInt({ min: 0n, max: ones(fractionBits) }),
    fc.tuple(fc.nat(fractionBits), fc.nat(fractionBits)).map(([i, j]) => ones(i) ^ ones(j)),
    fc.nat(fractionBits - 1).map((i) => 1n << BigInt(i)),
    fc.constant(0n),
  );
  return fc.tuple(fc.integer({ min: 0, max: 1 }), field, fraction)
    .map(([s, e, f]) => (BigInt(s) << BigInt(exponentBits + fractionBits)) | (BigInt(e) << BigInt(fractionBits)) | f);
}

const BOX = 0xffff_ffff_0000_0000n;
export const double: fc.Arbitrary<bigint> = encoding(11, 52);
/** NaN-boxed, now and then not quite. */
export const single: fc.Arbitrary<bigint> = fc.tuple(encoding(8, 23), fc.oneof({ weight: 12, arbitrary: fc.constant(BOX) }, { weight: 1, arbitrary: fc.constantFrom(0n, BOX ^ (1n << 32n), BOX ^ (1n << 63n)) }))
  .map(([bits, box]) => box | bits);
export const integer: fc.Arbitrary<bigint> = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.integer().map((v) => BigInt.asUintN(64, BigInt(v))),
  fc.tuple(fc.nat(63), fc.integer({ min: -2, max: 2 }), fc.boolean()).map(([n, d, negate]) => BigInt.asUintN(64, ((1n << BigInt(n)) + BigInt(d)) * (negate ? -1n : 1n))),
);

/** Three operands, half of them related: copies, negations and neighbours of the first. */
export function related(one: fc.Arbitrary<bigint>, sign: bigint): fc.Arbitrary<[bigint, bigint, bigint]> {
  const change = fc.tuple(fc.boolean(), fc.integer({ min: -3, max: 3 }), fc.boolean());
  return fc.tuple(one, one, one, change, change).map(([a, b, c, ...changes]) => {
    const [second, third] = [b, c].map((value, i) => {
      const [keep, delta, negate] = changes[i]!;
      const base = keep ? value : (a & ~(2n * sign - 1n)) | ((a + BigInt(delta)) & (2n * sign - 1n));
      return negate ? base ^ sign : base;
    });
    return [a, second!, third!];
  });
}
