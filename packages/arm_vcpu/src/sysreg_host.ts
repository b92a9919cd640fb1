/** What trapped system registers need of a vCPU: its processing element's own registers, its debug registers, and where its SGIs go. */
import { sysRegWrite, type SysReg } from '@axvisor/axvisor_api/arch/arm';
import type { AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { readIfThere, type PeFeatures } from './features.ts';
import type { InterruptUnit } from './interrupts/unit.ts';
import { decodeSgi, sgiExit } from './sgi.ts';
import { ipaBits } from './stage2.ts';
import type { SysRegHost } from './sysregs.ts';

/** The parts of the vCPU. */
interface Parts {
  features(): PeFeatures;
  /** Levels of its nested page table. */
  levels(): number;
  readonly interrupts: InterruptUnit;
  /** The register write ends the run with this exit. */
  exit(exit: AxVCpuExitReason): void;
}

export class GuestSysRegs implements SysRegHost {
  readonly debug: Map<SysReg, bigint> = new Map();
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  readHost(register: SysReg): bigint {
    return readIfThere(register) ?? 0n;
  }

  writeHost(register: SysReg, value: bigint): void {
    if (readIfThere(register) !== undefined) sysRegWrite(register, value);
  }

  /** To the vCPU's interrupt controller, or to the hypervisor. */
  sendSgi(value: bigint, group: 0 | 1): void {
    const request = decodeSgi(value, group);
    const { interrupts, exit } = this.#parts;
    if (interrupts.isAlone) exit(sgiExit(request));
    else interrupts.source.sendSgi(request);
  }

  get ipaBits(): number {
    return ipaBits(this.#parts.features(), this.#parts.levels());
  }

  get hasGic(): boolean {
    return this.#parts.interrupts.hasSystemRegisters && this.#parts.features().listRegisters !== undefined;
  }

  get hasPmu(): boolean {
    return this.#parts.features().pmuCounters !== undefined;
  }
}
