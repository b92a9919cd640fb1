/**
 * Local APICs on the threads of their processors, while the controller that they belong to is on the monitor's: they share their state, and ask only for
 * what is the controller's. `@axvisor/x86_vlapic` provides it.
 */
import type { ApicBackplane, LocalApic } from './intc.ts';
import { axError } from './errors.ts';
import { apiDef, type AxApiDef } from './registry/api.ts';

/** How local APICs reach the vCPUs of their VM from a thread, and their controller. */
export interface LocalApicsContext {
  readonly vcpuCount: number;
  /** Whether the processor of a vCPU is on this thread. */
  isHere(vcpu: number): boolean;
  /** As `IntcContext.setVcpuInterrupt`, for pins. */
  setVcpuInterrupt(vcpu: number, pin: number, level: boolean): void;
  /** The controller, asked in the name of a vCPU. */
  controller(vcpu: number): ApicBackplane;
}

/** The local APICs of a VM in one thread. */
export interface AttachedLocalApics {
  /** That of a vCPU on this thread, for `AxArchVCpu.attachLocalApic`. */
  localApic(vcpu: number): LocalApic;
  /** The controller was reset, or the VM is given up: forgets the timer of a vCPU. */
  forget(vcpu: number): void;
}

/** The functions of the `local_apics` API. */
export interface LocalApicsApi {
  /**
   * Takes up the local APICs of a controller.
   *
   * @param state - what the controller's `IntcContext.sharedWords` gave it
   * @throws {AxError} Unsupported without local APICs
   */
  attachLocalApics(state: Int32Array, context: LocalApicsContext): AttachedLocalApics;
}

export let attachLocalApics: LocalApicsApi['attachLocalApics'];

export const localApics: AxApiDef<'local_apics', LocalApicsApi, 'attachLocalApics'> = apiDef({
  name: 'local_apics',
  functions: {
    attachLocalApics: () => {
      throw axError('Unsupported', 'processors of this architecture have no local APICs');
    },
  },
  bind: (f: LocalApicsApi) => ({ attachLocalApics } = f),
  providers: ['@axvisor/x86_vlapic'],
});
