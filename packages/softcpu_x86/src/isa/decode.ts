/** The decoder: prefixes, opcode maps, ModRM, SIB, displacement and immediates of one instruction (SDM vol. 2, chapter 2). */
import { CODE } from '../state.ts';
import { CONDITIONS, FACT, PART, TRAIT, candidates, candidatesOf, factMasks, factValues, opcodeNumber, parts, traits } from './forms.ts';
import { rows } from './table.ts';
import type { Row } from './table.ts';

/** Longest instruction in bytes. */
export const MAX_LENGTH = 15;

/** {@link Decoded.op} of what is not allocated (#UD), and of what is longer than {@link MAX_LENGTH} (#GP). */
export const INVALID = -1;
export const TOO_LONG = -2;

/** Thrown inside the decoder: bytes are missing. */
const MORE = Symbol('more');

/** One decoded instruction; an object is used again and again. Register numbers are 0 … 15, absent ones -1. */
export class Decoded {
  /** Number of the row in the table, {@link INVALID} or {@link TOO_LONG}. */
  op: number = INVALID;
  length = 0;
  /** As {@link CODE}. */
  mode = 0;
  /** Operand size and address size in bits. */
  operandSize = 32;
  addressSize = 32;
  /** Segment override, by number, -1 if there is none (or one that 64-bit mode ignores). */
  override = -1;
  /** The last of F2 and F3, else 0. */
  rep = 0;
  lock = false;
  /** The operand-size prefix was there. */
  size66 = false;
  /** REX byte, 0 if absent. */
  rex = 0;
  rexR = 0;
  rexX = 0;
  rexB = 0;
  w = 0;
  vex = false;
  l = 0;
  vvvv = 0;
  opcode = 0;
  modrm = 0;
  mod = 0;
  /** ModRM.reg with its extension, ModRM.rm with its, as register numbers. */
  reg = 0;
  rm = 0;
  /** Memory operand. */
  base = -1;
  index = -1;
  /** log2 */
  scale = 0;
  disp = 0;
  /** Bytes of the displacement. */
  dispSize = 0;
  ripRelative = false;
  /** Immediate: low and (for 64-bit ones) high word, sign-extended; the second one. */
  imm = 0;
  immHigh = 0;
  imm2 = 0;

  get row(): Row {
    return rows[this.op] as Row;
  }

  /** A memory operand by ModRM is there. */
  get isMemory(): boolean {
    return this.mod !== 3;
  }

  /** Segment of the memory operand by ModRM: the override, else SS with rsp and rbp as base, else DS. */
  get segment(): number {
    if (this.override >= 0) return this.override;
    return this.base === 4 || this.base === 5 ? 2 : 3;
  }
}

/** What a byte is as a prefix: 1 … 6 overrides the segment of the number before, else one of these; 0 if it is none. */
const PREFIX = { size: 7, address: 8, lock: 9, rep: 10 } as const;
const prefixes: Uint8Array = new Uint8Array(256);
[0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65].forEach((byte, segment) => (prefixes[byte] = segment + 1));
prefixes[0x66] = PREFIX.size;
prefixes[0x67] = PREFIX.address;
prefixes[0xf0] = PREFIX.lock;
prefixes[0xf2] = prefixes[0xf3] = PREFIX.rep;

/** Base and index of 16-bit addresses by ModRM.rm: bx+si, bx+di, bp+si, bp+di, si, di, bp, bx. */
const BASE16: readonly number[] = [3, 3, 5, 5, 6, 7, 5, 3];
const INDEX16: readonly number[] = [6, 7, 6, 7, -1, -1, -1, -1];

export class Decoder {
  readonly insn: Decoded = new Decoded();
  #bytes: Uint8Array = new Uint8Array();
  #start = 0;
  #at = 0;
  #end = 0;

  /**
   * Decodes into {@link insn}.
   *
   * @param available - bytes that are there from `at` on; never more than are needed are looked at.
   * @param mode - as {@link CODE}.
   * @returns whether they were enough.
   */
  decode(bytes: Uint8Array, at: number, available: number, mode: number): boolean {
    this.#bytes = bytes;
    this.#start = at;
    this.#at = at;
    this.#end = at + Math.min(available, MAX_LENGTH);
    const d = this.insn;
    d.mode = mode;
    d.op = INVALID;
    try {
      d.op = this.#instruction(d);
    } catch (error) {
      if (error !== MORE) throw error;
      if (available < MAX_LENGTH) return false;
      d.op = TOO_LONG;
    }
    d.length = this.#at - at;
    return true;
  }

  #u8(): number {
    if (this.#at >= this.#end) throw MORE;
    return this.#bytes[this.#at++] as number;
  }

  #s8(): number {
    return (this.#u8() << 24) >> 24;
  }

  #u16(): number {
    return this.#u8() | (this.#u8() << 8);
  }

  #s16(): number {
    return (this.#u16() << 16) >> 16;
  }

  #s32(): number {
    return this.#u16() | (this.#u16() << 16);
  }

  #instruction(d: Decoded): number {
    const long = (d.mode & CODE.size) === CODE.code64;
    d.override = -1;
    d.rep = 0;
    d.lock = d.size66 = d.vex = d.ripRelative = false;
    d.rex = d.rexR = d.rexX = d.rexB = d.w = d.l = d.vvvv = 0;
    d.modrm = d.reg = d.rm = d.scale = d.disp = d.dispSize = d.imm = d.immHigh = d.imm2 = 0;
    d.mod = 3;
    d.base = d.index = -1;
    const opcode = this.#opcode(d, long);
    if (opcode < 0) return INVALID;
    let at = candidatesOf(opcode);
    if (candidates[at] === 1) {
      d.modrm = this.#u8();
      d.mod = d.modrm >> 6;
      d.reg = ((d.modrm >> 3) & 7) | d.rexR;
      d.rm = (d.modrm & 7) | d.rexB;
    }
    const facts =
      d.modrm | (d.size66 ? FACT.size66 : 0) | (d.rep === 0 ? 0 : d.rep === 0xf3 ? FACT.repF3 : FACT.repF2) | (long ? FACT.long : 0) | (d.mod === 3 ? 0 : FACT.memory) |
      (d.rexB === 0 ? 0 : FACT.rexB) | (d.l * FACT.l) | (d.w * FACT.w);
    const code32 = (d.mode & CODE.size) === CODE.code32;
    let op: number;
    for (;;) {
      op = candidates[++at] as number;
      if (op < 0) break;
      if ((facts & (factMasks[op] as number)) === factValues[op] && sizeFits(d, traits[op] as number, long, code32)) break;
    }
    // Outside 64-bit mode, VEX.W tells instructions apart, but has nothing to do with sizes.
    if (!long) d.w = 0;
    if (op < 0) return INVALID;
    const row = traits[op] as number;
    if ((row & TRAIT.registersOnly) !== 0) d.mod = 3;
    else if ((row & TRAIT.hasModrm) !== 0 && d.mod !== 3) this.#memory(d, long);
    for (let rest = parts[op] as number; rest !== 0; rest >>= 4) this.#part(d, rest & 15);
    return isLegal(d, row) ? op : INVALID;
  }

  /** Prefixes and opcode. @returns its number, -1 if it is in no map */
  #opcode(d: Decoded, long: boolean): number {
    let address67 = false;
    let byte = this.#u8();
    for (; ; byte = this.#u8()) {
      if (long && (byte & 0xf0) === 0x40) {
        d.rex = byte;
        continue;
      }
      const prefix = prefixes[byte] as number;
      if (prefix === 0) break;
      if (prefix < PREFIX.size) {
        if (!long || prefix >= 5) d.override = prefix - 1;
      } else if (prefix === PREFIX.size) d.size66 = true;
      else if (prefix === PREFIX.address) address67 = true;
      else if (prefix === PREFIX.lock) d.lock = true;
      else d.rep = byte;
      d.rex = 0; // a REX prefix counts only right before the opcode
    }
    const code32 = (d.mode & CODE.size) === CODE.code32;
    d.addressSize = long ? (address67 ? 32 : 64) : code32 !== address67 ? 32 : 16;
    if ((byte === 0xc4 || byte === 0xc5) && this.#isVex(d, long)) return this.#vexPrefix(d, byte === 0xc5, long);
    if (d.rex !== 0) {
      d.w = (d.rex >> 3) & 1;
      d.rexR = (d.rex & 4) << 1;
      d.rexX = (d.rex & 2) << 2;
      d.rexB = (d.rex & 1) << 3;
    }
    let map = 0;
    if (byte === 0x0f) {
      byte = this.#u8();
      map = byte === 0x38 ? 2 : byte === 0x3a ? 3 : 1;
      if (map !== 1) byte = this.#u8();
    }
    d.opcode = byte;
    return opcodeNumber(false, map, byte);
  }

  /** C4 and C5 are VEX in 64-bit mode, and elsewhere if LES and LDS would have a register operand. */
  #isVex(d: Decoded, long: boolean): boolean {
    if (long) return true;
    if (this.#at >= this.#end) throw MORE;
    return (d.mode & CODE.real) === 0 && (this.#bytes[this.#at] as number) >= 0xc0;
  }

  #vexPrefix(d: Decoded, short: boolean, long: boolean): number {
    const first = this.#u8();
    const legal = !d.size66 && d.rep === 0 && !d.lock && d.rex === 0;
    let map = 1;
    let last = first;
    d.rexR = (~first & 0x80) >> 4;
    if (!short) {
      d.rexX = (~first & 0x40) >> 3;
      d.rexB = (~first & 0x20) >> 2;
      map = first & 31;
      last = this.#u8();
      d.w = last >> 7;
    }
    if (!long) d.rexR = d.rexX = d.rexB = 0;
    d.vex = true;
    d.vvvv = (~last >> 3) & (long ? 15 : 7);
    d.l = (last >> 2) & 1;
    const pp = last & 3;
    d.size66 = pp === 1;
    d.rep = pp === 2 ? 0xf3 : pp === 3 ? 0xf2 : 0;
    d.opcode = this.#u8();
    return legal && map >= 1 && map <= 3 ? opcodeNumber(true, map, d.opcode) : -1;
  }

  #memory(d: Decoded, long: boolean): void {
    const rm = d.modrm & 7;
    if (d.addressSize === 16) {
      if (d.mod === 0 && rm === 6) {
        d.dispSize = 2;
        d.disp = this.#s16();
        return;
      }
      d.base = BASE16[rm] as number;
      d.index = INDEX16[rm] as number;
      this.#displacement(d, 2);
      return;
    }
    if (rm === 4) {
      const sib = this.#u8();
      d.scale = sib >> 6;
      const index = ((sib >> 3) & 7) | d.rexX;
      if (index !== 4 || this.#isVectorIndex(d)) d.index = index;
      if (d.mod === 0 && (sib & 7) === 5) {
        d.dispSize = 4;
        d.disp = this.#s32();
        return;
      }
      d.base = (sib & 7) | d.rexB;
    } else if (d.mod === 0 && rm === 5) {
      d.dispSize = 4;
      d.disp = this.#s32();
      d.ripRelative = long;
      return;
    } else {
      d.base = rm | d.rexB;
    }
    this.#displacement(d, 4);
  }

  /** VGATHER: every index register exists. */
  #isVectorIndex(d: Decoded): boolean {
    return d.vex && d.opcode >= 0x90 && d.opcode <= 0x93;
  }

  #displacement(d: Decoded, wide: 2 | 4): void {
    if (d.mod === 1) {
      d.dispSize = 1;
      d.disp = this.#s8();
    } else if (d.mod === 2) {
      d.dispSize = wide;
      d.disp = wide === 2 ? this.#s16() : this.#s32();
    }
  }

  #part(d: Decoded, part: number): void {
    switch (part) {
      case PART.unsigned8:
        d.imm = this.#u8();
        d.immHigh = 0;
        break;
      case PART.signed8:
        d.imm = this.#s8();
        d.immHigh = d.imm >> 31;
        break;
      case PART.unsigned16:
        d.imm = this.#u16();
        d.immHigh = 0;
        break;
      case PART.bySize:
      case PART.full:
        d.imm = d.operandSize === 16 ? this.#s16() : this.#s32();
        d.immHigh = part === PART.full && d.operandSize === 64 ? this.#s32() : d.imm >> 31;
        break;
      case PART.second:
        d.imm2 = this.#u8();
        break;
      case PART.far:
        d.imm = d.operandSize === 16 ? this.#u16() : this.#s32();
        d.imm2 = this.#u16();
        break;
      default:
        d.dispSize = d.addressSize / 8;
        d.disp = d.addressSize === 16 ? this.#u16() : this.#s32();
        if (d.addressSize === 64) d.immHigh = this.#s32();
    }
  }

  /** Bytes of the last instruction, for diagnostics. */
  get text(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#at);
  }
}

/** Sets the operand size that an instruction has as a row of these traits; whether the row has it. */
function sizeFits(d: Decoded, row: number, long: boolean, code32: boolean): boolean {
  const small = d.size66 && (row & TRAIT.ignores66) === 0;
  if (!long) d.operandSize = code32 !== small ? 32 : 16;
  else if ((row & TRAIT.force64) !== 0 || d.w === 1) d.operandSize = 64;
  else if (small) d.operandSize = 16;
  else d.operandSize = (row & TRAIT.default64) !== 0 ? 64 : 32;
  const only = (row / TRAIT.size) | 0;
  return only === 0 || d.operandSize === 8 << only;
}

/** What a matching row does not say: LOCK, register numbers, modes. */
function isLegal(d: Decoded, row: number): boolean {
  if (d.lock && ((row & TRAIT.lock) === 0 || d.mod === 3)) return false;
  if (d.vex && (row & TRAIT.usesVvvv) === 0 && d.vvvv !== 0) return false;
  if ((row & CONDITIONS) === 0) return true;
  if ((row & TRAIT.protectedOnly) !== 0 && (d.mode & CODE.real) !== 0) return false;
  if ((row & TRAIT.segment) !== 0 && ((d.reg & 7) > 5 || ((row & TRAIT.segmentWritten) !== 0 && (d.reg & 7) === 1))) return false;
  if ((row & TRAIT.control) !== 0 && !(d.reg <= 4 ? d.reg !== 1 : d.reg === 8)) return false;
  if ((row & TRAIT.debug) !== 0 && d.reg > 7) return false;
  // The three vector registers of a gather differ.
  if ((row & TRAIT.gather) !== 0 && (d.index < 0 || d.index === d.reg || d.index === d.vvvv || d.reg === d.vvvv || (d.modrm & 7) !== 4)) return false;
  return (row & TRAIT.never) === 0;
}
