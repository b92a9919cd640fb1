/** x87 against this machine's processor: all precisions, directions and masks; transcendental functions within a unit of the last place. */
import { describe, expect, it } from 'vitest';
import type { Row } from '../../src/isa/table.ts';
import { Random } from './generate.ts';
import { ask, haveNative } from './oracle.ts';
import type { Case } from './oracle.ts';
import { X87Subject, makeX87Case, x87Rows } from './x87.ts';

const NIGHTLY = process.env['AXVISOR_NIGHTLY'] === '1';

/** By name: exponents of arguments for which all processors agree, and which of them are rounded alike. */
const TRANSCENDENTAL: Readonly<Record<string, readonly [lowest: number, highest: number, positive: boolean]>> = {
  f2xm1: [-80, -1, false], fyl2x: [-100, 100, true], fyl2xp1: [-80, -3, false], fpatan: [-40, 40, false],
  // Elsewhere the number of digits of pi makes the difference.
  fsin: [-80, -2, false], fcos: [-80, -2, false], fsincos: [-80, -2, false], fptan: [-80, -2, false],
};
const exactRows = x87Rows.filter(({ name }) => TRANSCENDENTAL[name] === undefined);
const functionRows = x87Rows.filter(({ name }) => TRANSCENDENTAL[name] !== undefined);

/** Where only a handler of its own could go on, results are not promised. */
const isPromised = (row: Row, { x87 }: Case): boolean => row.name !== 'fscale' || ((x87?.control ?? 0) & 0x18) === 0x18;

const number = (random: Random, [lowest, highest, positive]: readonly [number, number, boolean]): bigint =>
  (BigInt(positive ? 0 : random.below(2)) << 79n) | (BigInt(0x3fff + lowest + random.below(highest - lowest + 1)) << 64n) | random.wide() | (1n << 63n);

function wrongOnes(subject: X87Subject, cases: readonly { readonly row: Row; readonly test: Case }[], ulps = 0n): string[] {
  const outcomes = ask(cases.map(({ test }) => test));
  return cases.flatMap(({ row, test }, i) => {
    const problem = subject.check(row, test, outcomes[i]!, ulps);
    return problem === undefined ? [] : [`${row.name} ${Buffer.from(test.code).toString('hex')} of control word ${(test.x87?.control ?? 0).toString(16)}: ${problem}`];
  });
}

describe.skipIf(!haveNative)('x87', () => {
  it.each([['interpreter', 8], ['translator', 2]] as const)('does in the %s what this processor does', (execution, count) => {
    const random = new Random(count);
    const subject = new X87Subject(execution);
    const cases = exactRows.flatMap((row) => Array.from({ length: NIGHTLY ? 100 * count : count }, (_, i) => ({ row, test: makeX87Case(random, row, { masked: i % 2 === 0 }) })));
    expect(wrongOnes(subject, cases.filter(({ row, test }) => isPromised(row, test)))).toEqual([]);
  });

  it('delivers special values of functions', () => {
    const random = new Random(5);
    const values = [0n, 0x7fff_8000_0000_0000_0000n, 0x7fff_c000_0000_0000_1234n, 0x7fff_8000_0000_0000_0005n, 0x3ffd_8000_0000_0000_0000n];
    const special = (more: readonly bigint[]): bigint => random.pick([...values, ...more]) | (BigInt(random.below(2)) << 79n);
    // Of 2^x - 1 and log2(x + 1), nothing is promised outside of their domains; of one, digits of pi matter to sine and cosine.
    const list = functionRows.filter(({ name }) => name !== 'f2xm1' && name !== 'fyl2xp1');
    const cases = list.flatMap((row) => Array.from({ length: NIGHTLY ? 500 : 40 }, () => {
      const one = /^f(yl2x|patan)/.test(row.name) ? [0x3fff_8000_0000_0000_0000n] : [];
      return { row, test: makeX87Case(random, row, { masked: true, registers: [special(one), special(one)] }) };
    }));
    expect(wrongOnes(new X87Subject('interpreter'), cases, 1n)).toEqual([]);
  });

  it('computes functions to the last place', () => {
    const random = new Random(7);
    const cases = functionRows.flatMap((row) => Array.from({ length: NIGHTLY ? 2000 : 40 }, () => {
      const range = TRANSCENDENTAL[row.name] as (typeof TRANSCENDENTAL)[string];
      return { row, test: makeX87Case(random, row, { masked: true, registers: [number(random, range), number(random, [-30, 30, false])] }) };
    }));
    expect(wrongOnes(new X87Subject('interpreter'), cases, 1n)).toEqual([]);
  });
});

/** A double as an 80-bit number, and back. */
function toExtended(value: number): bigint {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  const word = bits.getBigUint64(0);
  return ((word >> 63n) << 79n) | ((((word >> 52n) & 0x7ffn) - 1023n + 16383n) << 64n) | (1n << 63n) | BigInt.asUintN(63, word << 11n);
}
const toDouble = (bits: bigint): number => (bits >> 79n === 0n ? 1 : -1) * Number(BigInt.asUintN(64, bits)) * 2 ** (Number((bits >> 64n) & 0x7fffn) - 16383 - 63);

describe('functions of the x87', () => {
  it('agree with those of double precision, of large arguments too', () => {
    const random = new Random(9);
    const subject = new X87Subject('interpreter');
    const functions: Readonly<Record<string, (x: number, y: number) => number>> = {
      f2xm1: (x) => Math.expm1(x * Math.LN2), fyl2x: (x, y) => y * Math.log2(x), fyl2xp1: (x, y) => (y * Math.log1p(x)) / Math.LN2, fpatan: (x, y) => Math.atan2(y, x), fsin: Math.sin, fcos: Math.cos,
    };
    for (const row of functionRows) {
      const f = functions[row.name];
      if (f === undefined) continue;
      for (let n = 0; n < 20; n++) {
        const scale = /^f(sin|cos)$/.test(row.name) ? 2 ** random.below(60) : row.name === 'fyl2x' ? 1000 : 0.25;
        const [x, y] = [(random.word() / 2 ** 32 + 2 ** -33) * scale, random.word() / 2 ** 30 - 2 + 2 ** -40] as const;
        const test = makeX87Case(random, row, { masked: true, registers: [toExtended(x), toExtended(y)] });
        subject.run({ ...test, x87: { ...test.x87!, control: 0x37f } });
        const [result] = subject.registers() as [bigint];
        const wanted = f(x, y);
        expect(Math.abs(toDouble(result) / wanted - 1)).toBeLessThan(2 ** -48);
      }
    }
  });
});
