/** One virtual machine: its parts, its life cycle, and what its vCPUs and devices may ask of it. */
import { gpa } from '@axvisor/axvisor_api/addr';
import type { AddrSpace } from '@axvisor/axvisor_api/addrspace';
import type { VmConfig } from '@axvisor/axvisor_api/config';
import type { ConsolePort, DeviceBus } from '@axvisor/axvisor_api/device';
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import { wake } from '@axvisor/axvisor_api/host';
import type { CpuInterrupts, InterruptController } from '@axvisor/axvisor_api/intc';
import { guestCpus } from '@axvisor/axvisor_api/smp';
import type { AxVCpu } from '@axvisor/axvisor_api/vcpu';
import type { Vm, VmEnd, VmImages, VmStats, VMStatus } from '@axvisor/axvisor_api/vm';
import type { Executor } from '../executor.ts';
import type { BootPlan } from '../image/boot_plan.ts';
import { buildAddressSpace, buildMachine, buildVCpus, chooseBoard, guestCpuIds, planRam, type GuestRam, type Machine } from './build.ts';
import { loadPieces, planBoot } from './load.ts';
import { SharedWords } from './shared_words.ts';
import { A20Gate } from './a20_gate.ts';
import type { VCpuSlot } from './vcpu_slot.ts';

/** What happens in guest context and is done once the guest has been left. */
type PowerRequest = { readonly action: 'poweroff' | 'reset'; readonly code: number };

/** Which statuses a life-cycle call accepts. */
const ALLOWED: Readonly<Record<'boot' | 'pause' | 'resume' | 'reset' | 'shutdown', readonly VMStatus[]>> = {
  boot: ['loaded'],
  pause: ['running'],
  resume: ['suspended'],
  reset: ['loaded', 'running', 'suspended', 'stopped'],
  shutdown: ['loading', 'loaded', 'running', 'suspended'],
};

/** A CPU's part of the controller for a thread that does not run it: list registers are where the vCPU is, so they are not used. */
const byPins = (interrupts: CpuInterrupts): CpuInterrupts => ({
  useListRegisters: () => false,
  systemRegisters: interrupts.systemRegisters === true,
  setPrivateLine: (intid, level) => interrupts.setPrivateLine(intid, level),
  setPending: (intid, pending) => interrupts.setPending(intid, pending),
  sendSgi: (request) => interrupts.sendSgi(request),
  flush: (count) => interrupts.flush(count),
  sync: (states, ended) => interrupts.sync(states, ended),
  changed: false,
  highestPending: () => interrupts.highestPending(),
});

export class AxVm implements Vm {
  readonly config: VmConfig;
  readonly console: ConsolePort;
  readonly slots: readonly VCpuSlot[];
  readonly addressSpace: AddrSpace;
  readonly dtb: Uint8Array | undefined;
  /** Frames promised to its lazily mapped memory. */
  readonly committedFrames: number;
  /** What the interrupt controller shares with the threads of its vCPUs. */
  readonly intcWords: SharedWords = new SharedWords();
  /** Interrupts asserted. */
  interrupts = 0;
  /** The vCPU whose access the devices handle. */
  accessing = 0;
  readonly #executor: Executor;
  /** Of a VM that is closed. */
  #finalStats: ReturnType<Executor['stats']> | undefined;
  readonly #vmid: number;
  readonly #ram: GuestRam;
  readonly #machine: Machine;
  readonly #plan: BootPlan;
  readonly #startsAllCpus: boolean;
  readonly #onClose: () => void;
  readonly #a20: A20Gate;
  #status: VMStatus = 'loading';
  #ended: VmEnd | undefined;
  #powerRequest: PowerRequest | undefined;
  #deferred: (() => void)[] = [];
  readonly #powerButton: ((pressed: boolean) => void)[] = [];
  #resets = 0;
  #closed = false;

  constructor(
    config: VmConfig,
    images: VmImages,
    console: ConsolePort,
    options: { readonly vmid: number; readonly promisedFrames: number; readonly executor: Executor; readonly onClose: () => void },
  ) {
    this.config = config;
    this.console = console;
    this.#vmid = options.vmid;
    this.#executor = options.executor;
    this.#onClose = options.onClose;
    const board = chooseBoard(config);
    const memoryRegions = board?.layoutRam?.(config.memoryRegions) ?? config.memoryRegions;
    this.#ram = planRam({ ...config, memoryRegions }, options.promisedFrames);
    this.committedFrames = this.#ram.committed;
    const first = this.#ram.regions[0];
    if (first === undefined) throw axError('InvalidInput', `VM ${config.id} has no memory`);
    const cpuIds = guestCpuIds(board, config);
    this.#startsAllCpus = board?.startsAllCpus === true;
    this.#plan = board?.plan?.({ config, images, ram: this.#ram.regions, cpuIds }) ?? planBoot(config, images, this.#ram.regions, first.base);
    this.addressSpace = buildAddressSpace(board, this.#ram, this.#plan, options.vmid);
    this.#a20 = new A20Gate(this.addressSpace, options.vmid);
    const undo: Disposable[] = [this.addressSpace, this.intcWords];
    try {
      this.slots = buildVCpus(cpuIds, config, this.#plan, undo);
      this.#machine = buildMachine(
        board,
        config,
        images,
        {
          vmId: config.id,
          vcpuCount: config.cpuNum,
          setVcpuInterrupt: (vcpu, vector, level) => this.#setInterrupt(vcpu, vector, level),
          cpuIds,
          currentVcpu: () => this.accessing,
          memory: this.addressSpace,
          ...(guestCpus() > 0 ? { sharedWords: (count: number) => this.intcWords.take(count) } : {}),
        },
        {
          vmId: config.id,
          memory: this.addressSpace,
          console,
          requestPower: (action, code) => void (this.#powerRequest ??= { action, code }),
          defer: (work) => void this.#deferred.push(work),
          setA20: (open) => (this.#a20.wanted = open),
          onPowerButton: (listener) => void this.#powerButton.push(listener),
        },
      );
      const { bus, intc, irqs } = this.#machine;
      const memory = this.#ram.regions;
      this.dtb =
        images.dtb ??
        board?.deviceTree?.({ cpuIds, memory, cmdline: config.cmdline, initrd: this.#plan.initrd, bus, irqs });
      for (const { vcpu } of this.slots) {
        vcpu.setup(gpa(this.#plan.entry), this.addressSpace.root, options.vmid);
        if (intc?.localApic !== undefined) vcpu.arch.attachLocalApic?.(intc.localApic(vcpu.id));
        if (intc?.cpu !== undefined) vcpu.arch.attachInterrupts?.(guestCpus() > 0 ? byPins(intc.cpu(vcpu.id)) : intc.cpu(vcpu.id));
      }
      this.#load();
    } catch (e) {
      for (const part of undo.toReversed()) part[Symbol.dispose]();
      throw e;
    }
    this.#status = 'loaded';
    this.#executor.created(this);
  }

  get id(): number {
    return this.config.id;
  }

  get name(): string {
    return this.config.name;
  }

  get status(): VMStatus {
    return this.#status;
  }

  get ended(): VmEnd | undefined {
    return this.#ended;
  }

  get vcpus(): readonly AxVCpu[] {
    return this.slots.map((s) => s.vcpu);
  }

  get intc(): InterruptController | undefined {
    return this.#machine.intc;
  }

  get bus(): DeviceBus {
    return this.#machine.bus;
  }

  /** @throws {AxError} NotFound */
  slot(vcpu: number): VCpuSlot {
    const slot = this.slots[vcpu];
    if (slot === undefined) throw axError('NotFound', `VM ${this.id} has no vCPU ${vcpu}`);
    return slot;
  }

  boot(): void {
    this.#expect('boot');
    this.#status = 'running';
    this.#powerOn();
  }

  #powerOn(): void {
    for (const slot of this.#startsAllCpus ? this.slots : [this.slot(0)]) this.start(slot);
  }

  /** Lets a vCPU run that is in its power-on state. */
  start(slot: VCpuSlot): void {
    slot.power = 'on';
    this.#executor.started(this, slot);
  }

  pause(): void {
    this.#expect('pause');
    this.#status = 'suspended';
    this.#executor.suspend(this);
  }

  resume(): void {
    this.#expect('resume');
    this.#status = 'running';
    this.#executor.resume(this);
  }

  reset(): void {
    this.#expect('reset');
    ensure(!this.#closed, 'BadState', `VM ${this.id} is closed`);
    this.#ended = undefined;
    this.#powerRequest = undefined;
    this.#deferred = [];
    this.#resets++;
    this.#executor.halt(this);
    for (const slot of this.slots) slot.power = 'off';
    this.#machine.bus.reset();
    this.#a20.reset();
    this.#ram.unmap(this.addressSpace);
    this.#ram.map(this.addressSpace);
    this.#load();
    for (const { vcpu } of this.slots) vcpu.reset(gpa(this.#plan.entry));
    this.#status = 'running';
    this.#powerOn();
  }

  shutdown(): void {
    this.#expect('shutdown');
    this.end({ end: 'stopped' });
  }

  pressPowerButton(): boolean {
    for (const pressed of [true, false]) for (const listener of this.#powerButton) listener(pressed);
    return this.#powerButton.length > 0;
  }

  stats(): VmStats {
    return { ...(this.#finalStats ?? this.#executor.stats(this)), resets: this.#resets, interrupts: this.interrupts, deviceAccesses: this.bus.accesses() };
  }

  /** Stops the VM for the reason `end`; the first reason stays. */
  end(end: VmEnd): void {
    this.#ended ??= end;
    this.#status = 'stopped';
    this.#executor.halt(this);
    for (const slot of this.slots) slot.power = 'off';
    wake();
  }

  /** There is nothing to {@link settle}. */
  get isSettled(): boolean {
    return this.#deferred.length === 0 && this.#powerRequest === undefined && !this.#a20.isDue;
  }

  /** Does what devices put off until the guest was left: I/O, then power changes. */
  settle(): void {
    while (this.#deferred.length > 0) {
      const work = this.#deferred;
      this.#deferred = [];
      for (const w of work) w();
    }
    if (this.#status === 'running' && this.#a20.isDue) this.#aside(() => this.#a20.settle());
    const request = this.#powerRequest;
    if (request === undefined || this.#status !== 'running') return;
    this.#powerRequest = undefined;
    if (request.action === 'reset') this.reset();
    else this.end({ end: 'poweroff', code: request.code });
  }

  /** Does something to memory while no vCPU is in the guest. */
  #aside(work: () => void): void {
    this.#executor.suspend(this);
    work();
    this.#executor.resume(this);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#status !== 'stopped') this.end({ end: 'stopped' });
    this.#finalStats = this.#executor.stats(this);
    await this.#executor.closed(this);
    // No timer of a device outlives the machine.
    this.bus.reset();
    for (const { vcpu } of this.slots) vcpu[Symbol.dispose]();
    // A device that cannot save its data must not keep the others from doing so.
    const closed = await Promise.allSettled(this.bus.devices().map((device) => device.close?.()));
    this.#a20.reset();
    this.addressSpace[Symbol.dispose]();
    this.intcWords[Symbol.dispose]();
    this.#onClose();
    const failures = closed.flatMap((c) => (c.status === 'rejected' ? [c.reason as unknown] : []));
    if (failures.length > 0) throw failures.length === 1 ? failures[0] : new AggregateError(failures, `VM ${this.id}: ${failures.map(String).join('; ')}`);
  }

  #expect(call: keyof typeof ALLOWED): void {
    ensure(ALLOWED[call].includes(this.#status), 'BadState', `VM ${this.id} is ${this.#status}: cannot ${call}`);
  }

  #load(): void {
    loadPieces(this.addressSpace, this.#plan.pieces);
    const { dtbAddress } = this.#plan;
    if (this.dtb !== undefined && dtbAddress !== undefined) this.addressSpace.writeBuffer(gpa(dtbAddress), this.dtb);
  }

  #setInterrupt(index: number, vector: number, level: boolean): void {
    if (this.#closed) return;
    const slot = this.slot(index);
    if (level) this.inject(slot, vector);
    else slot.vcpu.clearInterrupt(vector);
  }

  /** Asserts an interrupt, and lets the vCPU see it. */
  inject(slot: VCpuSlot, vector: number): void {
    this.interrupts++;
    slot.vcpu.injectInterrupt(vector);
    this.#executor.rouse(this, slot);
  }

  /** The tag of its nested translations. */
  get vmid(): number {
    return this.#vmid;
  }
}
