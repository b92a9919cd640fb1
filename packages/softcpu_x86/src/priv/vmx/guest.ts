/** VMX non-root operation: what exits, and with what qualification (SDM vol. 3, chapters 26 and 28). */
import { ExitControl, ExitReason, PinControl, ProcControl, ProcControl2 } from '@axvisor/axvisor_api/arch/x86';
import { CR_READS, Flag, Intercepts } from '../../state.ts';
import { EVENT, INFO, V } from '../fields.ts';
import type { DeliveredEvent, GuestMode, Intercepted, TaskSource } from '../guest.ts';
import { Waiting, type SystemInsn } from '../interface.ts';
import { highOf, slot, toNumber } from '../registers.ts';
import { msrExits, portExits } from './bitmaps.ts';
import { STAYS, allowed, merged, ofClts, ofCrRead, ofCrWrite, ofLmsw, visible } from './cr_exits.ts';
import { eptQualification, exceptionDetails, exceptionExits } from './event_exits.ts';
import type { ExitDetails, VmxParts } from './exit.ts';
import { DISPLACED, instructionInformation } from './information.ts';
import { ioQualification, saveStringAddress } from './io_exits.ts';
import { PauseLoop } from './pause_loop.ts';
import { PreemptionTimer } from './preemption_timer.ts';
import { INSTRUCTIONS } from './rules.ts';
import { F, Vmcs } from './vmcs.ts';

const P = ProcControl;
const S = ProcControl2;
const R = ExitReason;

/** Offset of the TPR in the virtual-APIC page. */
const VTPR = 0x80;

/** Words that every entry looks at. */
const PIN_BASED_CONTROLS = Vmcs.word(F.pinBasedControls);
const PRIMARY_PROCESSOR_BASED_CONTROLS = Vmcs.word(F.primaryProcessorBasedControls);
const SECONDARY_PROCESSOR_BASED_CONTROLS = Vmcs.word(F.secondaryProcessorBasedControls);
const EXCEPTION_BITMAP = Vmcs.word(F.exceptionBitmap);
const TSC_OFFSET = Vmcs.word(F.tscOffset);
const EXIT_CONTROLS = Vmcs.word(F.exitControls);

export class VmxGuest implements GuestMode {
  readonly kind: 'vmx' = 'vmx' as const;
  readonly hostMasksInterrupts: boolean = false;
  private readonly p: VmxParts;
  /** Control words of the running guest. */
  private pin = 0;
  private primary = 0;
  private secondary = 0;
  private exceptionBitmap = 0;
  /** The instruction at hand is an IRET that ended blocking by NMI. */
  private unblocked = false;
  /** A monitor trap is due, at a count of retired instructions. */
  private trapAt = -1;
  private readonly timer: PreemptionTimer;
  private readonly pauses: PauseLoop;

  constructor(parts: VmxParts) {
    this.p = parts;
    this.timer = new PreemptionTimer(parts.vmcs, parts.tsc);
    this.pauses = new PauseLoop(parts.vmcs, parts.tsc);
  }

  /** Takes up the controls of the VMCS, whose checks passed. */
  begin(): void {
    const { vmcs, regs } = this.p;
    this.pin = vmcs.wordAt(PIN_BASED_CONTROLS);
    this.primary = vmcs.wordAt(PRIMARY_PROCESSOR_BASED_CONTROLS);
    this.secondary = this.primary < 0 ? vmcs.wordAt(SECONDARY_PROCESSOR_BASED_CONTROLS) : 0;
    this.exceptionBitmap = vmcs.wordAt(EXCEPTION_BITMAP);
    this.goOn();
    regs.ifAwaited = (this.primary & P.interruptWindowExiting) !== 0 || (this.pin & PinControl.externalInterruptExiting) === 0;
    const offset = (this.primary & P.useTscOffsetting) !== 0;
    regs.sys[slot.tscOffset] = offset ? vmcs.wordAt(TSC_OFFSET) : 0;
    regs.sys[slot.tscOffset + 1] = offset ? vmcs.wordAt(TSC_OFFSET + 1) : 0;
    regs.tscMultiplier = offset && (this.secondary & S.useTscScaling) !== 0 ? vmcs.read(F.tscMultiplier) : 0n;
    const counts = (this.primary & P.rdtscExiting) === 0 && (this.secondary & S.enableRdtscp) !== 0 && regs.tscMultiplier === 0n;
    regs.intercepts =
      ((this.primary & P.pauseExiting) !== 0 ? Intercepts.pause : 0) | ((this.primary & P.cr3StoreExiting) !== 0 ? 1 << (CR_READS + 3) : 0) | (counts ? 0 : Intercepts.counter);
  }

  /** What every entry begins anew. */
  goOn(): void {
    const { regs } = this.p;
    this.unblocked = false;
    this.trapAt = (this.primary & P.monitorTrapFlag) !== 0 ? regs.host.retired() + 1 : -1;
    this.pauses.begin();
    this.timer.start((this.pin & PinControl.activatePreemptionTimer) !== 0);
    regs.countPauses();
  }

  /** A monitor trap that the entry injects: it exits before the first instruction. */
  trapAtOnce(): void {
    this.trapAt = this.p.regs.host.retired();
  }

  /** Ticks until the preemption timer expires. */
  preemptionTicks(): number | undefined {
    return this.timer.ticks();
  }

  // ── exits ──

  private exit(reason: number, details: ExitDetails): never {
    this.leave(reason, details);
    return this.p.regs.fault.exited();
  }

  private leave(reason: number, details: ExitDetails): void {
    const { vmcs, leave } = this.p;
    if ((vmcs.wordAt(EXIT_CONTROLS) & ExitControl.savePreemptionTimerValue) !== 0) vmcs.set(F.vmxPreemptionTimerValue, this.timer.value());
    leave(reason, details);
    this.unblocked = false;
  }

  instruction(name: Intercepted, insn: SystemInsn): void {
    if (this.leaves(name, insn)) this.p.regs.fault.exited();
  }

  leaves(name: Intercepted, insn: SystemInsn): boolean {
    const { regs } = this.p;
    if (name === 'xsaves' || name === 'xrstors') {
      this.supervisorState(name, insn);
      return false;
    }
    const rule = INSTRUCTIONS[name];
    if (rule === undefined) return false;
    if (rule.enabled !== undefined && (this.secondary & rule.enabled) === 0) regs.fault.raise(V.UD);
    if (rule.primary !== undefined && (this.primary & rule.primary) === 0) {
      if (name === 'pause') this.pauseLoop(insn);
      return false;
    }
    if (rule.secondary !== undefined && (this.secondary & rule.secondary) === 0) return false;
    this.leaveFor(name, rule.reason, insn, 0);
    return true;
  }

  /** Leaves the guest for an instruction, with information about its operands. */
  private leaveFor(name: string, reason: number, insn: SystemInsn, qualificationLo: number, qualificationHi = 0): void {
    const information = instructionInformation[name];
    if (information !== undefined) this.p.vmcs.set(F.exitInstructionInformation, information(insn));
    if (DISPLACED.has(name)) this.leave(reason, { length: insn.length, qualificationLo: insn.rm >= 0 ? 0 : insn.disp, qualificationHi: insn.rm >= 0 ? 0 : insn.disp >> 31 });
    else this.leave(reason, { length: insn.length, qualificationLo, qualificationHi });
  }

  private exitFor(name: string, reason: number, insn: SystemInsn, qualificationLo: number, qualificationHi = 0): never {
    this.leaveFor(name, reason, insn, qualificationLo, qualificationHi);
    return this.p.regs.fault.exited();
  }

  private supervisorState(name: 'xsaves' | 'xrstors', insn: SystemInsn): void {
    const { regs, vmcs } = this.p;
    if ((this.secondary & S.enableXsavesXrstors) === 0) regs.fault.raise(V.UD);
    if ((regs.lo(0) & regs.sys[slot.xss]! & vmcs.lo(F.xssExitingBitmap)) !== 0) this.exitFor(name, name === 'xsaves' ? R.xsaves : R.xrstors, insn, 0);
  }

  private pauseLoop(insn: SystemInsn): void {
    const { regs } = this.p;
    // Not every one is looked at.
    const count = regs.countPauses();
    if ((this.secondary & S.pauseLoopExiting) !== 0 && regs.cpl === 0 && this.pauses.isOver(count)) this.exitFor('pause', R.pause, insn, 0);
  }

  invlpg(lo: number, hi: number, insn: SystemInsn): void {
    if ((this.primary & P.invlpgExiting) !== 0) this.exitFor('invlpg', R.invlpg, insn, lo, hi);
  }

  // ── control registers ──

  /** Exits for an access to a control register, unless the qualification is {@link STAYS}. */
  private crExit(qualification: number, insn: SystemInsn): void {
    if (qualification !== STAYS) this.exitFor('cr', R.crAccess, insn, qualification);
  }

  crWrite(cr: number, gpr: number, lo: number, hi: number, insn: SystemInsn): void {
    this.crExit(ofCrWrite(this.p.vmcs, this.primary, cr, gpr, lo, hi), insn);
  }

  crRead(cr: number, gpr: number, insn: SystemInsn): void {
    this.crExit(ofCrRead(this.primary, cr, gpr), insn);
  }

  clts(insn: SystemInsn): void {
    this.crExit(ofClts(this.p.vmcs), insn);
  }

  lmsw(value: number, insn: SystemInsn): void {
    const { vmcs, linear } = this.p;
    const inMemory = insn.rm < 0;
    const qualification = ofLmsw(vmcs, value, inMemory);
    if (inMemory && qualification !== STAYS) vmcs.set(F.guestLinearAddress, linear.atLo, linear.atHi);
    this.crExit(qualification, insn);
  }

  smsw(): void {
    // Reads of CR0 never exit; they show the shadow.
  }

  visible(cr: number, value: number): number {
    return visible(this.p.vmcs, cr, value);
  }

  merged(cr: number, old: number, value: number): number {
    return merged(this.p.vmcs, cr, old, value);
  }

  allowed(cr0: number, cr4: number): boolean {
    return allowed((this.secondary & S.unrestrictedGuest) !== 0, cr0, cr4);
  }

  readTpr(): number | undefined {
    if ((this.primary & P.useTprShadow) === 0) return undefined;
    return (this.p.physical.read(this.virtualApic + VTPR, 4) >>> 4) & 15;
  }

  writeTpr(value: number): boolean {
    if ((this.primary & P.useTprShadow) === 0) return false;
    this.p.physical.write(this.virtualApic + VTPR, 4, value << 4, 0);
    // The exit, if it is below the threshold, comes when the instruction is over.
    this.p.regs.host.endSlice();
    return true;
  }

  private get virtualApic(): number {
    const { vmcs } = this.p;
    return toNumber(vmcs.lo(F.virtualApicAddress), vmcs.hi(F.virtualApicAddress));
  }

  drAccess(dr: number, write: boolean, gpr: number, insn: SystemInsn): void {
    if ((this.primary & P.movDrExiting) !== 0) this.exitFor('dr', R.movDr, insn, dr | (write ? 0 : 1 << 4) | (gpr << 8));
  }

  // ── ports and MSRs ──

  portExits(port: number, size: number): boolean {
    return portExits(this.p.vmcs, this.p.physical, this.primary, port, size);
  }

  io(port: number, size: number, input: boolean, string: boolean, insn: SystemInsn): boolean {
    if (!this.portExits(port, size)) return false;
    if (string) saveStringAddress(this.p.vmcs, this.p.regs, input, insn);
    this.leaveFor(string ? (input ? 'ins' : 'outs') : 'io', R.ioInstruction, insn, ioQualification(port, size, input, string, insn));
    return true;
  }

  msr(index: number, write: boolean, insn: SystemInsn): void {
    const { vmcs, physical } = this.p;
    if (msrExits(vmcs, physical, this.primary, index, write)) this.exitFor('msr', write ? R.wrmsr : R.rdmsr, insn, 0);
  }

  taskSwitch(selector: number, source: TaskSource, _hasError: boolean, _errorCode: number, length: number): void {
    this.exit(R.taskSwitch, { length, qualificationLo: selector | (source << 30) });
  }

  // ── events ──

  exception(event: DeliveredEvent): void {
    const { regs, vmcs, events } = this.p;
    if (!exceptionExits(vmcs, this.exceptionBitmap, event)) return;
    const isDouble = event.vector === V.DF;
    const unblocked = this.unblocked && !isDouble && events.vectoring === 0;
    // Neither a double nor a triple fault leaves during the delivery of what it is made of (SDM vol. 3, 28.2.4).
    if (isDouble) events.vectoring = 0;
    this.exit(R.exceptionOrNmi, exceptionDetails(regs.fault, event, unblocked));
  }

  interrupt(nmi: boolean): boolean {
    const { vmcs, acknowledge } = this.p;
    if (nmi) {
      if ((this.pin & PinControl.nmiExiting) === 0) return false;
      this.leave(R.exceptionOrNmi, { information: 2 | (EVENT.nmi << 8) | INFO.valid });
      return true;
    }
    if ((this.pin & PinControl.externalInterruptExiting) === 0) return false;
    const acknowledged = vmcs.has(F.exitControls, ExitControl.acknowledgeInterruptOnExit);
    this.leave(R.externalInterrupt, acknowledged ? { information: acknowledge() | INFO.valid } : {});
    return true;
  }

  secondStageFault(): void {
    const { regs, paging, vmcs, events } = this.p;
    const { fault } = regs;
    vmcs.set(F.guestPhysicalAddress, fault.gpa | 0, highOf(fault.gpa));
    if (fault.linear) vmcs.set(F.guestLinearAddress, fault.lo, fault.hi);
    if (fault.misconfigured) this.leave(R.eptMisconfiguration, { resume: true });
    else this.leave(R.eptViolation, { qualificationLo: eptQualification(fault, paging, this.unblocked && events.vectoring === 0), resume: true });
  }

  tripleFault(): void {
    this.p.events.vectoring = 0;
    this.exit(R.tripleFault, {});
  }

  signal(init: boolean, vector: number): boolean {
    const { waiting } = this.p.regs;
    if (init) {
      if (waiting === Waiting.sipi) return false;
      this.leave(R.initSignal, {});
      return true;
    }
    if (waiting !== Waiting.sipi) return false;
    this.leave(R.startupIpi, { qualificationLo: vector });
    return true;
  }

  private open(): boolean {
    const { regs } = this.p;
    return (regs.systemFlags & Flag.IF) !== 0 && regs.currentShadow() === 0;
  }

  poll(): boolean {
    const { regs, vmcs } = this.p;
    this.unblocked = false;
    if ((this.primary & P.useTprShadow) !== 0 && (this.readTpr() ?? 0) < (vmcs.lo(F.tprThreshold) & 15)) return this.polled(R.tprBelowThreshold);
    if (this.trapAt >= 0) {
      if (regs.host.retired() >= this.trapAt) return this.polled(R.monitorTrapFlag);
      regs.host.endSlice();
    }
    if (regs.waiting !== Waiting.sipi && this.timer.expired) return this.polled(R.preemptionTimer);
    if (regs.waiting === Waiting.shutdown || regs.waiting === Waiting.sipi) return false;
    if ((this.primary & P.nmiWindowExiting) !== 0) {
      if (!regs.nmiBlocked && regs.currentShadow() === 0) return this.polled(R.nmiWindow);
      regs.host.endSlice();
    }
    if ((this.primary & P.interruptWindowExiting) !== 0) {
      if (this.open()) return this.polled(R.interruptWindow);
      if (regs.currentShadow() !== 0) regs.host.endSlice();
    }
    return false;
  }

  private polled(reason: number): true {
    this.leave(reason, {});
    return true;
  }

  pollable(): boolean {
    if (this.timer.expired) return true;
    if (this.trapAt >= 0 && this.p.regs.host.retired() >= this.trapAt) return true;
    const { waiting, nmiBlocked } = this.p.regs;
    if (waiting === Waiting.shutdown || waiting === Waiting.sipi) return false;
    return ((this.primary & P.interruptWindowExiting) !== 0 && this.open()) || ((this.primary & P.nmiWindowExiting) !== 0 && !nmiBlocked);
  }

  virtualInterrupt(): number {
    return -1;
  }

  virtualNmi(): boolean {
    return false;
  }

  iretUnblocks(): void {
    const { regs } = this.p;
    const virtual = (this.pin & PinControl.virtualNmis) !== 0;
    if ((this.pin & PinControl.nmiExiting) !== 0 && !virtual) return;
    this.unblocked = regs.nmiBlocked;
    regs.nmiBlocked = false;
  }

  get blocksVirtualNmis(): boolean {
    return (this.pin & PinControl.virtualNmis) !== 0;
  }
}
