/** A hart between two instructions of its guest, as debuggers and profilers see it. */
import { CSR } from '@axvisor/axvisor_api/arch/riscv';
import { axError } from '@axvisor/axvisor_api/errors';
import type { ProcessorView } from '@axvisor/axvisor_api/processor';
import type { Hart } from './hart.ts';
import { floatRegisters, integerRegisters } from './isa/registers.ts';

/** What a guest can see, and what decides how it runs; all are readable in HS-mode. */
const CSRS = [
  'vsstatus', 'vsie', 'vstvec', 'vsscratch', 'vsepc', 'vscause', 'vstval', 'vsip', 'vsatp', 'vstimecmp', 'htimedelta', 'hgatp',
  'scounteren', 'senvcfg',
] as const;

export class HartView implements ProcessorView {
  readonly #hart: Hart;

  constructor(hart: Hart) {
    this.#hart = hart;
  }

  get instructions(): bigint {
    return BigInt(this.#hart.retired);
  }

  get pc(): bigint {
    return this.#hart.pc;
  }

  registers(): Readonly<Record<string, bigint>> {
    const hart = this.#hart;
    const all: Record<string, bigint> = { pc: hart.pc, privilege: BigInt(hart.priv.prv) };
    for (let i = 1; i < 32; i++) all[integerRegisters[i] as string] = hart.reg(i);
    for (let i = 0; i < 32; i++) all[floatRegisters[i] as string] = hart.freg(i);
    for (const name of CSRS) all[name] = hart.priv.csrRead(CSR[name]);
    all['fcsr'] = BigInt(hart.fcsr);
    return all;
  }

  setRegister(name: string, value: bigint): void {
    const number = integerRegisters.indexOf(name);
    if (number < 0) throw axError('InvalidInput', `there is no register ${name}`);
    this.#hart.setReg(number, value);
  }

  code(length: number, at: bigint = this.pc): Uint8Array {
    return this.#hart.code(length, at);
  }

  translation(at: bigint = this.pc): Uint8Array | undefined {
    return this.#hart.translation(at);
  }
}
