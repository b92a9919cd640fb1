/** Random loops, mostly over vector registers: translated code does what the interpreter does, whatever step it is stopped at. */
import { describe, expect, it } from 'vitest';
import { disassemble } from '../../src/isa/index.ts';
import { randomWords } from '../isa/words.ts';
import { DATA, answer, difference, prepare } from '../qemu/cases.ts';
import { randomCase, testable } from '../qemu/generate.ts';
import { FlatPe } from './flat.ts';

const PAGE = 0x1000;
const PAGES = 300;
const CODE = { base: 0x2000_0000, size: PAGES * PAGE };
const STEPS = 400;

const unusable = /branch|literal|exclusive|PC-rel|post-indexed|pre-indexed|register offset|Barriers/;
const plain = testable.filter(({ class: name }) => !unusable.test(name));
const vectors = plain.filter(({ name, class: family }) => /SIMD|loating|_[bhsdq](_|$)/.test(family + name));

/** Movements of control: x26 counts down to the end of the loop, its lowest bits skip parts of it. */
const SUBS = 0xf100_0400 | 26 | (26 << 5) | 0;
const tbz = (bit: number, distance: number): number => 0x3600_0000 | (bit << 19) | (distance << 5) | 26;
const branchBack = (distance: number): number => 0x5400_0001 | ((-distance & 0x7ffff) << 5);
const END = 0x1400_0000;

function loop(next: () => number): number[] {
  const code: number[] = [];
  const length = 3 + ((next() >>> 0) % 14);
  while (code.length < length) {
    const list = (next() & 7) === 0 ? plain : vectors;
    const one = randomCase(list[(next() >>> 0) % list.length]!, next);
    if (one !== undefined && one.code.length === 1 && ![26, 27, 28].includes(one.code[0]! & 31)) code.push(one.code[0]!);
  }
  // Skipped every other time, or twice of four.
  for (let skips = next() & 3; skips > 0; skips--) {
    const at = (next() >>> 0) % code.length;
    code.splice(at, 0, tbz(next() & 1, 1 + ((next() >>> 0) % (code.length - at))));
  }
  return [...code, SUBS, branchBack(code.length + 1), END];
}

describe('loops', () => {
  it('do translated what they do interpreted', () => {
    const [interpreter, translator] = (['interpreter', 'translator'] as const).map((execution) => new FlatPe([DATA, CODE], execution)) as [FlatPe, FlatPe];
    const next = randomWords(5);
    const wrong: string[] = [];
    for (let page = 0; page < PAGES; page++) {
      const code = loop(next);
      const seed = next();
      const steps = STEPS - ((next() >>> 0) % 40);
      const [expected, found] = [interpreter, translator].map((pe) => {
        prepare(pe, seed);
        pe.word(26 * 8, 1000);
        pe.word(26 * 8 + 4, 0);
        const at = CODE.base + page * PAGE;
        pe.load(at, new Uint8Array(Int32Array.from(code).buffer));
        pe.run(at, steps);
        return answer(pe);
      }) as [Int32Array, Int32Array];
      const problem = difference(found, expected);
      if (problem !== undefined) wrong.push(`${code.map((word) => disassemble(word, 0n)).join('; ')}: ${problem}`);
    }
    expect(wrong.slice(0, 3)).toEqual([]);
    expect(translator.engine.translation?.regions).toBeGreaterThan(PAGES / 2);
  });
});
