import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assemble, AssemblyError } from '../../src/isa/asm.ts';
import { decode, disassemble, insns, newDecoded } from '../../src/isa/index.ts';
import { gnuAssemble, haveBinutils } from './binutils.ts';

const sample = readFileSync(new URL('golden/sample.s', import.meta.url), 'utf8');
const sampleHex = readFileSync(new URL('golden/sample.hex', import.meta.url), 'utf8').replace(/\s/g, '');
const base = 0x8020_0000n;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const words = (source: string, at: bigint = 0n): number[] => {
  const { bytes } = assemble(source, { base: at });
  const view = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(i * 4, true));
};

/** The value a sequence of lui, addi, addiw and slli leaves in its register. */
function constantOf(source: string): bigint {
  let value = 0n;
  for (const word of words(source)) {
    const d = newDecoded();
    expect(decode(word, d)).toBe(true);
    const operand = d.rs1 === 0 ? 0n : value;
    const imm = BigInt(d.imm);
    switch (insns[d.op]!.name) {
      case 'lui':
        value = imm;
        break;
      case 'addi':
        value = operand + imm;
        break;
      case 'addiw':
        value = BigInt.asIntN(32, operand + imm);
        break;
      case 'slli':
        value = operand << imm;
        break;
      default:
        throw new Error(`unexpected ${insns[d.op]!.name}`);
    }
    value = BigInt.asIntN(64, value);
  }
  return value;
}

describe('assemble', () => {
  it('makes the bytes GNU as made of the sample', () => {
    expect(hex(assemble(sample, { base }).bytes)).toBe(sampleHex);
  });

  it.runIf(haveBinutils)('makes the bytes GNU as makes of the sample', () => {
    expect(hex(assemble(sample, { base }).bytes)).toBe(hex(gnuAssemble(sample, base)));
  });

  it('reads what the disassembler writes: every 32-bit instruction', () => {
    fc.assert(
      fc.property(fc.nat(insns.length - 1), fc.integer(), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (index, noise, address) => {
        const word = (insns[index]!.match | (noise & ~insns[index]!.mask)) >>> 0;
        const pc = address & ~3n;
        expect(words(disassemble(word, pc), pc), disassemble(word, pc)).toEqual([word]);
      }),
      { numRuns: 5000 },
    );
  });

  it('reads what the disassembler writes: every compressed instruction', () => {
    const halves = Array.from({ length: 0x10000 }, (_, half) => half).filter((half) => (half & 3) !== 3);
    const text = halves.map((half, i) => disassemble(half, base + BigInt(2 * i))).join('\n');
    const { bytes } = assemble(text, { base });
    expect([...new Uint16Array(bytes.buffer)]).toEqual(halves);
  });

  it('reads the aliases the disassembler writes, with the same meaning', () => {
    fc.assert(
      fc.property(fc.nat(insns.length - 1), fc.integer(), (index, noise) => {
        const { mask, match } = insns[index]!;
        const word = match | (noise & ~mask);
        const text = disassemble(word, base, { aliases: true });
        const again = disassemble(words(text, base)[0]!, base, { aliases: true });
        expect(again).toBe(text === 'mv zero,zero' ? 'nop' : text); // add zero,zero,zero has no spelling of its own
      }),
      { numRuns: 5000 },
    );
  });

  it('loads any 64-bit constant', () => {
    const interesting = fc.tuple(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.nat(63)).map(([value, shift]) => value >> BigInt(shift));
    fc.assert(
      fc.property(interesting, (value) => {
        expect(constantOf(`li a0, ${value}`)).toBe(value);
        expect(words(`li a0, ${value}`).length).toBeLessThanOrEqual(8);
      }),
      { numRuns: 3000 },
    );
    for (let bit = 0n; bit < 64n; bit++) {
      for (const near of [-1n, 0n, 1n, -0x800n, 0x7ffn, 0x800n]) {
        const value = BigInt.asIntN(64, (1n << bit) + near);
        expect(constantOf(`li a0, ${value}`)).toBe(value);
      }
    }
    expect(words('li a0, 0x80200000').length).toBeLessThanOrEqual(3);
    expect(constantOf('li a0, 0xffffffff80200000')).toBe(-0x7fe0_0000n);
  });

  it('returns symbols and takes some from outside', () => {
    const { symbols, bytes } = assemble('.equ A, UART + 5\nstart: .word A\nend:', { base, symbols: { UART: 0x1000_0000n } });
    expect([...symbols]).toEqual([['UART', 0x1000_0000n], ['A', 0x1000_0005n], ['start', base], ['end', base + 4n]]);
    expect(bytes).toEqual(Uint8Array.of(5, 0, 0, 0x10));
  });

  it('resolves forward references in data, operands and equates', () => {
    const source = '.word end - start, LATE\nstart: addi a0, a0, end - start\n.equ SIZE, end - start\n.equ LATE, . - start\n.word SIZE\nend: .byte SIZE, 0, 0, 0';
    expect(words(source)).toEqual([8, 4, 0x00850513, 8, 8]);
  });

  it('writes strings as UTF-8 and numeric escapes as bytes', () => {
    expect([...assemble('.asciz "é\\xff\\377\\n\\"\\\\;#"').bytes]).toEqual([0xc3, 0xa9, 0xff, 0xff, 10, 0x22, 0x5c, 0x3b, 0x23, 0]);
  });

  it('distinguishes numeric labels by direction', () => {
    expect(words('1: j 1f\n1: j 1b\nj 1f\n1: nop').map((word) => disassemble(word | 0, 0n))).toEqual(['jal zero,0x4', 'jal zero,0x0', 'jal zero,0x4', 'addi zero,zero,0']);
  });

  it.each([
    ['nop\nfoo a0', 'line 2: unknown instruction foo'],
    ['.foo', 'line 1: unknown directive .foo'],
    ['\n\naddi a0, a0, 2048', 'line 3: immediate 2048 is not within -2048..2047'],
    ['addi a0, a0', 'line 1: addi does not take the operands "a0, a0"'],
    ['/* two\nlines */ j nowhere', 'line 2: nowhere is not defined'],
    ['a: nop; a: nop', 'line 1: a is already defined'],
    ['li a0, later\nlater:', 'line 1: later is not defined before this line'],
    ['.zero later\nlater:', 'line 1: later is not defined before this line'],
    ['.equ n, later\n.zero n\nlater:', 'line 2: n is not defined before this line'],
    ['slli a0, a0, 64', 'line 1: immediate 64 is not within 0..63'],
    ['beq a0, a1, . + 4096', 'line 1: branch distance 4096 is not within -4096..4094'],
    ['beq a0, a1, . + 3', 'line 1: branch distance 3 is not a multiple of 2'],
    ['la a0, far\n.equ far, 1 << 40', 'line 1: target is 1099511627776 bytes away, beyond the reach of auipc'],
    ['lw a0, 4(q0)', 'line 1: lw does not take the operands "a0, 4(q0)"'],
    ['csrr a0, 4096', 'line 1: CSR number 4096 is not within 0..4095'],
    ['.byte 256', 'line 1: 256 does not fit 1 bytes'],
    ['.word 1 +', 'line 1: operand expected in "1 +"'],
    ['.word (1', 'line 1: ")" expected in "(1"'],
    ['.word 1 / 0', 'line 1: division by zero in an expression'],
    ['.ascii text', 'line 1: a string in double quotes expected, not text'],
    ['c.addi16sp sp, 8', 'line 1: immediate 8 is not a multiple of 16'],
    ['c.lw t0, 0(a0)', 'line 1: c.lw cannot encode these operands'],
    ['c.jr zero', 'line 1: c.jr cannot encode these operands'],
    ['.balign 3', 'line 1: alignment 3 is not a power of two'],
    ['.zero 1 << 40', 'line 1: .zero 1099511627776 is out of range'],
    ['.word @', 'line 1: cannot read "@" in an expression'],
  ])('%j is an error', (source, message) => {
    expect(() => assemble(source)).toThrow(AssemblyError);
    expect(() => assemble(source)).toThrow(message);
  });

  it('never fails but with an AssemblyError', () => {
    const piece = fc.constantFrom('a0', ',', ' ', '(', ')', '1', 'f', 'b', ':', '%', '%lo', '"', "'", '.', '.word', 'lw', 'li', 'beq', 'c.lw', '\n', '\\', '#', '-', '<<', ';', '/*', 'call', 'la', '.equ', '.align');
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
