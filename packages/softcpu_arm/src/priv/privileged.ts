/** The privileged architecture of one processing element, put together: what the engine and native EL2 software use. */

import type { AbortVector } from '@axvisor/axvisor_api/arch/arm';
import { highWord, lowWord, toBigint } from '@axvisor/softcpu';
import { CTR, MMU_IDX, SHARED, SPSR_EL2 } from '../state.ts';
import { ExceptionRecord } from './exception_record.ts';
import { Exceptions } from './exceptions.ts';
import { AbortIss, Ec, Fsc } from './fields.ts';
import { GicCpu } from './gic_cpu.ts';
import { HostPpis } from './host_ppis.ts';
import { Access, Status, type ExitKind, type HostedPe, type PendingException, type PrivilegedOptions, type PrivilegedPe, type TlbRequest } from './interface.ts';
import { Interrupts } from './interrupts.ts';
import { Maintenance } from './maintenance.ts';
import { Pmu } from './pmu.ts';
import { State, STEPPED } from './registers.ts';
import { Parts, Verdict, type SysReg } from './sysreg.ts';
import { SysRegFile } from './sysreg_file.ts';
import { MIDR, ctrOf, mpidr } from './sysreg_id.ts';
import { resetVirtualIds } from './sysreg_system.ts';
import { SystemInstructions } from './system.ts';
import { Timers } from './timers.ts';
import { Translation } from './translation.ts';

/**
 * The privileged architecture of one processing element.
 *
 * @example
 * const priv = new Privileged({ memory, stateBase: 0, ram: [{ pa: 0x4000_0000, size: 1 << 20, offset: 4096 }], host });
 * const pa = priv.translate(vaLo, vaHi, Access.load, 8);
 * if (pa < 0) priv.takeException(bits);
 */
export class Privileged implements PrivilegedPe, HostedPe {
  private readonly state: State;
  private readonly interrupts: Interrupts;
  readonly ppis: HostPpis | undefined;
  private readonly record = new ExceptionRecord();
  private readonly translation: Translation;
  private readonly exceptionEntry: Exceptions;
  private readonly timers: Timers;
  private readonly pmu: Pmu;
  private readonly gic: GicCpu;
  private readonly maintenance: Maintenance;
  private readonly file: SysRegFile;
  private readonly instructions: SystemInstructions;

  constructor(options: PrivilegedOptions) {
    const state = new State(options);
    this.state = state;
    const interrupts = new Interrupts(state);
    this.interrupts = interrupts;
    this.ppis = state.hosted && options.gic === undefined ? new HostPpis((level) => interrupts.setInternal(level)) : undefined;
    const report = (ppi: number, level: boolean): void => {
      this.ppis?.setLevel(ppi, level);
      options.host.line?.(ppi, level);
    };
    this.translation = new Translation(state, this.record);
    this.exceptionEntry = new Exceptions(state, interrupts, this.record, this.translation);
    this.timers = new Timers(state, report);
    this.pmu = new Pmu(state, report);
    this.gic = new GicCpu(interrupts, options.gic ?? this.ppis, report);
    this.maintenance = new Maintenance(state, this.translation, this.record);
    this.file = new SysRegFile(new Parts(state, interrupts, this.timers, this.pmu, this.gic), this.maintenance);
    this.instructions = new SystemInstructions(state, this.file, this.exceptionEntry, interrupts, this.timers);
    this.reset();
  }

  get el(): number {
    return this.state.el;
  }

  get exited(): boolean {
    return this.state.exited;
  }

  get exitKind(): ExitKind {
    return (this.state.exitVector >>> 7) as ExitKind;
  }

  get waiting(): boolean {
    return this.state.waiting;
  }

  get exception(): PendingException {
    return this.record;
  }

  get exceptions(): number {
    return this.exceptionEntry.taken;
  }

  get stepActive(): boolean {
    return this.state.stepActive;
  }

  get stepping(): boolean {
    return this.state.ss !== 0 && this.state.stepActive;
  }

  get permissions(): number {
    return this.translation.permissions;
  }

  get isDevice(): boolean {
    return this.translation.isDevice;
  }

  get pageSize(): number {
    return this.translation.pageSize;
  }

  /** PSTATE as SPSR_ELx would hold it. */
  get pstate(): number {
    return this.state.pstate;
  }

  translate(vaLo: number, vaHi: number, access: Access, size: number, offset = 0): number {
    const { state } = this;
    if (access === Access.fetch) return this.exceptionEntry.fetch(vaLo, vaHi);
    return this.translation.translate(vaLo, vaHi, access, size, offset, state.words[state.at(MMU_IDX)]!);
  }

  externalAbort(vaLo: number, vaHi: number, access: Access): void {
    this.abort(Fsc.external, vaLo, vaHi, access);
  }

  alignmentFault(vaLo: number, vaHi: number, access: Access): void {
    this.abort(Fsc.alignment, vaLo, vaHi, access);
  }

  private abort(fsc: number, vaLo: number, vaHi: number, access: Access): void {
    this.record.set(access === Access.fetch ? Ec.instructionAbort : Ec.dataAbort, fsc | (access === Access.store ? AbortIss.WnR : 0), vaLo, vaHi);
  }

  takeException(bits: number): Status {
    return this.exceptionEntry.take(bits);
  }

  undefined(): Status {
    return this.exceptionEntry.undefined();
  }

  fpTrap(): Status {
    return this.exceptionEntry.fpTrap();
  }

  spAlignment(): Status {
    return this.exceptionEntry.raise(1, Ec.spAlignment, 0);
  }

  system(bits: number): Status {
    return this.instructions.execute(bits | 0);
  }

  pendingInterrupt(): Status {
    this.timers.poll();
    this.pmu.poll();
    return this.exceptionEntry.interrupt();
  }

  stepped(): void {
    this.state.ss = 0;
    this.state.stepSyndrome = STEPPED;
  }

  wakeable(): boolean {
    this.timers.poll();
    const { wakeup } = this.interrupts;
    if (wakeup) this.state.waiting = false;
    return wakeup;
  }

  nextTimer(): bigint | undefined {
    return this.timers.next();
  }

  setLine(line: number, level: boolean): void {
    this.interrupts.setLine(line, level);
  }

  setEvent(): void {
    this.state.event = true;
  }

  tlbRequest(request: TlbRequest): void {
    this.maintenance.invalidate(request);
  }

  reset(): void {
    const { state } = this;
    this.interrupts.reset();
    this.ppis?.reset();
    state.reset();
    state.words[state.at(SHARED)] = state.options.shared === true ? 1 : 0;
    state.words[state.at(CTR)] = ctrOf(state.options.shared ?? false);
    resetVirtualIds(this.file.parts, MIDR, mpidr(state.options.affinity));
    this.timers.reset();
    this.pmu.reset();
    this.gic.reset();
  }

  refresh(): void {
    this.state.refresh();
  }

  // ── native EL2 software ──

  /** The register as EL2 sees it. */
  private el2Reg(key: number, write: boolean): SysReg {
    const reg = this.file.regs.get(key);
    if (reg !== undefined && reg.guard === undefined && reg.rights[write ? 1 : 0] <= 2) return reg;
    const verdict = this.file.verdict(reg, key, write, 2);
    if (reg === undefined || (verdict !== Verdict.allowed && verdict !== Verdict.fp)) {
      throw new RangeError(`EL2 cannot ${write ? 'write' : 'read'} system register ${describe(key)}`);
    }
    return reg;
  }

  private noGuest(): void {
    if (this.state.el !== 2) throw new Error('a guest is running');
  }

  sysRegRead(key: number): bigint {
    this.noGuest();
    return this.peek(key);
  }

  peek(key: number): bigint {
    const lo = this.el2Reg(key, false).read();
    return toBigint(lo, this.file.parts.hi);
  }

  sysRegWrite(key: number, value: bigint): void {
    this.noGuest();
    this.el2Reg(key, true).write(lowWord(value), highWord(value));
  }

  sysInstruction(key: number, value: bigint): boolean {
    const op = this.file.ops.get(key);
    if (op === undefined || this.file.opVerdict(op, key, 2) !== Verdict.allowed) throw new RangeError(`EL2 has no system instruction ${describe(key)}`);
    this.noGuest();
    return op.execute(lowWord(value), highWord(value));
  }

  get abortVector(): AbortVector | undefined {
    return this.exceptionEntry.abortVector;
  }

  set abortVector(vector: AbortVector | undefined) {
    this.exceptionEntry.abortVector = vector;
  }

  enterGuest(): void {
    const { state } = this;
    if (state.el !== 2) throw new Error('a guest is running already');
    const spsr = state.words[state.at(SPSR_EL2)]!;
    if (!this.exceptionEntry.returnIsLegal(spsr) || ((spsr >>> 2) & 3) === 2) {
      throw new Error(`SPSR_EL2 0x${(spsr >>> 0).toString(16)} is no state of EL1 or EL0`);
    }
    state.exited = false;
    this.exceptionEntry.eret();
  }
}

/** An operation code as the assembler writes it. */
function describe(key: number): string {
  return `S${key >>> 14}_${(key >>> 11) & 7}_C${(key >>> 7) & 15}_C${(key >>> 3) & 15}_${key & 7}`;
}
