import { describe, expect, it } from 'vitest';
import { Decoder } from '../../src/isa/decode.ts';
import { format } from '../../src/isa/disasm.ts';
import { rows } from '../../src/isa/table.ts';
import type { Row } from '../../src/isa/table.ts';
import { gnuDisassemble, haveBinutils, normalize } from './binutils.ts';
import { MODES, encodings } from './encodings.ts';

/** What binutils write otherwise, know otherwise, or take for another vendor's. */
function differs(row: Row, bits: number): boolean {
  if (row.alias || /^(fneni|fndisi|fnsetpm|bswap|ud0|ud1|[ms]fence|lfence|v?pclmulqdq|v?cmp[ps][sd]|rd[fg]sbase|wr[fg]sbase|crc32|enclv|salc)$/.test(row.name)) return true;
  // Reserved NOPs that became hints and bounds.
  if (row.name === 'nop' && row.map === 1 && row.opcode !== 0x1f) return true;
  return bits !== 64 && /^[ls][gi]dt$/.test(row.name);
}

describe.skipIf(!haveBinutils)('the disassembler', () => {
  it.each([64, 32, 16] as const)('writes code of %i bits as objdump does', (bits) => {
    const list = rows.filter((row) => !differs(row, bits)).flatMap((row) => encodings(row, bits, 3, bits).map((code) => ({ row, code })));
    expect(list.length).toBeGreaterThan(3000);
    const expected = gnuDisassemble(list.map(({ code }) => code), bits);
    const decoder = new Decoder();
    const wrong = list.flatMap(({ code }, i) => {
      decoder.decode(code, 0, code.length, MODES[bits]);
      const text = normalize(format(decoder.insn, BigInt(i * 32)));
      const gnu = expected[i]!;
      return text === gnu.text && decoder.insn.length === gnu.length ? [] : [`${Buffer.from(code).toString('hex')} ${text} | ${gnu.text}`];
    });
    expect(wrong).toEqual([]);
  });
});
