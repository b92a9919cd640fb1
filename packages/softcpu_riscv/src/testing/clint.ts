/** A core-local interruptor for one hart, as SiFive's: msip at 0, mtimecmp at 0x4000, mtime at 0xbff8. */

/** Bits of mip that it drives. */
const MSI = 3;
const MTI = 7;

export class Clint {
  #msip = 0n;
  #compare = 0xffff_ffff_ffff_ffffn;
  readonly #now: () => bigint;
  readonly #setTime: (time: bigint) => void;
  readonly #setPending: (irq: number, level: boolean) => void;

  constructor(now: () => bigint, setTime: (time: bigint) => void, setPending: (irq: number, level: boolean) => void) {
    this.#now = now;
    this.#setTime = setTime;
    this.#setPending = setPending;
  }

  reset(): void {
    this.#msip = 0n;
    this.#compare = 0xffff_ffff_ffff_ffffn;
  }

  /** mtime at which the timer interrupt becomes pending. */
  get compare(): bigint {
    return this.#compare;
  }

  /** Drives the interrupt lines. */
  update(): void {
    this.#setPending(MSI, this.#msip !== 0n);
    this.#setPending(MTI, this.#now() >= this.#compare);
  }

  #register(offset: number): bigint | undefined {
    if (offset < 4) return this.#msip;
    if (offset >= 0x4000 && offset < 0x4008) return this.#compare;
    return offset >= 0xbff8 && offset < 0xc000 ? this.#now() : undefined;
  }

  read(offset: number, size: number): bigint | undefined {
    const value = this.#register(offset);
    return value === undefined ? undefined : BigInt.asUintN(8 * size, value >> BigInt(8 * (offset % 8)));
  }

  write(offset: number, size: number, value: bigint): boolean {
    const old = this.#register(offset);
    if (old === undefined) return false;
    const shift = BigInt(8 * (offset % 8));
    const mask = ((1n << BigInt(8 * size)) - 1n) << shift;
    const next = (old & ~mask) | ((value << shift) & mask);
    if (offset < 4) this.#msip = next & 1n;
    else if (offset < 0x4008) this.#compare = next;
    else this.#setTime(next);
    this.update();
    return true;
  }
}
