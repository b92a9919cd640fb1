/** Both tiers execute the same random programs; at every place where they are stopped, all state must be the same. */
import { createHash } from 'node:crypto';
import { Execution } from '@axvisor/softcpu';
import { expect, test } from 'vitest';
import { assemble } from '../../src/isa/asm.ts';
import { BareMachine, RAM_BASE } from '../../src/testing/index.ts';
import { BASES, Random, randomProgram } from './random_program.ts';

const options = { ramBytes: 1 << 20, poolPages: 16 };
const reference = new BareMachine(options);
const eager = new BareMachine({ ...options, engine: Execution.translator });

const DATA = 0x8000;
/** Offset of the program: across the end of a page. */
const CODE = 0xc00;
/** FS = Initial; exceptions lead to the beginning of the program. */
const prelude = assemble(`li t0, 0x2000\n csrs mstatus, t0\n li t0, ${RAM_BASE + CODE}\n csrw mtvec, t0\n jr t0`, { base: BigInt(RAM_BASE) }).bytes;

function start(machine: BareMachine, seed: number, program: Uint8Array): void {
  const { hart, ram } = machine;
  const random = new Random(seed ^ 0x5555);
  machine.clear();
  ram.set(program, CODE);
  for (let i = 0; i < 0x1000; i++) ram[DATA - 0x800 + i] = random.below(256);
  ram.set(prelude);
  hart.reset(BigInt(RAM_BASE));
  while (hart.pc !== BigInt(RAM_BASE + CODE)) hart.run(1);
  for (let i = 1; i < 32; i++) {
    const words = [random.word(), random.word()];
    const value = random.below(3) === 0 ? BigInt(random.below(64)) : (BigInt(words[0] as number) << 32n) | BigInt((words[1] as number) >>> 0);
    hart.setReg(i, value);
    hart.setFreg(i, random.below(2) === 0 ? value : BigInt.asUintN(64, (-1n << 32n) | (value & 0x7fff_ffffn)));
  }
  hart.setReg(BASES.data, BigInt(RAM_BASE + DATA));
  hart.setReg(BASES.atomic, BigInt(RAM_BASE + DATA + 64));
  hart.setReg(BASES.edge, BigInt(RAM_BASE + DATA + 0x1000 - 4));
  hart.setReg(BASES.code, BigInt(RAM_BASE + CODE));
}

function state({ hart, ram }: BareMachine, before: number): object {
  return {
    pc: hart.pc,
    retired: hart.retired - before,
    x: Array.from({ length: 32 }, (_, i) => hart.reg(i).toString(16)),
    f: Array.from({ length: 32 }, (_, i) => hart.freg(i).toString(16)),
    fcsr: hart.fcsr,
    ram: createHash('sha256').update(ram.subarray(0, 0x1_0000)).digest('hex'),
  };
}

test.each(Array.from({ length: 60 }, (_, i) => (i + 1) * 7919))('random program %i', (seed) => {
  const random = new Random(seed);
  const program = randomProgram(seed, 40 + random.below(500));
  const machines = [reference, eager];
  for (const machine of machines) start(machine, seed, program);
  const before = machines.map(({ hart }) => hart.retired);
  for (let round = 0; round < 12; round++) {
    const steps = round < 8 ? 1 + random.below(100) : 1 + random.below(5000);
    for (const { hart } of machines) hart.run(steps);
    expect(state(eager, before[1] as number)).toEqual(state(reference, before[0] as number));
  }
});
