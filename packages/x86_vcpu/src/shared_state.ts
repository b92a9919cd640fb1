/**
 * What entry and exit leave on the processor: CR2, debug registers, XCR0, and MSRs that guests access directly. The vCPU that runs next finds the
 * values of the last one there, so they are exchanged when another one runs.
 */
import { Msr, rdmsr, readCr, readDr, writeCr, writeDr, wrmsr, xgetbv, xrstor, xsave, xsetbv } from '@axvisor/axvisor_api/arch/x86';
import type { Context } from './context.ts';

const MSRS = [Msr.IA32_STAR, Msr.IA32_LSTAR, Msr.IA32_CSTAR, Msr.IA32_FMASK, Msr.IA32_KERNEL_GS_BASE, Msr.IA32_TSC_AUX] as const;
const DEBUG_REGISTERS = [0, 1, 2, 3, 6] as const;
const DR6_RESET = 0xffff_0ff0n;

/** Words in the context: CR2, XCR0, debug registers, MSRs. */
const CR2 = 0;
const XCR0 = 1;
const FIRST_DEBUG = 2;
const FIRST_MSR: number = FIRST_DEBUG + DEBUG_REGISTERS.length;

export class SharedState {
  readonly #context: Context;
  readonly #words: BigUint64Array;

  constructor(context: Context) {
    this.#context = context;
    this.#words = context.words(FIRST_MSR + MSRS.length);
  }

  get cr2(): bigint {
    return this.#words[CR2] as bigint;
  }

  reset(): void {
    this.#words.fill(0n);
    this.#words[XCR0] = 1n;
    this.#words[FIRST_DEBUG + DEBUG_REGISTERS.indexOf(6)] = DR6_RESET;
  }

  load(): void {
    const words = this.#words;
    writeCr(2, this.cr2);
    DEBUG_REGISTERS.forEach((dr, i) => writeDr(dr, words[FIRST_DEBUG + i] as bigint));
    MSRS.forEach((msr, i) => wrmsr(msr, words[FIRST_MSR + i] as bigint));
    xsetbv(words[XCR0] as bigint);
    xrstor(this.#context.xsaveArea);
  }

  save(): void {
    const words = this.#words;
    words[CR2] = readCr(2);
    DEBUG_REGISTERS.forEach((dr, i) => (words[FIRST_DEBUG + i] = readDr(dr)));
    MSRS.forEach((msr, i) => (words[FIRST_MSR + i] = rdmsr(msr)));
    words[XCR0] = xgetbv();
    xsave(this.#context.xsaveArea);
  }
}
