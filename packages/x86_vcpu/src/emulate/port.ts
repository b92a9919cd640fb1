/** IN and OUT of the accumulator (SDM vol. 2): one transfer, which is the hypervisor's. */
import { Gpr } from '@axvisor/axvisor_api/arch/x86';
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import type { Emulated, Outcome, TransferExit } from './emulation.ts';
import { truncate, type EmulatedCpu } from './machine.ts';

export class PortAccess implements Emulated {
  readonly length: number;
  outcome: Outcome = 'running';
  readonly #cpu: EmulatedCpu;
  readonly #port: number;
  readonly #width: AccessWidth;
  readonly #input: boolean;
  #begun = false;
  #value = 0n;

  constructor(cpu: EmulatedCpu, port: number, width: AccessWidth, input: boolean, length: number) {
    this.#cpu = cpu;
    this.#port = port;
    this.#width = width;
    this.#input = input;
    this.length = length;
  }

  answer(value: bigint): void {
    this.#value = value;
  }

  next(): TransferExit | undefined {
    if (!this.#begun) {
      this.#begun = true;
      if (this.#input) return { reason: 'IoRead', port: this.#port, width: this.#width };
      return { reason: 'IoWrite', port: this.#port, width: this.#width, data: this.#cpu.operand(Gpr.RAX, this.#width, true) };
    }
    if (this.#input) this.#cpu.setOperand(Gpr.RAX, this.#width, true, truncate(this.#value, this.#width));
    this.outcome = 'done';
    return undefined;
  }
}
