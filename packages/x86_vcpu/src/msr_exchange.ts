/** An MSR that the hypervisor answers for: the instruction that accessed it is complete when it has. */
import type { AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import type { Context } from './context.ts';
import { EMULATED } from './emulate/emulation.ts';

export class MsrExchange {
  readonly #context: Context;
  #pending: { readonly isRead: boolean; answered: boolean } | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  get isPending(): boolean {
    return this.#pending !== undefined;
  }

  begin(msr: number, isRead: boolean): AxVCpuExitReason {
    this.#pending = { isRead, answered: !isRead };
    return isRead ? { reason: 'SysRegRead', addr: msr, reg: EMULATED } : { reason: 'SysRegWrite', addr: msr, value: this.#context.edxEax };
  }

  /** Gives EDX:EAX the value of a read. False: none is under way. */
  answer(value: bigint): boolean {
    if (this.#pending?.isRead !== true) return false;
    this.#pending.answered = true;
    this.#context.edxEax = value;
    return true;
  }

  /** Whether the instruction is done: its write was not refused, its read was answered. An unanswered read is executed again. */
  complete(): boolean {
    const isDone = this.#pending?.answered === true;
    this.#pending = undefined;
    return isDone;
  }

  /** Forgets it. False: there was none. */
  discard(): boolean {
    const { isPending } = this;
    this.#pending = undefined;
    return isPending;
  }
}
