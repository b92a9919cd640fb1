/** The decoder's choice among the rows of an opcode, compared with reading the table's attributes one by one. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Decoder } from '../../src/isa/decode.ts';
import type { Decoded } from '../../src/isa/decode.ts';
import { rows } from '../../src/isa/table.ts';
import type { Row } from '../../src/isa/table.ts';
import { CODE } from '../../src/state.ts';

const rules: Readonly<Record<Row['prefix'], (d: Decoded) => boolean>> = {
  any: () => true,
  np: (d) => !d.size66 && d.rep === 0,
  nr: (d) => d.rep === 0,
  '66': (d) => d.size66 && d.rep === 0,
  F3: (d) => d.rep === 0xf3,
  F2: (d) => d.rep === 0xf2,
};

/** Bits of the operand size by the attributes of a row. */
function operandSize(row: Row, d: Decoded, rexW: number): number {
  const isSmall = d.size66 && row.prefix !== '66' && !row.vex;
  if ((d.mode & CODE.size) !== CODE.code64) return ((d.mode & CODE.size) === CODE.code32) === isSmall ? 16 : 32;
  if (row.force64 || rexW === 1) return 64;
  if (isSmall) return 16;
  return row.default64 ? 64 : 32;
}

/** Whether an instruction that was decoded can be one of a row. */
function fits(row: Row, d: Decoded, w: number): boolean {
  const long = (d.mode & CODE.size) === CODE.code64;
  return (
    !(row.not64 && long) && !(row.only64 && !long) &&
    (row.modrm === undefined || row.modrm === d.modrm) &&
    (row.reg === undefined || row.reg === ((d.modrm >> 3) & 7)) &&
    (row.memory === undefined || row.memory === d.modrm < 0xc0) &&
    !(row.withoutRexB && d.rexB !== 0) &&
    rules[row.prefix](d) &&
    (row.l === undefined || row.l === d.l) && (row.w === undefined || row.w === w) &&
    (row.size === undefined || row.size === operandSize(row, d, w))
  );
}

const byte = fc.integer({ min: 0, max: 255 });
const prefix = fc.constantFrom(0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x64);
const maps = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]] as const;

/** Bytes that begin as instructions of a row do. */
const instruction = fc.record({ row: fc.constantFrom(...rows), prefixes: fc.array(prefix, { maxLength: 2 }), rex: fc.option(fc.integer({ min: 0x40, max: 0x4f })), vex: byte, vexLast: byte, exact: fc.boolean(), rest: fc.uint8Array({ minLength: 15, maxLength: 15 }) })
  .map(({ row, prefixes, rex, vex, vexLast, exact, rest }) => {
    const mandatory = row.prefix.length === 2 && row.prefix !== 'np' && row.prefix !== 'nr' ? [Number.parseInt(row.prefix, 16)] : [];
    const tail = Uint8Array.from(rest);
    if (row.modrm !== undefined) tail[0] = row.modrm;
    else if (row.reg !== undefined && exact) tail[0] = ((tail[0] as number) & 0xc7) | (row.reg << 3);
    if (row.vex) {
      const pp = ['np', '66', 'F3', 'F2'].indexOf(row.prefix);
      return Uint8Array.from([0xc4, (vex & 0xe0) | row.map, exact ? (vexLast & ~3) | pp : vexLast, row.opcode, ...tail]);
    }
    return Uint8Array.from([...prefixes, ...mandatory, ...(rex === null ? [] : [rex]), ...(maps[row.map] as readonly number[]), row.opcode, ...tail]);
  });

/** What names more of the encoding goes first: the ModRM byte or a part of it, and then prefixes. */
const named = (row: Row): number => (row.modrm !== undefined ? 2 : row.reg !== undefined ? 1 : 0) + (row.prefix === 'any' ? 0 : row.prefix === 'nr' ? 1 : 4);

describe('the decoder', () => {
  it('chooses the row that says most of what an instruction is', () => {
    const decoder = new Decoder();
    fc.assert(
      fc.property(instruction, fc.constantFrom(CODE.code16, CODE.code32, CODE.code64, CODE.code16 | CODE.real), (bytes, mode) => {
        expect(decoder.decode(bytes, 0, 15, mode)).toBe(true);
        const d = decoder.insn;
        if (d.op < 0) return;
        const { row } = d;
        // VEX.W is forgotten outside of 64-bit mode.
        const w = d.vex && (mode & CODE.size) !== CODE.code64 ? (bytes[2] as number) >> 7 : d.w;
        expect(fits(row, d, w), row.name).toBe(true);
        expect([row.vex, row.opcode, operandSize(row, d, d.w)], row.name).toEqual([d.vex, d.opcode, d.operandSize]);
        for (const other of rows) {
          if (other.vex !== row.vex || other.map !== row.map || other.opcode !== row.opcode || named(other) <= named(row)) continue;
          expect(fits(other, d, w), `${row.name}, not ${other.name}`).toBe(false);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
