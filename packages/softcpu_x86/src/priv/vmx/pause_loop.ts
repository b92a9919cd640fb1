/** PAUSE-loop exiting: a loop of PAUSE at CPL 0 whose gaps are small, that lasts longer than a window (SDM vol. 3, 26.1.3). */
import { F, type Vmcs } from './vmcs.ts';

export class PauseLoop {
  private readonly vmcs: Vmcs;
  private readonly tsc: () => bigint;
  /** The TSC at the first and the last PAUSE of the loop. */
  private first = 0n;
  private last = 0n;

  constructor(vmcs: Vmcs, tsc: () => bigint) {
    this.vmcs = vmcs;
    this.tsc = tsc;
  }

  begin(): void {
    this.first = this.last = 0n;
  }

  /** Takes note of a PAUSE, of which there were `count` since the last that was looked at. True: the loop has lasted too long. */
  isOver(count: number): boolean {
    const { vmcs } = this;
    const now = this.tsc();
    const gap = BigInt(vmcs.lo(F.pleGap) >>> 0) * BigInt(count);
    const isOver = now - this.last <= gap && now - this.first > BigInt(vmcs.lo(F.pleWindow) >>> 0);
    if (isOver || now - this.last > gap) this.first = now;
    this.last = now;
    return isOver;
  }
}
