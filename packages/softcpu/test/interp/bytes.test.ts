/** Instructions of any length at any address, words of the state block in locals, and modes of decoding: on all tiers as a model has it. */
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { Execution } from '../../src/index.ts';
import { Bytes, Model, encode, operations } from './bytes.ts';
import type { Outcome } from './bytes.ts';

const ENGINES: readonly Execution[] = ['interpreter', 'auto', 'translator'];

/** What the manual says: at most `steps` instructions of `memory`, from `offset` on. */
function model(memory: Uint8Array, offset: number, steps: number): Outcome {
  const processor = new Model(memory);
  processor.pc = offset;
  processor.run(steps);
  return processor.outcome;
}

function execute(engine: Execution, code: readonly number[], offset: number, steps: number, start = offset): Outcome {
  const machine = new Bytes(engine);
  machine.load(offset, code);
  machine.pc = BigInt(machine.base + start);
  machine.execute(steps);
  return machine.outcome;
}

/** Any but the last one. */
const instruction = fc
  .record({ operation: fc.constantFrom(...operations.filter((name) => name !== 'stop')), register: fc.nat(7), operand: fc.integer({ min: -40, max: 40 }), pads: fc.nat(4) })
  .map(({ operation, register, operand, pads }) => encode(operation, register, operand, operation === 'mode' ? 0 : pads));

const PLAIN = [encode('inc', 1), encode('next', 2), encode('flag', 3), encode('clear', 1), encode('compare', 1, 7), encode('branch', 0, 30), encode('branch', 0, -9), encode('branch', 0, 100)];

const STOP = encode('stop');

describe.each(ENGINES)('%s', (engine) => {
  it('executes random programs at any address as the model does', () => {
    const program = fc.array(instruction, { minLength: 1, maxLength: 60 }).map((list) => list.flat());
    fc.assert(
      fc.property(program, fc.integer({ min: 4096 - 80, max: 4096 + 20 }), (code, offset) => {
        const memory = new Uint8Array(0x1_0000).fill(0x80);
        memory.set([...code, ...STOP], offset);
        expect(execute(engine, [...memory.subarray(0, 0x2000)], 0, 3000, offset)).toEqual(model(memory, offset, 3000));
      }),
      { numRuns: 60, seed: 7 },
    );
  });

  it('executes instructions that cross into the next page from several places of one', () => {
    // A loop whose body is entered three bytes apart: the padded instruction crosses from 4093 or from 4095.
    const code = [...encode('add', 1, 3, 4), ...encode('compare', 1, 99), ...encode('branch', 0, -8), ...STOP];
    const outcome = execute(engine, code, 4093, 1000);
    expect(outcome.registers[1]).toBe(99n);
    const from = execute(engine, [...encode('inc', 1), ...code], 4094, 1000);
    expect(from.registers[1]).toBe(model(Uint8Array.from([...Array.from({ length: 4094 }, () => 0x80), ...encode('inc', 1), ...code]), 4094, 1000).registers[1]);
  });

  it('executes pages of code that is jumped to anywhere, and written, as the model does', () => {
    const size = 6 * 4096;
    const offset = fc.nat(size - 1);
    const event = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('go' as const), offset, steps: fc.integer({ min: 1, max: 400 }) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('write' as const), offset, code: instruction }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('on' as const), steps: fc.integer({ min: 1, max: 400 }) }) },
    );
    // Most are of one or two bytes, so that pages have as many as they can.
    const code = fc.array(fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...PLAIN) }, instruction), { minLength: 500, maxLength: 500 });
    fc.assert(
      fc.property(code, fc.array(event, { minLength: 30, maxLength: 80 }), (list, events) => {
        const once = list.flat();
        const bytes = Array.from({ length: size }, (_, i) => once[i % once.length] as number);
        const memory = new Uint8Array(0x1_0000).fill(0x80);
        const processor = new Model(memory);
        const machine = new Bytes(engine);
        const load = (at: number, written: readonly number[]): void => {
          memory.set(written, at);
          machine.load(at, written);
          machine.pc = BigInt(machine.base + processor.pc);
        };
        load(0, [...bytes, ...memory.subarray(size, size + 256)]);
        for (const e of events) {
          if (e.kind === 'write') load(e.offset, e.code);
          if (e.kind === 'go') {
            processor.pc = e.offset;
            machine.pc = BigInt(machine.base + e.offset);
          }
          if (e.kind === 'write') continue;
          processor.run(e.steps);
          machine.execute(e.steps);
          expect(machine.outcome).toEqual(processor.outcome);
        }
      }),
      { numRuns: engine === 'translator' ? 3 : 25, seed: 5 },
    );
  });

  it('executes instructions of two pages as they are when one page has given its records up and was written', () => {
    // The operand of an addition lies in the second page; the pool has four pages, of which others take one after the other.
    for (const others of [0, 1, 2, 3, 4, 5, 6, 7, 8]) {
      const machine = new Bytes(engine);
      const add = (operand: number): number[] => [...encode('add', 1, operand, 2), ...STOP];
      const call = (offset: number): void => {
        machine.pc = BigInt(machine.base + offset);
        machine.execute(10);
      };
      for (let page = 2; page < 12; page++) machine.load(page * 4096, [...encode('inc', 2), ...STOP]);
      machine.load(4093, add(3));
      call(4093);
      expect(machine.outcome.registers[1]).toBe(3n);
      for (let page = 2; page < 2 + others; page++) call(page * 4096);
      machine.load(4096, add(50).slice(3));
      call(4093);
      expect(machine.outcome.registers[1], `after ${others} pages, written to the second`).toBe(53n);
      for (let page = 2; page < 2 + others; page++) call(page * 4096);
      machine.load(4093, [...encode('inc', 1), ...STOP]);
      call(4093);
      expect(machine.outcome.registers[1], `after ${others} pages, written to the first`).toBe(54n);
    }
  });

  it('decodes anew in another mode', () => {
    // Counts up in one mode and down in the other, over the same bytes.
    const code = [...encode('inc', 2), ...encode('inc', 2), ...encode('mode'), ...encode('inc', 2), ...encode('mode'), ...encode('compare', 2, 40), ...encode('branch', 0, -7), ...STOP];
    expect(execute(engine, code, 100, 5000)).toEqual(model(Uint8Array.from([...Array.from({ length: 100 }, () => 0x80), ...code]), 100, 5000));
  });
});

test('pages that are wanted again keep their records while others come and go', () => {
  const machine = new Bytes('interpreter');
  const { counters, pages } = machine.engine;
  const pagesInAll = 14;
  for (let page = 0; page < pagesInAll; page++) machine.load(page * 4096, [...encode('inc', 1), ...STOP]);
  const call = (page: number): void => {
    machine.pc = BigInt(machine.base + page * 4096);
    machine.engine.run(1);
  };
  for (let page = 1; page < pagesInAll; page++) {
    call(page);
    // As when another address space is entered.
    pages.fetches.flush();
    call(0);
  }
  expect(counters.decoded_instructions).toBe(2 * pagesInAll);
});
