/** What exits load: the state of this processor, as the hypervisor has it (SDM vol. 3, 25.5). */
import { Msr, VmcsField, hostSegments, rdmsr, readCr } from '@axvisor/axvisor_api/arch/x86';
import type { CurrentVmcs } from './current.ts';

const F = VmcsField;

/** Writes the host-state area. */
export function writeHostState(vmcs: CurrentVmcs): void {
  const s = hostSegments();
  for (const [field, value] of [
    [F.hostEsSelector, s.es], [F.hostCsSelector, s.cs], [F.hostSsSelector, s.ss], [F.hostDsSelector, s.ds], [F.hostFsSelector, s.fs], [F.hostGsSelector, s.gs],
    [F.hostTrSelector, s.tr], [F.hostTrBase, s.trBase], [F.hostGdtrBase, s.gdtrBase], [F.hostIdtrBase, s.idtrBase],
    [F.hostFsBase, rdmsr(Msr.IA32_FS_BASE)], [F.hostGsBase, rdmsr(Msr.IA32_GS_BASE)], [F.hostIa32Pat, rdmsr(Msr.IA32_PAT)], [F.hostIa32Efer, rdmsr(Msr.IA32_EFER)],
    [F.hostCr0, readCr(0)], [F.hostCr3, readCr(3)], [F.hostCr4, readCr(4)],
    [F.hostIa32SysenterCs, 0], [F.hostIa32SysenterEsp, 0], [F.hostIa32SysenterEip, 0],
    // Native code goes on where the call of VMLAUNCH returns; the processor has neither place.
    [F.hostRip, 0], [F.hostRsp, 0],
  ] as const) vmcs.write(field, value);
}
