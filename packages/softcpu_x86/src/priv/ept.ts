/** Extended page tables with accessed and dirty flags (SDM vol. 3, 29.3): guest physical to host physical addresses. */
import { Fault } from './abort.ts';
import { Access, Permission } from './interface.ts';
import { highOf } from './registers.ts';
import { SPAN, SecondStage, needOf } from './second_stage.ts';

const { read: R, write: W, execute: X } = Permission;
const LEAF = 1 << 7;
const A = 1 << 8;
const D = 1 << 9;
/** Memory types that exist: UC, WC, WT, WP, WB. */
const MEMORY_TYPES = 0b0111_0011;
/** Reserved low-word bits of entries that refer to another table, by level. */
const TABLE_RESERVED: readonly number[] = [0, 0, 0x78, 0x78, 0xf8];

/** The EPT of one logical processor. Its entries' R, W and X are permissions of a guest as they are. */
export class Ept extends SecondStage {
  private dirtyFlags = false;
  private walkFlags = 0;

  /** Uses an EPT pointer whose validity was checked. What is cached of another one is dropped. */
  load(lo: number, hi: number): void {
    if (this.hasRoot(lo, hi)) return;
    this.dirtyFlags = (lo & 0x40) !== 0;
    this.walkFlags = this.dirtyFlags ? A : 0;
    this.setRoot(lo, hi);
  }

  override translate(gpa: number, kind: Access, tableWalk: boolean): number {
    // With the flags enabled, accesses to the guest's paging structures are writes (SDM vol. 3, 29.3.5).
    const access = tableWalk && this.dirtyFlags ? Access.store : kind;
    const number = Math.floor(gpa / 4096);
    const known = this.cached(gpa, number, access);
    // The read and the write of an update of the guest's accessed flag are one access.
    return known >= 0 ? known : this.walk(gpa, access, tableWalk && this.dirtyFlags, number);
  }

  private walk(gpa: number, access: Access, readAlso: boolean, number: number): number {
    const lo = gpa | 0;
    const hi = highOf(gpa);
    const need = needOf[access]!;
    let rights = R | W | X;
    let table = this.root;
    if (hi >>> 16 !== 0) return this.violation(access, readAlso, 0);
    for (let level = 4; ; level--) {
      const at = table + this.entryOffset(lo, hi, level);
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
        return this.map(number, lo, entry, entryHi, level, this.dirtyFlags && (marked & D) === 0 ? rights & ~W : rights);
      }
      if (this.walkFlags !== 0 && (entry & A) === 0 && !this.physical.update(at, entry, entry | A)) return this.walk(gpa, access, readAlso, number);
      table = this.tableAt(entry, entryHi);
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
