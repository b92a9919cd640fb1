/**
 * A guest CPU: takes orders of the monitor and runs the vCPUs that live here, one after the other in slices when several can
 * run, and sleeps when none can.
 */
import { apiImpl, component as axComponent, type Component } from '@axvisor/axvisor_api';
import { addr } from '@axvisor/axvisor_api/addr';
import { attachedIntc } from '@axvisor/axvisor_api/attached_intc';
import { axError, errors, isAxError } from '@axvisor/axvisor_api/errors';
import { host, thisCpuId } from '@axvisor/axvisor_api/host';
import { memory } from '@axvisor/axvisor_api/memory';
import { processor, processorStats, setHostTimer } from '@axvisor/axvisor_api/processor';
import { callMonitor, pendingSignals, Signal, signalCpu, smp, takeSignals, waitForSignal, type CpuMessage } from '@axvisor/axvisor_api/smp';
import { currentTicks, expireTimers, nanosToTicks, nextDeadline, time, type Ticks } from '@axvisor/axvisor_api/time';
import { initPerCpu, vcpu, VCpuState, type AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { vmm, type Vmm } from '@axvisor/axvisor_api/vmm';
import { handleExit } from '../vm/exits.ts';
import { Activity, Call, decodeOrder, toBytes, toText, type Order } from './protocol.ts';
import { RemoteVm, Stopped, type RemoteVCpu } from './remote_vm.ts';

/** How long a vCPU runs while others of this CPU wait. */
const SLICE_NANOS = 1_000_000n;

/**
 * A vCPU that does nothing but wait for what another does, as many yields in a row say, sleeps this long in between: whoever it waits for may need the
 * processor that this thread is on.
 */
const SPINS = 4;
const NAP_NANOS = 50_000n;

/** Exits after which the vCPU is off or started anew: its state is put back before anybody is told. */
const FINAL: ReadonlySet<AxVCpuExitReason['reason']> = new Set(['CpuDown', 'SystemDown', 'SystemReset', 'FailEntry', 'GuestError']);

const earlier = (a: Ticks | undefined, b: Ticks | undefined): Ticks | undefined => (a === undefined ? b : b === undefined ? a : a < b ? a : b);

/** What `f` returns, or `otherwise` where the monitor has stopped the vCPU meanwhile: the next look at it finds out. */
function unlessStopped<T>(f: () => T, otherwise: T): T {
  try {
    return f();
  } catch (e) {
    if (e instanceof Stopped) return otherwise;
    throw e;
  }
}

export class Runner {
  readonly #vms = new Map<number, RemoteVm>();
  /** The vCPUs that live here, of all VMs. */
  #local: RemoteVCpu[] = [];
  /** The one that is on the processor. */
  #bound: RemoteVCpu | undefined;
  /** Yields in a row of the vCPU that is on the processor. */
  #spins = 0;
  /** Instructions that a vCPU was credited with. */
  #credited = 0n;

  // ── what vCPUs of this thread ask ──

  vm(id: number): RemoteVm {
    const found = this.#vms.get(id);
    if (found === undefined) throw axError('NotFound', `there is no VM ${id}`);
    return found;
  }

  /** The vCPU in whose name the monitor is called. */
  get current(): RemoteVCpu {
    if (this.#bound === undefined) throw axError('BadState', 'no vCPU runs on this CPU');
    return this.#bound;
  }

  rouse({ home, vcpu: target }: RemoteVCpu): void {
    // What is on this processor looks at its interrupts before it goes on. Of those that wait for it, one gets its turn.
    if (target !== this.#bound?.vcpu) signalCpu(home, Signal.kick);
  }

  // ── running ──

  /** Never returns: the monitor ends the thread. */
  run(): never {
    initPerCpu(thisCpuId()).hardwareEnable();
    for (;;) this.turn();
  }

  turn(): void {
    expireTimers();
    if ((takeSignals(Signal.kick | Signal.order) & Signal.order) !== 0) this.#takeOrders();
    const next = this.#pick();
    // If it is the only one that can run.
    if (next !== undefined && next === this.#bound && this.#spins >= SPINS) waitForSignal(Signal.kick | Signal.order, currentTicks() + nanosToTicks(NAP_NANOS));
    if (next !== undefined) this.#runSlice(next);
    else waitForSignal(Signal.kick | Signal.order, this.#deadline());
  }

  #takeOrders(): void {
    for (;;) {
      const { bytes } = this.#call(Call.order);
      if (bytes.length === 0) return;
      this.#obey(decodeOrder(toText(bytes)));
    }
  }

  /** Calls the monitor between two slices: if it waits for the vCPU that is still on the processor, it need not. */
  #call(operation: number, bytes?: Uint8Array): CpuMessage {
    const line = this.#bound?.line;
    if (line !== undefined) line.activity = Activity.calling;
    const answer = callMonitor(operation, [], bytes);
    // Before it enters the guest again, it looks whether it was stopped.
    if (line !== undefined) line.activity = Activity.running;
    return answer;
  }

  #obey(order: Order): void {
    switch (order.order) {
      case 'attach': {
        const vm = new RemoteVm(order.vm, { cpu: thisCpuId(), current: () => this.current, rouse: (remote) => this.rouse(remote) });
        this.#vms.set(vm.id, vm);
        this.#local.push(...vm.vcpus.filter((v) => v.home === thisCpuId()));
        return;
      }
      case 'detach': {
        const vm = this.vm(order.vm);
        for (const remote of vm.vcpus) if (this.#bound === remote) this.#forget(remote);
        vm[Symbol.dispose]();
        this.#vms.delete(vm.id);
        this.#local = this.#local.filter((v) => v.vm !== vm);
        return;
      }
      case 'count':
        this.#call(Call.counters, toBytes(JSON.stringify(processorStats().counters)));
        return;
      case 'start': {
        const remote = this.vm(order.vm).remote(order.vcpu);
        this.#forget(remote);
        remote.generation = order.generation;
        remote.active = true;
        return;
      }
    }
  }

  /** The next vCPU after the last one that can run; those that were stopped are put aside on the way. */
  #pick(): RemoteVCpu | undefined {
    const all = this.#local;
    const start = all.indexOf(this.#bound as RemoteVCpu) + 1;
    let found: RemoteVCpu | undefined;
    for (let i = 0; i < all.length; i++) {
      const remote = all[(start + i) % all.length] as RemoteVCpu;
      if (!remote.active || this.#isStopped(remote)) continue;
      const { vcpu: candidate } = remote;
      if (candidate.state === VCpuState.Blocked) {
        if (!this.#isWoken(remote)) continue;
        candidate.unblock();
      }
      found ??= remote;
    }
    return found;
  }

  /** Whether a waiting vCPU has an interrupt. Asking may mean calling the monitor, which may stop it meanwhile. */
  #isWoken({ vcpu: { arch } }: RemoteVCpu): boolean {
    return unlessStopped(() => arch.hasPendingInterrupt(), false);
  }

  /** Whether the monitor wants it out of the guest; then it is. */
  #isStopped(remote: RemoteVCpu): boolean {
    const { line } = remote;
    if (line.generation !== remote.generation) {
      this.#forget(remote);
      remote.active = false;
      return true;
    }
    if (line.hold) this.#release(remote);
    return line.hold;
  }

  #runSlice(remote: RemoteVCpu): void {
    const { vm, vcpu: running, line } = remote;
    if (this.#bound !== undefined && this.#bound !== remote) this.#release(this.#bound);
    // First this, then the look at what the monitor wants, which waits as long as it finds the vCPU running.
    line.activity = Activity.running;
    this.#bound = remote;
    if (this.#isStopped(remote)) return;
    const end = currentTicks() + nanosToTicks(SLICE_NANOS);
    const alone = !this.#local.some((other) => other !== remote && other.active && other.vcpu.state !== VCpuState.Blocked);
    let timer = alone ? this.#deadline() : earlier(end, this.#deadline());
    setHostTimer(timer);
    try {
      const services = vm.services(remote);
      if (running.state === VCpuState.Free) running.bind();
      for (;;) {
        const exit = running.run();
        if (FINAL.has(exit.reason)) {
          this.#release(remote);
          remote.active = false;
        }
        const next = handleExit(services, running, exit);
        if (next !== 'yield') this.#spins = 0;
        else if (exit.reason === 'Nothing') this.#spins++;
        if (next === 'off') return;
        if (next === 'wait') {
          running.block();
          return this.#release(remote);
        }
        // The end of the slice comes as an interrupt of the host's timer, and so does a timer that was set meanwhile.
        if (next === 'yield' || (pendingSignals() & (Signal.kick | Signal.order)) !== 0) return;
        const sooner = earlier(timer, nextDeadline());
        if (sooner !== timer) setHostTimer((timer = sooner));
      }
    } catch (e) {
      this.#broken(remote, e);
    }
  }

  /** A slice ended by what is no exit: the monitor stopped the vCPU, or the host has an error. */
  #broken(remote: RemoteVCpu, e: unknown): void {
    remote.active = false;
    this.#forget(remote);
    if (e instanceof Stopped) return;
    // No guest may take the hypervisor down; what is left is an error of the host (disk, memory) or a defect.
    try {
      remote.vm.services(remote).fail(isAxError(e) ? `${e.kind}: ${e.message}` : String(e instanceof Error ? (e.stack ?? e) : e));
    } catch (again) {
      if (!(again instanceof Stopped)) throw again;
    }
  }

  /** Puts a vCPU's state back in memory. */
  #release(remote: RemoteVCpu): void {
    if (remote.vcpu.state === VCpuState.Ready) remote.vcpu.unbind();
    this.#left(remote);
  }

  #forget(remote: RemoteVCpu): void {
    remote.vm.forget(remote);
    this.#left(remote);
  }

  #left(remote: RemoteVCpu): void {
    if (this.#bound === remote) {
      this.#bound = undefined;
      const { instructions } = processorStats();
      remote.line.retired(instructions - this.#credited);
      this.#credited = instructions;
    }
    if (remote.line.activity !== Activity.none) remote.line.activity = Activity.none;
  }

  /** When the next timer of this CPU or of one of its waiting vCPUs is due. */
  #deadline(): Ticks | undefined {
    let deadline = nextDeadline();
    for (const { active, line, vcpu: waiting } of this.#local)
      if (active && !line.hold && waiting.state === VCpuState.Blocked) deadline = earlier(deadline, unlessStopped(() => waiting.arch.nextTimer(), undefined));
    return deadline;
  }
}

const powerSet = ({ vcpus }: RemoteVm): bigint => vcpus.reduce((set, { line }, i) => (line.power === 'on' ? set | (1n << BigInt(i)) : set), 0n);

/** The `vmm` API on a guest CPU. */
function createVmm(runner: Runner): Vmm {
  const inject = (vm: number, index: number, vector: number): void => {
    const target = runner.vm(vm).remote(index);
    target.vcpu.injectInterrupt(vector);
    runner.rouse(target);
  };
  const rouse = (vm: number, index: number): void => runner.rouse(runner.vm(vm).remote(index));
  return {
    currentVmId: () => runner.current.vm.id,
    currentVcpuId: () => runner.current.vcpu.id,
    vcpuNum: (id) => runner.vm(id).vcpus.length,
    activeVcpus: (id) => powerSet(runner.vm(id)),
    vcpuPowerState: (id, index) => runner.vm(id).remote(index).line.power,
    injectInterrupt: inject,
    injectInterruptToCpus: (id, set, vector) => {
      const { vcpus } = runner.vm(id);
      if (set >> BigInt(vcpus.length) !== 0n) throw axError('NotFound', `VM ${id} has only ${vcpus.length} vCPUs`);
      for (const target of vcpus) if (((set >> BigInt(target.vcpu.id)) & 1n) === 1n) inject(id, target.vcpu.id, vector);
    },
    kickVcpu: rouse,
    notifyVcpuTimerExpired: rouse,
    guestMemory: (id) => runner.vm(id).memory(runner.current),
    guestConsole: (id) => runner.vm(id).console(runner.current),
  };
}

/** The component for the thread of a guest CPU, in the place of the one that keeps VMs. */
export function createRunner(): {
  readonly component: Component<typeof vmm.id, typeof addr.id | typeof host.id | typeof memory.id | typeof processor.id | typeof time.id | typeof vcpu.id>;
  /** To be called once this thread is linked. Never returns. */
  readonly run: () => never;
} {
  const runner = new Runner();
  return {
    component: axComponent({
      name: '@axvisor/axvm (guest CPU)',
      requires: [addr, attachedIntc, errors, host, memory, processor, smp, time, vcpu],
      provides: () => [apiImpl(vmm, createVmm(runner))],
    }),
    run: () => runner.run(),
  };
}
