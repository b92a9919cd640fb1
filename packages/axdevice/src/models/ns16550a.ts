/** The 16550A UART (National Semiconductor PC16550D data sheet, 1995): 16-byte FIFOs, byte registers. */
import type { AccessWidth, ConsolePort, Device, DeviceContext, DeviceRegion, DeviceSpec, FdtNode, IrqLine } from '@axvisor/axvisor_api/device';
import { ioRegion, SPACE_OPTION } from './io_space.ts';
import { deviceName, type Model } from './model.ts';

/** Register offsets; some have two meanings by direction or by LCR.DLAB. */
const Reg = { data: 0, ier: 1, iirFcr: 2, lcr: 3, mcr: 4, lsr: 5, msr: 6, scr: 7 } as const;
const Ier = { rxAvailable: 1, txEmpty: 2, lineStatus: 4, modemStatus: 8 } as const;
const Iir = { none: 1, modemStatus: 0, txEmpty: 2, rxAvailable: 4, lineStatus: 6, rxTimeout: 12, fifoEnabled: 0xc0 } as const;
const Fcr = { enable: 1, clearRx: 2, clearTx: 4 } as const;
const Lcr = { dlab: 0x80 } as const;
const Mcr = { dtr: 1, rts: 2, out1: 4, out2: 8, loop: 0x10 } as const;
const Lsr = { dataReady: 1, overrun: 2, txEmpty: 0x20, txIdle: 0x40 } as const;
const Msr = { cts: 0x10, dsr: 0x20, ri: 0x40, dcd: 0x80 } as const;

const SIZE = 0x100n;
const PORTS = 8;
const FIFO_DEPTH = 16;
/** Receive trigger levels by FCR bits 7:6. */
const TRIGGER = [1, 4, 8, 14] as const;
/** 16 x 115200 baud times two: the clock the device tree of QEMU's `virt` board states. */
const CLOCK_HZ = 3_686_400;

class Ns16550a implements Device {
  readonly name: string;
  readonly model = 'ns16550a';
  readonly regions: readonly DeviceRegion[];
  readonly fdt: FdtNode = { node: 'serial', compatible: ['ns16550a'], properties: { 'clock-frequency': [CLOCK_HZ] } };
  /** What is transmitted is on the wire at once whoever looks. */
  readonly posted: readonly number[] = [Reg.data];
  readonly latched: NonNullable<Device['latched']> = [
    { offset: Reg.lsr, width: 1, value: () => (this.#overrun || (this.#mcr & Mcr.loop) !== 0 ? undefined : this.#lineStatus) },
  ];
  readonly #irq: IrqLine | undefined;
  readonly #console: ConsolePort;
  #rx: number[] = [];
  #ier = 0;
  #fcr = 0;
  #lcr = 0;
  #mcr = 0;
  #scr = 0;
  #divisor = 12;
  #overrun = false;
  /** The transmitter-empty interrupt is pending: set by a write or by enabling it, cleared by reading IIR. */
  #txPending = false;

  constructor(spec: DeviceSpec, { irq, console }: DeviceContext) {
    this.name = deviceName(spec, 'serial');
    this.regions = [ioRegion(spec, SIZE, PORTS)];
    this.#irq = irq;
    this.#console = console;
    console.onInput(() => {
      this.#receive();
      this.#update();
    });
  }

  reset(): void {
    this.#rx = [];
    this.#ier = this.#fcr = this.#lcr = this.#mcr = this.#scr = 0;
    this.#divisor = 12;
    this.#overrun = this.#txPending = false;
    this.#receive();
    this.#update();
  }

  read(offset: number, width: AccessWidth): bigint {
    if (width === 1) return BigInt(this.#readByte(offset));
    let value = 0n;
    for (let i = 0; i < width; i++) value |= BigInt(this.#readByte(offset + i)) << BigInt(8 * i);
    return value;
  }

  write(offset: number, width: AccessWidth, value: bigint): void {
    if (width === 1) return this.#writeByte(offset, Number(value));
    for (let i = 0; i < width; i++) this.#writeByte(offset + i, Number((value >> BigInt(8 * i)) & 0xffn));
  }

  get #lineStatus(): number {
    return Lsr.txEmpty | Lsr.txIdle | (this.#rx.length > 0 ? Lsr.dataReady : 0) | (this.#overrun ? Lsr.overrun : 0);
  }

  get #dlab(): boolean {
    return (this.#lcr & Lcr.dlab) !== 0;
  }

  #readByte(offset: number): number {
    switch (offset) {
      case Reg.data: {
        if (this.#dlab) return this.#divisor & 0xff;
        const byte = this.#rx.shift() ?? 0;
        this.#receive();
        this.#update();
        return byte;
      }
      case Reg.ier:
        return this.#dlab ? this.#divisor >> 8 : this.#ier;
      case Reg.iirFcr: {
        const iir = this.#interruptId();
        if (iir === Iir.txEmpty) this.#txPending = false;
        this.#update();
        return iir | ((this.#fcr & Fcr.enable) !== 0 ? Iir.fifoEnabled : 0);
      }
      case Reg.lcr:
        return this.#lcr;
      case Reg.mcr:
        return this.#mcr;
      case Reg.lsr: {
        const lsr = this.#lineStatus;
        this.#overrun = false;
        this.#update();
        return lsr;
      }
      case Reg.msr:
        return this.#modemStatus();
      case Reg.scr:
        return this.#scr;
      default:
        return 0;
    }
  }

  #writeByte(offset: number, byte: number): void {
    switch (offset) {
      case Reg.data:
        if (this.#dlab) this.#divisor = (this.#divisor & 0xff00) | byte;
        else this.#transmit(byte);
        break;
      case Reg.ier:
        if (this.#dlab) this.#divisor = (this.#divisor & 0xff) | (byte << 8);
        else {
          if ((byte & ~this.#ier & Ier.txEmpty) !== 0) this.#txPending = true;
          this.#ier = byte & 0xf;
        }
        break;
      case Reg.iirFcr:
        if ((byte & Fcr.clearRx) !== 0 || ((byte ^ this.#fcr) & Fcr.enable) !== 0) this.#rx = [];
        this.#fcr = byte & ~(Fcr.clearRx | Fcr.clearTx);
        this.#receive();
        break;
      case Reg.lcr:
        this.#lcr = byte;
        break;
      case Reg.mcr:
        this.#mcr = byte & 0x1f;
        this.#receive();
        break;
      case Reg.scr:
        this.#scr = byte;
        break;
      default:
    }
    this.#update();
  }

  #transmit(byte: number): void {
    if ((this.#mcr & Mcr.loop) === 0) this.#console.write(Uint8Array.of(byte));
    else if (this.#rx.length < this.#depth) this.#rx.push(byte);
    else this.#overrun = true;
    this.#txPending = true;
  }

  get #depth(): number {
    return (this.#fcr & Fcr.enable) !== 0 ? FIFO_DEPTH : 1;
  }

  /** Fills the FIFO from the console. What does not fit stays there: the wire waits, nothing is lost. */
  #receive(): void {
    const room = this.#depth - this.#rx.length;
    if (room > 0 && (this.#mcr & Mcr.loop) === 0) this.#rx.push(...this.#console.read(room));
  }

  /** Interrupt identification, by priority. With data below the trigger level it is the time-out, at once. */
  #interruptId(): number {
    if ((this.#ier & Ier.lineStatus) !== 0 && this.#overrun) return Iir.lineStatus;
    if ((this.#ier & Ier.rxAvailable) !== 0 && this.#rx.length > 0) {
      const trigger = (this.#fcr & Fcr.enable) !== 0 ? (TRIGGER[this.#fcr >> 6] ?? 1) : 1;
      return this.#rx.length >= trigger ? Iir.rxAvailable : Iir.rxTimeout;
    }
    if ((this.#ier & Ier.txEmpty) !== 0 && this.#txPending) return Iir.txEmpty;
    return Iir.none;
  }

  #modemStatus(): number {
    if ((this.#mcr & Mcr.loop) === 0) return Msr.cts | Msr.dsr | Msr.dcd;
    const wired: readonly (readonly [number, number])[] = [[Mcr.rts, Msr.cts], [Mcr.dtr, Msr.dsr], [Mcr.out1, Msr.ri], [Mcr.out2, Msr.dcd]];
    return wired.reduce((msr, [output, input]) => ((this.#mcr & output) !== 0 ? msr | input : msr), 0);
  }

  #update(): void {
    this.#irq?.set(this.#interruptId() !== Iir.none);
  }
}

export const ns16550a: Model = {
  model: 'ns16550a',
  summary: '16550A serial port, connected to the console of the VM',
  size: SIZE,
  options: [SPACE_OPTION],
  create: (spec, context) => new Ns16550a(spec, context),
};
