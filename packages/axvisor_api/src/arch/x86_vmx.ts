/** Controls, exits and errors of VMX by number (Intel SDM vol. 3, chapters 25 to 31, appendices A and C). */

/** Pin-based VM-execution controls (SDM vol. 3, table 25-5). */
export const PinControl = {
  externalInterruptExiting: 1, nmiExiting: 8, virtualNmis: 0x20, activatePreemptionTimer: 0x40, processPostedInterrupts: 0x80,
} as const;

/** Primary processor-based VM-execution controls (SDM vol. 3, table 25-6). Bit 31 as an unsigned number. */
export const ProcControl = {
  interruptWindowExiting: 4, useTscOffsetting: 8, hltExiting: 0x80, invlpgExiting: 0x200, mwaitExiting: 0x400,
  rdpmcExiting: 0x800, rdtscExiting: 0x1000, cr3LoadExiting: 0x8000, cr3StoreExiting: 0x1_0000, activateTertiaryControls: 0x2_0000,
  cr8LoadExiting: 0x8_0000, cr8StoreExiting: 0x10_0000, useTprShadow: 0x20_0000, nmiWindowExiting: 0x40_0000, movDrExiting: 0x80_0000,
  unconditionalIoExiting: 0x100_0000, useIoBitmaps: 0x200_0000, monitorTrapFlag: 0x800_0000, useMsrBitmaps: 0x1000_0000, monitorExiting: 0x2000_0000,
  pauseExiting: 0x4000_0000, activateSecondaryControls: 0x8000_0000,
} as const;

/** Secondary processor-based VM-execution controls (SDM vol. 3, table 25-7). */
export const ProcControl2 = {
  virtualizeApicAccesses: 1, enableEpt: 2, descriptorTableExiting: 4, enableRdtscp: 8, virtualizeX2apicMode: 0x10,
  enableVpid: 0x20, wbinvdExiting: 0x40, unrestrictedGuest: 0x80, apicRegisterVirtualization: 0x100, virtualInterruptDelivery: 0x200,
  pauseLoopExiting: 0x400, rdrandExiting: 0x800, enableInvpcid: 0x1000, enableVmFunctions: 0x2000, vmcsShadowing: 0x4000,
  enableEnclsExiting: 0x8000, rdseedExiting: 0x1_0000, enablePml: 0x2_0000, eptViolationVe: 0x4_0000, concealVmxFromPt: 0x8_0000,
  enableXsavesXrstors: 0x10_0000, modeBasedExecuteControlForEpt: 0x40_0000, useTscScaling: 0x200_0000,
} as const;

/** VM-exit controls (SDM vol. 3, table 25-13). */
export const ExitControl = {
  saveDebugControls: 4, hostAddressSpaceSize: 0x200, loadIa32PerfGlobalCtrl: 0x1000, acknowledgeInterruptOnExit: 0x8000,
  saveIa32Pat: 0x4_0000, loadIa32Pat: 0x8_0000, saveIa32Efer: 0x10_0000, loadIa32Efer: 0x20_0000, savePreemptionTimerValue: 0x40_0000,
  clearIa32Bndcfgs: 0x80_0000,
} as const;

/** VM-entry controls (SDM vol. 3, table 25-15). */
export const EntryControl = {
  loadDebugControls: 4, ia32eModeGuest: 0x200, entryToSmm: 0x400, deactivateDualMonitorTreatment: 0x800,
  loadIa32PerfGlobalCtrl: 0x2000, loadIa32Pat: 0x4000, loadIa32Efer: 0x8000, loadIa32Bndcfgs: 0x1_0000,
} as const;

/** Basic exit reasons (SDM vol. 3, appendix C). */
export const ExitReason = {
  exceptionOrNmi: 0, externalInterrupt: 1, tripleFault: 2, initSignal: 3, startupIpi: 4, ioSmi: 5, otherSmi: 6, interruptWindow: 7,
  nmiWindow: 8, taskSwitch: 9, cpuid: 10, getsec: 11, hlt: 12, invd: 13, invlpg: 14, rdpmc: 15, rdtsc: 16, rsm: 17, vmcall: 18, vmclear: 19,
  vmlaunch: 20, vmptrld: 21, vmptrst: 22, vmread: 23, vmresume: 24, vmwrite: 25, vmxoff: 26, vmxon: 27, crAccess: 28, movDr: 29,
  ioInstruction: 30, rdmsr: 31, wrmsr: 32, entryFailureGuestState: 33, entryFailureMsrLoading: 34, mwait: 36, monitorTrapFlag: 37,
  monitor: 39, pause: 40, entryFailureMachineCheck: 41, tprBelowThreshold: 43, apicAccess: 44, virtualizedEoi: 45, gdtrOrIdtrAccess: 46,
  ldtrOrTrAccess: 47, eptViolation: 48, eptMisconfiguration: 49, invept: 50, rdtscp: 51, preemptionTimer: 52, invvpid: 53, wbinvd: 54,
  xsetbv: 55, apicWrite: 56, rdrand: 57, invpcid: 58, vmfunc: 59, encls: 60, rdseed: 61, pmlFull: 62, xsaves: 63, xrstors: 64,
} as const;

/** Bit 31 of the exit reason: VM entry failed after the controls and the host state were found good. */
export const EXIT_REASON_ENTRY_FAILURE = 0x8000_0000;

/** VM-instruction errors (SDM vol. 3, 31.4). */
export const VmInstructionError = {
  vmcallInRoot: 1, vmclearInvalidAddress: 2, vmclearVmxonPointer: 3, vmlaunchNonClearVmcs: 4, vmresumeNonLaunchedVmcs: 5,
  vmresumeAfterVmxoff: 6, entryInvalidControlFields: 7, entryInvalidHostState: 8, vmptrldInvalidAddress: 9, vmptrldVmxonPointer: 10,
  vmptrldIncorrectRevision: 11, unsupportedVmcsComponent: 12, vmwriteReadOnlyComponent: 13, vmxonInRoot: 15, entryInvalidExecutiveVmcs: 16,
  entryNonLaunchedExecutiveVmcs: 17, entryExecutiveVmcsNotVmxon: 18, vmcallNonClearVmcs: 19, vmcallInvalidExitControls: 20,
  vmcallIncorrectMsegRevision: 22, vmxoffUnderDualMonitor: 23, vmcallInvalidSmmMonitor: 24, entryInvalidExecutionControls: 25,
  entryEventsBlockedByMovSs: 26, invalidOperandToInveptInvvpid: 28,
} as const;

/** Types of an event in interruption-information fields, bits 10:8 (SDM vol. 3, tables 25-17 and 25-18). */
export const InterruptionType = {
  externalInterrupt: 0, nmi: 2, hardwareException: 3, softwareInterrupt: 4, privilegedSoftwareException: 5, softwareException: 6, otherEvent: 7,
} as const;

/** Bits of interruption-information fields above the vector and the type. */
export const InterruptionInfo = { typeShift: 8, errorCodeValid: 0x800, nmiUnblocking: 0x1000, valid: 0x8000_0000 } as const;

/** Guest interruptibility state (SDM vol. 3, table 25-3). */
export const Interruptibility = { blockingBySti: 1, blockingByMovSs: 2, blockingBySmi: 4, blockingByNmi: 8, enclaveInterruption: 16 } as const;

/** Guest activity states (SDM vol. 3, 25.4.2). */
export const ActivityState = { active: 0, hlt: 1, shutdown: 2, waitForSipi: 3 } as const;

/** Exit qualification of EPT violations (SDM vol. 3, table 28-7). */
export const EptViolation = {
  read: 1, write: 2, fetch: 4, readable: 8, writable: 16, executable: 32, executableUser: 64, linearAddressValid: 128, translation: 256,
  userLinear: 512, writableLinear: 1024, executeDisableLinear: 2048, nmiUnblocking: 4096,
} as const;

/** Bits of EPT entries (SDM vol. 3, 29.3.2). */
export const EptEntry = { R: 1n, W: 2n, X: 4n, memoryTypeShift: 3n, ignorePat: 0x40n, leaf: 0x80n, A: 0x100n, D: 0x200n } as const;

/** Memory types of EPT entries, PAT, MTRRs and IA32_VMX_BASIC (SDM vol. 3, table 12-10). */
export const MemoryType = { UC: 0, WC: 1, WT: 4, WP: 5, WB: 6, UCminus: 7 } as const;

/** Types of INVEPT. */
export const InveptType = { singleContext: 1, global: 2 } as const;

/** Types of INVVPID. */
export const InvvpidType = { individualAddress: 0, singleContext: 1, allContexts: 2, singleContextRetainingGlobals: 3 } as const;
