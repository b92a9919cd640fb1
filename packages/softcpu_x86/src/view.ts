/** A logical processor as debuggers and profilers see it between two instructions. */
import { axError } from '@axvisor/axvisor_api/errors';
import type { ProcessorView } from '@axvisor/axvisor_api/processor';
import type { Lp } from './lp.ts';
import { SEG } from './priv/fields.ts';
import { toBigint } from './priv/registers.ts';

const GENERAL = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'] as const;
const STORED = ['cr0', 'cr2', 'cr3', 'cr4', 'efer', 'dr0', 'dr1', 'dr2', 'dr3', 'dr6', 'dr7', 'star', 'lstar', 'fmask', 'kernelGsBase', 'xcr0', 'pat'] as const;
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'] as const;

export class LpView implements ProcessorView {
  readonly #lp: Lp;

  constructor(lp: Lp) {
    this.#lp = lp;
  }

  get instructions(): bigint {
    return BigInt(this.#lp.retired);
  }

  get pc(): bigint {
    return this.#lp.pc;
  }

  registers(): Readonly<Record<string, bigint>> {
    const { regs } = this.#lp.priv;
    // As other processors have them: where the next instruction lies in linear addresses, and 0 for the least privileged.
    const all: Record<string, bigint> = { pc: this.pc, privilege: BigInt(3 - regs.cpl) };
    GENERAL.forEach((name, i) => (all[name] = this.#lp.gpr(i)));
    all['rip'] = toBigint(regs.ripLo(), regs.ripHi());
    all['rflags'] = BigInt(regs.flags);
    for (const name of STORED) all[name] = regs.get(name);
    for (const name of SEGMENTS) {
      const i = SEG[name];
      all[name] = BigInt(regs.selector(i));
      all[`${name}_base`] = toBigint(regs.baseLo(i), regs.baseHi(i));
    }
    return all;
  }

  setRegister(name: string, value: bigint): void {
    const i = (GENERAL as readonly string[]).indexOf(name);
    if (i < 0) throw axError('InvalidInput', `${name} is no general register`);
    this.#lp.setGpr(i, value);
  }

  code(length: number, at: bigint = this.#lp.pc): Uint8Array {
    return this.#lp.code(length, at);
  }

  translation(at: bigint = this.pc): Uint8Array | undefined {
    return this.#lp.translation(at);
  }
}
