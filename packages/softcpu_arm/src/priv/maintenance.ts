/** System instructions: TLB and cache maintenance, address translation (Arm ARM, chapters C5, D7 and D8). Caches are coherent here. */

import { MMU, MMU_IDX } from '../state.ts';
import type { ExceptionRecord } from './exception_record.ts';
import { AbortIss, Fsc, Hcr } from './fields.ts';
import type { Guards } from './guards.ts';
import { Access, type TlbRequest } from './interface.ts';
import type { State } from './registers.ts';
import { slot } from './stored.ts';
import { sysRegKey, type Encoding, type Guard, type SysOp } from './sysreg.ts';
import { LINE } from './sysreg_id.ts';
import { Purpose, Stages } from './access_rights.ts';
import type { Translation } from './translation.ts';

const { PAR_EL1, HCR_EL2, VTTBR_EL2 } = slot;
/** PAR_EL1: fault; stage 2 fault on a stage 1 walk; fault of stage 2; RES1; NS. */
const Par = { F: 1 << 0, PTW: 1 << 8, S: 1 << 9, RES1: 1 << 11, NS: 1 << 9 } as const;

/** Executes them for one processing element. */
export class Maintenance {
  private readonly state: State;
  private readonly translation: Translation;
  private readonly exception: ExceptionRecord;

  constructor(state: State, translation: Translation, exception: ExceptionRecord) {
    this.state = state;
    this.translation = translation;
    this.exception = exception;
  }

  /** TLB maintenance, by this or another processing element. */
  invalidate({ stage2, va, asid, machine }: TlbRequest): void {
    if (stage2) this.state.flushStage2();
    else if (asid !== undefined) this.state.flushAsid(asid, machine);
    else if (va === undefined) this.state.flush();
    else this.state.flushPage(va.lo, va.hi);
  }

  ops(guards: Guards): SysOp[] {
    const { tlbi, pou, poc, setWay, zva } = guards;
    const op = (name: string, encoding: Encoding, el: number, execute: SysOp['execute'], guard?: Guard): SysOp => ({
      key: sysRegKey(...encoding), name, el, guard, execute,
    });
    const done = (): boolean => true;
    const instructions = (): boolean => {
      this.state.host.instructionsChanged?.();
      return true;
    };
    return [
      ...this.tlbOps(op, tlbi),
      op('IC IALLUIS', [1, 0, 7, 1, 0], 1, instructions, pou),
      op('IC IALLU', [1, 0, 7, 5, 0], 1, instructions, pou),
      op('IC IVAU', [1, 3, 7, 5, 1], 0, (lo, hi) => this.cache(lo, hi, Purpose.cache) && instructions(), pou),
      op('DC IVAC', [1, 0, 7, 6, 1], 1, (lo, hi) => this.cache(lo, hi, Purpose.cacheWrite), poc),
      op('DC ISW', [1, 0, 7, 6, 2], 1, done, setWay),
      op('DC CSW', [1, 0, 7, 10, 2], 1, done, setWay),
      op('DC CISW', [1, 0, 7, 14, 2], 1, done, setWay),
      op('DC ZVA', [1, 3, 7, 4, 1], 0, (lo, hi) => this.zero(lo, hi), zva),
      op('DC CVAC', [1, 3, 7, 10, 1], 0, (lo, hi) => this.cache(lo, hi, Purpose.cache), poc),
      op('DC CVAU', [1, 3, 7, 11, 1], 0, (lo, hi) => this.cache(lo, hi, Purpose.cache), pou),
      op('DC CIVAC', [1, 3, 7, 14, 1], 0, (lo, hi) => this.cache(lo, hi, Purpose.cache), poc),
      ...this.translationOps(op),
    ];
  }

  private tlbOps(op: (name: string, encoding: Encoding, el: number, execute: SysOp['execute'], guard?: Guard) => SysOp, guard: Guard): SysOp[] {
    const { state } = this;
    const run = (stage2: boolean, byAddress: boolean, shared: boolean, el: number, byAsid = false): SysOp['execute'] => (lo, hi) => {
      const machine = { lo: state.sys[VTTBR_EL2]!, hi: state.sys[VTTBR_EL2 + 1]! };
      const request = { stage2, va: byAddress ? pageOf(lo, hi) : undefined, ...(byAsid ? { asid: hi >>> 16, machine } : {}) };
      this.invalidate(request);
      if (shared || (el === 1 && state.el === 1 && (state.sys[HCR_EL2]! & Hcr.FB) !== 0)) state.host.broadcast?.(request);
      return true;
    };
    const ops: SysOp[] = [];
    for (const [crm, suffix] of [[3, 'IS'], [7, '']] as const) {
      const shared = crm === 3;
      for (const [op2, name, byAddress] of [[0, 'VMALLE1', false], [1, 'VAE1', true], [2, 'ASIDE1', false], [3, 'VAAE1', true], [5, 'VALE1', true], [7, 'VAALE1', true]] as const) {
        ops.push(op(`TLBI ${name}${suffix}`, [1, 0, 8, crm, op2], 1, run(false, byAddress, shared, 1, name === 'ASIDE1'), guard));
      }
      for (const [op2, name, byAddress, stage2] of [
        [0, 'ALLE2', false, false], [1, 'VAE2', true, false], [4, 'ALLE1', false, true], [5, 'VALE2', true, false], [6, 'VMALLS12E1', false, true],
      ] as const) {
        ops.push(op(`TLBI ${name}${suffix}`, [1, 4, 8, crm, op2], 2, run(stage2, byAddress, shared, 2)));
      }
    }
    // By intermediate physical address: of stage 2 everything is dropped.
    for (const [crm, suffix] of [[0, 'IS'], [4, '']] as const) {
      for (const [op2, name] of [[1, 'IPAS2E1'], [5, 'IPAS2LE1']] as const) ops.push(op(`TLBI ${name}${suffix}`, [1, 4, 8, crm, op2], 2, run(true, false, crm === 0, 2)));
    }
    return ops;
  }

  private translationOps(op: (name: string, encoding: Encoding, el: number, execute: SysOp['execute']) => SysOp): SysOp[] {
    const at = (index: number, access: Access, stages: number): SysOp['execute'] => (lo, hi) => this.translate(lo, hi, index, access, stages);
    const { load, store } = Access;
    const { first, all } = Stages;
    return [
      op('AT S1E1R', [1, 0, 7, 8, 0], 1, at(MMU.el1, load, first)),
      op('AT S1E1W', [1, 0, 7, 8, 1], 1, at(MMU.el1, store, first)),
      op('AT S1E0R', [1, 0, 7, 8, 2], 1, at(MMU.el0, load, first)),
      op('AT S1E0W', [1, 0, 7, 8, 3], 1, at(MMU.el0, store, first)),
      op('AT S1E2R', [1, 4, 7, 8, 0], 2, at(MMU.el2, load, first)),
      op('AT S1E2W', [1, 4, 7, 8, 1], 2, at(MMU.el2, store, first)),
      op('AT S12E1R', [1, 4, 7, 8, 4], 2, at(MMU.el1, load, all)),
      op('AT S12E1W', [1, 4, 7, 8, 5], 2, at(MMU.el1, store, all)),
      op('AT S12E0R', [1, 4, 7, 8, 6], 2, at(MMU.el0, load, all)),
      op('AT S12E0W', [1, 4, 7, 8, 7], 2, at(MMU.el0, store, all)),
    ];
  }

  /** MMU mode of cache maintenance: PAN does not apply. */
  private get index(): number {
    const { el } = this.state;
    return el === 0 ? MMU.el0 : el === 1 ? MMU.el1 : MMU.el2;
  }

  /** Checks the address of cache maintenance; from EL0 it must be readable. */
  private cache(lo: number, hi: number, purpose: Purpose): boolean {
    const checked = this.state.el === 0 ? Purpose.cacheRead : purpose;
    return this.translation.translate(lo, hi, Access.load, 1, 0, this.index, checked) >= 0;
  }

  /** DC ZVA: a store of a block of zeroes, to Normal memory. */
  private zero(lo: number, hi: number): boolean {
    const { state, translation } = this;
    const pa = translation.translate(lo, hi, Access.store, 1, 0, state.words[state.at(MMU_IDX)]!);
    if (pa < 0) return false;
    if (translation.isDevice) {
      translation.fail(Fsc.alignment);
      return false;
    }
    const block = pa - (pa % LINE);
    const at = state.ramOffset(block, LINE);
    if (at < 0) {
      translation.fail(Fsc.external);
      return false;
    }
    state.bytes.fill(0, at, at + LINE);
    state.host.stored(block, LINE);
    return true;
  }

  /** AT: the result, or the fault, goes to PAR_EL1; External aborts, and stage 2 faults on the walks of EL1 itself, are taken. */
  private translate(lo: number, hi: number, index: number, access: Access, stages: number): boolean {
    const { state, translation, exception } = this;
    const { sys } = state;
    const pa = translation.translate(lo, hi, access, 1, 0, index, Purpose.at, stages);
    if (pa >= 0) {
      const attributes = translation.combinedAttributes(stages);
      // Device and Non-cacheable memory is Outer Shareable.
      const shareability = attributes >>> 4 === 0 || attributes === 0x44 ? 2 : translation.shareability;
      sys[PAR_EL1] = ((pa | 0) & ~0xfff) | Par.RES1 | Par.NS | (shareability << 7);
      sys[PAR_EL1 + 1] = (attributes << 24) | Math.floor(pa / 0x1_0000_0000);
      return true;
    }
    const { iss, stage2 } = exception;
    const fsc = iss & 0x3f;
    const walk = (iss & AbortIss.S1PTW) !== 0;
    if ((stage2 && walk && state.el === 1) || (fsc >= Fsc.external && fsc < Fsc.externalOnWalk + 4)) return false;
    exception.ec = -1;
    sys[PAR_EL1] = Par.F | (fsc << 1) | (walk ? Par.PTW : 0) | (stage2 ? Par.S : 0) | Par.RES1;
    sys[PAR_EL1 + 1] = 0;
    return true;
  }
}

/** The address in the operand of TLBI by VA: VA[55:12] in bits 43:0. */
function pageOf(lo: number, hi: number): { readonly lo: number; readonly hi: number } {
  const high = (lo >>> 20) | ((hi & 0xfff) << 12);
  return { lo: lo << 12, hi: (high << 8) >> 8 };
}
