/** IN and OUT of the accumulator (SDM vol. 2): one transfer, which is the hypervisor's. */
import { Gpr } from '@axvisor/axvisor_api/arch/x86';
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import type { Emulated, Outcome, TransferExit } from './emulation.ts';
import { truncate, type EmulatedCpu } from './machine.ts';

/** One at a time: the same object for all of a vCPU. */
export class PortAccess implements Emulated {
  length = 0;
  outcome: Outcome = 'running';
  #cpu: EmulatedCpu | undefined;
  #port = 0;
  #width: AccessWidth = 1;
  #input = false;
  #begun = false;
  #value = 0n;

  begin(cpu: EmulatedCpu, port: number, width: AccessWidth, input: boolean, length: number): this {
    this.#cpu = cpu;
    this.#port = port;
    this.#width = width;
    this.#input = input;
    this.length = length;
    this.outcome = 'running';
    this.#begun = false;
    return this;
  }

  answer(value: bigint): void {
    this.#value = value;
  }

  next(): TransferExit | undefined {
    const cpu = this.#cpu as EmulatedCpu;
    if (!this.#begun) {
      this.#begun = true;
      if (this.#input) return { reason: 'IoRead', port: this.#port, width: this.#width };
      return { reason: 'IoWrite', port: this.#port, width: this.#width, data: cpu.operand(Gpr.RAX, this.#width, true) };
    }
    if (this.#input) cpu.setOperand(Gpr.RAX, this.#width, true, truncate(this.#value, this.#width));
    this.outcome = 'done';
    return undefined;
  }
}
