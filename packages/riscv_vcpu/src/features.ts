/** What a hart's virtualization offers, found by writing WARL fields and reading them back. */
import { CSR, csrRead, csrWrite } from '@axvisor/axvisor_api/arch/riscv';
import { isAxError } from '@axvisor/axvisor_api/errors';
import { Henvcfg, Hgatp, Satp } from './fields.ts';

export interface HartFeatures {
  readonly sv39x4: boolean;
  readonly sv48x4: boolean;
  /** Largest VMID. */
  readonly maxVmid: number;
  /** The bits of henvcfg that can be set, of those that this package asks for. */
  readonly henvcfg: bigint;
  /** The guest has a timer of its own: vstimecmp (Sstc). */
  readonly sstc: boolean;
  /** Deepest translation of the guest's own: 3, 4 or 5 levels. */
  readonly vsLevels: 3 | 4 | 5;
}

/** Everything that a guest can be given. */
const WANTED = Henvcfg.CBIE_FLUSH | Henvcfg.CBCFE | Henvcfg.CBZE | Henvcfg.ADUE | Henvcfg.PBMTE | Henvcfg.STCE;

/** Writes `value` to `csr` and returns what it holds then; the CSR keeps its old value. */
function probe(csr: number, value: bigint): bigint {
  const before = csrRead(csr);
  csrWrite(csr, value);
  const after = csrRead(csr);
  csrWrite(csr, before);
  return after;
}

const hasMode = (csr: number, mode: bigint): boolean => probe(csr, mode << Hgatp.MODE_SHIFT) >> Hgatp.MODE_SHIFT === mode;

/** Whether the hart has the H extension with a nested page table: hgatp exists and takes a mode. */
export function hasHypervisorExtension(): boolean {
  try {
    return hasMode(CSR.hgatp, Hgatp.SV39X4) || hasMode(CSR.hgatp, Hgatp.SV48X4);
  } catch (e) {
    if (isAxError(e, 'InvalidInput')) return false; // There is no such CSR.
    throw e;
  }
}

/** Probes a hart that has the H extension. */
export function probeHart(): HartFeatures {
  const sv39x4 = hasMode(CSR.hgatp, Hgatp.SV39X4);
  const sv48x4 = hasMode(CSR.hgatp, Hgatp.SV48X4);
  const mode = (sv39x4 ? Hgatp.SV39X4 : Hgatp.SV48X4) << Hgatp.MODE_SHIFT;
  const vmids = probe(CSR.hgatp, mode | (Hgatp.VMID_MASK << Hgatp.VMID_SHIFT));
  const henvcfg = probe(CSR.henvcfg, WANTED);
  return {
    sv39x4,
    sv48x4,
    maxVmid: Number((vmids >> Hgatp.VMID_SHIFT) & Hgatp.VMID_MASK),
    henvcfg: henvcfg & WANTED,
    sstc: (henvcfg & Henvcfg.STCE) !== 0n,
    vsLevels: hasMode(CSR.vsatp, Satp.SV57) ? 5 : hasMode(CSR.vsatp, Satp.SV48) ? 4 : 3,
  };
}
