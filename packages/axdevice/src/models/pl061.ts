/** The PrimeCell GPIO PL061 (Arm, DDI 0190): eight lines with interrupts. Line 3 is the machine's power button, as on QEMU's `virt` board. */
import type { DeviceContext, DeviceSpec, IrqLine } from '@axvisor/axvisor_api/device';
import type { Model } from './model.ts';
import { Primecell, PRIMECELL_SIZE } from './primecell.ts';

/** The data register is at all offsets below 0x400: address bits 9:2 say which lines an access is about (2.2.1). */
const DATA_END = 0x400;
/** Direction, sense, both edges, event, mask, raw and masked status, clear, alternate function (3.2). */
const Reg = { dir: 0x400, is: 0x404, ibe: 0x408, iev: 0x40c, ie: 0x410, ris: 0x414, mis: 0x418, ic: 0x41c, afsel: 0x420 } as const;
const KEPT: readonly number[] = [Reg.dir, Reg.is, Reg.ibe, Reg.iev, Reg.ie, Reg.afsel];
const LINES = 0xff;

/** The line of the power button, high while it is pressed. */
export const POWER_BUTTON_LINE = 3;

class Pl061 extends Primecell {
  readonly #irq: IrqLine | undefined;
  readonly #kept = new Map<number, number>();
  /** What the guest drives, and what is driven from outside. */
  #outputs = 0;
  #inputs = 0;
  /** Edges that were seen. */
  #edges = 0;

  constructor(spec: DeviceSpec, { irq, onPowerButton }: DeviceContext) {
    super(spec, {
      model: 'pl061', part: 0x061, revision: 0, node: 'gpio', clocks: ['apb_pclk'], properties: { 'gpio-controller': true, '#gpio-cells': [2] },
    });
    this.#irq = irq;
    onPowerButton?.((pressed) => this.#setInput(POWER_BUTTON_LINE, pressed));
  }

  reset(): void {
    this.#kept.clear();
    this.#outputs = this.#edges = 0;
    this.#update();
  }

  #get(offset: number): number {
    return this.#kept.get(offset) ?? 0;
  }

  protected readWord(offset: number): number {
    if (offset < DATA_END) {
      const dir = this.#get(Reg.dir);
      return ((this.#outputs & dir) | (this.#inputs & ~dir)) & (offset >> 2);
    }
    if (offset === Reg.ris) return this.#raw;
    if (offset === Reg.mis) return this.#raw & this.#get(Reg.ie);
    return this.#get(offset);
  }

  protected writeWord(offset: number, value: number): void {
    if (offset < DATA_END) {
      const lines = offset >> 2;
      this.#outputs = (this.#outputs & ~lines) | (value & lines);
    } else if (offset === Reg.ic) this.#edges &= ~value;
    else if (KEPT.includes(offset)) this.#kept.set(offset, value & LINES);
    this.#update();
  }

  #setInput(line: number, high: boolean): void {
    const before = this.#inputs;
    const bit = 1 << line;
    this.#inputs = high ? before | bit : before & ~bit;
    const changed = (before ^ this.#inputs) & ~this.#get(Reg.dir);
    const wanted = this.#get(Reg.ibe) | ~(this.#inputs ^ this.#get(Reg.iev));
    this.#edges |= changed & wanted & ~this.#get(Reg.is) & LINES;
    this.#update();
  }

  /** GPIORIS: edges that were seen, and levels that are there (2.2.3). */
  get #raw(): number {
    const levels = ~(this.#inputs ^ this.#get(Reg.iev)) & ~this.#get(Reg.dir) & LINES;
    const is = this.#get(Reg.is);
    return (levels & is) | (this.#edges & ~is);
  }

  #update(): void {
    this.#irq?.set((this.#raw & this.#get(Reg.ie)) !== 0);
  }
}

export const pl061: Model = {
  model: 'pl061',
  summary: 'PL061 GPIO; its line 3 is the power button of the VM',
  size: PRIMECELL_SIZE,
  options: [],
  create: (spec, context) => new Pl061(spec, context),
};
