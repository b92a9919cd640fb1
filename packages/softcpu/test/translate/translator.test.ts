/** What the translator keeps, drops and leaves alone, under the toy instruction set. */
import { describe, expect, test } from 'vitest';
import { Execution } from '../../src/index.ts';
import { Toy, toy } from '../interp/toy.ts';

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
