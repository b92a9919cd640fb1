import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decode, disassemble, insns } from '../../src/isa/index.ts';
import { gnuDisassemble, haveBinutils } from './binutils.ts';
import { SAMPLE, sampleWords } from './words.ts';

const golden = readFileSync(new URL('golden/objdump.txt', import.meta.url), 'utf8').trim().split('\n').map((line) => line.split('\t') as [string, string, string]);

/** Takes away what is mere spelling: the notation of numbers. */
const spelled = (text: string): string =>
  text
    .toLowerCase()
    .replace(/#?(-?[\d.]+e[+-]\d+)/g, (_, x: string) => `#${Number(x)}`)
    .replace(/#(-?\d+\.\d+)/g, (_, x: string) => `#${Number(x)}`)
    .replace(/0x([0-9a-f]+)/g, (_, x: string) => BigInt(`0x${x}`).toString());

/** What objdump judges otherwise. */
function known(name: string, ours: string, theirs: string): boolean {
  const unknown = ours.startsWith('.inst');
  if (/undefined|^\.inst/.test(theirs)) {
    // It demands that bits which should be one are, and calls what is unpredictable undefined.
    return unknown || /^(ldar|ldapr)[bh]?$/.test(name) || name.startsWith('ldpsw');
  }
  // Whatever the table does not have belongs to later extensions, by its mnemonic or because of SVE's registers.
  if (unknown) return !mnemonics.has(theirs.split(' ')[0]!) || /\b[zp]\d|vl\b|vl\d|\bp\d/.test(theirs) || /^msr s0_|^mrs \w+, s0_/.test(theirs) || shared.has(theirs.split(' ')[0]!);
  // It wants the unused bits of CRm to be zero, and knows registers of other extensions.
  return /^msr_(uao|pan|spsel)$/.test(name) || (/^(msr_reg|mrs)$/.test(name) && /s[23]_\d/.test(ours));
}
const mnemonics = new Set(insns.map(({ mnemonic }) => mnemonic));
/** Mnemonics of Advanced SIMD that later extensions gave to general-purpose registers as well. */
const shared = new Set(['dsb', 'smax', 'smin', 'umax', 'umin', 'abs', 'cnt', 'fcmla', 'str', 'ldr']);

const different = (lines: Iterable<readonly [address: bigint, word: number, text: string]>): string[] => {
  const wrong: string[] = [];
  for (const [address, word, text] of lines) {
    const [ours, theirs] = [spelled(disassemble(word, address)), spelled(text)];
    if (ours !== theirs && !known(insns[decode(word)]?.name ?? '', ours, theirs)) wrong.push(`${(word >>> 0).toString(16)}: ${ours}, not ${theirs}`);
  }
  return wrong;
};

describe('disassemble', () => {
  it('writes what objdump wrote: a sample of every instruction', () => {
    expect(different(golden.map(([address, word, text]) => [BigInt(`0x${address}`), Number(`0x${word}`) | 0, text] as const))).toEqual([]);
    const seen = new Set(golden.map(([, word]) => decode(Number(`0x${word}`) | 0)));
    expect(insns.filter((_, index) => !seen.has(index)).map(({ name }) => name)).toEqual([]);
  });

  it('writes unallocated words as data', () => {
    expect(disassemble(-1, 0n)).toBe('.inst 0xffffffff');
  });

  it.runIf(haveBinutils)('agrees with objdump on random words of every class', () => {
    const lines = gnuDisassemble(sampleWords(SAMPLE, 11), 'no-aliases');
    expect(lines.length).toBeGreaterThan(insns.length * SAMPLE);
    expect(different(lines.map(({ address, word, text }) => [address, word, text] as const))).toEqual([]);
  });
});
