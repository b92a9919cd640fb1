/** The pair of 8259A interrupt controllers of a PC (Intel 8259A data sheet) with the edge/level registers of the EISA bus (Intel 82374EB, ELCR). */
import type { AccessWidth, Device, DeviceRegion } from '@axvisor/axvisor_api/device';

/** The input of the first controller that the second one drives. */
const CASCADE = 2;
/** Inputs that are always edge-triggered: timer, keyboard and cascade; clock and coprocessor. */
const ELCR_WRITABLE = [0xf8, 0xde] as const;

const Icw1 = { needIcw4: 1, single: 2, levelTriggered: 8, init: 0x10 } as const;
const Icw4 = { autoEoi: 2, fullyNested: 0x10 } as const;
const Ocw3 = { readIsr: 1, readRegister: 2, poll: 4, select: 8, specialMask: 0x20, setSpecialMask: 0x40 } as const;
/** The default vector: what is delivered if the request is gone at the acknowledge cycle. */
const SPURIOUS = 7;

/** One 8259A. */
class Pic8259 {
  readonly #isMaster: boolean;
  readonly #changed: (acknowledged: boolean) => void;
  #line = 0;
  /** Edges that were seen and not acknowledged. */
  #edge = 0;
  isr = 0;
  imr = 0;
  elcr = 0;
  #vectorBase = 0;
  /** The input with the lowest priority; the next one has the highest. */
  #lowest = 7;
  #autoEoi = false;
  #rotateInAutoEoi = false;
  #fullyNested = false;
  #specialMask = false;
  #levelTriggered = false;
  #readIsr = false;
  #poll = false;
  /** The initialization command word that comes next: 1 (after power-on), 2, 3, 4; 0: none. */
  #icw = 1;
  #single = false;
  #needIcw4 = false;

  constructor(isMaster: boolean, changed: (acknowledged: boolean) => void) {
    this.#isMaster = isMaster;
    this.#changed = changed;
  }

  reset(): void {
    this.#icw = 1;
    this.isr = this.imr = this.#edge = this.#vectorBase = 0;
    this.#lowest = 7;
    this.#autoEoi = this.#rotateInAutoEoi = this.#fullyNested = this.#specialMask = false;
    this.#levelTriggered = this.#readIsr = this.#poll = this.#single = this.#needIcw4 = false;
  }

  setLine(input: number, asserted: boolean): void {
    const bit = 1 << input;
    if (asserted && (this.#line & bit) === 0) this.#edge |= bit;
    this.#line = asserted ? this.#line | bit : this.#line & ~bit;
    this.#changed(false);
  }

  latchEdge(input: number): void {
    this.#edge |= 1 << input;
  }

  /** A request lasts as long as its wire is asserted; an edge-triggered one until it is acknowledged, too. */
  get irr(): number {
    const level = this.#levelTriggered ? 0xff : this.elcr;
    return this.#line & (level | this.#edge);
  }

  /** 0 is the most urgent. */
  #rank(input: number): number {
    return (input - this.#lowest - 1) & 7;
  }

  #mostUrgent(inputs: number): number | undefined {
    for (let i = 1; i <= 8; i++) {
      const input = (this.#lowest + i) & 7;
      if (((inputs >> input) & 1) === 1) return input;
    }
    return undefined;
  }

  /** The request that the INT output is about; there is none before the controller is initialized. */
  request(): number | undefined {
    if (this.#icw !== 0) return undefined;
    const input = this.#mostUrgent(this.irr & ~this.imr);
    if (input === undefined) return undefined;
    // In the special mask mode only inputs that are not masked hold others back; fully nested, a slave's interrupt does not hold back others of that slave.
    let inService = this.isr;
    if (this.#specialMask) inService &= ~this.imr;
    if (this.#fullyNested && this.#isMaster) inService &= ~(1 << CASCADE);
    const active = this.#mostUrgent(inService);
    return active === undefined || this.#rank(input) < this.#rank(active) ? input : undefined;
  }

  /** The acknowledge cycle: the input taken, if there still is one. */
  take(): number | undefined {
    const input = this.request();
    if (input === undefined) return undefined;
    this.#edge &= ~(1 << input);
    if (!this.#autoEoi) this.isr |= 1 << input;
    else if (this.#rotateInAutoEoi) this.#lowest = input;
    return input;
  }

  vector(input: number | undefined): number {
    return this.#vectorBase | (input ?? SPURIOUS);
  }

  read(a0: number): number {
    if (this.#poll) {
      this.#poll = false;
      const input = this.take();
      this.#changed(true);
      return input === undefined ? 0 : 0x80 | input;
    }
    if (a0 === 1) return this.imr;
    return this.#readIsr ? this.isr : this.irr;
  }

  write(a0: number, value: number): void {
    if (a0 === 0) {
      if ((value & Icw1.init) !== 0) this.#writeIcw1(value);
      else if ((value & Ocw3.select) !== 0) this.#writeOcw3(value);
      else this.#writeOcw2(value >> 5, value & 7);
    } else if (this.#icw > 1) this.#writeIcw(value);
    else this.imr = value;
    this.#changed(false);
  }

  #writeIcw1(value: number): void {
    this.reset();
    this.#levelTriggered = (value & Icw1.levelTriggered) !== 0;
    this.#single = (value & Icw1.single) !== 0;
    this.#needIcw4 = (value & Icw1.needIcw4) !== 0;
    this.#icw = 2;
  }

  #writeIcw(value: number): void {
    if (this.#icw === 2) {
      this.#vectorBase = value & 0xf8;
      this.#icw = this.#single ? (this.#needIcw4 ? 4 : 0) : 3;
    } else if (this.#icw === 3) {
      // How the two are wired to each other is given.
      this.#icw = this.#needIcw4 ? 4 : 0;
    } else {
      this.#autoEoi = (value & Icw4.autoEoi) !== 0;
      this.#fullyNested = (value & Icw4.fullyNested) !== 0;
      this.#icw = 0;
    }
  }

  /** EOI and rotation: `command` is R, SL, EOI. */
  #writeOcw2(command: number, level: number): void {
    const [rotate, specific, eoi] = [(command & 4) !== 0, (command & 2) !== 0, (command & 1) !== 0];
    if (!eoi) {
      if (!specific) this.#rotateInAutoEoi = rotate;
      else if (rotate) this.#lowest = level;
      return;
    }
    const ended = specific ? level : this.#mostUrgent(this.#specialMask ? this.isr & ~this.imr : this.isr);
    if (ended === undefined) return;
    this.isr &= ~(1 << ended);
    if (rotate) this.#lowest = ended;
  }

  #writeOcw3(value: number): void {
    if ((value & Ocw3.poll) !== 0) this.#poll = true;
    if ((value & Ocw3.readRegister) !== 0) this.#readIsr = (value & Ocw3.readIsr) !== 0;
    if ((value & Ocw3.setSpecialMask) !== 0) this.#specialMask = (value & Ocw3.specialMask) !== 0;
  }
}

export class PicPair implements Device {
  readonly name = 'pic';
  readonly model = 'i8259';
  readonly regions: readonly DeviceRegion[] = [
    { space: 'port', first: 0x20, last: 0x21 },
    { space: 'port', first: 0xa0, last: 0xa1 },
    { space: 'port', first: 0x4d0, last: 0x4d1 },
  ];
  readonly #master: Pic8259;
  readonly #slave: Pic8259;
  readonly #intr: (level: boolean) => void;
  /** Edge/level registers at power-on. */
  readonly #elcr: number;
  #output = false;

  /** @param levelTriggered - inputs that are level-triggered at power-on, a bit each */
  constructor(levelTriggered: number, intr: (level: boolean) => void) {
    this.#intr = intr;
    this.#elcr = levelTriggered;
    this.#master = new Pic8259(true, () => this.#update());
    this.#slave = new Pic8259(false, (acknowledged) => this.#cascade(acknowledged));
    this.#presetElcr();
  }

  #presetElcr(): void {
    this.#master.elcr = this.#elcr & ELCR_WRITABLE[0];
    this.#slave.elcr = (this.#elcr >> 8) & ELCR_WRITABLE[1];
  }

  /** Wires keep their levels. */
  reset(): void {
    this.#presetElcr();
    this.#slave.reset();
    this.#master.reset();
    this.#update();
  }

  setLine(irq: number, asserted: boolean): void {
    if (irq >= 8) this.#slave.setLine(irq - 8, asserted);
    else if (irq !== CASCADE) this.#master.setLine(irq, asserted);
  }

  /** What {@link acknowledge} would return. */
  peek(): number {
    const input = this.#master.request();
    return input === CASCADE ? this.#slave.vector(this.#slave.request()) : this.#master.vector(input);
  }

  acknowledge(): number {
    const input = this.#master.take();
    let vector = this.#master.vector(input);
    if (input === CASCADE) {
      vector = this.#slave.vector(this.#slave.take());
      this.#cascade(true);
    }
    this.#update();
    return vector;
  }

  read(offset: number, width: AccessWidth, region: number): bigint {
    let value = 0n;
    for (let i = 0; i < width; i++) value |= BigInt(this.#readByte(offset + i, region)) << BigInt(8 * i);
    return value;
  }

  write(offset: number, width: AccessWidth, value: bigint, region: number): void {
    for (let i = 0; i < width; i++) this.#writeByte(offset + i, Number((value >> BigInt(8 * i)) & 0xffn), region);
  }

  #readByte(offset: number, region: number): number {
    if (region === 2) return (offset === 0 ? this.#master : this.#slave).elcr;
    return (region === 0 ? this.#master : this.#slave).read(offset);
  }

  #writeByte(offset: number, value: number, region: number): void {
    if (region < 2) return (region === 0 ? this.#master : this.#slave).write(offset, value);
    const pic = offset === 0 ? this.#master : this.#slave;
    pic.elcr = value & (ELCR_WRITABLE[offset as 0 | 1]);
    this.#cascade(false);
    this.#update();
  }

  /** The slave's INT output. It falls when a request is acknowledged, so that one which still waits is an edge of its own. */
  #cascade(acknowledged: boolean): void {
    const asserted = this.#slave.request() !== undefined;
    if (asserted && acknowledged) this.#master.latchEdge(CASCADE);
    this.#master.setLine(CASCADE, asserted);
  }

  #update(): void {
    const output = this.#master.request() !== undefined;
    if (output === this.#output) return;
    this.#output = output;
    this.#intr(output);
  }
}
