/** The I/O APIC (Intel 82093AA data sheet; ICH data sheets for the EOI register of version 0x20): 24 inputs, each with a redirection entry. */
import { gpa, rangeFromStartSize } from '@axvisor/axvisor_api/addr';
import type { AccessWidth, Device, DeviceRegion } from '@axvisor/axvisor_api/device';
import { Delivery, type Message } from './message.ts';

export const IO_APIC_PINS = 24;

/** Registers in memory. */
const Mmio = { select: 0x00, window: 0x10, eoi: 0x40 } as const;
/** Registers behind them. */
const Reg = { id: 0, version: 1, arbitration: 2, redirection: 0x10 } as const;
const VERSION = ((IO_APIC_PINS - 1) << 16) | 0x20;

/** Bits of the lower half of a redirection entry. */
const Entry = { logical: 0x800, remoteIrr: 0x4000, level: 0x8000, masked: 0x1_0000 } as const;
const LOW_WRITABLE = 0x1_afff;

export class IoApic implements Device {
  readonly name: string;
  readonly model = 'io-apic';
  readonly regions: readonly DeviceRegion[];
  /** Delivers a message; whether a local APIC took it. */
  readonly #deliver: (message: Message) => boolean;
  #select = 0;
  #id = 0;
  readonly #low: Uint32Array = new Uint32Array(IO_APIC_PINS);
  readonly #high: Uint32Array = new Uint32Array(IO_APIC_PINS);
  readonly #line: Uint8Array = new Uint8Array(IO_APIC_PINS);

  constructor(base: bigint, deliver: (message: Message) => boolean) {
    this.name = `io-apic@${base.toString(16)}`;
    this.regions = [{ space: 'mmio', range: rangeFromStartSize(gpa(base), 0x1000n) }];
    this.#deliver = deliver;
    this.reset();
  }

  /** Wires keep their levels. */
  reset(): void {
    this.#select = this.#id = 0;
    this.#low.fill(Entry.masked);
    this.#high.fill(0);
  }

  read(offset: number, width: AccessWidth): bigint {
    const word = (offset & ~3) === Mmio.select ? this.#select : (offset & ~3) === Mmio.window ? this.#readRegister() : 0;
    return BigInt.asUintN(8 * width, BigInt(word >>> 0) >> BigInt(8 * (offset & 3)));
  }

  write(offset: number, width: AccessWidth, value: bigint): void {
    const word = Number(value & 0xffff_ffffn);
    if (offset === Mmio.select) this.#select = word & 0xff;
    else if (width >= 4 && offset === Mmio.window) this.#writeRegister(word);
    else if (offset === Mmio.eoi) this.endOfInterrupt(word & 0xff);
  }

  #readRegister(): number {
    const at = this.#select;
    if (at === Reg.id || at === Reg.arbitration) return this.#id;
    if (at === Reg.version) return VERSION;
    const pin = (at - Reg.redirection) >> 1;
    return ((at & 1) === 0 ? this.#low[pin] : this.#high[pin]) ?? 0;
  }

  #writeRegister(value: number): void {
    if (this.#select === Reg.id) this.#id = value & 0x0f00_0000;
    const pin = (this.#select - Reg.redirection) >> 1;
    if (!(pin >= 0 && pin < IO_APIC_PINS)) return;
    if ((this.#select & 1) === 1) {
      // Bits 16 to 23 are reserved.
      this.#high[pin] = value & 0xff00_0000;
      return;
    }
    // Remote IRR is read-only, and there is none when the pin is edge-triggered.
    const kept = (value & Entry.level) !== 0 ? (this.#low[pin] as number) & Entry.remoteIrr : 0;
    this.#low[pin] = (value & LOW_WRITABLE) | kept;
    this.#ask(pin);
  }

  setLine(pin: number, asserted: boolean): void {
    const before = this.#line[pin];
    this.#line[pin] = asserted ? 1 : 0;
    if (!asserted || before === 1) return;
    // An edge on a masked pin is lost.
    if (((this.#low[pin] as number) & (Entry.level | Entry.masked)) === 0) this.#send(pin);
    else this.#ask(pin);
  }

  /** EOI of `vector`: pins that sent it may send again, and do if their wire is still asserted. */
  endOfInterrupt(vector: number): void {
    for (let pin = 0; pin < IO_APIC_PINS; pin++) {
      const low = this.#low[pin] as number;
      if ((low & 0xff) !== vector || (low & Entry.remoteIrr) === 0) continue;
      this.#low[pin] = low & ~Entry.remoteIrr;
      this.#ask(pin);
    }
  }

  /** Sends for a level-triggered pin if its wire is asserted and nothing is in its way. */
  #ask(pin: number): void {
    const low = this.#low[pin] as number;
    if (this.#line[pin] === 0 || (low & (Entry.level | Entry.masked | Entry.remoteIrr)) !== Entry.level) return;
    if (this.#send(pin)) this.#low[pin] = low | Entry.remoteIrr;
  }

  #send(pin: number): boolean {
    const low = this.#low[pin] as number;
    const delivery = (low >>> 8) & 7;
    const level = (low & Entry.level) !== 0 && (delivery === Delivery.fixed || delivery === Delivery.lowestPriority);
    // Only fixed and lowest priority can be level-triggered; of the others the edge counts (3.2.4).
    const taken = this.#deliver({
      vector: low & 0xff, delivery, level, logical: (low & Entry.logical) !== 0, destination: (this.#high[pin] as number) >>> 24, wide: false,
    });
    return taken && level;
  }
}
