/**
 * Address translation and protection: Sv39, Sv48, Sv57 and their x4 forms, two stages (supervisor chapter, "Virtual Address
 * Translation Process"; hypervisor chapter, "Two-Stage Address Translation"), Svadu, Svpbmt, PMP.
 *
 * Addresses of 64 bits are pairs of words; physical addresses, which must be below 2^53 to be anything, are numbers.
 */

import { GUEST_BLOCK_SIZE, pageNumber, toNumber } from '@axvisor/softcpu';
import { EnvcfgHi, Mstatus, Pte } from './fields.ts';
import { Access, Permission } from './interface.ts';
import type { Pmp } from './pmp.ts';
import { MAX_ADDRESS_HI, levelsOf, slot, type State } from './registers.ts';
import { TINST_PTE_READ, TINST_PTE_WRITE } from './tinst.ts';
import { causeOf, type ExceptionRecord } from './traps.ts';

const { mstatus: MSTATUS, vsstatus: VSSTATUS, satp: SATP, vsatp: VSATP, hgatp: HGATP } = slot;
const MENVCFG_HI = slot.menvcfg + 1;
const HENVCFG_HI = slot.henvcfg + 1;

const { read: R, write: W, execute: X } = Permission;

/** Offset mask of a leaf at each level, as two words: 4 KiB, 2 MiB, 1 GiB, 512 GiB, 256 TiB. */
const offsetLo: Int32Array = Int32Array.of(0xfff, 0x1f_ffff, 0x3fff_ffff, -1, -1);
const offsetHi: Int32Array = Int32Array.of(0, 0, 0, 0x7f, 0xffff);
const leafSize: readonly number[] = [2 ** 12, 2 ** 21, 2 ** 30, 2 ** 39, 2 ** 48];

/** Bits 63:54 of a PTE, all of which are reserved in a pointer; in a leaf, 62:61 are PBMT. */
const HI_RESERVED = 0xffc0_0000 | 0;
const HI_PBMT = 0x6000_0000;
const PPN_HI = 0x3f_ffff;

/** PTE needs of each access: the permission bit that must be set in `r | w << 1 | x << 2`. */
const needOf: readonly number[] = [R, W, X, X];
/** What PMP must grant: HLVX needs both. */
const pmpNeedOf: readonly number[] = [R, W, X, R | X];

/** Index into a table of level `level` (0 is the last) of an address; the root of the x4 modes has 2 bits more. */
function index(lo: number, hi: number, level: number): number {
  switch (level) {
    case 0:
      return lo >>> 12;
    case 1:
      return lo >>> 21;
    case 2:
      return (lo >>> 30) | (hi << 2);
    case 3:
      return hi >>> 7;
    default:
      return hi >>> 16;
  }
}

/** Translates for one hart. */
export class Translation {
  /** Of the last successful translation, see the interface. */
  permissions = 0;
  pageSize = 4096;
  global = true;

  // Results of walk(): the address it ends at, what the leaf permits, and its size.
  private outLo = 0;
  private outHi = 0;
  private leafPermissions = 0;
  private size = 0;
  // The PTE that was read last, and where.
  private pteLo = 0;
  private pteHi = 0;
  private pteWord = 0;
  // The access being translated.
  private vaLo = 0;
  private vaHi = 0;
  private offset = 0;
  private access: Access = Access.load;
  private v = 0;
  /** A PTE was changed by somebody else between its reading and the update of A and D: the walk is repeated. */
  private raced = false;

  private readonly state: State;
  private readonly pmp: Pmp;
  private readonly exception: ExceptionRecord;

  constructor(state: State, pmp: Pmp, exception: ExceptionRecord) {
    this.state = state;
    this.pmp = pmp;
    this.exception = exception;
  }

  /**
   * Translates an access made in mode `prv`, `v`.
   *
   * @returns the physical address, or -1 with the exception recorded
   */
  translate(vaLo: number, vaHi: number, access: Access, size: number, offset: number, prv: number, v: number): number {
    for (;;) {
      this.raced = false;
      const pa = this.attempt(vaLo, vaHi, access, size, offset, prv, v);
      if (!this.raced) return pa;
    }
  }

  private attempt(vaLo: number, vaHi: number, access: Access, size: number, offset: number, prv: number, v: number): number {
    this.vaLo = vaLo;
    this.vaHi = vaHi;
    this.access = access;
    this.offset = offset;
    this.v = v;
    const { csr } = this.state;
    let permissions = R | W | X;
    let pageSize = leafSize[4]!;
    this.global = true;
    this.outLo = vaLo;
    this.outHi = vaHi;
    if (prv !== 3) {
      const atp = v !== 0 ? VSATP : SATP;
      const levels = levelsOf[csr[atp + 1]! >>> 28]!;
      if (levels !== 0) {
        if (!this.walkFirst(atp, levels, prv)) return -1;
        permissions = this.leafPermissions;
        pageSize = this.size;
        if (pageSize > 4096) this.state.superpages.add(vaLo, vaHi, pageSize);
      }
      if (v !== 0) {
        if (!this.walkGuest(this.outLo, this.outHi, access, false)) return -1;
        permissions &= this.leafPermissions;
        if (this.size < pageSize) pageSize = this.size;
      }
    }
    if (this.outHi >>> 0 > MAX_ADDRESS_HI) return this.fail(causeOf.accessFault(access));
    const pa = toNumber(this.outLo, this.outHi);
    if (!this.pmp.check(pa, size, prv, pmpNeedOf[access]!)) return this.fail(causeOf.accessFault(access));
    this.permissions = permissions & this.pmp.pagePermissions;
    this.pageSize = pageSize;
    return pa;
  }

  private fail(cause: number): -1 {
    this.exception.set(cause, this.vaLo, this.vaHi, this.v !== 0, this.offset);
    return -1;
  }

  private pageFault(): boolean {
    this.fail(causeOf.pageFault(this.access));
    return false;
  }

  private accessFault(): boolean {
    this.fail(causeOf.accessFault(this.access));
    return false;
  }

  private guestPageFault(gpaLo: number, gpaHi: number, tinst: number): boolean {
    this.fail(causeOf.guestPageFault(this.access));
    this.exception.gpaLo = gpaLo;
    this.exception.gpaHi = gpaHi;
    this.exception.tinst = tinst;
    return false;
  }

  /**
   * The walk controlled by satp or, when V=1, vsatp, whose table addresses are guest physical.
   * On success `out` is the resulting address.
   */
  private walkFirst(atp: number, levels: number, prv: number): boolean {
    const { state, vaLo, vaHi, access, v } = this;
    const { csr } = state;
    // Bits above the highest translated one must equal it.
    const sign = vaHi >> (levels === 3 ? 6 : levels === 4 ? 15 : 24);
    if (sign !== 0 && sign !== -1) return this.pageFault();

    const envcfg = csr[v !== 0 ? HENVCFG_HI : MENVCFG_HI]! & csr[MENVCFG_HI]!;
    const mstatus = csr[MSTATUS]!;
    const status = v !== 0 ? csr[VSSTATUS]! : mstatus;
    const mxr = (mstatus & Mstatus.MXR) !== 0 || (status & Mstatus.MXR) !== 0;
    let ppnLo = csr[atp]!;
    let ppnHi = csr[atp + 1]! & 0xfff;
    for (let level = levels - 1; level >= 0; level--) {
      const at = (index(vaLo, vaHi, level) & 0x1ff) << 3;
      const tableLo = (ppnLo << 12) | at;
      const tableHi = (ppnHi << 12) | (ppnLo >>> 20);
      let pa: number;
      if (v !== 0) {
        if (!this.walkGuest(tableLo, tableHi, Access.load, true)) return false;
        if (this.outHi >>> 0 > MAX_ADDRESS_HI) return this.accessFault();
        pa = toNumber(this.outLo, this.outHi);
      } else {
        if (tableHi >>> 0 > MAX_ADDRESS_HI) return this.accessFault();
        pa = toNumber(tableLo, tableHi);
      }
      if (!this.readPte(pa)) return this.accessFault();
      const { pteLo, pteHi } = this;
      if ((pteLo & Pte.V) === 0 || (pteLo & (Pte.R | Pte.W)) === Pte.W) return this.pageFault();
      ppnLo = (pteLo >>> 10) | (pteHi << 22);
      ppnHi = (pteHi & PPN_HI) >>> 10;
      if ((pteLo & (Pte.R | Pte.X)) === 0) {
        if ((pteHi & HI_RESERVED) !== 0 || (pteLo & (Pte.D | Pte.A | Pte.U)) !== 0) return this.pageFault();
        continue;
      }
      if (!leafIsLegal(pteHi, envcfg) || !this.leafAddress(ppnLo, ppnHi, level, vaLo, vaHi)) return this.pageFault();
      let permissions = leafPermissions(pteLo, mxr);
      if ((permissions & needOf[access]!) === 0) return this.pageFault();
      if ((pteLo & Pte.U) === 0) {
        if (prv === 0) return this.pageFault();
      } else if (prv === 1) {
        // User pages: accessible to supervisors with SUM, never executable (the load of HLVX is no fetch).
        if (access === Access.fetch || (status & Mstatus.SUM) === 0) return this.pageFault();
        permissions &= ~X;
      }
      const update = adUpdate(pteLo, access);
      if (update !== 0) {
        if ((envcfg & EnvcfgHi.ADUE) === 0) return this.pageFault();
        const { outLo, outHi } = this;
        if (v !== 0) {
          if (!this.walkGuest(tableLo, tableHi, Access.store, true)) return false;
          pa = toNumber(this.outLo, this.outHi);
        }
        if (!this.updatePte(pa, pteLo, update)) return this.accessFault();
        this.outLo = outLo;
        this.outHi = outHi;
      }
      this.leafPermissions = ((pteLo | update) & Pte.D) !== 0 ? permissions : permissions & ~W;
      this.size = leafSize[level]!;
      this.global = (pteLo & Pte.G) !== 0;
      return true;
    }
    return this.pageFault();
  }

  /**
   * The walk controlled by hgatp, from a guest physical address to `out`.
   *
   * @param implicit the access is to a VS-stage page-table entry: its faults are reported as the original access's
   */
  private walkGuest(gpaLo: number, gpaHi: number, access: Access, implicit: boolean): boolean {
    const { csr } = this.state;
    const levels = levelsOf[csr[HGATP + 1]! >>> 28]!;
    this.outLo = gpaLo;
    this.outHi = gpaHi;
    this.leafPermissions = R | W | X;
    this.size = leafSize[4]!;
    if (levels === 0) return true;
    const { guestPages, guestBlocks } = this.state;
    if (guestPages.find(pageNumber(gpaLo, gpaHi)) && (guestPages.rights & needOf[access]!) !== 0) {
      this.leafPermissions = guestPages.rights;
      this.size = guestPages.size;
      this.outLo = (guestPages.page | 0) | (gpaLo & 0xfff);
      this.outHi = Math.floor(guestPages.page / 0x1_0000_0000);
      return true;
    }
    const tinst = implicit ? (access === Access.store ? TINST_PTE_WRITE : TINST_PTE_READ) : 0;
    // The x4 modes translate 2 bits more than their namesakes; the rest must be zero.
    if (gpaHi >>> (levels === 3 ? 9 : levels === 4 ? 18 : 27) !== 0) return this.guestPageFault(gpaLo, gpaHi, tinst);

    const envcfg = csr[MENVCFG_HI]!;
    // HS-level MXR is for explicit loads only.
    const mxr = !implicit && (csr[MSTATUS]! & Mstatus.MXR) !== 0;
    let ppnLo = csr[HGATP]!;
    let ppnHi = csr[HGATP + 1]! & 0xfff;
    let mask = 0x7ff;
    for (let level = levels - 1; level >= 0; level--, mask = 0x1ff) {
      const tableHi = (ppnHi << 12) | (ppnLo >>> 20);
      if (tableHi >>> 0 > MAX_ADDRESS_HI) return this.accessFault();
      const pa = toNumber(ppnLo << 12, tableHi) + (index(gpaLo, gpaHi, level) & mask) * 8;
      if (!this.readPte(pa)) return this.accessFault();
      const { pteLo, pteHi } = this;
      if ((pteLo & Pte.V) === 0 || (pteLo & (Pte.R | Pte.W)) === Pte.W) return this.guestPageFault(gpaLo, gpaHi, tinst);
      ppnLo = (pteLo >>> 10) | (pteHi << 22);
      ppnHi = (pteHi & PPN_HI) >>> 10;
      if ((pteLo & (Pte.R | Pte.X)) === 0) {
        if ((pteHi & HI_RESERVED) !== 0 || (pteLo & (Pte.D | Pte.A | Pte.U)) !== 0) return this.guestPageFault(gpaLo, gpaHi, tinst);
        continue;
      }
      const permissions = leafPermissions(pteLo, mxr);
      if (
        !leafIsLegal(pteHi, envcfg) || (pteLo & Pte.U) === 0 || (permissions & needOf[access]!) === 0 ||
        !this.leafAddress(ppnLo, ppnHi, level, gpaLo, gpaHi)
      ) {
        return this.guestPageFault(gpaLo, gpaHi, tinst);
      }
      const update = adUpdate(pteLo, access);
      if (update !== 0) {
        if ((envcfg & EnvcfgHi.ADUE) === 0) return this.guestPageFault(gpaLo, gpaHi, tinst);
        if (!this.updatePte(pa, pteLo, update)) return this.accessFault();
      }
      this.leafPermissions = ((pteLo | update) & Pte.D) !== 0 ? permissions : permissions & ~W;
      this.size = leafSize[level]!;
      if (!mxr && this.outHi >>> 0 <= MAX_ADDRESS_HI) {
        const number = pageNumber(gpaLo, gpaHi);
        const page = toNumber(this.outLo & ~0xfff, this.outHi);
        guestPages.add(number, page, this.leafPermissions, this.size);
        if (this.size >= GUEST_BLOCK_SIZE) guestBlocks.add(number, page, this.leafPermissions);
      }
      return true;
    }
    return this.guestPageFault(gpaLo, gpaHi, tinst);
  }

  /** Combines the page of a leaf with the offset of an address in `out`; false for a misaligned superpage. */
  private leafAddress(ppnLo: number, ppnHi: number, level: number, lo: number, hi: number): boolean {
    const pageLo = ppnLo << 12;
    const pageHi = (ppnHi << 12) | (ppnLo >>> 20);
    const maskLo = offsetLo[level]!;
    const maskHi = offsetHi[level]!;
    this.outLo = pageLo | (lo & maskLo);
    this.outHi = pageHi | (hi & maskHi);
    return ((pageLo & maskLo) | (pageHi & maskHi)) === 0;
  }

  /** Reads a PTE; false if PMP forbids it or it is not in RAM. The effective privilege of table accesses is S. */
  private readPte(pa: number): boolean {
    const { state } = this;
    const at = state.ramOffset(pa, 8);
    if (at < 0 || !this.pmp.check(pa, 8, 1, R)) return false;
    this.pteWord = at >>> 2;
    this.pteLo = state.words[this.pteWord]!;
    this.pteHi = state.words[this.pteWord + 1]!;
    return true;
  }

  /** Sets A and D in a PTE whose low word was `lo`, as one atomic compare and swap. */
  private updatePte(pa: number, lo: number, update: number): boolean {
    const { state } = this;
    const at = state.ramOffset(pa, 8);
    if (at < 0 || !this.pmp.check(pa, 8, 1, W)) return false;
    if (Atomics.compareExchange(state.words, at >>> 2, lo, lo | update) !== lo) {
      this.raced = true;
      return false;
    }
    state.host.stored(pa, 8);
    return true;
  }
}

/** Bits 60:54 and N must be zero, PBMT is legal up to 2 where Svpbmt is enabled. */
function leafIsLegal(pteHi: number, envcfg: number): boolean {
  const reserved = pteHi & HI_RESERVED;
  if (reserved === 0) return true;
  return (envcfg & EnvcfgHi.PBMTE) !== 0 && (reserved & ~HI_PBMT) === 0 && reserved !== HI_PBMT;
}

/** What a leaf permits, as {@link Permission} bits. */
function leafPermissions(pteLo: number, mxr: boolean): number {
  const permissions = (pteLo >>> 1) & (R | W | X);
  return mxr && (permissions & X) !== 0 ? permissions | R : permissions;
}

/** The bits among A and D that an access has to set. */
function adUpdate(pteLo: number, access: Access): number {
  return (access === Access.store ? Pte.A | Pte.D : Pte.A) & ~pteLo;
}
