/**
 * Memory accesses that SYSTEM instructions make themselves: virtual-machine loads and stores (hypervisor chapter) and
 * cache-block operations (unprivileged specification, "CMO"). On a fault they leave the exception recorded.
 */

import { Cause, Hstatus } from './fields.ts';
import type { PhysBus } from '@axvisor/softcpu';
import { Access } from './interface.ts';
import type { Pmp } from './pmp.ts';
import { slot, type State } from './registers.ts';
import type { Translation } from './translation.ts';
import type { ExceptionRecord } from './traps.ts';

const { hstatus: HSTATUS } = slot;

/** Bytes of a cache block: what CBO.ZERO zeroes. */
export const CACHE_BLOCK = 64;

/** The store exception that a cache-block operation raises instead of the load exception of its check. */
const storeCause: Readonly<Record<number, number>> = {
  [Cause.loadAccessFault]: Cause.storeAccessFault,
  [Cause.loadPageFault]: Cause.storePageFault,
  [Cause.loadGuestPageFault]: Cause.storeGuestPageFault,
};

/** Performs them for one hart. */
export class ExplicitAccess {
  /** Result of {@link load}, zero-extended. */
  lo = 0;
  hi = 0;

  private readonly scratch = new Uint8Array(8);
  private readonly words = new Int32Array(this.scratch.buffer);

  private readonly state: State;
  private readonly translation: Translation;
  private readonly pmp: Pmp;
  private readonly exception: ExceptionRecord;
  private readonly bus: PhysBus | undefined;

  constructor(state: State, translation: Translation, pmp: Pmp, exception: ExceptionRecord, bus: PhysBus | undefined) {
    this.state = state;
    this.translation = translation;
    this.pmp = pmp;
    this.exception = exception;
    this.bus = bus;
  }

  /** HLV or HLVX (by `access`) of `size` bytes, as VS- or VU-mode by hstatus.SPVP. */
  load(vaLo: number, vaHi: number, size: number, access: Access): boolean {
    this.words.fill(0);
    const first = Math.min(size, 4096 - (vaLo & 4095));
    if (!this.loadPart(vaLo, vaHi, access, 0, first)) return false;
    if (first < size && !this.loadPart(vaLo, vaHi, access, first, size - first)) return false;
    this.lo = this.words[0]!;
    this.hi = this.words[1]!;
    return true;
  }

  /** HSV of `size` bytes. Nothing is written unless everything can be. */
  store(vaLo: number, vaHi: number, size: number, lo: number, hi: number): boolean {
    const first = Math.min(size, 4096 - (vaLo & 4095));
    const pa = this.translateGuest(vaLo, vaHi, Access.store, 0, first);
    if (pa < 0) return false;
    this.words[0] = lo;
    this.words[1] = hi;
    if (first === size) return this.storePart(pa, vaLo, vaHi, 0, size);
    const next = this.translateGuest(vaLo, vaHi, Access.store, first, size - first);
    return next >= 0 && this.storePart(pa, vaLo, vaHi, 0, first) && this.storePart(next, vaLo, vaHi, first, size - first);
  }

  /** The check of CBO.INVAL, CBO.CLEAN and CBO.FLUSH: a load or a store must be permitted (no store is where no load is). */
  manage(vaLo: number, vaHi: number): boolean {
    const mode = this.state.dataMode();
    if (this.translation.translate(vaLo, vaHi, Access.load, 1, 0, mode >>> 1, mode & 1) >= 0) return true;
    this.exception.cause = storeCause[this.exception.cause]!;
    return false;
  }

  /** CBO.ZERO of the block an address lies in, which must be main memory. */
  zero(vaLo: number, vaHi: number): boolean {
    const { state } = this;
    const mode = state.dataMode();
    const pa = this.translation.translate(vaLo, vaHi, Access.store, 1, 0, mode >>> 1, mode & 1);
    if (pa < 0) return false;
    const block = pa - (pa % CACHE_BLOCK);
    const at = state.ramOffset(block, CACHE_BLOCK);
    if (at < 0 || !this.pmp.check(block, CACHE_BLOCK, mode >>> 1, 2)) {
      this.exception.set(Cause.storeAccessFault, vaLo, vaHi, (mode & 1) !== 0, 0);
      return false;
    }
    state.bytes.fill(0, at, at + CACHE_BLOCK);
    state.host.stored(block, CACHE_BLOCK);
    return true;
  }

  private translateGuest(vaLo: number, vaHi: number, access: Access, offset: number, size: number): number {
    const lo = (vaLo + offset) | 0;
    const hi = lo >>> 0 < offset ? (vaHi + 1) | 0 : vaHi;
    const prv = (this.state.csr[HSTATUS]! & Hstatus.SPVP) !== 0 ? 1 : 0;
    return this.translation.translate(lo, hi, access, size, offset, prv, 1);
  }

  private loadPart(vaLo: number, vaHi: number, access: Access, offset: number, size: number): boolean {
    const pa = this.translateGuest(vaLo, vaHi, access, offset, size);
    if (pa < 0) return false;
    const { state, scratch } = this;
    const at = state.ramOffset(pa, size);
    if (at >= 0) {
      for (let i = 0; i < size; i++) scratch[offset + i] = state.bytes[at + i]!;
      return true;
    }
    const value = naturallyAligned(pa, size) ? this.bus?.read(pa, size) : undefined;
    if (value === undefined) return this.accessFault(Cause.loadAccessFault, vaLo, vaHi, offset);
    for (let i = 0; i < size; i++) scratch[offset + i] = Number((value >> BigInt(8 * i)) & 0xffn);
    return true;
  }

  private storePart(pa: number, vaLo: number, vaHi: number, offset: number, size: number): boolean {
    const { state, scratch } = this;
    const at = state.ramOffset(pa, size);
    if (at >= 0) {
      for (let i = 0; i < size; i++) state.bytes[at + i] = scratch[offset + i]!;
      state.host.stored(pa, size);
      return true;
    }
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(scratch[offset + i]!);
    if (naturallyAligned(pa, size) && this.bus?.write(pa, size, value) === true) return true;
    return this.accessFault(Cause.storeAccessFault, vaLo, vaHi, offset);
  }

  private accessFault(cause: number, vaLo: number, vaHi: number, offset: number): false {
    const lo = (vaLo + offset) | 0;
    this.exception.set(cause, lo, lo >>> 0 < offset ? (vaHi + 1) | 0 : vaHi, true, offset);
    return false;
  }
}

/** Only accesses of 1, 2, 4 or 8 aligned bytes reach the bus. */
function naturallyAligned(pa: number, size: number): boolean {
  return (size & (size - 1)) === 0 && pa % size === 0;
}
