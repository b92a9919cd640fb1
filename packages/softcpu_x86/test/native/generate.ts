/** Random instructions of a row of the table, with registers under which most of them touch memory that is there. */
import { Decoder } from '../../src/isa/decode.ts';
import type { Decoded } from '../../src/isa/decode.ts';
import type { Row } from '../../src/isa/table.ts';
import { CODE, Flag } from '../../src/state.ts';
import { CODE_REGION, DATA_REGION, GS_BASE } from './oracle.ts';
import type { Case, Mode } from './oracle.ts';

/** A small generator of random numbers (xorshift), seeded. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 2654435761 + 1) | 0 || 1;
  }

  /** 32 random bits, unsigned. */
  word(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }

  below(limit: number): number {
    return Math.floor((this.word() / 2 ** 32) * limit);
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  wide(): bigint {
    return (BigInt(this.word()) << 32n) | BigInt(this.word());
  }
}

const INTERESTING = [0n, 1n, 2n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0xffffn, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, 9n, 31n, 33n, 63n, 64n];
const ARITHMETIC = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF;
/** Modes of the decoder. */
export const MODES: Readonly<Record<Mode, number>> = { 64: CODE.code64, 32: CODE.code32 | CODE.stack32, 16: CODE.code16 | CODE.segmented };

const SEGMENT_PREFIXES: readonly number[] = [0x26, 0x2e, 0x36, 0x3e];

/** Bytes that begin as an encoding of the row does, and go on at random. */
export function* instructionBytes(random: Random, row: Row, mode: Mode): Iterable<number> {
  const long = mode === 64;
  if (row.lock && random.chance(30)) yield 0xf0;
  if (row.rep && random.chance(60)) yield random.pick([0xf2, 0xf3]);
  if (random.chance(5)) yield random.pick(SEGMENT_PREFIXES);
  if (long && random.chance(5)) yield 0x65;
  if (random.chance(long ? 10 : 5)) yield 0x67;
  // Before near branches of 64-bit mode, 66 means one thing to Intel and another to AMD.
  if (!row.vex && row.prefix !== 'np' && !(long && row.force64) && (row.prefix === '66' || random.chance(25))) yield 0x66;
  if (row.prefix === 'F2') yield 0xf2;
  if (row.prefix === 'F3') yield 0xf3;
  const l = row.l ?? random.below(2);
  const w = row.w ?? random.below(2);
  if (row.vex) {
    const pp = { np: 0, 66: 1, F3: 2, F2: 3 }[row.prefix as 'np'];
    const vvvv = row.operands.some(({ kind }) => kind === 'H' || kind === 'B') ? random.below(16) : 15;
    yield 0xc4;
    yield (long ? random.below(8) << 5 : 0xe0) | row.map;
    yield (w << 7) | ((long ? vvvv : vvvv | 8) << 3) | (l << 2) | pp;
  } else {
    if (long && random.chance(60)) yield 0x40 | random.below(16);
    if (row.map > 0) yield 0x0f;
    if (row.map > 1) yield row.map === 2 ? 0x38 : 0x3a;
  }
  yield row.opcode;
  if (row.hasModrm) {
    if (row.modrm !== undefined) yield row.modrm;
    else {
      const mod = row.memory === false ? 3 : row.memory === true ? random.below(3) : random.pick([0, 1, 2, 3, 3]);
      yield (mod << 6) | ((row.reg ?? random.below(8)) << 3) | random.below(8);
    }
  }
  for (;;) yield random.chance(20) ? random.pick([0, 1, 0x7f, 0x80, 0xff]) : random.below(256);
}

/** Length of immediates behind the displacement. */
function immediateBytes(row: Row, insn: Decoded): number {
  return row.operands.reduce((sum, { kind, size }) => {
    if (kind !== 'I' && kind !== 'K' && kind !== 'L') return sum;
    if (size === 'b' || size === 'bs' || kind !== 'I') return sum + 1;
    if (size === 'w') return sum + 2;
    return sum + (size === 'v' && insn.operandSize === 64 ? 8 : insn.operandSize === 16 ? 2 : 4);
  }, 0);
}

const wrapTo = (value: bigint, size: number): bigint => BigInt.asUintN(size, value);

/** Pointers as offsets in a segment of 64 KiB at most. */
function toSegment(row: Row, gpr: BigUint64Array): void {
  const pointers = [4, ...(row.rep ? [6, 7] : []), ...(row.name === 'leave' || row.name === 'enter' ? [5] : []), ...(row.name === 'xlat' ? [3] : [])];
  for (const n of pointers) gpr[n] = (gpr[n] as bigint) - BigInt(DATA_REGION.base);
}

/** An address in data memory, at times where nothing is. */
function target(random: Random, bytes: number): bigint {
  if (random.chance(2)) return BigInt(DATA_REGION.base + DATA_REGION.size - random.below(20));
  const at = DATA_REGION.base + random.below(DATA_REGION.size - 0x800) + 0x400;
  return BigInt(random.chance(50) ? at & -bytes : at);
}

export class Generator {
  readonly #random: Random;
  readonly #decoder = new Decoder();

  constructor(random: Random) {
    this.#random = random;
  }

  /** A case for a row, undefined where chance made something else of it. */
  make(row: Row, mode: Mode): Case | undefined {
    const random = this.#random;
    const bytes = new Uint8Array(15);
    let at = 0;
    for (const byte of instructionBytes(random, row, mode)) {
      bytes[at++] = byte;
      if (at === 15) break;
    }
    const decoder = this.#decoder;
    decoder.decode(bytes, 0, 15, MODES[mode]);
    const { insn } = decoder;
    if (insn.op !== row.op) return undefined;
    const rip = CODE_REGION.base + 0x800 + random.below(64) + (random.chance(10) ? 0x7f0 : 0);
    const gpr = BigUint64Array.from({ length: 16 }, () => (random.chance(50) ? random.pick(INTERESTING) : random.chance(30) ? target(random, 8) : random.wide()));
    gpr[4] = target(random, 8);
    if (row.name.startsWith('rep') || row.rep) {
      gpr[6] = target(random, 8);
      gpr[7] = target(random, 8);
      gpr[1] = BigInt(random.below(40));
    }
    if (row.name === 'leave' || row.name === 'enter') gpr[5] = target(random, 8);
    if (row.name === 'xlat') gpr[3] = target(random, 8);
    if (/^(div|idiv)$/.test(row.name) && random.chance(80)) gpr[2] = random.chance(50) ? BigInt(random.below(3)) : wrapTo(BigInt(-random.below(2)), 64);
    if (mode !== 64) gpr.forEach((value, i) => void (gpr[i] = i < 8 ? wrapTo(value, 32) : 0n));
    if (mode === 16) toSegment(row, gpr);
    if (insn.isMemory && row.name !== 'lea' && row.name !== 'nop' && !this.#aim(row, insn, bytes, gpr, rip)) return undefined;
    if (row.operands.some(({ kind }) => kind === 'O')) {
      const size = insn.addressSize / 8;
      new DataView(bytes.buffer).setUint32(insn.length - size, Number(target(random, 8)), true);
      if (size === 8) new DataView(bytes.buffer).setUint32(insn.length - 4, 0, true);
      if (mode === 16) new DataView(bytes.buffer).setUint16(insn.length - size, random.below(DATA_REGION.size + 4), true);
      else if (size === 2) return undefined;
      if (mode === 16 && size === 4) new DataView(bytes.buffer).setUint16(insn.length - 2, 0, true);
    }
    if (/^bt[src]?$/.test(row.name) && insn.isMemory && row.operands[1]?.kind === 'G') gpr[insn.reg] = wrapTo(BigInt(random.below(4000) - 2000), mode);
    if (row.name === 'enter' && insn.imm2 > 3) bytes[insn.length - 1] = random.below(4);
    return { mode, rip, code: bytes.slice(0, insn.length), gpr, flags: random.word() & (ARITHMETIC | (row.rep || random.chance(10) ? Flag.DF : 0)) };
  }

  /** The same of 16-bit addresses, by the displacement or the low half of the base. */
  #aim16({ base, index, disp, dispSize, length, operandSize }: Decoded, bytes: Uint8Array, gpr: BigUint64Array, row: Row): boolean {
    const wanted = Number(target(this.#random, 8)) - DATA_REGION.base;
    const sum = [base, index].filter((n) => n >= 0).reduce((all, n) => all + Number((gpr[n] as bigint) & 0xffffn), 0);
    if (dispSize === 2) {
      new DataView(bytes.buffer).setUint16(length - immediateBytes(row, { operandSize } as Decoded) - 2, (wanted - sum) & 0xffff, true);
      return true;
    }
    const old = gpr[base] as bigint;
    gpr[base] = (old & ~0xffffn) | BigInt((Number(old & 0xffffn) + wanted - sum - disp) & 0xffff);
    return true;
  }

  /** Changes base register or displacement so that the memory operand lies in data memory. */
  #aim(row: Row, insn: Decoded, bytes: Uint8Array, gpr: BigUint64Array, rip: number): boolean {
    const { base, index, scale, addressSize, override } = insn;
    if (insn.mode === MODES[16] && addressSize === 16) return this.#aim16(insn, bytes, gpr, row);
    if (addressSize === 16) return false;
    if (/^bt[src]?$/.test(row.name) && row.operands[1]?.kind === 'G' && (insn.reg === base || insn.reg === index)) return false;
    const segment = override === 5 ? BigInt(GS_BASE) : 0n;
    const wanted = target(this.#random, 8) - (insn.mode === MODES[16] ? BigInt(DATA_REGION.base) : segment);
    if (base >= 0) {
      if (base === index) return false;
      const current = (gpr[base] as bigint) + (index < 0 ? 0n : (gpr[index] as bigint) << BigInt(scale)) + BigInt(insn.disp);
      const size = addressSize === 64 ? 64 : 32;
      const moved = wrapTo((gpr[base] as bigint) + wanted - current, size);
      gpr[base] = size === 64 || insn.mode !== CODE.code64 ? moved : moved | ((gpr[base] as bigint) & (0xffff_ffffn << 32n));
      return true;
    }
    const before = insn.ripRelative ? BigInt(rip + insn.length) : index < 0 ? 0n : (gpr[index] as bigint) << BigInt(scale);
    if (index >= 0) gpr[index] = BigInt(this.#random.below(16));
    const disp = wrapTo(wanted - (index >= 0 ? (gpr[index] as bigint) << BigInt(scale) : before), 32);
    new DataView(bytes.buffer).setUint32(insn.length - immediateBytes(row, insn) - 4, Number(disp), true);
    return true;
  }
}
