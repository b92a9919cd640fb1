/**
 * The ID registers as guests read them: what the processing element has, without what this package does not switch or what belongs to EL2 (Arm
 * ARM, D24.2 "ID_AA64*_EL1"). There is no AArch32, so its ID registers are zero.
 */
import { SYSREG, sysRegFields, type SysReg } from '@axvisor/axvisor_api/arch/arm';

/** Low bits of the 4-bit fields that a guest sees. */
const FIELDS: ReadonlyMap<SysReg, readonly number[]> = new Map([
  // EL0 and EL1 are looked at below; FP, AdvSIMD, GIC, DIT, CSV2, CSV3.
  [SYSREG.ID_AA64PFR0_EL1, [0, 4, 16, 20, 24, 48, 56, 60]],
  // BT, SSBS.
  [SYSREG.ID_AA64PFR1_EL1, [0, 4]],
  // DebugVer, PMUVer, BRPs, WRPs, CTX_CMPs.
  [SYSREG.ID_AA64DFR0_EL1, [0, 8, 12, 20, 28]],
  // AES, SHA1, SHA2, CRC32, Atomic, RDM, SHA3, SM3, SM4, DP, FHM, TS, TLB, RNDR.
  [SYSREG.ID_AA64ISAR0_EL1, [4, 8, 12, 16, 20, 28, 32, 36, 40, 44, 48, 52, 56, 60]],
  // DPB, JSCVT, FCMA, LRCPC, FRINTTS, SB, SPECRES, BF16, DGH, I8MM.
  [SYSREG.ID_AA64ISAR1_EL1, [0, 12, 16, 20, 32, 36, 40, 44, 48, 52]],
  // WFxT, RPRES.
  [SYSREG.ID_AA64ISAR2_EL1, [0, 4]],
  // PARange is limited below; ASIDBits, BigEnd, SNSMem, BigEndEL0, TGran16, TGran64, TGran4, ExS.
  [SYSREG.ID_AA64MMFR0_EL1, [0, 4, 8, 12, 16, 20, 24, 28, 44]],
  // HAFDBS, HPDS, PAN, SpecSEI, ETS, AFP.
  [SYSREG.ID_AA64MMFR1_EL1, [0, 12, 20, 24, 36, 44]],
  // CnP, UAO, IESB, VARange, CCIDX, ST, AT, IDS, TTL, BBM, E0PD.
  [SYSREG.ID_AA64MMFR2_EL1, [0, 4, 12, 16, 20, 28, 32, 36, 48, 52, 60]],
]);

const MASKS: ReadonlyMap<SysReg, bigint> = new Map(
  [...FIELDS].map(([register, lows]) => [register, lows.reduce((mask, low) => mask | (0xfn << BigInt(low)), 0n)]),
);

/** What a guest's view depends on. */
export interface IdContext {
  /** Bits of its intermediate physical addresses. */
  readonly ipaBits: number;
  /** It has the system-register interface of a GICv3. */
  readonly hasGic: boolean;
  readonly hasPmu: boolean;
}

const withField = (value: bigint, low: number, field: bigint): bigint => (value & ~(0xfn << BigInt(low))) | (field << BigInt(low));

/** PARange by bits, the widest that is not wider than the guest's address space. */
const PA_RANGES: readonly (readonly [bits: number, field: bigint])[] = [[48, 5n], [44, 4n], [42, 3n], [40, 2n], [36, 1n], [32, 0n]];

type Adjustment = (value: bigint, context: IdContext) => bigint;
const ADJUST: ReadonlyMap<SysReg, Adjustment> = new Map<SysReg, Adjustment>([
  // AArch64 only, at EL0 and at EL1.
  [SYSREG.ID_AA64PFR0_EL1, (value, { hasGic }) => withField(withField(withField(value, 0, 1n), 4, 1n), 24, hasGic ? 1n : 0n)],
  [SYSREG.ID_AA64DFR0_EL1, (value, { hasPmu }) => (hasPmu ? value : withField(value, 8, 0n))],
  [SYSREG.ID_AA64MMFR0_EL1, (value, { ipaBits }) => {
    const limit = PA_RANGES.find(([bits]) => bits <= ipaBits)?.[1] ?? 0n;
    return (value & 0xfn) > limit ? withField(value, 0, limit) : value;
  }],
]);

/** Whether HCR_EL2.TID3 traps reads of the register: op0 3, op1 0, CRn 0, CRm 1 to 7. */
export function isIdRegister(register: SysReg): boolean {
  const { op0, op1, crn, crm } = sysRegFields(register);
  return op0 === 3 && op1 === 0 && crn === 0 && crm >= 1 && crm <= 7;
}

/** The value for a guest; `host` reads the processing element's own. */
export function idRegisterValue(register: SysReg, host: (register: SysReg) => bigint, context: IdContext): bigint {
  const mask = MASKS.get(register);
  if (mask === undefined) return 0n;
  const value = host(register) & mask;
  return ADJUST.get(register)?.(value, context) ?? value;
}
