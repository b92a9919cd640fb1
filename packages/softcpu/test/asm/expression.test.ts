import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssemblyError } from '../../src/asm/index.ts';
import { gnuAssemble, haveBinutils } from './binutils.ts';
import { assemble } from './toy.ts';

/** The value of an expression, as a signed number. */
function value(text: string, symbols: Readonly<Record<string, bigint>> = {}): bigint {
  return new DataView(assemble(`.quad ${text}`, { base: 0x1000n, symbols }).bytes.buffer).getBigInt64(0, true);
}

/** Expressions of numbers; what is shifted by is small, so that it has a value. */
const expressions = fc.letrec<{ all: string; number: string }>((tie) => ({
  number: fc.oneof(fc.nat(20).map(String), fc.nat().map((n) => `0x${n.toString(16)}`), fc.nat(0o777).map((n) => `0${n.toString(8)}`), fc.nat(255).map((n) => `0b${n.toString(2)}`), fc.constantFrom("'a'", "'n'", "' '", String.raw`'\\'`, String.raw`'\n'`)),
  all: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    tie('number'),
    fc.tuple(fc.constantFrom('-', '~', '+', '- ~'), tie('all')).map(([operator, a]) => `${operator}${a}`),
    tie('all').map((a) => `(${a})`),
    fc.tuple(tie('all'), fc.constantFrom('+', '-', '*', '/', '%', '&', '|', '^'), tie('all')).map(([a, operator, b]) => `${a} ${operator} ${b}`),
    fc.tuple(tie('all'), fc.constantFrom('<<', '>>'), fc.nat(40)).map(([a, operator, b]) => `${a} ${operator} ${b}`),
  ),
})).all;

describe('expressions', () => {
  it.each([
    ['1 + 2 * 3', 7n],
    ['1 + 2 << 3', 17n],
    ['7 - 1 | 4', 2n],
    ['12 & 10 ^ 3', 11n],
    ['10 - 3 - 2', 5n],
    ['-7 / 2', -3n],
    ['-7 % 4', -3n],
    ['-8 >> 60', 15n],
    ['~0', -1n],
    ['- -1', 1n],
    ['0x7fffffffffffffff + 1', -(2n ** 63n)],
    ['0xffffffffffffffff', -1n],
    ['010 + 0b11 + 0', 11n],
    [String.raw`'A' + '\n' + '\0' + '\''`, 114n],
    ["'n'", 110n],
    ['. + $', 0x2000n],
    ['symbol * 2', 10n],
    ['%low(symbol + 0x1ff) + 1', 5n],
    ['7 %low', 1n],
    [':page: symbol + 0x5000', 4n],
  ])('%s is %i', (text, expected) => {
    expect(value(text, { symbol: 5n, low: 3n })).toBe(expected);
  });

  it.each([
    ['', 'operand expected in ""'],
    ['1 +', 'operand expected in "1 +"'],
    ['(1', '")" expected in "(1"'],
    ['%low 1', '"(" expected in "%low 1"'],
    ['%high(1)', 'unknown function %high'],
    ['1 2', 'cannot read "2" in an expression'],
    ['@', 'cannot read "@" in an expression'],
    ['08', 'cannot read "08" in an expression'],
    ['1.5', 'cannot read "1.5" in an expression'],
    ['0x', 'cannot read "0x" in an expression'],
    ['1 / (2 - 2)', 'division by zero in an expression'],
    ['1 << 64', 'shift by 64 in an expression'],
    ['1 >> -1', 'shift by -1 in an expression'],
    ['nothing', 'nothing is not defined'],
    ['1b', '1b is not defined'],
  ])('%j is an error', (text, message) => {
    expect(() => value(`1, ${text}`)).toThrow(new AssemblyError(message, 1));
  });

  it('have any number of terms, but not of levels', () => {
    for (const prefix of ['(', '-']) expect(() => value(`${prefix.repeat(5000)}1`)).toThrow('an expression is nested too deeply');
    expect(value(Array<string>(20_000).fill('1').join(' + '))).toBe(20_000n);
  });

  it.runIf(haveBinutils)('are worth what GNU as says', () => {
    const texts = fc.sample(expressions, { numRuns: 2000, seed: 7 }).filter((text) => {
      try {
        value(text);
        return true;
      } catch {
        return false; // something is divided by zero
      }
    });
    expect(texts.length).toBeGreaterThan(1500);
    const gnu = new BigInt64Array(gnuAssemble(texts.map((text) => `.quad ${text}`).join('\n')).buffer);
    for (const [i, text] of texts.entries()) expect(value(text), text).toBe(gnu[i]);
  });
});
