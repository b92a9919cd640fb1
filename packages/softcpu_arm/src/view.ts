/** A processing element between two instructions of its guest, as debuggers and profilers see it. */
import { SYSREG } from '@axvisor/axvisor_api/arch/arm';
import { axError } from '@axvisor/axvisor_api/errors';
import type { ProcessorView } from '@axvisor/axvisor_api/processor';
import type { Pe } from './pe.ts';

/** What a guest can see, and what decides how it runs; reading them changes nothing. */
const REGISTERS = [
  'SCTLR_EL1', 'TTBR0_EL1', 'TTBR1_EL1', 'TCR_EL1', 'MAIR_EL1', 'VBAR_EL1', 'ELR_EL1', 'SPSR_EL1', 'ESR_EL1', 'FAR_EL1', 'PAR_EL1', 'SP_EL1',
  'TPIDR_EL0', 'TPIDRRO_EL0', 'TPIDR_EL1', 'CONTEXTIDR_EL1', 'CPACR_EL1', 'CNTKCTL_EL1', 'CNTV_CVAL_EL0', 'CNTP_CVAL_EL0', 'CNTVOFF_EL2',
  'HCR_EL2', 'VTTBR_EL2', 'VTCR_EL2',
] as const;

/** PSTATE.SP in the format of SPSR_EL1. */
const SP_SELECT = 1;
const X_COUNT = 31;
const V_COUNT = 32;

export class PeView implements ProcessorView {
  readonly #pe: Pe;

  constructor(pe: Pe) {
    this.#pe = pe;
  }

  get instructions(): bigint {
    return BigInt(this.#pe.retired);
  }

  get pc(): bigint {
    return this.#pe.pc;
  }

  /** x0 … x30, sp, pc, v0 … v31 (128 bits each), PSTATE in the format of SPSR_EL1, the Exception level as `privilege`, system registers. */
  registers(): Readonly<Record<string, bigint>> {
    const pe = this.#pe;
    const { priv } = pe;
    const all: Record<string, bigint> = { pc: pe.pc, sp: pe.sp, pstate: BigInt(priv.pstate >>> 0), privilege: BigInt(priv.el) };
    for (let i = 0; i < X_COUNT; i++) all[`x${i}`] = pe.x(i);
    for (let i = 0; i < V_COUNT; i++) all[`v${i}`] = pe.v(i);
    // Where SP_EL0 is the stack pointer in use, there is no register of that name.
    all['SP_EL0'] = (priv.pstate & SP_SELECT) === 0 ? pe.sp : priv.peek(SYSREG.SP_EL0);
    for (const name of REGISTERS) all[name] = priv.peek(SYSREG[name]);
    all['FPCR'] = BigInt(pe.fpcr);
    all['FPSR'] = BigInt(pe.fpsr);
    return all;
  }

  setRegister(name: string, value: bigint): void {
    if (name === 'sp') {
      this.#pe.sp = value;
      return;
    }
    const number = /^x(?:[12]?\d|30)$/.test(name) ? Number(name.slice(1)) : -1;
    if (number < 0) throw axError('InvalidInput', `there is no register ${name}`);
    this.#pe.setX(number, value);
  }

  code(length: number, at: bigint = this.pc): Uint8Array {
    return this.#pe.code(length, at);
  }

  translation(at: bigint = this.pc): Uint8Array | undefined {
    return this.#pe.translation(at);
  }
}
