/** What runs the vCPUs of virtual machines: the thread that keeps the machines itself, in slices, or threads of their own. */
import type { VmStats } from '@axvisor/axvisor_api/vm';
import type { Stopwatch } from './stopwatch.ts';
import type { VCpuSlot } from './vm/vcpu_slot.ts';
import type { AxVm } from './vm/vm.ts';

export interface Executor {
  /** What the time of {@link run} went to. */
  readonly time: Stopwatch;
  /** A VM was loaded. */
  created(vm: AxVm): void;
  /** A VM that is halted is given up; when this is done, nobody uses anything of it. */
  closed(vm: AxVm): Promise<void>;
  /** `slot` is in its power-on state and on. */
  started(vm: AxVm, slot: VCpuSlot): void;
  /** Takes all vCPUs of `vm` out of the guest; what they were doing is forgotten. On return nobody uses their state. */
  halt(vm: AxVm): void;
  /** Takes all vCPUs of `vm` out of the guest, until {@link resume}. */
  suspend(vm: AxVm): void;
  resume(vm: AxVm): void;
  /** `slot` may have an interrupt: it wakes, or leaves the guest to see it. */
  rouse(vm: AxVm, slot: VCpuSlot): void;
  /** Exits by reason; guest instructions and homes of vCPUs where they are known for each VM. */
  stats(vm: AxVm): Pick<VmStats, 'exits' | 'instructions' | 'homes'>;
  /** Counters of the processors of other threads. */
  counters(): Promise<readonly Readonly<Record<string, number>>[]>;
  /** Runs until no VM is running or suspended, or `until` holds. */
  run(until: () => boolean): Promise<void>;
}
