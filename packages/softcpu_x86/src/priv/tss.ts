/** Stack pointers of inner privilege levels in the current TSS, and its I/O permission bitmap (SDM vol. 3, 8.2 and 8.7; vol. 1, 19.5.2). */
import { MMU } from '../state.ts';
import { SEG, V } from './fields.ts';
import type { Linear } from './linear.ts';
import type { Registers } from './registers.ts';

export class Tss {
  /** SS of the last {@link stack}, or the high word of RSP of {@link stack64}. */
  ss = 0;
  spHi = 0;
  private readonly regs: Registers;
  private readonly linear: Linear;

  constructor(regs: Registers, linear: Linear) {
    this.regs = regs;
    this.linear = linear;
  }

  /** A 32-bit TSS (or, in long mode, a 64-bit one). */
  get wide(): boolean {
    return (this.regs.rights[SEG.tr]! & 8) !== 0;
  }

  /** Reads at an offset that was checked. */
  private read(offset: number, size: number): number {
    const { regs, linear } = this;
    const sum = (regs.baseLo(SEG.tr) >>> 0) + offset;
    const value = linear.read(sum | 0, regs.long ? (regs.baseHi(SEG.tr) + (sum > 0xffff_ffff ? 1 : 0)) | 0 : 0, size, MMU.implicit);
    this.spHi = linear.hi;
    return value;
  }

  private need(last: number, ext: number): void {
    const { regs } = this;
    if (last > regs.limits[SEG.tr]!) regs.fault.raise(V.TS, (regs.trSelector & 0xfffc) | ext);
  }

  /** ESP or SP of a privilege level; {@link ss} is its SS. */
  stack(level: number, ext: number): number {
    if (this.wide) {
      const at = 4 + 8 * level;
      this.need(at + 5, ext);
      this.ss = this.read(at + 4, 2);
      return this.read(at, 4);
    }
    const at = 2 + 4 * level;
    this.need(at + 3, ext);
    this.ss = this.read(at + 2, 2);
    return this.read(at, 2);
  }

  /** RSP of a privilege level (`ist` 0) or of an interrupt stack; {@link spHi} is its high word. */
  stack64(level: number, ist: number, ext: number): number {
    const at = ist === 0 ? 4 + 8 * level : 28 + 8 * ist;
    this.need(at + 7, ext);
    return this.read(at, 8);
  }

  /** Whether the bitmap lets `size` ports from `port` be accessed. */
  portsAllowed(port: number, size: number): boolean {
    const { regs } = this;
    const limit = regs.limits[SEG.tr]!;
    if (!this.wide || regs.unusable(SEG.tr) || limit < 103) return false;
    const base = this.read(102, 2);
    const at = base + (port >>> 3);
    if (at + 1 > limit) return false;
    return ((this.read(at, 2) >>> (port & 7)) & ((1 << size) - 1)) === 0;
  }

  /** Bit of the interrupt redirection bitmap (CR4.VME): whether INT n goes to the virtual-8086 monitor. */
  redirected(vector: number): boolean {
    const { regs } = this;
    const limit = regs.limits[SEG.tr]!;
    if (!this.wide || limit < 103) return true;
    const at = this.read(102, 2) - 32 + (vector >>> 3);
    return at < 0 || at > limit || ((this.read(at, 1) >>> (vector & 7)) & 1) !== 0;
  }
}
