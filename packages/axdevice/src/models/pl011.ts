/** The PrimeCell UART PL011 (Arm, DDI 0183, r1p5): 16-byte FIFOs. What is written leaves at once, enabled or not, as on QEMU. */
import type { ConsolePort, Device, DeviceContext, DeviceSpec, IrqLine } from '@axvisor/axvisor_api/device';
import type { Model } from './model.ts';
import { Primecell, PRIMECELL_SIZE } from './primecell.ts';

/** Register offsets (3.2). */
const Reg = {
  dr: 0x00, rsrEcr: 0x04, fr: 0x18, ilpr: 0x20, ibrd: 0x24, fbrd: 0x28, lcrH: 0x2c, cr: 0x30, ifls: 0x34, imsc: 0x38, ris: 0x3c, mis: 0x40,
  icr: 0x44, dmacr: 0x48,
} as const;
/** Errors of a character, above its byte in UARTDR; UARTRSR has them from bit 0 on. */
const Dr = { errorShift: 8, be: 0x400, oe: 0x800 } as const;
const Fr = { cts: 1, dsr: 2, dcd: 4, rxfe: 0x10, rxff: 0x40, txfe: 0x80, ri: 0x100 } as const;
const LcrH = { brk: 1, fen: 0x10 } as const;
const Cr = { uarten: 1, lbe: 0x80, rxe: 0x200, dtr: 0x400, rts: 0x800, out1: 0x1000, out2: 0x2000, reset: 0x300 } as const;
/** Interrupts, in the layout of UARTIMSC, UARTRIS, UARTMIS and UARTICR. */
const Int = { ri: 1, cts: 2, dcd: 4, dsr: 8, rx: 0x10, tx: 0x20, rt: 0x40, be: 0x200, oe: 0x400, all: 0x7ff } as const;

/** Registers that keep what is written: bits that exist, and the value at reset. */
const KEPT: Readonly<Record<number, { readonly mask: number; readonly reset: number }>> = {
  [Reg.ilpr]: { mask: 0xff, reset: 0 },
  [Reg.ibrd]: { mask: 0xffff, reset: 0 },
  [Reg.fbrd]: { mask: 0x3f, reset: 0 },
  [Reg.lcrH]: { mask: 0xff, reset: 0 },
  [Reg.cr]: { mask: 0xff87, reset: Cr.reset },
  [Reg.ifls]: { mask: 0x3f, reset: 0x12 },
  [Reg.imsc]: { mask: Int.all, reset: 0 },
  [Reg.dmacr]: { mask: 7, reset: 0 },
};

const FIFO_DEPTH = 16;
/** Receive trigger levels by UARTIFLS bits 5:3: ⅛, ¼, ½, ¾, ⅞ of the FIFO. */
const TRIGGER = [2, 4, 8, 12, 14] as const;

/** Modem lines: an output, the flag of the input it is looped to, and that input's interrupt (3.3.8, LBE). */
const MODEM: readonly (readonly [output: number, flag: number, interrupt: number])[] = [
  [Cr.rts, Fr.cts, Int.cts], [Cr.dtr, Fr.dsr, Int.dsr], [Cr.out1, Fr.dcd, Int.dcd], [Cr.out2, Fr.ri, Int.ri],
];
/** Somebody is at the other end of the line. */
const CONNECTED = Fr.cts | Fr.dsr | Fr.dcd;

class Pl011 extends Primecell {
  readonly posted: readonly number[] = [Reg.dr];
  /** Linux reads half words. */
  readonly latched: NonNullable<Device['latched']> = [{ offset: Reg.fr, width: 2, value: () => this.#flags() }];
  readonly #irq: IrqLine | undefined;
  readonly #console: ConsolePort;
  readonly #kept = new Map<number, number>();
  /** Characters with their errors, in the layout of UARTDR. */
  #rx: number[] = [];
  /** UARTRSR: errors of the character that was read last, and overrun. */
  #status = 0;
  /** UARTRIS. */
  #raw = 0;

  constructor(spec: DeviceSpec, { irq, console }: DeviceContext) {
    super(spec, { model: 'pl011', part: 0x011, revision: 3, node: 'serial', clocks: ['uartclk', 'apb_pclk'] });
    this.#irq = irq;
    this.#console = console;
    this.#clear();
    console.onInput(() => {
      this.#receive();
      this.#update();
    });
  }

  #clear(): void {
    for (const [offset, { reset }] of Object.entries(KEPT)) this.#kept.set(Number(offset), reset);
    this.#rx = [];
    this.#status = this.#raw = 0;
  }

  reset(): void {
    this.#clear();
    this.#update();
  }

  #get(offset: number): number {
    return this.#kept.get(offset) ?? 0;
  }

  get #loops(): boolean {
    return (this.#get(Reg.cr) & Cr.lbe) !== 0;
  }

  protected readWord(offset: number): number {
    switch (offset) {
      case Reg.dr:
        return this.#take();
      case Reg.rsrEcr:
        return this.#status;
      case Reg.fr:
        return this.#flags();
      case Reg.ris:
        return this.#raw;
      case Reg.mis:
        return this.#raw & this.#get(Reg.imsc);
      default:
        return this.#get(offset);
    }
  }

  protected writeWord(offset: number, value: number): void {
    const before = { modem: this.#modem(), brk: this.#get(Reg.lcrH) & LcrH.brk };
    const kept = KEPT[offset];
    if (kept !== undefined) this.#kept.set(offset, value & kept.mask);
    switch (offset) {
      case Reg.dr:
        this.#transmit(value & 0xff);
        break;
      case Reg.rsrEcr:
        this.#status = 0;
        break;
      case Reg.icr:
        this.#raw &= ~value;
        break;
      case Reg.lcrH:
        if (this.#loops && before.brk === 0 && (value & LcrH.brk) !== 0) this.#arrive(Dr.be);
        this.#receive();
        break;
      case Reg.cr:
        for (const [, flag, interrupt] of MODEM) if (((before.modem ^ this.#modem()) & flag) !== 0) this.#raw |= interrupt;
        this.#receive();
        break;
      default:
    }
    this.#update();
  }

  #transmit(byte: number): void {
    if (this.#loops) this.#arrive(byte);
    else this.#console.write(Uint8Array.of(byte));
    this.#raw |= Int.tx;
  }

  #flags(): number {
    return this.#modem() | Fr.txfe | (this.#rx.length === 0 ? Fr.rxfe : 0) | (this.#rx.length >= this.#depth ? Fr.rxff : 0);
  }

  get #depth(): number {
    return (this.#get(Reg.lcrH) & LcrH.fen) !== 0 ? FIFO_DEPTH : 1;
  }

  get #trigger(): number {
    return this.#depth === 1 ? 1 : (TRIGGER[(this.#get(Reg.ifls) >> 3) & 7] ?? FIFO_DEPTH);
  }

  /** A character comes in. */
  #arrive(character: number): void {
    if (this.#rx.length >= this.#depth) {
      this.#status |= Dr.oe >> Dr.errorShift;
      this.#raw |= Int.oe;
      return;
    }
    this.#rx.push(character);
    if ((character & Dr.be) !== 0) this.#raw |= Int.be;
    // The line is as fast as can be: what did not come with this character is not coming within 32 bit times.
    this.#raw |= this.#rx.length >= this.#trigger ? Int.rx | Int.rt : Int.rt;
  }

  /** Fills the FIFO from the console. What does not fit stays there: the wire waits, nothing is lost. */
  #receive(): void {
    const room = this.#depth - this.#rx.length;
    const on = Cr.uarten | Cr.rxe;
    if (room <= 0 || this.#loops || (this.#get(Reg.cr) & on) !== on) return;
    for (const byte of this.#console.read(room)) this.#arrive(byte);
  }

  #take(): number {
    const character = this.#rx.shift() ?? 0;
    this.#status = (character >> Dr.errorShift) | (this.#status & (Dr.oe >> Dr.errorShift));
    if (this.#rx.length < this.#trigger) this.#raw &= ~Int.rx;
    if (this.#rx.length === 0) this.#raw &= ~Int.rt;
    this.#receive();
    this.#update();
    return character;
  }

  #modem(): number {
    if (!this.#loops) return CONNECTED;
    const cr = this.#get(Reg.cr);
    return MODEM.reduce((flags, [output, flag]) => ((cr & output) === 0 ? flags : flags | flag), 0);
  }

  #update(): void {
    this.#irq?.set((this.#raw & this.#get(Reg.imsc)) !== 0);
  }
}

export const pl011: Model = {
  model: 'pl011',
  summary: 'PL011 serial port, connected to the console of the VM',
  size: PRIMECELL_SIZE,
  options: [],
  create: (spec, context) => new Pl011(spec, context),
};
