/**
 * Schedules the vCPUs of all VMs on this CPU: round robin in slices, blocked ones wait for an interrupt, and when nobody can
 * run the host sleeps until a timer, input or a wake-up. The JavaScript event loop gets a turn regularly.
 */
import { isAxError } from '@axvisor/axvisor_api/errors';
import { idle, thisCpuId, wake } from '@axvisor/axvisor_api/host';
import { kickProcessor, setHostTimer } from '@axvisor/axvisor_api/processor';
import { currentTicks, expireTimers, isVirtualClock, nanosToTicks, nextDeadline, skipTo, type Ticks } from '@axvisor/axvisor_api/time';
import { initPerCpu, VCpuState, type AxPerCpu } from '@axvisor/axvisor_api/vcpu';
import type { Executor } from './executor.ts';
import { Stopwatch } from './stopwatch.ts';
import { handleExit } from './vm/exits.ts';
import { servicesOf, type VmServices } from './vm/services.ts';
import { QuickBus } from './vm/quick_bus.ts';
import type { VCpuSlot } from './vm/vcpu_slot.ts';
import type { AxVm } from './vm/vm.ts';

/** How long a vCPU runs while there are others; short enough that one that spins for another does not waste much. */
const SLICE_NANOS = 1_000_000n;
/** How long guests run before the event loop gets a turn. */
const TURN_NANOS = 4_000_000n;
/**
 * How long an exit takes by a clock that counts instructions, which sees none here: about what it is on hardware. Without, time would stand still for
 * guests that execute nothing between their exits, and nearly so for those that look at a device until time has passed.
 */
const EXIT_NANOS = 1_000n;
/** Exits after which the clock is looked at. */
const LOOK_AFTER = 1024;

interface Runnable {
  readonly vm: AxVm;
  readonly slot: VCpuSlot;
  /** No other vCPU is powered on. */
  readonly alone: boolean;
}

const earlier = (a: Ticks | undefined, b: Ticks | undefined): Ticks | undefined => (a === undefined ? b : b === undefined ? a : a < b ? a : b);

export class Scheduler implements Executor {
  readonly #vms: () => Iterable<AxVm>;
  readonly #services = new Map<AxVm, VmServices>();
  readonly #exits = new WeakMap<AxVm, ReadonlyMap<string, { count: number }>>();
  readonly time: Stopwatch = new Stopwatch();
  #perCpu: AxPerCpu | undefined;
  #last: VCpuSlot | undefined;
  #yieldSoon = false;
  #inSlice = false;
  /** What the host's timer is set to for the slice. */
  #end: Ticks = 0n;
  /** An access is carried out while its guest is on the processor. */
  #inGuest = false;
  #isVirtual = false;

  constructor(vms: () => Iterable<AxVm>) {
    this.#vms = vms;
  }

  created(vm: AxVm): void {
    const exits = new Map<string, { count: number }>();
    this.#exits.set(vm, exits);
    const count = (reason: string): void => {
      const counter = exits.get(reason);
      if (counter === undefined) exits.set(reason, { count: 1 });
      else counter.count++;
    };
    const services = servicesOf(vm, count);
    this.#services.set(vm, services);
    // A clock that counts instructions goes on at each exit, which moves what is due by it.
    if (isVirtualClock()) return;
    const quick = new QuickBus(vm, services, { begin: () => this.#beginAccess(), end: () => this.#endAccess(vm) });
    for (const { vcpu } of vm.slots) vcpu.arch.attachDevices?.(quick);
  }

  #beginAccess(): void {
    this.#inGuest = true;
    this.time.beginExit();
  }

  #endAccess(vm: AxVm): void {
    this.#inGuest = false;
    this.time.endExit();
    // What else there is to do is done behind an exit.
    const deadline = nextDeadline();
    if (vm.status !== 'running' || this.#yieldSoon || !vm.isSettled || (deadline !== undefined && deadline < this.#end)) kickProcessor(thisCpuId());
  }

  closed(vm: AxVm): Promise<void> {
    this.#services.delete(vm);
    return Promise.resolve();
  }

  started(): void {
    wake();
  }

  halt(vm: AxVm): void {
    for (const { vcpu } of vm.slots) if (vcpu.state === VCpuState.Ready) vcpu.unbind();
  }

  // The loop looks at the status of VMs before each slice.
  suspend(): void {}

  resume(): void {
    wake();
  }

  rouse(_vm: AxVm, slot: VCpuSlot): void {
    // Whoever waits gets its turn soon. The one whose turn it is has left the guest, or this thread would not execute this; if it settles its
    // exits itself, the host's timer makes it leave again.
    if (this.#last !== slot) {
      this.#yieldSoon = true;
      if (this.#inSlice && !this.#inGuest) setHostTimer(currentTicks());
    }
    wake();
  }

  stats(vm: AxVm): { readonly exits: Readonly<Record<string, number>> } {
    return { exits: Object.fromEntries(Array.from(this.#exits.get(vm) ?? [], ([reason, { count }]) => [reason, count])) };
  }

  counters(): Promise<readonly []> {
    return Promise.resolve([]);
  }

  async run(until: () => boolean): Promise<void> {
    this.#isVirtual = isVirtualClock();
    this.#perCpu ??= initPerCpu(thisCpuId());
    if (!this.#perCpu.isEnabled()) this.#perCpu.hardwareEnable();
    const turn = nanosToTicks(TURN_NANOS);
    let lastTurn = currentTicks();
    this.time.enter('host');
    while (!until()) {
      expireTimers();
      const next = this.#pick();
      if (next === undefined) {
        if (![...this.#vms()].some((vm) => vm.status === 'running' || vm.status === 'suspended')) break;
        await this.#sleep();
        lastTurn = currentTicks();
        continue;
      }
      this.#runSlice(next);
      if (currentTicks() - lastTurn >= turn) {
        await idle();
        lastTurn = currentTicks();
      }
    }
    this.#release();
    this.time.enter(undefined);
  }

  /** The next vCPU after the last one that can run. */
  #pick(): Runnable | undefined {
    const all: Omit<Runnable, 'alone'>[] = [];
    for (const vm of this.#vms()) if (vm.status === 'running') for (const slot of vm.slots) if (slot.power === 'on') all.push({ vm, slot });
    const start = all.findIndex((r) => r.slot === this.#last) + 1;
    for (let i = 0; i < all.length; i++) {
      const { vm, slot } = all[(start + i) % all.length] as Omit<Runnable, 'alone'>;
      const { vcpu } = slot;
      if (vcpu.state === VCpuState.Blocked) {
        if (!vcpu.arch.hasPendingInterrupt()) continue;
        vcpu.unblock();
      }
      return { vm, slot, alone: all.length === 1 };
    }
    return undefined;
  }

  #runSlice({ vm, slot, alone }: Runnable): void {
    const { vcpu } = slot;
    const services = this.#services.get(vm);
    if (services === undefined) return;
    if (this.#last !== slot) this.#release();
    this.#last = slot;
    this.#yieldSoon = false;
    vm.accessing = vcpu.id;
    this.#end = this.#arm(currentTicks() + nanosToTicks(alone ? TURN_NANOS : SLICE_NANOS));
    this.time.enter('guest');
    this.#inSlice = true;
    try {
      if (vcpu.state === VCpuState.Free) vcpu.bind();
      for (let exits = 1; ; exits++) {
        const exit = vcpu.run();
        this.time.beginExit();
        if (this.#isVirtual) skipTo(currentTicks() + nanosToTicks(EXIT_NANOS));
        const next = handleExit(services, vcpu, exit);
        vm.settle();
        this.time.endExit();
        // A reset or power-off took the vCPU off this CPU already.
        if (vm.status !== 'running' || slot.power !== 'on' || vcpu.state !== VCpuState.Ready) return this.#release();
        if (next === 'wait') return vcpu.block();
        // The end of the slice comes as an interrupt of the host's timer, and so does a timer that a device set meanwhile.
        if (next === 'yield' || this.#yieldSoon) return;
        // Guests that are left while an event is delivered to them, time and again, are not interrupted.
        if (exits % LOOK_AFTER === 0 && currentTicks() >= this.#end) return;
        const deadline = nextDeadline();
        if (deadline !== undefined && deadline < this.#end) this.#end = this.#arm(this.#end);
      }
    } catch (e) {
      // No guest may take the hypervisor down; what is left is an error of the host (disk, memory) or a defect.
      vm.end({ end: 'failed', message: isAxError(e) ? `${e.kind}: ${e.message}` : String(e instanceof Error ? (e.stack ?? e) : e) });
      this.#release();
    } finally {
      this.#inSlice = false;
      this.time.enter('host');
    }
  }

  /** Sets the host's timer to `end`, or to what is due before; returns which. */
  #arm(end: Ticks): Ticks {
    const at = earlier(end, nextDeadline()) ?? end;
    setHostTimer(at);
    return at;
  }

  /** Takes the vCPU that ran last off this CPU. */
  #release(): void {
    const vcpu = this.#last?.vcpu;
    if (vcpu?.state === VCpuState.Ready) vcpu.unbind();
    this.#last = undefined;
  }

  /** Sleeps until the next deadline of timers and vCPUs. */
  async #sleep(): Promise<void> {
    let deadline = nextDeadline();
    for (const vm of this.#vms()) {
      if (vm.status !== 'running') continue;
      for (const { vcpu, power } of vm.slots) if (power === 'on') deadline = earlier(deadline, vcpu.arch.nextTimer());
    }
    this.time.enter('idle');
    if (deadline !== undefined && this.#isVirtual) {
      skipTo(deadline);
      await idle();
    } else await idle(deadline ?? 'forever');
    this.time.enter('host');
  }
}
