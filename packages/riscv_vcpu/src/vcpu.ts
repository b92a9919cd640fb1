/** A RISC-V vCPU: the state of a guest's hart, and the way into the guest and back (privileged specification 1.13, chapter 21). */
import type { GuestPhysAddr, HostPhysAddr } from '@axvisor/axvisor_api/addr';
import type { NestedRoot } from '@axvisor/axvisor_api/addrspace';
import { CSR, csrRead, enterGuest, fenceI, hlv, Irq, setFaultVector, type FaultVector, type GuestAccess } from '@axvisor/axvisor_api/arch/riscv';
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import { thisCpuId } from '@axvisor/axvisor_api/host';
import type { Ticks } from '@axvisor/axvisor_api/time';
import { currentTicks } from '@axvisor/axvisor_api/time';
import { GuardedDevices, type ArchVCpuConfig, type AxArchVCpu, type AxVCpuExitReason, type QuickDevices, type VCpuShare } from '@axvisor/axvisor_api/vcpu';
import { kickProcessor } from '@axvisor/axvisor_api/processor';
import { notifyVcpuTimerExpired } from '@axvisor/axvisor_api/vmm';
import type { SavedCsr } from './context.ts';
import { GuestCounters } from './counters.ts';
import { handleTrap, type AccessFault } from './exits.ts';
import { awaitTaken, enter, executeFence, executeRequests, leave, overdueOn, requestFence, type Fence } from './fences.ts';
import { ALL_ONES, SInterrupt, Sstatus, VsInterrupt } from './fields.ts';
import { GuestState, powerOnCsrs } from './guest_state.ts';
import type { Hart } from './harts.ts';
import { InterruptLines } from './interrupts.ts';
import type { Machine, VmCpus } from './machine.ts';
import { faultingAccess, type DeviceInstruction } from './mmio/instruction.ts';
import { answerFault } from './mmio/quick.ts';
import { MmioTransaction, type MmioExit } from './mmio/transaction.ts';
import { dumpGuest } from './dump.ts';
import { SbiError, type SbiHart } from './sbi/call.ts';
import { guestTranslation } from './stage2.ts';
import { HostTimer } from './timer.ts';

/** Registers in the numbering of exits: x0 … x31, f0 … f31. */
const REGISTERS = 64;
const A0 = 10;
const A1 = 11;

/** Traps handled in one call of run() before the hypervisor gets a look: a guest may cause them as fast as it likes. */
const MAX_TRAPS = 64;

const NOTHING: AxVCpuExitReason = { reason: 'Nothing' };

const COMPLETION = { success: 0n, 'already-on': SbiError.ALREADY_AVAILABLE, invalid: SbiError.INVALID_PARAM } as const;

export class RiscvVCpu implements AxArchVCpu, SbiHart {
  readonly vmId: number;
  readonly vcpuId: number;
  readonly hartId: bigint;
  readonly guest: GuestState;
  readonly counters: GuestCounters = new GuestCounters();
  readonly #machine: Machine;
  readonly #vm: VmCpus;
  readonly #dtb: bigint;
  readonly #lines: InterruptLines;
  readonly #mmio: MmioTransaction;
  readonly #timer: HostTimer;
  /** Another thread made it and decides its power-on state. */
  readonly #attached: boolean;
  #entry = 0n;
  #boundTo: Hart | undefined;
  /** The last guest page fault, until the guest goes on. */
  #fault: AccessFault | undefined;
  /** The transformed instruction that was decoded last. */
  #decodedFrom = 0n;
  #decoded: DeviceInstruction | undefined;
  /** A CpuUp exit waits for its result. */
  #startsCpu = false;
  #devices: GuardedDevices | undefined;
  #faultVector: FaultVector | undefined;

  /** @throws {AxError} NoMemory, AlreadyExists for a hart id that the VM has already */
  constructor(machine: Machine, vmId: number, vcpuId: number, config: ArchVCpuConfig) {
    this.#machine = machine;
    this.vmId = vmId;
    this.vcpuId = vcpuId;
    this.hartId = BigInt.asUintN(64, config.cpuId);
    this.#dtb = config.dtb ?? 0n;
    const { share } = config;
    this.#attached = share !== undefined;
    this.#vm = machine.join(this, share?.['timeDelta']);
    try {
      this.guest = new GuestState(share?.['context'] as HostPhysAddr | undefined);
    } catch (e) {
      machine.leave(this);
      throw e;
    }
    this.#lines = new InterruptLines(this.guest.context);
    this.#mmio = new MmioTransaction(this);
    this.#timer = new HostTimer((pending) => {
      this.#lines.set(Irq.vsti, pending);
      if (pending) notifyVcpuTimerExpired(this.vmId, this.vcpuId);
    });
  }

  // ── life cycle ──

  setEntry(entry: GuestPhysAddr): void {
    this.#entry = entry;
  }

  /** @throws {AxError} Unsupported for a format that is not RISC-V's or not this hart's, InvalidInput for a misaligned root or a VMID too wide */
  setEptRoot(root: NestedRoot, vmid: number): void {
    this.guest.translation = guestTranslation(this.#machine.harts.current().features, root, vmid);
  }

  /** The state in which SBI firmware starts a hart: a0 = hart id, a1 = device tree, VS-mode, no translation, no interrupts. */
  setup(): void {
    this.#start(this.#entry, this.#dtb);
  }

  setStartArgs(entry: GuestPhysAddr, arg: bigint): void {
    this.#start(entry, arg);
  }

  #start(entry: bigint, argument: bigint): void {
    const { guest } = this;
    this.#timer.cancel();
    this.#mmio.cancel();
    this.#fault = undefined;
    this.#startsCpu = false;
    this.counters.reset();
    guest.discard();
    if (this.#attached) {
      // What was loaded for it may be code.
      fenceI();
      return;
    }
    guest.context.clear();
    powerOnCsrs(guest.context, entry, this.#vm.timeDelta);
    guest.context.setX(A0, this.hartId);
    guest.context.setX(A1, argument);
  }

  /** @throws {AxError} BadState if virtualization is off on this CPU */
  bind(): void {
    const hart = this.#machine.harts.current();
    ensure(hart.enabled, 'BadState', `virtualization is not enabled on CPU ${hart.cpu}`);
    ensure(this.guest.translation !== undefined, 'BadState', `${this.#who} has no nested page table`);
    this.guest.load(hart);
    setFaultVector(this.#faultVector);
    this.#boundTo = hart;
  }

  unbind(): void {
    setFaultVector(undefined);
    this.guest.save();
    this.#boundTo = undefined;
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
    this.#machine.leave(this);
    this.guest[Symbol.dispose]();
  }

  get #who(): string {
    return `vCPU ${this.vcpuId} of VM ${this.vmId}`;
  }

  // ── running ──

  /** @throws {AxError} BadState if it is not bound to this CPU */
  run(): AxVCpuExitReason {
    const hart = this.#boundTo;
    if (hart === undefined || hart.cpu !== thisCpuId()) throw axError('BadState', `${this.#who} is not bound to this CPU`);
    const again = this.#mmio.resume();
    if (again !== undefined) return again;
    this.#fault = undefined;
    const { guest } = this;
    guest.context.suspended = false;
    for (let traps = 0; traps < MAX_TRAPS; traps++) {
      guest.load(hart);
      enter(guest.context, hart.cpu);
      try {
        executeRequests(guest.context);
        if (this.#lines.changed) guest.setCsr('hvip', this.#lines.merge(guest.csr('hvip')));
        enterGuest(guest.context.address);
      } finally {
        leave(guest.context);
      }
      this.#devices?.rethrow();
      const exit = handleTrap(this);
      if (exit !== undefined) return exit;
    }
    return NOTHING;
  }

  attachDevices(devices: QuickDevices): void {
    const guarded = (this.#devices = new GuardedDevices(devices, () => this.#lines.changed));
    this.#faultVector = (htinst, address, registers) => answerFault(guarded, htinst, address, registers);
  }

  /** Moves on behind an instruction of `bytes`. */
  advance(bytes: number): void {
    this.guest.advance(bytes);
  }

  csr(name: SavedCsr): bigint {
    return this.guest.csr(name);
  }

  setCsr(name: SavedCsr, value: bigint): void {
    this.guest.setCsr(name, value);
  }

  /** Lets the guest take an exception in VS-mode, as if the hart had delegated it. */
  reflect(cause: number, tval: bigint): void {
    let vsstatus = this.csr('vsstatus') & ~(Sstatus.SPP | Sstatus.SPIE | Sstatus.SIE);
    if ((this.csr('vsstatus') & Sstatus.SIE) !== 0n) vsstatus |= Sstatus.SPIE;
    this.setCsr('vsstatus', vsstatus | (this.csr('sstatus') & Sstatus.SPP));
    this.setCsr('vscause', BigInt(cause));
    this.setCsr('vstval', tval);
    this.setCsr('vsepc', this.csr('sepc'));
    // Exceptions go to BASE in every mode of vstvec.
    this.setCsr('sepc', this.csr('vstvec') & ~3n);
    this.#enterSupervisor();
  }

  #enterSupervisor(): void {
    this.setCsr('sstatus', this.csr('sstatus') | Sstatus.SPP);
  }

  // ── guest page faults ──

  /** Remembers a fault, for {@link decodeMmio} and {@link injectAccessFault}. */
  faulted(fault: AccessFault): void {
    this.#fault = fault;
  }

  decodeMmio(): MmioExit | undefined {
    const fault = this.#fault;
    if (fault === undefined || !fault.isExplicit) return undefined;
    const instruction = this.#faultingAccess(fault.htinst);
    if (instruction === undefined || (instruction.access.kind === 'load' || instruction.access.kind === 'lr') !== fault.isLoad) return undefined;
    return this.#mmio.begin(instruction, fault.gpa);
  }

  /** Loops that poll a device fault with the same instruction again and again. */
  #faultingAccess(htinst: bigint): DeviceInstruction | undefined {
    if (htinst === 0n) return faultingAccess(htinst, () => this.csr('sepc'));
    if (htinst !== this.#decodedFrom) {
      this.#decoded = faultingAccess(htinst, () => 0n);
      this.#decodedFrom = htinst;
    }
    return this.#decoded;
  }

  /** @throws {AxError} BadState if no access of the guest faulted */
  injectAccessFault(): void {
    const fault = this.#fault;
    if (fault === undefined) throw axError('BadState', `${this.#who}: no access has faulted`);
    this.#mmio.cancel();
    this.#fault = undefined;
    this.reflect(fault.accessFault, fault.tval);
  }

  // ── registers ──

  setGpr(index: number, value: bigint): void {
    this.#checkRegister(index);
    const bits = BigInt.asUintN(64, value);
    if (!this.#mmio.completeLoad(index, bits)) this.setRegister(index, bits);
  }

  getGpr(index: number): bigint {
    this.#checkRegister(index);
    return this.getRegister(index);
  }

  #checkRegister(index: number): void {
    if (!Number.isInteger(index) || index < 0 || index >= REGISTERS) throw axError('InvalidInput', `there is no register ${String(index)}: 0-31 are x, 32-63 f`);
  }

  getRegister(index: number): bigint {
    const { context } = this.guest;
    return index < 32 ? context.x(index) : context.f(index - 32);
  }

  setRegister(index: number, value: bigint): void {
    const { context } = this.guest;
    if (index < 32) return context.setX(index, value);
    context.setF(index - 32, value);
    // As the hart does when an instruction writes an f register.
    this.setCsr('vsstatus', this.csr('vsstatus') | Sstatus.FS);
  }

  setReturnValue(value: bigint): void {
    this.guest.context.setX(A0, BigInt.asUintN(64, value));
  }

  /** @throws {AxError} BadState if the last exit was not CpuUp */
  completeCpuUp(result: 'success' | 'already-on' | 'invalid'): void {
    ensure(this.#startsCpu, 'BadState', `${this.#who} does not start a CPU`);
    this.#startsCpu = false;
    this.guest.context.setX(A0, BigInt.asUintN(64, COMPLETION[result]));
    this.guest.context.setX(A1, 0n);
  }

  /** The guest asked for another hart to be started; {@link completeCpuUp} answers. */
  startsCpu(): void {
    this.#startsCpu = true;
  }

  // ── interrupts and timers ──

  injectInterrupt(vector: number): void {
    this.#lines.set(vector, true);
  }

  clearInterrupt(vector: number): void {
    this.#lines.set(vector, false);
  }

  /** Whether one is pending in vsip and enabled in vsie: what ends a WFI, whatever vsstatus.SIE says. */
  hasPendingInterrupt(): boolean {
    let pending = this.#lines.peek(this.csr('hvip'));
    // On the hart hip tells, which has it look at the clock: it need not have done so at the last entries.
    if (this.#hasSstc && (this.guest.isLive ? (csrRead(CSR.hip) & VsInterrupt.TI) !== 0n : this.#guestTime() >= this.csr('vstimecmp'))) pending |= VsInterrupt.TI;
    // VS-level interrupts are one bit to the left of what vsie calls them.
    return (pending & VsInterrupt.ALL & (this.csr('vsie') << 1n)) !== 0n;
  }

  nextTimer(): Ticks | undefined {
    if ((this.csr('vsie') & SInterrupt.TI) === 0n) return undefined;
    return this.#hasSstc ? this.#hostTicks(this.csr('vstimecmp')) : this.#timer.deadline;
  }

  get #hasSstc(): boolean {
    return this.#machine.harts.current().features.sstc;
  }

  #guestTime(): bigint {
    return BigInt.asUintN(64, currentTicks() + this.#vm.timeDelta);
  }

  /** The host's time when the guest's reaches `at`; `undefined` if that is beyond the counter, as "never" is. */
  #hostTicks(at: bigint): Ticks | undefined {
    const ticks = at - BigInt.asIntN(64, this.#vm.timeDelta);
    return at === ALL_ONES || ticks > ALL_ONES ? undefined : ticks < 0n ? 0n : ticks;
  }

  // ── for SBI ──

  sibling(hartId: bigint): RiscvVCpu | undefined {
    return this.#vm.byHartId.get(hartId);
  }

  siblings(): RiscvVCpu[] {
    return [...this.#vm.byHartId.values()];
  }

  get suspended(): boolean {
    return this.guest.context.suspended;
  }

  suspend(): void {
    this.guest.context.suspended = true;
  }

  setTimer(at: bigint): void {
    if (this.#hasSstc) this.setCsr('vstimecmp', at);
    else this.#timer.set(this.#hostTicks(at));
  }

  clearSoftwareInterrupt(): boolean {
    const wasPending = (this.#lines.peek(this.csr('hvip')) & VsInterrupt.SSI) !== 0n;
    this.#lines.set(Irq.vssi, false);
    return wasPending;
  }

  fence(fence: Fence, caller: SbiHart): void {
    if (caller === this) return executeFence(fence);
    requestFence(this.guest.context, fence);
    const cpu = overdueOn(this.guest.context);
    if (cpu !== undefined) kickProcessor(cpu);
  }

  awaitFences(): void {
    const { context } = this.guest;
    for (let cpu = overdueOn(context); cpu !== undefined; cpu = overdueOn(context)) awaitTaken(context, cpu);
  }

  share(): VCpuShare {
    return { context: this.guest.context.address, timeDelta: this.#vm.timeDelta };
  }

  resumeAt(entry: bigint, argument: bigint): void {
    const { context } = this.guest;
    context.setX(A0, this.hartId);
    context.setX(A1, argument);
    this.setCsr('sepc', entry);
    this.setCsr('vsatp', 0n);
    this.setCsr('vsstatus', this.csr('vsstatus') & ~Sstatus.SIE);
    this.#enterSupervisor();
  }

  readGuest(address: bigint): GuestAccess {
    return hlv(address, 8);
  }

  countersChanged(): void {
    this.setCsr('hcounteren', this.counters.hcounteren);
  }

  // ── for people ──

  dump(): Readonly<Record<string, bigint>> {
    return dumpGuest(this.guest);
  }
}
