/** Control registers and XCR0: what MOV, LMSW, CLTS and XSETBV may write, and what follows (SDM vol. 3, 2.5, 2.6, 4.1, 10.8.5). */
import { ABORT } from './abort.ts';
import { AR, CR0, CR0_DEFINED, CR4, CR4_DEFINED, EFER, SEG, V } from './fields.ts';
import type { Paging } from './paging.ts';
import { slot, type Registers } from './registers.ts';

/** Changes of CR4 that invalidate translations. */
const CR4_FLUSH: number = CR4.PSE | CR4.PAE | CR4.PGE | CR4.LA57 | CR4.PCIDE | CR4.SMEP | CR4.SMAP;

export class ControlRegisters {
  private readonly regs: Registers;
  private readonly paging: Paging;

  constructor(regs: Registers, paging: Paging) {
    this.regs = regs;
    this.paging = paging;
  }

  /** Sets CR0 to `lo` (of which undefined bits are dropped) or raises #GP(0). {@link Registers.modeChanged} is called. */
  writeCr0(lo: number, hi = 0): void {
    const { regs } = this;
    const { sys, fault } = regs;
    const old = sys[slot.cr0]!;
    const value = (lo & CR0_DEFINED) | CR0.ET;
    const pg = (value & CR0.PG) !== 0;
    if (hi !== 0 || (pg && (value & CR0.PE) === 0) || (value & (CR0.NW | CR0.CD)) === CR0.NW) fault.raise(V.GP, 0);
    const efer = sys[slot.efer]!;
    const cr4 = sys[slot.cr4]!;
    let newEfer = efer;
    if (pg && (old & CR0.PG) === 0) {
      if ((efer & EFER.LME) !== 0) {
        const narrowTss = !regs.unusable(SEG.tr) && (regs.rights[SEG.tr]! & 8) === 0;
        if ((cr4 & CR4.PAE) === 0 || (regs.rights[SEG.cs]! & AR.L) !== 0 || narrowTss) fault.raise(V.GP, 0);
        newEfer |= EFER.LMA;
      }
    } else if (!pg && (old & CR0.PG) !== 0) {
      if (regs.code64 || (cr4 & CR4.PCIDE) !== 0) fault.raise(V.GP, 0);
      newEfer &= ~EFER.LMA;
    }
    if (pg && (cr4 & CR4.PAE) !== 0 && (newEfer & EFER.LMA) === 0 && ((old ^ value) & (CR0.PG | CR0.CD | CR0.NW)) !== 0) this.loadPdptes(sys[slot.cr3]!);
    sys[slot.cr0] = value;
    sys[slot.efer] = newEfer;
    if (((old ^ value) & (CR0.PG | CR0.WP | CR0.PE)) !== 0) regs.translations.flush();
    regs.modeChanged();
  }

  private loadPdptes(cr3: number): void {
    const loaded = this.paging.loadPdptes(cr3);
    if (loaded === true) return;
    if (loaded === false) this.regs.fault.raise(V.GP, 0);
    throw ABORT;
  }

  writeCr3(lo: number, hi: number): void {
    const { regs, paging } = this;
    const { sys } = regs;
    const cr4 = sys[slot.cr4]!;
    const pcid = (cr4 & CR4.PCIDE) !== 0;
    if (regs.long) {
      const top = pcid ? hi & 0x7fff_ffff : hi;
      if ((top & paging.addressReservedHi) !== 0) regs.fault.raise(V.GP, 0);
      sys[slot.cr3] = lo;
      sys[slot.cr3 + 1] = top;
    } else {
      if ((cr4 & CR4.PAE) !== 0 && (sys[slot.cr0]! & CR0.PG) !== 0) this.loadPdptes(lo);
      sys[slot.cr3] = lo;
      sys[slot.cr3 + 1] = 0;
    }
    // Bit 63 lets what is cached of the new PCID stay.
    if (pcid && hi < 0) regs.translations.enter();
    else regs.translations.flushPcid(regs.translations.pcid);
  }

  writeCr4(lo: number, hi = 0): void {
    const { regs } = this;
    const { sys, fault } = regs;
    const old = sys[slot.cr4]!;
    const changed = old ^ lo;
    if (hi !== 0 || (lo & ~CR4_DEFINED) !== 0) fault.raise(V.GP, 0);
    const { long } = regs;
    if (long && ((lo & CR4.PAE) === 0 || (changed & CR4.LA57) !== 0)) fault.raise(V.GP, 0);
    if ((changed & lo & CR4.PCIDE) !== 0 && (!long || (sys[slot.cr3]! & 0xfff) !== 0)) fault.raise(V.GP, 0);
    const paging = (sys[slot.cr0]! & CR0.PG) !== 0;
    if (paging && !long && (lo & CR4.PAE) !== 0 && (changed & (CR4.PAE | CR4.PSE | CR4.PGE | CR4.SMEP)) !== 0) this.loadPdptes(sys[slot.cr3]!);
    sys[slot.cr4] = lo;
    if ((changed & CR4_FLUSH) !== 0) regs.translations.flush();
    regs.modeChanged();
  }

  /** Sets XCR0 (the low word is all there is), or raises #GP(0). */
  writeXcr0(lo: number, hi: number, supported: number): void {
    const { regs } = this;
    if (hi !== 0 || (lo & ~supported) !== 0 || (lo & 1) === 0 || (lo & 6) === 4) regs.fault.raise(V.GP, 0);
    regs.set('xcr0', lo, 0);
    regs.modeChanged();
  }
}
