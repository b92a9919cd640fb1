/** What is allocated with a VEX prefix, against this machine's processor; and who may execute it. */
import { describe, expect, it } from 'vitest';
import { defined } from '../../src/emit/isa.ts';
import { Decoder } from '../../src/isa/decode.ts';
import { rows } from '../../src/isa/table.ts';
import { CODE } from '../../src/state.ts';
import { ask, CODE_REGION, DATA_REGION, haveNative, hostFeatures } from '../native/oracle.ts';
import type { Case } from '../native/oracle.ts';

const WANTED = ['avx', 'avx2', 'fma', 'f16c', 'bmi1', 'bmi2', 'aes', 'pclmulqdq'];
const isWide = haveNative && WANTED.every((name) => hostFeatures().has(name));

/**
 * What processors with more features execute (by map and opcode: mask registers of AVX-512, VNNI and its relatives, AMX, IFMA, GFNI, SHA-512, SM3 and SM4,
 * VAES, VPCLMULQDQ, CMPccXADD), and where AMD's do not look at VEX.W (VPERMQ, VPERMPD, VPBLENDD).
 */
const MORE = /^(1 (4[0-9a-f]|9[0-9a-f])|2 (4[9b]|5[0-3ce]|6c|72|b[0145]|c[bcdf]|d[0-9a-f]|e[0-9a-f])|3 (0[0-2]|3[0-3]|44|c[ef]|de|df))$/;

const gpr = new BigUint64Array(16).fill(BigInt(DATA_REGION.base + 0x800));
const zeroes = new BigUint64Array(32);
const caseOf = (bytes: readonly number[]): Case => ({ mode: 64, rip: CODE_REGION.base + 0x100, code: Uint8Array.from(bytes), gpr, flags: 2, mxcsr: 0x1f80, xmm: zeroes, ymm: zeroes });

const decoder = new Decoder();
function isAllocated(code: Uint8Array): boolean {
  decoder.decode(code, 0, code.length, CODE.code64);
  return decoder.insn.op >= 0 && defined[decoder.insn.op] !== undefined;
}

/** Whether instructions are undefined here and not there, or the other way round. */
function differing(cases: readonly Case[]): Case[] {
  const outcomes = ask(cases);
  return cases.filter(({ code }, i) => isAllocated(code) === (outcomes[i]?.trap === 6));
}

it('every row of the table has a definition', () => {
  expect(rows.filter((row) => row.vex && defined[row.op] === undefined).map(({ name }) => name)).toEqual([]);
});

describe.runIf(isWide)('VEX encodings', () => {
  it.each([1, 2, 3])('of map %i are allocated as on this machine', (map) => {
    const cases: Case[] = [];
    for (let n = 0; n < 256 * 16; n++) {
      const [opcode, w, l, pp] = [n >> 4, (n >> 3) & 1, (n >> 2) & 1, n & 3];
      // Registers and memory, with an index too; VEX.vvvv of its own in some.
      const modrm = [0xc2, 0x03, 0x13, 0xda, 0x04][(n * 7 + (n >> 5)) % 5] as number;
      const vvvv = (n + (n >> 3)) % 3 === 0 ? 9 : 15;
      cases.push(caseOf([0xc4, 0xe0 | map, (w << 7) | (vvvv << 3) | (l << 2) | pp, opcode, modrm, 0x0b, 0, 0, 0, 0]));
    }
    const more = (code: Uint8Array): boolean => MORE.test(`${map} ${(code[3] as number).toString(16).padStart(2, '0')}`);
    expect(differing(cases).filter(({ code }) => !more(code)).map(({ code }) => Buffer.from(code).toString('hex'))).toEqual([]);
  });

  it('are undefined behind LOCK, 66, F2, F3 and REX, and of other maps', () => {
    const add = [0xc5, 0xf5, 0xfe, 0xc2];
    const cases = [add, [0x67, ...add], [0x2e, ...add], [0x65, ...add], ...[0x66, 0xf2, 0xf3, 0xf0, 0x40, 0x48, 0x4f].map((prefix) => [prefix, ...add]), ...[0, 4, 7, 31].map((map) => [0xc4, 0xe0 | map, 0x75, 0xfe, 0xc2])];
    expect(differing(cases.map(caseOf))).toEqual([]);
    expect(cases.map((bytes) => isAllocated(Uint8Array.from(bytes)))).toEqual(cases.map((_, i) => i < 4));
  });
});
