/** What a guest's VMCS makes its processor leave the guest for, and keep over entries and exits: the control fields (SDM vol. 3, 25.6 to 25.8). */
import { EntryControl, ExitControl, Msr, PinControl, ProcControl, ProcControl2, VmcsField } from '@axvisor/axvisor_api/arch/x86';
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { allowedControls, controls } from './controls.ts';
import type { CurrentVmcs } from './current.ts';

const F = VmcsField;

/** Pause loops: PAUSEs no further apart than the gap for as long as the window, in ticks of the counter (SDM vol. 3, 25.6.13). */
const PLE_GAP = 128n;
const PLE_WINDOW = 4096n;

const REQUIRED = {
  pin: PinControl.externalInterruptExiting | PinControl.nmiExiting | PinControl.virtualNmis,
  primary:
    (ProcControl.useTscOffsetting | ProcControl.hltExiting | ProcControl.mwaitExiting | ProcControl.monitorExiting | ProcControl.rdpmcExiting |
      ProcControl.cr8LoadExiting | ProcControl.cr8StoreExiting | ProcControl.unconditionalIoExiting | ProcControl.useMsrBitmaps) + ProcControl.activateSecondaryControls,
  secondary: ProcControl2.enableEpt | ProcControl2.unrestrictedGuest,
  exit:
    ExitControl.hostAddressSpaceSize | ExitControl.acknowledgeInterruptOnExit | ExitControl.saveIa32Pat | ExitControl.loadIa32Pat | ExitControl.saveIa32Efer |
    ExitControl.loadIa32Efer | ExitControl.saveDebugControls,
  entry: EntryControl.loadIa32Pat | EntryControl.loadIa32Efer | EntryControl.loadDebugControls,
} as const;
const WANTED_SECONDARY =
  ProcControl2.enableRdtscp | ProcControl2.enableInvpcid | ProcControl2.enableXsavesXrstors | ProcControl2.enableVpid | ProcControl2.pauseLoopExiting;
/** Accesses to CR3 do not leave the guest. */
const FORBIDDEN_PRIMARY = ProcControl.cr3LoadExiting | ProcControl.cr3StoreExiting;

/** Writes the control fields. @returns the primary processor-based ones */
export function writeControls(vmcs: CurrentVmcs, msrBitmap: HostPhysAddr): number {
  const primary = controls('primary', allowedControls(Msr.IA32_VMX_TRUE_PROCBASED_CTLS), REQUIRED.primary >>> 0, 0, FORBIDDEN_PRIMARY);
  const secondary = controls('secondary', allowedControls(Msr.IA32_VMX_PROCBASED_CTLS2), REQUIRED.secondary, WANTED_SECONDARY);
  for (const [field, value] of [
    [F.pinBasedControls, controls('pin-based', allowedControls(Msr.IA32_VMX_TRUE_PINBASED_CTLS), REQUIRED.pin)],
    [F.primaryProcessorBasedControls, primary],
    [F.secondaryProcessorBasedControls, secondary],
    [F.exitControls, controls('exit', allowedControls(Msr.IA32_VMX_TRUE_EXIT_CTLS), REQUIRED.exit)],
    [F.entryControls, controls('entry', allowedControls(Msr.IA32_VMX_TRUE_ENTRY_CTLS), REQUIRED.entry)],
    [F.exceptionBitmap, 0], [F.pageFaultErrorCodeMask, 0], [F.pageFaultErrorCodeMatch, 0], [F.cr3TargetCount, 0],
    [F.exitMsrStoreCount, 0], [F.exitMsrLoadCount, 0], [F.entryMsrLoadCount, 0], [F.entryInterruptionInformation, 0],
    [F.msrBitmaps, msrBitmap],
  ] as const) vmcs.write(field, value);
  if ((secondary & ProcControl2.pauseLoopExiting) !== 0) {
    vmcs.write(F.pleGap, PLE_GAP);
    vmcs.write(F.pleWindow, PLE_WINDOW);
  }
  return primary;
}
