/** Debug registers: instruction, data and I/O breakpoints, single step (SDM vol. 3, 18.2 and 18.3). */
import { Flag } from '../state.ts';
import { CR4, DR6, DR7, SHADOW, V } from './fields.ts';
import { Access } from './interface.ts';
import { slot, type Registers } from './registers.ts';

/** Kinds of breakpoints, the R/W fields of DR7. */
const KIND = { execute: 0, write: 1, io: 2, access: 3 } as const;
/** Bytes by the LEN field. */
const LENGTHS: readonly number[] = [1, 2, 8, 4];

export class Debug {
  /** Breakpoints are enabled: of instructions, of data. */
  onFetch = false;
  onData = false;
  private onPort = false;
  /** Instructions retired behind one that said itself whether it is a step. */
  private decidedAt = -1;
  private readonly regs: Registers;
  private readonly amd: boolean;

  constructor(regs: Registers, amd: boolean) {
    this.regs = regs;
    this.amd = amd;
  }

  /** To be called when DR0 to DR3, DR7 or CR4.DE changed. */
  changed(): void {
    const { regs } = this;
    const { sys } = regs;
    const dr7 = sys[slot.dr7]!;
    this.onFetch = this.onData = this.onPort = false;
    for (let i = 0; i < 4; i++) {
      if (((dr7 >>> (2 * i)) & 3) === 0) continue;
      const kind = this.kind(i);
      if (kind === KIND.io) {
        this.onPort = (regs.cr4 & CR4.DE) !== 0;
        continue;
      }
      if (kind === KIND.execute) this.onFetch = true;
      else this.onData = true;
      // Pages with breakpoints must not be cached.
      regs.translations.forgetPage(sys[slot.dr0 + 2 * i]!, sys[slot.dr0 + 2 * i + 1]!);
    }
  }

  private kind(i: number): number {
    return (this.regs.sys[slot.dr7]! >>> (16 + 4 * i)) & 3;
  }

  private length(i: number): number {
    return LENGTHS[(this.regs.sys[slot.dr7]! >>> (18 + 4 * i)) & 3]!;
  }

  /** Breakpoints that `size` bytes at an address touch, one bit each, of kinds that `wanted` says; whether enabled or not. */
  private matches(lo: number, hi: number, size: number, wanted: (kind: number) => boolean): number {
    const { sys } = this.regs;
    let hits = 0;
    for (let i = 0; i < 4; i++) {
      if (!wanted(this.kind(i))) continue;
      const length = this.length(i);
      const base = sys[slot.dr0 + 2 * i]! & ~(length - 1);
      if (sys[slot.dr0 + 2 * i + 1] !== hi) continue;
      const distance = (lo >>> 0) - (base >>> 0);
      if (distance < length && distance + size > 0) hits |= 1 << i;
    }
    return hits;
  }

  private enabled(hits: number): boolean {
    const dr7 = this.regs.sys[slot.dr7]!;
    for (let i = 0; i < 4; i++) if (((hits >>> i) & 1) !== 0 && ((dr7 >>> (2 * i)) & 3) !== 0) return true;
    return false;
  }

  /** Whether a page holds an enabled breakpoint of an access's kind: it must not be cached. */
  watches(lo: number, hi: number, access: Access): boolean {
    if (access === Access.fetch ? !this.onFetch : !this.onData) return false;
    const wanted = (kind: number): boolean => (access === Access.fetch ? kind === KIND.execute : kind === KIND.write || kind === KIND.access);
    return this.enabled(this.matches(lo & ~0xfff, hi, 4096, wanted));
  }

  /** An instruction is fetched: false if a breakpoint hits, with #DB recorded. RF suppresses it once. */
  fetch(lo: number, hi: number): boolean {
    const { regs } = this;
    const hits = this.matches(lo, hi, 1, (kind) => kind === KIND.execute);
    if (hits === 0 || !this.enabled(hits)) return true;
    // Behind an instruction that loads SS, Intel's processors do not see them (SDM vol. 3, 6.8.3).
    if (!this.amd && (regs.currentShadow() & SHADOW.movSs) !== 0) return true;
    if ((regs.systemFlags & Flag.RF) !== 0) {
      regs.systemFlags &= ~Flag.RF;
      // RF left over from an instruction that retired long ago is none.
      if (regs.host.retired() <= regs.rfAt) return true;
    }
    regs.fault.exception(V.DB, 0);
    regs.fault.lo = hits;
    return false;
  }

  private dataHits(lo: number, hi: number, size: number, write: boolean): number {
    return this.matches(lo, hi, size, (kind) => kind === KIND.access || (write && kind === KIND.write));
  }

  /** Whether an access of data meets an enabled breakpoint. */
  meets(lo: number, hi: number, size: number, write: boolean): boolean {
    return this.enabled(this.dataHits(lo, hi, size, write));
  }

  /** Data is accessed: what hits is pending until the instruction is over. */
  data(lo: number, hi: number, size: number, write: boolean): void {
    this.pend(this.dataHits(lo, hi, size, write));
  }

  port(port: number, size: number): void {
    if (this.onPort) this.pend(this.matches(port, 0, size, (kind) => kind === KIND.io));
  }

  private pend(hits: number): void {
    const { regs } = this;
    if (hits === 0 || !this.enabled(hits)) return;
    regs.pendingDebug |= hits | DR6_ENABLED;
    regs.host.endSlice();
  }

  /** The trap flag was set before the instruction that is over now. No step ends behind one that loads SS, not even late (SDM vol. 3, 6.8.3). */
  step(): void {
    if (this.regs.host.retired() <= this.decidedAt) return;
    if ((this.regs.currentShadow() & SHADOW.movSs) === 0) this.regs.pendingDebug |= DR6.BS;
  }

  /** SYSCALL or SYSRET was executed: of them the trap flag counts as they leave it. */
  called(): void {
    const { regs } = this;
    this.decidedAt = regs.host.retired() + 1;
    if ((regs.systemFlags & Flag.TF) === 0) return;
    regs.pendingDebug |= DR6.BS;
    regs.host.endSlice();
  }

  /** MOV to or from a debug register while DR7.GD is set. */
  guard(): void {
    const { regs } = this;
    if ((regs.sys[slot.dr7]! & DR7.GD) === 0) return;
    regs.fault.exception(V.DB, 0);
    regs.fault.lo = DR6.BD;
    regs.fault.abort();
  }
}

/** Of pending debug exceptions: an enabled breakpoint was met (SDM vol. 3, table 25-4). It is no bit of DR6. */
export const DR6_ENABLED: number = 1 << 12;
