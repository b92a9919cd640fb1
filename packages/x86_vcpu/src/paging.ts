/** The guest's own page tables, walked by the hypervisor for the instructions that it emulates (SDM vol. 3, chapter 4). */
import { Cr0, Cr4, Efer, PageFaultError, Rflags, Vector } from '@axvisor/axvisor_api/arch/x86';
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

const PRESENT = 1n;
const WRITE = 2n;
const USER = 4n;
const PAGE_SIZE = 0x80n;
const NX = 1n << 63n;
const FRAME_MASK = 0x000f_ffff_ffff_f000n;

interface Shape {
  readonly levels: number;
  /** Index bits of a level, and bytes of an entry. */
  readonly bits: bigint;
  readonly bytes: 4 | 8;
}

function shapeOf(cr4: bigint, efer: bigint): Shape {
  if ((cr4 & Cr4.PAE) === 0n) return { levels: 2, bits: 10n, bytes: 4 };
  if ((efer & Efer.LMA) === 0n) return { levels: 3, bits: 9n, bytes: 8 };
  return { levels: (cr4 & Cr4.LA57) === 0n ? 4 : 5, bits: 9n, bytes: 8 };
}

/** Whether an entry at `level` is a leaf: level 0 always, above it with PS, which two-level tables heed with CR4.PSE only. */
const isLeaf = (entry: bigint, level: number, shape: Shape, cr4: bigint): boolean =>
  level === 0 || ((entry & PAGE_SIZE) !== 0n && level < 3 && (shape.bytes === 8 || (cr4 & Cr4.PSE) !== 0n) && !(shape.levels === 3 && level === 2));

/**
 * Translates a linear address. Accessed and dirty flags are the processor's business: it has walked the same tables before it left the guest.
 *
 * @throws {GuestFault} #PF
 */
export function translateLinear(guest: Guest, memory: NestedMemory, linear: bigint, access: LinearAccess): bigint {
  const cr0 = guest.get('cr0');
  if ((cr0 & Cr0.PG) === 0n) return BigInt.asUintN(32, linear);
  const [cr3, cr4, efer] = [guest.get('cr3'), guest.get('cr4'), guest.get('efer')];
  const shape = shapeOf(cr4, efer);
  const { levels, bits, bytes } = shape;
  const noExecute = (efer & Efer.NXE) !== 0n && bytes === 8;
  const fault = (present: number): GuestFault =>
    new GuestFault(
      Vector.PF,
      present | (access.write ? PageFaultError.WR : 0) | (access.user ? PageFaultError.US : 0) | (access.fetch && (noExecute || (cr4 & Cr4.SMEP) !== 0n) ? PageFaultError.ID : 0),
      linear,
    );
  let table = levels === 3 ? cr3 & 0xffff_ffe0n : cr3 & FRAME_MASK;
  let rights = WRITE | USER;
  let executable = true;
  for (let level = levels - 1; level >= 0; level--) {
    const shift = 12n + bits * BigInt(level);
    const index = (linear >> shift) & (levels === 3 && level === 2 ? 3n : (1n << bits) - 1n);
    const entry = memory.read(table + index * BigInt(bytes), bytes) ?? 0n;
    if ((entry & PRESENT) === 0n) throw fault(0);
    if (!(levels === 3 && level === 2)) {
      rights &= entry;
      if (noExecute && (entry & NX) !== 0n) executable = false;
    }
    if (isLeaf(entry, level, shape, cr4)) {
      if (!allowed(guest, access, rights, executable, cr0, cr4)) throw fault(PageFaultError.P);
      const inside = (1n << shift) - 1n;
      // A 4 MiB page of a two-level table has address bits 39:32 in 20:13.
      const frame = bytes === 4 && level === 1 ? (entry & 0xffc0_0000n) | (((entry >> 13n) & 0xffn) << 32n) : entry & FRAME_MASK;
      return (frame & ~inside) | (linear & inside);
    }
    table = entry & (bytes === 4 ? 0xffff_f000n : FRAME_MASK);
  }
  throw fault(0);
}

/** Access rights of a page (SDM vol. 3, 4.6.1). */
function allowed(guest: Guest, access: LinearAccess, rights: bigint, executable: boolean, cr0: bigint, cr4: bigint): boolean {
  const userPage = (rights & USER) !== 0n;
  const writable = (rights & WRITE) !== 0n;
  if (access.fetch && !executable) return false;
  if (access.user) return userPage && (!access.write || writable);
  if (access.fetch) return !(userPage && (cr4 & Cr4.SMEP) !== 0n);
  if (userPage && (cr4 & Cr4.SMAP) !== 0n && (guest.get('rflags') & Rflags.AC) === 0n) return false;
  return !access.write || writable || (cr0 & Cr0.WP) === 0n;
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
  if (entries.some((entry) => (entry & PRESENT) !== 0n && (entry & ~PDPTE_BITS) !== 0n)) return false;
  guest.setPdptes(entries);
  return true;
}
