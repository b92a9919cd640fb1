/** The 8042 keyboard controller of an AT without keyboard and mouse (IBM PC AT technical reference; Intel 8042): self test, output port, reset. */
import type { DeviceContext, DeviceSpec, IrqLine } from '@axvisor/axvisor_api/device';
import type { Model } from '../models/model.ts';
import { PortDevice, portOf, ports } from './port_device.ts';

const Status = { outputFull: 0x01, systemFlag: 0x04, command: 0x08, unlocked: 0x10, timeout: 0x40 } as const;
/** The command byte: bits of byte 0 of its memory. */
const Ctr = { keyboardInterrupt: 0x01, systemFlag: 0x04, disableKeyboard: 0x10, disableAux: 0x20 } as const;
const Output = { notReset: 0x01, a20: 0x02 } as const;

const Command = {
  disableAux: 0xa7, enableAux: 0xa8, testAux: 0xa9, selfTest: 0xaa, testKeyboard: 0xab, disableKeyboard: 0xad, enableKeyboard: 0xae,
  readInput: 0xc0, readOutput: 0xd0, writeOutput: 0xd1, writeKeyboardBuffer: 0xd2, writeAuxBuffer: 0xd3, writeAux: 0xd4, disableA20: 0xdd, enableA20: 0xdf,
} as const;
const SELF_TEST_PASSED = 0x55;
/** There is nothing at the second port: its clock line is stuck low. */
const AUX_ABSENT = 0x01;
/** What is read when the keyboard does not answer, together with the time-out bit. */
const RESEND = 0xfe;
/** The keyboard is not locked, the display is colour. */
const INPUT_PORT = 0x80;
const MEMORY = 0x20;

class I8042 extends PortDevice {
  readonly #irq: IrqLine | undefined;
  readonly #requestReset: () => void;
  readonly #setA20: ((open: boolean) => void) | undefined;
  readonly #memory = new Uint8Array(MEMORY);
  #data = 0;
  #full = false;
  #timeout = false;
  #lastWasCommand = false;
  #output: number = Output.notReset | Output.a20;
  /** The command that waits for its data byte. */
  #pending: number | undefined;

  constructor(spec: DeviceSpec, { irq, requestPower, setA20 }: DeviceContext) {
    const base = portOf(spec, 5);
    super(spec, [ports(base), ports(base + 4)]);
    this.#irq = irq;
    this.#requestReset = () => requestPower('reset', 0);
    this.#setA20 = setA20;
    this.reset();
  }

  reset(): void {
    this.#memory.fill(0);
    this.#memory[0] = Ctr.disableKeyboard | Ctr.disableAux;
    this.#output = Output.notReset | Output.a20;
    this.#data = 0;
    this.#full = this.#timeout = this.#lastWasCommand = false;
    this.#pending = undefined;
    this.#update();
  }

  get #ctr(): number {
    return this.#memory[0] as number;
  }

  protected readByte(_offset: number, region: number): number {
    if (region === 1) {
      return (
        (this.#full ? Status.outputFull : 0) | (this.#ctr & Ctr.systemFlag) | (this.#lastWasCommand ? Status.command : 0) | Status.unlocked |
        (this.#timeout ? Status.timeout : 0)
      );
    }
    this.#full = this.#timeout = false;
    this.#update();
    return this.#data;
  }

  protected writeByte(_offset: number, value: number, region: number): void {
    this.#lastWasCommand = region === 1;
    if (region === 1) this.#command(value);
    else this.#write(value);
    this.#update();
  }

  #answer(value: number, timeout = false): void {
    this.#data = value;
    this.#full = true;
    this.#timeout = timeout;
  }

  #command(command: number): void {
    this.#pending = undefined;
    if (command >= 0xf0) {
      // Pulses the output lines whose bits are clear; line 0 is the processor's reset.
      if ((command & 1) === 0) this.#requestReset();
      return;
    }
    if (command >= 0x20 && command < 0x40) return this.#answer(this.#memory[command & 0x1f] as number);
    switch (command) {
      case Command.selfTest:
        this.#memory[0] = this.#ctr | Ctr.systemFlag;
        return this.#answer(SELF_TEST_PASSED);
      case Command.testKeyboard:
        return this.#answer(0);
      case Command.testAux:
        return this.#answer(AUX_ABSENT);
      case Command.readInput:
        return this.#answer(INPUT_PORT);
      case Command.readOutput:
        return this.#answer(this.#output | (this.#full ? 0x10 : 0));
      case Command.disableKeyboard:
        this.#memory[0] = this.#ctr | Ctr.disableKeyboard;
        return;
      case Command.enableKeyboard:
        this.#memory[0] = this.#ctr & ~Ctr.disableKeyboard;
        return;
      case Command.disableAux:
        this.#memory[0] = this.#ctr | Ctr.disableAux;
        return;
      case Command.enableAux:
        this.#memory[0] = this.#ctr & ~Ctr.disableAux;
        return;
      case Command.disableA20:
        return this.#drive(this.#output & ~Output.a20);
      case Command.enableA20:
        return this.#drive(this.#output | Output.a20);
      default:
        if ((command >= 0x60 && command < 0x80) || (command >= Command.writeOutput && command <= Command.writeAux)) this.#pending = command;
    }
  }

  #write(value: number): void {
    const command = this.#pending;
    this.#pending = undefined;
    if (command === undefined) {
      // To the keyboard, of which there is none.
      this.#answer(RESEND, true);
    } else if (command < 0x80) this.#memory[command & 0x1f] = value;
    else if (command === Command.writeOutput) {
      this.#drive(value);
      if ((value & Output.notReset) === 0) this.#requestReset();
    } else if (command === Command.writeKeyboardBuffer) this.#answer(value);
    else if (command === Command.writeAux) this.#answer(RESEND, true);
  }

  /** The output port; of what hangs on it, the gate of A20. */
  #drive(output: number): void {
    this.#output = output;
    this.#setA20?.((output & Output.a20) !== 0);
  }

  #update(): void {
    this.#irq?.set(this.#full && (this.#ctr & Ctr.keyboardInterrupt) !== 0);
  }
}

export const i8042: Model = {
  model: 'i8042',
  summary: 'PC keyboard controller without keyboard: reset, A20 gate',
  size: 5n,
  options: [],
  create: (spec, context) => new I8042(spec, context),
};
