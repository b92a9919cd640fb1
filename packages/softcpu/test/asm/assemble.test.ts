import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssemblyError } from '../../src/asm/index.ts';
import { gnuAssemble, haveBinutils } from './binutils.ts';
import { assemble } from './toy.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytesOf = (source: string): number[] => [...assemble(source).bytes];

/** Directives and strings as every architecture has them. */
const SAMPLE = String.raw`
start:  .byte 1, -1, 255, 'a', ';', '"'     // a comment; with a semicolon
        .hword 0x1234 ; .2byte 2 ; .short -3
        .int 4 /* no
        statement */
        .long end - start, 1f - .
        .quad -1, 0xffffffffffffffff, end - .
1:      .ascii "a,b;c // d", "\t\n\\\"\101\x41\0", "é"
        .asciz "x\b\f\r"
        .string ""
        .balign 8, 0x11
        .p2align 4, 0x22
        .balign 0
size = 3
        .zero size
        .set size, size + 1
        .skip size, 5
        .space 2
        .equ size, size * 2
        .fill size
        .fill 2, 3, 0x11223344
        .fill 2, 8, -1
        .fill 1, 5, 0x1122334455667788
1: 2:   .byte 1b - ., 2b - ., 1f - ., 0b1, 10 - 1 - 2
1 :     .byte later, size
later = end - 1b
        .org 200, 0x33
end:    .byte . - start
`;

/** What GNU as makes of it. */
const GNU =
  '01ffff613b2234120200fdff04000000c80000001c000000ffffffffffffffffffffffffffffffffa000000000000000612c623b63202f2f2064090a5c22414100c3a978080c' +
  '0d0000111111111111110000000505050500000000000000000000443322443322ffffffff00000000ffffffff00000000887766550000ff0301074708333333333333333333' +
  '333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333c8';

describe('a program', () => {
  it('has the bytes GNU as made of it', () => {
    expect(hex(assemble(SAMPLE).bytes)).toBe(GNU);
  });

  it.runIf(haveBinutils)('and makes today', () => {
    expect(hex(gnuAssemble(SAMPLE))).toBe(hex(assemble(SAMPLE).bytes));
  });

  it('takes letters for what they are, where no backslash stands before them', () => {
    expect(bytesOf(String.raw`.ascii "n", "\tr\n"; .byte 'b', '\b'`)).toEqual([0x6e, 9, 0x72, 10, 0x62, 8]);
  });

  it('takes instructions, functions and directives of the dialect', () => {
    expect(hex(assemble('.twice 3, 4 # two each\nNOP; .word %low(0x1ff)\n.p2align 3').bytes)).toBe('0303040401ff000000004f4e4f4e4f4e');
  });

  it('returns symbols, unsigned, and takes some from outside', () => {
    const { symbols } = assemble('.equ A, DEVICE + 5\nstart: .int A\nend:\n1:\nminus = -1', { base: 0x8000_0000n, symbols: { DEVICE: 16n } });
    expect([...symbols]).toEqual([['DEVICE', 16n], ['A', 21n], ['start', 0x8000_0000n], ['end', 0x8000_0004n], ['minus', 2n ** 64n - 1n]]);
  });

  it('is placed anywhere', () => {
    expect(hex(assemble('a: .quad a, b - a, -b\nb:', { base: 0xffff_ffff_8000_0000n }).bytes)).toBe('00000080ffffffff1800000000000000e8ffff7f00000000');
  });

  it('is filled with values of any number and size', () => {
    for (let count = 0; count < 20; count++) {
      expect(bytesOf(`.fill ${count}, 3, 0x30201`)).toEqual(Array.from({ length: 3 * count }, (_, i) => (i % 3) + 1));
      expect(bytesOf(`.byte 7\n.skip ${count}, -1`)).toEqual([7, ...Array<number>(count).fill(255)]);
    }
    expect(assemble('.fill 1 << 20, 8, 1').bytes.filter((byte) => byte === 1).length).toBe(1 << 20);
  });

  it('takes constants that rest on later ones, over any number of steps', () => {
    expect(bytesOf('.byte a\n.equ a, b + 1\n.equ b, c + 1\n.equ c, end\nend: .byte b')).toEqual([3, 2]);
  });

  it('settles the lengths of instructions', () => {
    // A jump of five bytes moves the target of the one before it out of its reach.
    const source = (gap: number): string => `jump a\njump b\n.zero ${gap}\na: .zero 3\nb: jump b`;
    for (const [gap, length] of [[120, 4], [123, 10], [124, 10], [126, 10]] as const) {
      const { bytes, symbols } = assemble(source(gap));
      const [a, b] = [Number(symbols.get('a')), Number(symbols.get('b'))];
      const long = a - gap === 10;
      expect([a - gap, b - a, bytes.length - b]).toEqual([length, 3, 2]);
      const view = new DataView(bytes.buffer);
      expect(long ? [view.getInt32(1, true), view.getInt32(6, true)] : [view.getInt8(1), view.getInt8(3)]).toEqual([a, b - (long ? 5 : 2)]);
    }
  });
});

describe('a mistake', () => {
  it.each([
    ['nop\nfoo a', 'line 2: unknown instruction foo'],
    ['.foo', 'line 1: unknown directive .foo'],
    ['/* two\nlines */ jump nowhere', 'line 2: nowhere is not defined'],
    ['jump 1f\n1: jump 2b', 'line 2: 2b is not defined'],
    ['a: nop; a: nop', 'line 1: a is already defined'],
    ['a = 1\na: nop', 'line 2: a is already defined'],
    ['a: nop\na = 1', 'line 2: a is already defined'],
    ['.set 1, 1', 'line 1: 1 is no name of a symbol'],
    ['. = 1', 'line 1: . is no name of a symbol'],
    ['.set a', 'line 1: .set does not take 1 operands'],
    ['.zero later\nlater:', 'line 1: later is not defined before this line'],
    ['.zero 1f\n1:', 'line 1: 1f is not defined before this line'],
    ['.equ n, later\n.zero n\nlater:', 'line 2: n is not defined before this line'],
    ['.byte 256', 'line 1: 256 does not fit 1 bytes'],
    ['.hword -0x8001', 'line 1: -32769 does not fit 2 bytes'],
    ['.byte 1,', 'line 1: operand expected in ""'],
    ['.ascii text', 'line 1: a string in double quotes expected, not text'],
    ['.ascii "a" "b"', 'line 1: a string in double quotes expected, not "a" "b"'],
    ['.ascii "a', 'line 1: a string in double quotes expected, not "a'],
    ['.balign 3', 'line 1: alignment 3 is not a power of two'],
    ['.p2align 17', 'line 1: .p2align 17 is out of range'],
    ['.zero 1 << 40', 'line 1: .zero 1099511627776 is out of range'],
    ['.zero -1', 'line 1: .zero -1 is out of range'],
    ['.fill 1, 9', 'line 1: .fill of 9 bytes'],
    ['.fill 1 << 30, 8', 'line 1: .fill 1073741824 is out of range'],
    ['.zero 4\n.org 2', 'line 2: .org -2 is out of range'],
    // The first one counts, and what is behind it is where it would be without.
    ['jump a\nfoo\n.byte 300\na:', 'line 2: unknown instruction foo'],
    ['.org 100\njump 1000\n.byte 1, 2, later - 44\n.zero 300\nlater:', 'line 3: 364 does not fit 1 bytes'],
  ])('%j is an error', (source, message) => {
    expect(() => assemble(source)).toThrow(AssemblyError);
    expect(() => assemble(source)).toThrow(message);
  });

  it('is named with its line', () => {
    try {
      assemble('nop\n\nfoo');
    } catch (error) {
      expect((error as AssemblyError).line).toBe(3);
    }
    expect.assertions(1);
  });

  it('is never another error', () => {
    const piece = fc.constantFrom('a', 'b', ',', ' ', '(', ')', '1', 'f', ':', '%low', ':page:', '"', "'", '.', '.word', 'jump', 'nop', '\n', '\\', '#', '-', '<<', '/', '%', ';', '/*', '=', '.equ', '.align', '.fill', '.org', '.zero', '.twice', '$');
    fc.assert(
      fc.property(fc.array(piece).map((pieces) => pieces.join('')), (source) => {
        try {
          assemble(source);
        } catch (error) {
          expect(error).toBeInstanceOf(AssemblyError);
        }
      }),
      { numRuns: 5000 },
    );
  });
});
