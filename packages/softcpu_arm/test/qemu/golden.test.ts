import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { disassemble, insns } from '../../src/isa/index.ts';
import { FlatPe } from '../engine/flat.ts';
import { CODE, DATA } from './cases.ts';
import { digest, execute } from './execute.ts';
import { testable } from './generate.ts';

/** Per line: the instruction's name, and cases: seed, digest of QEMU's answer, code. */
const golden = readFileSync(new URL('golden/qemu.txt', import.meta.url), 'utf8').trim().split('\n').map((line) => {
  const [name = '', ...cases] = line.split(' ');
  return {
    name,
    cases: cases.map((text) => {
      const [seed = 0, expected = 0, ...code] = text.split(',').map((word) => Number.parseInt(word, 16));
      return { seed: seed | 0, expected, code: code.map((word) => word | 0) };
    }),
  };
});

describe('what QEMU answered', () => {
  it.each(['interpreter', 'translator'] as const)('is what the %s answers', (execution) => {
    const pe = new FlatPe([DATA, CODE], execution);
    const wrong: string[] = [];
    for (const { name, cases } of golden) {
      for (const { seed, expected, code } of execution === 'translator' ? cases.slice(0, 1) : cases) {
        if (digest(execute(pe, { seed, code })) !== expected) wrong.push(`${name}: ${code.map((word) => disassemble(word, BigInt(CODE.base))).join('; ')}, seed ${seed}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('covers every instruction that can be tested alone', () => {
    const names = new Set(golden.map(({ name }) => name));
    expect(testable.filter(({ name }) => !names.has(name)).map(({ name }) => name)).toEqual([]);
    console.log(`${names.size} of ${insns.length} instructions; the others are the privileged architecture's`);
  });
});
