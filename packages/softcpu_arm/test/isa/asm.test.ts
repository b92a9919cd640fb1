import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assemble, AssemblyError } from '../../src/isa/asm.ts';
import { decode, disassemble, insns } from '../../src/isa/index.ts';
import { gnuAssemble, gnuDisassemble, haveBinutils } from './binutils.ts';
import { SAMPLE, sampleWords } from './words.ts';

const sample = readFileSync(new URL('golden/sample.s', import.meta.url), 'utf8');
const sampleHex = readFileSync(new URL('golden/sample.hex', import.meta.url), 'utf8').replace(/\s/g, '');
const BASE = 0x4000_0000n;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const word = (source: string, pc = 0n): number => new DataView(assemble(source, { base: pc }).bytes.buffer).getInt32(0, true);

/** Bits that assemblers choose: should-be-one fields, and the bits of immediates that repeat or do not count. */
const CHOSEN = /^(ld|st)l?a?xr|^(ld|st)l?a?xp|^stlr|^ldar|^ldapr|^[su]mulh|^fcmpe?_zero|^ins_elem|^dup_|^[su]?mov_|^(and|orr|eor|ands)_imm|^hint/;

describe('assemble', () => {
  it('makes of a program what GNU as and ld made of it', () => {
    expect(hex(assemble(sample, { base: BASE }).bytes)).toBe(sampleHex);
  });

  it.runIf(haveBinutils)('and makes today', () => {
    expect(hex(gnuAssemble(sample, BASE))).toBe(sampleHex);
  });

  it('reads what the disassembler writes, for every instruction', () => {
    for (const bits of sampleWords(4, 21)) {
      const { name } = insns[decode(bits)] ?? { name: '' };
      if (name === '') continue;
      const text = disassemble(bits, BASE);
      const back = word(text, BASE);
      if (back !== bits) expect(CHOSEN.test(name) && disassemble(back, BASE) === text, `${text}: ${(bits >>> 0).toString(16)}, ${(back >>> 0).toString(16)}`).toBe(true);
    }
  });

  it.runIf(haveBinutils)('reads what objdump writes with aliases', () => {
    const wrong: string[] = [];
    for (const { address, word: bits, text } of gnuDisassemble(sampleWords(Math.min(SAMPLE, 40), 23), 'aliases')) {
      const { name } = insns[decode(bits)] ?? { name: '' };
      // Hints of later extensions, registers that only objdump has names for, and what it does not recognise.
      if (name === '' || CHOSEN.test(name) || /undefined|^\.inst|s0_0/.test(text) || /^(msr_reg|mrs|sys|sysl|dsb)$/.test(name)) continue;
      const source = /^(b|bl|b\.\w+|cbn?z|tbn?z|adrp?|ldr|ldrsw|prfm) /.test(text) ? text.replace(/(^| )([0-9a-f]+)$/, '$10x$2').replace('0x0x', '0x') : text;
      let back: number | string;
      try {
        back = word(source, address);
      } catch (error) {
        back = String(error);
      }
      if (back !== bits) wrong.push(`${(bits >>> 0).toString(16)} ${text}: ${back}`);
    }
    expect(wrong).toEqual([]);
  });

  it.each([
    ['add x0, x1, #4096', 'AssemblyError: line 1: add does not take the operands "x0, x1, #4096"'],
    ['b nowhere', 'AssemblyError: line 1: nowhere is not defined'],
    ['\nfrob x0', 'AssemblyError: line 2: unknown instruction frob'],
    ['a:\na: nop', 'AssemblyError: line 2: a is already defined'],
    ['.byte 256', 'AssemblyError: line 1: 256 does not fit 1 bytes'],
    ['b . + 2', 'AssemblyError: line 1: b does not take the operands ". + 2"'],
    ['ldr x0, [x1, #3', 'AssemblyError: line 1: ldr does not take the operands "x0, [x1, #3"'],
    ['casp x1, x2, x4, x5, [x0]', 'AssemblyError: line 1: casp does not take the operands "x1, x2, x4, x5, [x0]"'],
  ])('rejects %j', (source, message) => {
    expect(() => assemble(source)).toThrow(AssemblyError);
    expect(() => assemble(source)).toThrow(message.replace('AssemblyError: ', ''));
  });

  it('returns symbols', () => {
    const { symbols } = assemble('a: nop\n.equ k, 3 << 2 | 1\nb: .quad k', { base: BASE, symbols: { given: 5n } });
    expect([...symbols]).toEqual([['given', 5n], ['a', BASE], ['k', 13n], ['b', BASE + 4n]]);
  });

  it('never fails but with an AssemblyError', () => {
    const names = fc.constantFrom('mov', 'add', 'ldr', 'b', 'b.eq', 'b.xx', 'fmov', 'ubfx', 'msr', 'mrs', 'dc', 'tlbi', 'csel', 'cset', 'ld1', 'movi', 'ccmp', 'ror', 'bfc', 'sxtw', 'adrp', 'sys', 'stadd', 'tbz', 'hint', 'constructor', 'a:', '.byte');
    const operands = fc.constantFrom('x0', 'w1', 'sp', 'xzr', 'v0.16b', 'v1.s[2]', 'd0', '{v0.4s}', '[x0]', '[x1, #8]!', '#1', '#-1', '#1.5', '1 << 40', 'a', '1f', ':lo12:a', 'eq', 'lsl #3', 's3_0_c1_c0_0', 'vbar_el1', 'cvau', '"', '[', '}');
    const lines = fc.array(fc.tuple(names, fc.array(operands, { maxLength: 4 })).map(([name, list]) => `${name} ${list.join(', ')}`), { maxLength: 4 });
    fc.assert(
      fc.property(lines, (source) => {
        try {
          assemble(source.join('\n'));
        } catch (error) {
          expect(error).toBeInstanceOf(AssemblyError);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
