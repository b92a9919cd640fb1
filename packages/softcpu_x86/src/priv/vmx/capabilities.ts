/** What this processor's VMX can do: the capability MSRs (SDM vol. 3, appendix A). */
import { EntryControl, ExitControl, Msr, PinControl, ProcControl, ProcControl2 } from '@axvisor/axvisor_api/arch/x86';
import { CR4, CR4_DEFINED } from '../fields.ts';

/** Bits that may be cleared (0) and set (1) of a control word; `legacy` bits must be 1 as the MSRs without TRUE have it. */
export interface Allowed {
  readonly zero: number;
  readonly one: number;
  readonly legacy: number;
}

const all = (bits: readonly number[]): number => bits.reduce((word, bit) => word | bit, 0);

/** Reserved bits that read as 1 ("default1") stay 1 in the TRUE words but for those that have a meaning. */
const controls = (default1: number, meaningful: number, supported: readonly number[]): Allowed => ({
  zero: default1 & ~meaningful,
  one: default1 | all(supported),
  legacy: default1,
});

export const PIN: Allowed = controls(0x16, 0, [
  PinControl.externalInterruptExiting, PinControl.nmiExiting, PinControl.virtualNmis, PinControl.activatePreemptionTimer,
]);

const P = ProcControl;
export const PROC: Allowed = controls(0x0401_e172, P.cr3LoadExiting | P.cr3StoreExiting, [
  P.interruptWindowExiting, P.useTscOffsetting, P.hltExiting, P.invlpgExiting, P.mwaitExiting, P.rdpmcExiting, P.rdtscExiting, P.cr8LoadExiting,
  P.cr8StoreExiting, P.useTprShadow, P.nmiWindowExiting, P.movDrExiting, P.unconditionalIoExiting, P.useIoBitmaps, P.monitorTrapFlag, P.useMsrBitmaps,
  P.monitorExiting, P.pauseExiting, P.activateSecondaryControls,
]);

const S = ProcControl2;
export const PROC2: Allowed = controls(0, 0, [
  S.enableEpt, S.descriptorTableExiting, S.enableRdtscp, S.enableVpid, S.wbinvdExiting, S.unrestrictedGuest, S.pauseLoopExiting, S.rdrandExiting,
  S.enableInvpcid, S.rdseedExiting, S.enableXsavesXrstors, S.useTscScaling,
]);

const X = ExitControl;
export const EXIT: Allowed = controls(0x0003_6dff, X.saveDebugControls, [
  X.hostAddressSpaceSize, X.acknowledgeInterruptOnExit, X.saveIa32Pat, X.loadIa32Pat, X.saveIa32Efer, X.loadIa32Efer, X.savePreemptionTimerValue,
]);

const E = EntryControl;
export const ENTRY: Allowed = controls(0x0000_11ff, E.loadDebugControls, [E.ia32eModeGuest, E.loadIa32Pat, E.loadIa32Efer]);

/** First word of VMXON and VMCS regions. */
export const VMCS_REVISION = 0x4158;
/** The VMX-preemption timer counts down when this bit of the TSC changes. */
export const PREEMPTION_SHIFT = 5;
export const CR3_TARGETS = 4;
/** Entries of an MSR list. */
export const MSR_LIST_LIMIT = 512;

/** CR0 and CR4 in VMX operation: bits that must be 1, and bits that may be. */
export const FIXED: { readonly cr0Zero: number; readonly cr4Zero: number; readonly cr4One: number } = {
  cr0Zero: 0x8000_0021 | 0,
  cr4Zero: CR4.VMXE,
  cr4One: CR4_DEFINED,
};

const word = (value: number): bigint => BigInt(value >>> 0);
const pair = ({ one, zero }: Allowed): bigint => (word(one) << 32n) | word(zero);
const legacyPair = ({ one, legacy }: Allowed): bigint => (word(one) << 32n) | word(legacy);
const bits = (...numbers: readonly number[]): bigint => numbers.reduce((value, bit) => value | (1n << BigInt(bit)), 0n);

/** Execute-only, 4 levels, UC, WB, 2 MiB, 1 GiB, INVEPT, A/D, advanced information, INVEPT types; INVVPID and its types. */
const EPT_VPID = bits(0, 6, 8, 14, 16, 17, 20, 21, 22, 25, 26, 32, 40, 41, 42, 43);

/** The capability MSRs by number. */
export const CAPABILITIES: ReadonlyMap<number, bigint> = new Map([
  // Write-back regions of 4096 bytes, INS and OUTS information, TRUE words.
  [Msr.IA32_VMX_BASIC, BigInt(VMCS_REVISION) | (4096n << 32n) | (6n << 50n) | bits(54, 55)],
  [Msr.IA32_VMX_PINBASED_CTLS, legacyPair(PIN)],
  [Msr.IA32_VMX_PROCBASED_CTLS, legacyPair(PROC)],
  [Msr.IA32_VMX_EXIT_CTLS, legacyPair(EXIT)],
  [Msr.IA32_VMX_ENTRY_CTLS, legacyPair(ENTRY)],
  // EFER.LMA is stored into the entry controls; HLT, shutdown and wait-for-SIPI; injected software events may have length 0.
  [Msr.IA32_VMX_MISC, BigInt(PREEMPTION_SHIFT) | bits(5, 6, 7, 8, 30) | (BigInt(CR3_TARGETS) << 16n)],
  [Msr.IA32_VMX_CR0_FIXED0, word(FIXED.cr0Zero)],
  [Msr.IA32_VMX_CR0_FIXED1, 0xffff_ffffn],
  [Msr.IA32_VMX_CR4_FIXED0, word(FIXED.cr4Zero)],
  [Msr.IA32_VMX_CR4_FIXED1, word(FIXED.cr4One)],
  [Msr.IA32_VMX_VMCS_ENUM, 0x32n],
  [Msr.IA32_VMX_PROCBASED_CTLS2, pair(PROC2)],
  [Msr.IA32_VMX_EPT_VPID_CAP, EPT_VPID],
  [Msr.IA32_VMX_TRUE_PINBASED_CTLS, pair(PIN)],
  [Msr.IA32_VMX_TRUE_PROCBASED_CTLS, pair(PROC)],
  [Msr.IA32_VMX_TRUE_EXIT_CTLS, pair(EXIT)],
  [Msr.IA32_VMX_TRUE_ENTRY_CTLS, pair(ENTRY)],
]);
