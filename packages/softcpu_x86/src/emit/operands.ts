/**
 * Operands of a definition: where the decoded record has them, and how they are read and written.
 *
 * Record: handler u16 @0, length u8 @2, r, b, x, g u8 @3-6 (offsets of registers in the state block: operand, second operand or
 * base, index, segment base), k u8 @7 (see {@link K}). Instructions of two bytes and more: zeros u16 @8, w u16 @10 for the definition, i32 @12
 * the displacement (disp), or the immediate (imm) where there is no memory operand. Of three bytes and more: zeros u16 @16, more i32 @20: the
 * immediate behind a displacement, the upper half of an immediate or address of 64 bits, or a third register (v); of vector instructions
 * the immediate (v), of those encoded by VEX more registers (h, l).
 */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Emitter, I32, I64 } from '@axvisor/softcpu';
import { ARG0, GPR, SEG_BASE, Seg } from '../state.ts';
import { SEGMENT_OK } from './functions.ts';
import { bytesOf, constant, fromBool, loadOf, maskOf, zext } from './value.ts';
import type { Size } from './value.ts';

/** Bits of the record's field `k`. */
export const K = {
  /** log2 of the index' factor. */
  scale: 3,
  /** The base is the address of the next instruction. */
  rip: 4,
  /** Operand r is bits 15 … 8 of its register. */
  highR: 8,
  /** Operand b, where there is no memory operand. */
  highB: 16,
  /** With a memory operand: 0 64-bit addresses, 1 32-bit ones of 64-bit mode, 2 32-bit ones, 3 16-bit ones. */
  kind: 0x30,
  /** Segments have limits and types. */
  segmented: 64,
} as const;

/** Service that raises #GP(0), of the stack segment #SS(0): ARG0 has the segment's number. */
export const SEGMENT_FAULT = 'segment';

/** Where an operand is: register r, b or v, memory, immediate, 64-bit immediate, CL, always 1, nothing to be read. */
export type Place = 'r' | 'b' | 'v' | 'm' | 'i' | 'I' | 'c' | '1' | '-';

/** Base, index and segment; the base and nothing else; relative to the next instruction, in a segment. */
export const Addressing = { any: 0, base: 1, rip: 2 } as const;
export type Addressing = (typeof Addressing)[keyof typeof Addressing];

/** What one handler of a definition is for. */
export interface Variant {
  /** Operand size of the instruction. */
  readonly size: Size;
  readonly places: readonly Place[];
  /** By operand. */
  readonly sizes: readonly Size[];
  /** Memory operand in 64-bit mode by registers alone: no RIP, no limits, nothing to be cut. */
  readonly fast: boolean;
  /** What such an operand's address is, where the definition has handlers for that. */
  readonly address64: Addressing;
  readonly lock: boolean;
  /** 0, 0xf2 or 0xf3. */
  readonly rep: number;
  /** Address size, where the definition wants to know. */
  readonly address: Size;
  /** Size of the stack pointer, likewise. */
  readonly stack: Size;
  /** 64-bit mode, likewise. */
  readonly long: boolean;
  /** A branch whose target must be computed modulo the size of the instruction pointer and compared with the limit. */
  readonly wrap: boolean;
  /** VEX.L, where operands depend on it. */
  readonly length: 0 | 1;
}

/** General-purpose register by number, whole. */
export const gpr = (e: Pick<Emitter, 'state'>, number: number): I64 => e.state('i64.load', GPR + 8 * number);

/** Writes a general-purpose register by number: 32 bits clear the upper half, fewer leave the rest. */
export function setGpr(e: Pick<Emitter, 'state' | 'setState'>, number: number, size: Size, value: I64): void {
  e.setState('i64.store', GPR + 8 * number, merged(gpr(e, number), size, value));
}

function merged(old: I64, size: Size, value: I64): I64 {
  if (size >= 32) return zext(value, size);
  return i64.or(i64.and(old, i64.xor(maskOf(size), i64.const(-1))), zext(value, size));
}

const field = (e: Emitter, name: string, mask: number): I32 => i32.and(e.field(name), i32.const(mask));

/** Offset in the segment and linear address of the memory operand; bound. */
export interface Address {
  readonly linear: I64;
  readonly offset: I64;
}

/** A memory operand of which nothing is known. */
export const ANY_ADDRESS: Pick<Variant, 'fast' | 'address64'> = { fast: false, address64: Addressing.any };

/** The memory operand of the record, by ModRM. */
export function memoryAddress(e: Emitter, { fast, address64 }: Pick<Variant, 'fast' | 'address64'>, add: I64 = i64.const(0)): Address {
  if (fast && address64 !== Addressing.any) {
    const sum = address64 === Addressing.base ? i64.add(e.reg('b'), e.field64('disp')) : i64.add(i64.add(e.nextPc(), e.field64('disp')), e.reg('g'));
    const linear = e.let(i64.add(sum, add));
    return { linear, offset: linear };
  }
  const scaled = i64.shl(e.reg('x'), fromBool(field(e, 'k', K.scale)));
  const sum = i64.add(i64.add(e.reg('b'), scaled), e.field64('disp'));
  if (fast) {
    const linear = e.let(i64.add(i64.add(sum, e.reg('g')), add));
    return { linear, offset: linear };
  }
  const kind = e.let(i32.shr_u(field(e, 'k', K.kind), i32.const(4)));
  // 0, 32, 32 or 48 of the upper bits are dropped; the shift looks at the low six bits of its count only.
  const cut = fromBool(i32.shr_u(i32.const(0x3020_2000), i32.shl(kind, i32.const(3))));
  const rip = select(field(e, 'k', K.rip), e.nextPc(), i64.const(0));
  const offset = e.let(i64.and(i64.add(i64.add(sum, rip), add), i64.shr_u(i64.const(-1), cut)));
  const wrap = i64.shr_u(i64.const(-1), fromBool(i32.shl(i32.and(kind, i32.const(2)), i32.const(4))));
  return { linear: e.let(i64.and(i64.add(offset, e.reg('g')), wrap)), offset };
}

/** Raises the segment's fault unless `size` bytes at an offset may be accessed; of segment `g` unless told. */
export function checkSegment(e: Emitter, offset: I64, bytes: number, write: boolean, segment?: number): void {
  const number = segment === undefined ? i32.shr_u(i32.sub(e.field('g'), i32.const(SEG_BASE)), i32.const(3)) : i32.const(segment);
  e.if(field(e, 'k', K.segmented), () => {
    const bound = e.let(number);
    const ok = e.call(SEGMENT_OK, 'i32', [bound, i32.wrap_i64(offset), i32.const(bytes - 1), i32.const(write ? 1 : 0)]);
    e.if(i32.eqz(ok), () => {
      e.setState('i64.store', ARG0, i64.extend_i32_u(bound));
      e.fault(SEGMENT_FAULT);
    }, undefined, false);
  }, undefined, false);
}

/** The operands of one instruction while its definition runs. */
export class Operands {
  readonly e: Emitter;
  readonly variant: Variant;
  #address: Address | undefined;
  #checkedWrite = false;

  constructor(e: Emitter, variant: Variant) {
    this.e = e;
    this.variant = variant;
  }

  get size(): Size {
    return this.variant.size;
  }

  sizeOf(i: number): Size {
    return this.variant.sizes[i] as Size;
  }

  place(i: number): Place {
    return this.variant.places[i] as Place;
  }

  /** The field of an immediate. */
  get #immediate(): 'imm' | 'more' {
    return this.variant.places.includes('m') ? 'more' : 'imm';
  }

  #high(place: 'r' | 'b' | 'v'): I64 {
    const k = this.e.field('k');
    return fromBool(i32.and(place === 'r' ? k : i32.shr_u(k, i32.const(1)), i32.const(8)));
  }

  /** Operand `i`; bits above its size may be anything. */
  raw(i: number): I64 {
    const { e } = this;
    const place = this.place(i);
    const size = this.sizeOf(i);
    switch (place) {
      case 'r':
      case 'b':
      case 'v':
        return size === 8 && place !== 'v' ? i64.shr_u(e.reg(place), this.#high(place)) : e.reg(place);
      case 'm':
        return e.load(loadOf[size], this.address(i, false).linear);
      case 'i':
        return size === 32 ? fromBool(e.field(this.#immediate)) : e.field64(this.#immediate);
      case 'I':
        return i64.or(fromBool(e.field('imm')), i64.shl(e.field64('more'), constant(32)));
      case 'c':
        return gpr(e, 1);
      case '1':
        return constant(1);
      default:
        throw new RangeError(`operand ${i} has no value`);
    }
  }

  /** Operand `i`, zero-extended. Immediates of 8 and 16 bits are so in the record already. */
  get(i: number): I64 {
    const place = this.place(i);
    const raw = this.raw(i);
    return place === 'm' || place === 'i' ? raw : zext(raw, this.sizeOf(i));
  }

  /** Operand `i`, zero-extended and bound, of which a changed value will be written back. */
  update(i: number): I64 {
    if (this.place(i) !== 'm') return this.bound(i);
    return this.e.loadForUpdate(loadOf[this.sizeOf(i)], this.address(i, true).linear);
  }

  /** Operand `i`, zero-extended and bound. */
  bound(i: number): I64 {
    return this.e.let(this.get(i));
  }

  /** Writes operand `i`. */
  set(i: number, value: I64): void {
    const { e } = this;
    const place = this.place(i);
    const size = this.sizeOf(i);
    if (place === 'm') {
      e.store(bytesOf(size), this.address(i, true).linear, value);
    } else if (place === 'r' || place === 'b' || place === 'v') {
      if (size === 8) {
        const shift = e.let(this.#high(place));
        const kept = i64.and(e.reg(place), i64.xor(i64.shl(i64.const(0xff), shift), i64.const(-1)));
        e.setReg(place, i64.or(kept, i64.shl(zext(value, 8), shift)));
      } else {
        e.setReg(place, merged(e.reg(place), size, value));
      }
    } else {
      throw new RangeError(`operand ${i} cannot be written`);
    }
  }

  /** Address of memory operand `i`, once; limits are checked for what is to be done with it. */
  address(i: number, write: boolean): Address {
    const { e } = this;
    const { fast } = this.variant;
    const address = (this.#address ??= memoryAddress(e, this.variant));
    if (!fast && !this.#checkedWrite) {
      checkSegment(e, address.offset, this.sizeOf(i) / 8, write);
      this.#checkedWrite = write;
    }
    return address;
  }

  /** Takes an address that the definition computed itself for the memory operand. */
  useAddress(address: Address): void {
    this.#address = address;
  }
}

/** Base of a segment other than FS and GS outside 64-bit mode: 0 where segments are flat. */
export const segmentBase = (e: Emitter, segment: number): I64 => select(field(e, 'k', K.segmented), e.state('i64.load', SEG_BASE + 8 * segment), i64.const(0));

/** Base of the stack segment to be added to stack pointers: nothing in 64-bit mode. */
export const stackBase = (e: Emitter, stack: Size): I64 => (stack === 64 ? i64.const(0) : segmentBase(e, Seg.ss));

/** Linear address of an offset (cut to the stack's size) in the stack segment, checked and bound. */
export function stackAddress(e: Emitter, stack: Size, offset: I64, bytes: number, write: boolean): I64 {
  if (stack === 64) return e.let(offset);
  const cut = e.let(zext(offset, stack));
  checkSegment(e, cut, bytes, write, Seg.ss);
  return e.let(zext(i64.add(cut, stackBase(e, stack)), 32));
}
