/**
 * Execution of the system encodings: exception generation, hints, barriers, PSTATE, system instructions, system register moves
 * and ERET (Arm ARM, chapter C4, "Branches, Exception generating and System instructions").
 */

import { EXCL_VALID } from '../state.ts';
import type { Exceptions } from './exceptions.ts';
import { Ec, Hcr, Sctlr } from './fields.ts';
import { Status } from './interface.ts';
import type { Interrupts } from './interrupts.ts';
import type { State } from './registers.ts';
import { slot } from './stored.ts';
import { sysregIss, wfxIss } from './syndrome.ts';
import { sysRegKey, Verdict } from './sysreg.ts';
import type { SysRegFile } from './sysreg_file.ts';
import type { Timers } from './timers.ts';

const { SCTLR_EL1, HCR_EL2 } = slot;

const ERET = 0xd69f_03e0 | 0;
/** op0 = 0 encodings, all with Rt = 31 and L = 0. */
const CRN_HINT = 2;
const CRN_BARRIER = 3;
const CRN_PSTATE = 4;

/** Executes system encodings for one processing element. */
export class SystemInstructions {
  private readonly state: State;
  private readonly file: SysRegFile;
  private readonly exceptions: Exceptions;
  private readonly interrupts: Interrupts;
  private readonly timers: Timers;

  constructor(state: State, file: SysRegFile, exceptions: Exceptions, interrupts: Interrupts, timers: Timers) {
    this.state = state;
    this.file = file;
    this.exceptions = exceptions;
    this.interrupts = interrupts;
    this.timers = timers;
  }

  /** Executes the instruction `bits` at PC. */
  execute(bits: number): Status {
    switch (bits >>> 24) {
      case 0xd4:
        return this.generate(bits);
      case 0xd5:
        return this.system(bits);
      default:
        return bits === ERET && this.state.el !== 0 ? this.exceptions.eret() : this.exceptions.undefined();
    }
  }

  /** SVC, HVC, SMC and BRK. HLT and DCPS need a debugger outside. */
  private generate(bits: number): Status {
    const { state, exceptions } = this;
    const immediate = (bits >>> 5) & 0xffff;
    const hcr = state.sys[HCR_EL2]!;
    switch (bits & 0xffe0_001f) {
      case 0xd400_0001 | 0: // 11010100 000 imm16 000 01: SVC
        state.advancePc();
        return exceptions.raise(1, Ec.svc, immediate);
      case 0xd400_0002 | 0: // 11010100 000 imm16 000 10: HVC
        if (state.el === 0 || (hcr & Hcr.HCD) !== 0) return exceptions.undefined();
        state.advancePc();
        return exceptions.raise(2, Ec.hvc, immediate);
      case 0xd400_0003 | 0: // 11010100 000 imm16 000 11: SMC, which without EL3 can only be trapped
        return state.el === 1 && (hcr & Hcr.TSC) !== 0 ? exceptions.raise(2, Ec.smc, immediate) : exceptions.undefined();
      case 0xd420_0000 | 0: // 11010100 001 imm16 000 00: BRK
        return exceptions.raise(state.debugTarget, Ec.brk, immediate);
      default:
        return exceptions.undefined();
    }
  }

  private system(bits: number): Status {
    if ((bits & 0x00c0_0000) !== 0) return this.exceptions.undefined();
    const op0 = (bits >>> 19) & 3;
    const read = (bits & (1 << 21)) !== 0;
    if (op0 >= 2) return read ? this.mrs(bits) : this.msr(bits);
    if (op0 === 1) return this.sys(bits, read);
    if (read || (bits & 31) !== 31) return this.exceptions.undefined();
    const op1 = (bits >>> 16) & 7;
    const crn = (bits >>> 12) & 15;
    const crm = (bits >>> 8) & 15;
    const op2 = (bits >>> 5) & 7;
    if (crn === CRN_PSTATE) return this.msrImmediate(bits, op1, crm, op2);
    if (op1 === 3 && crn === CRN_HINT) return this.hint((crm << 3) | op2);
    if (op1 === 3 && crn === CRN_BARRIER) return this.barrier(op2);
    return this.exceptions.undefined();
  }

  /** Hints that are not known are NOP. */
  private hint(number: number): Status {
    const { state } = this;
    switch (number) {
      case 2:
        return this.wfe();
      case 3:
        return this.wfi();
      case 4: // SEV
        state.event = true;
        state.host.sendEvent?.();
        return Status.next;
      case 5: // SEVL
        state.event = true;
        return Status.next;
      default:
        return Status.next;
    }
  }

  /** Whether a wait traps, by its controls; it does only if it would wait. */
  private waitTraps(allowedAtEl0: number, trapped: number, wfe: number): Status {
    const { state, exceptions } = this;
    if (state.el === 0 && (state.sys[SCTLR_EL1]! & allowedAtEl0) === 0) return exceptions.raise(1, Ec.wfx, wfxIss(wfe));
    if (state.el < 2 && (state.sys[HCR_EL2]! & trapped) !== 0) return exceptions.raise(2, Ec.wfx, wfxIss(wfe));
    return Status.next;
  }

  /** WFE may wake up for any reason, and does at once. */
  private wfe(): Status {
    const { state } = this;
    if (!state.event) return this.waitTraps(Sctlr.nTWE, Hcr.TWE, 1);
    state.event = false;
    return Status.next;
  }

  private wfi(): Status {
    const { state, interrupts } = this;
    this.timers.poll();
    if (interrupts.wakeup) return this.afterWrite();
    const status = this.waitTraps(Sctlr.nTWI, Hcr.TWI, 0);
    if (status !== Status.next) return status;
    state.advancePc();
    state.waiting = true;
    return Status.leave;
  }

  /** CLREX, DSB, DMB, ISB; everything is in order already. SB is not there. */
  private barrier(op2: number): Status {
    if (op2 === 2) this.state.words[this.state.at(EXCL_VALID)] = 0;
    if (op2 === 4) this.state.host.synchronize?.();
    return op2 === 2 || (op2 >= 4 && op2 <= 6) ? Status.next : this.exceptions.undefined();
  }

  private msrImmediate(bits: number, op1: number, crm: number, op2: number): Status {
    const { state, exceptions } = this;
    const field = (op1 << 3) | op2;
    if (field === 0o36 || field === 0o37) {
      const verdict = this.file.verdict(this.file.regs.get(sysRegKey(3, 3, 4, 2, 1)), 0, true, state.el);
      if (verdict !== Verdict.allowed) return this.refuse(verdict, bits);
      const mask = crm << 6;
      state.daif = field === 0o36 ? state.daif | mask : state.daif & ~mask;
      return this.afterWrite();
    }
    if (state.el === 0) return exceptions.undefined();
    switch (field) {
      case 0o03:
        state.uao = crm & 1;
        break;
      case 0o04:
        state.pan = crm & 1;
        break;
      case 0o05:
        state.setMode(state.el, crm & 1);
        break;
      default:
        return exceptions.undefined();
    }
    state.modeChanged();
    return Status.next;
  }

  private mrs(bits: number): Status {
    const { state, file } = this;
    const key = (bits >>> 5) & 0xffff;
    const reg = file.regs.get(key);
    const verdict = file.verdict(reg, key, false, state.el);
    if (verdict !== Verdict.allowed) return this.refuse(verdict, bits);
    const lo = reg!.read();
    state.setX(bits & 31, lo, file.parts.hi);
    return Status.next;
  }

  private msr(bits: number): Status {
    const { state, file } = this;
    const key = (bits >>> 5) & 0xffff;
    const reg = file.regs.get(key);
    const verdict = file.verdict(reg, key, true, state.el);
    if (verdict !== Verdict.allowed) return this.refuse(verdict, bits);
    const rt = bits & 31;
    reg!.write(state.xLo(rt), state.xHi(rt));
    return this.afterWrite();
  }

  /** SYS; there is no SYSL. */
  private sys(bits: number, read: boolean): Status {
    const { state, file } = this;
    const key = (bits >>> 5) & 0xffff;
    const op = read ? undefined : file.ops.get(key);
    const verdict = file.opVerdict(op, key, state.el);
    if (verdict !== Verdict.allowed) return this.refuse(verdict, bits);
    const rt = bits & 31;
    return op!.execute(state.xLo(rt), state.xHi(rt)) ? Status.next : this.exceptions.take(bits);
  }

  /** An interrupt that a write made takeable is taken behind it. */
  private afterWrite(): Status {
    // While stepping, the step ends first.
    if (this.interrupts.select() === 0 || this.state.stepActive) return Status.next;
    this.state.advancePc();
    return this.exceptions.interrupt();
  }

  private refuse(verdict: Verdict, bits: number): Status {
    const { exceptions } = this;
    switch (verdict) {
      case Verdict.trapEl1:
        return exceptions.raise(1, Ec.sysreg, sysregIss(bits));
      case Verdict.trapEl2:
        return exceptions.raise(2, Ec.sysreg, sysregIss(bits));
      case Verdict.fp:
        return exceptions.fpTrap();
      default:
        return exceptions.undefined();
    }
  }
}
