import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Decoded } from '../../src/isa/index.ts';
import { compressedInsns, decode, encode, formats, insns, newDecoded, op } from '../../src/isa/index.ts';

const decoded = (bits: number): Decoded | undefined => {
  const out = newDecoded();
  return decode(bits, out) ? out : undefined;
};
const nameOf = (bits: number): string | undefined => {
  const d = decoded(bits);
  return d === undefined ? undefined : insns[d.op]!.name;
};
const linearScan = (bits: number): number => insns.findIndex(({ match, mask }) => (bits & mask) === match);
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

describe('the table', () => {
  it('has unique names and no two encodings that overlap', () => {
    expect(new Set(insns.map(({ name }) => name)).size).toBe(insns.length);
    for (const [i, a] of insns.entries()) {
      expect(a.match & ~a.mask).toBe(0);
      expect(op[a.name]).toBe(i);
      for (const b of insns.slice(i + 1)) {
        const common = a.mask & b.mask;
        expect((a.match & common) === (b.match & common), `${a.name} and ${b.name}`).toBe(false);
      }
    }
  });
});

describe('decode, 32-bit', () => {
  it('agrees with a linear scan of the table on random words', () => {
    fc.assert(
      fc.property(int32, (word) => {
        const bits = word | 3;
        expect(decoded(bits)?.op ?? -1).toBe(linearScan(bits));
      }),
      { numRuns: 20_000 },
    );
  });

  it('agrees with a linear scan near every encoding: one or two bits flipped, operands random', () => {
    fc.assert(
      fc.property(fc.nat(insns.length - 1), int32, fc.nat(31), fc.nat(31), (index, noise, flipA, flipB) => {
        const { match, mask } = insns[index]!;
        const word = match | (noise & ~mask);
        for (const bits of [word, word ^ (1 << flipA), word ^ (1 << flipA) ^ (1 << flipB)]) {
          expect(decoded(bits | 3)?.op ?? -1).toBe(linearScan(bits | 3));
        }
      }),
      { numRuns: 20_000 },
    );
  });

  it('loses no operand: encode(decode(word)) is the word, but for ignored bits', () => {
    fc.assert(
      fc.property(fc.nat(insns.length - 1), int32, (index, noise) => {
        const { match, mask, name } = insns[index]!;
        const word = match | (noise & ~mask);
        const d = decoded(word)!;
        const ignored = name === 'fence' ? 0x000f_8f80 : name === 'fence.i' ? 0xffff_8f80 | 0 : 0;
        expect(encode(d.op, d)).toBe(word & ~ignored);
      }),
      { numRuns: 20_000 },
    );
  });

  it('extracts immediates with their sign', () => {
    const rows: readonly [number, number][] = [
      [0xfff00093, -1], // addi ra, zero, -1
      [0x80000037, -(2 ** 31)], // lui zero, 0x80000
      [0xffdff06f, -4], // jal zero, . - 4
      [0xfe000ee3, -4], // beq zero, zero, . - 4
      [0x7e113fa3, 2047], // sd ra, 2047(sp)
      [0x03f09093, 63], // slli ra, ra, 63
    ];
    for (const [bits, imm] of rows) expect(decoded(bits)?.imm).toBe(imm);
  });

  it('delivers CSR number, rounding mode, and aq and rl', () => {
    expect(decoded(0x34029073)).toMatchObject({ op: op.csrrw, rd: 0, rs1: 5, aux: 0x340, imm: 0 });
    expect(decoded(0x1005d073)).toMatchObject({ op: op.csrrwi, rs1: 11, aux: 0x100 });
    expect(decoded(0x02b576d3)).toMatchObject({ op: op['fadd.d'], rd: 13, rs1: 10, rs2: 11, aux: 7 });
    expect(decoded(0x1605a52f)).toMatchObject({ op: op['lr.w'], rd: 10, rs1: 11, rs2: 0, aux: 3 });
  });

  it('accepts reserved rounding modes, rejects reserved function fields', () => {
    expect(nameOf(0x02b556d3)).toBe('fadd.d'); // rm 5
    expect(nameOf(0x06b576d3)).toBeUndefined(); // fmt 3, quad
    expect(nameOf(0x00007063 | (2 << 12))).toBe('bgeu');
    expect(nameOf(0x00002063)).toBeUndefined(); // branch with funct3 2
    expect(nameOf(0xffffffff)).toBeUndefined();
    expect(nameOf(0x0000001f)).toBeUndefined(); // longer than 32 bits
  });

  it('treats what fence reserves as a fence', () => {
    for (const bits of [0x0ff0000f, 0x8330000f, 0x0100000f, 0xfff00f8f]) expect(nameOf(bits)).toBe('fence');
  });
});

describe('decode, 16-bit', () => {
  // What the manual's listing of RVC says, as [halfword, expansion, as an instruction of the base set] or undefined if reserved.
  const rows: readonly [number, Partial<Decoded> | undefined][] = [
    [0x0000, undefined],
    [0x0004, undefined], // c.addi4spn with immediate 0
    [0x1fe8, { op: op.addi, rd: 10, rs1: 2, imm: 1020 }],
    [0x4188, { op: op.lw, rd: 10, rs1: 11, imm: 0 }],
    [0x7de8, { op: op.ld, rd: 10, rs1: 11, imm: 248 }],
    [0x8000, undefined], // quadrant 0, funct3 4
    [0x0001, { op: op.addi, rd: 0, rs1: 0, imm: 0 }],
    [0x107d, { op: op.addi, rd: 0, rs1: 0, imm: -1 }], // a hint
    [0x0081, { op: op.addi, rd: 1, rs1: 1, imm: 0 }], // a hint
    [0x2001, undefined], // c.addiw x0
    [0x4001, { op: op.addi, rd: 0, rs1: 0 }], // c.li x0, a hint
    [0x6101, undefined], // c.addi16sp 0
    [0x7139, { op: op.addi, rd: 2, rs1: 2, imm: -64 }],
    [0x6081, undefined], // c.lui 0
    [0x6001, undefined], // c.lui x0, 0
    [0x6005, { op: op.lui, rd: 0, imm: 0x1000 }], // a hint
    [0x70fd, { op: op.lui, rd: 1, imm: -0x1000 }],
    [0x8101, { op: op.srli, rd: 10, imm: 0 }], // a hint
    [0x957d, { op: op.srai, rd: 10, rs1: 10, imm: 63 }],
    [0x9c41, undefined], // reserved beside c.subw and c.addw
    [0x9c61, undefined],
    [0xbffd, { op: op.jal, rd: 0, imm: -2 }],
    [0xdd7d, { op: op.beq, rs1: 10, rs2: 0, imm: -2 }],
    [0x0082, { op: op.slli, rd: 1, rs1: 1, imm: 0 }], // a hint
    [0x4002, undefined], // c.lwsp x0
    [0x6002, undefined], // c.ldsp x0
    [0x2002, { op: op.fld, rd: 0, rs1: 2, imm: 0 }], // f0 is a register like any other
    [0x8002, undefined], // c.jr x0
    [0x8082, { op: op.jalr, rd: 0, rs1: 1, imm: 0 }],
    [0x9002, { op: op.ebreak, rd: 0, rs1: 0 }],
    [0x9082, { op: op.jalr, rd: 1, rs1: 1 }],
    [0x8086, { op: op.add, rd: 1, rs1: 0, rs2: 1 }],
    [0x9086, { op: op.add, rd: 1, rs1: 1, rs2: 1 }],
    [0xfc06, { op: op.sd, rs1: 2, rs2: 1, imm: 56 }],
  ];
  it.each(rows)('%i', (half, expected) => {
    const d = decoded(half);
    if (expected === undefined) expect(d).toBeUndefined();
    else expect(d).toMatchObject({ ...expected, length: 2 });
  });

  it('ignores the upper half of the word', () => {
    fc.assert(
      fc.property(fc.nat(0xffff), fc.nat(0xffff), (half, upper) => {
        fc.pre((half & 3) !== 3);
        expect(decoded((upper << 16) | half)).toEqual(decoded(half));
      }),
    );
  });

  it('expands every accepted halfword to a legal 32-bit instruction with the same operands', () => {
    const seen = new Set<string>();
    for (let half = 0; half < 0x10000; half++) {
      if ((half & 3) === 3) continue;
      const d = decoded(half);
      if (d === undefined) continue;
      seen.add(insns[d.op]!.name);
      const fields: readonly string[] = formats[insns[d.op]!.format].fields;
      for (const field of ['rd', 'rs1', 'rs2', 'rs3'] as const) if (!fields.includes(field)) expect(d[field]).toBe(0);
      expect(decoded(encode(d.op, d))).toEqual({ ...d, length: 4 });
    }
    expect([...seen].toSorted()).toEqual([...new Set(compressedInsns.map(({ base }) => base as string))].toSorted());
  });
});
