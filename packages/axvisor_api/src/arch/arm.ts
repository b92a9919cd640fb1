/** The Arm processor and interrupt-controller contract: what EL2 software asks of the host (Arm ARM, chapter D; GICv3 specification). */
import type { HostPhysAddr } from '../addr.ts';
import { apiDef, required, type AxApiDef } from '../registry/api.ts';

/** The functions of the `arch/arm` API. */
export interface ArmHost {
  /** Makes virtual interrupt `intid` pending on the vCPU of this CPU. */
  hardwareInjectVirtualInterrupt(intid: number): void;
  /** GICD_TYPER of the host's distributor. */
  readVgicdTyper(): number;
  /** GICD_IIDR of the host's distributor. */
  readVgicdIidr(): number;
  getHostGicdBase(): HostPhysAddr;
  getHostGicrBase(): HostPhysAddr;
  /** Acknowledges the pending host interrupt and returns its INTID. */
  fetchIrq(): number;
  /** Handles the pending host interrupt. */
  handleIrq(): void;
}

export let hardwareInjectVirtualInterrupt: ArmHost['hardwareInjectVirtualInterrupt'];
export let readVgicdTyper: ArmHost['readVgicdTyper'];
export let readVgicdIidr: ArmHost['readVgicdIidr'];
export let getHostGicdBase: ArmHost['getHostGicdBase'];
export let getHostGicrBase: ArmHost['getHostGicrBase'];
export let fetchIrq: ArmHost['fetchIrq'];
export let handleIrq: ArmHost['handleIrq'];

export const arm: AxApiDef<'arch/arm', ArmHost> = apiDef({
  name: 'arch/arm',
  functions: {
    hardwareInjectVirtualInterrupt: required, readVgicdTyper: required, readVgicdIidr: required, getHostGicdBase: required,
    getHostGicrBase: required, fetchIrq: required, handleIrq: required,
  },
  bind: (f: ArmHost) =>
    ({
      hardwareInjectVirtualInterrupt, readVgicdTyper, readVgicdIidr, getHostGicdBase, getHostGicrBase, fetchIrq, handleIrq,
    } = f),
});
