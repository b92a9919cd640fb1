/** Random x87 instructions and states, and what of their outcomes differs from what the software processor does. */
import type { Execution } from '@axvisor/softcpu';
import { rows } from '../../src/isa/table.ts';
import type { Row } from '../../src/isa/table.ts';
import { FCS, FCW, FDP, FDS, FIP, FOP, FPR, FSW, FTW, Flag, GPR, MXCSR } from '../../src/state.ts';
import { FlatProcessor } from '../../src/testing/flat.ts';
import { isComparedX87 } from './classes.ts';
import { CODE_REGION, DATA_REGION, pristineData } from './oracle.ts';
import type { Case, Outcome, X87State } from './oracle.ts';
import type { Random } from './generate.ts';

/** The rows compared: all of x87. */
export const x87Rows: readonly Row[] = rows.filter(isComparedX87);

const QUIET = 1n << 62n;
const INTEGER = 1n << 63n;
const encode = (sign: number, exponent: number, significand: bigint): bigint => (BigInt(sign) << 79n) | (BigInt(exponent) << 64n) | BigInt.asUintN(64, significand);

const SPECIAL: readonly bigint[] = [
  0n, encode(0, 0x3fff, INTEGER), encode(0, 0x7fff, INTEGER), encode(0, 0x7fff, INTEGER | QUIET | 5n), encode(0, 0x7fff, INTEGER | 3n), encode(0, 0x7fff, INTEGER | QUIET | 0x123_4567n),
  encode(0, 0, 1n), encode(0, 0, INTEGER - 1n), encode(0, 0, INTEGER), encode(0, 1, INTEGER), encode(0, 0x7ffe, -1n), encode(0, 0x7ffe, INTEGER),
  // Not supported: no integer bit.
  encode(0, 0x3fff, 5n), encode(0, 0x7fff, 0n), encode(0, 0x7fff, QUIET),
  encode(0, 0x3ffe, INTEGER), encode(0, 0x403d, -1n), encode(0, 0x403e, INTEGER), encode(0, 0x401e, INTEGER), encode(0, 0x400e, INTEGER), encode(0, 0x3fff, -1n),
];

/** A register: a special value, a number near 1, one of any exponent, a small integer or half. */
function register(random: Random): bigint {
  const sign = random.below(2);
  switch (random.below(6)) {
    case 0:
      return random.pick(SPECIAL) | (BigInt(sign) << 79n);
    case 1:
      return encode(sign, 0x3fff + random.below(8) - 4, random.wide() | INTEGER);
    case 2:
      return encode(sign, random.below(0x7fff), random.wide() | INTEGER);
    case 3: {
      const value = BigInt(random.below(4096) + 1);
      const bits = value.toString(2).length;
      return encode(sign, 0x3fff + bits - 1 - random.below(3), value << BigInt(64 - bits));
    }
    case 4:
      return encode(sign, 0x3fff + random.below(70) - 3, random.wide() | INTEGER);
    default:
      return encode(sign, 0x3fff + random.below(40) - 20, (random.wide() & ~0x7ffn) | INTEGER);
  }
}

/** Control words: all masked, of all precisions and directions; some exceptions unmasked. */
function controlWord(random: Random, masked: boolean): number {
  const precision = random.pick([3, 3, 2, 0]);
  return (random.below(4) << 10) | (precision << 8) | 0x40 | (masked || random.chance(60) ? 0x3f : random.below(64));
}

export interface X87Options {
  /** Every exception is masked. */
  readonly masked?: boolean;
  /** Registers as they are to be, top of the stack first. */
  readonly registers?: readonly bigint[];
}

export function makeX87Case(random: Random, row: Row, { masked = false, registers }: X87Options = {}): Case {
  const memory = row.memory === true;
  const modrm = row.modrm ?? ((memory ? 0x43 : 0xc0) | ((row.reg ?? 0) << 3) | (memory ? 0 : random.below(8)));
  const code = [row.opcode, modrm, ...(memory ? [0x10] : [])];
  const gpr = BigUint64Array.from({ length: 16 }, () => random.wide());
  gpr[3] = BigInt(DATA_REGION.base + 0x800 + random.below(1024));
  const bytes = new Uint8Array(128);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 8; i++) {
    const value = registers?.[i] ?? register(random);
    view.setBigUint64(16 * i, BigInt.asUintN(64, value), true);
    view.setUint16(16 * i + 8, Number(value >> 64n), true);
  }
  const top = random.below(8);
  const isFull = random.chance(60);
  const x87: X87State = {
    registers: bytes,
    control: controlWord(random, masked),
    status: (top << 11) | (random.below(2) << 9) | (random.chance(20) ? random.below(8) << 8 : 0) | (random.chance(20) ? 0x20 : 0),
    // What is free is mostly below the top.
    tags: registers !== undefined || isFull ? freeBelow(top, random.below(4) + 1) : random.below(256),
  };
  // Exceptions that are not masked are not pending.
  const status = x87.status & ~(x87.status & ~x87.control & 0x3f);
  return { mode: 64, rip: CODE_REGION.base + 0x100, code: Uint8Array.from(code), gpr, flags: 2, mxcsr: 0x1f80, xmm: new BigUint64Array(32), x87: { ...x87, status } };
}

/** All but so many registers in use, the free ones next to be pushed to. */
function freeBelow(top: number, free: number): number {
  let tags = 0xff;
  for (let i = 1; i <= free; i++) tags &= ~(1 << ((top - i) & 7));
  return tags;
}

const pristine = pristineData();

/** Where an 80-bit number stands among all of them, in order: neighbours differ by one, also where the exponent changes. */
function place(bits: bigint): bigint {
  const magnitude = (BigInt.asUintN(15, bits >> 64n) << 63n) | BigInt.asUintN(63, bits);
  return bits >> 79n === 0n ? magnitude : -magnitude;
}

export class X87Subject {
  readonly #processor: FlatProcessor;

  constructor(execution: Execution) {
    this.#processor = new FlatProcessor([{ ...CODE_REGION, copies: execution === 'translator' ? 1000 : 1 }, DATA_REGION], execution);
  }

  /** Registers from the top of the stack, after {@link run}. */
  registers(): bigint[] {
    const p = this.#processor;
    const top = (p.read(FSW) >> 11) & 7;
    return Array.from({ length: 8 }, (_, i) => (BigInt(p.read(FPR + 16 * ((top + i) & 7) + 8) & 0xffff) << 64n) | p.get(FPR + 16 * ((top + i) & 7)));
  }

  run(test: Case): void {
    const p = this.#processor;
    test.gpr.forEach((value, i) => p.put(GPR + 8 * i, value));
    const { registers, control, status, tags } = test.x87 as X87State;
    const view = new DataView(registers.buffer, registers.byteOffset);
    const top = (status >> 11) & 7;
    let tagWord = 0;
    for (let i = 0; i < 8; i++) {
      const physical = (top + i) & 7;
      const at = FPR + 16 * physical;
      const [low, high] = [view.getBigUint64(16 * i, true), view.getUint16(16 * i + 8, true)];
      p.put(at, low);
      p.word(at + 8, high);
      const exponent = high & 0x7fff;
      const tag = ((tags >> physical) & 1) === 0 ? 3 : exponent === 0 && low === 0n ? 1 : exponent === 0 || exponent === 0x7fff || low >> 63n === 0n ? 2 : 0;
      tagWord |= tag << (2 * physical);
    }
    p.word(FCW, control);
    p.word(FSW, status);
    p.word(FTW, tagWord);
    for (const field of [FOP, FIP, FIP + 4, FDP, FDP + 4, FCS, FDS]) p.word(field, 0);
    p.word(MXCSR, 0x1f80);
    p.eflags = test.flags;
    p.exchange(CODE_REGION.base);
    p.load(test.rip, Uint8Array.from([...test.code, 0xcc, 0xcc]));
    p.load(DATA_REGION.base, pristine);
    p.run(test.rip, 1);
  }

  /**
   * What is wrong with a case.
   *
   * @param ulps - what registers may differ by, in units of the last place; if not 0, C1 and PE are not compared, which say how they were rounded.
   */
  check(row: Row, test: Case, expected: Outcome, ulps = 0n): string | undefined {
    const p = this.#processor;
    this.run(test);
    if (expected.trap !== 1) return p.stopped === 'x87Exception' && expected.trap === 16 ? undefined : `stopped ${p.stopped}, trap ${expected.trap}`;
    if (p.stopped !== '') return `stopped ${p.stopped}`;
    const problems: string[] = [];
    const { x87 } = expected;
    const view = new DataView(x87.registers.buffer, x87.registers.byteOffset);
    const tags = p.read(FTW);
    const differs = (what: string, have: number | bigint, wanted: number | bigint): void => void (have === wanted || problems.push(`${what} ${have.toString(16)}, not ${wanted.toString(16)}`));
    differs('control', p.read(FCW), x87.control);
    // To AMD's processors, FCOMI and its relatives leave C1 alone; to Intel's and this one they clear it.
    const statusMask = ulps !== 0n ? ~0x220 : /^fu?comip?$/.test(row.name) ? ~0x200 : ~0;
    differs('status', p.read(FSW) & statusMask, x87.status & statusMask);
    differs('tags', Array.from({ length: 8 }, (_, i) => (((tags >> (2 * i)) & 3) === 3 ? 0 : 1 << i)).reduce((a, b) => a | b, 0), x87.tags);
    this.registers().forEach((have, i) => {
      const wanted = (BigInt(view.getUint16(16 * i + 8, true)) << 64n) | view.getBigUint64(16 * i, true);
      const distance = place(have) - place(wanted);
      if ((ulps === 0n && have !== wanted) || distance > ulps || -distance > ulps) differs(`st${i}`, have, wanted);
    });
    expected.gpr.forEach((value, i) => differs(`r${i}`, p.gpr(i), value));
    if (((p.eflags ^ expected.flags) & (Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF)) !== 0) problems.push(`flags ${p.eflags.toString(16)}, not ${expected.flags.toString(16)}`);
    // This machine's pointers say something where an exception is pending only.
    if ((x87.status & 0x80) !== 0 && x87.instruction !== 0n) {
      differs('opcode', p.read(FOP), x87.opcode);
      differs('instruction', p.get(FIP), x87.instruction);
      if (x87.operand !== 0n) differs('operand', p.get(FDP), x87.operand);
    }
    const data = Uint8Array.from(pristine);
    for (const [offset, value] of expected.changes) data[offset] = value;
    const have = p.memory(DATA_REGION.base, DATA_REGION.size);
    const at = data.findIndex((value, i) => have[i] !== value);
    if (at >= 0) problems.push(`memory from ${at.toString(16)} ${Buffer.from(have.subarray(at, at + 10)).toString('hex')}, not ${Buffer.from(data.subarray(at, at + 10)).toString('hex')}`);
    return problems.length === 0 ? undefined : problems.join('; ');
  }
}
