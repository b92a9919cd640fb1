/** Which instructions raise #AC, against this machine's processor. */
import { describe, expect, it } from 'vitest';
import { isMisaligned } from '../../src/alignment.ts';
import { Decoder } from '../../src/isa/decode.ts';
import { rows } from '../../src/isa/table.ts';
import { Flag } from '../../src/state.ts';
import { executable, isSupported } from './classes.ts';
import { Generator, MODES, Random } from './generate.ts';
import { GS_BASE, ask, haveNative, hostFeatures } from './oracle.ts';

describe.skipIf(!haveNative)('alignment checking', () => {
  it.each([64, 32] as const)('finds in code of %i bits what this processor finds', (mode) => {
    const random = new Random(mode);
    const generator = new Generator(random);
    const features = hostFeatures();
    const list = rows.filter((row) => executable(row, mode) && isSupported(row, features));
    const cases = list.flatMap((row) => Array.from({ length: 20 }, () => generator.make(row, mode)).filter((made) => made !== undefined).slice(0, 8))
      .map((test) => ({ ...test, flags: test.flags | Flag.AC }));
    const decoder = new Decoder();
    const outcomes = ask(cases);
    const wrong = cases.flatMap((test, i) => {
      const { trap } = outcomes[i]!;
      // Other exceptions come first, or instead.
      if (trap !== 1 && trap !== 17) return [];
      decoder.decode(test.code, 0, test.code.length, MODES[mode]);
      const { insn } = decoder;
      const found = isMisaligned(insn, { gpr: (n) => test.gpr[n]!, base: (segment) => (mode === 64 && segment === 5 ? BigInt(GS_BASE) : 0n), stackBits: mode }, BigInt(test.rip + insn.length));
      return found === (trap === 17) ? [] : [`${insn.row.name} ${Buffer.from(test.code.subarray(0, insn.length)).toString('hex')} trap ${trap}`];
    });
    expect(outcomes.filter(({ trap }) => trap === 17).length).toBeGreaterThan(100);
    expect(wrong).toEqual([]);
  });
});
