/**
 * The monitor's side of vCPUs on threads: it decides where each vCPU lives, gives orders, answers calls, and stops vCPUs
 * before their state is changed.
 */
import { gpa, hpa, type HostPhysAddr } from '@axvisor/axvisor_api/addr';
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import { axError, isAxError } from '@axvisor/axvisor_api/errors';
import { idle, thisCpuId, wake } from '@axvisor/axvisor_api/host';
import { allocContiguousFrames, deallocContiguousFrames, physMemory } from '@axvisor/axvisor_api/memory';
import { guestCpus, serveCpus, Signal, signalCpu, type CpuMessage } from '@axvisor/axvisor_api/smp';
import { expireTimers, nextDeadline } from '@axvisor/axvisor_api/time';
import { initPerCpu, type AxVCpu } from '@axvisor/axvisor_api/vcpu';
import type { Executor } from '../executor.ts';
import { Stopwatch } from '../stopwatch.ts';
import { servicesOf, type VmServices } from '../vm/services.ts';
import type { VCpuSlot } from '../vm/vcpu_slot.ts';
import type { AxVm } from '../vm/vm.ts';
import { Latches, latchesOf } from './latches.ts';
import { Call, CPU_UP_RESULTS, encodeOrder, LINE_SIZE, toBytes, toText, VCpuLine, type Order } from './protocol.ts';

const FRAME = 4096;

/** A VM whose vCPUs are on threads. */
interface Attached {
  readonly vm: AxVm;
  readonly services: VmServices;
  readonly frames: { readonly first: HostPhysAddr; readonly count: number };
  readonly lines: readonly VCpuLine[];
  readonly homes: readonly number[];
  readonly latches: Latches;
}

const NOTHING = new Uint8Array(0);
const values = (...v: bigint[]): CpuMessage => ({ values: v, bytes: NOTHING });
const NONE: CpuMessage = values();
const flag = (b: boolean): CpuMessage => values(b ? 1n : 0n);
const optional = (v: bigint | undefined): CpuMessage => (v === undefined ? NONE : values(v));

type Handler = (attached: Attached, vcpu: number, a: readonly bigint[], bytes: Uint8Array) => CpuMessage;
const width = (v: bigint | undefined): AccessWidth => Number(v) as AccessWidth;
const nothing =
  (f: (attached: Attached, vcpu: number, a: readonly bigint[], bytes: Uint8Array) => void): Handler =>
  (...args) => {
    f(...args);
    return NONE;
  };

const HANDLERS: Readonly<Record<number, Handler>> = {
  [Call.pageFault]: ({ services }, _i, [addr = 0n, flags]) => flag(services.handlePageFault(gpa(addr), Number(flags))),
  [Call.mmioRead]: ({ services }, _i, [addr = 0n, size]) => optional(services.mmioRead(gpa(addr), width(size))),
  [Call.mmioWrite]: ({ services }, _i, [addr = 0n, size, data = 0n]) => flag(services.mmioWrite(gpa(addr), width(size), data)),
  [Call.portRead]: ({ services }, _i, [port, size]) => optional(services.portRead(Number(port), width(size))),
  [Call.portWrite]: nothing(({ services }, _i, [port, size, data = 0n]) => services.portWrite(Number(port), width(size), data)),
  [Call.sysRegRead]: ({ services }, _i, [addr]) => optional(services.sysRegRead(Number(addr))),
  [Call.sysRegWrite]: ({ services }, _i, [addr, value = 0n]) => flag(services.sysRegWrite(Number(addr), value)),
  [Call.cpuUp]: ({ services }, _i, [target = 0n, entry = 0n, arg = 0n]) => values(BigInt(CPU_UP_RESULTS.indexOf(services.cpuUp(target, gpa(entry), arg)))),
  [Call.cpuDown]: nothing(({ services }, i) => services.cpuDown(i)),
  [Call.sendIpi]: nothing(({ services }, i, [targetCpu = 0n, targetCpuAux = 0n, flags = 0n, vector = 0n]) =>
    services.sendIpi(i, { reason: 'SendIPI', targetCpu, targetCpuAux, sendToAll: (flags & 1n) !== 0n, sendToSelf: (flags & 2n) !== 0n, vector }),
  ),
  [Call.systemDown]: nothing(({ services }, _i, [failure]) => services.systemDown(failure === 1n)),
  [Call.systemReset]: nothing(({ services }) => services.systemReset()),
  [Call.fail]: nothing(({ services }, _i, _a, bytes) => services.fail(toText(bytes))),
  [Call.readMemory]: ({ vm }, _i, [addr = 0n, length]) => {
    const bytes = new Uint8Array(Number(length));
    vm.addressSpace.readBuffer(gpa(addr), bytes);
    return { values: [], bytes };
  },
  [Call.writeMemory]: nothing(({ vm }, _i, [addr = 0n], bytes) => vm.addressSpace.writeBuffer(gpa(addr), bytes)),
  [Call.consoleWrite]: nothing(({ vm }, _i, _a, bytes) => vm.console.write(bytes)),
  [Call.endOfInterrupt]: nothing(({ vm }, _i, [vector]) => vm.intc?.backplane?.endOfInterrupt(Number(vector))),
  [Call.acknowledgeExternal]: ({ vm }) => values(BigInt(vm.intc?.backplane?.acknowledgeExternal?.() ?? 0)),
  [Call.peekExternal]: ({ vm }) => values(BigInt(vm.intc?.backplane?.peekExternal?.() ?? 0)),
  [Call.consoleRead]: ({ vm }, _i, [max]) => ({ values: [], bytes: vm.console.read(Number(max)) }),
};

export class Monitor implements Executor {
  readonly time: Stopwatch = new Stopwatch();
  readonly #vms: () => Iterable<AxVm>;
  readonly #attached = new Map<AxVm, Attached>();
  readonly #byId = new Map<number, Attached>();
  readonly #orders: Order[][] = Array.from({ length: guestCpus() }, () => []);
  /** Whom to tell when a CPU has carried out all its orders. */
  readonly #idle: (() => void)[][] = this.#orders.map(() => []);
  /** CPUs whose threads have ended, and what is said about it. */
  readonly #gone = new Map<number, string>();
  /** What each CPU told last. */
  readonly #counters = new Map<number, Readonly<Record<string, number>>>();

  constructor(vms: () => Iterable<AxVm>) {
    this.#vms = vms;
    // vCPUs are put in their power-on state here, which takes a processor that can.
    initPerCpu(thisCpuId()).hardwareEnable();
    serveCpus({
      call: (cpu, operation, message) => this.#call(cpu, operation, message),
      posted: (_cpu, operation, values) => this.#posted(operation, values),
      failed: (cpu, reason) => this.#failed(cpu, reason),
    });
  }

  // ── life cycle ──

  /** @throws {AxError} NoMemory */
  created(vm: AxVm): void {
    const { registers, posted } = latchesOf(vm.bus.devices());
    const lineBytes = vm.slots.length * LINE_SIZE;
    const count = Math.ceil((lineBytes + Latches.bytes(registers)) / FRAME);
    const first = allocContiguousFrames(count);
    if (first === undefined) throw axError('NoMemory', `no frames for the vCPUs of VM ${vm.id}`);
    physMemory().bytes.fill(0, Number(first), Number(first) + count * FRAME);
    const lines = vm.slots.map((_, i) => new VCpuLine(first, i));
    const homes: number[] = [];
    for (const { vcpu } of vm.slots) homes.push(this.#home(vcpu, homes));
    const latchesAt = hpa(first + BigInt(lineBytes));
    const latches = new Latches(latchesAt, registers);
    latches.publish();
    const attached: Attached = { vm, services: servicesOf(vm, () => {}), frames: { first, count }, lines, homes, latches };
    this.#attached.set(vm, attached);
    this.#byId.set(vm.id, attached);
    vm.slots.forEach((slot, i) => (slot.onPower = (power) => ((lines[i] as VCpuLine).power = power)));
    const vcpus = vm.slots.map(({ vcpu, cpuId }, i) => {
      const share = vcpu.arch.share?.();
      if (share === undefined) throw axError('Unsupported', 'vCPUs of this architecture cannot run on threads');
      return { cpuId, share, home: homes[i] as number };
    });
    const { place, count: words } = vm.intcWords;
    const intc = words === 0 ? {} : { intc: { place, words } };
    const memory = vm.addressSpace.areas().map(({ range }) => [range.start, range.end] as const);
    for (const cpu of this.#orders.keys())
      this.#order(cpu, {
        order: 'attach',
        vm: { id: vm.id, vmid: vm.vmid, root: vm.addressSpace.root, lines: first, memory, vcpus, latches: latchesAt, latched: registers.map(({ address, width }) => [address, width]), posted, ...intc },
      });
  }

  /** The CPU with the least vCPUs of those that it may run on. A set of CPUs that the host lacks restricts nothing. */
  #home({ physCpuSet, favorPhysCpu }: AxVCpu, siblings: readonly number[]): number {
    const load = this.#orders.map(() => 0);
    for (const { homes } of this.#attached.values()) for (const home of homes) load[home]!++;
    for (const home of siblings) load[home]!++;
    const all = [...load.keys()];
    const named = all.filter((cpu) => physCpuSet === undefined || ((physCpuSet >> BigInt(cpu)) & 1n) === 1n);
    const allowed = named.length > 0 ? named : all;
    const alive = allowed.filter((cpu) => !this.#gone.has(cpu));
    const candidates = alive.length > 0 ? alive : allowed;
    const least = Math.min(...candidates.map((cpu) => load[cpu] as number));
    const best = candidates.filter((cpu) => load[cpu] === least);
    return best.includes(favorPhysCpu) ? favorPhysCpu : (best[0] as number);
  }

  async closed(vm: AxVm): Promise<void> {
    const attached = this.#of(vm);
    // Until its threads know, they may touch what they share.
    await this.#orderAll({ order: 'detach', vm: vm.id });
    this.#attached.delete(vm);
    this.#byId.delete(vm.id);
    for (const slot of vm.slots) slot.onPower = () => {};
    deallocContiguousFrames(attached.frames.first, attached.frames.count);
  }

  started(vm: AxVm, slot: VCpuSlot): void {
    const { lines, homes } = this.#of(vm);
    const { id } = slot.vcpu;
    const reason = this.#gone.get(homes[id] as number);
    if (reason !== undefined) return vm.end({ end: 'failed', message: reason });
    const generation = (lines[id] as VCpuLine).nextGeneration();
    this.#order(homes[id] as number, { order: 'start', vm: vm.id, vcpu: id, generation });
  }

  halt(vm: AxVm): void {
    const { lines } = this.#of(vm);
    for (const line of lines) {
      line.nextGeneration();
      line.hold = false;
    }
    this.#stop(vm);
  }

  suspend(vm: AxVm): void {
    for (const line of this.#of(vm).lines) line.hold = true;
    this.#stop(vm);
  }

  resume(vm: AxVm): void {
    for (const line of this.#of(vm).lines) line.hold = false;
    for (const slot of vm.slots) this.rouse(vm, slot);
  }

  /** Kicks all vCPUs and waits until none is in the guest. */
  #stop(vm: AxVm): void {
    for (const slot of vm.slots) this.rouse(vm, slot);
    for (const line of this.#of(vm).lines) line.awaitQuiet();
  }

  rouse(vm: AxVm, { vcpu }: VCpuSlot): void {
    signalCpu(this.#of(vm).homes[vcpu.id] as number, Signal.kick);
  }

  stats(vm: AxVm): ReturnType<Executor['stats']> {
    const exits: Record<string, number> = {};
    let instructions = 0n;
    const { lines, homes } = this.#of(vm);
    for (const line of lines) {
      for (const [reason, n] of Object.entries(line.exits)) exits[reason] = (exits[reason] ?? 0) + n;
      instructions += line.instructions;
    }
    return { exits, instructions, homes };
  }

  async counters(): Promise<readonly Readonly<Record<string, number>>[]> {
    await this.#orderAll({ order: 'count' });
    return [...this.#counters.values()];
  }

  async run(until: () => boolean): Promise<void> {
    this.time.enter('host');
    while (!until()) {
      expireTimers();
      for (const vm of this.#vms()) vm.settle();
      for (const { latches } of this.#attached.values()) latches.publish();
      if (![...this.#vms()].some((vm) => vm.status === 'running' || vm.status === 'suspended')) break;
      this.time.enter('idle');
      await idle(nextDeadline() ?? 'forever');
      this.time.enter('host');
    }
    this.time.enter(undefined);
  }

  // ── calls ──

  #call(cpu: number, operation: number, { values: all, bytes }: CpuMessage): CpuMessage {
    if (operation === Call.order) {
      const order = this.#orders[cpu]?.shift();
      if (order === undefined) for (const tell of this.#idle[cpu]?.splice(0) ?? []) tell();
      return order === undefined ? NONE : { values: [], bytes: toBytes(encodeOrder(order)) };
    }
    if (operation === Call.counters) {
      this.#counters.set(cpu, JSON.parse(toText(bytes)) as Readonly<Record<string, number>>);
      return NONE;
    }
    const [id, index, generation, ...args] = all;
    const attached = this.#byId.get(Number(id));
    const vcpu = Number(index);
    // Who asks was stopped meanwhile, and will find out.
    if (attached === undefined || BigInt(attached.lines[vcpu]?.generation ?? -1) !== generation) return NONE;
    attached.vm.accessing = vcpu;
    try {
      return (HANDLERS[operation] as Handler)(attached, vcpu, args, bytes);
    } finally {
      attached.vm.settle();
      attached.latches.publish();
      wake();
    }
  }

  #posted(operation: number, [id, index, generation, ...args]: readonly bigint[]): void {
    const attached = this.#byId.get(Number(id));
    const vcpu = Number(index);
    if (attached === undefined || BigInt(attached.lines[vcpu]?.generation ?? -1) !== generation) return;
    attached.vm.accessing = vcpu;
    try {
      (HANDLERS[operation] as Handler)(attached, vcpu, args, NOTHING);
      attached.vm.settle();
    } catch (e) {
      attached.vm.end({ end: 'failed', message: isAxError(e) ? `${e.kind}: ${e.message}` : String(e instanceof Error ? (e.stack ?? e) : e) });
    }
    attached.latches.publish();
    wake();
  }

  #failed(cpu: number, reason: string): void {
    this.#gone.set(cpu, `the thread of CPU ${cpu} has ended: ${reason}`);
    for (const tell of this.#idle[cpu]?.splice(0) ?? []) tell();
    for (const { vm, homes, lines } of [...this.#attached.values()]) {
      if (!homes.includes(cpu)) continue;
      homes.forEach((home, i) => {
        if (home !== cpu) return;
        (lines[i] as VCpuLine).abandon();
        // Others may wait for it to leave the guest.
        vm.slot(i).vcpu.arch.setup();
      });
      const lost = homes.flatMap((home, i) => (home === cpu ? [i] : [])).join(', ');
      if (vm.status === 'running' || vm.status === 'suspended') vm.end({ end: 'failed', message: `vCPU ${lost}: ${this.#gone.get(cpu)}` });
    }
    wake();
  }

  #order(cpu: number, order: Order): void {
    this.#orders[cpu]?.push(order);
    // A guest that never exits would never let it see the order.
    signalCpu(cpu, Signal.order | Signal.kick);
  }

  /** Gives every CPU an order, and waits until they have carried out all they have. */
  async #orderAll(order: Order): Promise<void> {
    await Promise.all(
      [...this.#orders.keys()].map((cpu) => {
        this.#order(cpu, order);
        return this.#gone.has(cpu) ? undefined : new Promise<void>((resolve) => this.#idle[cpu]?.push(resolve));
      }),
    );
  }

  #of(vm: AxVm): Attached {
    const attached = this.#attached.get(vm);
    if (attached === undefined) throw axError('NotFound', `VM ${vm.id} is closed`);
    return attached;
  }
}
