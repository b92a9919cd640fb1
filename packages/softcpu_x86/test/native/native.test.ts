import { describe, expect, it } from 'vitest';
import { defined } from '../../src/emit/isa.ts';
import { rows } from '../../src/isa/table.ts';
import type { Row } from '../../src/isa/table.ts';
import { LEFT_OUT, comparisonOf, executable, isSupported } from './classes.ts';
import { Subject } from './compare.ts';
import { Generator, Random } from './generate.ts';
import { ask, haveNative, hostFeatures } from './oracle.ts';

describe.skipIf(!haveNative)('single instructions', () => {
  const features = haveNative ? hostFeatures() : new Set<string>();

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
    const list = rows.filter((row) => executable(row, mode) && isSupported(row, features));
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
  it('is compared but for what an operating system executes, and other encodings', () => {
    const isKnown = (row: Row): boolean => LEFT_OUT.has(row.name) || row.alias || row.features.includes('never') || /^(v?(rcp|rsqrt)[ps]s|nop|rdrand|rdseed|rdpid|enclv)$/.test(row.name) || row.operands.some(({ kind, size }) => 'CDS'.includes(kind) || /^[C-S]S$/.test(size));
    expect(rows.filter((row) => comparisonOf(row) === 'none' && !isKnown(row)).map(({ name }) => name)).toEqual([]);
  });

  it('has a definition for every general instruction', () => {
    const missing = rows.filter((row) => defined[row.op] === undefined && !row.operands.some(({ kind }) => 'VWUPQNHLT'.includes(kind)) && !row.features.some((feature) => /fpu|mmx|sse|avx|f16c/.test(feature)));
    expect(missing.map(({ name }) => name).filter((name) => name !== 'fwait')).toEqual(['enclv']);
  });
});
