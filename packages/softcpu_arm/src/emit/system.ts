/** System instructions: those that need no more than the state block here, all others in JavaScript (Arm ARM, C5.2 and C6.2). */
import { i32, i64 } from '@axvisor/softcpu';
import type { Emit, Emitter, I32 } from '@axvisor/softcpu';
import { SPSR_WRITABLE } from '../priv/fields.ts';
import { LOG_WORDS } from '../priv/sysreg_id.ts';
import { ATTENTION, CTR, DAIF, ELR_EL1, ESR_EL1, EXCL_VALID, FAR_EL1, FPCR, FPSR, FP_TRAP, MODE, PERMITTED, Permit, SPSR_EL1, SP_EL0, TLB_LARGE, TLB_LARGE_BITS, TPIDR_EL0, TPIDR_EL1, UNSYNCED } from '../state.ts';
import { FP_FAULT } from './guard.ts';
import { plain, single, source, stateBase, target } from './define.ts';
import type { Definition, Definitions, Get } from './define.ts';
import { nzcv, setFlagsFrom } from './flags.ts';

/** Service that executes the instruction in the record's bits. */
export const SYSTEM = 'system';

const system: Emit = (e) => e.service(SYSTEM);
const byService: Definition = single({}, system);

/** MODE of EL1h, and the first that is above EL0. */
const EL1H = 3;
const atEl1h = (e: Emitter): I32 => i32.eq(e.state('i32.load', MODE), i32.const(EL1H));
const aboveEl0 = (e: Emitter): I32 => i32.gt_u(e.state('i32.load', MODE), i32.const(1));
const permits = (e: Emitter, permit: number): I32 => i32.and(e.state('i32.load', PERMITTED), i32.const(permit));

/** PSTATE.{D,A,I,F}. */
const DAIF_BITS = 0x3c0;
/** Interrupts, and steps, that a new mask could let through are looked at by the service. */
const canUnmask = (e: Emitter): I32 => i32.and(aboveEl0(e), i32.eqz(e.state('i32.load', ATTENTION)));

const key = (get: Get): string => `${get('o0') + 2}_${get('op1')}_${get('CRn')}_${get('CRm')}_${get('op2')}`;
const EL1 = 2;

/** A register that is EL1's alone: below it is UNDEFINED, above it may be something else. */
const ofEl1 = (field: number, writable: bigint): { readonly read: Emit; readonly write: Emit } => {
  const isEl1 = (e: Emitter): I32 => i32.eq(i32.and(e.state('i32.load', MODE), i32.const(6)), i32.const(EL1));
  return {
    read: (e) => e.if(isEl1(e), () => e.setReg('d', e.state('i64.load', field)), () => system(e), true),
    write: (e) => e.if(isEl1(e), () => e.setState('i64.store', field, i64.and(e.reg('n'), i64.const(writable))), () => system(e), true),
  };
};
/** What exceptions leave, which virtual machines may be kept from reading. */
const syndrome = (field: number): { readonly read: Emit; readonly write: Emit } => ({
  read: (e) => e.if(permits(e, Permit.syndrome), () => e.setReg('d', e.state('i64.load', field)), () => system(e), true),
  write: system,
});

/** System registers in the state block, by encoding: how they are read and written there; each has a variant behind the general one. */
const registers: Readonly<Record<string, { readonly read: Emit; readonly write: Emit }>> = {
  // NZCV
  '3_3_4_2_0': {
    read: (e) => e.setReg('d', i64.extend_i32_u(i32.shl(nzcv(e), i32.const(28)))),
    write: (e) => setFlagsFrom(e, i32.shr_u(i32.wrap_i64(e.reg('n')), i32.const(28))),
  },
  // TPIDR_EL0
  '3_3_13_0_2': { read: (e) => e.setReg('d', e.state('i64.load', TPIDR_EL0)), write: (e) => e.setState('i64.store', TPIDR_EL0, e.reg('n')) },
  // TPIDR_EL1, ELR_EL1, SPSR_EL1
  '3_0_13_0_4': ofEl1(TPIDR_EL1, -1n),
  '3_0_4_0_1': ofEl1(ELR_EL1, -1n),
  '3_0_4_0_0': ofEl1(SPSR_EL1, BigInt(SPSR_WRITABLE >>> 0)),
  // ESR_EL1, FAR_EL1
  '3_0_5_2_0': syndrome(ESR_EL1),
  '3_0_6_0_0': syndrome(FAR_EL1),
  // SP_EL0, where EL1 uses a stack pointer of its own: Linux keeps the current task there. Elsewhere it is SP itself, or UNDEFINED.
  '3_0_4_1_0': {
    read: (e) => e.if(atEl1h(e), () => e.setReg('d', e.state('i64.load', SP_EL0)), () => system(e), true),
    write: (e) => e.if(atEl1h(e), () => e.setState('i64.store', SP_EL0, e.reg('n')), () => system(e), true),
  },
  // DAIF, which EL0 may not read.
  '3_3_4_2_1': {
    read: (e) => e.if(aboveEl0(e), () => e.setReg('d', i64.extend_i32_u(e.state('i32.load', DAIF))), () => system(e), true),
    write: (e) => e.if(canUnmask(e), () => e.setState('i32.store', DAIF, i32.and(i32.wrap_i64(e.reg('n')), i32.const(DAIF_BITS))), () => system(e), true),
  },
  // CTR_EL0
  '3_3_0_0_1': { read: (e) => e.if(permits(e, Permit.ctr), () => e.setReg('d', i64.extend_i32_u(e.state('i32.load', CTR))), () => system(e), true), write: system },
  // DCZID_EL0
  '3_3_0_0_7': {
    read: (e) => e.if(permits(e, Permit.zero), () => e.setReg('d', i64.const(LOG_WORDS)), () => system(e), true),
    write: system,
  },
  // FPSR
  '3_3_4_4_1': {
    read: (e) => {
      e.if(e.state('i32.load', FP_TRAP), () => e.fault(FP_FAULT), undefined, false);
      e.setReg('d', i64.extend_i32_u(e.state('i32.load', FPSR)));
    },
    write: system,
  },
  // FPCR
  '3_3_4_4_0': {
    read: (e) => {
      e.if(e.state('i32.load', FP_TRAP), () => e.fault(FP_FAULT), undefined, false);
      e.setReg('d', i64.extend_i32_u(e.state('i32.load', FPCR)));
    },
    write: system,
  },
};
const order = Object.keys(registers);

function move(direction: 'read' | 'write'): Definition {
  return {
    record: direction === 'read' ? { d: target('Rt') } : { n: source('Rt') },
    variants: [system, ...order.map((name) => (registers[name] as (typeof registers)[string])[direction])],
    select: (get) => order.indexOf(key(get)) + 1,
  };
}

/** Hints that wait or signal are the hart's business, the others are nothing: NOP, and what is allocated to absent features. */
const WAITING: ReadonlySet<number> = new Set([1, 2, 3, 4, 5]);
const hint: Definition = {
  record: {},
  variants: [() => {}, system],
  select: (get) => (WAITING.has((get('CRm') << 3) | get('op2')) ? 1 : 0),
};

const maskField = (e: Emitter): I32 => i32.shl(e.field('imm'), i32.const(6));
/** MSR DAIFSet masks more, so no interrupt has to be looked at. */
const daifSet: Definition = single({ imm: plain('CRm') }, (e) => {
  e.if(aboveEl0(e), () => e.setState('i32.store', DAIF, i32.or(e.state('i32.load', DAIF), maskField(e))), () => system(e), true);
});
const daifClear: Definition = single({ imm: plain('CRm') }, (e) => {
  e.if(canUnmask(e), () => e.setState('i32.store', DAIF, i32.and(e.state('i32.load', DAIF), i32.xor(maskField(e), i32.const(-1)))), () => system(e), true);
});

/** Service that checks and executes DC ZVA, and another that does so with cache maintenance by address. */
export const ZERO = 'zeroBlock';
export const CLEAN = 'cleanLine';

/** Bytes that DC ZVA zeroes. */
const BLOCK = 64;

/** Executes `known` if the controls allow the instruction and the TLB knows the place, else calls a service. */
const onKnownPage =
  (permit: number, write: boolean, service: string, known: (e: Emitter, place: I32) => void): Emit =>
  (e) => {
    const place = e.variable(i32.const(0));
    e.if(permits(e, permit), () => e.assign(place, e.cachedAddress(e.reg('n'), write)));
    e.if(place.get, () => known(e, place.get), () => e.service(service), true);
  };

const zeroBlock = onKnownPage(Permit.zero, true, ZERO, (e, place) => {
  const block = e.let(i32.and(place, i32.const(-BLOCK)));
  for (let at = 0; at < BLOCK; at += 8) e.write('i64.store', block, i64.const(0), at);
});
/** Caches are coherent: nothing but the address matters. */
const clean = (permit: number): Emit => onKnownPage(permit, false, CLEAN, () => {});

/** TLBI by address, of any ASID: of pages that belong to no larger leaf. */
const forget: Emit = (e) => {
  const done = e.variable(i32.const(0));
  // VA[55:12] is in bits 43:0.
  const address = e.let(i64.shr_s(i64.shl(e.reg('n'), i64.const(20)), i64.const(8)));
  e.if(permits(e, Permit.forget), () => {
    const number = e.let(i32.wrap_i64(i64.shr_u(address, i64.const(21))));
    const hash = e.let(i32.and(i32.xor(number, i32.shr_u(number, i32.const(12))), i32.const(TLB_LARGE_BITS - 1)));
    const word = e.read('i32.load', i32.shl(i32.shr_u(hash, i32.const(5)), i32.const(2)), stateBase(e) + TLB_LARGE);
    e.if(i32.and(i32.shr_u(word, i32.and(hash, i32.const(31))), i32.const(1)), () => {}, () => e.assign(done, e.forgetPage(address)), false);
  }, undefined, true);
  e.if(done.get, () => {}, () => system(e), true);
};

/** System instructions that need no more than the TLB, by encoding. */
const operations: Readonly<Record<string, Emit>> = {
  // DC ZVA, CVAU, CVAC, CIVAC; IC IVAU
  '3_7_4_1': zeroBlock,
  '3_7_11_1': clean(Permit.cleanPou),
  '3_7_10_1': clean(Permit.cleanPoc),
  '3_7_14_1': clean(Permit.cleanPoc),
  '3_7_5_1': clean(Permit.invalidate),
};
/** TLBI VAE1, VAAE1, VALE1, VAALE1, and with IS. */
const FORGETS: ReadonlySet<string> = new Set([3, 7].flatMap((crm) => [1, 3, 5, 7].map((op2) => `0_8_${crm}_${op2}`)));
const operationOrder = Object.keys(operations);
/** Behind the others; see `Emitter.forgetPage`. */
const FORGET = operationOrder.length + 1;

const sys: Definition = {
  record: { n: source('Rt') },
  variants: [system, ...operationOrder.map((name) => operations[name] as Emit), forget],
  interpreted: FORGET,
  select: (get) => {
    const key = `${get('op1')}_${get('CRn')}_${get('CRm')}_${get('op2')}`;
    return FORGETS.has(key) ? FORGET : operationOrder.indexOf(key) + 1;
  },
};

/** Waits for other processing elements if there is anything to wait for. */
const synchronize: Definition = single({}, (e) => {
  e.if(e.state('i32.load', UNSYNCED), () => system(e), undefined, false);
  e.atomicFence();
});

const fence: Definition = single({}, (e) => e.atomicFence());

export const systemInstructions: Definitions = {
  ...Object.fromEntries(
    ['svc', 'hvc', 'smc', 'brk', 'hlt', 'dcps1', 'dcps2', 'dcps3', 'eret', 'drps', 'udf'].map((name) => [name, { ...byService, ends: true }]),
  ),
  ...Object.fromEntries(['msr_uao', 'msr_pan', 'msr_spsel', 'sysl'].map((name) => [name, byService])),
  msr_daifset: daifSet,
  msr_daifclr: daifClear,
  sys,
  hint,
  clrex: single({ imm: plain('CRm') }, (e) => e.setState('i32.store', EXCL_VALID, i32.const(0))),
  dsb: synchronize,
  dmb: fence,
  isb: fence,
  msr_reg: move('write'),
  mrs: move('read'),
};
