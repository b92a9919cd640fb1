/** Task-state segments of 16 and 32 bits (SDM vol. 3, 8.2.1 and 8.6), and access to them as the processor's, whatever the privilege level. */
import { SegmentAccess } from '@axvisor/axvisor_api/arch/x86';
import type { Guest, SegmentName } from './guest.ts';
import type { NestedMemory } from './nested.ts';
import { GuestFault, translateLinear } from './paging.ts';

/** Where things are in a TSS, and how wide. */
export interface TssLayout {
  readonly size: 2 | 4;
  readonly limit: number;
  /** Absent in 16 bits. */
  readonly cr3?: number;
  readonly trap?: number;
  readonly ip: number;
  readonly flags: number;
  /** The eight general registers, in the order of their encoding. */
  readonly registers: number;
  readonly segments: number;
  readonly names: readonly SegmentName[];
  readonly ldt: number;
}

export const TSS_32: TssLayout = { size: 4, limit: 103, cr3: 28, trap: 100, ip: 32, flags: 36, registers: 40, segments: 72, names: ['es', 'cs', 'ss', 'ds', 'fs', 'gs'], ldt: 96 };
export const TSS_16: TssLayout = { size: 2, limit: 43, ip: 14, flags: 16, registers: 18, segments: 34, names: ['es', 'cs', 'ss', 'ds'], ldt: 42 };

/** What a TSS holds. */
export interface TaskState {
  readonly cr3: bigint | undefined;
  readonly ip: bigint;
  readonly flags: bigint;
  readonly registers: readonly bigint[];
  readonly selectors: Readonly<Partial<Record<SegmentName, number>>>;
  readonly ldt: number;
  readonly traps: boolean;
}

/** Linear memory below 4 GiB as the processor itself accesses it: implicit supervisor accesses. */
export class SystemMemory {
  readonly #guest: Guest;
  readonly #memory: NestedMemory;

  constructor(guest: Guest, memory: NestedMemory) {
    this.#guest = guest;
    this.#memory = memory;
  }

  #at(linear: bigint, write: boolean): bigint {
    return translateLinear(this.#guest, this.#memory, BigInt.asUintN(32, linear), { write, fetch: false, user: false });
  }

  /** @throws {GuestFault} #PF; what is no memory reads as ones */
  read(linear: bigint, size: number): bigint {
    let value = 0n;
    for (let i = 0; i < size; i++) value |= (this.#memory.read(this.#at(linear + BigInt(i), false), 1) ?? 0xffn) << BigInt(8 * i);
    return value;
  }

  /** Nothing is written if not all can be. @throws {GuestFault} #PF */
  write(linear: bigint, size: number, value: bigint): void {
    const places = Array.from({ length: size }, (_, i) => this.#at(linear + BigInt(i), true));
    for (const [i, place] of places.entries()) this.#memory.write(place, 1, (value >> BigInt(8 * i)) & 0xffn);
  }

  /** Whether bytes could be written. @throws {GuestFault} #PF if not */
  probeWrite(linear: bigint, size: number): void {
    this.#at(linear, true);
    this.#at(linear + BigInt(size - 1), true);
  }
}

export function readTask(memory: SystemMemory, base: bigint, layout: TssLayout): TaskState {
  const { size, names } = layout;
  const at = (offset: number, bytes: number): bigint => memory.read(base + BigInt(offset), bytes);
  return {
    cr3: layout.cr3 === undefined ? undefined : at(layout.cr3, 4),
    ip: at(layout.ip, size),
    flags: at(layout.flags, size),
    registers: Array.from({ length: 8 }, (_, i) => at(layout.registers + i * size, size)),
    selectors: Object.fromEntries(names.map((name, i) => [name, Number(at(layout.segments + i * size, 2))])),
    ldt: Number(at(layout.ldt, 2)),
    traps: layout.trap !== undefined && (at(layout.trap, 1) & 1n) !== 0n,
  };
}

/** What is dynamic of a TSS: instruction pointer to segments. */
export function writeTask(memory: SystemMemory, base: bigint, layout: TssLayout, { ip, flags, registers, selectors }: Pick<TaskState, 'ip' | 'flags' | 'registers' | 'selectors'>): void {
  const { size, names } = layout;
  const put = (offset: number, bytes: number, value: bigint): void => memory.write(base + BigInt(offset), bytes, BigInt.asUintN(8 * bytes, value));
  put(layout.ip, size, ip);
  put(layout.flags, size, flags);
  for (const [i, value] of registers.entries()) put(layout.registers + i * size, size, value);
  for (const [i, name] of names.entries()) put(layout.segments + i * size, 2, BigInt(selectors[name] ?? 0));
}

/** A descriptor out of the GDT or an LDT, as a segment register's hidden part has it. */
export interface SystemDescriptor {
  readonly at: bigint;
  readonly base: bigint;
  readonly limit: number;
  readonly rights: number;
}

export const isNull = (selector: number): boolean => (selector & 0xfffc) === 0;

/** Access rights of a segment register that holds no segment. */
export const UNUSABLE = 0x1_0000;

export const dplOf = (rights: number): number => (rights & SegmentAccess.DPL) >>> 5;
export const isPresent = (rights: number): boolean => (rights & SegmentAccess.P) !== 0;
export const isSegment = (rights: number): boolean => (rights & SegmentAccess.S) !== 0;
export const isCode = (rights: number): boolean => isSegment(rights) && (rights & 8) !== 0;
export const isConforming = (rights: number): boolean => isCode(rights) && (rights & 4) !== 0;
export const isWritable = (rights: number): boolean => isSegment(rights) && (rights & 0xa) === 2;
export const isReadable = (rights: number): boolean => isSegment(rights) && (rights & 0xa) !== 8;

/** The linear address of a selector's descriptor, of `size` bytes. @throws {GuestFault} of `vector` if it is beyond its table's limit */
export function descriptorPlace(guest: Guest, selector: number, vector: number, size = 8): bigint {
  const ldtr = guest.segment('ldtr');
  const isLocal = (selector & 4) !== 0;
  const [base, limit] = isLocal ? [ldtr.base, (ldtr.rights & UNUSABLE) === 0 ? ldtr.limit : -1] : [guest.get('gdtr.base'), Number(guest.get('gdtr.limit'))];
  const offset = selector & 0xfff8;
  if (offset + size - 1 > limit) throw new GuestFault(vector, selector & 0xfffc);
  return BigInt.asUintN(64, base + BigInt(offset));
}

/** The descriptor of a selector. @throws {GuestFault} of `vector` if it is beyond its table's limit */
export function descriptorOf(guest: Guest, memory: SystemMemory, selector: number, vector: number): SystemDescriptor {
  const at = descriptorPlace(guest, selector, vector);
  return toDescriptor(at, memory.read(at, 8));
}

/** The descriptor of 8 bytes at a linear address. */
export function toDescriptor(at: bigint, raw: bigint): SystemDescriptor {
  const high = Number(raw >> 32n);
  const pages = (high & 0x80_0000) !== 0;
  const low20 = Number(raw & 0xffffn) | (high & 0xf_0000);
  return {
    at,
    base: ((raw >> 16n) & 0xff_ffffn) | (BigInt(high >>> 24) << 24n),
    limit: (pages ? (low20 << 12) | 0xfff : low20) >>> 0,
    rights: (high >>> 8) & 0xf0ff,
  };
}

/** Changes the type of a descriptor in memory: bit 1 of TSSs says busy, bit 0 of others accessed. */
export function setType(memory: SystemMemory, { at, rights }: SystemDescriptor, type: number): void {
  memory.write(at + 5n, 1, BigInt((rights & 0xf0) | type));
}

