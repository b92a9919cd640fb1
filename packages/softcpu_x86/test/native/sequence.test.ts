import { describe, expect, it } from 'vitest';
import { Subject } from './compare.ts';
import { Random } from './generate.ts';
import { ask, haveNative } from './oracle.ts';
import { SequenceGenerator } from './sequence.ts';

describe.skipIf(!haveNative)('sequences of instructions', () => {
  it.each([
    ['interpreter', 500],
    ['translator', 250],
  ] as const)('do in the %s what this processor does', (execution, count) => {
    const generator = new SequenceGenerator(new Random(count));
    const subject = new Subject(execution, 64);
    const cases = Array.from({ length: count }, (_, i) => generator.make(4 + (i % 24), i % 3 !== 0));
    const outcomes = ask(cases);
    const wrong = cases.flatMap((test, i) => {
      const problem = subject.checkSequence(test, outcomes[i]!, 5000);
      return problem === undefined ? [] : [`${Buffer.from(test.code).toString('hex')}: ${problem}`];
    });
    expect(wrong).toEqual([]);
    expect(outcomes.filter(({ trap }) => trap === 3).length).toBeGreaterThan(count / 3);
  });
});
