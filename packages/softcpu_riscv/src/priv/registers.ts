/**
 * The state of the privileged architecture of one hart: CSR storage, privilege mode, and the fields of the shared
 * state block that follow from them (MMU_IDX, FETCH_IDX, FP_OFF).
 */

import { GuestBlocks, GuestPages, LargeLeaves, placeIn, type RamWindow, type Space } from '@axvisor/softcpu';
import { FETCH_IDX, FP_OFF, FS_DIRTY, MMU, MMU_IDX, PC, RES_VALID, SUPERPAGES, WALK_ROOT, WALK_SHIFT, X } from '../state.ts';
import { MPP_SHIFT, Mstatus, MstatusHi } from './fields.ts';
import type { PrivilegedHost, PrivilegedOptions } from './interface.ts';

const stored = [
  'mstatus', 'medeleg', 'mideleg', 'mie', 'mtvec', 'mscratch', 'mepc', 'mcause', 'mtval', 'mtval2', 'mtinst', 'menvcfg', 'mcounteren',
  'stvec', 'sscratch', 'sepc', 'scause', 'stval', 'satp', 'senvcfg', 'scounteren', 'stimecmp',
  'hstatus', 'hedeleg', 'hideleg', 'htval', 'htinst', 'hgatp', 'henvcfg', 'hcounteren', 'htimedelta',
  'vsstatus', 'vstvec', 'vsscratch', 'vsepc', 'vscause', 'vstval', 'vsatp', 'vstimecmp',
] as const;

/** A CSR that is stored as such; the others are views of these. */
export type StoredCsr = (typeof stored)[number];

/** Index of the low word of each stored CSR in {@link State.csr}; the high word follows. */
export const slot: Readonly<Record<StoredCsr, number>> = Object.fromEntries(stored.map((name, i) => [name, 2 * i])) as Record<StoredCsr, number>;

const { mstatus: MSTATUS, vsstatus: VSSTATUS, stimecmp: STIMECMP, vstimecmp: VSTIMECMP, satp: SATP, vsatp: VSATP, hgatp: HGATP } = slot;
const MSTATUS_HI = MSTATUS + 1;

/** Largest high word of an address below 2^53: numbers are exact up to there. */
export const MAX_ADDRESS_HI = 0x1f_ffff;

/** Levels of the page tables by the MODE field of satp, vsatp and hgatp; 0 for Bare. */
export const levelsOf: Uint8Array = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 3, 4, 5, 0, 0, 0, 0, 0);

/** CSRs and mode of one hart. */
export class State {
  /** Stored CSRs, two words each, at {@link slot}. */
  readonly csr: Int32Array = new Int32Array(2 * stored.length);
  /** Current nominal privilege mode: 0 U, 1 S, 3 M. */
  prv = 3;
  /** Current virtualization mode. */
  v = 0;
  /** Hosted: the guest was left. */
  exited = false;
  /** A WFI waits. */
  waiting = false;

  readonly host: PrivilegedHost;
  readonly ram: readonly RamWindow[];
  readonly hosted: boolean;
  /** The linear memory, 32-bit and 8-bit; the state block begins at word `base`. */
  words: Int32Array;
  bytes: Uint8Array;
  readonly base: number;
  /** HS-level and VS-level MXR for which the user and supervisor sets of the data TLB are filled. */
  private dataKey = 0;
  /** Address spaces: by V below M-mode, and that of M-mode; undefined once what they depend on changed. */
  private readonly spaces: (Space | undefined)[] = [undefined, undefined];
  private machine: Space | undefined;
  /** Leaves above 4 KiB that may be cached page by page. */
  readonly superpages: LargeLeaves;
  /** Translations of the G-stage alone. */
  readonly guestPages: GuestPages = new GuestPages();
  /** The same for walks in generated code. */
  readonly guestBlocks: GuestBlocks;
  /** {@link WALK_ROOT}, where accesses are those of a guest. */
  private walkRoot = 0;
  readonly pmpEntries: number;
  private readonly memory: { readonly buffer: ArrayBufferLike };

  constructor(options: PrivilegedOptions) {
    this.host = options.host;
    this.ram = options.ram;
    this.hosted = options.hosted ?? false;
    this.memory = options.memory;
    this.base = options.stateBase >> 2;
    this.words = new Int32Array(options.memory.buffer);
    this.bytes = new Uint8Array(options.memory.buffer);
    this.superpages = new LargeLeaves(this, options.stateBase + SUPERPAGES);
    this.guestBlocks = new GuestBlocks(this, options.guestBlocks);
    this.pmpEntries = options.pmpEntries ?? (this.hosted ? 0 : 16);
  }

  refresh(): void {
    this.words = new Int32Array(this.memory.buffer);
    this.bytes = new Uint8Array(this.memory.buffer);
  }

  /** Zeroes everything but what the manual gives a reset value or calls read-only. */
  reset(): void {
    this.csr.fill(0);
    this.walkRoot = 0;
    this.csr[MSTATUS_HI] = MstatusHi.XL;
    this.csr[STIMECMP] = this.csr[STIMECMP + 1] = -1;
    this.csr[VSTIMECMP] = this.csr[VSTIMECMP + 1] = -1;
    this.prv = 3;
    this.v = 0;
    this.exited = false;
    this.waiting = false;
    this.words[this.base + (RES_VALID >> 2)] = 0;
    this.words[this.base + (FS_DIRTY >> 2)] = 0;
    this.flushAll();
    this.modeChanged();
  }

  /** Byte offset in linear memory of `size` bytes of RAM at a physical address, or -1. */
  ramOffset(pa: number, size: number): number {
    return placeIn(this.ram, pa, size);
  }

  xLo(register: number): number {
    return this.words[this.base + (X >> 2) + 2 * register]!;
  }

  xHi(register: number): number {
    return this.words[this.base + (X >> 2) + 2 * register + 1]!;
  }

  /** Writes an integer register; x0 stays 0. */
  setX(register: number, lo: number, hi: number): void {
    if (register === 0) return;
    const at = this.base + (X >> 2) + 2 * register;
    this.words[at] = lo;
    this.words[at + 1] = hi;
  }

  /** Index of the low word of an integer register in `words`. */
  x(register: number): number {
    return this.base + (X >> 2) + 2 * register;
  }

  setPc(lo: number, hi: number): void {
    const at = this.base + (PC >> 2);
    this.words[at] = lo;
    this.words[at + 1] = hi;
  }

  /** Moves PC past an instruction of `length` bytes. */
  advancePc(length: number): void {
    const at = this.base + (PC >> 2);
    const lo = (this.words[at]! + length) | 0;
    if (lo >>> 0 < length) this.words[at + 1]! += 1;
    this.words[at] = lo;
  }

  /** Merges what generated code noted about the floating-point state into mstatus.FS, and vsstatus.FS while V=1. */
  syncFs(): void {
    const at = this.base + (FS_DIRTY >> 2);
    if (this.words[at] === 0) return;
    this.words[at] = 0;
    this.csr[MSTATUS]! |= Mstatus.FS;
    if (this.v !== 0) this.csr[VSSTATUS]! |= Mstatus.FS;
  }

  /** The privilege mode and V of explicit memory accesses, packed as prv << 1 | V (machine chapter, MPRV). */
  dataMode(): number {
    const mstatus = this.csr[MSTATUS]!;
    if ((mstatus & Mstatus.MPRV) === 0) return (this.prv << 1) | this.v;
    const mpp = (mstatus & Mstatus.MPP) >>> MPP_SHIFT;
    return (mpp << 1) | (mpp !== 3 && (this.csr[MSTATUS_HI]! & MstatusHi.MPV) !== 0 ? 1 : 0);
  }

  /**
   * Recomputes what generated code looks at after prv, V or a field of mstatus or vsstatus changed. The TLBs have
   * no tag for MXR: when it changes for an access that uses it, what was cached is dropped. Native HS-mode code
   * uses neither: what is cached for the guest stays until it is entered again.
   */
  modeChanged(): void {
    if (this.hosted && this.v === 0) return;
    const mstatus = this.csr[MSTATUS]!;
    const vsstatus = this.csr[VSSTATUS]!;
    const mode = this.dataMode();
    const v = mode & 1;
    const prv = mode >>> 1;
    let index: number = MMU.machine;
    let root = 0;
    if (prv !== 3) {
      const status = v !== 0 ? vsstatus : mstatus;
      index = prv === 0 ? MMU.user : (status & Mstatus.SUM) !== 0 ? MMU.supervisorSum : MMU.supervisor;
      const key = ((mstatus & Mstatus.MXR) !== 0 ? 1 : 0) | (v !== 0 && (vsstatus & Mstatus.MXR) !== 0 ? 2 : 0);
      if (key !== this.dataKey) {
        this.dataKey = key;
        this.host.flushTlb();
      }
      // With MXR, what may be read is for JavaScript to say.
      if (v !== 0 && key === 0) root = this.walkRoot;
    }
    const { words, base } = this;
    words[base + (MMU_IDX >> 2)] = index;
    words[base + (WALK_ROOT >> 2)] = root;
    words[base + (FETCH_IDX >> 2)] = this.prv;
    words[base + (FP_OFF >> 2)] = this.floatOff() ? 1 : 0;
    this.host.enterSpaces(this.spaceOf(prv, v), this.spaceOf(this.prv, this.v));
  }

  /** The address space of accesses made in a mode. */
  private spaceOf(prv: number, v: number): Space {
    if (prv === 3) return (this.machine ??= this.host.space('M'));
    return (this.spaces[v] ??= this.newSpace(v));
  }

  private newSpace(v: number): Space {
    const at = v !== 0 ? VSATP : SATP;
    const hi = this.csr[at + 1]!;
    const regime = `${this.stage(v)}${hi >>> 28}`;
    if (hi >>> 28 === 0) return this.host.space(regime);
    return this.host.space(`${regime}${asidPart((hi >>> 12) & 0xffff)}${hi & 0xfff}.${this.csr[at]!}`, regime);
  }

  /** How the keys of all address spaces with V=`v` and the current second stage begin. */
  private stage(v: number): string {
    return v === 0 ? '0:' : `1:${this.csr[HGATP]!}.${this.csr[HGATP + 1]!}:`;
  }

  /** satp, vsatp or hgatp was written: its fields are part of what translations are tagged with. */
  spaceChanged(v: number): void {
    this.spaces[v] = undefined;
    if (v !== 0) this.guestRootChanged();
    this.modeChanged();
  }

  /** hgatp was written. */
  guestStageChanged(): void {
    this.clearGuestStage();
    this.spaceChanged(1);
  }

  /** Walks in generated code are those of both stages, where there is no PMP. */
  private guestRootChanged(): void {
    const { csr } = this;
    const levels = levelsOf[csr[VSATP + 1]! >>> 28]!;
    const ppn = csr[VSATP]!;
    const isWalked = levels !== 0 && csr[HGATP + 1]! >>> 28 !== 0 && (csr[VSATP + 1]! & 0xfff) === 0 && ppn >>> 20 === 0 && this.pmpEntries === 0;
    this.walkRoot = isWalked ? ppn << 12 : 0;
    this.words[this.base + (WALK_SHIFT >> 2)] = 12 + 9 * (levels - 1);
  }

  /** Whether the floating-point unit is off in the current mode: FS of mstatus, with V=1 that of vsstatus too. */
  floatOff(): boolean {
    return (this.csr[MSTATUS]! & Mstatus.FS) === 0 || (this.v !== 0 && (this.csr[VSSTATUS]! & Mstatus.FS) === 0);
  }

  /** Drops the translations cached with V=`v` and the current VMID. */
  flushFor(v: number): void {
    const stage = this.stage(v);
    this.forget((key) => key.startsWith(stage));
  }

  /** Drops those of one address space, but for what is global. */
  flushAsid(v: number, asid: number): void {
    const stage = this.stage(v);
    const part = asidPart(asid);
    this.forget((key) => key.startsWith(stage) && key.includes(part));
  }

  /** Drops the translations of one virtual address. */
  flushPage(vaLo: number, vaHi: number): void {
    if (this.superpages.has(vaLo, vaHi)) this.flush();
    else this.host.flushPage(vaLo, vaHi);
  }

  /** Drops what depends on the G-stage. */
  flushGuestStage(): void {
    this.clearGuestStage();
    this.forget((key) => key.startsWith('1'));
  }

  /** Drops everything that page tables, PMP and menvcfg led to. */
  flushAll(): void {
    this.clearGuestStage();
    this.flush();
  }

  private clearGuestStage(): void {
    this.guestPages.clear();
    this.guestBlocks.clear();
  }

  private flush(): void {
    this.superpages.clear();
    this.forget(() => true);
  }

  private forget(condition: (key: string) => boolean): void {
    this.spaces.fill(undefined);
    this.machine = undefined;
    this.host.forgetSpaces(condition);
  }
}

/** In the key of an address space: its ASID. */
const asidPart = (asid: number): string => ` ${asid} `;
