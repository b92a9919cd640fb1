/** Accesses that the TLB does not let through: regions are left at them, until that happens so often that they are made anew. */
import { expect, test } from 'vitest';
import { Execution, i64 } from '../../src/index.ts';
import type { Isa } from '../../src/index.ts';
import { Toy, toy, toyIsa } from '../interp/toy.ts';

const stats = (machine: Toy): NonNullable<Toy['engine']['translation']> => machine.engine.translation as NonNullable<Toy['engine']['translation']>;
/** Whether the region at the beginning of the program calls what finds places. */
const asks = (machine: Toy): boolean => Buffer.from(machine.engine.translationAt(machine.base) as Uint8Array<ArrayBuffer>).includes('refill');
const DATA = 0x1_0000;
const SLICE = 3000;

/** r3 sums up what is at r2 and behind, page for page, from r1 on; r4 rounds. */
const strided = [toy('load', 5, 2, 0), toy('addi', 2, 2, 4096), toy('addi', 3, 3, 1), toy('addi', 4, 4, -1), toy('branch', 4, 0, -16), toy('addi', 2, 1, 0), toy('addi', 4, 6, 0), toy('jump', 0, 0, -28)];
const PAGES = 64;

function walker(): Toy {
  const machine = new Toy({ execution: Execution.auto });
  machine.load(strided);
  machine.setReg(1, BigInt(machine.base + DATA));
  machine.setReg(2, BigInt(machine.base + DATA));
  for (const register of [4, 6]) machine.setReg(register, BigInt(PAGES));
  return machine;
}

/** Runs it in slices until there are so many regions. */
function runUntil(machine: Toy, regions: number, between: () => void): void {
  for (let i = 0; i < 1000 && stats(machine).regions < regions; i++) {
    machine.engine.run(SLICE);
    between();
  }
  expect(stats(machine).regions).toBe(regions);
}

test('a region whose accesses are seldom refused does not ask for places', () => {
  const machine = walker();
  runUntil(machine, 1, () => {});
  for (let i = 0; i < 50; i++) machine.engine.run(SLICE);
  expect(asks(machine)).toBe(false);
  expect(stats(machine).regions).toBe(1);
});

test('nor does one whose accesses are refused as often in a very long time', () => {
  const machine = walker();
  runUntil(machine, 1, () => {});
  for (let i = 0; i < 20_000; i++) {
    machine.engine.run(300);
    if (i % 1024 === 0) machine.engine.tlb.flush();
  }
  expect(asks(machine)).toBe(false);
  expect(stats(machine).regions).toBe(1);
});

test('one whose accesses are often refused does, once it was made anew', () => {
  const machine = walker();
  const flush = (): void => machine.engine.tlb.flush();
  runUntil(machine, 1, flush);
  expect(asks(machine)).toBe(false);
  runUntil(machine, 2, flush);
  expect(asks(machine)).toBe(true);
  for (let i = 0; i < 50; i++) {
    machine.engine.run(SLICE);
    flush();
  }
  expect(stats(machine).regions).toBe(2);
  const plain = new Toy();
  plain.load(strided);
  plain.setReg(1, BigInt(plain.base + DATA));
  plain.setReg(2, BigInt(plain.base + DATA));
  for (const register of [4, 6]) plain.setReg(register, BigInt(PAGES));
  plain.engine.run(machine.engine.retired);
  expect([machine.pc, machine.reg(2), machine.reg(3), machine.reg(4)]).toEqual([plain.pc, plain.reg(2), plain.reg(3), plain.reg(4)]);
});

test('what is not aligned but lies in one page is not refused', () => {
  const machine = new Toy({ execution: Execution.auto });
  machine.load([toy('load', 5, 2, 0), toy('addi', 3, 3, 1), toy('jump', 0, 0, -8)]);
  machine.setReg(2, BigInt(machine.base + DATA + 4096 - 13));
  for (let i = 0; i < 200; i++) machine.engine.run(SLICE);
  expect(stats(machine).regions).toBe(1);
  expect(asks(machine)).toBe(false);
  // In two pages it is, each time.
  machine.setReg(2, BigInt(machine.base + DATA + 4096 - 3));
  machine.view.setUint8(machine.base + DATA + 4096 - 3, 0x5a);
  machine.view.setUint8(machine.base + DATA + 4096 + 4, 0xa5);
  runUntil(machine, 2, () => {});
  expect(asks(machine)).toBe(true);
  expect(machine.reg(5)).toBe(BigInt.asIntN(64, 0xa500_0000_0000_005an));
});

test('a region whose assumptions do not hold any more is made anew for what does', () => {
  const WORD = 96;
  const isa: Isa = {
    ...toyIsa,
    assumptions: [{ offset: WORD }],
    instructions: [...toyIsa.instructions, { name: 'assumed', lengths: [4], emit: (e) => e.setReg('a', i64.extend_i32_s(e.state('i32.load', WORD))) }],
  };
  const machine = new Toy({ execution: Execution.auto, isa });
  const assume = (value: number): void => machine.view.setInt32(machine.state + WORD, value, true);
  machine.load([toyIsa.instructions.length | (5 << 8), toy('addi', 3, 3, 1), toy('jump', 0, 0, -8)]);
  assume(1);
  runUntil(machine, 1, () => {});
  const first = machine.engine.translationAt(machine.base);
  expect(machine.reg(5)).toBe(1n);
  assume(2);
  runUntil(machine, 2, () => expect(machine.reg(5)).toBe(2n));
  expect(machine.engine.translationAt(machine.base)).not.toEqual(first);
  expect(asks(machine)).toBe(false);
});
