/** What a processing element offers to a hypervisor, from its ID registers. */
import { SYSREG, sysRegRead, type SysReg, type SysRegName } from '@axvisor/axvisor_api/arch/arm';
import { isAxError } from '@axvisor/axvisor_api/errors';
import { OPTIONAL, SAVED, type SavedKey, type SavedReg } from './saved.ts';

/** The virtual CPU interface of the GIC. */
export interface ListRegisterFeatures {
  readonly count: number;
  /** Bits of the preemption level: how many active-priority bits there are. */
  readonly preemptionBits: number;
}

export interface PeFeatures {
  /** Bits of physical addresses. */
  readonly paBits: number;
  readonly vmidBits: 8 | 16;
  /** Stage 2 sets the access flag and the dirty state in hardware. */
  readonly hardwareDirty: boolean;
  readonly hasPan: boolean;
  /** Event counters beside the cycle counter; `undefined`: no performance monitors. */
  readonly pmuCounters: number | undefined;
  readonly listRegisters: ListRegisterFeatures | undefined;
  /** The registers of {@link SAVED} that are there. */
  readonly saved: readonly SavedReg[];
  /** Their encodings. */
  readonly encodings: ReadonlyMap<SavedKey, SysReg>;
}

const read = (name: SysRegName): bigint => sysRegRead(SYSREG[name]);
const field = (value: bigint, shift: number): number => Number((value >> BigInt(shift)) & 0xfn);

/** Bits of physical addresses by ID_AA64MMFR0_EL1.PARange. */
const PA_BITS: readonly number[] = [32, 36, 40, 42, 44, 48, 52];

/** The value of a register, `undefined` where there is none. */
export function readIfThere(register: SysReg): bigint | undefined {
  try {
    return sysRegRead(register);
  } catch (e) {
    if (isAxError(e, 'InvalidInput')) return undefined;
    throw e;
  }
}

const hasRegister = (name: SysRegName): boolean => readIfThere(SYSREG[name]) !== undefined;

/** Whether there is EL2, for AArch64 guests at EL1. */
export function hasEl2(): boolean {
  const pfr0 = hasRegister('ID_AA64PFR0_EL1') ? read('ID_AA64PFR0_EL1') : 0n;
  return field(pfr0, 4) !== 0 && field(pfr0, 8) !== 0 && hasRegister('HCR_EL2');
}

function listRegisters(): ListRegisterFeatures | undefined {
  if (field(read('ID_AA64PFR0_EL1'), 24) === 0 || !hasRegister('ICH_VTR_EL2')) return undefined;
  const vtr = read('ICH_VTR_EL2');
  return { count: Number(vtr & 0x1fn) + 1, preemptionBits: Number((vtr >> 26n) & 7n) + 1 };
}

/** Probes a processing element that has EL2. */
export function probePe(): PeFeatures {
  const mmfr0 = read('ID_AA64MMFR0_EL1');
  const mmfr1 = read('ID_AA64MMFR1_EL1');
  const pmuVersion = field(read('ID_AA64DFR0_EL1'), 8);
  const hasPmu = pmuVersion !== 0 && pmuVersion !== 0xf && hasRegister('PMCR_EL0');
  const lrs = listRegisters();
  const apRegisters = lrs === undefined ? 0 : 1 << Math.max(0, lrs.preemptionBits - 5);
  const groups = { pmu: hasPmu, gic: lrs !== undefined };
  const saved = SAVED.filter(({ name, group, index }) =>
    group === undefined ? !OPTIONAL.includes(name) || hasRegister(name) : groups[group] && (index === undefined || index < apRegisters));
  return {
    paBits: PA_BITS[field(mmfr0, 0)] ?? 32,
    vmidBits: field(mmfr1, 4) === 2 ? 16 : 8,
    hardwareDirty: field(mmfr1, 0) >= 2,
    hasPan: field(mmfr1, 20) !== 0,
    pmuCounters: hasPmu ? Number((read('PMCR_EL0') >> 11n) & 0x1fn) : undefined,
    listRegisters: lrs,
    saved,
    encodings: new Map(saved.map(({ key, encoding }) => [key, encoding])),
  };
}
