/**
 * Linear to physical addresses: no paging, 32-bit, PAE, 4-level and 5-level paging with accessed and dirty flags, WP, NX, SMEP and SMAP (SDM vol. 3,
 * chapter 4), and what a second stage makes of the result.
 */
import type { FaultRecord } from './abort.ts';
import { CR0, CR4, EFER, PF, V } from './fields.ts';
import { Access, Permission } from './interface.ts';
import type { Physical } from './physical.ts';
import { slot, toNumber, type Registers } from './registers.ts';
import type { SecondStage } from './second_stage.ts';
import { MMU, NESTED } from '../state.ts';

const { read: R, write: W, execute: X, global: GLOBAL } = Permission;
const { cr0: CR0_SLOT, cr3: CR3_SLOT, cr4: CR4_SLOT, efer: EFER_SLOT, pdpte0: PDPTE0 } = slot;

/** Bits of paging-structure entries, low and high word. */
const PTE = { P: 1, RW: 2, US: 4, A: 32, D: 64, PS: 128, G: 256 } as const;
const NX_HI = 1 << 31;
/** In place of the bits of a page fault's error code that say P and RSVD. */
const NO_FAULT = -1;
/** Bits 62:52 in the high word: ignored by 4- and 5-level paging, reserved in PAE paging. */
const IGNORED_HI = 0x7ff0_0000;

/** Bytes a leaf of 8-byte entries spans by level (1 is the page table), and its offset mask in the low word. */
const SPAN: readonly number[] = [0, 4096, 0x20_0000, 0x4000_0000];
/** Address bits of a large leaf that must be 0, in the low word: bits 20:13 and 29:13. */
const LARGE_RESERVED: readonly number[] = [0, 0, 0x001f_e000, 0x3fff_e000];

/** What permissions depend on: the rights of entries, WP of CR0, SMEP and SMAP of CR4; and the MMU mode, this many times. */
const USER = 1;
const WRITABLE = 2;
const NO_EXECUTE = 4;
const PROTECTS = 8;
const SMEP = 16;
const SMAP = 32;
const MODE = 64;

/** What is allowed, by all of it: looked up, because whatever comes for the first time interrupts optimized code. */
const ALLOWED: Uint8Array = Uint8Array.from({ length: 4 * MODE }, (_, i) => {
  const mmu = Math.floor(i / MODE);
  const user = (i & USER) !== 0;
  const writes = (i & WRITABLE) !== 0 ? W : 0;
  const executes = (i & NO_EXECUTE) !== 0 ? 0 : X;
  if (mmu === MMU.user) return user ? R | writes | executes : 0;
  const guarded = user && (mmu === MMU.supervisorSmap || (mmu === MMU.implicit && (i & SMAP) !== 0));
  const data = guarded ? 0 : R | ((i & PROTECTS) !== 0 ? writes : W);
  return data | (user && (i & SMEP) !== 0 ? 0 : executes);
});
/** By kind of access. */
const NEEDS: readonly number[] = [R, W, X];

/** Index into the table of 512 entries at a level, as a byte offset. */
function offsetAt(lo: number, hi: number, level: number): number {
  switch (level) {
    case 1:
      return (lo >>> 9) & 0xff8;
    case 2:
      return (lo >>> 18) & 0xff8;
    case 3:
      return ((lo >>> 27) | (hi << 5)) & 0xff8;
    case 4:
      return (hi >>> 4) & 0xff8;
    default:
      return (hi >>> 13) & 0xff8;
  }
}

/** Translates for one logical processor. */
export class Paging {
  /** Of the last successful translation: what the current mode may do with the page without asking again, and bytes that map linearly. */
  permissions = 0;
  size = 4096;
  /** The guest physical address of the last translation, before a second stage. */
  guestPhysical = 0;
  /** Rights of the linear address so far: user, writable, no-execute; for EPT violations. */
  user = true;
  writable = true;
  noExecute = false;
  /** Of the guest, if it has one. */
  secondStage: SecondStage | undefined;

  private readonly regs: Registers;
  private readonly physical: Physical;
  private readonly fault: FaultRecord;
  /** High words of entries: bits that are no address because MAXPHYADDR is smaller. */
  private readonly reservedHi: number;
  private lo = 0;
  private hi = 0;
  private access: Access = Access.load;
  private mmu = 0;
  /** An entry was changed by somebody else between its reading and the update of its flags: the walk is repeated. */
  private raced = false;

  constructor(regs: Registers, physical: Physical, physicalBits: number) {
    this.regs = regs;
    this.physical = physical;
    this.fault = regs.fault;
    this.reservedHi = 0x000f_ffff & ~(2 ** (physicalBits - 32) - 1);
  }

  /** Guest physical addresses go through a second stage from now on, or through none. */
  use(stage: SecondStage | undefined): void {
    this.secondStage = stage;
    this.regs.words[this.regs.base + (NESTED >> 2)] = stage === undefined ? 0 : 1;
  }

  /**
   * Translates an access within a page, made as MMU mode `mmu` says.
   *
   * @returns the physical address, or -1 with the fault recorded
   */
  translate(lo: number, hi: number, access: Access, mmu: number): number {
    for (;;) {
      this.raced = false;
      const pa = this.attempt(lo, hi, access, mmu);
      if (!this.raced) return pa;
    }
  }

  private attempt(lo: number, hi: number, access: Access, mmu: number): number {
    const { sys } = this.regs;
    this.lo = lo;
    this.hi = hi;
    this.access = access;
    this.mmu = mmu;
    this.user = this.writable = true;
    this.noExecute = false;
    let pa: number;
    if ((sys[CR0_SLOT]! & CR0.PG) === 0) {
      this.permissions = R | W | X;
      this.size = 4096;
      pa = lo >>> 0;
    } else {
      const cr4 = sys[CR4_SLOT]!;
      if ((sys[EFER_SLOT]! & EFER.LMA) !== 0) {
        const levels = (cr4 & CR4.LA57) !== 0 ? 5 : 4;
        const sign = hi >> (levels === 5 ? 24 : 15);
        if (sign !== 0 && sign !== -1) return this.nonCanonical();
        pa = this.walk(levels, sys[CR3_SLOT]! & ~0xfff, sys[CR3_SLOT + 1]! & 0x000f_ffff, false);
      } else if ((cr4 & CR4.PAE) !== 0) pa = this.walkPae();
      else pa = this.walk32();
      if (pa < 0) return -1;
    }
    this.guestPhysical = pa;
    if (this.size > 4096) this.regs.translations.largePages.add(lo, hi, this.size);
    if (this.secondStage !== undefined) return this.second(this.secondStage, pa);
    return pa;
  }

  private second(stage: SecondStage, gpa: number): number {
    const pa = stage.translate(gpa, this.access, false);
    if (pa < 0) return this.nested(gpa, false);
    this.permissions &= stage.permissions | GLOBAL;
    if (stage.size < this.size) this.size = stage.size;
    return pa;
  }

  /** Completes the record of a second-stage fault. */
  private nested(gpa: number, tableWalk: boolean): -1 {
    const { fault } = this;
    fault.gpa = gpa;
    fault.tableWalk = tableWalk;
    fault.linear = true;
    fault.lo = this.lo;
    fault.hi = this.hi;
    return -1;
  }

  private nonCanonical(): -1 {
    this.fault.exception(V.GP, 0);
    this.fault.bySegment = true;
    return -1;
  }

  /** Records a page fault; `bits` says P and RSVD. */
  private pageFault(bits: number): -1 {
    const { sys } = this.regs;
    const cr4 = sys[CR4_SLOT]!;
    let code = bits;
    if (this.access === Access.store) code |= PF.W;
    if (this.mmu === MMU.user) code |= PF.U;
    if (this.access === Access.fetch && ((cr4 & CR4.SMEP) !== 0 || ((cr4 & CR4.PAE) !== 0 && (sys[EFER_SLOT]! & EFER.NXE) !== 0))) code |= PF.I;
    this.fault.exception(V.PF, code);
    this.fault.lo = this.lo;
    this.fault.hi = this.hi;
    return -1;
  }

  /** Where a paging-structure entry lies in host physical memory, or -1 with the fault recorded. */
  private entryAt(pa: number): number {
    if (this.secondStage === undefined) return pa;
    const at = this.secondStage.translate(pa, Access.load, true);
    return at < 0 ? this.nested(pa, true) : at;
  }

  /** 4- and 5-level paging, and with `pae` the two lower levels of PAE paging. */
  private walk(levels: number, rootLo: number, rootHi: number, pae: boolean): number {
    const { sys } = this.regs;
    const nxe = (sys[EFER_SLOT]! & EFER.NXE) !== 0;
    const reservedHi = this.reservedHi | (nxe ? 0 : NX_HI) | (pae ? IGNORED_HI : 0);
    let tableLo = rootLo;
    let tableHi = rootHi;
    let fault: number;
    for (let level = levels; ; level--) {
      const at = this.entryAt(toNumber(tableLo, tableHi) + offsetAt(this.lo, this.hi, level));
      if (at < 0) return -1;
      const lo = this.physical.read64(at);
      const { hi } = this.physical;
      const large = (lo & PTE.PS) !== 0 && level > 1;
      const isReserved = (hi & reservedHi) !== 0 || (large && (level > 3 || (lo & LARGE_RESERVED[level]!) !== 0));
      fault = (lo & PTE.P) === 0 ? 0 : isReserved ? PF.P | PF.RSVD : NO_FAULT;
      if (fault !== NO_FAULT) break;
      this.add(lo, hi);
      if (level === 1 || large) {
        fault = PF.P;
        if (!this.permitted()) break;
        if (!this.mark(at, lo)) return -1;
        const span = SPAN[level]!;
        const mask = span - 1;
        this.size = span;
        return toNumber((lo & ~mask & ~0xfff) | (this.lo & mask), hi & 0x000f_ffff);
      }
      if ((lo & PTE.A) === 0 && !this.physical.update(at, lo, lo | PTE.A)) return this.race();
      tableLo = lo & ~0xfff;
      tableHi = hi & 0x000f_ffff;
    }
    return this.pageFault(fault);
  }

  /** Collects the rights that an entry leaves. */
  private add(lo: number, hi: number): void {
    this.user = this.user && (lo & PTE.US) !== 0;
    this.writable = this.writable && (lo & PTE.RW) !== 0;
    this.noExecute = this.noExecute || hi < 0;
  }

  private walkPae(): number {
    const at = PDPTE0 + 2 * (this.lo >>> 30);
    const { sys } = this.regs;
    const lo = sys[at]!;
    if ((lo & PTE.P) === 0) return this.pageFault(0);
    return this.walk(2, lo & ~0xfff, sys[at + 1]! & 0x000f_ffff, true);
  }

  private walk32(): number {
    const { sys } = this.regs;
    const pse = (sys[CR4_SLOT]! & CR4.PSE) !== 0;
    let table = (sys[CR3_SLOT]! & ~0xfff) >>> 0;
    for (let level = 2; ; level--) {
      const at = this.entryAt(table + (level === 2 ? (this.lo >>> 20) & 0xffc : (this.lo >>> 10) & 0xffc));
      if (at < 0) return -1;
      const entry = this.physical.read32(at);
      if ((entry & PTE.P) === 0) return this.pageFault(0);
      const large = level === 2 && pse && (entry & PTE.PS) !== 0;
      // Bit 21 is reserved, and of bits 20:13, which are address bits 39:32, those above MAXPHYADDR.
      if (large && ((entry & 0x20_0000) !== 0 || (((entry >>> 13) & 0xff) & this.reservedHi) !== 0)) return this.pageFault(PF.P | PF.RSVD);
      this.add(entry, 0);
      if (level === 1 || large) {
        if (!this.permitted()) return this.pageFault(PF.P);
        if (!this.mark(at, entry)) return -1;
        this.size = large ? 0x40_0000 : 4096;
        return large ? toNumber((entry & 0xffc0_0000) | (this.lo & 0x3f_ffff), (entry >>> 13) & 0xff) : ((entry & ~0xfff) | (this.lo & 0xfff)) >>> 0;
      }
      if ((entry & PTE.A) === 0 && !this.physical.update(at, entry, entry | PTE.A)) return this.race();
      table = (entry & ~0xfff) >>> 0;
    }
  }

  private race(): -1 {
    this.raced = true;
    return -1;
  }

  /** Whether the rights collected permit the access (SDM vol. 3, 4.6.1); sets {@link permissions} but for the dirty flag. */
  private permitted(): boolean {
    const { sys } = this.regs;
    const cr4 = sys[CR4_SLOT]!;
    const rights = (this.user ? USER : 0) | (this.writable ? WRITABLE : 0) | (this.noExecute ? NO_EXECUTE : 0);
    const controls = ((sys[CR0_SLOT]! & CR0.WP) !== 0 ? PROTECTS : 0) | ((cr4 & CR4.SMEP) !== 0 ? SMEP : 0) | ((cr4 & CR4.SMAP) !== 0 ? SMAP : 0);
    this.permissions = ALLOWED[this.mmu * MODE + (rights | controls)]!;
    return (this.permissions & NEEDS[this.access]!) !== 0;
  }

  /** Sets accessed, and for writes dirty, in a leaf; a page that is not dirty cannot be written without asking again. False: raced. */
  private mark(at: number, entry: number): boolean {
    const flags = this.access === Access.store ? PTE.A | PTE.D : PTE.A;
    const marked = entry | flags;
    if (marked !== entry && !this.physical.update(at, entry, marked)) {
      this.raced = true;
      return false;
    }
    if ((marked & PTE.D) === 0) this.permissions &= ~W;
    if ((marked & PTE.G) !== 0 && (this.regs.sys[CR4_SLOT]! & CR4.PGE) !== 0) this.permissions |= GLOBAL;
    return true;
  }

  /**
   * Loads the four PDPTEs of PAE paging from CR3 (SDM vol. 3, 4.4.1).
   *
   * @returns false if one has reserved bits set: #GP; or -1 with a second-stage fault recorded
   */
  loadPdptes(cr3: number): boolean | -1 {
    const { sys } = this.regs;
    const entries = new Int32Array(8);
    for (let i = 0; i < 4; i++) {
      const gpa = ((cr3 & ~31) >>> 0) + 8 * i;
      let at = gpa;
      if (this.secondStage !== undefined) {
        at = this.secondStage.translate(gpa, Access.load, false);
        if (at < 0) {
          this.fault.gpa = gpa;
          this.fault.tableWalk = true;
          this.fault.linear = false;
          return -1;
        }
      }
      entries[2 * i] = this.physical.read64(at);
      entries[2 * i + 1] = this.physical.hi;
      if (!this.pdpteValid(entries[2 * i]!, entries[2 * i + 1]!)) return false;
    }
    sys.set(entries, PDPTE0);
    return true;
  }

  /** Whether a PDPTE of PAE paging is absent or has no reserved bit set. */
  pdpteValid(lo: number, hi: number): boolean {
    return (lo & PTE.P) === 0 || ((lo & 0x1e6) === 0 && (hi & (this.reservedHi | 0xfff0_0000)) === 0);
  }

  /** Bits of a physical address's high word that MAXPHYADDR rules out. */
  get addressReservedHi(): number {
    return this.reservedHi | (0xfff0_0000 | 0);
  }
}
