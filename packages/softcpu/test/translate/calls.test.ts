/** Calls, returns and computed jumps that go on within a region: the same as step by step, whatever is translated when. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Execution } from '../../src/index.ts';
import { Toy, toy } from '../interp/toy.ts';
import { Late } from './compilers.ts';

const LEVELS = 4;
const FUNCTIONS = 3;
/** Bytes from one function to the next: all of them in one page, or some in the next one. */
const SPACINGS = [64, 256, 512] as const;

interface Call {
  readonly callee: number;
  readonly computed: boolean;
}

/** By level, by function: what it adds before each call, and whom it calls. Level l links through register 4 + l. */
type Program = readonly (readonly (readonly { readonly add: number; readonly call: Call }[])[])[];

const programs: fc.Arbitrary<Program> = fc.array(
  fc.array(fc.array(fc.record({ add: fc.integer({ min: 1, max: 99 }), call: fc.record({ callee: fc.nat(FUNCTIONS - 1), computed: fc.boolean() }) }), { maxLength: 3 }), { minLength: FUNCTIONS, maxLength: FUNCTIONS }),
  { minLength: LEVELS, maxLength: LEVELS },
);

/** r1 collects, r2 counts rounds down; register 12 + l has the address of the page's first function for computed calls. */
function load(machine: Toy, program: Program, spacing: number, rounds: number): void {
  const place = (level: number, index: number): number => (1 + level * FUNCTIONS + index) * spacing;
  program.forEach((functions, level) => {
    functions.forEach((body, index) => {
      const words: number[] = [];
      const at = (): number => place(level, index) + 4 * words.length;
      for (const { add, call } of body) {
        words.push(toy('addi', 1, 1, add + level));
        if (level + 1 === LEVELS) continue;
        const target = place(level + 1, call.callee);
        if (call.computed) {
          words.push(toy('pc', 3));
          words.push(toy('addi', 3, 3, target - at() + 4));
          words.push(toy('callTo', 4 + level + 1, 3));
        } else {
          words.push(toy('call', 4 + level + 1, 0, target - at()));
        }
      }
      words.push(toy('return', 4 + level));
      machine.load(words, place(level, index));
    });
  });
  machine.load([toy('call', 4, 0, place(0, 0)), toy('addi', 2, 2, -1), toy('branch', 2, 0, -8), toy('jump', 0, 0, 0)]);
  machine.setReg(2, BigInt(rounds));
}

const state = (machine: Toy): readonly unknown[] => [machine.pc, ...Array.from({ length: 8 }, (_, i) => machine.reg(i))];

describe('calls and returns', () => {
  test('end where they would step by step, in slices of any length', () => {
    fc.assert(
      fc.property(programs, fc.constantFrom(...SPACINGS), fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 }), (program, spacing, slices) => {
        const [model, machine] = [Execution.interpreter, Execution.translator].map((execution) => new Toy({ execution })) as [Toy, Toy];
        for (const each of [model, machine]) load(each, program, spacing, 3);
        for (const steps of slices) {
          for (const each of [model, machine]) each.engine.run(steps);
          expect(state(machine)).toEqual(state(model));
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe.each(['here', 'elsewhere'])('regions compiled %s that slices end in again and again', (where) => {
  const program: Program = [[[{ add: 3, call: { callee: 0, computed: false } }, { add: 5, call: { callee: 1, computed: true } }], [], []], [[{ add: 7, call: { callee: 0, computed: false } }], [{ add: 9, call: { callee: 0, computed: false } }], []], [[], [], []], [[], [], []]];
  const perRound = 3 + 5 + (7 + 1) + (9 + 1);
  const SLICE = 5_000;

  function hot(): { readonly machine: Toy; readonly slices: number } {
    const machine = new Toy({ execution: Execution.auto, ...(where === 'here' ? {} : { compiler: new Late() }) });
    load(machine, program, 64, 100_000_000);
    let slices = 0;
    const regions = (): number => machine.engine.translation?.regions ?? 0;
    while (regions() === 0) {
      machine.engine.run(SLICE);
      slices++;
    }
    // Everything that is hot is translated by then, and nothing anew.
    for (let i = 0; i < 250; i++, slices++) machine.engine.run(SLICE);
    return { machine, slices };
  }

  test('are made anew, and go on alike', () => {
    const { machine } = hot();
    const before = machine.engine.translation?.regions ?? 0;
    for (let i = 0; i < 1000; i++) machine.engine.run(SLICE);
    expect(machine.engine.translation?.regions).toBeGreaterThan(before);
    const rounds = 100_000_000n - machine.reg(2);
    expect(rounds).toBeGreaterThan(100_000n);
    // Within a round, what it added is less.
    expect(machine.reg(1) - rounds * BigInt(perRound)).toBeGreaterThanOrEqual(0n);
    expect(machine.reg(1) - rounds * BigInt(perRound)).toBeLessThanOrEqual(BigInt(perRound));
  });

  test('are dropped when any of their code changes', () => {
    const { machine } = hot();
    for (let i = 0; i < 1000; i++) machine.engine.run(SLICE);
    const { pc } = machine;
    // The second function of level 1 adds something else.
    machine.load([toy('addi', 1, 1, 1000)], (1 + FUNCTIONS + 1) * 64);
    machine.pc = pc;
    for (let i = 0; i < 10; i++) machine.engine.run(SLICE);
    const [sum, rounds] = [machine.reg(1), machine.reg(2)];
    for (let i = 0; i < 10; i++) machine.engine.run(SLICE);
    const each = Number(machine.reg(1) - sum) / Number(rounds - machine.reg(2));
    expect(each).toBeGreaterThan(perRound - 10 + 1000 - 10);
    expect(each).toBeLessThan(perRound - 10 + 1000 + 10);
  });
});
