/**
 * What entry and exit leave on the processor: CR2, debug registers, XCR0, and MSRs that guests access directly. The vCPU that runs next finds the
 * values of the last one there, so they are exchanged when another one runs.
 */
import { Msr, rdmsr, readCr, readDr, writeCr, writeDr, wrmsr, xgetbv, xrstor, xsave, xsetbv } from '@axvisor/axvisor_api/arch/x86';
import type { Context } from './context.ts';

const MSRS = [Msr.IA32_STAR, Msr.IA32_LSTAR, Msr.IA32_CSTAR, Msr.IA32_FMASK, Msr.IA32_KERNEL_GS_BASE, Msr.IA32_TSC_AUX] as const;
const DEBUG_REGISTERS = [0, 1, 2, 3, 6] as const;
const DR6_RESET = 0xffff_0ff0n;

export class SharedState {
  cr2 = 0n;
  xcr0 = 1n;
  readonly #context: Context;
  readonly #msrs: bigint[] = MSRS.map(() => 0n);
  readonly #debug: bigint[] = DEBUG_REGISTERS.map(() => 0n);

  constructor(context: Context) {
    this.#context = context;
  }

  reset(): void {
    this.cr2 = 0n;
    this.xcr0 = 1n;
    this.#msrs.fill(0n);
    this.#debug.fill(0n);
    this.#debug[DEBUG_REGISTERS.indexOf(6)] = DR6_RESET;
  }

  load(): void {
    writeCr(2, this.cr2);
    DEBUG_REGISTERS.forEach((dr, i) => writeDr(dr, this.#debug[i] as bigint));
    MSRS.forEach((msr, i) => wrmsr(msr, this.#msrs[i] as bigint));
    xsetbv(this.xcr0);
    xrstor(this.#context.xsaveArea);
  }

  save(): void {
    this.cr2 = readCr(2);
    DEBUG_REGISTERS.forEach((dr, i) => (this.#debug[i] = readDr(dr)));
    MSRS.forEach((msr, i) => (this.#msrs[i] = rdmsr(msr)));
    this.xcr0 = xgetbv();
    xsave(this.#context.xsaveArea);
  }
}
