/**
 * Parts of an interrupt controller on the threads of the vCPUs, while the controller that they belong to is on the monitor's: they share its state,
 * and ask only for what is not in it. `@axvisor/arm_vgic` and `@axvisor/x86_vlapic` provide it.
 */
import type { Device } from './device.ts';
import { axError } from './errors.ts';
import type { ApicBackplane, CpuInterrupts, LocalApic } from './intc.ts';
import { apiDef, type AxApiDef } from './registry/api.ts';

/** How the parts of a controller reach the vCPUs of their VM from a thread, and their controller. */
export interface AttachedIntcContext {
  readonly vcpuCount: number;
  /** The numbers by which the guest names its CPUs, one for each vCPU. */
  readonly cpuIds: readonly bigint[];
  /** Whether the processor of a vCPU is on this thread. */
  isHere(vcpu: number): boolean;
  /** The vCPU that this thread runs. */
  currentVcpu(): number;
  /** As `IntcContext.setVcpuInterrupt`, for pins; it must not ask the controller for anything. */
  setVcpuInterrupt(vcpu: number, pin: number, level: boolean): void;
  /** The controller, asked in the name of a vCPU; what it lacks of this answers 0. */
  controller(vcpu: number): ApicBackplane;
}

/** The parts of a VM's controller in one thread. */
export interface AttachedIntc {
  /** The part of a vCPU on this thread, for `AxArchVCpu.attachInterrupts`. */
  cpu?(vcpu: number): CpuInterrupts;
  /** That of a vCPU on this thread, for `AxArchVCpu.attachLocalApic`. */
  localApic?(vcpu: number): LocalApic;
  /** Registers that vCPUs on this thread access here, and not at the controller's devices. */
  readonly devices?: readonly Device[];
  /** The controller was reset, or the VM is given up: forgets the timer of a vCPU. */
  forget?(vcpu: number): void;
}

/** The functions of the `attached_intc` API. */
export interface AttachedIntcApi {
  /**
   * Takes up the parts of a controller.
   *
   * @param state - what the controller's `IntcContext.sharedWords` gave it
   * @throws {AxError} Unsupported where controllers share nothing
   */
  attachInterruptController(state: Int32Array, context: AttachedIntcContext): AttachedIntc;
}

export let attachInterruptController: AttachedIntcApi['attachInterruptController'];

export const attachedIntc: AxApiDef<'attached_intc', AttachedIntcApi, 'attachInterruptController'> = apiDef({
  name: 'attached_intc',
  functions: {
    attachInterruptController: () => {
      throw axError('Unsupported', 'interrupt controllers of this architecture share nothing');
    },
  },
  bind: (f: AttachedIntcApi) => ({ attachInterruptController } = f),
  providers: ['@axvisor/arm_vgic', '@axvisor/x86_vlapic'],
});
