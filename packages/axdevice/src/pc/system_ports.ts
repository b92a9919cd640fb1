/** Small things at fixed ports of a PC: the system control port A, the diagnostic port, and the test device that ends a run. */
import type { DeviceContext, DeviceSpec } from '@axvisor/axvisor_api/device';
import type { Model } from '../models/model.ts';
import { PortDevice, portOf, ports } from './port_device.ts';

const PORT_A = { fastReset: 1, a20: 2 } as const;

/** Port 92h of the PS/2: bit 0 resets the processor, bit 1 opens the gate of A20. Of this one and the keyboard controller's, the last that was set counts. */
class SystemControl extends PortDevice {
  readonly #requestReset: () => void;
  readonly #setA20: ((open: boolean) => void) | undefined;
  #value: number = PORT_A.a20;

  constructor(spec: DeviceSpec, { requestPower, setA20 }: DeviceContext) {
    super(spec, [ports(portOf(spec, 1))]);
    this.#requestReset = () => requestPower('reset', 0);
    this.#setA20 = setA20;
  }

  reset(): void {
    this.#value = PORT_A.a20;
  }

  protected readByte(): number {
    return this.#value;
  }

  protected writeByte(_offset: number, value: number): void {
    if ((value & ~this.#value & PORT_A.fastReset) !== 0) this.#requestReset();
    this.#value = value & ~PORT_A.fastReset;
    this.#setA20?.((value & PORT_A.a20) !== 0);
  }
}

/** Port 80h: firmware shows here how far it has come, and kernels write to it to wait a little. */
class PostPort extends PortDevice {
  #value = 0;

  constructor(spec: DeviceSpec) {
    super(spec, [ports(portOf(spec, 1))]);
  }

  reset(): void {
    this.#value = 0;
  }

  protected readByte(): number {
    return this.#value;
  }

  protected writeByte(_offset: number, value: number): void {
    this.#value = value;
  }
}

const EXIT_SIZE = 4;

/** The test device of QEMU: the value written, shifted and with bit 0 set, is the result of the run (QEMU, hw/misc/debugexit). */
class DebugExit extends PortDevice {
  readonly #exit: (code: number) => void;

  constructor(spec: DeviceSpec, { requestPower }: DeviceContext) {
    super(spec, [ports(portOf(spec, EXIT_SIZE), EXIT_SIZE)]);
    this.#exit = (code) => requestPower('poweroff', code);
  }

  reset(): void {
    // It has no state.
  }

  protected readByte(): number {
    return 0;
  }

  protected writeByte(offset: number, value: number): void {
    // A process's result has eight bits; higher bytes do not show.
    if (offset === 0) this.#exit(((value << 1) | 1) & 0xff);
  }
}

export const systemControl: Model = {
  model: 'port92', summary: 'system control port A: fast reset, A20 gate', size: 1n, options: [],
  create: (spec, context) => new SystemControl(spec, context),
};

export const postPort: Model = { model: 'port80', summary: 'diagnostic port', size: 1n, options: [], create: (spec) => new PostPort(spec) };

export const debugExit: Model = {
  model: 'isa-debug-exit', summary: 'ends the run with (value << 1) | 1', size: BigInt(EXIT_SIZE), options: [],
  create: (spec, context) => new DebugExit(spec, context),
};
