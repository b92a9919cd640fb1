/** The privileged architecture of one hart, put together: what the engine and native HS-mode software use. */

import type { FaultVector } from '@axvisor/axvisor_api/arch/riscv';
import { highWord, lowWord, toBigint } from '@axvisor/softcpu';
import type { Csr } from './csr.ts';
import { CsrFile } from './csr_file.ts';
import { ExplicitAccess } from './explicit_access.ts';
import { Cause, EnvcfgHi, ENVCFG_WRITABLE, Hstatus, MEDELEG_WRITABLE } from './fields.ts';
import { Access, type HostedHart, type PendingException, type PrivilegedHart, type PrivilegedOptions, Status } from './interface.ts';
import { Interrupts, MIDELEG_FIXED, MIDELEG_WRITABLE } from './interrupts.ts';
import { Pmp } from './pmp.ts';
import { slot, State } from './registers.ts';
import { SystemInstructions } from './system.ts';
import { Translation } from './translation.ts';
import { Traps } from './traps.ts';

/** mstatus.FS = Initial. */
const FS_INITIAL = 1 << 13;

/**
 * The privileged architecture of one hart.
 *
 * @example
 * const priv = new Privileged({ memory, stateBase: 0, ram: [{ pa: 0x8000_0000, size: 1 << 20, offset: 0x4000 }], host });
 * const pa = priv.translate(vaLo, vaHi, Access.load, 8);
 * if (pa < 0) priv.takeTrap(bits);
 */
export class Privileged implements PrivilegedHart, HostedHart {
  private readonly state: State;
  private readonly pmp: Pmp;
  private readonly interrupts: Interrupts;
  private readonly traps: Traps;
  private readonly translation: Translation;
  private readonly csrs: CsrFile;
  private readonly memory: ExplicitAccess;
  private readonly instructions: SystemInstructions;

  constructor(options: PrivilegedOptions) {
    this.state = new State(options);
    this.pmp = new Pmp(this.state.pmpEntries);
    this.interrupts = new Interrupts(this.state);
    this.traps = new Traps(this.state, this.interrupts);
    this.translation = new Translation(this.state, this.pmp, this.traps.exception);
    this.csrs = new CsrFile(this.state, this.interrupts, this.pmp, options.hartId ?? 0);
    this.memory = new ExplicitAccess(this.state, this.translation, this.pmp, this.traps.exception, options.bus);
    this.instructions = new SystemInstructions(this.state, this.csrs, this.interrupts, this.traps, this.memory);
    this.reset();
  }

  get prv(): number {
    return this.state.prv;
  }

  get v(): number {
    return this.state.v;
  }

  get exited(): boolean {
    return this.state.exited;
  }

  get waiting(): boolean {
    return this.state.waiting;
  }

  get exception(): PendingException {
    return this.traps.exception;
  }

  get exceptions(): number {
    return this.traps.taken;
  }

  /** Traps taken: interrupts by who took them, and exceptions. */
  get trapCounts(): { readonly guest_interrupts: number; readonly hypervisor_interrupts: number; readonly exceptions: number } {
    const { guestInterrupts, hypervisorInterrupts, taken } = this.traps;
    return { guest_interrupts: guestInterrupts, hypervisor_interrupts: hypervisorInterrupts, exceptions: taken };
  }

  get permissions(): number {
    return this.translation.permissions;
  }

  get global(): boolean {
    return this.translation.global;
  }

  get pageSize(): number {
    return this.translation.pageSize;
  }

  translate(vaLo: number, vaHi: number, access: Access, size: number, offset = 0): number {
    const { state } = this;
    if (access === Access.fetch) return this.translation.translate(vaLo, vaHi, access, size, offset, state.prv, state.v);
    const mode = state.dataMode();
    return this.translation.translate(vaLo, vaHi, access, size, offset, mode >>> 1, mode & 1);
  }

  raise(cause: number, tvalLo: number, tvalHi: number, offset = 0): void {
    this.traps.raise(cause, tvalLo, tvalHi, offset);
  }

  takeTrap(bits: number): Status {
    return this.traps.take(bits);
  }

  illegal(bits: number): Status {
    return this.instructions.refuse(Cause.illegalInstruction, bits);
  }

  system(op: number, bits: number): Status {
    return this.instructions.execute(op, bits);
  }

  pendingInterrupt(timers = true): Status {
    if (timers) this.interrupts.poll();
    return this.traps.interrupt();
  }

  wakeable(): boolean {
    this.interrupts.poll();
    const { wakeup } = this.interrupts;
    if (wakeup) this.state.waiting = false;
    return wakeup;
  }

  nextTimer(): bigint | undefined {
    return this.interrupts.nextTimer();
  }

  nextTimerEdge(): bigint | undefined {
    return this.interrupts.nextEdge();
  }

  setPending(irq: number, level: boolean): void {
    this.interrupts.setLine(irq, level);
  }

  reset(): void {
    const { state } = this;
    this.pmp.reset();
    this.interrupts.reset();
    this.csrs.reset();
    state.reset();
    state.csr[slot.mideleg] = MIDELEG_FIXED;
    if (!state.hosted) return;
    // What machine-mode firmware does before it starts HS-mode: delegate everything, enable every extension.
    state.csr[slot.medeleg] = MEDELEG_WRITABLE;
    state.csr[slot.mideleg] = MIDELEG_FIXED | MIDELEG_WRITABLE;
    state.csr[slot.mcounteren] = -1;
    state.csr[slot.menvcfg] = ENVCFG_WRITABLE;
    state.csr[slot.menvcfg + 1] = EnvcfgHi.ADUE | EnvcfgHi.PBMTE | EnvcfgHi.STCE;
    state.csr[slot.mstatus] = FS_INITIAL;
    state.prv = 1;
  }

  refresh(): void {
    this.state.refresh();
  }

  /** The CSR as HS-mode sees it. */
  private hsCsr(number: number, write: boolean): Csr {
    const csr = this.csrs.find(number);
    if (csr === undefined || this.csrs.verdict(csr, write, 1, 0) !== 0) {
      throw new RangeError(`HS-mode cannot ${write ? 'write' : 'read'} CSR 0x${number.toString(16)}`);
    }
    return csr;
  }

  csrRead(number: number): bigint {
    const { csr } = this.state;
    const at = this.csrs.slots[number] ?? -1;
    if (at >= 0) return toBigint(csr[at]!, csr[at + 1]!);
    const lo = this.hsCsr(number, false).read();
    return toBigint(lo, this.csrs.parts.hi);
  }

  csrWrite(number: number, value: bigint): void {
    this.hsCsr(number, true).write(lowWord(value), highWord(value));
  }

  get faultVector(): FaultVector | undefined {
    return this.traps.faultVector;
  }

  set faultVector(vector: FaultVector | undefined) {
    this.traps.faultVector = vector;
  }

  enterGuest(): void {
    const { state } = this;
    if (state.v !== 0 || state.prv !== 1) throw new Error('the hart is not in HS-mode');
    if ((state.csr[slot.hstatus]! & Hstatus.SPV) === 0) throw new Error('hstatus.SPV is 0: SRET would not enter a guest');
    state.exited = false;
    this.traps.sret();
  }

  sfenceVma(): void {
    this.state.flushFor(0);
  }

  hfenceVvma(va?: bigint, asid?: number): void {
    if (va !== undefined) this.state.flushPage(lowWord(va), highWord(va));
    else if (asid !== undefined) this.state.flushAsid(1, asid);
    else this.state.flushFor(1);
  }

  hfenceGvma(): void {
    this.state.flushGuestStage();
  }

  hlv(va: bigint, size: number): bigint | undefined {
    return this.memory.load(lowWord(va), highWord(va), size, Access.load) ? toBigint(this.memory.lo, this.memory.hi) : undefined;
  }

  hlvx(va: bigint, size: number): bigint | undefined {
    return this.memory.load(lowWord(va), highWord(va), size, Access.loadExecutable) ? toBigint(this.memory.lo, this.memory.hi) : undefined;
  }

  hsv(va: bigint, size: number, value: bigint): boolean {
    return this.memory.store(lowWord(va), highWord(va), size, lowWord(value), highWord(value));
  }
}
