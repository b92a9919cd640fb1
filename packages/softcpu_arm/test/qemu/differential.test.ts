import { describe, expect, it } from 'vitest';
import { disassemble } from '../../src/isa/index.ts';
import type { Insn } from '../../src/isa/index.ts';
import { FlatPe } from '../engine/flat.ts';
import { randomWords } from '../isa/words.ts';
import { Campaign, testedClasses } from './campaign.ts';
import { CODE, DATA, difference } from './cases.ts';
import { execute } from './execute.ts';
import { randomCase } from './generate.ts';
import { ask, haveQemu } from './oracle.ts';
import type { Case } from './oracle.ts';

/** Cases per instruction; `pnpm differential` does as many as wanted. */
const CASES = 8;
const BATCH = 4000;

function* batches(list: readonly Insn[], count: number, seed: number): Generator<Case[]> {
  const next = randomWords(seed);
  let batch: Case[] = [];
  for (const insn of list) {
    for (let i = 0; i < count; i++) {
      const one = randomCase(insn, next);
      if (one !== undefined) batch.push(one);
      if (batch.length === BATCH) {
        yield batch;
        batch = [];
      }
    }
  }
  yield batch;
}

describe.runIf(haveQemu)('against qemu-aarch64', () => {
  const machines = { interpreter: new FlatPe([DATA, CODE]), translator: new FlatPe([DATA, CODE], 'translator') };

  it.each(testedClasses.map(({ name, list }) => [name, list] as const))('%s', (_, list) => {
    const wrong: string[] = [];
    let seed = 1;
    for (const cases of batches(list, CASES, list.length + 100)) {
      const theirs = ask(cases);
      cases.forEach((one, i) => {
        // The translator takes longer to be set up for each case: it gets a share of them.
        const machine = seed++ % 8 === 0 ? machines.translator : machines.interpreter;
        const found = difference(execute(machine, one), theirs[i] as Int32Array);
        if (found !== undefined && wrong.length < 10) wrong.push(`${one.code.map((word) => disassemble(word, BigInt(CODE.base))).join('; ')}: ${found}`);
      });
    }
    expect(wrong).toEqual([]);
  }, 30_000);

  it('where accesses fail', () => {
    const campaign = new Campaign();
    const wrong = testedClasses.filter(({ name }) => /load|atomic/i.test(name)).flatMap((tested) => campaign.slice(tested, 0, 300).wrong);
    expect(wrong).toEqual([]);
  }, 60_000);
});
