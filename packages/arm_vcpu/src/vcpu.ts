/** An Arm vCPU: the state of a guest's processing element, and the way into the guest and back (Arm ARM, D1.5 "Virtualization"). */
import type { GuestPhysAddr, HostPhysAddr } from '@axvisor/axvisor_api/addr';
import type { NestedRoot } from '@axvisor/axvisor_api/addrspace';
import { enterGuest, setAbortVector, SYSREG, sysRegRead, type AbortVector } from '@axvisor/axvisor_api/arch/arm';
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import { thisCpuId } from '@axvisor/axvisor_api/host';
import type { CpuInterrupts } from '@axvisor/axvisor_api/intc';
import { Signal, signalCpu } from '@axvisor/axvisor_api/smp';
import type { Ticks } from '@axvisor/axvisor_api/time';
import { GuardedDevices, type ArchVCpuConfig, type AxArchVCpu, type AxVCpuExitReason, type QuickDevices, type VCpuShare } from '@axvisor/axvisor_api/vcpu';
import type { AbortRegisters, Stage2Fault } from './aborts.ts';
import { dumpGuest } from './dump.ts';
import { injectUndefined, isEl0, type GuestRegisters } from './exceptions.ts';
import { handleException, injectExternalAbort } from './exits.ts';
import { readIfThere } from './features.ts';
import { AFFINITY, Sctlr, Spsr } from './fields.ts';
import { GuestState } from './guest_state.ts';
import { InterruptUnit } from './interrupts/unit.ts';
import type { Machine, VmCpus } from './machine.ts';
import type { AddressRegisters } from './mmio/access.ts';
import { faultingAccess, startOf } from './mmio/fault.ts';
import { answerAbort } from './mmio/quick.ts';
import { MmioTransaction, V, type MmioExit, type Registers } from './mmio/transaction.ts';
import type { Pe } from './pes.ts';
import { powerOnRegisters } from './power_on.ts';
import type { SavedKey } from './saved.ts';
import type { SmcCaller } from './smccc/call.ts';
import { SmcError } from './smccc/call.ts';
import { guestTranslation } from './stage2.ts';
import { GuestSysRegs } from './sysreg_host.ts';
import type { SysRegAccess } from './sysregs.ts';

/** Registers in the numbering of exits: x0 … x30, 31 none, v0 … v31. */
const REGISTERS = 64;

/** Exceptions handled in one call of run() before the hypervisor gets a look: a guest may cause them as fast as it likes. */
const MAX_EXCEPTIONS = 64;

const NOTHING: AxVCpuExitReason = { reason: 'Nothing' };
const COMPLETION = { success: SmcError.SUCCESS, 'already-on': SmcError.ALREADY_ON, invalid: SmcError.INVALID_PARAMETERS } as const;

/** A system-register access that the hypervisor answers. */
interface PendingSysReg {
  readonly access: SysRegAccess;
  answered: boolean;
}

export class ArmVCpu implements AxArchVCpu, SmcCaller, GuestRegisters, Registers, AddressRegisters {
  readonly vmId: number;
  readonly vcpuId: number;
  readonly affinity: bigint;
  readonly guest: GuestState;
  readonly sysRegHost: GuestSysRegs;
  readonly #machine: Machine;
  readonly #vm: VmCpus;
  readonly #dtb: bigint;
  readonly #interrupts: InterruptUnit;
  readonly #mmio: MmioTransaction;
  /** Another thread made it and decides its power-on state. */
  readonly #attached: boolean;
  #entry = 0n;
  #boundTo: Pe | undefined;
  /** The last stage 2 fault, until the guest goes on. */
  #fault: Stage2Fault | undefined;
  #sysReg: PendingSysReg | undefined;
  /** An exit that a register write asks for. */
  #exit: AxVCpuExitReason | undefined;
  /** A CpuUp exit waits for its result. */
  #startsCpu = false;
  #suspended = false;
  #devices: GuardedDevices | undefined;
  #abortVector: AbortVector | undefined;

  /** @throws {AxError} NoMemory, InvalidInput for a number that is no affinity, AlreadyExists for one that the VM has already */
  constructor(machine: Machine, vmId: number, vcpuId: number, config: ArchVCpuConfig) {
    ensure((config.cpuId & ~AFFINITY) === 0n, 'InvalidInput', `0x${config.cpuId.toString(16)} is no affinity: Aff3 is in bits 39:32, Aff2 to Aff0 in 23:0`);
    this.#machine = machine;
    this.vmId = vmId;
    this.vcpuId = vcpuId;
    this.affinity = config.cpuId;
    this.#dtb = config.dtb ?? 0n;
    const { share } = config;
    this.#attached = share !== undefined;
    this.#vm = machine.join(this, share?.['counterOffset']);
    try {
      this.guest = new GuestState(share?.['context'] as HostPhysAddr | undefined);
    } catch (e) {
      machine.leave(this);
      throw e;
    }
    this.#interrupts = new InterruptUnit(this.guest);
    this.#mmio = new MmioTransaction(this);
    this.sysRegHost = new GuestSysRegs({
      features: () => machine.pes.current().features,
      levels: () => this.guest.translation?.levels ?? 3,
      interrupts: this.#interrupts,
      exit: (exit) => void (this.#exit = exit),
    });
  }

  // ── life cycle ──

  setEntry(entry: GuestPhysAddr): void {
    this.#entry = entry;
  }

  /** @throws {AxError} Unsupported for a format that is not Arm's or too deep, InvalidInput for a misaligned root or a VMID too wide */
  setEptRoot(root: NestedRoot, vmid: number): void {
    this.guest.translation = guestTranslation(this.#machine.pes.current().features, root, vmid);
  }

  /** The state in which the boot protocol starts a CPU: EL1h, exceptions masked, MMU off, x0 = device tree. */
  setup(): void {
    this.#start(this.#entry, this.#dtb);
  }

  setStartArgs(entry: GuestPhysAddr, arg: bigint): void {
    this.#start(entry, arg);
  }

  #start(entry: bigint, argument: bigint): void {
    const { guest } = this;
    this.#mmio.cancel();
    this.#fault = this.#sysReg = this.#exit = undefined;
    this.#startsCpu = false;
    this.#suspended = false;
    this.sysRegHost.debug.clear();
    guest.discard();
    this.#interrupts.reset();
    if (this.#attached) {
      // What was loaded for it may be code.
      signalCpu(thisCpuId(), Signal.instructions);
      return;
    }
    guest.context.clear();
    this.#powerOn(entry, argument);
  }

  #powerOn(entry: bigint, argument: bigint): void {
    powerOnRegisters(this, { entry, affinity: this.affinity, midr: readIfThere(SYSREG.MIDR_EL1) ?? 0n, counterOffset: this.#vm.counterOffset });
    this.setX(0, argument);
  }

  /** @throws {AxError} BadState if virtualization is off on this CPU */
  bind(): void {
    const pe = this.#machine.pes.current();
    ensure(pe.enabled, 'BadState', `virtualization is not enabled on CPU ${pe.cpu}`);
    ensure(this.guest.translation !== undefined, 'BadState', `${this.#who} has no nested page table`);
    this.#load(pe);
    setAbortVector(this.#abortVector);
    this.#boundTo = pe;
  }

  unbind(): void {
    setAbortVector(undefined);
    this.guest.save();
    this.#boundTo = undefined;
  }

  [Symbol.dispose](): void {
    this.#machine.leave(this);
    this.guest[Symbol.dispose]();
  }

  #load(pe: Pe): void {
    if (this.guest.load(pe)) this.#interrupts.loaded();
  }

  get #who(): string {
    return `vCPU ${this.vcpuId} of VM ${this.vmId}`;
  }

  // ── running ──

  /** @throws {AxError} BadState if it is not bound to this CPU */
  run(): AxVCpuExitReason {
    const pe = this.#boundTo;
    if (pe === undefined || pe !== this.#machine.pes.current()) throw axError('BadState', `${this.#who} is not bound to this CPU`);
    const again = this.#mmio.resume();
    if (again !== undefined) return again;
    this.#completeSysReg();
    this.#fault = undefined;
    this.#suspended = false;
    try {
      for (let exceptions = 0; exceptions < MAX_EXCEPTIONS; exceptions++) {
        this.#load(pe);
        this.#interrupts.deliver(pe);
        const kind = enterGuest(this.guest.context.address);
        this.#devices?.rethrow();
        const exit = handleException(this, kind);
        if (exit !== undefined) return exit;
      }
      return NOTHING;
    } finally {
      this.#interrupts.collect(pe);
    }
  }

  attachDevices(devices: QuickDevices): void {
    const guarded = (this.#devices = new GuardedDevices(devices, () => this.#interrupts.isDue));
    this.#abortVector = (iss, address, registers) => answerAbort(guarded, iss, address, registers);
  }

  /** Moves on behind an instruction of `bytes`. */
  advance(bytes: number): void {
    if (bytes === 0) return;
    this.setReg('ELR_EL2', BigInt.asUintN(64, this.reg('ELR_EL2') + BigInt(bytes)));
    // A single step of the guest over the instruction is done.
    const pstate = this.reg('SPSR_EL2');
    if ((pstate & Spsr.SS) !== 0n) this.setReg('SPSR_EL2', pstate & ~Spsr.SS);
  }

  reg(key: SavedKey): bigint {
    return this.guest.reg(key);
  }

  setReg(key: SavedKey, value: bigint): void {
    this.guest.setReg(key, value);
  }

  get hasPan(): boolean {
    return this.#machine.pes.current().features.hasPan;
  }

  /** ESR_EL2 of the last exception, while it is on its processing element. */
  syndrome(): bigint {
    return sysRegRead(SYSREG.ESR_EL2);
  }

  abortRegisters(esr: bigint): AbortRegisters {
    return { esr, far: sysRegRead(SYSREG.FAR_EL2), hpfar: sysRegRead(SYSREG.HPFAR_EL2), pstate: () => this.reg('SPSR_EL2') };
  }

  // ── aborts ──

  /** Remembers a fault, for {@link decodeMmio} and {@link injectAccessFault}. */
  faulted(fault: Stage2Fault): void {
    this.#fault = fault;
  }

  decodeMmio(): MmioExit | undefined {
    const fault = this.#fault;
    if (fault === undefined || !fault.isExplicit) return undefined;
    const access = faultingAccess(fault, this);
    const start = access === undefined ? undefined : startOf(access, fault);
    return access === undefined || start === undefined ? undefined : this.#mmio.begin(access, start);
  }

  /** Nothing answers: a synchronous external abort, or an undefined instruction for a system register. @throws {AxError} BadState if nothing is refused */
  injectAccessFault(): void {
    const fault = this.#fault;
    if (this.#sysReg !== undefined) {
      this.#sysReg = undefined;
      return injectUndefined(this);
    }
    if (fault === undefined) throw axError('BadState', `${this.#who}: no access has faulted`);
    this.#mmio.cancel();
    this.#fault = undefined;
    injectExternalAbort(this, fault.esr, fault.far);
  }

  // ── system registers ──

  /** The hypervisor is asked. The instruction is complete when it has answered. */
  beginSysReg(access: SysRegAccess, value: bigint): AxVCpuExitReason {
    this.#sysReg = { access, answered: !access.isRead };
    return access.isRead ? { reason: 'SysRegRead', addr: access.key, reg: access.rt } : { reason: 'SysRegWrite', addr: access.key, value };
  }

  /** A write that was not refused, or a read that was answered, is done; an unanswered read is executed again. */
  #completeSysReg(): void {
    const pending = this.#sysReg;
    this.#sysReg = undefined;
    if (pending?.answered === true) this.advance(4);
  }

  /** The exit that the last register write asked for. */
  takeExit(): AxVCpuExitReason | undefined {
    const exit = this.#exit;
    this.#exit = undefined;
    return exit;
  }

  // ── registers ──

  setGpr(index: number, value: bigint): void {
    this.#checkRegister(index);
    const bits = BigInt.asUintN(64, value);
    if (this.#sysReg?.access.isRead === true && this.#sysReg.access.rt === index) this.#sysReg.answered = true;
    else if (this.#mmio.completeLoad(index, bits)) return;
    if (index < V) return this.setX(index, bits);
    this.setV(index - V, 0, bits);
    this.setV(index - V, 1, 0n);
  }

  getGpr(index: number): bigint {
    this.#checkRegister(index);
    return index < V ? this.x(index) : this.v(index - V, 0);
  }

  #checkRegister(index: number): void {
    ensure(Number.isInteger(index) && index >= 0 && index < REGISTERS, 'InvalidInput', `there is no register ${String(index)}: 0-30 are x, 31 is none, 32-63 are v`);
  }

  x(index: number): bigint {
    return this.guest.context.x(index);
  }

  setX(index: number, value: bigint): void {
    this.guest.context.setX(index, value);
  }

  v(index: number, half: 0 | 1): bigint {
    return this.guest.context.v(index, half);
  }

  setV(index: number, half: 0 | 1, value: bigint): void {
    this.guest.context.setV(index, half, value);
  }

  get pc(): bigint {
    return this.reg('ELR_EL2');
  }

  xOrSp(index: number): bigint {
    return index === 31 ? this.reg(this.#spKey) : this.x(index);
  }

  setSp(value: bigint): void {
    this.setReg(this.#spKey, value);
  }

  /** The stack pointer in use: SPSel is the lowest bit of M. */
  get #spKey(): 'SP_EL0' | 'SP_EL1' {
    return (this.reg('SPSR_EL2') & Spsr.M) === Spsr.EL1h ? 'SP_EL1' : 'SP_EL0';
  }

  get bigEndian(): boolean {
    const sctlr = this.reg('SCTLR_EL1');
    return (sctlr & (Sctlr.E0E | Sctlr.EE)) !== 0n && (sctlr & (isEl0(this.reg('SPSR_EL2')) ? Sctlr.E0E : Sctlr.EE)) !== 0n;
  }

  setReturnValue(value: bigint): void {
    this.setX(0, BigInt.asUintN(64, value));
  }

  /** @throws {AxError} BadState if the last exit was not CpuUp */
  completeCpuUp(result: 'success' | 'already-on' | 'invalid'): void {
    ensure(this.#startsCpu, 'BadState', `${this.#who} does not start a CPU`);
    this.#startsCpu = false;
    this.setReturnValue(COMPLETION[result]);
  }

  /** The guest asked for another CPU to be started; {@link completeCpuUp} answers. */
  startsCpu(): void {
    this.#startsCpu = true;
  }

  // ── interrupts and timers ──

  attachInterrupts(interrupts: CpuInterrupts): void {
    this.#interrupts.attach(interrupts, this.#machine.pes.current().features.listRegisters !== undefined);
  }

  /** @throws {AxError} InvalidInput for a vector that is neither an INTID nor a pin of the CPU (`CpuPin`) */
  injectInterrupt(vector: number): void {
    this.#interrupts.set(vector, true);
  }

  clearInterrupt(vector: number): void {
    this.#interrupts.set(vector, false);
  }

  hasPendingInterrupt(): boolean {
    return this.#interrupts.hasPending(this.#preemptionBits);
  }

  /** The guest waits although an interrupt is there: the wait is over at once. */
  waitsInVain(): boolean {
    this.collectInterrupts();
    return this.hasPendingInterrupt();
  }

  /** What became of the interrupts in the list registers. */
  collectInterrupts(): void {
    if (this.#boundTo !== undefined) this.#interrupts.collect(this.#boundTo);
  }

  nextTimer(): Ticks | undefined {
    return this.#interrupts.nextTimer(this.#preemptionBits);
  }

  get #preemptionBits(): number | undefined {
    return this.#machine.pes.current().features.listRegisters?.preemptionBits;
  }

  // ── for PSCI ──

  siblings(): ArmVCpu[] {
    return [...this.#vm.byAffinity.values()];
  }

  get suspended(): boolean {
    return this.#suspended;
  }

  suspend(): void {
    this.#suspended = true;
  }

  resumeAt(entry: bigint, argument: bigint): void {
    this.#powerOn(entry, argument);
  }

  share(): VCpuShare {
    return { context: this.guest.context.address, counterOffset: this.#vm.counterOffset };
  }

  // ── for people ──

  dump(): Readonly<Record<string, bigint>> {
    return dumpGuest(this.guest);
  }
}
