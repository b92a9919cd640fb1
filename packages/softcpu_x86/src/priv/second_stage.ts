/** What a second stage of translation is to paging: EPT of VMX, nested paging of SVM. */
import { GUEST_BLOCK_SIZE, GuestBlocks, GuestPages } from '@axvisor/softcpu';
import type { FaultRecord } from './abort.ts';
import { Permission } from './interface.ts';
import type { Access } from './interface.ts';
import type { Physical } from './physical.ts';
import { toNumber, type Registers } from './registers.ts';

/** Bytes that an entry of a table of each level maps. */
export const SPAN: readonly number[] = [0, 4096, 0x20_0000, 0x4000_0000];

/** By access: the permission it needs. */
export const needOf: readonly number[] = [Permission.read, Permission.write, Permission.execute];

/** A table walk reads (and, for accessed and dirty flags, writes) paging structures; everything else is what the linear address leads to. */
export abstract class SecondStage {
  /** Of the last successful translation: {@link Permission} bits, and bytes that map linearly. */
  permissions = 0;
  size = 4096;
  /** Tells the tables from others. */
  name = '0.0';
  protected readonly physical: Physical;
  protected readonly fault: FaultRecord;
  /** Bits of an entry's upper word that are beyond physical addresses. */
  protected readonly reservedHi: number;
  private readonly pages = new GuestPages();
  /** The same for walks in generated code. */
  private readonly blocks: GuestBlocks;
  private rootLo = 0;
  private rootHi = 0;

  constructor(regs: Registers, physical: Physical, physicalBits: number, guestBlocks?: number) {
    this.physical = physical;
    this.blocks = new GuestBlocks(physical, guestBlocks);
    this.fault = regs.fault;
    this.reservedHi = 0x000f_ffff & ~(2 ** (physicalBits - 32) - 1);
  }

  /**
   * Host physical address of a guest physical one, or -1 with the fault record filled in (but for the linear address).
   * `tableWalk`: the access is to a paging structure; `access` is then ignored where the architecture makes it a write.
   */
  abstract translate(gpa: number, access: Access, tableWalk: boolean): number;

  /** Forgets what is cached. */
  flush(): void {
    this.pages.clear();
    this.blocks.clear();
  }

  protected hasRoot(lo: number, hi: number): boolean {
    return lo === this.rootLo && hi === this.rootHi;
  }

  /** Uses tables of their own from now on. */
  protected setRoot(lo: number, hi: number): void {
    this.rootLo = lo;
    this.rootHi = hi;
    this.name = `${lo}.${hi}`;
    this.flush();
  }

  protected get root(): number {
    return this.tableAt(this.rootLo, this.rootHi);
  }

  /** Physical address that the words of an entry hold. */
  protected tableAt(lo: number, hi: number): number {
    return toNumber(lo & ~0xfff, hi & 0x000f_ffff);
  }

  /** Distance of the entry for an address in a table of a level. */
  protected entryOffset(lo: number, hi: number, level: number): number {
    const shift = 12 + 9 * (level - 1);
    return 8 * (shift >= 32 ? (hi >>> (shift - 32)) & 511 : shift === 30 ? ((lo >>> 30) | (hi << 2)) & 511 : (lo >>> shift) & 511);
  }

  /** What is known of the page of a number, if it permits an access; -1 if it does not. */
  protected cached(gpa: number, number: number, access: Access): number {
    const { pages } = this;
    if (!pages.find(number) || (pages.rights & (needOf[access] as number)) === 0) return -1;
    this.permissions = pages.rights;
    this.size = pages.size;
    return pages.page + (gpa - number * 4096);
  }

  /** Keeps what an entry of a level that maps memory permits. @returns the physical address */
  protected map(number: number, lo: number, entry: number, entryHi: number, level: number, permissions: number): number {
    const span = SPAN[level] as number;
    const page = this.tableAt((entry & ~(span - 1)) | (lo & (span - 1)), entryHi);
    this.permissions = permissions;
    this.size = span;
    this.pages.add(number, page, permissions, span);
    if (span >= GUEST_BLOCK_SIZE) this.blocks.add(number, page, permissions);
    return page + (lo & 0xfff);
  }
}
