import { describe, expect, it } from 'vitest';
import { defined } from '../../src/emit/isa.ts';
import { rows } from '../../src/isa/table.ts';
import { executable } from './classes.ts';
import { Subject } from './compare.ts';
import { Generator, Random } from './generate.ts';
import { ask, haveNative, hostFeatures } from './oracle.ts';

/** Rows whose feature the host has not are left out. */
const RENAMED: Readonly<Record<string, string>> = { lzcnt: 'abm', sse42: 'sse4_2', fpu: 'fpu', sha: 'sha_ni' };

describe.skipIf(!haveNative)('single instructions', () => {
  const features = haveNative ? hostFeatures() : new Set<string>();
  const supported = (names: readonly string[]): boolean => names.every((name) => features.has(RENAMED[name] ?? name));

  it.each([
    ['interpreter', 64, 4],
    ['translator', 64, 1],
    ['interpreter', 32, 4],
    ['translator', 32, 1],
    ['interpreter', 16, 4],
    ['translator', 16, 1],
  ] as const)('do in the %s, in %i-bit mode, what this processor does', (execution, mode, perRow) => {
    const random = new Random(mode + perRow);
    const generator = new Generator(random);
    const subject = new Subject(execution, mode);
    const list = rows.filter((row) => executable(row, mode) && supported(row.features));
    const cases = list.flatMap((row) => Array.from({ length: 4 * perRow }, () => generator.make(row, mode)).filter((made) => made !== undefined).slice(0, perRow));
    expect(cases.length).toBeGreaterThan(list.length * 0.9 * perRow);
    const outcomes = ask(cases);
    const wrong = cases.flatMap((test, i) => {
      const problem = subject.check(test, outcomes[i]!);
      return problem === undefined ? [] : [`${Buffer.from(test.code).toString('hex')}: ${problem}`];
    });
    expect(wrong).toEqual([]);
    if (execution === 'translator') expect(subject.translated).toBeGreaterThan(cases.length / 2);
  });
});

describe('the table', () => {
  it('has a definition for every general instruction', () => {
    const missing = rows.filter((row) => defined[row.op] === undefined && !row.operands.some(({ kind }) => 'VWUPQNHLT'.includes(kind)) && !row.features.some((feature) => /fpu|mmx|sse|avx|f16c/.test(feature)));
    expect(missing.map(({ name }) => name).filter((name) => name !== 'fwait')).toEqual(['enclv']);
  });
});
