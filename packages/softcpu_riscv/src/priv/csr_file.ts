/** The CSR address space of a hart and who may access what (CSR chapter, "CSR Address Mapping Conventions"). */

import { CsrParts, type Csr, type Verdict } from './csr.ts';
import { hypervisorCsrs } from './csr_hypervisor.ts';
import { machineCsrs } from './csr_machine.ts';
import { supervisorCsrs } from './csr_supervisor.ts';
import { Counters, floatCsrs } from './csr_user.ts';
import type { Interrupts } from './interrupts.ts';
import type { Pmp } from './pmp.ts';
import type { State } from './registers.ts';

/** Every CSR that exists, by number. */
export class CsrFile {
  readonly parts: CsrParts;
  /** Slots of the CSRs that HS-mode can read by nothing but looking there, by number; -1 for the others. */
  readonly slots: Int16Array = new Int16Array(4096).fill(-1);
  private readonly table: readonly (Csr | undefined)[];
  private readonly counters: Counters;

  private readonly state: State;

  constructor(state: State, interrupts: Interrupts, pmp: Pmp, hartId: number) {
    this.state = state;
    this.parts = new CsrParts(state, interrupts, pmp, hartId);
    this.counters = new Counters(this.parts);
    const table = new Array<Csr | undefined>(4096).fill(undefined);
    const { parts } = this;
    for (const csr of [...floatCsrs(parts), ...this.counters.csrs(), ...supervisorCsrs(parts), ...hypervisorCsrs(parts), ...machineCsrs(parts)]) {
      table[csr.number] = csr;
      const machine = ((csr.number >>> 8) & 3) === 3;
      if (csr.slot !== undefined && !machine && csr.guard === undefined && csr.enabled === undefined) this.slots[csr.number] = csr.slot;
    }
    this.table = table;
  }

  reset(): void {
    this.counters.reset();
  }

  /** The CSR with a number, before substitution for V=1. */
  find(number: number): Csr | undefined {
    return this.table[number];
  }

  /** Whether mode `prv`, `v` may access a CSR: 0, or the cause of the exception. */
  verdict(csr: Csr, write: boolean, prv: number, v: number): Verdict {
    const { number } = csr;
    if (write && number >>> 10 === 3) return 2;
    if (prv !== 3) {
      if (csr.enabled !== undefined && !csr.enabled()) return 2;
      // What HS-mode may access is a virtual-instruction exception where V=1 forbids it.
      switch ((number >>> 8) & 3) {
        case 3:
          return 2;
        case 2:
          if (v !== 0) return 22;
          if (prv === 0) return 2;
          break;
        case 1:
          if (prv === 0) return v !== 0 ? 22 : 2;
          break;
        default:
          break;
      }
    }
    return csr.guard === undefined ? 0 : csr.guard(prv, v);
  }

  /** The CSR an access means in the current mode. */
  effective(csr: Csr): Csr {
    return this.state.v !== 0 && csr.vs !== undefined ? csr.vs : csr;
  }
}
