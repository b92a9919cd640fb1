/** The PrimeCell real-time clock PL031 (Arm, DDI 0224): seconds since 1970 with an alarm. */
import type { DeviceContext, DeviceSpec, IrqLine } from '@axvisor/axvisor_api/device';
import { OneShotTimer, currentTicks, nanosToTicks, wallClock } from '@axvisor/axvisor_api/time';
import type { Model } from './model.ts';
import { Primecell, PRIMECELL_SIZE } from './primecell.ts';

/** Data, match, load, control, interrupt mask, raw and masked status, clear (3.2). */
const Reg = { dr: 0x00, mr: 0x04, lr: 0x08, cr: 0x0c, imsc: 0x10, ris: 0x14, mis: 0x18, icr: 0x1c } as const;

const SECOND = 1_000_000_000n;
const WORD = 32;

class Pl031 extends Primecell {
  readonly #irq: IrqLine | undefined;
  /** Seconds that the guest added to the wall clock by setting the time. */
  #offset = 0n;
  #match = 0;
  #load = 0;
  #mask = 0;
  #raw = 0;
  readonly #timer: OneShotTimer = new OneShotTimer(() => {
    this.#raw = 1;
    this.#update();
  });

  constructor(spec: DeviceSpec, { irq }: DeviceContext) {
    super(spec, { model: 'pl031', part: 0x031, revision: 0, node: 'rtc', clocks: ['apb_pclk'] });
    this.#irq = irq;
  }

  reset(): void {
    this.#timer.cancel();
    this.#offset = 0n;
    this.#match = this.#load = this.#mask = this.#raw = 0;
    this.#update();
  }

  get #now(): bigint {
    return wallClock() / SECOND + this.#offset;
  }

  protected readWord(offset: number): number {
    switch (offset) {
      case Reg.dr:
        return Number(BigInt.asUintN(WORD, this.#now));
      case Reg.mr:
        return this.#match;
      case Reg.lr:
        return this.#load;
      case Reg.cr:
        // It is enabled and cannot be stopped.
        return 1;
      case Reg.imsc:
        return this.#mask;
      case Reg.ris:
        return this.#raw;
      case Reg.mis:
        return this.#raw & this.#mask;
      default:
        return 0;
    }
  }

  protected writeWord(offset: number, value: number): void {
    switch (offset) {
      case Reg.mr:
        this.#match = value;
        this.#arm();
        break;
      case Reg.lr:
        this.#load = value;
        this.#offset += BigInt(value) - this.#now;
        this.#arm();
        break;
      case Reg.imsc:
        this.#mask = value & 1;
        break;
      case Reg.icr:
        this.#raw &= ~value;
        break;
      default:
    }
    this.#update();
  }

  async close(): Promise<void> {
    this.#timer.cancel();
  }

  /** The alarm is when the counter, which wraps, equals the match register. */
  #arm(): void {
    this.#timer.cancel();
    const seconds = BigInt.asUintN(WORD, BigInt(this.#match) - this.#now);
    if (seconds === 0n) {
      this.#raw = 1;
      return;
    }
    const wait = seconds * SECOND - (wallClock() % SECOND);
    this.#timer.set(currentTicks() + nanosToTicks(wait));
  }

  #update(): void {
    this.#irq?.set((this.#raw & this.#mask) !== 0);
  }
}

export const pl031: Model = {
  model: 'pl031',
  summary: 'PL031 real-time clock with alarm',
  size: PRIMECELL_SIZE,
  options: [],
  create: (spec, context) => new Pl031(spec, context),
};
