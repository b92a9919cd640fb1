/**
 * Fields of the VMCS by encoding (Intel SDM vol. 3, appendix B): bit 0 the high half of a 64-bit field, 9:1 index, 11:10 type (control, read-only,
 * guest, host), 14:13 width (16, 64, 32 bits, natural).
 */

/** Encodings. The high halves of 64-bit fields are these plus 1. */
export const VmcsField = {
  // 16 bits.
  virtualProcessorIdentifier: 0x0000, postedInterruptVector: 0x0002, eptpIndex: 0x0004,
  guestEsSelector: 0x0800, guestCsSelector: 0x0802, guestSsSelector: 0x0804, guestDsSelector: 0x0806, guestFsSelector: 0x0808,
  guestGsSelector: 0x080a, guestLdtrSelector: 0x080c, guestTrSelector: 0x080e, guestInterruptStatus: 0x0810, pmlIndex: 0x0812,
  hostEsSelector: 0x0c00, hostCsSelector: 0x0c02, hostSsSelector: 0x0c04, hostDsSelector: 0x0c06, hostFsSelector: 0x0c08,
  hostGsSelector: 0x0c0a, hostTrSelector: 0x0c0c,
  // 64 bits.
  ioBitmapA: 0x2000, ioBitmapB: 0x2002, msrBitmaps: 0x2004, exitMsrStoreAddress: 0x2006, exitMsrLoadAddress: 0x2008,
  entryMsrLoadAddress: 0x200a, executiveVmcsPointer: 0x200c, pmlAddress: 0x200e, tscOffset: 0x2010, virtualApicAddress: 0x2012,
  apicAccessAddress: 0x2014, postedInterruptDescriptorAddress: 0x2016, vmFunctionControls: 0x2018, eptPointer: 0x201a,
  eoiExitBitmap0: 0x201c, eoiExitBitmap1: 0x201e, eoiExitBitmap2: 0x2020, eoiExitBitmap3: 0x2022, eptpListAddress: 0x2024,
  vmreadBitmapAddress: 0x2026, vmwriteBitmapAddress: 0x2028, virtualizationExceptionInformationAddress: 0x202a, xssExitingBitmap: 0x202c,
  enclsExitingBitmap: 0x202e, subPagePermissionTablePointer: 0x2030, tscMultiplier: 0x2032,
  guestPhysicalAddress: 0x2400,
  vmcsLinkPointer: 0x2800, guestIa32Debugctl: 0x2802, guestIa32Pat: 0x2804, guestIa32Efer: 0x2806, guestIa32PerfGlobalCtrl: 0x2808,
  guestPdpte0: 0x280a, guestPdpte1: 0x280c, guestPdpte2: 0x280e, guestPdpte3: 0x2810, guestIa32Bndcfgs: 0x2812, guestIa32RtitCtl: 0x2814,
  hostIa32Pat: 0x2c00, hostIa32Efer: 0x2c02, hostIa32PerfGlobalCtrl: 0x2c04,
  // 32 bits.
  pinBasedControls: 0x4000, primaryProcessorBasedControls: 0x4002, exceptionBitmap: 0x4004, pageFaultErrorCodeMask: 0x4006,
  pageFaultErrorCodeMatch: 0x4008, cr3TargetCount: 0x400a, exitControls: 0x400c, exitMsrStoreCount: 0x400e, exitMsrLoadCount: 0x4010,
  entryControls: 0x4012, entryMsrLoadCount: 0x4014, entryInterruptionInformation: 0x4016, entryExceptionErrorCode: 0x4018,
  entryInstructionLength: 0x401a, tprThreshold: 0x401c, secondaryProcessorBasedControls: 0x401e, pleGap: 0x4020, pleWindow: 0x4022,
  vmInstructionError: 0x4400, exitReason: 0x4402, exitInterruptionInformation: 0x4404, exitInterruptionErrorCode: 0x4406,
  idtVectoringInformation: 0x4408, idtVectoringErrorCode: 0x440a, exitInstructionLength: 0x440c, exitInstructionInformation: 0x440e,
  guestEsLimit: 0x4800, guestCsLimit: 0x4802, guestSsLimit: 0x4804, guestDsLimit: 0x4806, guestFsLimit: 0x4808, guestGsLimit: 0x480a,
  guestLdtrLimit: 0x480c, guestTrLimit: 0x480e, guestGdtrLimit: 0x4810, guestIdtrLimit: 0x4812, guestEsAccessRights: 0x4814,
  guestCsAccessRights: 0x4816, guestSsAccessRights: 0x4818, guestDsAccessRights: 0x481a, guestFsAccessRights: 0x481c,
  guestGsAccessRights: 0x481e, guestLdtrAccessRights: 0x4820, guestTrAccessRights: 0x4822, guestInterruptibilityState: 0x4824,
  guestActivityState: 0x4826, guestSmbase: 0x4828, guestIa32SysenterCs: 0x482a, vmxPreemptionTimerValue: 0x482e,
  hostIa32SysenterCs: 0x4c00,
  // Natural width.
  cr0GuestHostMask: 0x6000, cr4GuestHostMask: 0x6002, cr0ReadShadow: 0x6004, cr4ReadShadow: 0x6006, cr3TargetValue0: 0x6008,
  cr3TargetValue1: 0x600a, cr3TargetValue2: 0x600c, cr3TargetValue3: 0x600e,
  exitQualification: 0x6400, ioRcx: 0x6402, ioRsi: 0x6404, ioRdi: 0x6406, ioRip: 0x6408, guestLinearAddress: 0x640a,
  guestCr0: 0x6800, guestCr3: 0x6802, guestCr4: 0x6804, guestEsBase: 0x6806, guestCsBase: 0x6808, guestSsBase: 0x680a, guestDsBase: 0x680c,
  guestFsBase: 0x680e, guestGsBase: 0x6810, guestLdtrBase: 0x6812, guestTrBase: 0x6814, guestGdtrBase: 0x6816, guestIdtrBase: 0x6818,
  guestDr7: 0x681a, guestRsp: 0x681c, guestRip: 0x681e, guestRflags: 0x6820, guestPendingDebugExceptions: 0x6822,
  guestIa32SysenterEsp: 0x6824, guestIa32SysenterEip: 0x6826,
  hostCr0: 0x6c00, hostCr3: 0x6c02, hostCr4: 0x6c04, hostFsBase: 0x6c06, hostGsBase: 0x6c08, hostTrBase: 0x6c0a, hostGdtrBase: 0x6c0c,
  hostIdtrBase: 0x6c0e, hostIa32SysenterEsp: 0x6c10, hostIa32SysenterEip: 0x6c12, hostRsp: 0x6c14, hostRip: 0x6c16,
} as const;
export type VmcsField = (typeof VmcsField)[keyof typeof VmcsField];

/** Bits of a field: 16, 32 or 64 (natural width is 64). The high half of a 64-bit field has 32. */
export const vmcsFieldWidth = (field: number): 16 | 32 | 64 => {
  const width = (field >>> 13) & 3;
  return width === 0 ? 16 : width === 2 || (width === 1 && (field & 1) !== 0) ? 32 : 64;
};

/** What a field belongs to. */
export const vmcsFieldType = (field: number): 'control' | 'readOnly' | 'guest' | 'host' =>
  (['control', 'readOnly', 'guest', 'host'] as const)[(field >>> 10) & 3] as 'control';
