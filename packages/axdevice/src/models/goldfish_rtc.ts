/** The Goldfish real-time clock: nanoseconds since 1970 with an alarm (Linux, drivers/rtc/rtc-goldfish; QEMU, hw/rtc/goldfish_rtc). */
import type { AccessWidth, Device, DeviceContext, DeviceRegion, DeviceSpec, FdtNode, IrqLine } from '@axvisor/axvisor_api/device';
import { OneShotTimer, currentTicks, nanosToTicks, wallClock } from '@axvisor/axvisor_api/time';
import { deviceName, mmioRegion, type Model } from './model.ts';

const Reg = { timeLow: 0x00, timeHigh: 0x04, alarmLow: 0x08, alarmHigh: 0x0c, irqEnabled: 0x10, clearAlarm: 0x14, alarmStatus: 0x18, clearInterrupt: 0x1c } as const;

const SIZE = 0x1000n;
const LOW = 0xffff_ffffn;

class GoldfishRtc implements Device {
  readonly name: string;
  readonly model = 'goldfish-rtc';
  readonly regions: readonly DeviceRegion[];
  readonly fdt: FdtNode = { node: 'rtc', compatible: ['google,goldfish-rtc'] };
  readonly #irq: IrqLine | undefined;
  /** What the guest added to the wall clock by setting the time. */
  #offset = 0n;
  /** The time whose low half was read; the high half belongs to it. */
  #latched = 0n;
  #timeHigh = 0n;
  #alarm = 0n;
  #alarmHigh = 0n;
  readonly #timer: OneShotTimer = new OneShotTimer(() => {
    this.#pending = true;
    this.#update();
  });
  #irqEnabled = false;
  #pending = false;

  constructor(spec: DeviceSpec, { irq }: DeviceContext) {
    this.name = deviceName(spec, 'rtc');
    this.regions = [mmioRegion(spec, SIZE)];
    this.#irq = irq;
  }

  reset(): void {
    this.#timer.cancel();
    this.#offset = this.#latched = this.#timeHigh = this.#alarm = this.#alarmHigh = 0n;
    this.#irqEnabled = this.#pending = false;
    this.#update();
  }

  read(offset: number, width: AccessWidth): bigint {
    if (width !== 4) return 0n;
    switch (offset) {
      case Reg.timeLow:
        this.#latched = wallClock() + this.#offset;
        return this.#latched & LOW;
      case Reg.timeHigh:
        return (this.#latched >> 32n) & LOW;
      case Reg.alarmLow:
        return this.#alarm & LOW;
      case Reg.alarmHigh:
        return (this.#alarm >> 32n) & LOW;
      case Reg.irqEnabled:
        return this.#irqEnabled ? 1n : 0n;
      case Reg.alarmStatus:
        return this.#timer.deadline === undefined ? 0n : 1n;
      default:
        return 0n;
    }
  }

  write(offset: number, width: AccessWidth, value: bigint): void {
    if (width !== 4) return;
    switch (offset) {
      case Reg.timeHigh:
        this.#timeHigh = value;
        break;
      case Reg.timeLow:
        this.#offset = ((this.#timeHigh << 32n) | value) - wallClock();
        break;
      case Reg.alarmHigh:
        this.#alarmHigh = value;
        break;
      case Reg.alarmLow:
        this.#alarm = (this.#alarmHigh << 32n) | value;
        this.#arm();
        break;
      case Reg.irqEnabled:
        this.#irqEnabled = (value & 1n) === 1n;
        break;
      case Reg.clearAlarm:
        this.#timer.cancel();
        break;
      case Reg.clearInterrupt:
        this.#pending = false;
        break;
      default:
    }
    this.#update();
  }

  async close(): Promise<void> {
    this.#timer.cancel();
  }

  #arm(): void {
    const wait = this.#alarm - (wallClock() + this.#offset);
    this.#timer.set(currentTicks() + nanosToTicks(wait > 0n ? wait : 0n));
  }

  #update(): void {
    this.#irq?.set(this.#pending && this.#irqEnabled);
  }
}

export const goldfishRtc: Model = {
  model: 'goldfish-rtc',
  summary: 'real-time clock with alarm',
  size: SIZE,
  options: [],
  create: (spec, context) => new GoldfishRtc(spec, context),
};
