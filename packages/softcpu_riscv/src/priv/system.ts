/**
 * The SYSTEM instructions and cache-block management: Zicsr, environment calls, trap returns, WFI, fences, virtual-machine
 * loads and stores, cbo.*; with the conditions under which they raise illegal- and virtual-instruction exceptions.
 */

import { insns, type InsnName } from '../isa/table.ts';
import { PC } from '../state.ts';
import type { Verdict } from './csr.ts';
import type { CsrFile } from './csr_file.ts';
import type { ExplicitAccess } from './explicit_access.ts';
import { Cause, Envcfg, Hstatus, Mstatus } from './fields.ts';
import { Access, Status } from './interface.ts';
import type { Interrupts } from './interrupts.ts';
import { slot, type State } from './registers.ts';
import type { Traps } from './traps.ts';

const {
  mstatus: MSTATUS, hstatus: HSTATUS, menvcfg: MENVCFG, henvcfg: HENVCFG, senvcfg: SENVCFG,
} = slot;

type Handler = (bits: number) => Status;

/** Size and signedness of HLV and HLVX; a width below 8 that is signed is negative. */
const hlvWidths: Readonly<Partial<Record<InsnName, number>>> = {
  'hlv.b': -1, 'hlv.bu': 1, 'hlv.h': -2, 'hlv.hu': 2, 'hlv.w': -4, 'hlv.wu': 4, 'hlv.d': 8,
};

/** Executes SYSTEM instructions for one hart. */
export class SystemInstructions {
  private readonly handlers: readonly (Handler | undefined)[];

  private readonly state: State;
  private readonly csrs: CsrFile;
  private readonly interrupts: Interrupts;
  private readonly traps: Traps;
  private readonly memory: ExplicitAccess;

  constructor(state: State, csrs: CsrFile, interrupts: Interrupts, traps: Traps, memory: ExplicitAccess) {
    this.state = state;
    this.csrs = csrs;
    this.interrupts = interrupts;
    this.traps = traps;
    this.memory = memory;
    const byName = this.byName();
    this.handlers = insns.map(({ name }) => byName[name]);
  }

  /** Executes the instruction at PC. */
  execute(op: number, bits: number): Status {
    const handler = this.handlers[op];
    if (handler === undefined) throw new RangeError(`op ${op} is not a SYSTEM instruction`);
    return handler(bits);
  }

  /** Raises an illegal-instruction (2) or virtual-instruction (22) exception. */
  refuse(cause: number, bits: number): Status {
    this.traps.raise(cause, (bits & 3) === 3 ? bits : bits & 0xffff, 0, 0);
    return this.traps.take(bits);
  }

  private byName(): Partial<Record<InsnName, Handler>> {
    const guarded =
      (verdict: (prv: number, v: number) => Verdict, action: (bits: number) => Status): Handler =>
      (bits) => {
        const cause = verdict(this.state.prv, this.state.v);
        return cause === 0 ? action(bits) : this.refuse(cause, bits);
      };
    const csr = (kind: number): Handler => (bits) => this.csr(bits, kind);
    const done = (): Status => Status.next;
    const sfenceVma = guarded((prv, v) => this.mayFence(prv, v), (bits) => this.fenceVma(bits, this.state.v));
    const hfenceVvma = guarded(mayHypervise, (bits) => this.fenceVma(bits, 1));
    const hfenceGvma = guarded(
      (prv, v) => mayHypervise(prv, v) || (prv === 1 && (this.mstatus & Mstatus.TVM) !== 0 ? 2 : 0),
      () => {
        this.state.flushGuestStage();
        return Status.next;
      },
    );
    const invalOrder = guarded((prv, v) => (prv === 0 ? (v !== 0 ? 22 : 2) : 0), done);
    const handlers: Partial<Record<InsnName, Handler>> = {
      csrrw: csr(1), csrrs: csr(2), csrrc: csr(3), csrrwi: csr(5), csrrsi: csr(6), csrrci: csr(7),
      ecall: (bits) => this.ecall(bits),
      ebreak: (bits) => this.ebreak(bits),
      mret: guarded((prv) => (prv === 3 ? 0 : 2), () => this.traps.mret()),
      sret: guarded((prv, v) => this.maySret(prv, v), () => this.traps.sret()),
      wfi: guarded((prv, v) => this.mayWait(prv, v), () => this.wfi()),
      'sfence.vma': sfenceVma,
      'sinval.vma': sfenceVma,
      'sfence.w.inval': invalOrder,
      'sfence.inval.ir': invalOrder,
      'hfence.vvma': hfenceVvma,
      'hinval.vvma': hfenceVvma,
      'hfence.gvma': hfenceGvma,
      'hinval.gvma': hfenceGvma,
      'hlvx.hu': guarded((prv, v) => this.mayAccessGuest(prv, v), (bits) => this.hlv(bits, 2, Access.loadExecutable)),
      'hlvx.wu': guarded((prv, v) => this.mayAccessGuest(prv, v), (bits) => this.hlv(bits, 4, Access.loadExecutable)),
      'cbo.inval': guarded((prv, v) => this.mayManage(prv, v, Envcfg.CBIE), (bits) => this.manage(bits)),
      'cbo.clean': guarded((prv, v) => this.mayManage(prv, v, Envcfg.CBCFE), (bits) => this.manage(bits)),
      'cbo.flush': guarded((prv, v) => this.mayManage(prv, v, Envcfg.CBCFE), (bits) => this.manage(bits)),
      'cbo.zero': guarded((prv, v) => this.mayManage(prv, v, Envcfg.CBZE), (bits) => this.zero(bits)),
    };
    for (const [name, width] of Object.entries(hlvWidths)) {
      handlers[name as InsnName] = guarded((prv, v) => this.mayAccessGuest(prv, v), (bits) => this.hlv(bits, width, Access.load));
    }
    for (const [name, width] of [['hsv.b', 1], ['hsv.h', 2], ['hsv.w', 4], ['hsv.d', 8]] as const) {
      handlers[name] = guarded((prv, v) => this.mayAccessGuest(prv, v), (bits) => this.hsv(bits, width));
    }
    return handlers;
  }

  private get mstatus(): number {
    return this.state.csr[MSTATUS]!;
  }

  private get hstatus(): number {
    return this.state.csr[HSTATUS]!;
  }

  /** CSRRW (1), CSRRS (2), CSRRC (3); 4 more for the immediate forms. */
  private csr(bits: number, kind: number): Status {
    const { state, csrs } = this;
    const source = (bits >>> 15) & 31;
    const rd = (bits >>> 7) & 31;
    const found = csrs.find(bits >>> 20);
    const write = (kind & 3) === 1 || source !== 0;
    if (found === undefined) return this.refuse(Cause.illegalInstruction, bits);
    const cause = csrs.verdict(found, write, state.prv, state.v);
    if (cause !== 0) return this.refuse(cause, bits);
    const csr = csrs.effective(found);
    const { parts } = csrs;
    if (!write) {
      const lo = csr.read();
      state.setX(rd, lo, parts.hi);
      return Status.next;
    }
    let lo = source;
    let hi = 0;
    if (kind < 4) {
      const x = state.x(source);
      lo = state.words[x]!;
      hi = state.words[x + 1]!;
    }
    if ((kind & 3) === 1) {
      // CSRRW with rd = x0 does not read; no CSR here has side effects on reads, so it only saves the work.
      if (rd !== 0) {
        const oldLo = csr.read();
        state.setX(rd, oldLo, parts.hi);
      }
    } else {
      const oldLo = csr.read();
      const oldHi = parts.hi;
      const baseLo = csr.readToModify === undefined ? oldLo : csr.readToModify();
      lo = (kind & 3) === 2 ? baseLo | lo : baseLo & ~lo;
      hi = (kind & 3) === 2 ? oldHi | hi : oldHi & ~hi;
      state.setX(rd, oldLo, oldHi);
    }
    csr.write(lo, hi);
    if (csr.interrupts === undefined || this.interrupts.select() === 0) return Status.next;
    state.advancePc(4);
    return this.traps.interrupt();
  }

  private ecall(bits: number): Status {
    const { prv, v } = this.state;
    const cause = prv === 0 ? Cause.ecallU : prv === 3 ? Cause.ecallM : v !== 0 ? Cause.ecallVS : Cause.ecallS;
    this.traps.raise(cause, 0, 0, 0);
    return this.traps.take(bits);
  }

  private ebreak(bits: number): Status {
    const { words, base } = this.state;
    this.traps.raise(Cause.breakpoint, words[base + (PC >> 2)]!, words[base + (PC >> 2) + 1]!, 0);
    return this.traps.take(bits);
  }

  private maySret(prv: number, v: number): Verdict {
    if (prv === 0) return v !== 0 ? 22 : 2;
    if (v !== 0) return (this.hstatus & Hstatus.VTSR) !== 0 ? 22 : 0;
    return prv === 1 && (this.mstatus & Mstatus.TSR) !== 0 ? 2 : 0;
  }

  /** The time limit of WFI below M-mode is 0 where TW, VTW or U-mode impose one. */
  private mayWait(prv: number, v: number): Verdict {
    if (prv === 3) return 0;
    if ((this.mstatus & Mstatus.TW) !== 0) return 2;
    if (prv === 0) return v !== 0 ? 22 : 2;
    return v !== 0 && (this.hstatus & Hstatus.VTW) !== 0 ? 22 : 0;
  }

  private wfi(): Status {
    const { state, interrupts } = this;
    interrupts.poll();
    state.advancePc(4);
    const status = this.traps.interrupt();
    if (status !== Status.next) return status;
    if (interrupts.wakeup) return Status.refetch;
    state.waiting = true;
    return Status.leave;
  }

  private mayFence(prv: number, v: number): Verdict {
    if (prv === 0) return v !== 0 ? 22 : 2;
    if (v !== 0) return (this.hstatus & Hstatus.VTVM) !== 0 ? 22 : 0;
    return prv === 1 && (this.mstatus & Mstatus.TVM) !== 0 ? 2 : 0;
  }

  /** SFENCE.VMA, or HFENCE.VVMA when it does not act on the current V. An address is forgotten in all address spaces. */
  private fenceVma(bits: number, v: number): Status {
    const { state } = this;
    const rs1 = (bits >>> 15) & 31;
    const rs2 = (bits >>> 20) & 31;
    if (rs1 !== 0) {
      const x = state.x(rs1);
      state.flushPage(state.words[x]!, state.words[x + 1]!);
    } else if (rs2 !== 0) {
      state.flushAsid(v, state.words[state.x(rs2)]! & 0xffff);
    } else {
      state.flushFor(v);
    }
    return Status.next;
  }

  private mayAccessGuest(prv: number, v: number): Verdict {
    if (v !== 0) return 22;
    return prv === 0 && (this.hstatus & Hstatus.HU) === 0 ? 2 : 0;
  }

  private hlv(bits: number, width: number, access: Access): Status {
    const { state, memory } = this;
    const x = state.x((bits >>> 15) & 31);
    const size = Math.abs(width);
    if (!memory.load(state.words[x]!, state.words[x + 1]!, size, access)) return this.traps.take(bits);
    let { lo, hi } = memory;
    if (width < 0) {
      const shift = 32 - 8 * size;
      lo = (lo << shift) >> shift;
      hi = lo >> 31;
    }
    state.setX((bits >>> 7) & 31, lo, hi);
    return Status.next;
  }

  private hsv(bits: number, size: number): Status {
    const { state, memory } = this;
    const address = state.x((bits >>> 15) & 31);
    const value = state.x((bits >>> 20) & 31);
    const { words } = state;
    const done = memory.store(words[address]!, words[address + 1]!, size, words[value]!, words[value + 1]!);
    return done ? Status.next : this.traps.take(bits);
  }

  /** Cache-block instructions: enabled below M-mode by menvcfg, for guests also henvcfg, below S-mode also senvcfg. */
  private mayManage(prv: number, v: number, field: number): Verdict {
    const { csr } = this.state;
    if (prv === 3) return 0;
    if ((csr[MENVCFG]! & field) === 0) return 2;
    if (v !== 0 && (csr[HENVCFG]! & field) === 0) return 22;
    if (prv === 0 && (csr[SENVCFG]! & field) === 0) return v !== 0 ? 22 : 2;
    return 0;
  }

  /** CBO.INVAL, CBO.CLEAN, CBO.FLUSH: memory is coherent, so only the access is checked. */
  private manage(bits: number): Status {
    const x = this.state.x((bits >>> 15) & 31);
    const { words } = this.state;
    return this.memory.manage(words[x]!, words[x + 1]!) ? Status.next : this.traps.take(bits);
  }

  private zero(bits: number): Status {
    const x = this.state.x((bits >>> 15) & 31);
    const { words } = this.state;
    return this.memory.zero(words[x]!, words[x + 1]!) ? Status.next : this.traps.take(bits);
  }
}

/** HFENCE and HINVAL: M- and HS-mode only. */
function mayHypervise(prv: number, v: number): Verdict {
  if (v !== 0) return 22;
  return prv === 0 ? 2 : 0;
}
