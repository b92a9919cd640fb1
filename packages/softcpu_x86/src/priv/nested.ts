/** Nested paging of SVM (APM vol. 2, 15.25): guest physical addresses through page tables in the format of long mode, every access a user access. */
import { Fault } from './abort.ts';
import { PF } from './fields.ts';
import { Access, Permission } from './interface.ts';
import { highOf } from './registers.ts';
import { SPAN, SecondStage, needOf } from './second_stage.ts';

const { read: R, write: W, execute: X } = Permission;
const PTE = { P: 1, RW: 2, US: 4, A: 32, D: 64, PS: 128 } as const;

/** The nested page tables of one logical processor. */
export class NestedPaging extends SecondStage {
  /** The host's EFER.NXE. */
  private nxe = false;

  load(lo: number, hi: number, nxe: boolean): void {
    if (this.hasRoot(lo, hi) && nxe === this.nxe) return;
    this.nxe = nxe;
    this.setRoot(lo, hi);
  }

  override translate(gpa: number, kind: Access, tableWalk: boolean): number {
    // The guest's paging structures are written, for their accessed flags (APM vol. 2, 15.25.5).
    const access = tableWalk ? Access.store : kind;
    const number = Math.floor(gpa / 4096);
    const known = this.cached(gpa, number, access);
    return known >= 0 ? known : this.walk(gpa, access, number);
  }

  private walk(gpa: number, access: Access, number: number): number {
    const lo = gpa | 0;
    const hi = highOf(gpa);
    if (hi >>> 16 !== 0) return this.refuse(access, 0);
    const reservedHi = this.reservedHi | (this.nxe ? 0 : 1 << 31);
    let rights = R | W | X;
    let user = true;
    let table = this.root;
    for (let level = 4; ; level--) {
      const at = table + this.entryOffset(lo, hi, level);
      const entry = this.physical.read64(at);
      const entryHi = this.physical.hi;
      if ((entry & PTE.P) === 0) return this.refuse(access, 0);
      const large = level > 1 && (entry & PTE.PS) !== 0;
      if ((entryHi & reservedHi) !== 0 || (large && (level > 3 || (entry & (SPAN[level]! - 1) & ~0x1fff) !== 0))) return this.refuse(access, PF.P | PF.RSVD);
      if ((entry & PTE.RW) === 0) rights &= ~W;
      if ((entry & PTE.US) === 0) user = false;
      if (entryHi < 0) rights &= ~X;
      const leaf = level === 1 || large;
      if (leaf && (!user || (rights & needOf[access]!) === 0)) return this.refuse(access, PF.P);
      const marked = entry | (leaf && access === Access.store ? PTE.A | PTE.D : PTE.A);
      // Raced with another processor: what it wrote is read again.
      if (marked !== entry && !this.physical.update(at, entry, marked)) return this.walk(gpa, access, number);
      if (leaf) return this.map(number, lo, entry, entryHi, level, (marked & PTE.D) === 0 ? rights & ~W : rights);
      table = this.tableAt(entry, entryHi);
    }
  }

  /** Records EXITINFO1's low word: the error code of a page fault at user level. */
  private refuse(access: Access, bits: number): -1 {
    const { fault } = this;
    fault.kind = Fault.stage2;
    fault.misconfigured = false;
    fault.qualification = bits | PF.U | (access === Access.store ? PF.W : 0) | (access === Access.fetch ? PF.I : 0);
    return -1;
  }
}
