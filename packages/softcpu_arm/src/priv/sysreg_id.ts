/** Identification registers: exactly what this processing element has (Arm ARM, chapter D19; the feature list is Armv8.0-A plus what is named below). */

import { Hcr } from './fields.ts';
import type { Guards } from './guards.ts';
import { slot } from './stored.ts';
import { longReg, RO0, RO1, RW1, storedReg, sysRegKey, wordReg, type Parts, type SysReg } from './sysreg.ts';

/** Implementer 0 is reserved for software, architecture 0xf means that the ID registers tell. */
export const MIDR = 0x000f_0000;
/** MPIDR_EL1 bit 31 is RES1. */
const MPIDR_RES1 = 1n << 31n;

/** Cache lines, DC ZVA blocks and exclusive reservations have 64 bytes. */
export const LINE = 64;
/** log2 of the words in one. */
export const LOG_WORDS = 4;
/** DCZID_EL0.DZP: DC ZVA is prohibited. */
const DZP = 1 << 4;

/** Puts a value into the 4-bit field at bit `shift`. */
const field = (shift: number, value: number): bigint => BigInt(value) << BigInt(shift);
const fields = (...values: readonly (readonly [shift: number, value: number])[]): bigint => values.reduce((sum, [shift, value]) => sum | field(shift, value), 0n);

/** AArch64 alone at EL0, EL1 and EL2; no EL3. FP and AdvSIMD with half precision; CSV2, CSV3: there is no speculation. */
const pfr0 = (gic: boolean): bigint => fields([0, 1], [4, 1], [8, 1], [16, 1], [20, 1], [24, gic ? 1 : 0], [56, 1], [60, 1]);
/** Armv8.0 debug with the least number of breakpoints and watchpoints (two each), PMUv3. */
const DFR0 = fields([0, 6], [8, 1], [12, 1], [20, 1]);
/** AES and PMULL, SHA1, SHA256, CRC32, LSE, RDM, DotProd. */
const ISAR0 = fields([4, 2], [8, 1], [12, 1], [16, 1], [20, 2], [28, 1], [44, 1]);
/** LRCPC. */
const ISAR1 = fields([20, 1]);
/** 16-bit ASIDs, all granules. */
const mmfr0 = (paRange: number): bigint => fields([0, paRange], [4, 2], [20, 1]);
/** Hardware Access flag and dirty state, 16-bit VMIDs, PAN. */
const MMFR1 = fields([0, 2], [4, 2], [20, 1]);
/** UAO. */
const MMFR2 = fields([4, 1]);

/** CTR_EL0: PIPT, 64-byte lines everywhere, no data cache cleaning needed (IDC), with DIC no invalidation either. */
export const ctrOf = (shared: boolean): number => (1 << 31) | (shared ? 0 : 1 << 29) | (1 << 28) | (4 << 24) | (4 << 20) | (LOG_WORDS << 16) | (3 << 14) | LOG_WORDS;
/** One level of separate instruction and data caches up to the point of coherency. */
const CLIDR = 0x0100_0003;
/** 32 KiB, four ways, 64-byte lines: log2(line) - 4, ways - 1, sets - 1. */
const CCSIDR = (127 << 13) | (3 << 3) | 2;

/** The ID registers. Where the group has no register, reads give 0. */
export function idRegs(parts: Parts, guards: Guards): SysReg[] {
  const { state } = parts;
  const { options, sys } = state;
  const { tid1, tid2, tid3 } = guards;
  const values: Readonly<Record<number, readonly [name: string, value: bigint]>> = {
    [sysRegKey(3, 0, 0, 4, 0)]: ['ID_AA64PFR0_EL1', pfr0(parts.gic.present)],
    [sysRegKey(3, 0, 0, 5, 0)]: ['ID_AA64DFR0_EL1', DFR0],
    [sysRegKey(3, 0, 0, 6, 0)]: ['ID_AA64ISAR0_EL1', ISAR0],
    [sysRegKey(3, 0, 0, 6, 1)]: ['ID_AA64ISAR1_EL1', ISAR1],
    [sysRegKey(3, 0, 0, 7, 0)]: ['ID_AA64MMFR0_EL1', mmfr0(options.paRange ?? 2)],
    [sysRegKey(3, 0, 0, 7, 1)]: ['ID_AA64MMFR1_EL1', MMFR1],
    [sysRegKey(3, 0, 0, 7, 2)]: ['ID_AA64MMFR2_EL1', MMFR2],
  };
  const regs: SysReg[] = [];
  for (let crm = 1; crm <= 7; crm++) {
    for (let op2 = 0; op2 <= 7; op2++) {
      const [name, value] = values[sysRegKey(3, 0, 0, crm, op2)] ?? [`S3_0_C0_C${crm}_${op2}`, 0n];
      regs.push(longReg(parts, name, [3, 0, 0, crm, op2], RO1, () => value, undefined, tid3));
    }
  }
  /** What EL1 reads is EL2's to choose. */
  const seen = (virtual: 'VPIDR_EL2' | 'VMPIDR_EL2', real: bigint) => (): bigint =>
    state.el === 2 ? real : (BigInt(sys[slot[virtual] + 1]!) << 32n) | BigInt(sys[slot[virtual]]! >>> 0);
  regs.push(
    longReg(parts, 'MIDR_EL1', [3, 0, 0, 0, 0], RO1, seen('VPIDR_EL2', BigInt(MIDR))),
    longReg(parts, 'MPIDR_EL1', [3, 0, 0, 0, 5], RO1, seen('VMPIDR_EL2', mpidr(options.affinity))),
    wordReg(parts, 'REVIDR_EL1', [3, 0, 0, 0, 6], RO1, () => 0, undefined, tid1),
    wordReg(parts, 'AIDR_EL1', [3, 1, 0, 0, 7], RO1, () => 0, undefined, tid1),
    wordReg(parts, 'CCSIDR_EL1', [3, 1, 0, 0, 0], RO1, () => (sys[slot.CSSELR_EL1]! <= 1 ? CCSIDR : 0), undefined, tid2),
    wordReg(parts, 'CLIDR_EL1', [3, 1, 0, 0, 1], RO1, () => CLIDR, undefined, tid2),
    storedReg(parts, 'CSSELR_EL1', [3, 2, 0, 0, 0], RW1, { lo: 0xf, hi: 0 }, tid2),
    wordReg(parts, 'CTR_EL0', [3, 3, 0, 0, 1], RO0, () => ctrOf(options.shared ?? false), undefined, guards.ctr),
    wordReg(parts, 'DCZID_EL0', [3, 3, 0, 0, 7], RO0, () => LOG_WORDS | (zvaProhibited(parts, guards) ? DZP : 0)),
  );
  return regs;
}

/** MPIDR_EL1 by the affinity of a processing element. */
export function mpidr(affinity = 0n): bigint {
  return (affinity & 0xff_00ff_ffffn) | MPIDR_RES1;
}

/** Whether DC ZVA would trap here. */
function zvaProhibited(parts: Parts, guards: Guards): boolean {
  const { state } = parts;
  return guards.zva(state.el, true) !== 0 || (state.el < 2 && (state.sys[slot.HCR_EL2]! & Hcr.TDZ) !== 0);
}
