/** Instructions of any length at any address, words of the state block in locals, and modes of decoding: on all tiers as a model has it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Execution } from '../../src/index.ts';
import { Bytes, MAX_LENGTH, decodeBytes, encode, operations } from './bytes.ts';

const ENGINES: readonly Execution[] = ['interpreter', 'auto', 'translator'];

interface Outcome {
  readonly pc: number;
  readonly registers: readonly bigint[];
  readonly flag: bigint;
}

/** What the manual says: at most `steps` instructions of `memory`, from `offset` on. */
function model(memory: Uint8Array, offset: number, steps: number): Outcome {
  const registers = Array.from({ length: 8 }, () => 0n);
  let flag = 0n;
  let mode = 0;
  let pc = offset;
  for (let step = 0; step < steps; step++) {
    const decoded = decodeBytes(memory.subarray(pc, pc + MAX_LENGTH));
    if (decoded === undefined || decoded.operation === 'stop') break;
    const { operation, register, operand, length } = decoded;
    const value = registers[register] as bigint;
    const next = pc + length;
    pc = next;
    switch (operation) {
      case 'inc':
        registers[register] = value + (mode === 0 ? 1n : -1n);
        break;
      case 'add':
        registers[register] = value + BigInt(operand);
        break;
      case 'compare':
        flag = value - BigInt(operand);
        break;
      case 'clear':
        if (value < 0n) flag = 0n;
        break;
      case 'flag':
        registers[register] = flag;
        break;
      case 'branch':
        if (flag !== 0n) pc = next - length + operand;
        break;
      case 'next':
        registers[register] = BigInt(next & 0xfff);
        break;
      case 'mode':
        mode ^= 1;
    }
  }
  return { pc, registers, flag };
}

function execute(engine: Execution, code: readonly number[], offset: number, steps: number, start = offset): Outcome {
  const machine = new Bytes(engine);
  machine.load(offset, code);
  machine.pc = BigInt(machine.base + start);
  for (let left = steps; left > 0; ) {
    const taken = machine.engine.run(Math.min(left, 701));
    left -= taken;
    if (taken === 0) break;
    if (decodeBytes(machine.engine.bytes.subarray(Number(machine.pc), Number(machine.pc) + MAX_LENGTH))?.operation === 'stop') break;
  }
  return { pc: Number(machine.pc) - machine.base, registers: Array.from({ length: 8 }, (_, n) => machine.register(n)), flag: machine.flag };
}

const instruction = fc
  .record({ operation: fc.constantFrom(...operations.filter((name) => name !== 'stop')), register: fc.nat(7), operand: fc.integer({ min: -40, max: 40 }), pads: fc.nat(4) })
  .map(({ operation, register, operand, pads }) => encode(operation, register, operand, operation === 'mode' ? 0 : pads));

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

  it('decodes anew in another mode', () => {
    // Counts up in one mode and down in the other, over the same bytes.
    const code = [...encode('inc', 2), ...encode('inc', 2), ...encode('mode'), ...encode('inc', 2), ...encode('mode'), ...encode('compare', 2, 40), ...encode('branch', 0, -7), ...STOP];
    expect(execute(engine, code, 100, 5000)).toEqual(model(Uint8Array.from([...Array.from({ length: 100 }, () => 0x80), ...code]), 100, 5000));
  });
});
