/** The registers and the memory that an emulated instruction works on; what is not memory becomes a transfer that the hypervisor carries out. */
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import { Efer, Rflags, SegmentAccess } from '@axvisor/axvisor_api/arch/x86';
import type { Context } from '../context.ts';
import type { Guest, SegmentName } from '../guest.ts';
import type { NestedMemory } from '../nested.ts';
import { GuestFault, translateLinear } from '../paging.ts';

/** An access to a device; a read is answered with the value. Or, before the first one to a page, that there is no memory. */
export type Transfer =
  | { readonly kind: 'fault'; readonly gpa: bigint; readonly write: boolean }
  | { readonly kind: 'read'; readonly gpa: bigint; readonly width: AccessWidth }
  | { readonly kind: 'write'; readonly gpa: bigint; readonly width: AccessWidth; readonly data: bigint }
  | { readonly kind: 'in'; readonly port: number; readonly width: AccessWidth }
  | { readonly kind: 'out'; readonly port: number; readonly width: AccessWidth; readonly data: bigint };

/** A part of an instruction: yields transfers, gets the values read. */
export type Steps<T = void> = Generator<Transfer, T, bigint>;

const LMA = Number(Efer.LMA);
const PAGE = 4096n;
/** Of an instruction, in bytes. */
const MAX_LENGTH = 15;
const RSP = 4;

/** `system`: the access is the processor's own, to a table of the system, whatever the privilege level. */
interface Implied {
  readonly system?: boolean;
}

/** Bytes of an operand. */
export type Size = 1 | 2 | 4 | 8;
export const truncate = (value: bigint, size: number): bigint => BigInt.asUintN(8 * size, value);

export class EmulatedCpu {
  readonly guest: Guest;
  readonly context: Context;
  readonly memory: NestedMemory;
  /** Pages of guest physical addresses that the hypervisor knows the instruction to access, and that are no memory. */
  readonly #devices = new Set<bigint>();

  constructor(guest: Guest, context: Context, memory: NestedMemory) {
    this.guest = guest;
    this.context = context;
    this.memory = memory;
  }

  /** Whether 64-bit code is executed, and the size of operands and addresses by default. */
  get mode(): { readonly long: boolean; readonly size: 2 | 4 } {
    const rights = this.guest.rights('cs');
    const long = (this.guest.low('efer') & LMA) !== 0 && (rights & SegmentAccess.L) !== 0;
    return { long, size: !long && (rights & SegmentAccess.DB) === 0 ? 2 : 4 };
  }

  get cpl(): number {
    return (this.guest.rights('ss') & SegmentAccess.DPL) >>> 5;
  }

  // ── registers ──

  reg(index: number): bigint {
    return index === RSP ? this.guest.get('rsp') : this.context.get(index);
  }

  setReg(index: number, value: bigint): void {
    if (index === RSP) this.guest.set('rsp', BigInt.asUintN(64, value));
    else this.context.set(index, value);
  }

  /** An operand; without REX, byte registers 4 to 7 are AH, CH, DH, BH. */
  operand(index: number, size: Size, rex: boolean): bigint {
    if (size === 1 && !rex && index >= 4) return (this.reg(index - 4) >> 8n) & 0xffn;
    return truncate(this.reg(index), size);
  }

  setOperand(index: number, size: Size, rex: boolean, value: bigint): void {
    if (size === 1 && !rex && index >= 4) {
      this.setReg(index - 4, (this.reg(index - 4) & ~0xff00n) | ((value & 0xffn) << 8n));
      return;
    }
    if (size >= 4) this.setReg(index, truncate(value, size));
    else this.setReg(index, (this.reg(index) & ~((1n << BigInt(8 * size)) - 1n)) | truncate(value, size));
  }

  // ── memory ──

  /** The linear address of an offset in a segment. Limits were the processor's business. */
  linear(segment: SegmentName, offset: bigint): bigint {
    if (this.mode.long) return BigInt.asUintN(64, offset + (segment === 'fs' || segment === 'gs' ? this.guest.segment(segment).base : 0n));
    return BigInt.asUintN(32, offset + this.guest.segment(segment).base);
  }

  #translate(linear: bigint, write: boolean, { system = false }: Implied): bigint {
    return translateLinear(this.guest, this.memory, linear, { write, fetch: false, user: !system && this.cpl === 3 });
  }

  /** The parts of an access in each page, as [offset, bytes, guest physical address]. */
  #parts(linear: bigint, size: number, write: boolean, access: Implied): (readonly [number, number, bigint])[] {
    const first = Math.min(size, Number(PAGE - (linear & (PAGE - 1n))));
    const parts: (readonly [number, number, bigint])[] = [[0, first, this.#translate(linear, write, access)]];
    if (first < size) parts.push([first, size - first, this.#translate(BigInt.asUintN(64, linear + BigInt(first)), write, access)]);
    return parts;
  }

  /** An instruction begins; `gpa` is where the processor found no memory. */
  begin(gpa?: bigint): void {
    this.#devices.clear();
    if (gpa !== undefined) this.#devices.add(gpa / PAGE);
  }

  /** Memory that nobody has touched is not mapped yet: the hypervisor is asked once for each page. @returns whether it may be there now */
  *#mapped(gpa: bigint, write: boolean): Steps<boolean> {
    if (this.#devices.has(gpa / PAGE)) return false;
    this.#devices.add(gpa / PAGE);
    yield { kind: 'fault', gpa, write };
    return true;
  }

  *read(linear: bigint, size: number, access: Implied = {}): Steps<bigint> {
    let value = 0n;
    for (const [offset, bytes, page] of this.#parts(linear, size, false, access)) {
      for (const [at, width] of widths(bytes)) {
        const gpa = page + BigInt(at);
        let part = this.memory.read(gpa, width);
        if (part === undefined && (yield* this.#mapped(gpa, false))) part = this.memory.read(gpa, width);
        value |= (part ?? truncate(yield { kind: 'read', gpa, width }, width)) << BigInt(8 * (offset + at));
      }
    }
    return value;
  }

  *write(linear: bigint, size: number, value: bigint, access: Implied = {}): Steps {
    for (const [offset, bytes, page] of this.#parts(linear, size, true, access)) {
      for (const [at, width] of widths(bytes)) {
        const gpa = page + BigInt(at);
        const data = truncate(value >> BigInt(8 * (offset + at)), width);
        if (this.memory.write(gpa, width, data)) continue;
        if ((yield* this.#mapped(gpa, true)) && this.memory.write(gpa, width, data)) continue;
        yield { kind: 'write', gpa, width, data };
      }
    }
  }

  /** Whether an access to all of these bytes is allowed, before anything is transferred. @throws {GuestFault} #PF */
  probe(linear: bigint, size: number, write: boolean): void {
    this.#parts(linear, size, write, {});
  }

  /** Up to 15 bytes of the instruction at RIP; fewer before a page that cannot be fetched from. */
  fetch(): Uint8Array {
    const rip = this.guest.get('rip');
    const start = this.mode.long ? rip : BigInt.asUintN(32, rip + this.guest.segment('cs').base);
    const found = new Uint8Array(MAX_LENGTH);
    let length = 0;
    while (length < MAX_LENGTH) {
      const linear = BigInt.asUintN(64, start + BigInt(length));
      const size = Math.min(MAX_LENGTH - length, Number(PAGE - (linear & (PAGE - 1n))));
      let part: Uint8Array | undefined;
      try {
        part = this.memory.bytes(translateLinear(this.guest, this.memory, linear, { write: false, fetch: true, user: this.cpl === 3 }), size);
      } catch (e) {
        if (!(e instanceof GuestFault)) throw e;
      }
      if (part === undefined) break;
      found.set(part, length);
      length += size;
    }
    return found.subarray(0, length);
  }

  // ── flags ──

  get direction(): 1n | -1n {
    return (this.guest.get('rflags') & Rflags.DF) === 0n ? 1n : -1n;
  }

  /** Replaces the arithmetic flags in `mask`. */
  setFlags(flags: bigint, mask: bigint): void {
    this.guest.set('rflags', (this.guest.get('rflags') & ~mask) | (flags & mask));
  }
}

/** How many bytes are transferred as accesses of a device: [offset, width]. */
function widths(bytes: number): (readonly [number, AccessWidth])[] {
  const list: (readonly [number, AccessWidth])[] = [];
  for (let at = 0; at < bytes; ) {
    const width = ([8, 4, 2, 1] as const).find((w) => w <= bytes - at) as AccessWidth;
    list.push([at, width]);
    at += width;
  }
  return list;
}
