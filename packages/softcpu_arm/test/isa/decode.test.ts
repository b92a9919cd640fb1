import { describe, expect, it } from 'vitest';
import { classes, decode, decodeBitmask, disassemble, encodeBitmask, insns, isAllocated } from '../../src/isa/index.ts';
import { randomWords, SAMPLE, sampleWords } from './words.ts';

const linearScan = (word: number): number => insns.findIndex((insn) => (word & insn.mask) === insn.match && isAllocated(insn, word));

describe('the table', () => {
  it('has unique names and no two encodings that overlap', () => {
    expect(new Set(insns.map(({ name }) => name)).size).toBe(insns.length);
    const next = randomWords(3);
    for (const [i, a] of insns.entries()) {
      expect(a.match & ~a.mask).toBe(0);
      for (const b of insns.slice(i + 1)) {
        const common = a.mask & b.mask;
        if ((a.match & common) !== (b.match & common)) continue;
        for (let n = 0; n < 200; n++) {
          const word = a.match | b.match | (next() & ~(a.mask | b.mask));
          expect(isAllocated(a, word) && isAllocated(b, word), `${a.name} and ${b.name}`).toBe(false);
        }
      }
    }
  });

  it('has an allocated encoding for every row of every class', () => {
    const next = randomWords(5);
    for (const insn of insns) {
      let found = false;
      for (let n = 0; n < 3000 && !found; n++) found = isAllocated(insn, insn.match | (next() & ~insn.mask));
      expect(found, insn.name).toBe(true);
    }
    expect(insns.length).toBe(classes.reduce((sum, { rows }) => sum + Object.keys(rows).length, 0));
  });
});

describe('decode', () => {
  it('agrees with a linear scan of the table', () => {
    const wrong = sampleWords(Math.min(SAMPLE, 40), 7).filter((word) => decode(word) !== linearScan(word));
    expect(wrong).toEqual([]);
  });

  it('finds nothing in what Armv8.0 and the extensions at hand leave unallocated', () => {
    const words: readonly [number, string][] = [
      [0x91800000, 'ADD with shift 2'],
      [0x52c00000, 'MOVZ of 32 bits shifted by 32'],
      [0x1e800000, 'scalar floating point of type 2'],
      [0x0e60fc00, 'FRECPS on 1D'],
      [0x08217c00, 'CASP with an odd register'],
      [0xd50330ff, 'SB'],
      [0xd503323f, 'DSB nXS'],
      [0x04000000, 'SVE'],
      [0xce000000, 'EOR3'],
    ];
    for (const [word, what] of words) expect(decode(word | 0), what).toBe(-1);
  });
});

describe('logical immediates', () => {
  it('are the same read both ways, for all encodings', () => {
    for (const width of [32, 64] as const) {
      const values = new Set<bigint>();
      for (let bits = 0; bits < 0x2000; bits++) {
        const value = decodeBitmask(bits >> 12, (bits >> 6) & 63, bits & 63, width);
        if (value === undefined) continue;
        values.add(value);
        const { n, immr, imms } = encodeBitmask(value, width)!;
        expect(decodeBitmask(n, immr, imms, width)).toBe(value);
      }
      expect(values.size).toBe(width === 64 ? 5334 : 1302);
      expect(encodeBitmask(0n, width)).toBeUndefined();
      expect(encodeBitmask((1n << BigInt(width)) - 1n, width)).toBeUndefined();
    }
  });
});

describe('coverage', () => {
  it('is printed', () => {
    const rows = classes.map(({ name, rows: list }) => `${String(Object.keys(list).length).padStart(4)}  ${name}`);
    console.log(`${insns.length} instructions in ${classes.length} encoding classes\n${rows.join('\n')}`);
    expect(disassemble(0, 0n)).toBe('udf #0x0');
  });
});
