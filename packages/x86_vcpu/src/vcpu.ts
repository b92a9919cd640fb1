/** An x86-64 vCPU: a guest in a VMCS or VMCB, and what the hypervisor does for it between its exits (SDM vol. 3, part 3; APM vol. 2, chapter 15). */
import type { GuestPhysAddr, HostPhysAddr } from '@axvisor/axvisor_api/addr';
import type { NestedRoot } from '@axvisor/axvisor_api/addrspace';
import { Cr4, Gpr, Rflags, SegmentAccess, Vector, readCr, setPortVector, type PortVector } from '@axvisor/axvisor_api/arch/x86';
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import type { LocalApic } from '@axvisor/axvisor_api/intc';
import type { Ticks } from '@axvisor/axvisor_api/time';
import { GuardedDevices, type ArchVCpuConfig, type AxArchVCpu, type AxVCpuExitReason, type QuickDevices, type VCpuShare } from '@axvisor/axvisor_api/vcpu';
import { Completion } from './completion.ts';
import { Context, Control } from './context.ts';
import { cpuidViewOf, type CpuidView } from './cpuid.ts';
import type { Cpu, Cpus, Resident, VmCpus } from './cpus.ts';
import { dumpRegisters, setRegisters } from './dump.ts';
import { EMULATED } from './emulate/emulation.ts';
import { Emulator } from './emulate/emulator.ts';
import { EmulatedCpu } from './emulate/machine.ts';
import { Events, PinBit } from './events.ts';
import type { Guest } from './guest.ts';
import { Interceptions, SHUTDOWN, type InterceptionHost } from './interceptions.ts';
import { GuestMsrs } from './msr.ts';
import { MsrExchange } from './msr_exchange.ts';
import { NestedMemory } from './nested.ts';
import { GuestFault } from './paging.ts';
import { PowerState } from './power_state.ts';
import { SharedState } from './shared_state.ts';

/** Exits handled in one call of run() before the hypervisor gets a look: a guest may cause them as fast as it likes. */
const MAX_EXITS = 64;
const NOTHING: AxVCpuExitReason = { reason: 'Nothing' };
const HALT: AxVCpuExitReason = { reason: 'Halt' };

/** vCPUs of a VM that are told apart. */
const VCPUS = 64;

/** Makes the guest of a vCPU: VMX or SVM. `share`: takes up the structures of one that another thread made. */
export type NewGuest = (context: Context, share: VCpuShare | undefined) => Guest;

export class X86VCpu implements AxArchVCpu, InterceptionHost, Resident {
  readonly vmId: number;
  readonly vcpuId: number;
  readonly context: Context;
  readonly guest: Guest;
  readonly msrs: GuestMsrs;
  readonly #cpus: Cpus;
  readonly #apicId: number;
  readonly #vm: VmCpus;
  readonly #shared: SharedState;
  readonly #events: Events;
  /** Another thread made it and decides its power-on state. */
  readonly #attached: boolean;
  #apic: LocalApic | undefined;
  #emulated: EmulatedCpu | undefined;
  readonly #power: PowerState;
  #boundTo: Cpu | undefined;
  /** Where {@link SharedState} is on a processor. */
  #loadedOn: Cpu | undefined;
  /** RFLAGS.IF when it was last taken off a processor. */
  #interruptible = false;
  readonly #emulator: Emulator;
  readonly #interceptions: Interceptions;
  readonly cpuidView: CpuidView;
  readonly completion: Completion;
  readonly #msr: MsrExchange;
  #devices: GuardedDevices | undefined;
  #portVector: PortVector | undefined;
  /** Why the guest is not entered any more. */
  #end: AxVCpuExitReason | undefined;

  /** @throws {AxError} NoMemory, InvalidInput for an APIC id that is none */
  constructor(cpus: Cpus, newGuest: NewGuest, vmId: number, vcpuId: number, config: ArchVCpuConfig) {
    ensure(config.cpuId >= 0n && config.cpuId < 0xffff_ffffn, 'InvalidInput', `0x${config.cpuId.toString(16)} is no APIC id`);
    this.#cpus = cpus;
    this.vmId = vmId;
    this.vcpuId = vcpuId;
    this.#apicId = Number(config.cpuId);
    const { share } = config;
    this.#attached = share !== undefined;
    this.context = new Context(share?.['context'] as HostPhysAddr | undefined);
    try {
      this.guest = newGuest(this.context, share);
    } catch (e) {
      this.context[Symbol.dispose]();
      throw e;
    }
    this.#shared = new SharedState(this.context);
    this.msrs = new GuestMsrs(this.guest, this.context, () => this.#emulated?.memory);
    this.#events = new Events(this.context.control);
    this.completion = new Completion(this.guest, this.#events, () => this.cpu());
    this.#emulator = new Emulator(this);
    this.#msr = new MsrExchange(this.context);
    this.#interceptions = new Interceptions(this, this.#events, this.#emulator);
    this.#vm = cpus.join(vmId);
    this.cpuidView = cpuidViewOf(this, this.#apicId, this.#vm);
    this.#power = new PowerState({ vcpuId, guest: this.guest, context: this.context, shared: this.#shared, msrs: this.msrs, cpus, vm: this.#vm, start: config.start });
  }

  get who(): string {
    return `vCPU ${this.vcpuId} of VM ${this.vmId}`;
  }

  // ── life cycle ──

  setEntry(entry: GuestPhysAddr): void {
    this.#power.entry = entry;
  }

  /** @throws {AxError} Unsupported for a format that the processor does not walk */
  setEptRoot(root: NestedRoot, vmid: number): void {
    this.#emulated = new EmulatedCpu(this.guest, this.context, new NestedMemory(root));
    this.guest.setRoot(root, vmid * VCPUS + (this.vcpuId % VCPUS));
    this.context.control[Control.translations] = 0;
  }

  /** After RESET: the boot processor begins at its entry, the others wait for a startup IPI. Done as soon as a processor is at hand. */
  setup(): void {
    this.#discard();
    if (this.#attached) return;
    this.#events.clearRequests();
    this.#power.reset();
  }

  /** Starts execution at `entry` with `arg` in RDI. */
  setStartArgs(entry: GuestPhysAddr, arg: bigint): void {
    this.#power.entry = entry;
    this.#discard();
    if (this.#attached) return;
    this.#events.clearRequests();
    this.#power.startAt(entry, arg);
  }

  /** Sets registers by the names of {@link X86VCpu.dump}. @throws {AxError} InvalidInput for a name that is none */
  setRegisters(registers: Readonly<Record<string, bigint>>): void {
    this.#power.begin();
    setRegisters(this.guest, this.context, registers);
    this.#power.waitsForSipi = false;
  }

  /** Forgets what is under way, on the processor and here. */
  #discard(): void {
    if (this.#loadedOn?.loaded === this) this.#loadedOn.loaded = undefined;
    this.#loadedOn = undefined;
    this.#emulator.discard();
    this.#msr.discard();
    this.#end = undefined;
    this.#events.reset();
  }

  bind(): void {
    const cpu = this.#cpus.current();
    ensure(this.#emulated !== undefined, 'BadState', `${this.who} has no nested page table`);
    this.#power.begin();
    this.guest.bind();
    setPortVector(this.#portVector);
    this.#boundTo = cpu;
    // Elsewhere, or with other tables, it may have changed what is kept here.
    if (this.context.control[Control.translations] === cpu.id + 1) return;
    this.context.control[Control.translations] = cpu.id + 1;
    this.guest.flushTranslations();
  }

  unbind(): void {
    setPortVector(undefined);
    this.#interruptible = (this.guest.get('rflags') & Rflags.IF) !== 0n;
    // The processor keeps it until another vCPU comes; other threads see what is in memory.
    if (this.#attached && this.#loadedOn !== undefined) this.#shared.save();
    this.guest.unbind();
    this.#boundTo = undefined;
  }

  evict(): void {
    this.#shared.save();
    this.#loadedOn = undefined;
  }

  [Symbol.dispose](): void {
    this.#discard();
    this.#cpus.leave(this.vmId);
    this.guest[Symbol.dispose]();
    this.context[Symbol.dispose]();
  }

  /** Puts what vCPUs share on the processor, if it is another's. */
  #load(cpu: Cpu): void {
    if (cpu.loaded === this) return;
    cpu.loaded?.evict();
    this.#shared.load();
    cpu.loaded = this;
    this.#loadedOn = cpu;
  }

  // ── running ──

  /** @throws {AxError} BadState if it is not bound to this CPU */
  run(): AxVCpuExitReason {
    const cpu = this.#boundTo;
    if (cpu === undefined || cpu !== this.#cpus.current()) throw axError('BadState', `${this.who} is not bound to this CPU`);
    this.#load(cpu);
    if (this.#msr.complete()) this.completion.advance(this.#interceptions.lengthOf());
    const transfer = this.#emulator.goOn();
    if (transfer !== undefined) return transfer;
    if (this.#end !== undefined) return this.#end;
    for (let exits = 0; exits < MAX_EXITS; exits++) {
      this.#takeApicEvents();
      if (this.#power.waitsForSipi) return HALT;
      this.#events.prepare(this.guest);
      const exit = this.guest.enter();
      if (this.guest.nmiDelivered) this.#events.nmiDelivered();
      const event = exit.kind === 'failEntry' ? undefined : this.guest.interrupted();
      this.#events.deliverAgain(event);
      this.#devices?.rethrow();
      const timer = this.#apic?.nextTimer();
      const reason = this.#interceptions.handle(exit, event);
      if (reason !== undefined) return reason;
      // Whoever keeps the time has to hear of a timer that was set.
      if (this.#apic?.nextTimer() !== timer) break;
    }
    return NOTHING;
  }

  get awaitsMsr(): boolean {
    return this.#msr.isPending;
  }

  cpu(): EmulatedCpu {
    if (this.#emulated === undefined) throw axError('BadState', `${this.who} has no nested page table`);
    return this.#emulated;
  }

  get cpl(): number {
    return (this.guest.rights('ss') & SegmentAccess.DPL) >>> 5;
  }

  // ── devices ──

  attachDevices(devices: QuickDevices): void {
    const guarded = (this.#devices = new GuardedDevices(devices, () => this.#events.isDue));
    this.#portVector = (port, width, input, value) => (input ? guarded.read('port', port, width) : guarded.write('port', port, width, value) ? 0 : undefined);
  }

  decodeMmio(): ReturnType<Emulator['decodeMmio']> {
    return this.#emulator.decodeMmio();
  }

  /** Nothing answers: a device access reads ones, an MSR raises #GP. @throws {AxError} BadState if nothing is refused */
  injectAccessFault(): void {
    if (this.#msr.discard()) {
      this.completion.raise(new GuestFault(Vector.GP, 0));
      return;
    }
    const refused = this.#emulator.refuse();
    // Ones are no instruction.
    if (refused === 'fetch') this.completion.raise(new GuestFault(Vector.UD));
    else if (refused === 'instruction') this.notEmulated();
    else if (refused === 'memory') this.#machineCheck();
    else if (refused === undefined && this.#end === undefined && !this.#events.pending(false)) throw axError('BadState', `${this.who}: no access was refused`);
  }

  notEmulated(): void {
    const bytes = [...this.cpu().fetch()].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    this.#end = { reason: 'GuestError', message: `the instruction at 0x${this.guest.get('rip').toString(16)} accesses what is no memory, and is not emulated: ${bytes}` };
  }

  /** A page walk or the delivery of an event accessed what is no memory. Without CR4.MCE, and on the way to the handler, it is a shutdown (SDM vol. 3, 16.6). */
  #machineCheck(): void {
    if ((this.guest.get('cr4') & Cr4.MCE) === 0n || this.#events.isInterrupted(Vector.MC)) this.#end = SHUTDOWN;
    else this.completion.raise(new GuestFault(Vector.MC));
  }

  // ── MSRs ──

  beginMsr(msr: number, isRead: boolean): AxVCpuExitReason {
    return this.#msr.begin(msr, isRead);
  }

  // ── registers ──

  setGpr(index: number, value: bigint): void {
    ensure(Number.isInteger(index) && index >= 0 && index <= EMULATED, 'InvalidInput', `there is no register ${String(index)}: 0-15 are rax … r15 in the order of their encoding`);
    if (index < EMULATED) {
      this.#setRegister(index, value);
    } else if (!this.#msr.answer(value)) {
      this.#emulator.answer(value);
    }
  }

  #setRegister(index: number, value: bigint): void {
    if (index === Gpr.RSP) this.guest.set('rsp', BigInt.asUintN(64, value));
    else this.context.set(index, value);
  }

  getGpr(index: number): bigint {
    ensure(Number.isInteger(index) && index >= 0 && index < EMULATED, 'InvalidInput', `there is no register ${String(index)}`);
    return index === Gpr.RSP ? this.guest.get('rsp') : this.context.get(index);
  }

  /** What IN read, or the result of a hypercall. */
  setReturnValue(value: bigint): void {
    if (!this.#emulator.answer(value)) this.context.set(Gpr.RAX, value);
  }

  /** @throws {AxError} BadState: CPUs are started by IPIs, not by calls */
  completeCpuUp(): void {
    throw axError('BadState', `${this.who} does not start a CPU`);
  }

  // ── interrupts ──

  attachLocalApic(apic: LocalApic): void {
    this.#apic = apic;
    this.#events.attach(apic);
    apic.useTsc({ read: () => this.msrs.tsc, ticksAt: (tsc) => this.msrs.ticksAt(tsc) });
  }

  get apic(): LocalApic | undefined {
    return this.#apic;
  }

  /** @throws {AxError} InvalidInput for what is neither a vector from 16 on nor a pin of the local APIC */
  injectInterrupt(vector: number): void {
    this.#events.set(vector, true);
  }

  clearInterrupt(vector: number): void {
    this.#events.set(vector, false);
  }

  /** INIT, startup IPIs and NMIs that the local APIC has latched (SDM vol. 3, 8.4, 11.5). */
  #takeApicEvents(): void {
    const apic = this.#apic;
    const { pins } = this.#events;
    if (apic === undefined || (pins & (PinBit.init | PinBit.sipi | PinBit.nmi)) === 0) return;
    if ((pins & PinBit.init) !== 0 && apic.take('init')) this.#init();
    const vector = (pins & PinBit.sipi) === 0 ? undefined : apic.take('sipi');
    if (this.#power.waitsForSipi) {
      if (vector !== undefined) this.#power.startUp(vector);
      return;
    }
    // A startup IPI that nobody waited for is lost.
    for (let nmis = 0; nmis < 2 && (pins & PinBit.nmi) !== 0 && apic.take('nmi'); nmis++) this.#events.raiseNmi(this.guest.nmiBlocked);
  }

  /** INIT keeps MSRs, x87 and vector registers. */
  #init(): void {
    this.#emulator.discard();
    this.#msr.discard();
    this.#events.reset();
    this.#power.init();
  }

  hasPendingInterrupt(): boolean {
    if (this.#power.waitsForSipi) return (this.#events.pins & (PinBit.init | PinBit.sipi)) !== 0;
    const interruptible = this.#boundTo === undefined ? this.#interruptible : (this.guest.get('rflags') & Rflags.IF) !== 0n;
    return this.#events.pending(interruptible);
  }

  nextTimer(): Ticks | undefined {
    return this.#apic?.nextTimer();
  }

  share(): VCpuShare {
    this.#power.begin();
    return { context: this.context.address, ...this.guest.share() };
  }

  // ── for people ──

  dump(): Readonly<Record<string, bigint>> {
    this.#power.begin();
    return { ...dumpRegisters(this.guest, this.context), cr2: this.#loadedOn === undefined ? this.#shared.cr2 : readCr(2) };
  }
}
