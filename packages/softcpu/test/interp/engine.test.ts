/** The engine under a toy instruction set: what must hold for any ISA. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Execution, Permission, Status } from '../../src/index.ts';
import { Toy, toy } from './toy.ts';

describe.each(Object.values(Execution))('%s', (execution) => {
  describe('instructions', () => {
    const machine = new Toy({ execution });

    test('registers, fields, functions with a body, imported and outlined ones, loops', () => {
      machine.load([toy('addi', 1, 0, 12), toy('square', 2, 1), toy('host', 3, 0, -7), toy('sum', 4, 0, 100), toy('pc', 5), toy('clock', 6)]);
      expect(machine.engine.run(6)).toBe(6);
      expect(machine.reg(6)).toBe(2n ** 40n);
      expect([1, 2, 3, 4].map((i) => machine.reg(i))).toEqual([12n, 144n, -21n, 5050n]);
      expect(machine.reg(5)).toBe(BigInt(machine.base + 16));
      expect(machine.pc).toBe(BigInt(machine.base + 24));
      expect(machine.engine.retired).toBe(6);
    });

    test('direct jumps within the page and out of it, and indirect ones', () => {
      machine.load([toy('addi', 2, 0, 1), toy('jump', 0, 0, -4096)], 0x2000);
      machine.load([toy('addi', 1, 0, 3), toy('addi', 1, 1, -1), toy('branch', 1, 0, -4), toy('jump', 0, 0, 4096 - 12)], 0x1000);
      machine.engine.run(1 + 3 * 2 + 1 + 2);
      expect([machine.reg(1), machine.reg(2), machine.pc]).toEqual([0n, 1n, BigInt(machine.base + 0x1004)]);
      machine.setReg(7, BigInt(machine.base + 0x3000));
      machine.load([toy('jumpTo', 7)], 0x4ffc);
      machine.engine.run(1);
      expect(machine.pc).toBe(BigInt(machine.base + 0x3000));
    });

    test('a page is translated once, then found in the fetch cache', () => {
      machine.load([toy('addi', 1, 0, 0), toy('addi', 1, 1, 1), toy('jump', 0, 0, -4)], 0x5000);
      machine.engine.run(10);
      const before = machine.translations;
      machine.engine.run(1000);
      machine.engine.run(1000);
      expect(machine.translations).toBe(before);
      machine.engine.pages.fetches.flush();
      machine.engine.run(10);
      expect(machine.translations).toBe(before + 1);
    });

    test('execution runs from one page into the next', () => {
      machine.load([toy('addi', 1, 0, 1), toy('addi', 1, 1, 1), toy('addi', 1, 1, 1)], 0x6000 - 8);
      machine.engine.run(3);
      expect(machine.reg(1)).toBe(3n);
      expect(machine.pc).toBe(BigInt(machine.base + 0x6004));
    });
  });

  describe('leaving', () => {
    test('a service sees pc and count, and decides', () => {
      let status: Status = Status.next;
      const seen: (readonly [bigint, number])[] = [];
      const machine: Toy = new Toy({
        execution,
        service: () => {
          seen.push([machine.pc, machine.engine.retired]);
          if (status === Status.refetch) machine.pc = BigInt(machine.base + 0x100);
          return status;
        },
      });
      machine.load([toy('addi', 1, 0, 5)], 0x100);
      machine.load([toy('addi', 1, 0, 1), toy('service'), toy('addi', 1, 1, 1)]);
      expect(machine.engine.run(3)).toBe(3);
      expect(machine.reg(1)).toBe(2n);
      status = Status.refetch;
      machine.pc = BigInt(machine.base);
      machine.engine.run(3);
      expect(machine.reg(1)).toBe(5n);
      status = Status.leave;
      machine.pc = BigInt(machine.base);
      expect(machine.engine.run(100)).toBe(2);
      expect(machine.pc).toBe(BigInt(machine.base + 4));
      // The step of the instruction itself is taken when the service runs.
      expect(seen).toEqual([2, 5, 8].map((retired) => [BigInt(machine.base + 4), retired]));
    });

    test.each([
      ['load', [toy('load', 1, 2, 0)], ['load+0', 8]],
      ['store', [toy('store', 1, 2, 0)], ['store+0', 8]],
      ['swap', [toy('swap', 1, 2)], ['store+0', 8]],
    ] as const)('a %s that faults leaves registers and count alone', (_, words, exception) => {
      const machine = new Toy({ execution });
      machine.setReg(1, 77n);
      machine.setReg(2, 8n);
      machine.load([toy('addi', 3, 0, 1), ...words]);
      expect(machine.engine.run(10)).toBe(2);
      expect(machine.exceptions).toEqual([exception]);
      expect([machine.reg(1), machine.pc, machine.engine.retired]).toEqual([77n, BigInt(machine.base + 4), 1]);
    });

    test('a fetch that faults takes a step, and only if there is one', () => {
      const machine = new Toy({ execution });
      machine.load([toy('jump', 0, 0, -8)]);
      expect(machine.engine.run(1)).toBe(1);
      expect(machine.exceptions).toEqual([]);
      expect(machine.pc).toBe(BigInt(machine.base - 8));
      expect(machine.engine.run(5)).toBe(1);
      expect(machine.exceptions).toEqual([['fetch+0', machine.base - 8]]);
      expect(machine.engine.retired).toBe(1);
    });
  });

  describe.each([22, 31, 32])('guest memory with a window of 2^%i bytes', (windowBits) => {
    // The tables grow with the window: only as much memory as they need exists.
    const machine = new Toy({ windowBits, execution });
    machine.load([toy('load', 1, 2, 0), toy('store', 3, 2, 0), toy('jump', 0, 0, -8)]);
    const program = BigInt(machine.base);

    test('loads and stores anywhere do what bytes do', () => {
      const data = machine.base + 0x8000;
      fc.assert(
        fc.property(fc.integer({ min: data, max: data + 0x8000 }), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (at, value) => {
          machine.pc = program;
          machine.setReg(2, BigInt(at));
          machine.setReg(3, value);
          const before = machine.view.getBigInt64(at, true);
          machine.engine.run(2);
          expect(machine.reg(1)).toBe(before);
          expect(machine.view.getBigInt64(at, true)).toBe(value);
        }),
        { numRuns: 200 },
      );
    });

    test('values in two pages that are known are found without asking, and stores to code are not', () => {
      const machine = new Toy({ execution });
      const program = [toy('store', 1, 2, 0), toy('load', 3, 2, 0)];
      const run = (at: number, value: bigint): void => {
        machine.load(program, 0x100);
        machine.setReg(1, value);
        machine.setReg(2, BigInt(machine.base + at));
        expect(machine.engine.run(2)).toBe(2);
      };
      // Once for each page.
      run(0x3000, 0n);
      run(0x4000, 0n);
      const { engine } = machine;
      const known = engine.counters.tlb_misses;
      fc.assert(
        fc.property(fc.integer({ min: 0x3ff9, max: 0x3fff }), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (at, value, around) => {
          for (const place of [at - 8, at + 8]) machine.view.setBigUint64(machine.base + place, around, true);
          run(at, value);
          expect(machine.reg(3)).toBe(value);
          expect(machine.view.getBigInt64(machine.base + at, true)).toBe(value);
          for (const place of [at - 8, at + 8]) expect(machine.view.getBigUint64(machine.base + place, true)).toBe(around);
        }),
      );
      expect(engine.counters.tlb_misses).toBe(known);
      // The second page becomes code, which the store changes.
      machine.load([toy('addi', 5, 0, 1), toy('jump', 0, 0, -4)], 0x4000);
      engine.run(2);
      expect(machine.reg(5)).toBe(1n);
      run(0x3ffc, BigInt(toy('addi', 5, 0, 7)) << 32n);
      expect(engine.counters.tlb_misses).toBeGreaterThan(known);
      machine.pc = BigInt(machine.base + 0x4000);
      engine.run(2);
      expect(machine.reg(5)).toBe(7n);
    });

    test('addresses that are the same in the low words are told apart', () => {
      const at = BigInt(machine.base + 0x8000);
      machine.setReg(2, at);
      machine.pc = program;
      machine.engine.run(2);
      for (const high of [1n, -1n, 1n << 20n, -(1n << 31n), 1n << 31n]) {
        machine.exceptions.length = 0;
        machine.setReg(2, BigInt.asIntN(64, at + (high << 32n)));
        machine.pc = program;
        expect(machine.engine.run(2)).toBe(1);
        expect(machine.exceptions).toHaveLength(1);
      }
    });

    test('without permission to cache, every access asks', () => {
      machine.permitted = Permission.execute;
      machine.setReg(2, BigInt(machine.base + 0x2_0000));
      machine.pc = program;
      machine.engine.run(1);
      const before = machine.translations;
      machine.pc = program;
      machine.engine.run(2);
      expect(machine.translations - before).toBe(2);
      machine.permitted = Permission.read | Permission.write | Permission.execute;
    });
  });
});

test('regions that do not fit are refused', () => {
  expect(() => new Toy({ windowBits: 33 })).toThrow(RangeError);
});
