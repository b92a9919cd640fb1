/** What the translator keeps, drops and leaves alone, under the toy instruction set. */
import { describe, expect, test } from 'vitest';
import { Execution, Status } from '../../src/index.ts';
import type { Isa } from '../../src/index.ts';
import { Toy, toy, toyIsa, toyOp } from '../interp/toy.ts';

const stats = (machine: Toy): NonNullable<Toy['engine']['translation']> => machine.engine.translation as NonNullable<Toy['engine']['translation']>;
/** r1 counts down from r2; then the machine loops at the last instruction. */
const countdown = [toy('addi', 1, 1, -1), toy('branch', 1, 0, -4), toy('jump', 0, 0, 0)];

describe('what is hot', () => {
  test('is translated after thousands of rounds, not before', () => {
    const machine = new Toy({ execution: Execution.auto });
    machine.load(countdown);
    machine.setReg(1, 1000n);
    machine.engine.run(2000);
    expect(stats(machine).regions).toBe(0);
    machine.pc = BigInt(machine.base);
    machine.setReg(1, 1_000_000n);
    for (let i = 0; i < 20; i++) machine.engine.run(100_000);
    expect(stats(machine).regions).toBeGreaterThan(0);
    expect([machine.reg(1), machine.pc, machine.engine.retired]).toEqual([0n, BigInt(machine.base + 8), 2_002_000]);
  });

  /** Many instructions, and no jump but where the last one leads. */
  const straight = (last: number): number[] => [...new Array<number>(60).fill(toy('addi', 1, 1, 1)), last];
  const runLong = (machine: Toy): void => {
    for (let i = 0; i < 20; i++) machine.engine.run(30_000);
  };

  test('is also what ends in a change of the mode', () => {
    const instructions: Isa['instructions'] = [
      ...toyIsa.instructions,
      { name: 'user', lengths: [4], emit: (e) => e.enterMode(1, e.reg('a'), 1) },
      { name: 'system', lengths: [4], emit: (e) => e.enterMode(0, e.reg('a'), 0) },
    ];
    const user = toyIsa.instructions.length;
    const system = user + 1;
    const machine = new Toy({ execution: Execution.auto, isa: { ...toyIsa, instructions } });
    machine.load([system | (2 << 8)], 0x800);
    machine.load(straight(user | (3 << 8)));
    machine.setReg(2, machine.pc);
    machine.setReg(3, machine.pc + 0x800n);
    runLong(machine);
    expect(stats(machine).translated).toBeGreaterThan(60);
    expect(machine.engine.retired).toBe(600_000);
    expect(machine.reg(1)).toBe(BigInt(60 * Math.floor(600_000 / 62) + (600_000 % 62)));
  });

  test('is also what ends in a service that goes on elsewhere', () => {
    const service = (): Status => {
      machine.pc = BigInt(machine.base);
      return Status.refetch;
    };
    const machine: Toy = new Toy({ execution: Execution.auto, service });
    machine.load(straight(toyOp['service'] as number));
    runLong(machine);
    expect(stats(machine).translated).toBe(60);
    expect(machine.reg(1)).toBe(BigInt(60 * Math.floor(600_000 / 61) + (600_000 % 61)));
  });

  test('is translated without what was not executed, which goes on alike', () => {
    const away = 0x400;
    const back = [...new Array<number>(20).fill(toy('addi', 3, 3, 1)), toy('addi', 1, 0, 0), toy('jump', 0, 0, -away - 4 * 21)];
    const make = (execution: Execution): Toy => {
      const machine = new Toy({ execution });
      machine.load(back, away);
      machine.load([toy('branch', 1, 0, away), toy('addi', 2, 2, 1), toy('jump', 0, 0, -8)]);
      return machine;
    };
    const machine = make(Execution.auto);
    const plain = make(Execution.interpreter);
    while (stats(machine).regions === 0) machine.engine.run(10_000);
    expect(stats(machine).translated).toBe(3);
    plain.engine.run(machine.engine.retired);
    for (let i = 0; i < 30; i++) {
      for (const each of [machine, plain]) {
        each.setReg(1, 1n);
        each.engine.run(997);
      }
      expect([machine.pc, machine.reg(1), machine.reg(2), machine.reg(3)]).toEqual([plain.pc, plain.reg(1), plain.reg(2), plain.reg(3)]);
    }
    expect(machine.reg(3)).toBeGreaterThan(500n);
  });

  test('without a translator there is nothing to count', () => {
    expect(new Toy().engine.translation).toBeUndefined();
  });
});

describe('code that changes', () => {
  test('drops the regions it is in, and only those', () => {
    const machine = new Toy({ execution: Execution.translator });
    machine.load([toy('addi', 1, 1, 1), toy('jump', 0, 0, 0x100 - 4)]);
    machine.load([toy('addi', 2, 2, 1), toy('jump', 0, 0, -0x104)], 0x100);
    machine.load([toy('addi', 3, 3, 1), toy('jump', 0, 0, -4)], 0x200);
    machine.engine.run(10);
    machine.pc = BigInt(machine.base);
    machine.engine.run(10);
    const { regions, invalidated } = stats(machine);
    expect(invalidated).toBe(0);
    machine.load([toy('addi', 2, 2, 5)], 0x100);
    expect(stats(machine).invalidated).toBeGreaterThan(0);
    expect(stats(machine).invalidated).toBeLessThan(regions);
    machine.pc = BigInt(machine.base);
    machine.setReg(2, 0n);
    machine.engine.run(4);
    expect(machine.reg(2)).toBe(5n);
  });

  test('again and again goes on, and is not translated each time', () => {
    const machine = new Toy({ execution: Execution.translator });
    const rounds = 2000;
    for (let i = 0; i < rounds; i++) {
      machine.load([toy('addi', 1, 1, (i % 100) + 1), toy('jump', 0, 0, 0)]);
      machine.setReg(1, 0n);
      machine.engine.run(50);
      expect(machine.reg(1)).toBe(BigInt((i % 100) + 1));
    }
    expect(stats(machine).regions).toBeLessThan(200);
  });
});

test('translations are dropped when they take more than they may', () => {
  const machine = new Toy({ execution: Execution.translator, translationBytes: 200_000 });
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 60; i++) {
      machine.load([toy('addi', 1, 0, i), toy('jump', 0, 0, 0)], i * 16);
      machine.engine.run(10);
      expect(machine.reg(1)).toBe(BigInt(i));
    }
  }
  expect(stats(machine).flushes).toBeGreaterThan(3);
});
