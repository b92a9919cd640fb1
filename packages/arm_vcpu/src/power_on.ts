/** The registers of a CPU that is switched on: what reset and a CPU_ON of PSCI leave (DEN0022D, 6.4 "Initial core state"; Arm ARM, D1.2.5 "Reset"). */
import { HCR_GUEST, MPIDR_RES1, SCTLR_RESET, SPSR_RESET } from './fields.ts';
import type { SavedKey } from './saved.ts';

/** What differs between CPUs. */
export interface PowerOn {
  readonly entry: bigint;
  readonly affinity: bigint;
  /** MIDR_EL1 as the guest reads it. */
  readonly midr: bigint;
  /** CNTVOFF_EL2. */
  readonly counterOffset: bigint;
}

/** Puts `guest` in that state. Registers that reset leaves unknown stay as they are. */
export function powerOnRegisters(guest: { setReg(key: SavedKey, value: bigint): void }, { entry, affinity, midr, counterOffset }: PowerOn): void {
  const values: Readonly<Partial<Record<SavedKey, bigint>>> = {
    ELR_EL2: entry, SPSR_EL2: SPSR_RESET, SCTLR_EL1: SCTLR_RESET, HCR_EL2: HCR_GUEST, VMPIDR_EL2: MPIDR_RES1 | affinity, VPIDR_EL2: midr,
    CNTVOFF_EL2: counterOffset, CNTV_CTL_EL0: 0n, CNTP_CTL_EL0: 0n, CNTKCTL_EL1: 0n, CPACR_EL1: 0n, TCR_EL1: 0n, MDSCR_EL1: 0n, PMCR_EL0: 0n,
    PMCNTENSET_EL0: 0n, PMINTENSET_EL1: 0n,
  };
  for (const [key, value] of Object.entries(values)) guest.setReg(key as SavedKey, value);
}
