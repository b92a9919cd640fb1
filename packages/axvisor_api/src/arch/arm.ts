/**
 * The Arm processor contract: what EL2 software does to a processing element with EL2, stage 2 translation, the generic timers and the
 * GICv3 virtual CPU interface (Arm ARM DDI 0487, chapters D1, D8, D12, D23; GIC specification IHI 0069). `@axvisor/softcpu_arm` provides a
 * software one. EL2 is not VHE (HCR_EL2.E2H = 0).
 */
import type { HostPhysAddr } from '../addr.ts';
import { axError } from '../errors.ts';
import type { LiveRegisters } from '../quick_devices.ts';
import { apiDef, required, type AxApiDef } from '../registry/api.ts';
import type { SysReg } from './arm_sysregs.ts';

export { ExceptionClass, SYSREG, sysRegEncoding, sysRegFields, type SysReg, type SysRegName } from './arm_sysregs.ts';

/**
 * Bytes of a guest register context, 8 bytes each, little-endian: x0 … x30 at 0, a word that is not used at 248, v0 … v31 of 16 bytes each
 * at 256 (the low half first). Everything else of a guest is in system registers: SP_EL0, SP_EL1, ELR_EL2 (its PC), SPSR_EL2 (its PSTATE),
 * FPCR, FPSR.
 */
export const GUEST_CONTEXT_SIZE = 768;

/** Offset of v0 in a guest register context. */
export const GUEST_CONTEXT_V = 256;

/** Which vector the exception to EL2 went through: the order of the entries of a vector table (Arm ARM, D1.3.1.5). */
export const ExceptionKind = { sync: 0, irq: 1, fiq: 2, serror: 3 } as const;
export type ExceptionKind = (typeof ExceptionKind)[keyof typeof ExceptionKind];

/** Interrupts that a processing element itself raises, by INTID (Server Base System Architecture, private peripheral interrupts). */
export const Ppi = { pmu: 23, maintenance: 25, hypTimer: 26, virtualTimer: 27, physicalTimer: 30 } as const;

/** Vectors beyond all INTIDs that stand for the interrupt inputs of a CPU: a controller without list registers drives them. */
export const CpuPin = { virq: 1024, vfiq: 1025 } as const;

/** Address translation instructions (AT): the stages, the exception level whose permissions count, and the access. */
export type AddressTranslation = 's1e1r' | 's1e1w' | 's1e0r' | 's1e0w' | 's12e1r' | 's12e1w' | 's12e0r' | 's12e0w';

/**
 * The first thing that EL2's vector does with a data abort at stage 2 whose syndrome describes the access (ESR_EL2.ISV).
 *
 * @param iss - ESR_EL2.ISS.
 * @param address - the guest physical address, below 2^48.
 * @returns true: the access was carried out, and the guest goes on behind the instruction. Else nothing happened
 */
export type AbortVector = (iss: number, address: number, registers: LiveRegisters) => boolean;

/** The functions of the `arch/arm` API. They act on this thread's processing element. */
export interface ArmHost {
  /** Makes virtual interrupt `intid` pending on the vCPU of this CPU. */
  hardwareInjectVirtualInterrupt(intid: number): void;
  /** GICD_TYPER of the host's distributor. */
  readVgicdTyper(): number;
  /** GICD_IIDR of the host's distributor. */
  readVgicdIidr(): number;
  getHostGicdBase(): HostPhysAddr;
  getHostGicrBase(): HostPhysAddr;
  /** Acknowledges the pending host interrupt and returns its INTID, 1023 if there is none. */
  fetchIrq(): number;
  /** Ends the host interrupt that {@link ArmHost.fetchIrq} acknowledged. A guest's timer whose output stays high is not pending again before it was low. */
  handleIrq(): void;

  /**
   * Reads a system register as EL2 does: no trap applies, EL1 registers are the guest's.
   *
   * @throws {AxError} InvalidInput for a register that the processing element lacks
   */
  sysRegRead(register: SysReg): bigint;
  sysRegWrite(register: SysReg, value: bigint): void;
  /**
   * Loads x and v from the context at `context`, executes ERET (to ELR_EL2 with SPSR_EL2, at EL1 or EL0) and returns when an exception is
   * taken to EL2. ESR, FAR, HPFAR, ELR and SPSR_EL2 describe it as far as they are defined for it, and x and v are back in the context.
   *
   * CNTPCT_EL0 counts what `currentTicks` of the `time` API does, CNTVCT_EL0 that minus CNTVOFF_EL2.
   *
   * The host's interrupts are never masked: a kick, a time slice that is over, a maintenance interrupt of the list registers, and the output
   * of one of the guest's own timers (CNTV, CNTP) that goes high while the guest runs end the run with `irq`, and {@link ArmHost.fetchIrq}
   * says which. A timer whose output is high already does not.
   */
  enterGuest(context: HostPhysAddr): ExceptionKind;
  /**
   * Has a vector called while guests run, from which it need not return here. In it no other function of this API may be called.
   * Nothing is lost where a processing element never calls it; it does not for guests that are big-endian or step single instructions.
   */
  setAbortVector(vector: AbortVector | undefined): void;
  /** TLBI VMALLS12E1IS for `vmid`; with `ipa`, TLBI IPAS2E1IS for its page and VMALLE1IS: what was cached of stages 1 and 2 combined goes too. */
  tlbiStage2(vmid: number, ipa?: bigint): void;
  /** TLBI VMALLE1: drops the stage 1 translations of the VMID in VTTBR_EL2 on this processing element. */
  tlbiStage1(): void;
  /** TLBI ALLE1. */
  tlbiAll(): void;
  /** Executes an AT instruction for the guest's registers and returns what PAR_EL1 would say; PAR_EL1 itself does not change. */
  addressTranslate(operation: AddressTranslation, address: bigint): bigint;
  /** Instructions the guest retired on this processing element. */
  retiredInstructions(): bigint;
}

export let hardwareInjectVirtualInterrupt: ArmHost['hardwareInjectVirtualInterrupt'];
export let readVgicdTyper: ArmHost['readVgicdTyper'];
export let readVgicdIidr: ArmHost['readVgicdIidr'];
export let getHostGicdBase: ArmHost['getHostGicdBase'];
export let getHostGicrBase: ArmHost['getHostGicrBase'];
export let fetchIrq: ArmHost['fetchIrq'];
export let handleIrq: ArmHost['handleIrq'];
export let sysRegRead: ArmHost['sysRegRead'];
export let sysRegWrite: ArmHost['sysRegWrite'];
export let enterGuest: ArmHost['enterGuest'];
export let setAbortVector: ArmHost['setAbortVector'];
export let tlbiStage2: ArmHost['tlbiStage2'];
export let tlbiStage1: ArmHost['tlbiStage1'];
export let tlbiAll: ArmHost['tlbiAll'];
export let addressTranslate: ArmHost['addressTranslate'];
export let retiredInstructions: ArmHost['retiredInstructions'];

/** What a host may do without: a GIC of its own, and the shorter way out of a guest. */
type Optional = 'setAbortVector' | 'hardwareInjectVirtualInterrupt' | 'readVgicdTyper' | 'readVgicdIidr' | 'getHostGicdBase' | 'getHostGicrBase';

/** The accessors of a physical GIC are for hosts that have one. */
const noHostGic = (): never => {
  throw axError('Unsupported', 'this host has no interrupt controller of its own');
};

export const arm: AxApiDef<'arch/arm', ArmHost, Optional> = apiDef({
  name: 'arch/arm',
  functions: {
    hardwareInjectVirtualInterrupt: noHostGic, readVgicdTyper: noHostGic, readVgicdIidr: noHostGic, getHostGicdBase: noHostGic,
    getHostGicrBase: noHostGic, fetchIrq: required, handleIrq: required, sysRegRead: required, sysRegWrite: required,
    enterGuest: required, setAbortVector: () => {}, tlbiStage2: required, tlbiStage1: required, tlbiAll: required, addressTranslate: required,
    retiredInstructions: required,
  },
  bind: (f: ArmHost) =>
    ({
      hardwareInjectVirtualInterrupt, readVgicdTyper, readVgicdIidr, getHostGicdBase, getHostGicrBase, fetchIrq, handleIrq,
      sysRegRead, sysRegWrite, enterGuest, setAbortVector, tlbiStage2, tlbiStage1, tlbiAll, addressTranslate, retiredInstructions,
    } = f),
  providers: ['@axvisor/softcpu_arm'],
});
