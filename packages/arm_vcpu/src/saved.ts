/** The system registers of a guest: what is switched when another vCPU runs on a processing element, in the order of the context frame. */
import { SYSREG, type SysReg, type SysRegName } from '@axvisor/axvisor_api/arch/arm';

/** One of them. */
export interface SavedReg {
  readonly key: SavedKey;
  readonly name: SysRegName;
  readonly encoding: SysReg;
  /** Only where the processing element has performance monitors, or the GIC's virtual CPU interface. */
  readonly group?: 'pmu' | 'gic';
  /** The n-th of a group of active-priority registers. */
  readonly index?: number;
  /** Written 1s set bits: this register clears all first. */
  readonly clear?: SysReg;
}

const ALWAYS = [
  'ELR_EL2', 'SPSR_EL2', 'HCR_EL2', 'VMPIDR_EL2', 'VPIDR_EL2', 'SP_EL0', 'SP_EL1', 'ELR_EL1', 'SPSR_EL1', 'SCTLR_EL1', 'CPACR_EL1', 'TTBR0_EL1',
  'TTBR1_EL1', 'TCR_EL1', 'ESR_EL1', 'FAR_EL1', 'PAR_EL1', 'MAIR_EL1', 'AMAIR_EL1', 'VBAR_EL1', 'AFSR0_EL1', 'AFSR1_EL1', 'CONTEXTIDR_EL1',
  'TPIDR_EL0', 'TPIDR_EL1', 'TPIDRRO_EL0', 'CSSELR_EL1', 'MDSCR_EL1', 'FPCR', 'FPSR', 'CNTKCTL_EL1', 'CNTVOFF_EL2', 'CNTV_CVAL_EL0', 'CNTV_CTL_EL0',
  'CNTP_CVAL_EL0', 'CNTP_CTL_EL0',
] as const;

/** Those of {@link ALWAYS} that a processing element may do without: nothing of a guest is lost where they are not there. */
export const OPTIONAL: readonly SysRegName[] = ['AFSR0_EL1', 'AFSR1_EL1', 'AMAIR_EL1', 'CSSELR_EL1', 'MDSCR_EL1'];

const PMU = ['PMCR_EL0', 'PMSELR_EL0', 'PMUSERENR_EL0', 'PMCCFILTR_EL0', 'PMCCNTR_EL0', 'PMCNTENSET_EL0', 'PMINTENSET_EL1', 'PMOVSSET_EL0'] as const;
const PMU_CLEAR: Readonly<Partial<Record<SysRegName, SysReg>>> = {
  PMCNTENSET_EL0: SYSREG.PMCNTENCLR_EL0, PMINTENSET_EL1: SYSREG.PMINTENCLR_EL1, PMOVSSET_EL0: SYSREG.PMOVSCLR_EL0,
};

/** ICH_AP0R<n> and ICH_AP1R<n>: one, two or four of each. */
const AP = ['ICH_AP0R0', 'ICH_AP0R1', 'ICH_AP0R2', 'ICH_AP0R3', 'ICH_AP1R0', 'ICH_AP1R1', 'ICH_AP1R2', 'ICH_AP1R3'] as const;

export type SavedKey = (typeof ALWAYS)[number] | (typeof PMU)[number] | 'ICH_VMCR_EL2' | (typeof AP)[number];

export const SAVED: readonly SavedReg[] = [
  ...ALWAYS.map((name): SavedReg => ({ key: name, name, encoding: SYSREG[name] })),
  ...PMU.map((name): SavedReg => {
    const clear = PMU_CLEAR[name];
    return { key: name, name, encoding: SYSREG[name], group: 'pmu', ...(clear === undefined ? {} : { clear }) };
  }),
  { key: 'ICH_VMCR_EL2', name: 'ICH_VMCR_EL2', encoding: SYSREG.ICH_VMCR_EL2, group: 'gic' },
  ...AP.map((key, i): SavedReg => {
    const name = i < 4 ? 'ICH_AP0R_EL2' : 'ICH_AP1R_EL2';
    return { key, name, encoding: SYSREG[name] + (i & 3), group: 'gic', index: i & 3 };
  }),
];
