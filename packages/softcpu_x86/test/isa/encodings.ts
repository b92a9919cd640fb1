/** Encodings of the table's rows as an assembler might write them: no prefix that says nothing. */
import { Decoder } from '../../src/isa/decode.ts';
import type { Decoded } from '../../src/isa/decode.ts';
import type { Row } from '../../src/isa/table.ts';
import { CODE } from '../../src/state.ts';
import { Random } from '../native/generate.ts';

/** Decoder modes by code size. */
export const MODES: Readonly<Record<64 | 32 | 16, number>> = { 64: CODE.code64, 32: CODE.code32 | CODE.stack32, 16: CODE.code16 };

/** Whether operand sizes mean anything to a row. */
const isSized = (row: Row): boolean => row.operands.some(({ kind, size }) => 'EGRZMI'.includes(kind) && /^(v|y|z|sv)$/.test(size)) || row.operands.some(({ size }) => size === 'rAX') || row.size !== undefined;

function* bytesOf(random: Random, row: Row, bits: 64 | 32 | 16): Generator<number> {
  const long = bits === 64;
  const sized = isSized(row);
  const l = row.l ?? (row.operands.some(({ size }) => size === 'x' || size === 'h' || size === 'dup') ? random.below(2) : 0);
  const w = row.w ?? (sized && long && !row.force64 && !row.default64 ? random.below(2) : 0);
  if (row.rep && random.chance(50)) yield random.pick([0xf2, 0xf3]);
  if (sized && !row.vex && !row.force64 && row.prefix !== '66' && row.prefix !== 'np' && !row.operands.some(({ kind }) => 'VWUPQN'.includes(kind)) && w === 0 && random.chance(25)) yield 0x66;
  if (row.vex) {
    const pp = { np: 0, 66: 1, F3: 2, F2: 3 }[row.prefix as 'np'];
    const vvvv = row.operands.some(({ kind }) => kind === 'H' || kind === 'B') ? random.below(long ? 16 : 8) : 0;
    yield 0xc4;
    yield (long ? random.below(8) << 5 : 0xe0) | row.map;
    yield (w << 7) | ((~vvvv & 15) << 3) | (l << 2) | pp;
  } else {
    if (/^(66|F2|F3)$/.test(row.prefix)) yield Number.parseInt(row.prefix, 16);
    const bits3 = row.hasModrm || row.operands.some(({ kind }) => kind === 'Z') ? random.below(8) : 0;
    if (long && (bits3 !== 0 || w === 1)) yield 0x40 | (w << 3) | bits3;
    if (row.map > 0) yield 0x0f;
    if (row.map > 1) yield row.map === 2 ? 0x38 : 0x3a;
  }
  yield row.opcode;
  if (row.hasModrm) {
    const mod = row.memory === false ? 3 : row.memory === true ? random.below(3) : random.pick([0, 1, 2, 3, 3]);
    yield row.modrm ?? (mod << 6) | ((row.reg ?? random.below(8)) << 3) | random.below(8);
  }
  for (;;) yield random.below(256);
}

/** Up to `count` encodings of a row. */
export function encodings(row: Row, bits: 64 | 32 | 16, count: number, seed: number): Uint8Array[] {
  const random = new Random(seed + row.op);
  const decoder = new Decoder();
  const found: Uint8Array[] = [];
  for (let tries = 0; found.length < count && tries < 40 * count; tries++) {
    const bytes = new Uint8Array(15);
    let at = 0;
    for (const byte of bytesOf(random, row, bits)) {
      bytes[at++] = byte;
      if (at === 15) break;
    }
    decoder.decode(bytes, 0, 15, MODES[bits]);
    const { insn } = decoder;
    if (insn.op === row.op && isPlain(insn)) found.push(bytes.slice(0, insn.length));
  }
  return found;
}

/** REX bits that change nothing are prefixes to a disassembler. */
function isPlain(insn: Decoded): boolean {
  const kinds = insn.row.operands.map(({ kind }) => kind);
  const uses = (list: string): boolean => kinds.some((kind) => list.includes(kind));
  const rexB = insn.isMemory ? insn.base >= 8 : uses('EWURZ');
  if ((insn.rexX !== 0 && insn.index < 8) || (insn.rexR !== 0 && !uses('GVCD')) || (insn.rexB !== 0 && !rexB)) return false;
  if (insn.isMemory && ((insn.index < 0 && insn.scale !== 0) || ((insn.size66 || insn.w === 1) && insn.row.operands.some(({ size }) => size === 'sv')))) return false;
  if (insn.row.name === 'cmpxchg8b' && insn.size66) return false;
  return insn.vex || insn.rex === 0 || insn.w === 1 || insn.rexR + insn.rexX + insn.rexB !== 0;
}
