/** Records that lie in the places of the bytes of their instructions: of code that is entered at any byte, and beside whatever follows. */
import { describe, expect, it } from 'vitest';
import { Decoder } from '../../src/isa/index.ts';
import { GPR, PC, YMM } from '../../src/state.ts';
import { FlatProcessor } from '../../src/testing/flat.ts';
import { Random } from '../native/generate.ts';
import { FACTOR, MODES, SEED, TIMEOUT, noise } from './noise.ts';

const BASE = 0x1_0000;
const SIZE = 0x2000;
const DATA = { base: 0x2_0000, size: 0x1000 };

/** Parts of code for 64-bit mode: prefixes, instructions of any length with and without operands in memory, jumps into whatever lies there. */
const PARTS: readonly ((random: Random) => readonly number[])[] = [
  (r) => [r.pick([0x48, 0x66, 0xf0, 0x41, 0x3e])],
  (r) => [r.pick([0x50, 0x53, 0x58, 0x5b, 0x90, 0x98, 0x99, 0xf8, 0xf9])],
  (r) => [r.pick([0x01, 0x31, 0x39, 0x8b]), 0xc0 | r.below(32)],
  (r) => [r.pick([0x04, 0xb3, 0xa8]), r.below(256)],
  (r) => [0x83, 0xc0 | r.below(32), r.below(256)],
  (r) => [0xd1, r.pick([0x07, 0x26, 0xe0])],
  (r) => [r.pick([0x05, 0x3d, 0xb8]), r.below(256), r.below(256), r.below(256), r.below(128)],
  (r) => [0x48, 0xb9, ...Array.from({ length: 8 }, () => r.below(256))],
  (r) => [r.pick([0x01, 0x03, 0x8b]), r.pick([0x07, 0x1e])],
  () => [0xf0, 0x0f, 0xb1, 0x0f],
  (r) => [0x83, 0x47, r.below(64), r.below(256)],
  (r) => [0xc7, 0x47, r.below(64), r.below(256), 1, 2, 3],
  (r) => [r.pick([0xeb, 0x74, 0x75, 0x72]), r.below(40) - 20 & 0xff],
];

const codeOf = (random: Random): number[] => Array.from({ length: 40 }, () => random.pick(PARTS)(random)).flat();

const state = (p: FlatProcessor): unknown => ({
  stopped: p.stopped, pc: p.get(PC), flags: p.eflags, registers: Array.from({ length: 16 }, (_, n) => p.gpr(n)), memory: Buffer.from(p.memory(DATA.base, DATA.size)).toString('base64'),
});

/** So many steps of a processor that has nothing decoded before any of them. */
function stepwise(p: FlatProcessor, pc: number, steps: number): void {
  p.run(pc, 0);
  for (let step = 0; step < steps && p.stopped === ''; step++) {
    p.engine.pages.clear();
    p.engine.run(1);
  }
}

describe('code that is entered at any byte', () => {
  it.each(['interpreter', 'auto', 'translator'] as const)('does what it does byte by byte: %s', (execution) => {
    const random = new Random(11 + SEED);
    const programs = (execution === 'translator' ? 8 : 40) * FACTOR;
    const [p, model] = ([execution, 'interpreter'] as const).map((each) => new FlatProcessor([{ base: BASE, size: SIZE, copies: 40 }, DATA], each)) as [FlatProcessor, FlatProcessor];
    for (let program = 0; program < programs; program++) {
      for (const each of [p, model]) each.exchange(BASE);
      const start = random.pick([0x100, 0xff8, 0xf80]);
      const code = codeOf(random);
      const write = (offset: number, bytes: readonly number[]): void => [p, model].forEach((each) => each.load(BASE + start + offset, Uint8Array.from(bytes)));
      write(0, code);
      for (let turn = 0; turn < 25; turn++) {
        const from = random.below(code.length);
        if (random.chance(10)) write(from, random.pick(PARTS)(random));
        const values = Array.from({ length: 16 }, () => random.wide());
        for (const each of [p, model]) {
          values.forEach((value, n) => each.put(GPR + 8 * n, value));
          [4, 6, 7].forEach((n) => each.put(GPR + 8 * n, BigInt(DATA.base + 0x400)));
          each.eflags = 2;
        }
        const steps = 1 + random.below(60);
        p.run(BASE + start + from, steps);
        stepwise(model, BASE + start + from, steps);
        expect(state(p), `${program}, ${turn}: ${Buffer.from(code).toString('hex')} from ${from}`).toEqual(state(model));
      }
    }
  }, TIMEOUT);
});

describe('an instruction', () => {
  /** What is decoded behind it, with operands of all kinds. */
  const BEHIND = [[0x48, 0xb8, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x08], [0x81, 0x84, 0x96, 0x78, 0x56, 0x34, 0x12, 0x0d, 0x0c, 0x0b, 0x0a]];
  const decoder = new Decoder();

  it.each(MODES)('does the same whatever follows, in mode %i', (mode) => {
    const code = { base: BASE, size: 0x1000, copies: 50 };
    const random = new Random(mode + 21 + SEED);
    const processors = BEHIND.map(() => new FlatProcessor([code, DATA], 'interpreter', mode));
    for (let i = 0; i < 500 * FACTOR; i++) {
      const bytes = noise(random);
      decoder.decode(bytes, 0, bytes.length, mode);
      const { length } = decoder.insn;
      const values = Array.from({ length: 16 }, () => (random.chance(50) ? BigInt(DATA.base + random.below(DATA.size)) : random.wide()));
      const [first, second] = processors.map((p, which) => {
        const start = (): void => {
          values.forEach((value, n) => p.put(GPR + 8 * n, value));
          values.forEach((value, n) => p.put(YMM + 8 * n, value));
          p.load(DATA.base, new Uint8Array(DATA.size).fill(0x5a));
          p.eflags = 2;
        };
        p.exchange(BASE);
        p.load(BASE, Uint8Array.from([...bytes.subarray(0, length), ...(BEHIND[which] as readonly number[])]));
        start();
        p.run(BASE + length, 1);
        start();
        p.run(BASE, 1);
        return state(p);
      });
      expect(second, `${Buffer.from(bytes.subarray(0, length)).toString('hex')}`).toEqual(first);
    }
  }, TIMEOUT);
});
