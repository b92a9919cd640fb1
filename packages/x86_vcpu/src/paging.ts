/** The guest's own page tables, walked by the hypervisor for the instructions that it emulates (SDM vol. 3, chapter 4). */
import { Cr0, Cr4, Efer, PageFaultError, Rflags, Vector } from '@axvisor/axvisor_api/arch/x86';
import { physMemory } from '@axvisor/axvisor_api/memory';
import type { Guest } from './guest.ts';
import type { NestedMemory } from './nested.ts';

/** An exception that an emulated instruction raises. */
export class GuestFault extends Error {
  readonly vector: number;
  readonly errorCode: number | undefined;
  /** CR2, of page faults. */
  readonly address: bigint | undefined;

  constructor(vector: number, errorCode?: number, address?: bigint) {
    super(`exception ${vector}`);
    this.vector = vector;
    this.errorCode = errorCode;
    this.address = address;
  }
}

export interface LinearAccess {
  readonly write: boolean;
  readonly fetch: boolean;
  readonly user: boolean;
}

const PRESENT = 1;
const WRITE = 2;
const USER = 4;
const PAGE_SIZE = 0x80;
/** In the high half of an entry. */
const NX = 1 << 31;
const FRAME_HI = 0x000f_ffff;
const FRAME_MASK = 0x000f_ffff_ffff_f000n;
const HIGH = 2 ** 32;

/** Bits of control registers, in their low halves. */
const PG = Number(Cr0.PG) | 0;
const WP = Number(Cr0.WP);
const PSE = Number(Cr4.PSE);
const PAE = Number(Cr4.PAE);
const LA57 = Number(Cr4.LA57);
const SMEP = Number(Cr4.SMEP);
const SMAP = Number(Cr4.SMAP);
const LMA = Number(Efer.LMA);
const NXE = Number(Efer.NXE);
const AC = Number(Rflags.AC);

/** Whether an entry at `level` is a leaf: level 0 always, above it with PS, which two-level tables heed with CR4.PSE only. */
const isLeaf = (entry: number, level: number, levels: number, cr4: number): boolean =>
  level === 0 || ((entry & PAGE_SIZE) !== 0 && level < 3 && (levels !== 2 || (cr4 & PSE) !== 0) && !(levels === 3 && level === 2));

/**
 * Translates a linear address. Accessed and dirty flags are the processor's business: it has walked the same tables before it left the guest.
 *
 * @throws {GuestFault} #PF
 */
export function translateLinear(guest: Guest, memory: NestedMemory, linear: bigint, access: LinearAccess): bigint {
  const gpa = walk(guest, memory, Number(BigInt.asIntN(32, linear)), Number(BigInt.asIntN(32, linear >> 32n)), access);
  if (gpa >= 0) return BigInt(gpa);
  const withId = access.fetch && (((guest.low('efer') & NXE) !== 0 && (guest.low('cr4') & PAE) !== 0) || (guest.low('cr4') & SMEP) !== 0);
  const code = (gpa === DENIED ? PageFaultError.P : 0) | (access.write ? PageFaultError.WR : 0) | (access.user ? PageFaultError.US : 0) | (withId ? PageFaultError.ID : 0);
  throw new GuestFault(Vector.PF, code, linear);
}

/** Pages that an entry spans, by level from 0 on, where tables have 1024 or 512 entries. */
const SPANS_1024: readonly number[] = [1, 1024];
const SPANS_512: readonly number[] = [0, 1, 2, 3, 4].map((level) => 512 ** level);

/** Results of {@link walk} that are no address. */
const ABSENT = -1;
const DENIED = -2;

/** {@link translateLinear} of an address in two words: the guest physical address, or why there is none. */
export function walk(guest: Guest, memory: NestedMemory, lo: number, hi: number, access: LinearAccess): number {
  const cr0 = guest.low('cr0');
  if ((cr0 & PG) === 0) return lo >>> 0;
  const cr4 = guest.low('cr4');
  const efer = guest.low('efer');
  const levels = (cr4 & PAE) === 0 ? 2 : (efer & LMA) === 0 ? 3 : (cr4 & LA57) === 0 ? 4 : 5;
  const spans = levels === 2 ? SPANS_1024 : SPANS_512;
  const last = levels === 2 ? 1023 : 511;
  const noExecute = (efer & NXE) !== 0 && levels !== 2;
  const { words } = physMemory();
  // Bits 56:0 are all that is looked at, and below 2^57 numbers lose none that index tables.
  const top = (hi & 0x1ff_ffff) * 0x10_0000 + (lo >>> 12);
  const cr3 = guest.get('cr3');
  let table = Number(levels === 3 ? cr3 & 0xffff_ffe0n : cr3 & FRAME_MASK);
  let rights = WRITE | USER;
  let executable = true;
  for (let level = levels - 1; level >= 0; level--) {
    const pdpte = levels === 3 && level === 2;
    const span = spans[level] as number;
    const index = Math.floor(top / span) & (pdpte ? 3 : last);
    const at = memory.place(table + index * (levels === 2 ? 4 : 8), false);
    const entry = at < 0 ? 0 : (words[at >> 2] as number);
    if ((entry & PRESENT) === 0) return ABSENT;
    const high = levels === 2 ? 0 : (words[(at >> 2) + 1] as number);
    if (!pdpte) {
      rights &= entry;
      if (noExecute && (high & NX) !== 0) executable = false;
    }
    if (isLeaf(entry, level, levels, cr4)) {
      if (!allowed(guest, access, rights, executable, cr0, cr4)) return DENIED;
      const size = 4096 * span;
      // A 4 MiB page of a two-level table has address bits 39:32 in 20:13.
      const frame = levels === 2 && level === 1 ? ((entry >>> 13) & 0xff) * HIGH + ((entry & 0xffc0_0000) >>> 0) : (high & FRAME_HI) * HIGH + ((entry & ~0xfff) >>> 0);
      return frame - (frame % size) + (top % span) * 4096 + (lo & 0xfff);
    }
    table = (high & FRAME_HI) * HIGH + ((entry & ~0xfff) >>> 0);
  }
  return ABSENT;
}

/** Access rights of a page (SDM vol. 3, 4.6.1). */
function allowed(guest: Guest, access: LinearAccess, rights: number, executable: boolean, cr0: number, cr4: number): boolean {
  const userPage = (rights & USER) !== 0;
  const writable = (rights & WRITE) !== 0;
  if (access.fetch && !executable) return false;
  if (access.user) return userPage && (!access.write || writable);
  if (access.fetch) return !(userPage && (cr4 & SMEP) !== 0);
  if (userPage && (cr4 & SMAP) !== 0 && (guest.low('rflags') & AC) === 0) return false;
  return !access.write || writable || (cr0 & WP) === 0;
}

/** What an entry of the page-directory-pointer table of PAE paging may have: present, PWT, PCD, ignored bits, the table (SDM vol. 3, table 4-8). */
const PDPTE_BITS = FRAME_MASK | 0xe19n;

/**
 * Loads the four entries that PAE paging keeps in the processor (SDM vol. 3, 4.4.1).
 *
 * @returns false if one has reserved bits: #GP
 */
export function loadPdptes(guest: Guest, memory: NestedMemory, cr3: bigint): boolean {
  const table = cr3 & 0xffff_ffe0n;
  const entries = Array.from({ length: 4 }, (_, i) => memory.read(table + BigInt(8 * i), 8) ?? 0n);
  if (entries.some((entry) => (entry & 1n) !== 0n && (entry & ~PDPTE_BITS) !== 0n)) return false;
  guest.setPdptes(entries);
  return true;
}
