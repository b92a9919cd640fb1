/** Nested paging of SVM (APM vol. 2, 15.25): guest physical addresses through page tables in the format of long mode, every access a user access. */
import { GUEST_BLOCK_SIZE, GuestBlocks, GuestPages } from '@axvisor/softcpu';
import { Fault, type FaultRecord } from './abort.ts';
import { PF } from './fields.ts';
import { Access, Permission } from './interface.ts';
import type { Physical } from './physical.ts';
import { highOf, toNumber, type Registers } from './registers.ts';
import type { SecondStage } from './second_stage.ts';

const { read: R, write: W, execute: X } = Permission;
const PTE = { P: 1, RW: 2, US: 4, A: 32, D: 64, PS: 128 } as const;
const SPAN: readonly number[] = [0, 4096, 0x20_0000, 0x4000_0000];
const needOf: readonly number[] = [R, W, X];

/** The nested page tables of one logical processor. */
export class NestedPaging implements SecondStage {
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
  name = '0.0';
  /** The host's EFER.NXE. */
  private nxe = false;

  constructor(regs: Registers, physical: Physical, physicalBits: number, guestBlocks?: number) {
    this.physical = physical;
    this.blocks = new GuestBlocks(physical, guestBlocks);
    this.fault = regs.fault;
    this.reservedHi = 0x000f_ffff & ~(2 ** (physicalBits - 32) - 1);
  }

  load(lo: number, hi: number, nxe: boolean): void {
    if (lo === this.rootLo && hi === this.rootHi && nxe === this.nxe) return;
    this.rootLo = lo;
    this.rootHi = hi;
    this.name = `${lo}.${hi}`;
    this.nxe = nxe;
    this.flush();
  }

  flush(): void {
    this.pages.clear();
    this.blocks.clear();
  }

  translate(gpa: number, kind: Access, tableWalk: boolean): number {
    // The guest's paging structures are written, for their accessed flags (APM vol. 2, 15.25.5).
    const access = tableWalk ? Access.store : kind;
    const number = Math.floor(gpa / 4096);
    const { pages } = this;
    if (pages.find(number) && (pages.rights & needOf[access]!) !== 0) {
      this.permissions = pages.rights;
      this.size = pages.size;
      return pages.page + (gpa - number * 4096);
    }
    return this.walk(gpa, access, number);
  }

  private walk(gpa: number, access: Access, number: number): number {
    const lo = gpa | 0;
    const hi = highOf(gpa);
    if (hi >>> 16 !== 0) return this.refuse(access, 0);
    const reservedHi = this.reservedHi | (this.nxe ? 0 : 1 << 31);
    let rights = R | W | X;
    let user = true;
    let table = toNumber(this.rootLo & ~0xfff, this.rootHi & 0x000f_ffff);
    for (let level = 4; ; level--) {
      const shift = 12 + 9 * (level - 1);
      const index = shift >= 32 ? (hi >>> (shift - 32)) & 511 : shift === 30 ? ((lo >>> 30) | (hi << 2)) & 511 : (lo >>> shift) & 511;
      const at = table + 8 * index;
      const entry = this.physical.read64(at);
      const entryHi = this.physical.hi;
      if ((entry & PTE.P) === 0) return this.refuse(access, 0);
      const large = level > 1 && (entry & PTE.PS) !== 0;
      const span = SPAN[level] ?? 0;
      if ((entryHi & reservedHi) !== 0 || (large && (level > 3 || (entry & (span - 1) & ~0x1fff) !== 0))) return this.refuse(access, PF.P | PF.RSVD);
      if ((entry & PTE.RW) === 0) rights &= ~W;
      if ((entry & PTE.US) === 0) user = false;
      if (entryHi < 0) rights &= ~X;
      const leaf = level === 1 || large;
      if (leaf && (!user || (rights & needOf[access]!) === 0)) return this.refuse(access, PF.P);
      const marked = entry | (leaf && access === Access.store ? PTE.A | PTE.D : PTE.A);
      // Raced with another processor: what it wrote is read again.
      if (marked !== entry && !this.physical.update(at, entry, marked)) return this.walk(gpa, access, number);
      if (leaf) {
        const page = toNumber((entry & ~(span - 1) & ~0xfff) | (lo & (span - 1) & ~0xfff), entryHi & 0x000f_ffff);
        this.permissions = (marked & PTE.D) === 0 ? rights & ~W : rights;
        this.size = span;
        this.pages.add(number, page, this.permissions, span);
        if (span >= GUEST_BLOCK_SIZE) this.blocks.add(number, page, this.permissions);
        return page + (lo & 0xfff);
      }
      table = toNumber(entry & ~0xfff, entryHi & 0x000f_ffff);
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
