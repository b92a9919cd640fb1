/** Accesses near others, whose places they share: whatever lies behind the edges of their pages, both tiers do the same. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Access, Execution, Permission } from '../../src/index.ts';
import { Toy, toy } from '../interp/toy.ts';

const PAGE = 4096;
/** Data pages: the virtual one at n lies at the physical one n * 5 + 3, modulo their number. */
const FIRST = 16;
const PAGES = 64;
const CODE_PAGES = 170;
/** Neighbours of them are not mapped. */
const HOLES = [24, 40];
/** Of every so many, one cannot be written. */
const READ_ONLY = 11;

class Scattered extends Toy {
  /** Each program has a page of its own, as one that is written over and over is not translated. */
  programs = 0;

  override translate(lo: number, hi: number, access: Access, size: number, offset: number): number {
    const physical = super.translate(lo, hi, access, size, offset);
    const page = Math.floor((physical - this.base) / PAGE) - FIRST;
    this.permitted = Permission.read | Permission.write | Permission.execute;
    if (physical < 0 || page < 0 || page >= PAGES) return physical;
    if (HOLES.includes(page)) return super.translate(0, 0, access, size, offset);
    const isWritable = page % READ_ONLY !== 0;
    if (!isWritable && access === Access.store) return super.translate(0, 0, access, size, offset);
    this.permitted = isWritable ? Permission.read | Permission.write : Permission.read;
    return this.base + (FIRST + ((page * 5 + 3) % PAGES)) * PAGE + (physical % PAGE);
  }
}

const address = fc.tuple(fc.integer({ min: 20, max: 44 }), fc.integer({ min: -300, max: 300 }), fc.constantFrom(0, 0, 0, 3)).map(([page, distance, rest]) => (FIRST + page) * PAGE + distance * 8 + rest);
const base = fc.integer({ min: 1, max: 3 });
const data = fc.integer({ min: 4, max: 6 });
const near = fc.oneof(fc.integer({ min: -40, max: 40 }).map((n) => 8 * n), fc.integer({ min: -150, max: 150 }));
const instruction = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(data, base, near).map(([a, b, imm]) => toy('store', a, b, imm)) },
  { weight: 4, arbitrary: fc.tuple(data, base, near).map(([a, b, imm]) => toy('load', a, b, imm)) },
  { weight: 3, arbitrary: fc.tuple(base, near).map(([a, imm]) => toy('addi', a, a, imm)) },
  { weight: 1, arbitrary: fc.tuple(base, base, near).map(([a, b, imm]) => toy('addi', a, b, imm)) },
  { weight: 1, arbitrary: fc.tuple(data, data, near).map(([a, b, imm]) => toy('addi', a, b, imm)) },
);

function fill(machine: Scattered): Uint8Array {
  for (let i = 0; i < PAGES * PAGE; i += 8) machine.view.setInt32(machine.base + FIRST * PAGE + i, i * 7, true);
  return new Uint8Array(machine.view.buffer, machine.base + FIRST * PAGE, PAGES * PAGE);
}

function outcome(machine: Scattered, program: readonly number[], bases: readonly number[], rounds: number): unknown {
  machine.exceptions.length = 0;
  const memory = fill(machine);
  machine.load([...program, toy('addi', 7, 7, -1), toy('branch', 7, 0, -4 * (program.length + 1)), toy('service')], (FIRST + PAGES + (machine.programs++ % CODE_PAGES)) * PAGE);
  for (let i = 4; i < 7; i++) machine.setReg(i, BigInt(i) << 40n);
  bases.forEach((at, i) => machine.setReg(1 + i, BigInt(machine.base + at)));
  machine.setReg(7, BigInt(rounds));
  machine.engine.run(10_000);
  return [machine.pc, [1, 2, 3, 4, 5, 6, 7].map((i) => machine.reg(i)), [...machine.exceptions], Buffer.from(memory).toString('latin1')];
}

test('both tiers access the same', () => {
  const [interpreted, translated] = [new Scattered({ execution: Execution.interpreter }), new Scattered({ execution: Execution.translator })];
  fc.assert(
    fc.property(fc.array(instruction, { minLength: 3, maxLength: 24 }), fc.tuple(address, address, address), fc.integer({ min: 1, max: 6 }), (program, bases, rounds) => {
      expect(outcome(translated, program, bases, rounds)).toEqual(outcome(interpreted, program, bases, rounds));
    }),
    { numRuns: 160 },
  );
  expect(translated.engine.translation?.regions).toBeGreaterThan(100);
});

test('wherever in its page the first of them is', () => {
  const distances = [0, -8, -120, -128, -136, 8, 112, 120, 128];
  const program = [...distances.map((imm) => toy('store', 4, 1, imm)), ...distances.map((imm) => toy('load', 5, 1, imm)), toy('service')];
  const [interpreted, translated] = [Execution.interpreter, Execution.translator].map((execution) => {
    const machine = new Scattered({ execution });
    machine.load(program);
    machine.setReg(4, 0x1234_5678_9abc_def0n);
    const memory = fill(machine);
    return (offset: number): unknown => {
      machine.pc = BigInt(machine.base);
      machine.setReg(1, BigInt(machine.base + (FIRST + 30) * PAGE + offset));
      machine.engine.run(100);
      return [machine.pc, machine.reg(5), machine.exceptions.length, Buffer.from(memory.subarray(0)).toString('latin1')];
    };
  }) as [(offset: number) => unknown, (offset: number) => unknown];
  for (let offset = 0; offset < PAGE; offset += Math.abs(offset - PAGE / 2) > PAGE / 2 - 160 ? 8 : 512) expect(translated(offset)).toEqual(interpreted(offset));
});
