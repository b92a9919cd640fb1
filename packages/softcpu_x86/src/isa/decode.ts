/** The decoder: prefixes, opcode maps, ModRM, SIB, displacement and immediates of one instruction (SDM vol. 2, chapter 2). */
import { CODE } from '../state.ts';
import { legacyIndex, rows, vexIndex } from './table.ts';
import type { Candidates, Row } from './table.ts';

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

/** Segment by override prefix. */
const OVERRIDES: ReadonlyMap<number, number> = new Map([[0x26, 0], [0x2e, 1], [0x36, 2], [0x3e, 3], [0x64, 4], [0x65, 5]]);
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
    let address67 = false;
    let byte = this.#u8();
    for (; ; byte = this.#u8()) {
      if (long && (byte & 0xf0) === 0x40) {
        d.rex = byte;
        continue;
      }
      const segment = OVERRIDES.get(byte);
      if (segment !== undefined) {
        if (!long || segment >= 4) d.override = segment;
      } else if (byte === 0x66) d.size66 = true;
      else if (byte === 0x67) address67 = true;
      else if (byte === 0xf0) d.lock = true;
      else if (byte === 0xf2 || byte === 0xf3) d.rep = byte;
      else break;
      d.rex = 0; // a REX prefix counts only right before the opcode
    }
    const code32 = (d.mode & CODE.size) === CODE.code32;
    d.addressSize = long ? (address67 ? 32 : 64) : code32 !== address67 ? 32 : 16;
    let candidates: Candidates | undefined;
    if ((byte === 0xc4 || byte === 0xc5) && this.#isVex(d, long)) {
      candidates = this.#vexPrefix(d, byte === 0xc5, long);
    } else {
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
      candidates = legacyIndex[map]?.[byte];
    }
    if (candidates === undefined) return INVALID;
    if (candidates.hasModrm) {
      d.modrm = this.#u8();
      d.mod = d.modrm >> 6;
      d.reg = ((d.modrm >> 3) & 7) | d.rexR;
      d.rm = (d.modrm & 7) | d.rexB;
    }
    const row = this.#match(d, candidates.rows, long);
    // Outside 64-bit mode, VEX.W tells instructions apart, but has nothing to do with sizes.
    if (!long) d.w = 0;
    if (row === undefined) return INVALID;
    if (row.hasModrm && d.mod !== 3 && !this.#alwaysRegister(d, row)) this.#memory(d, long);
    this.#immediates(d, row);
    return this.#isLegal(d, row) ? row.op : INVALID;
  }

  /** C4 and C5 are VEX in 64-bit mode, and elsewhere if LES and LDS would have a register operand. */
  #isVex(d: Decoded, long: boolean): boolean {
    if (long) return true;
    if (this.#at >= this.#end) throw MORE;
    return (d.mode & CODE.real) === 0 && (this.#bytes[this.#at] as number) >= 0xc0;
  }

  #vexPrefix(d: Decoded, short: boolean, long: boolean): Candidates | undefined {
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
    return legal && map >= 1 && map <= 3 ? vexIndex[map]?.[d.opcode] : undefined;
  }

  /** The row that the bytes read so far mean; sets the operand size. */
  #match(d: Decoded, list: readonly Row[], long: boolean): Row | undefined {
    const code32 = (d.mode & CODE.size) === CODE.code32;
    for (const row of list) {
      if (row.not64 && long) continue;
      if (row.only64 && !long) continue;
      if (row.modrm !== undefined && row.modrm !== d.modrm) continue;
      if (row.reg !== undefined && row.reg !== ((d.modrm >> 3) & 7)) continue;
      if (row.memory !== undefined && row.memory !== (d.mod !== 3)) continue;
      if (row.withoutRexB && d.rexB !== 0) continue;
      switch (row.prefix) {
        case 'np':
          if (d.size66 || d.rep !== 0) continue;
          break;
        case 'nr':
          if (d.rep !== 0) continue;
          break;
        case '66':
          if (!d.size66 || d.rep !== 0) continue;
          break;
        case 'F3':
          if (d.rep !== 0xf3) continue;
          break;
        case 'F2':
          if (d.rep !== 0xf2) continue;
          break;
        case 'any':
      }
      if (row.l !== undefined && row.l !== d.l) continue;
      if (row.w !== undefined && row.w !== d.w) continue;
      const small = d.size66 && row.prefix !== '66' && !row.vex;
      if (!long) d.operandSize = code32 !== small ? 32 : 16;
      else if (row.force64 || d.w === 1) d.operandSize = 64;
      else if (small) d.operandSize = 16;
      else d.operandSize = row.default64 ? 64 : 32;
      if (row.size !== undefined && row.size !== d.operandSize) continue;
      return row;
    }
    return undefined;
  }

  /** MOV to and from control and debug registers have no memory form, whatever ModRM.mod says. */
  #alwaysRegister(d: Decoded, row: Row): boolean {
    if (!row.operands.some(({ kind, size }) => kind === 'R' && size === 'r')) return false;
    d.mod = 3;
    return true;
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

  #immediates(d: Decoded, row: Row): void {
    for (const { kind, size } of row.operands) {
      switch (kind) {
        case 'I':
        case 'J':
        case 'L':
          if (size === 'b' || size === 'bs' || kind === 'L') d.imm = kind === 'I' && size === 'b' ? this.#u8() : this.#s8();
          else if (size === 'w') d.imm = this.#u16();
          else if (d.operandSize === 16) d.imm = this.#s16();
          else d.imm = this.#s32();
          d.immHigh = size === 'v' && d.operandSize === 64 ? this.#s32() : d.imm >> 31;
          break;
        case 'K':
          d.imm2 = this.#u8();
          break;
        case 'A':
          d.imm = d.operandSize === 16 ? this.#u16() : this.#s32();
          d.imm2 = this.#u16();
          break;
        case 'O':
          d.dispSize = d.addressSize / 8;
          d.disp = d.addressSize === 16 ? this.#u16() : this.#s32();
          if (d.addressSize === 64) d.immHigh = this.#s32();
          break;
        default:
      }
    }
  }

  /** What a matching row does not say: LOCK, register numbers, modes. */
  #isLegal(d: Decoded, row: Row): boolean {
    if (d.lock && !(row.lock && d.mod !== 3)) return false;
    if (row.protectedOnly && (d.mode & CODE.real) !== 0) return false;
    if (d.vex && !usesVvvv(row) && d.vvvv !== 0) return false;
    for (const [i, { kind }] of row.operands.entries()) {
      if (kind === 'S' && ((d.reg & 7) > 5 || (i === 0 && (d.reg & 7) === 1))) return false;
      if (kind === 'C' && !(d.reg <= 4 ? d.reg !== 1 : d.reg === 8)) return false;
      if (kind === 'D' && d.reg > 7) return false;
      // The three vector registers of a gather differ.
      if (kind.length === 2 && (d.index < 0 || d.index === d.reg || d.index === d.vvvv || d.reg === d.vvvv || (d.modrm & 7) !== 4)) return false;
    }
    return !row.features.includes('never');
  }

  /** Bytes of the last instruction, for diagnostics. */
  get text(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#at);
  }
}

const vvvvUsers = new Map<Row, boolean>();

function usesVvvv(row: Row): boolean {
  let uses = vvvvUsers.get(row);
  if (uses === undefined) vvvvUsers.set(row, (uses = row.operands.some(({ kind }) => kind === 'H' || kind === 'B')));
  return uses;
}
