/** A stack while something is pushed or popped: the current one, or one that is about to be. RSP changes only when it is committed. */
import { AR, SEG, V } from './fields.ts';
import { canonical, type Linear } from './linear.ts';
import type { Registers } from './registers.ts';

const RSP = 4;

export class Stack {
  spLo = 0;
  spHi = 0;
  /** High word of the last {@link pop} or {@link peek}. */
  hi = 0;
  private wide = false;
  private big = false;
  private base = 0;
  private limit = 0;
  private rights = 0;
  private mmu = 0;
  /** Error code of #SS. */
  private error = 0;
  private readonly regs: Registers;
  private readonly linear: Linear;

  constructor(regs: Registers, linear: Linear) {
    this.regs = regs;
    this.linear = linear;
  }

  /** The current stack. */
  begin(): void {
    const { regs } = this;
    this.wide = regs.code64;
    this.rights = regs.rights[SEG.ss]!;
    this.big = (this.rights & AR.DB) !== 0;
    this.base = regs.baseLo(SEG.ss);
    this.limit = regs.limits[SEG.ss]!;
    this.mmu = this.linear.mmu(regs.cpl);
    this.error = 0;
    this.spLo = regs.lo(RSP);
    this.spHi = regs.hi(RSP);
  }

  /** The stack of privilege level `cpl` in a segment that is not loaded yet; #SS carries `error`. */
  switchTo(base: number, limit: number, rights: number, cpl: number, sp: number, error: number): void {
    this.wide = false;
    this.rights = rights;
    this.big = (rights & AR.DB) !== 0;
    this.base = base;
    this.limit = limit;
    this.mmu = this.linear.mmu(cpl);
    this.error = error;
    this.spLo = sp | 0;
    this.spHi = 0;
  }

  /** The 64-bit stack of privilege level `cpl`. */
  switchTo64(lo: number, hi: number, cpl: number, error: number): void {
    this.wide = true;
    this.mmu = this.linear.mmu(cpl);
    this.error = error;
    this.spLo = lo;
    this.spHi = hi;
  }

  /** Another privilege level pushes on the same stack. */
  set level(cpl: number) {
    this.mmu = this.linear.mmu(cpl);
  }

  push(size: number, lo: number, hi: number): void {
    this.move(-size);
    this.check(this.spLo, this.spHi, size, true);
    this.linear.write(this.atLo, this.atHi, size, this.mmu, lo, hi);
  }

  /** Pushes quadwords onto a 64-bit stack, all of them or none: the first of `words`, as low and high halves, ends on top. */
  pushRow(words: Int32Array, count: number): void {
    const bytes = 8 * count;
    const { regs, linear } = this;
    const sum = (this.spLo >>> 0) - bytes;
    const at = sum >= 0 && canonical(this.spHi, regs.cr4) ? linear.pushed(sum | 0, this.spHi, bytes, this.mmu) : -1;
    if (at < 0) {
      for (let i = count - 1; i >= 0; i--) this.push(8, words[2 * i]!, words[2 * i + 1]!);
      return;
    }
    for (let i = 0; i < 2 * count; i++) regs.words[at + i] = words[i]!;
    this.spLo = sum | 0;
  }

  pop(size: number): number {
    const value = this.peek(0, size);
    this.move(size);
    return value;
  }

  /** Reads above the stack pointer. */
  peek(distance: number, size: number): number {
    const sum = (this.spLo >>> 0) + distance;
    this.check(sum | 0, this.wide && sum > 0xffff_ffff ? (this.spHi + 1) | 0 : this.spHi, size, false);
    const value = this.linear.read(this.atLo, this.atHi, size, this.mmu);
    this.hi = this.linear.hi;
    return value;
  }

  /** Moves the stack pointer, as far as it counts. */
  move(distance: number): void {
    if (this.wide) {
      const sum = (this.spLo >>> 0) + distance;
      this.spHi = (this.spHi + Math.floor(sum / 0x1_0000_0000)) | 0;
      this.spLo = sum | 0;
    } else if (this.big) this.spLo = (this.spLo + distance) | 0;
    else this.spLo = (this.spLo & ~0xffff) | ((this.spLo + distance) & 0xffff);
  }

  /** Puts the pointer into RSP, ESP or SP. */
  commit(): void {
    const { regs } = this;
    if (this.wide) regs.setGpr(RSP, this.spLo, this.spHi);
    else regs.setGpr(RSP, this.big ? this.spLo : (regs.lo(RSP) & ~0xffff) | (this.spLo & 0xffff), this.big ? 0 : regs.hi(RSP));
  }

  private atLo = 0;
  private atHi = 0;

  private check(lo: number, hi: number, size: number, write: boolean): void {
    const { regs } = this;
    if (this.wide) {
      if (!canonical(hi, regs.cr4)) regs.fault.raise(V.SS, this.error);
      this.atLo = lo;
      this.atHi = hi;
      return;
    }
    const offset = this.big ? lo >>> 0 : lo & 0xffff;
    const last = offset + size - 1;
    let fits = last <= this.limit;
    if ((this.rights & 0xc) === 4) fits = offset > this.limit && last <= (this.big ? 0xffff_ffff : 0xffff);
    if (!regs.real && ((this.rights & AR.unusable) !== 0 || (write && (this.rights & 10) !== 2))) fits = false;
    if (!fits) regs.fault.raise(V.SS, this.error);
    this.atLo = (offset + this.base) | 0;
    this.atHi = 0;
  }
}
