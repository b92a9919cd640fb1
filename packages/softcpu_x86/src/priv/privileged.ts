/** The privileged architecture of one logical processor, put together: what the engine and native hypervisor software use. */
import { GUEST_CONTEXT_SIZE, type PortVector, type VmxResult } from '@axvisor/axvisor_api/arch/x86';
import { axError } from '@axvisor/axvisor_api/errors';
import { CS_LIMIT, Flag, MMU, MMU_IDX } from '../state.ts';
import { ABORT, Fault } from './abort.ts';
import { ControlRegisters } from './control.ts';
import { Cpuid, DEFAULT_FEATURES, MODELS } from './cpuid.ts';
import { Debug } from './debug.ts';
import { Ept } from './ept.ts';
import { Events } from './events.ts';
import { FastCalls } from './fast_calls.ts';
import { SEG, V } from './fields.ts';
import type { GuestMode } from './guest.ts';
import { Access, Status, Waiting, type LocalApic, type PendingException, type PrivilegedLp, type PrivilegedOptions, type SystemInsn } from './interface.ts';
import { Inputs } from './inputs.ts';
import { Linear } from './linear.ts';
import { Msrs } from './msrs.ts';
import { Native } from './native.ts';
import { NestedPaging } from './nested.ts';
import { Paging } from './paging.ts';
import { Physical } from './physical.ts';
import { Ports } from './ports.ts';
import { Registers } from './registers.ts';
import { Segments } from './segments.ts';
import { SvmOperation } from './svm/operation.ts';
import { SystemInstructions } from './system.ts';
import { Tasks } from './tasks.ts';
import { Transfers } from './transfers.ts';
import { Tss } from './tss.ts';
import { CAPABILITIES } from './vmx/capabilities.ts';
import { VmxOperation } from './vmx/operation.ts';
import { Xsave } from './xsave.ts';

const RSP = 4;
const PHYSICAL_BITS = 46;
const FREQUENCY = 1_000_000_000n;

/** Copies the general registers but RSP and, of SVM, RAX, as words. */
function copyRegisters(words: Int32Array, from: number, to: number, svm: boolean): void {
  for (let i = svm ? 2 : 0; i < 2 * RSP; i++) words[to + i] = words[from + i]!;
  for (let i = 2 * RSP + 2; i < 32; i++) words[to + i] = words[from + i]!;
}

export class Privileged implements PrivilegedLp {
  readonly regs: Registers;
  readonly cpuid: Cpuid;
  readonly msrs: Msrs;
  /** What native software does; only when hosted. */
  readonly native: Native;
  readonly vmx: VmxOperation | undefined;
  readonly svm: SvmOperation | undefined;
  /** What the current mode may do with the last page translated. */
  permissions = 0;
  /** One instruction is executed, behind which events are looked at. */
  private isAlone = false;
  /** The limit of the code segment divides the page that was fetched from last. */
  isLimited = false;

  private readonly paging: Paging;
  private readonly physical: Physical;
  private readonly linear: Linear;
  private readonly events: Events;
  private readonly transfers: Transfers;
  private readonly ports: Ports;
  private readonly debug: Debug;
  private readonly xsave: Xsave;
  private readonly instructions: SystemInstructions;
  private readonly hosted: boolean;
  private readonly apic: LocalApic | undefined;
  private readonly apicId: number;
  private readonly model: number;
  private readonly inputs: Inputs;
  private guest: GuestMode | undefined;
  /** The next instruction is to be executed alone. */
  private meetsBreakpoint = false;

  constructor(options: PrivilegedOptions) {
    const { apic } = options;
    const vendor = options.vendor ?? 'intel';
    const amd = vendor === 'amd';
    const physicalBits = options.physicalBits ?? PHYSICAL_BITS;
    this.hosted = options.hosted ?? false;
    this.apic = apic;
    this.apicId = options.apicId ?? 0;
    this.model = MODELS[vendor];
    const regs = new Registers(options);
    this.regs = regs;
    const physical = new Physical(regs, options);
    this.physical = physical;
    this.paging = new Paging(regs, physical, physicalBits);
    this.linear = new Linear(regs, this.paging, physical);
    const { linear, paging } = this;
    this.debug = new Debug(regs, amd);
    linear.watch = this.debug;
    const segments = new Segments(regs, linear);
    const tss = new Tss(regs, linear);
    const tasks = new Tasks(regs, linear, paging, segments);
    this.events = new Events(regs, linear, segments, tss, tasks);
    this.transfers = new Transfers(regs, linear, segments, tss, tasks);
    this.cpuid = new Cpuid(regs, {
      vendor,
      features: options.features ?? DEFAULT_FEATURES,
      apicId: this.apicId,
      physicalBits,
      frequency: options.frequency ?? FREQUENCY,
      apic: apic !== undefined || this.hosted,
      random: options.host.random !== undefined,
      virtualization: this.hosted,
    });
    this.inputs = new Inputs({ regs, events: this.events, apic, init: () => this.init() });
    const { cpuid, events, debug } = this;
    this.msrs = new Msrs(regs, cpuid, physicalBits, apic, this.hosted && !amd ? CAPABILITIES : new Map(), amd);
    const control = new ControlRegisters(regs, paging);
    this.xsave = new Xsave(regs, linear);
    this.ports = new Ports(regs, linear, tss, debug, options.ports);
    const { msrs, xsave } = this;
    this.instructions = new SystemInstructions({
      regs, linear, segments, transfers: this.transfers, events, control, msrs, cpuid, calls: new FastCalls(regs, amd), ports: this.ports, xsave, debug, apic,
    });
    this.native = new Native({ regs, control, cpuid, msrs, xsave, debug, settle: () => this.vmx?.evict() });
    const attach = (guest: GuestMode): void => this.attach(guest);
    if (this.hosted && amd) {
      this.svm = new SvmOperation({ regs, paging, physical, events, nested: new NestedPaging(regs, physical, physicalBits, options.guestBlocks), attach });
    } else if (this.hosted) {
      this.vmx = new VmxOperation(
        { regs, paging, physical, events, msrs, ept: new Ept(regs, physical, physicalBits, options.guestBlocks), attach },
        { regs, linear, paging, physical, events, acknowledge: () => this.inputs.acknowledge() },
      );
    }
    this.reset();
  }

  private attach(guest: GuestMode): void {
    this.guest = this.events.guest = this.transfers.guest = this.ports.guest = this.instructions.guest = this.inputs.guest = guest;
    this.debug.changed();
  }

  // ── what the engine looks at ──

  get cpl(): number {
    return this.regs.cpl;
  }

  get exited(): boolean {
    return this.regs.exited;
  }

  get waiting(): Waiting {
    return this.regs.waiting;
  }

  get exception(): PendingException {
    return this.regs.fault;
  }

  get exceptions(): number {
    return this.events.taken;
  }

  get stepping(): boolean {
    return (this.regs.systemFlags & Flag.TF) !== 0;
  }

  /** Instructions are to be executed one at a time, with a look at events after each; or the next one is. */
  get slow(): boolean {
    return this.stepping || this.meetsBreakpoint;
  }

  /** Hosted: a guest was entered once. */
  get inGuest(): boolean {
    return this.guest !== undefined && !this.regs.exited;
  }

  translate(lo: number, hi: number, access: Access, size: number, offset = 0): number {
    const { regs, paging, debug } = this;
    let mmu: number;
    if (access === Access.fetch) {
      mmu = regs.cpl === 3 ? MMU.user : MMU.supervisor;
      const limit = regs.words[regs.base + (CS_LIMIT >> 2)]! >>> 0;
      this.isLimited = false;
      if (limit !== 0xffff_ffff) {
        const base = regs.baseLo(SEG.cs);
        if ((lo - base) >>> 0 > limit) {
          regs.fault.exception(V.GP, 0);
          return -1;
        }
        // Offsets grow within the page but from its beginning, which may lie below the segment.
        this.isLimited = ((lo | 0xfff) - base) >>> 0 > limit;
      }
      if (debug.onFetch && offset === 0 && !debug.fetch(lo, hi)) return -1;
    } else mmu = regs.words[regs.base + (MMU_IDX >> 2)]!;
    const pa = paging.translate(lo, hi, access, mmu);
    if (pa < 0) return -1;
    if (debug.onData && access !== Access.fetch) {
      const write = access === Access.store;
      if (this.isAlone) debug.data(lo, hi, size, write);
      else if (debug.meets(lo, hi, size, write)) {
        regs.fault.kind = Fault.again;
        return -1;
      }
    }
    this.permissions = (access === Access.fetch && this.isLimited) || debug.watches(lo, hi, access) ? 0 : paging.permissions;
    return pa;
  }

  raise(vector: number, errorCode = 0): void {
    this.regs.fault.exception(vector, errorCode);
  }

  takeException(throughSs = false): Status {
    const { fault } = this.regs;
    if (fault.kind === Fault.again) {
      fault.clear();
      this.meetsBreakpoint = true;
      return Status.leave;
    }
    if (throughSs && fault.bySegment && fault.vector === V.GP) fault.vector = V.SS;
    return this.events.take();
  }

  fault(vector: number, errorCode = 0): Status {
    this.raise(vector, errorCode);
    return this.events.take();
  }

  system(op: number, insn: SystemInsn): Status {
    try {
      return this.instructions.execute(op, insn);
    } catch (signal) {
      if (signal !== ABORT) throw signal;
      return this.events.take();
    }
  }

  /** Executes an instruction alone by `run`. */
  alone<T>(run: () => T): T {
    this.meetsBreakpoint = false;
    this.isAlone = true;
    try {
      return run();
    } finally {
      this.isAlone = false;
    }
  }

  stepped(): Status {
    this.debug.step();
    return this.inputs.pendingEvent();
  }

  // ── events between instructions ──

  pendingEvent(): Status {
    return this.inputs.pendingEvent();
  }

  wakeable(): boolean {
    return this.inputs.wakeable();
  }

  setNmi(): void {
    this.inputs.setNmi();
  }

  setInit(): void {
    this.inputs.setInit();
  }

  setSipi(vector: number): void {
    this.inputs.setSipi(vector);
  }

  setHostInterrupt(pending: boolean): void {
    this.inputs.setHostInterrupt(pending);
  }

  preemptionTicks(): number | undefined {
    return this.guest !== undefined && this.guest === this.vmx?.guest ? this.vmx.guest.preemptionTicks() : undefined;
  }

  // ── native software ──

  /**
   * VMLAUNCH or VMRESUME with the registers of the context at physical address `context`, RSP excepted. After success the guest is to be run
   * until {@link exited}, and {@link saveContext} called.
   */
  vmEnter(launch: boolean, context: number): VmxResult {
    const { vmx, regs } = this;
    if (vmx === undefined) throw new TypeError('this processor has no VMX');
    this.loadContext(context, false);
    const result = vmx.enter(launch);
    if (result === 0 && !regs.exited) regs.host.endSlice();
    return result;
  }

  /** VMRUN of the VMCB at physical address `vmcb`; as {@link vmEnter}, RAX excepted too. */
  vmRun(vmcb: bigint, context: number): void {
    const { svm } = this;
    if (svm === undefined) throw new TypeError('this processor has no SVM');
    this.loadContext(context, true);
    svm.run(vmcb);
  }

  /** Place of a guest register context. @throws {AxError} InvalidInput for an address that is no memory */
  private contextAt(address: number): number {
    const place = this.physical.place(address, GUEST_CONTEXT_SIZE);
    if (place < 0) throw axError('InvalidInput', `there is no memory for a guest context at 0x${address.toString(16)}`);
    return place;
  }

  private loadContext(address: number, svm: boolean): void {
    const { regs } = this;
    const { words } = regs;
    const at = this.contextAt(address) >> 2;
    copyRegisters(words, at, regs.gpr(0), svm);
  }

  /** Puts the general registers back into a context after the guest was left. */
  saveContext(address: number, svm: boolean): void {
    const { regs } = this;
    const at = this.contextAt(address) >> 2;
    copyRegisters(regs.words, regs.gpr(0), at, svm);
  }

  /** Second-stage tables changed: nothing cached of them is used again. */
  invalidateNested(): void {
    this.vmx?.flush();
    this.svm?.flush();
  }

  // ── reset ──

  reset(): void {
    this.guest = this.events.guest = this.transfers.guest = this.ports.guest = this.instructions.guest = undefined;
    this.paging.use(undefined);
    this.inputs.reset();
    this.regs.reset(false, this.model);
    this.regs.intercepts = 0;
    this.regs.ifAwaited = this.apic !== undefined;
    this.regs.set('apicBase', 0xfee0_0800 | (this.apicId === 0 ? 0x100 : 0), 0);
    this.xsave.reset();
    this.vmx?.reset();
    this.svm?.reset();
    this.debug.changed();
    if (this.hosted) this.native.reset(this.apicId);
  }

  init(): void {
    this.regs.reset(true, this.model);
    this.debug.changed();
    // All but the bootstrap processor wait for a SIPI.
    if (this.apicId !== 0) this.regs.waiting = Waiting.sipi;
  }

  refresh(): void {
    this.regs.refresh();
  }

  get portVector(): PortVector | undefined {
    return this.ports.vector;
  }

  set portVector(vector: PortVector | undefined) {
    this.ports.vector = vector;
  }

  /** Physical memory, for who shares the processor's view of it. */
  get memory(): Physical {
    return this.physical;
  }
}
