import { describe, expect, it } from 'vitest';
import { defined } from '../../src/emit/isa.ts';
import { classes, disassemble, op } from '../../src/isa/index.ts';
import type { Insn } from '../../src/isa/index.ts';
import { FlatPe } from '../engine/flat.ts';
import { randomWords } from '../isa/words.ts';
import { CODE, DATA, difference } from './cases.ts';
import { execute } from './execute.ts';
import { randomCase, testable } from './generate.ts';
import { ask, haveQemu } from './oracle.ts';
import type { Case } from './oracle.ts';

/** Cases per instruction: with AXVISOR_NIGHTLY so many that a class has about a million. */
const NIGHTLY = process.env['AXVISOR_NIGHTLY'] === '1';
const CASES = 8;
const perInstruction = (count: number): number => (NIGHTLY ? Math.ceil(1_000_000 / count) : CASES);
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
  const byClass = classes.map(({ name }) => [name, testable.filter((insn) => insn.class === name && defined[op.get(insn.name) as number] !== undefined)] as const);

  it.each(byClass.filter(([, list]) => list.length > 0))('%s', (_, list) => {
    const wrong: string[] = [];
    let seed = 1;
    for (const cases of batches(list, perInstruction(list.length), list.length + 100)) {
      const theirs = ask(cases);
      cases.forEach((one, i) => {
        // The translator takes longer to be set up for each case: it gets a share of them.
        const machine = seed++ % 8 === 0 ? machines.translator : machines.interpreter;
        const found = difference(execute(machine, one), theirs[i] as Int32Array);
        if (found !== undefined && wrong.length < 10) wrong.push(`${one.code.map((word) => disassemble(word, BigInt(CODE.base))).join('; ')}: ${found}`);
      });
    }
    expect(wrong).toEqual([]);
  }, NIGHTLY ? 3_600_000 : 30_000);
});
