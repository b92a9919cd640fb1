/** The SiFive test finisher: a write ends the machine with a result (SiFive FU540 manual; Linux binding sifive,test0, also a syscon). */
import type { AccessWidth, Device, DeviceContext, DeviceRegion, DeviceSpec, FdtNode } from '@axvisor/axvisor_api/device';
import { deviceName, mmioRegion, type Model } from './model.ts';

/** Commands in the low half; the exit code of a failure is in the high half. */
const Command = { fail: 0x3333, pass: 0x5555, reset: 0x7777 } as const;

const SIZE = 0x1000n;

class SifiveTest implements Device {
  readonly name: string;
  readonly model = 'sifive-test';
  readonly regions: readonly DeviceRegion[];
  readonly fdt: FdtNode = { node: 'test', compatible: ['sifive,test1', 'sifive,test0', 'syscon'] };
  readonly #requestPower: DeviceContext['requestPower'];

  constructor(spec: DeviceSpec, { requestPower }: DeviceContext) {
    this.name = deviceName(spec, 'test');
    this.regions = [mmioRegion(spec, SIZE)];
    this.#requestPower = requestPower;
  }

  reset(): void {
    // It has no state.
  }

  read(): bigint {
    return 0n;
  }

  write(offset: number, _width: AccessWidth, value: bigint): void {
    if (offset !== 0) return;
    const code = Number((value >> 16n) & 0xffffn);
    switch (Number(value & 0xffffn)) {
      case Command.pass:
        return this.#requestPower('poweroff', 0);
      case Command.fail:
        return this.#requestPower('poweroff', code);
      case Command.reset:
        return this.#requestPower('reset', 0);
      default:
    }
  }
}

export const sifiveTest: Model = {
  model: 'sifive-test',
  summary: 'power-off, reset and test result',
  size: SIZE,
  options: [],
  create: (spec, context) => new SifiveTest(spec, context),
};
