/** Regions that are compiled elsewhere, while the machine goes on. */
import { expect, test } from 'vitest';
import { Execution } from '../../src/index.ts';
import type { RegionCompiler } from '../../src/index.ts';
import { Toy, toy } from '../interp/toy.ts';
import { Elsewhere } from './compilers.ts';

const stats = (machine: Toy): NonNullable<Toy['engine']['translation']> => machine.engine.translation as NonNullable<Toy['engine']['translation']>;
/** r1 counts down, r2 up; then the machine loops at the last instruction. */
const program = [toy('addi', 1, 1, -1), toy('addi', 2, 2, 3), toy('branch', 1, 0, -8), toy('jump', 0, 0, 0)];

function machineWith(compiler?: RegionCompiler): Toy {
  const machine = new Toy({ execution: Execution.auto, ...(compiler === undefined ? {} : { compiler }) });
  machine.load(program);
  machine.setReg(1, 1_000_000n);
  return machine;
}

/** Runs until something is submitted. */
function heat(machine: Toy, elsewhere: Elsewhere): void {
  while (elsewhere.waiting.length === 0) machine.engine.run(10_000);
}

test('are entered when they are ready, and are what would have been compiled here', () => {
  const elsewhere = new Elsewhere();
  const machine = machineWith(elsewhere);
  heat(machine, elsewhere);
  machine.engine.run(10_000);
  expect(stats(machine).regions).toBe(0);
  elsewhere.compile();
  machine.engine.run(4_000_000);
  expect([machine.reg(1), machine.reg(2)]).toEqual([0n, 3_000_000n]);
  expect(stats(machine).regions).toBeGreaterThan(0);

  const here = machineWith();
  for (let i = 0; i < 200; i++) here.engine.run(10_000);
  expect(stats(here).bytes / stats(here).modules).toBe(stats(machine).bytes / stats(machine).modules);
});

test('are given up when their code was written meanwhile', () => {
  const elsewhere = new Elsewhere();
  const machine = machineWith(elsewhere);
  heat(machine, elsewhere);
  elsewhere.compile();
  machine.load([toy('addi', 2, 2, 5)], 4);
  machine.setReg(2, 0n);
  machine.setReg(1, 1000n);
  machine.pc = BigInt(machine.base);
  machine.engine.run(10_000);
  expect([machine.reg(2), stats(machine).regions]).toEqual([5000n, 0]);
});

/** A loop of its own, of a register. */
function loopAt(machine: Toy, offset: number, register: number): () => void {
  machine.load([toy('addi', register, register, 1), toy('jump', 0, 0, -4)], offset);
  return () => {
    machine.pc = BigInt(machine.base + offset);
    machine.engine.run(200_000);
  };
}

test('are submitted at once, but become one batch while two are being compiled', () => {
  const elsewhere = new Elsewhere();
  const machine = machineWith(elsewhere);
  for (const [i, offset] of [0x100, 0x200, 0x300, 0x400].entries()) loopAt(machine, offset, 3 + i)();
  const sizes = (): readonly unknown[] => elsewhere.waiting.map(({ words }) => words[0]);
  expect(sizes()).toEqual([1, 1]);
  elsewhere.compile();
  machine.engine.run(1);
  expect([sizes(), stats(machine).regions]).toEqual([[2], 2]);
});

test('what goes on being executed while it waits comes before the others', () => {
  const elsewhere = new Elsewhere();
  const machine = machineWith(elsewhere);
  const loops = [0x100, 0x200, 0x300, 0x400].map((offset, i) => loopAt(machine, offset, 3 + i));
  for (const run of loops) run();
  const firsts = (): readonly unknown[] => elsewhere.waiting.map(({ words }) => words[3]);
  const [first, second] = firsts() as readonly [number, number];
  loops[3]?.();
  elsewhere.compile();
  machine.engine.run(1);
  // Numbers are given away as places become hot.
  expect(firsts()).toEqual([first + 3 * (second - first)]);
});

test('of one batch are compiled again when another one of it was given up', () => {
  const elsewhere = new Elsewhere();
  const machine = machineWith(elsewhere);
  for (const [i, offset] of [0x200, 0x300].entries()) loopAt(machine, offset, 5 + i)();
  const runSecond = loopAt(machine, 0x100, 3);
  runSecond();
  machine.pc = BigInt(machine.base);
  for (let i = 0; i < 20; i++) machine.engine.run(10_000);
  elsewhere.compile();
  machine.engine.run(1);
  expect(elsewhere.waiting.map(({ words }) => words[0])).toEqual([2]);
  elsewhere.compile();
  machine.load([toy('addi', 2, 2, 5)], 4);
  runSecond();
  expect(stats(machine).regions).toBe(2);
  while (elsewhere.waiting.length === 0) runSecond();
  elsewhere.compile();
  runSecond();
  expect(stats(machine).regions).toBeGreaterThan(2);
});

test('of code that is longer than a region are compiled one behind the other, without becoming hot each', () => {
  const elsewhere = new Elsewhere();
  const machine = new Toy({ execution: Execution.auto, compiler: elsewhere });
  const long = 600;
  machine.load([...Array.from({ length: long }, () => toy('addi', 3, 3, 1)), toy('jump', 0, 0, -4 * long)]);
  heat(machine, elsewhere);
  const jumps = machine.reg(3) / BigInt(long);
  while (stats(machine).regions < 3) {
    elsewhere.compile();
    machine.engine.run(1000);
  }
  expect(machine.reg(3) / BigInt(long) - jumps).toBeLessThan(jumps / 10n);
});

test('must be compiled: a failure is not passed over', () => {
  const machine = machineWith({
    processors: 1,
    submit: () => {},
    take: () => {
      throw new Error('no memory');
    },
  });
  expect(() => {
    for (let i = 0; i < 100; i++) machine.engine.run(10_000);
  }).toThrow('no memory');
});
