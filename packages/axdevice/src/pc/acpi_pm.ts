/** ACPI fixed hardware (ACPI 6.5, 4.8): PM1a event and control registers, power button, and the PM timer. */
import type { DeviceContext, DeviceSpec, IrqLine } from '@axvisor/axvisor_api/device';
import { OneShotTimer, currentTicks, nanosToTicks, ticksToNanos } from '@axvisor/axvisor_api/time';
import type { Model } from '../models/model.ts';
import { PortDevice, portOf, ports } from './port_device.ts';

/** Offsets: PM1a_EVT (status, enable), PM1a_CNT, PM_TMR. QEMU's boards have them at 0x600, so that power-off is 0x2000 to port 0x604. */
export const AcpiPmReg = { status: 0, enable: 2, control: 4, timer: 8 } as const;
const SIZE = 12;

const Event = { timer: 0x0001, powerButton: 0x0100 } as const;
/** Events that can be: also the global lock, the sleep button and the clock, which nobody raises here. */
const ENABLES = 0x0721;
const Control = { sciEnable: 1, sleepType: 0x1c00, sleepEnable: 0x2000 } as const;
/** SLP_TYP of \_S5. */
const SOFT_OFF = 0;

/** The timer has 24 bits at 3.579545 MHz; its event is a change of the highest bit. */
const TIMER_HZ = 3_579_545n;
const TIMER_MASK = 0xff_ffffn;
const HALF_PERIOD = 0x80_0000n;
const SECOND = 1_000_000_000n;

class AcpiPm extends PortDevice {
  readonly #sci: IrqLine | undefined;
  readonly #powerOff: () => void;
  #status = 0;
  #enable = 0;
  #control: number = Control.sciEnable;
  /** Half periods of the timer that have been seen. */
  #halves = 0n;
  readonly #timer: OneShotTimer = new OneShotTimer(() => {
    this.#collect();
    this.#update();
  });

  constructor(spec: DeviceSpec, { irq, requestPower, onPowerButton }: DeviceContext) {
    super(spec, [ports(portOf(spec, SIZE), SIZE)]);
    this.#sci = irq;
    this.#powerOff = () => requestPower('poweroff', 0);
    onPowerButton?.((pressed) => {
      if (pressed) this.#status |= Event.powerButton;
      this.#update();
    });
  }

  reset(): void {
    this.#status = this.#enable = 0;
    this.#control = Control.sciEnable;
    this.#halves = this.#clock / HALF_PERIOD;
    this.#update();
  }

  async close(): Promise<void> {
    this.#timer.cancel();
  }

  get #clock(): bigint {
    return (ticksToNanos(currentTicks()) * TIMER_HZ) / SECOND;
  }

  /** The timer's event: its highest bit has changed. */
  #collect(): void {
    const halves = this.#clock / HALF_PERIOD;
    if (halves !== this.#halves) this.#status |= Event.timer;
    this.#halves = halves;
  }

  protected readByte(offset: number): number {
    this.#collect();
    const register = offset < AcpiPmReg.enable ? this.#status : offset < AcpiPmReg.control ? this.#enable : this.#control;
    if (offset >= AcpiPmReg.timer) return Number(((this.#clock & TIMER_MASK) >> BigInt(8 * (offset - AcpiPmReg.timer))) & 0xffn);
    return offset < AcpiPmReg.control + 2 ? (register >> (8 * (offset & 1))) & 0xff : 0;
  }

  protected writeByte(offset: number, value: number): void {
    this.#collect();
    const shift = 8 * (offset & 1);
    const merged = (register: number): number => (register & ~(0xff << shift)) | (value << shift);
    if (offset < AcpiPmReg.enable) this.#status &= ~(value << shift);
    else if (offset < AcpiPmReg.control) this.#enable = merged(this.#enable) & ENABLES;
    else if (offset < AcpiPmReg.control + 2) this.#writeControl(merged(this.#control));
    this.#update();
  }

  /** SCI_EN cannot be cleared: there is no other mode. SLP_EN reads as 0. */
  #writeControl(value: number): void {
    this.#control = (value & Control.sleepType) | Control.sciEnable;
    if ((value & Control.sleepEnable) !== 0 && (value & Control.sleepType) === SOFT_OFF << 10) this.#powerOff();
  }

  #update(): void {
    this.#sci?.set((this.#status & this.#enable) !== 0);
    this.#timer.cancel();
    if ((this.#enable & ~this.#status & Event.timer) === 0) return;
    const nanos = ((this.#clock / HALF_PERIOD + 1n) * HALF_PERIOD * SECOND) / TIMER_HZ + 1n;
    this.#timer.set(nanosToTicks(nanos) + 1n);
  }
}

export const acpiPm: Model = {
  model: 'acpi-pm',
  summary: 'ACPI PM1a registers with power-off and power button, and the PM timer',
  size: BigInt(SIZE),
  options: [],
  create: (spec, context) => new AcpiPm(spec, context),
};
