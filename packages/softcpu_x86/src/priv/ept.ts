/** Extended page tables with accessed and dirty flags (SDM vol. 3, 29.3): guest physical to host physical addresses. */
import { GUEST_BLOCK_SIZE, GuestBlocks, GuestPages } from '@axvisor/softcpu';
import { Fault, type FaultRecord } from './abort.ts';
import { Access, Permission } from './interface.ts';
import type { Physical } from './physical.ts';
import { highOf, toNumber, type Registers } from './registers.ts';
import type { SecondStage } from './second_stage.ts';

const { read: R, write: W, execute: X } = Permission;
const LEAF = 1 << 7;
const A = 1 << 8;
const D = 1 << 9;
/** Memory types that exist: UC, WC, WT, WP, WB. */
const MEMORY_TYPES = 0b0111_0011;
const SPAN: readonly number[] = [0, 4096, 0x20_0000, 0x4000_0000];
/** Reserved low-word bits of entries that refer to another table, by level. */
const TABLE_RESERVED: readonly number[] = [0, 0, 0x78, 0x78, 0xf8];

/** Guest permissions of the EPT's R, W and X, which are the same bits. */
const needOf: readonly number[] = [R, W, X];

/** The EPT of one logical processor. */
export class Ept implements SecondStage {
  permissions = 0;
  size = 4096;
  private readonly pages = new GuestPages();
  /** The same for walks in generated code. */
  private readonly blocks: GuestBlocks;
  private readonly physical: Physical;
  private readonly fault: FaultRecord;
  private readonly reservedHi: number;
  private rootLo = 0;
  private rootHi = 0;
  /** Tells the tables from others. */
  name = '';
  private dirtyFlags = false;
  private walkFlags = 0;

  constructor(regs: Registers, physical: Physical, physicalBits: number, guestBlocks?: number) {
    this.physical = physical;
    this.blocks = new GuestBlocks(physical, guestBlocks);
    this.fault = regs.fault;
    this.reservedHi = 0x000f_ffff & ~(2 ** (physicalBits - 32) - 1);
  }

  /** Uses an EPT pointer whose validity was checked. What is cached of another one is dropped. */
  load(lo: number, hi: number): void {
    if (lo === this.rootLo && hi === this.rootHi) return;
    this.rootLo = lo;
    this.rootHi = hi;
    this.name = `${lo}.${hi}`;
    this.dirtyFlags = (lo & 0x40) !== 0;
    this.walkFlags = this.dirtyFlags ? A : 0;
    this.flush();
  }

  flush(): void {
    this.pages.clear();
    this.blocks.clear();
  }

  translate(gpa: number, kind: Access, tableWalk: boolean): number {
    // With the flags enabled, accesses to the guest's paging structures are writes (SDM vol. 3, 29.3.5).
    const access = tableWalk && this.dirtyFlags ? Access.store : kind;
    const number = Math.floor(gpa / 4096);
    const { pages } = this;
    if (pages.find(number) && (pages.rights & needOf[access]!) !== 0) {
      this.permissions = pages.rights;
      this.size = pages.size;
      return pages.page + (gpa - number * 4096);
    }
    // The read and the write of an update of the guest's accessed flag are one access.
    return this.walk(gpa, access, tableWalk && this.dirtyFlags, number);
  }

  private walk(gpa: number, access: Access, readAlso: boolean, number: number): number {
    const lo = gpa | 0;
    const hi = highOf(gpa);
    const need = needOf[access]!;
    let rights = R | W | X;
    let table = toNumber(this.rootLo & ~0xfff, this.rootHi & 0x000f_ffff);
    if (hi >>> 16 !== 0) return this.violation(access, readAlso, 0);
    for (let level = 4; ; level--) {
      const shift = 12 + 9 * (level - 1);
      const index = shift >= 32 ? (hi >>> (shift - 32)) & 511 : shift === 30 ? ((lo >>> 30) | (hi << 2)) & 511 : (lo >>> shift) & 511;
      const at = table + 8 * index;
      const entry = this.physical.read64(at);
      const entryHi = this.physical.hi;
      if ((entry & 7) === 0) return this.violation(access, readAlso, 0);
      const leaf = level === 1 || (level < 4 && (entry & LEAF) !== 0);
      if (this.misconfigured(entry, entryHi, level, leaf)) {
        this.fault.kind = Fault.stage2;
        this.fault.misconfigured = true;
        return -1;
      }
      rights &= entry;
      if (leaf) {
        if ((rights & need) === 0 || (readAlso && (rights & R) === 0)) return this.violation(access, readAlso, rights);
        let marked = entry;
        if (this.dirtyFlags) {
          marked |= access === Access.store ? A | D : A;
          // Raced with another processor: what it wrote is read again.
          if (marked !== entry && !this.physical.update(at, entry, marked)) return this.walk(gpa, access, readAlso, number);
        }
        const span = SPAN[level]!;
        const page = toNumber((entry & ~(span - 1) & ~0xfff) | (lo & (span - 1) & ~0xfff), entryHi & 0x000f_ffff);
        this.permissions = this.dirtyFlags && (marked & D) === 0 ? rights & ~W : rights;
        this.size = span;
        this.pages.add(number, page, this.permissions, span);
        if (span >= GUEST_BLOCK_SIZE) this.blocks.add(number, page, this.permissions);
        return page + (lo & 0xfff);
      }
      if (this.walkFlags !== 0 && (entry & A) === 0 && !this.physical.update(at, entry, entry | A)) return this.walk(gpa, access, readAlso, number);
      table = toNumber(entry & ~0xfff, entryHi & 0x000f_ffff);
    }
  }

  /** SDM vol. 3, 29.3.3.1. */
  private misconfigured(lo: number, hi: number, level: number, leaf: boolean): boolean {
    if ((lo & 3) === 2 || (hi & this.reservedHi) !== 0) return true;
    if (!leaf) return (lo & TABLE_RESERVED[level]!) !== 0;
    if (((MEMORY_TYPES >>> ((lo >>> 3) & 7)) & 1) === 0) return true;
    return level > 1 && (lo & (SPAN[level]! - 1) & ~0xfff) !== 0;
  }

  /** Bits 2:0 what was attempted, 5:3 what the entries permit. */
  private violation(access: Access, readAlso: boolean, rights: number): -1 {
    const { fault } = this;
    fault.kind = Fault.stage2;
    fault.misconfigured = false;
    fault.qualification = needOf[access]! | (readAlso ? R : 0) | ((rights & 7) << 3);
    return -1;
  }
}
