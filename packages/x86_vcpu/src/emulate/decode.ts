/** Decoding of an instruction whose operands the hypervisor needs: prefixes, opcode, ModRM, SIB, displacement, immediate (SDM vol. 2, chapter 2). */
import type { SegmentName } from '../guest.ts';
import type { EmulatedCpu, Size } from './machine.ts';
import { truncate } from './machine.ts';

/** What follows the opcode: nothing, a byte, 2 or 4 bytes by operand size, an address, 2 bytes, the 3 of ENTER. */
export type Immediate = 'none' | 'byte' | 'word' | 'offset' | 'half' | 'frame';

/** What must be known of an opcode to find the instruction's end. */
export interface Shape {
  readonly modrm: boolean;
  readonly immediate: Immediate;
}

export interface Instruction {
  /** Opcode byte; 0x0f00 more for the two-byte map. */
  readonly opcode: number;
  readonly length: number;
  /** Size of operands that are not bytes. */
  readonly size: 2 | 4 | 8;
  readonly addressSize: 2 | 4 | 8;
  readonly rex: boolean;
  readonly operandPrefix: boolean;
  /** F2 or F3, 0 if none. */
  readonly repeat: 0 | 0xf2 | 0xf3;
  readonly lock: boolean;
  /** Bytes of vectors, of instructions with VEX; else 0. */
  readonly vex: 0 | 16 | 32;
  /** ModRM.reg and .rm with their REX bits; `register`: rm names a register. */
  readonly reg: number;
  readonly rm: number;
  readonly register: boolean;
  /** REX.B as a register's number: 0 or 8. */
  readonly extension: 0 | 8;
  /** The memory operand. */
  readonly segment: SegmentName;
  readonly offset: bigint;
  /** Segment of string sources. */
  readonly source: SegmentName;
  readonly immediate: bigint;
}

const SEGMENT_PREFIXES: Readonly<Record<number, SegmentName>> = { 0x26: 'es', 0x2e: 'cs', 0x36: 'ss', 0x3e: 'ds', 0x64: 'fs', 0x65: 'gs' };
const RBP = 5;
const RSP = 4;

class Cursor {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get ended(): boolean {
    return this.at > this.#bytes.length;
  }

  byte(): number {
    return this.#bytes[this.at++] ?? 0;
  }

  signed(size: number): bigint {
    let value = 0n;
    for (let i = 0; i < size; i++) value |= BigInt(this.byte()) << BigInt(8 * i);
    return BigInt.asIntN(8 * size, value);
  }
}

interface Prefixes {
  readonly rex: number;
  readonly operand: boolean;
  readonly address: boolean;
  readonly repeat: 0 | 0xf2 | 0xf3;
  readonly lock: boolean;
  readonly segment: SegmentName | undefined;
}

function prefixes(cursor: Cursor, bytes: Uint8Array, long: boolean): Prefixes {
  let [rex, operand, address, lock] = [0, false, false, false];
  let repeat: 0 | 0xf2 | 0xf3 = 0;
  let segment: SegmentName | undefined;
  for (; ; cursor.at++) {
    const byte = bytes[cursor.at] ?? 0;
    if (long && (byte & 0xf0) === 0x40) {
      rex = byte;
      continue;
    }
    if (byte === 0x66) operand = true;
    else if (byte === 0x67) address = true;
    else if (byte === 0xf0) lock = true;
    else if (byte === 0xf2 || byte === 0xf3) repeat = byte;
    else if (SEGMENT_PREFIXES[byte] !== undefined) segment = SEGMENT_PREFIXES[byte];
    else break;
    rex = 0; // REX counts directly before the opcode only
  }
  return { rex, operand, address, repeat, lock, segment };
}

/** The VEX prefix, which has REX, a mandatory prefix, the opcode map and the length of vectors in it (SDM vol. 2, 2.3); outside 64-bit code its bytes may be LES and LDS. */
function vexOf(cursor: Cursor, bytes: Uint8Array, long: boolean): (Pick<Prefixes, 'rex' | 'operand' | 'repeat'> & { readonly vex: 16 | 32; readonly map: number }) | undefined {
  const first = bytes[cursor.at];
  const second = bytes[cursor.at + 1] ?? 0;
  if ((first !== 0xc4 && first !== 0xc5) || (!long && second < 0xc0)) return undefined;
  const isShort = first === 0xc5;
  const last = isShort ? second : (bytes[cursor.at + 2] ?? 0);
  cursor.at += isShort ? 2 : 3;
  const inverted = ~second >> 5;
  const rex = 0x40 | (isShort ? inverted & 4 : (inverted & 7) | ((last >> 4) & 8));
  const mandatory = last & 3;
  return { rex, operand: mandatory === 1, repeat: mandatory === 2 ? 0xf3 : mandatory === 3 ? 0xf2 : 0, vex: (last & 4) === 0 ? 16 : 32, map: isShort ? 1 : second & 31 };
}

interface Place {
  readonly rm: number;
  readonly register: boolean;
  readonly offset: bigint;
  readonly stack: boolean;
  /** The offset counts from the next instruction. */
  readonly relative: boolean;
}

/** Base and index registers of 16-bit addresses, by r/m. */
const ADDRESS_16: readonly (readonly number[])[] = [[3, 6], [3, 7], [5, 6], [5, 7], [6], [7], [5], [3]];

function place16(cpu: EmulatedCpu, cursor: Cursor, mod: number, rm: number): Place {
  const direct = mod === 0 && rm === 6;
  const registers = direct ? [] : (ADDRESS_16[rm] as readonly number[]);
  const displacement = direct || mod === 2 ? cursor.signed(2) : mod === 1 ? cursor.signed(1) : 0n;
  const offset = registers.reduce((sum, index) => sum + cpu.reg(index), displacement);
  return { rm, register: false, offset: truncate(offset, 2), stack: registers.includes(RBP), relative: false };
}

function place(cpu: EmulatedCpu, cursor: Cursor, mod: number, low: number, rex: number, addressSize: 2 | 4 | 8, long: boolean): Place {
  const rm = low | ((rex & 1) << 3);
  if (mod === 3) return { rm, register: true, offset: 0n, stack: false, relative: false };
  if (addressSize === 2) return place16(cpu, cursor, mod, low);
  let offset = 0n;
  let base = low;
  if (low === 4) {
    const sib = cursor.byte();
    base = sib & 7;
    const index = ((sib >> 3) & 7) | ((rex & 2) << 2);
    if (index !== RSP) offset += truncate(cpu.reg(index), addressSize) << BigInt(sib >> 6);
  }
  const relative = mod === 0 && low === 5;
  const noBase = relative || (mod === 0 && base === 5);
  if (!noBase) offset += cpu.reg(base | ((rex & 1) << 3));
  if (mod === 1) offset += cursor.signed(1);
  else if (mod === 2 || noBase) offset += cursor.signed(4);
  const stack = !noBase && (rex & 1) === 0 && (base === RSP || base === RBP);
  return { rm, register: false, offset: truncate(offset, addressSize), stack, relative: relative && long };
}

/** @returns undefined if there are not enough bytes, or `shapeOf` does not know the opcode. */
export function decode(bytes: Uint8Array, cpu: EmulatedCpu, shapeOf: (opcode: number) => Shape | undefined): Instruction | undefined {
  const { long, size: defaultSize } = cpu.mode;
  const cursor = new Cursor(bytes);
  const before = prefixes(cursor, bytes, long);
  const { address, lock, segment } = before;
  const { rex, operand, repeat, vex, map } = vexOf(cursor, bytes, long) ?? { ...before, vex: 0 as const, map: 0 };
  let opcode = cursor.byte();
  if (map > 1) return undefined;
  if (map === 1) opcode |= 0x0f00;
  else if (opcode === 0x0f) opcode = 0x0f00 | cursor.byte();
  const shape = shapeOf(opcode);
  if (shape === undefined) return undefined;
  const otherSize = defaultSize === 2 ? 4 : 2;
  const size = (rex & 8) !== 0 ? 8 : operand ? otherSize : defaultSize;
  const addressSize = long ? (address ? 4 : 8) : address ? otherSize : defaultSize;
  let found: Place = { rm: 0, register: true, offset: 0n, stack: false, relative: false };
  let reg = 0;
  if (shape.modrm) {
    const modrm = cursor.byte();
    reg = ((modrm >> 3) & 7) | ((rex & 4) << 1);
    found = place(cpu, cursor, modrm >> 6, modrm & 7, rex, addressSize, long);
  }
  const immediateSizes: Readonly<Record<Immediate, number>> = { none: 0, byte: 1, word: Math.min(size, 4), offset: addressSize, half: 2, frame: 3 };
  const bytesOfImmediate = immediateSizes[immediateOf(opcode, reg, shape)];
  const immediate = bytesOfImmediate === 0 ? 0n : cursor.signed(bytesOfImmediate);
  if (cursor.ended) return undefined;
  const length = cursor.at;
  const offset = found.relative ? truncate(found.offset + cpu.guest.get('rip') + BigInt(length), addressSize) : found.offset;
  return {
    opcode, length, size, addressSize, rex: rex !== 0, operandPrefix: operand, repeat, lock, vex, reg,
    rm: found.rm, register: found.register, extension: (rex & 1) === 0 ? 0 : 8,
    segment: segment ?? (found.stack ? 'ss' : 'ds'),
    offset: shape.immediate === 'offset' ? truncate(immediate, addressSize) : offset,
    source: segment ?? 'ds',
    immediate,
  };
}

/** Group 3 has an immediate with TEST only. */
const immediateOf = (opcode: number, reg: number, { immediate }: Shape): Immediate => ((opcode | 1) === 0xf7 && (reg & 7) > 1 ? 'none' : immediate);

/** Size of an operand: a byte where the lowest bit of the opcode is clear. */
export const sizeOf = ({ opcode, size }: Instruction): Size => ((opcode & 1) === 0 ? 1 : size);
