import { describe, expect, it } from 'vitest';
import { disassemble } from '../../src/isa/index.ts';
import { FlatPe } from '../engine/flat.ts';
import { randomWords } from '../isa/words.ts';
import { CODE, DATA, answer, difference, prepare } from './cases.ts';
import { randomCase, testable } from './generate.ts';
import { ask, haveQemu } from './oracle.ts';
import type { Case } from './oracle.ts';

const LENGTH = 24;
const COUNT = process.env['AXVISOR_NIGHTLY'] === '1' ? 40_000 : 400;

/** What may stand in the middle of others: no branches, nothing that moves the base register or needs company. */
const usable = testable.filter(({ class: name }) => !/branch|literal|exclusive|PC-rel|post-indexed|pre-indexed|register offset|Barriers/.test(name));

function sequence(next: () => number): Case {
  const code: number[] = [];
  while (code.length < LENGTH) {
    const one = randomCase(usable[(next() >>> 0) % usable.length]!, next);
    // x27 and x28 address memory.
    if (one !== undefined && one.code.length === 1 && ![27, 28].includes(one.code[0]! & 31)) code.push(one.code[0]!);
  }
  return { seed: next(), code };
}

describe.runIf(haveQemu)('sequences against qemu-aarch64', () => {
  it.each(['interpreter', 'translator'] as const)('in the %s', (execution) => {
    const pe = new FlatPe([DATA, CODE], execution);
    const next = randomWords(execution.length);
    const wrong: string[] = [];
    for (let done = 0; done < COUNT; done += 400) {
      const cases = Array.from({ length: 400 }, () => sequence(next));
      const theirs = ask(cases);
      cases.forEach(({ seed, code }, i) => {
        prepare(pe, seed);
        pe.load(CODE.base, new Uint8Array(Int32Array.from([...code, 0x1400_0000]).buffer));
        pe.run(CODE.base, code.length);
        const found = difference(answer(pe), theirs[i]!);
        if (found !== undefined) wrong.push(`${code.map((word) => disassemble(word, 0n)).join('; ')}: ${found}`);
      });
    }
    expect(wrong.slice(0, 3)).toEqual([]);
  }, 600_000);
});
