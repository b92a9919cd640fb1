/** Regions that are kept from one run to the next. */
import { expect, test } from 'vitest';
import { Execution, compileBatch } from '../../src/index.ts';
import type { Isa } from '../../src/index.ts';
import { i64 } from '../../src/ir/expr.ts';
import { decodeObject, encodeObject } from '../../src/translate/object.ts';
import { Toy, toy, toyIsa } from '../interp/toy.ts';
import { Elsewhere, Late, MemoryStore } from './compilers.ts';

/** Fewer steps than make anything hot by itself. */
const FEW = 20_000;

/** r2 goes up by a step in each round, r1 down to 0; then the machine loops at the last instruction. */
const program = (step: number): readonly number[] => [toy('addi', 2, 2, step), toy('addi', 1, 1, -1), toy('branch', 1, 0, -8), toy('jump', 0, 0, 0)];

/** Executes a program at an offset for so many steps. */
function runAt(offset: number, code: readonly number[], store: MemoryStore, steps: number, isa: Isa = toyIsa): Toy {
  const machine = new Toy({ execution: Execution.auto, compiler: new Late(store, isa), isa });
  machine.load(code, offset);
  machine.setReg(1, BigInt(steps));
  for (let left = steps; left > 0; left -= 1000) machine.engine.run(1000);
  return machine;
}

const statsOf = (machine: Toy): { readonly regions: number; readonly kept: number } => {
  const { regions, kept } = machine.engine.translation ?? { regions: 0, kept: 0 };
  return { regions, kept };
};

test('are found when tier 0 gets there, and need not become hot', () => {
  const store = new MemoryStore();
  expect(statsOf(runAt(0, program(3), store, FEW))).toEqual({ regions: 0, kept: 0 });
  expect(statsOf(runAt(0, program(3), store, 1_000_000))).toEqual({ regions: 1, kept: 0 });
  const again = runAt(0, program(3), store, FEW);
  expect(statsOf(again)).toEqual({ regions: 1, kept: 1 });
  const stepped = new Toy();
  stepped.load(program(3));
  stepped.setReg(1, BigInt(FEW));
  stepped.engine.run(FEW);
  expect([again.pc, again.reg(1), again.reg(2)]).toEqual([stepped.pc, stepped.reg(1), stepped.reg(2)]);
});

test('are found in any page, but only at the same place of it', () => {
  const store = new MemoryStore();
  runAt(0x1100, program(3), store, 1_000_000);
  expect(statsOf(runAt(0x5100, program(3), store, FEW))).toEqual({ regions: 1, kept: 1 });
  expect(statsOf(runAt(0x5140, program(3), store, FEW))).toEqual({ regions: 0, kept: 0 });
});

test('other code is other regions', () => {
  const store = new MemoryStore();
  runAt(0, program(3), store, 1_000_000);
  const other = runAt(0, program(4), store, 1_000_000);
  expect(statsOf(other)).toEqual({ regions: 1, kept: 0 });
  expect(other.reg(2) % 4n).toBe(0n);
});

test('what another machine leads on to has the numbers of that machine', () => {
  const store = new MemoryStore();
  /** Two loops, one of which leads to the other through a return, which ends regions. */
  const code = [toy('addi', 2, 2, 1), toy('call', 3, 0, 12), toy('addi', 1, 1, -1), toy('jump', 0, 0, -12), toy('addi', 4, 4, 1), toy('return', 3)];
  const first = runAt(0, code, store, 1_000_000);
  expect(statsOf(first).regions).toBeGreaterThan(1);
  const second = new Toy({ execution: Execution.auto, compiler: new Late(store) });
  // Numbers are given away in the order of need.
  second.load(program(1), 0x8000);
  second.setReg(1, 500_000n);
  for (let i = 0; i < 600; i++) second.engine.run(1000);
  second.load(code);
  second.setReg(1, 0n);
  second.setReg(2, 0n);
  for (let i = 0; i < 60; i++) second.engine.run(1000);
  expect(statsOf(second).kept).toBeGreaterThan(1);
  expect([second.reg(2), second.reg(4)]).toEqual([10_000n, 10_000n]);
});

/** The toy, whose numbers may be addresses: `imm` says how far they are from 2^30. */
const movable: Isa = {
  ...toyIsa,
  records: { ...toyIsa.records, address: 8 },
  fields: { ...toyIsa.fields, imm: { offset: 8, op: 'i32.load' } },
  instructions: toyIsa.instructions.map((instruction) =>
    instruction.name === 'sum' ? { name: 'far', lengths: [4], emit: (e) => e.setReg('a', i64.add(e.reg('b'), e.field64('imm'))) } : instruction,
  ),
};
/** Number of the instruction whose operand is far from zero. */
const FAR = toyIsa.instructions.findIndex(({ name }) => name === 'sum');

class Movable extends Toy {
  override decode(place: number, available: number, record: number, offset: number): number {
    const length = super.decode(place, available, record, offset);
    const word = this.view.getInt32(place, true);
    if ((word & 255) === FAR) this.view.setInt32(record + 8, Math.sign(word >> 16) * 2 ** 30 + (word >> 16), true);
    return length;
  }
}

test.each([[5, 9], [5, -9], [-7, -1]])('addresses in instructions may be others: %i, then %i', (first, then) => {
  const store = new MemoryStore();
  const run = (far: number, steps: number): Movable => {
    const machine = new Movable({ execution: Execution.auto, compiler: new Late(store, movable), isa: movable });
    machine.load([FAR | (2 << 8) | (far << 16), toy('addi', 3, 3, 1), toy('addi', 1, 1, -1), toy('jump', 0, 0, -12)]);
    for (let left = steps; left > 0; left -= 1000) machine.engine.run(1000);
    expect(machine.reg(2)).toBe(BigInt(Math.sign(far) * 2 ** 30 + far));
    return machine;
  };
  run(first, 1_000_000);
  // What the entry is known by is other code; so it has to become hot, and is found then.
  const { regions, kept } = statsOf(run(then, 1_000_000));
  expect([regions, kept]).toEqual([1, 1]);
});

test('the same module comes of a batch whether its regions were kept or are made', () => {
  const compiler = new Elsewhere();
  const machine = new Toy({ execution: Execution.auto, compiler });
  machine.load([toy('pc', 2), toy('load', 3, 2, 0x4000), toy('square', 3, 3), toy('store', 3, 2, 0x4008), toy('jump', 0, 0, -16)]);
  while (compiler.waiting.length === 0) machine.engine.run(10_000);
  const [batch] = compiler.waiting;
  if (batch === undefined) throw new Error('nothing was submitted');
  const store = new MemoryStore();
  const made = compileBatch(toyIsa, batch, store);
  const found = compileBatch(toyIsa, batch, store);
  expect([made.kept, found.kept]).toEqual([0, 1]);
  expect(found.code).toEqual(made.code);
  expect(compileBatch(toyIsa, batch).code).toEqual(made.code);
});

test('a region is what it was, wherever its bytes lie', () => {
  const object = { symbols: Int32Array.of(2, 0, 9, -1), hints: Int32Array.of(7), locals: Uint8Array.of(1, 3, 0x7e), code: Uint8Array.of(0x41, 0, 0x0b) };
  const bytes = encodeObject(object);
  for (let offset = 0; offset < 4; offset++) {
    const file = new Uint8Array(offset + bytes.length);
    file.set(bytes, offset);
    expect(decodeObject(file.subarray(offset))).toEqual(object);
  }
});
