import { describe, expect, it } from 'vitest';
import { Decoder, MAX_LENGTH, disassemble } from '../../src/isa/index.ts';
import { GPR } from '../../src/state.ts';
import { FlatProcessor } from '../../src/testing/flat.ts';
import { Random } from '../native/generate.ts';
import { FACTOR, MODES, SEED, TIMEOUT, noise } from './noise.ts';

describe('any bytes', () => {
  it('are decoded from as few of them as there are needed, at most 15', () => {
    const random = new Random(5 + SEED);
    const decoder = new Decoder();
    for (let i = 0; i < 8000 * FACTOR; i++) {
      const bytes = noise(random);
      const mode = random.pick(MODES);
      expect(decoder.decode(bytes, 0, bytes.length, mode)).toBe(true);
      const { length, op } = decoder.insn;
      expect(length).toBeLessThanOrEqual(MAX_LENGTH);
      if (length > 1) expect(decoder.decode(bytes, 0, length - 1, mode)).toBe(false);
      expect(decoder.decode(bytes, 0, length, mode) || length === MAX_LENGTH).toBe(true);
      expect(decoder.insn.op).toBe(op);
    }
  }, TIMEOUT);

  it('are disassembled', () => {
    const random = new Random(6 + SEED);
    for (let i = 0; i < 3000 * FACTOR; i++) {
      const lines = disassemble(noise(random), 0x1000n, random.pick(MODES));
      expect(lines.reduce((sum, { length }) => sum + length, 0)).toBe(24);
    }
  }, TIMEOUT);

  it.each(MODES)('are executed or raise an exception in mode %i', (mode) => {
    const code = { base: 0x1_0000, size: 0x1000, copies: 50 };
    const processor = new FlatProcessor([code, { base: 0x2_0000, size: 0x2000 }], 'interpreter', mode);
    const random = new Random(mode + 1 + SEED);
    const stops = new Set<string>();
    for (let i = 0; i < 1500 * FACTOR; i++) {
      processor.exchange(code.base);
      processor.load(code.base, noise(random));
      for (let n = 0; n < 16; n++) processor.put(GPR + 8 * n, random.chance(50) ? BigInt(0x2_0000 + random.below(0x2000)) : random.wide());
      processor.run(code.base, 3);
      stops.add(processor.stopped);
    }
    expect([...stops]).toEqual(expect.arrayContaining(['', 'fault', 'undefined', 'system']));
  }, TIMEOUT);
});
